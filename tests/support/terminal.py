"""A terminal for tests: code on a pseudo-terminal, and what it wrote there."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

__all__ = ["ANSI", "on_pty"]

ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
"""What moves the cursor and sets colours."""


def on_pty(code: str, answer: bytes = b"", asked: bytes = b"name?", **environment: str) -> str:
    """Run code on a pseudo-terminal and return what it wrote there.

    Args:
        code: Python code, run in a process of its own.
        answer: Typed once `asked` has been written.
        asked: See `answer`.
        **environment: Variables to set; `COLUMNS` is the width.
    """
    pty = pytest.importorskip("pty")
    main, other = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR", "FORCE_COLOR")}
    env.update({"TERM": "xterm-256color", "COLUMNS": "80", **environment})
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=other, stdout=other, stderr=other, env=env, close_fds=True
    )
    os.close(other)
    written = b""
    try:
        while True:
            try:
                chunk = os.read(main, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            written += chunk
            if answer and asked in written:
                os.write(main, answer)
                answer = b""
    finally:
        process.wait(timeout=60)
        os.close(main)
    assert process.returncode == 0, written.decode(errors="replace")
    return written.decode(errors="replace")
