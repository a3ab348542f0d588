"""The processes that `mailboxes.py` measures."""

from __future__ import annotations

import json
import time
from pathlib import Path

from smolagents import CodeAgent, ReceiveMessagesTool, SendMessageTool
from smolagents.messaging import Mailboxes
from smolagents.testing import ScriptedModel


def receive(boxes, count, results, acknowledged):
    """Get and acknowledge `count` messages; give the milliseconds that each took since it was put, and the end.

    Each acknowledgement is told by a byte in `acknowledged`, if there is one.
    """
    took = []
    boxes.agents()
    results.put("ready")
    for _ in range(count):
        delivery = boxes.receive(1, 60)
        boxes.acknowledge(delivery)
        took.append((time.perf_counter() - delivery.message.content["at"]) * 1000)
        if acknowledged is not None:
            acknowledged.send_bytes(b"!")
    results.put((took, time.perf_counter()))


def serve(url, agent_id):
    """An agent that waits for tasks."""
    with Mailboxes.open(url) as boxes:
        CodeAgent(
            tools=[SendMessageTool(boxes, agent_id), ReceiveMessagesTool(boxes, agent_id)],
            model=ScriptedModel([]),
            verbosity_level=-1,
        ).serve(idle_timeout=None)


def answer(url, agent_id, seconds):
    """An agent whose model takes so many seconds for its answer."""

    def reply(_messages):
        time.sleep(seconds)
        return "<code>\nfinal_answer('done')\n</code>"

    with Mailboxes.open(url) as boxes:
        CodeAgent(
            tools=[SendMessageTool(boxes, agent_id), ReceiveMessagesTool(boxes, agent_id)],
            model=ScriptedModel([reply], cycle=True),
            verbosity_level=-1,
        ).serve(idle_timeout=None)


def wait(url, agent_id):
    """A receiver alone."""
    with Mailboxes.open(url) as boxes:
        while boxes.receive(agent_id, 60) is None:
            pass


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def private_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


if __name__ == "__main__":
    import sys

    what, url, agent_id = sys.argv[1:]
    {"serve": serve, "wait": wait}[what](url, json.loads(agent_id))
