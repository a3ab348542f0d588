"""Teams on a real cluster of two machines as Ray sees them, each with its own processes, one of them killed."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from smolagents.agents.team import AgentGaveUpError, AgentSource, Team
from smolagents.messaging import Mailboxes, Message
from support.brokers import NatsServer, RedisServer

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray has an environment of its own: make test-ray"),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

HERE = Path(__file__).parent
NODE = {"num_cpus": 2, "object_store_memory": 80_000_000, "include_dashboard": False}
SETTINGS = {"lease_seconds": 2.0, "max_attempts": 20}


@pytest.fixture(scope="module")
def cluster():
    """The first machine of a cluster, where those who know its token may enter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), str(HERE.parent)]))
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args=NODE)
        patch.setenv("RAY_ADDRESS", made.address)
        patch.syspath_prepend(str(HERE))
        yield made
        made.shutdown()


@pytest.fixture(params=[RedisServer, NatsServer])
def server(request, tmp_path):
    made = request.param(tmp_path / "server")
    made.start()
    yield made
    made.close()


@pytest.fixture
def redis(tmp_path):
    made = RedisServer(tmp_path / "server")
    made.start()
    yield made
    made.close()


@pytest.fixture
def remove_later(cluster):
    """Takes a machine away when the test is over, and waits until the cluster knows."""
    machines = []
    yield machines.append
    for machine in machines:
        cluster.remove_node(machine)
    cluster.wait_for_nodes()


def doubling(seconds=0.2):
    return AgentSource(factory="ray_members:doubles", arguments={"seconds": seconds})


def crash(cluster, node):
    """What a power cut does: all processes of the machine are gone at once."""
    family = psutil.Process(node.all_processes["raylet"][0].process.pid).children(recursive=True)
    cluster.remove_node(node, allow_graceful=False)
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_it_tells_what_its_agents_do_and_ends_in_order(cluster, redis):
    events = []
    team = Team({"a": doubling(0)}, engine="ray", mailboxes=redis.url, on_event=events.append)
    with team:
        assert team.run("Double the number 21.", timeout=60)[0] == 42
    kinds = [event.kind for event in events]
    assert [kind for kind in kinds if kind in ("started", "task", "step", "answered")] == [
        "started",
        "task",
        "step",
        "answered",
    ]
    assert team.report.answered == {"a": 1}
    until(lambda: not psutil.pid_exists(events[0].details["pid"]))


def test_a_stuck_actor_is_replaced(cluster, redis):
    events = []
    members = {0: doubling(0)}
    with Team(members, engine="ray", mailboxes=redis.url, heartbeat_timeout=3, on_event=events.append) as team:
        until(lambda: any(event.kind == "started" for event in events))
        os.kill(events[0].details["pid"], signal.SIGSTOP)
        assert team.run("Double the number 4.", timeout=60)[0] == 8
    assert "stuck" in [event.kind for event in events]


def test_an_agent_that_cannot_start_is_given_up_with_the_reason(cluster, redis):
    members = {0: AgentSource(factory="team_members:broken")}
    with Team(members, engine="ray", mailboxes=redis.url, max_restarts=1) as team:
        with pytest.raises(AgentGaveUpError, match="no such model"):
            team.run("work", timeout=60)


PROGRAM = """
import json, sys, time
from smolagents.agents.team import AgentSource, Team
pids = []
def seen(event):
    if event.kind == "started":
        pids.append(event.details["pid"])
    if len(pids) == 2:
        print(json.dumps(pids), flush=True)
Team({n: AgentSource(factory="team_members:loops") for n in range(2)}, engine="ray", mailboxes=sys.argv[1],
     on_event=seen).start()
time.sleep(60)
"""


def test_agents_end_when_the_teams_process_is_killed(cluster, redis):
    host = subprocess.Popen([sys.executable, "-c", PROGRAM, redis.url], stdout=subprocess.PIPE, text=True)
    with host:
        pids = json.loads(host.stdout.readline())
        assert all(psutil.pid_exists(pid) for pid in pids)
        host.kill()
    until(lambda: not any(psutil.pid_exists(pid) for pid in pids))


def test_who_does_not_know_the_token_is_refused(cluster, redis):
    environment = {**os.environ, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, redis.url], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == ""
    assert "token is missing or incorrect" in done.stderr


def test_a_machine_that_dies_in_the_middle_of_the_work_loses_nothing(cluster, server, remove_later):
    second = cluster.add_node(**NODE)
    tasks, answers = {}, []
    members = {n: doubling() for n in range(4)}
    with (
        Team(
            members,
            engine="ray",
            mailboxes=server.url,
            mailbox_settings=SETTINGS,
            resources={n: {"num_cpus": 1} for n in members},  # two on each machine
        ) as team,
        Mailboxes.open(server.url, ["leader"], **SETTINGS) as boxes,
    ):

        def collect(enough, seconds):
            deadline = time.monotonic() + seconds
            while not enough() and time.monotonic() < deadline:
                delivery = boxes.receive("leader", 0.5)
                if delivery is not None:
                    answers.append(delivery.message)
                    boxes.acknowledge(delivery)

        for number in range(40):
            task = Message(sender="leader", recipient=number % len(members), content=f"Double the number {number}.")
            tasks[task.id] = number
            boxes.send(task)
        collect(lambda: {answer.sender for answer in answers} == set(members), 40)
        where = {answer.sender: answer.content[1] for answer in answers}
        assert list(where.values()).count(second.node_id) == 2
        crash(cluster, second)
        remove_later(cluster.add_node(**NODE))
        collect(lambda: len(answers) >= len(tasks), 60)
        collect(lambda: False, SETTINGS["lease_seconds"] + 1)  # what is answered twice comes now
        report = team.report
    assert {answer.in_reply_to: answer.content[0] for answer in answers} == {id: 2 * n for id, n in tasks.items()}
    assert max(Counter(answer.in_reply_to for answer in answers).values()) == 1
    assert set(report.restarts) == {agent_id for agent_id, node in where.items() if node == second.node_id}
    assert not report.gave_up
    assert second.node_id not in {answer.sender: answer.content[1] for answer in answers}.values()
