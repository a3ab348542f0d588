"""Teams of processes: tasks, restarts, giving up, stuck and orphaned processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from smolagents.agents.team import AgentGaveUpError, AgentSource, Team
from smolagents.messaging import MessagingError
from smolagents.types.errors import AgentError

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _findable(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


def made_by(name, **arguments):
    return AgentSource(factory=f"team_members:{name}", arguments=arguments)


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_team_solves_a_task_together():
    events = []
    with Team({0: made_by("asks", other=1), 1: made_by("answers", text="42")}, on_event=events.append) as team:
        assert team.run("What is 6 times 7?", timeout=60) == "agent 1 says 42"
    report = team.stop()
    assert report.answered == {0: 1, 1: 1}
    assert report.restarts == {}
    kinds = [(event.agent_id, event.kind) for event in events]
    assert (0, "task") in kinds
    assert (1, "answered") in kinds
    assert (0, "step") in kinds


def test_a_killed_agent_is_restarted_and_its_task_done(tmp_path):
    marker = tmp_path / "begun"
    with Team({"worker": made_by("dies_once", marker=str(marker))}) as team:
        assert team.run("work", timeout=60) == "done by the second"
        assert team.report.restarts == {"worker": 1}


def test_an_agent_that_cannot_start_is_given_up_with_the_reason():
    events = []
    with Team({0: made_by("broken")}, max_restarts=1, on_event=events.append) as team:
        with pytest.raises(AgentGaveUpError, match="no such model"):
            team.run("work", timeout=60)
    assert [event.kind for event in events if event.kind in ("died", "restarted", "gave_up")] == [
        "died",
        "restarted",
        "died",
        "gave_up",
    ]


def test_the_asker_is_told_when_the_agent_that_was_asked_is_given_up():
    with Team({0: made_by("answers", text="ok"), 1: made_by("broken")}, max_restarts=0) as team:
        with pytest.raises(AgentGaveUpError, match=r"agent 1 was given up: .*no such model"):
            team.run("work", to=1, timeout=60)
        assert team.run("work", timeout=60) == "ok"


def test_a_task_of_which_every_agent_dies_is_given_up():
    with Team({0: made_by("dies")}, mailbox_settings={"max_attempts": 2}) as team:
        with pytest.raises(
            AgentGaveUpError, match="the task was given up: agent 0 died of it 2 times, at last: signal 9"
        ):
            team.run("work", timeout=60)
        assert [message.content for message in team.mailboxes.peek(0, dead=True)] == ["work"]


def test_a_file_is_of_one_team_at_a_time(tmp_path):
    url = f"sqlite:///{tmp_path}/team.db"
    with Team({0: made_by("answers", text="first")}, mailboxes=url) as team:
        second = Team({0: made_by("answers", text="second")}, mailboxes=url)
        with pytest.raises(MessagingError, match="another team uses the mailboxes"):
            second.start()
        second.stop()
        assert team.run("work", timeout=60) == "first"
    with Team({0: made_by("answers", text="second")}, mailboxes=url) as team:
        assert team.run("work", timeout=60) == "second"


def test_an_error_is_raised():
    with Team({0: made_by("fails")}) as team:
        with pytest.raises(AgentError, match="no server"):
            team.run("work", timeout=60)


def test_a_stuck_process_is_killed_and_restarted(tmp_path):
    events = []
    with Team({0: made_by("answers", text="ok")}, heartbeat_timeout=3, on_event=events.append) as team:
        until(lambda: any(event.kind == "started" for event in events))
        os.kill(events[0].details["pid"], signal.SIGSTOP)
        assert team.run("work", timeout=60) == "ok"
    assert "stuck" in [event.kind for event in events]


def test_it_ends_in_order_and_leaves_nothing():
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    team = Team({n: made_by("answers", text=str(n)) for n in range(3)}).start()
    assert team.run("work", to=2, timeout=60) == "2"
    folder = team._folder.name
    team.stop()
    team.stop()
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
    assert not os.path.exists(folder)


def test_agents_end_when_the_teams_process_is_killed(tmp_path):
    program = (
        "import sys, json, time\n"
        f"sys.path.insert(0, {str(HERE)!r})\n"
        "from smolagents.agents.team import AgentSource, Team\n"
        "pids = []\n"
        "def seen(event):\n"
        "    if event.kind == 'started':\n"
        "        pids.append(event.details['pid'])\n"
        "    if len(pids) == 2:\n"
        "        print(json.dumps(pids), flush=True)\n"
        "Team({n: AgentSource(factory='team_members:loops') for n in range(2)}, on_event=seen,\n"
        f"     mailboxes='sqlite:///{tmp_path}/t.db').start()\n"
        "time.sleep(60)\n"
    )
    host = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pids = json.loads(host.stdout.readline())
    host.kill()
    host.wait()
    host.stdout.close()
    until(lambda: not any(psutil.pid_exists(pid) for pid in pids))


def test_an_agent_may_be_limited_in_whom_it_writes_to():
    members = {0: made_by("asks", other=1), 1: made_by("answers", text="42")}
    with Team(members, may_write_to={0: []}) as team:
        assert "may not write" in team.run("work", timeout=60)


def test_bad_input_is_told():
    with pytest.raises(ValueError, match="at least one"):
        Team({})
    with pytest.raises(TypeError, match="no agent"):
        Team({0: 5})
    with pytest.raises(ValueError, match="exactly one"):
        AgentSource()
    with pytest.raises(ValueError, match=r"package\.module:function"):
        AgentSource(factory="name")
    with pytest.raises(ValueError, match="choose 'processes' or 'ray'"):
        Team({0: made_by("fails")}, engine="slurm")
    for url in ("memory://", "manager://"):
        with pytest.raises(ValueError, match="do not reach the processes of a team"):
            Team({0: made_by("fails")}, mailboxes=url)
    with pytest.raises(ValueError, match="engine='ray'"):
        Team({0: made_by("fails")}, resources={0: {"num_gpus": 1}})


@pytest.mark.parametrize("url", [None, "memory://", "manager://", "sqlite:///team.db", "unix:///run/redis.sock"])
def test_a_cluster_needs_mailboxes_that_every_machine_reaches(url):
    with pytest.raises(ValueError, match="give mailboxes='redis://host' or 'nats://host'"):
        Team({0: made_by("fails")}, engine="ray", mailboxes=url)
