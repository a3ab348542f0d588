"""64 agents, each a process of its own: in a ring, and one that asks all others."""

from __future__ import annotations

import time

import pytest

from smolagents.messaging import Mailboxes, Message
from support import crowd_agent
from support.brokers import RedisServer
from support.crew import Crew

AGENTS = 64
TOKENS = 4

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def boxes(request, tmp_path_factory):
    """The mailboxes of 64 agents that serve."""
    folder = tmp_path_factory.mktemp(request.param)
    running = RedisServer(folder) if request.param == "redis" else None
    if running is not None:
        running.start()
    url = f"sqlite:///{folder}/team.db" if running is None else running.url
    with Mailboxes.open(url, agents=["leader", *range(AGENTS)]) as opened:
        crew = Crew(crowd_agent.serve, url, AGENTS)
        try:
            for agent_id in range(AGENTS):
                crew.start(agent_id)
            yield opened
        finally:
            crew.close()
            if running is not None:
                running.close()


def heard(boxes, count):
    """What the leader is sent by others."""
    found = []
    while len(found) < count:
        delivery = boxes.receive("leader", 60)
        assert delivery is not None, f"{len(found)} of {count} messages came"
        boxes.acknowledge(delivery)
        found.append(delivery.message)
    assert boxes.receive("leader", 0.2) is None
    return found


def test_what_goes_round_a_ring_passes_everyone(boxes):
    starts = [AGENTS // TOKENS * n for n in range(TOKENS)]
    for start in starts:
        content = {"do": "pass on", "passed": [], "times": AGENTS}
        boxes.send(Message(sender="leader", recipient=start, content=content))
    answers = heard(boxes, 2 * TOKENS)
    assert [answer.content for answer in answers if answer.kind == "reply"] == ["passed on"] * TOKENS
    arrived = sorted(answer.content for answer in answers if answer.kind == "task")
    assert arrived == [[(start + n) % AGENTS for n in range(AGENTS)] for start in starts]
    # Each hears from its next that it was passed on, except for those whose next was the leader.
    deadline = time.monotonic() + 10
    while sum(boxes.status(agent_id).waiting for agent_id in range(AGENTS)) != TOKENS * (AGENTS - 1):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_asks_all_others_and_hears_from_each(boxes):
    boxes.send(Message(sender="leader", recipient=5, content={"do": "ask all"}))
    (answer,) = heard(boxes, 1)
    assert sorted(answer.content) == [n for n in range(AGENTS) if n != 5]
