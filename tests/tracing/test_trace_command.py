"""`smolagent trace`: listing, showing in the terminal, writing the page, and wrong use."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from smolagents import CodeAgent, tool
from smolagents.cli import main
from smolagents.cli.problems import reported
from smolagents.monitoring import trace_to
from smolagents.monitoring.trace_reader import find_traces
from smolagents.testing import ScriptedModel
from smolagents.types.usage import TokenUsage


@tool
def lookup(word: str) -> str:
    """Look a word up.

    Args:
        word: Which.
    """
    return "\x1b[2Jcleared [bold]not bold[/bold]\n" + "\n".join(f"meaning {n}" for n in range(100))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two runs, of which the second is the later one."""
    monkeypatch.delenv("SMOLAGENTS_TRACE_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    usage = TokenUsage(1_200, 30, cost=0.0125)
    replies = [
        "Thought: I look it up.\n<code>\nprint(lookup('quokka'))\n</code>",
        "Thought: I try.\n<code>\n1 / 0\n</code>",
        "<code>\nfinal_answer('a marsupial')\n</code>",
    ]
    with trace_to(tmp_path / "traces"):
        for name, task in (("first", "An earlier task."), ("second", "What is a quokka?")):
            agent = CodeAgent(
                [lookup],
                model=ScriptedModel(replies, usage=usage),
                name=name,
                description="Knows words.",
                verbosity_level=-1,
            )
            agent.run(task)
    return tmp_path / "traces"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["trace", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_runs_are_listed_latest_first(folder, capsys):
    code, out, _ = run(capsys, "ls", folder)
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == 2
    assert "second" in lines[0]
    assert lines[0].endswith("What is a quokka?")
    assert lines[1].endswith("An earlier task.")


def test_the_latest_run_is_shown(folder, capsys):
    code, out, _ = run(capsys, "show", "--dir", folder)
    assert code == 0
    assert out.startswith("second: finished")
    for part in (
        "What is a quokka?",
        "3 steps · 3 model calls · 3,600 tokens in, 90 out · $0.0375",
        "I look it up.",
        "print(lookup('quokka'))",
        'tool lookup(word="quokka")',
        "lines hidden",
        "ZeroDivisionError",
        "a marsupial",
    ):
        assert part in out
    assert "meaning 50" not in out


def test_all_of_a_run_is_shown_on_request(folder, capsys):
    _, out, _ = run(capsys, "show", "--dir", folder, "--whole")
    assert "meaning 50" in out
    assert "lines hidden" not in out
    assert "[system]" in out


def test_what_tools_wrote_does_not_act_on_the_terminal(folder, capsys, monkeypatch):
    for forced in ("", "1"):
        monkeypatch.setenv("FORCE_COLOR", forced)
        _, out, _ = run(capsys, "show", "--dir", folder, "--whole")
        assert "\x1b[2J" not in out
        assert "\\x1b[2Jcleared [bold]not bold[/bold]" in out
        assert ("\x1b" in out) == bool(forced)


def test_a_run_is_found_by_file_by_id_and_by_folder(folder, capsys, monkeypatch):
    _, first = find_traces(folder)
    for arguments in (
        (first.paths[0],),
        (first.trace_id[:8], "--dir", folder),
        (first.paths[0].name[:30], "--dir", folder),
    ):
        assert run(capsys, "show", *arguments)[1].startswith("first: finished")
    assert run(capsys, "show", folder)[1].startswith("second: finished")
    monkeypatch.setenv("SMOLAGENTS_TRACE_DIR", str(folder))
    assert run(capsys, "show")[1].startswith("second: finished")
    assert run(capsys, "show", "last")[1].startswith("second: finished")


def test_the_page_is_written_next_to_the_trace_or_where_one_wants_it(folder, capsys, tmp_path):
    code, out, _ = run(capsys, "open", "--no-browser", "--dir", folder)
    page = Path(out.strip())
    assert (code, page) == (0, find_traces(folder)[0].paths[0].with_suffix(".html"))
    if os.name == "posix":
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
    run(capsys, "open", "--no-browser", "--dir", folder, "--output", tmp_path / "mine.html")
    assert (tmp_path / "mine.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show"], "where are the traces? Name their folder, or set SMOLAGENTS_TRACE_DIR"),
        (["show", "--dir", "nowhere"], "there is no folder nowhere"),
        (["ls", "nowhere"], "there is no folder nowhere"),
        (["show", "--dir", "empty"], "there are no traces in empty"),
        (["show", "zzz", "--dir", "traces"], "there is no run 'zzz' in traces; smolagent trace ls traces"),
        (["show", "2", "--dir", "traces"], "'2' may be any of"),
        (["show", "notes.txt"], "notes.txt is not a trace"),
        (
            ["open", "--no-browser", "--dir", "traces", "--output", "nowhere/page.html"],
            "name another place with --output",
        ),
    ],
)
def test_wrong_use_is_told_in_one_line(folder, capsys, arguments, message):
    Path("empty").mkdir()
    Path("notes.txt").write_text("some notes\n")
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("smolagent: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_taken_port_is_named(folder, capsys):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = run(capsys, "open", "--live", "--no-browser", "--dir", folder, "--port", port)
    assert code == 2
    assert f"cannot listen on port {port}" in err


def test_commands_say_that_a_run_is_not_written(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SMOLAGENTS_TRACE_DIR", str(tmp_path / "file" / "traces"))
    agent = CodeAgent([], model=ScriptedModel(["<code>\nfinal_answer(42)\n</code>"], cycle=True), verbosity_level=-1)
    assert reported("smolagent", lambda: agent.run("What is 6 times 7?"), debug=False) == 42
    err = capsys.readouterr().err
    assert err.startswith("smolagent: cannot write traces to ")
    assert err.count("\n") == 1
    agent.run("And again?")
    assert capsys.readouterr().err == ""
