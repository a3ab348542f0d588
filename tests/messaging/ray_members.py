"""Agents that the actors of the tests' teams make."""

from __future__ import annotations

import re
import time

from smolagents import CodeAgent
from smolagents.testing import ScriptedModel


def doubles(seconds):
    """An agent that takes its time to double a number, and says on which machine it did so."""
    import ray

    node = ray.get_runtime_context().get_node_id()

    def answer(messages):
        number = re.findall(r"Double the number (\d+)", "\n".join(message.text for message in messages))[-1]
        time.sleep(seconds)
        return f"<code>\nfinal_answer(({number} * 2, {node!r}))\n</code>"

    return CodeAgent(tools=[], model=ScriptedModel([answer], cycle=True), verbosity_level=-1)
