"""What a server asks is asked in the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smolagents.tools.mcp.elicitation import read_field
from support.mcp_hosts import SERVER

SCRIPT = """
import sys
from smolagents import MCPClient
with MCPClient({"command": sys.executable, "args": [sys.argv[1]]}, timeout=0.5) as tools:
    print("RESULT:", next(tool for tool in tools if tool.name == "order")())
"""


def converse(tmp_path: Path, *answers: str) -> str:
    """Run the script in a terminal of its own, and type an answer at each prompt."""
    pty = pytest.importorskip("pty")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    mine, its = pty.openpty()
    process = subprocess.Popen([sys.executable, str(script), SERVER], stdin=its, stdout=its, stderr=its)
    os.close(its)
    shown, left = "", list(answers)
    try:
        while "RESULT:" not in shown or not shown.endswith("\n"):
            try:
                shown += os.read(mine, 4096).decode()
            except OSError:  # the other end is closed
                break
            if left and shown.endswith(": "):
                os.write(mine, left.pop(0).encode())
                shown += "<typed>"
    finally:
        process.wait(30)
        os.close(mine)
    return shown


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.timeout(60)
def test_questions_are_asked_field_by_field_until_the_answer_fits(tmp_path: Path) -> None:
    shown = converse(tmp_path, "huge\n", "large\n", "two\n", "2\n")
    assert "The server 'everything' asks: What do you want?" in shown
    assert "How big. (small, large)" in shown
    assert "Write one of: small, large." in shown
    assert "Write a whole number." in shown
    assert "RESULT: 2 large" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.timeout(60)
def test_the_end_of_input_declines(tmp_path: Path) -> None:
    assert "RESULT: nothing: decline" in converse(tmp_path, "\x04")


@pytest.mark.parametrize(
    ("text", "spec", "expected"),
    [
        ("5", {"type": "integer"}, 5),
        ("5.5", {"type": "number"}, 5.5),
        ("yes", {"type": "boolean"}, True),
        ("No", {"type": "boolean"}, False),
        ("a, b", {"type": "array", "items": {"enum": ["a", "b"]}}, ["a", "b"]),
        ("x", {"oneOf": [{"const": "x", "title": "The X"}]}, "x"),
        ("anything", {}, "anything"),
    ],
)
def test_what_is_typed_becomes_what_the_field_wants(text: str, spec: dict[str, Any], expected: Any) -> None:
    assert read_field(text, spec) == expected


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("5.5", {"type": "integer"}),
        ("true", {"type": "integer"}),
        ("9", {"type": "integer", "maximum": 8}),
        ("perhaps", {"type": "boolean"}),
        ("z", {"enum": ["x"]}),
    ],
)
def test_what_does_not_fit_is_refused(text: str, spec: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Write"):
        read_field(text, spec)
