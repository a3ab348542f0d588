"""Agents killed at random, and their servers too: every task is answered, and answered once."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest

from smolagents.messaging import Mailboxes, Message
from support import chaos_agent
from support.brokers import NatsServer, RedisServer
from support.crew import Crew

AGENTS = 8
TASKS = 200
KILLS = 50
BROKER_RESTARTS = (15, 35)
SETTINGS = {"lease_seconds": 2.0, "max_attempts": 40}


@pytest.fixture(params=["sqlite", "redis", "nats"])
def broker(request, tmp_path):
    """A URL, and a server to be killed, if there is one."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/team.db", None
        return
    server = {"redis": RedisServer, "nats": NatsServer}[request.param](tmp_path / request.param)
    server.start()
    yield server.url, server
    server.close()


def collect(boxes, answers, stop):
    while not stop.is_set():
        delivery = boxes.receive("leader", 0.5)
        if delivery is not None:
            answers.append(delivery.message)
            boxes.acknowledge(delivery)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_every_task_is_answered_once_while_agents_and_their_server_are_killed(broker, tmp_path):
    url, server = broker
    seed = 20_261
    print(f"seed {seed}")
    dice = random.Random(seed)
    journal = tmp_path / "journal"
    crew = Crew(chaos_agent.serve, url, SETTINGS, str(journal))
    answers: list[Message] = []
    stop = threading.Event()
    tasks = {}
    with Mailboxes.open(url, agents=["leader", *range(AGENTS)], **SETTINGS) as boxes:
        collecting = threading.Thread(target=collect, args=(boxes, answers, stop))
        collecting.start()
        try:
            for agent_id in range(AGENTS):
                crew.start(agent_id)
            for kill in range(KILLS):
                for _ in range(TASKS // KILLS):
                    number = len(tasks)
                    task = Message(
                        sender="leader", recipient=dice.randrange(AGENTS), content=f"Double the number {number}."
                    )
                    tasks[task.id] = number
                    boxes.send(task)
                time.sleep(dice.uniform(0.02, 0.3))
                if server is not None and kill in BROKER_RESTARTS:
                    server.kill()
                    time.sleep(dice.uniform(0.0, 0.3))
                    server.start()
                victim = dice.randrange(AGENTS)
                crew.kill(victim)
                crew.start(victim)
            deadline = time.monotonic() + 60
            while len({answer.in_reply_to for answer in answers}) < TASKS and time.monotonic() < deadline:
                crew.restart_dead()
                time.sleep(0.1)
            time.sleep(SETTINGS["lease_seconds"] + 0.5)  # what is to be delivered twice comes now
        finally:
            stop.set()
            collecting.join(30)
            crew.close()
        begun = len(journal.read_text().split())
        print(f"{begun} tasks were begun, of them {begun - TASKS} again")
        assert len(tasks) == TASKS
        assert begun > TASKS  # some were killed in the middle of one
        assert {answer.in_reply_to for answer in answers} == set(tasks)
        counts = Counter(answer.in_reply_to for answer in answers)
        assert max(counts.values()) == 1
        assert {answer.in_reply_to: answer.content for answer in answers} == {id: 2 * n for id, n in tasks.items()}
        assert boxes.peek(dead=True) == []
        assert sum(boxes.status(agent_id).waiting for agent_id in boxes) == 0
