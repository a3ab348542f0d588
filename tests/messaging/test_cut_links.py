"""Agents on hosts of their own whose link to the server is cut in the middle of a task, and restored."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from smolagents.messaging import Mailboxes, Message
from support.brokers import NatsServer, RedisServer
from support.far_host import FarHost

SERVERS = {"redis": RedisServer, "nats": NatsServer}
TASKS = 14
CUT_SECONDS = 2.0
SETTINGS = {"lease_seconds": 1.0, "max_attempts": 20}
TESTS = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def host():
    made = FarHost()
    made.open()
    yield made
    made.close()


@pytest.fixture(params=["redis", "nats"])
def server(request, tmp_path, host):
    made = SERVERS[request.param](tmp_path / request.param, address=host.near)
    made.start()
    yield made
    made.close()


@pytest.fixture
def agent(server, tmp_path):
    """Start the agent "far": a function of how to start a process, which gives the file where it writes what it begins."""
    running = []

    def start(popen):
        journal = tmp_path / f"journal{len(running)}"
        values = (server.url, '"far"', json.dumps(SETTINGS), str(journal))
        running.append(popen([sys.executable, "-m", "support.chaos_agent", *values], cwd=TESTS))
        return journal

    yield start
    for process in running:
        process.kill()
        process.wait()


def begun(journal):
    return journal.read_text().split() if journal.exists() else []


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def send_tasks(boxes):
    tasks = [Message(sender="leader", recipient="far", content=f"Double the number {n}.") for n in range(TASKS)]
    for task in tasks:
        boxes.send(task)
    return {task.id: 2 * number for number, task in enumerate(tasks)}


def collect(boxes, answers, count, seconds):
    deadline = time.monotonic() + seconds
    while len(answers) < count and time.monotonic() < deadline:
        delivery = boxes.receive("leader", 0.5)
        if delivery is not None:
            answers.append(delivery.message)
            boxes.acknowledge(delivery)


def check(boxes, tasks, answers):
    collect(boxes, answers, TASKS, 60)
    collect(boxes, answers, TASKS + 1, SETTINGS["lease_seconds"] + 0.5)  # what is answered twice comes now
    assert {answer.in_reply_to: answer.content for answer in answers} == tasks
    assert max(Counter(answer.in_reply_to for answer in answers).values()) == 1
    assert boxes.peek(dead=True) == []
    assert boxes.status("far").waiting == 0


@pytest.mark.parametrize("how", ["down", "silent"])
def test_a_link_that_is_cut_and_restored_loses_nothing(host, server, agent, how):
    answers = []
    with Mailboxes.open(server.url, ["leader", "far"], **SETTINGS) as boxes:
        tasks = send_tasks(boxes)
        journal = agent(host.start)
        until(lambda: len(begun(journal)) >= 3)
        host.cut(how)
        collect(boxes, answers, TASKS, CUT_SECONDS)
        assert len(answers) < TASKS / 2  # nothing comes through
        host.restore(how)
        check(boxes, tasks, answers)


def test_what_was_cut_off_with_an_agent_is_done_by_another_once(host, server, agent):
    answers = []
    with Mailboxes.open(server.url, ["leader", "far"], **SETTINGS) as boxes:
        tasks = send_tasks(boxes)
        journal = agent(host.start)
        until(lambda: len(begun(journal)) >= 3)
        host.cut("silent")
        second = agent(subprocess.Popen)
        until(lambda: set(begun(journal)) & set(begun(second)))  # it has taken over what the other one works on
        host.restore("silent")
        check(boxes, tasks, answers)
