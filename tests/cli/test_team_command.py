"""`smolagent --num-agents`, `smolagent worker` and `smolagent mailbox`."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from smolagents.agents.team import TeamEvent
from smolagents.cli.main import main
from smolagents.cli.team_view import TeamView
from smolagents.messaging import Mailboxes, Message
from smolagents.monitoring import AgentLogger, LogLevel

SMOLAGENT = str(Path(sys.executable).with_name("smolagent"))
LEADER = (
    "Thought: I ask.\n<code>\nsend_message({other!r}, 'What is 6 times 7?')\n"
    "heard = receive_messages(timeout=60)\nfinal_answer(heard[0]['content'])\n</code>"
)
HELPER = "Thought: I know.\n<code>\nfinal_answer(6 * 7)\n</code>"


def model(server):
    return ["--model-type", "OpenAIModel", "--model-id", "scripted", "--api-base", server.url, "--api-key", "k"]


def test_two_agents_solve_a_task(server, capfd):
    server.replies = [LEADER.format(other=1), HELPER]
    assert main(["What is 6 times 7?", "--num-agents", "2", *model(server)]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert "Final answer: 42" in out
    assert "agent 1: answered" in out
    assert "2 agents, 2 steps, 2,468 tokens" in out
    leader, helper = (str(request["messages"][0]) for request in server.requests)
    assert "You lead a team" in leader
    assert "send_message" in leader
    assert "another agent gives you tasks" in helper


def test_roles_have_instructions_of_their_own(server, capfd, tmp_path):
    (tmp_path / "roles.yaml").write_text("writer: You write well.\ncritic:\n  instructions: You are strict.\n")
    server.replies = [LEADER.format(other="critic"), HELPER]
    roles = ["--roles", str(tmp_path / "roles.yaml"), "--verbosity-level", "0"]
    assert main(["Write.", *roles, *model(server)]) == 0
    assert capfd.readouterr().out == "42\n"
    first, second = (str(request["messages"][0]) for request in server.requests)
    assert "You write well." in first
    assert "You are strict." in second


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        (None, "cannot be read"),
        ("- a\n", "must hold a role"),
        ("a: {instruction: x}", "unknown setting 'instruction'"),
        ("a: [", "cannot be read"),
    ],
)
def test_wrong_roles_are_told(capsys, tmp_path, roles, says):
    path = tmp_path / "roles.yaml"
    if roles is not None:
        path.write_text(roles)
    assert main(["Do it", "--roles", str(path), "--model-id", "m", "--api-base", "http://127.0.0.1:9/v1"]) == 2
    _out, err = capsys.readouterr()
    assert says in err
    assert err.count("\n") == 1


def test_a_model_that_cannot_be_made_ends_the_team_with_the_reason(capfd):
    assert main(["Do it", "--num-agents", "2", "--model-type", "NoSuchModel", "--model-id", "m"]) == 2
    err = capfd.readouterr().err
    assert "NoSuchModel" in err


def test_ctrl_c_ends_every_process(server):
    server.replies = [None]
    command = [SMOLAGENT, "Do it", "--num-agents", "3", *model(server)]
    team = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert server.hangs.wait(60)
    children = psutil.Process(team.pid).children(recursive=True)
    assert len(children) >= 3
    team.send_signal(signal.SIGINT)
    out, err = team.communicate(timeout=60)
    server.released.set()
    assert team.returncode == 130, err
    assert "Stopped." in out
    deadline = time.monotonic() + 20
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_message_cannot_write_to_the_terminal(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/team.db"
    with Mailboxes.open(url, ["boss\x1b[2J", 7]) as boxes:
        message = Message(sender="boss\x1b[2J", recipient=7, content="\x1b]0;title\x07one\ntwo")
        boxes.send(message)
    for words in (["ls", "7"], ["show", message.id]):
        assert main(["mailbox", *words, "--mailboxes", url]) == 0
        shown = capsys.readouterr().out
        assert "\x1b" not in shown
        assert "\\x1b]0;title\\x07one" in shown


def test_looking_into_mailboxes_makes_none(tmp_path, capsys):
    assert main(["mailbox", "ls", "--mailboxes", f"sqlite:///{tmp_path}/taem.db"]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_worker_serves_a_box_and_mailboxes_can_be_looked_into(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/team.db"
    (tmp_path / "my_agents.py").write_text(
        "from smolagents import CodeAgent\nfrom smolagents.testing import ScriptedModel\n"
        "def clever():\n    return CodeAgent([], ScriptedModel(['<code>\\nfinal_answer(42)\\n</code>']), verbosity_level=-1)\n"
    )
    with Mailboxes.open(url, ["boss", 7], max_attempts=1) as boxes:
        boxes.send(Message(sender="boss", recipient=7, content="What is 6 times 7?"))
        main(["mailbox", "ls", "--mailboxes", url])
        assert "7: 1 waiting, 0 being worked on, 0 dead" in capsys.readouterr().out
        worker = subprocess.run(
            [
                SMOLAGENT,
                "worker",
                "--mailboxes",
                url,
                "--id",
                "7",
                "--agent",
                "my_agents:clever",
                "--idle-timeout",
                "1",
            ],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert worker.returncode == 0, worker.stderr
        assert "answered" in worker.stdout
        assert boxes["boss"].get(timeout=1).content == 42

        boxes.send(Message(sender="boss", recipient=7, content="poison"))
        boxes.release(boxes.receive(7, 1))
        assert boxes.receive(7, 0) is None
        (letter,) = boxes.peek(dead=True)
        assert main(["mailbox", "ls", "7", "--dead", "--mailboxes", url]) == 0
        assert f"{letter.id}  task from boss, attempt 1: poison" in capsys.readouterr().out
        assert main(["mailbox", "show", letter.id[:8], "--mailboxes", url]) == 0
        assert capsys.readouterr().out.endswith("poison\n")
        assert main(["mailbox", "requeue", letter.id, "--mailboxes", url]) == 0
        assert boxes.receive(7, 1).message.content == "poison"
        capsys.readouterr()
        assert main(["mailbox", "requeue", "nothing", "--mailboxes", url]) == 2
        assert "no dead letter" in capsys.readouterr().err
        assert main(["mailbox", "ls", "--mailboxes", "kafka://x"]) == 2
        assert "begin with" in capsys.readouterr().err


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_terminal_shows_who_does_what_at_every_width(width):
    console = Console(width=width, force_terminal=True, color_system=None, file=io.StringIO())
    view = TeamView(AgentLogger(LogLevel.INFO, console=console), [0, "critic"])
    with view:
        view.show(TeamEvent(agent_id=0, kind="task", details={"sender": "team"}))
        details = {"step": 1, "tokens": 1200, "code": "send_message('critic', 'Is this right? ' + text * 2)"}
        view.show(TeamEvent(agent_id=0, kind="step", details=details))
        view.show(TeamEvent(agent_id="critic", kind="task", details={"sender": 0}))
        view.show(TeamEvent(agent_id="critic", kind="step", details={"step": 1, "error": "AgentExecutionError"}))
        view.show(TeamEvent(agent_id="critic", kind="died", details={"why": "signal 9"}))
        table = view.table()
    assert "agent critic: died why=signal 9" in console.file.getvalue()
    with console.capture() as capture:
        console.print(table)
    title, heads, first, second = (line.rstrip() for line in capture.get().rstrip("\n").split("\n"))
    assert title.startswith("2 agents, 0 s, 1,200 tokens")
    assert heads.split() == ["agent", "does", "step", "mail", "last", "step"]
    assert "0       ● works for the team  0 s" in first
    assert "   1        send_message('critic'" in first
    assert "critic  ! died  0 s" in second
    assert "AgentExecutionError" in second
