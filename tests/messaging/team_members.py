"""Agents that the processes of the tests' teams make."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from smolagents import CodeAgent
from smolagents.testing import ScriptedModel


def _agent(*replies, model=ScriptedModel):
    return CodeAgent(
        tools=[],
        model=model([f"<code>\n{reply}\n</code>" for reply in replies], cycle=True),
        verbosity_level=-1,
        additional_authorized_imports=["time"],
    )


def answers(text):
    return _agent(f"final_answer({text!r})")


def asks(other):
    return _agent(
        f"try:\n    send_message({other!r}, 'help me')\n    heard = receive_messages(timeout=30)[0]\n"
        "    final_answer(f\"agent {heard['sender']} says {heard['content']}\")\n"
        "except PermissionError as error:\n    final_answer(str(error))"
    )


def dies_once(marker):
    if Path(marker).exists():
        return answers("done by the second")

    class Dying(ScriptedModel):
        def generate(self, *args, **kwargs):
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return _agent("1", model=Dying)


def dies():
    class Dying(ScriptedModel):
        def generate(self, *args, **kwargs):
            os.kill(os.getpid(), signal.SIGKILL)

    return _agent("1", model=Dying)


def broken():
    raise RuntimeError("no such model")


def fails():
    class Failing(ScriptedModel):
        def generate(self, *args, **kwargs):
            raise ConnectionError("no server")

    return _agent("1", model=Failing)


def loops():
    class Slow(ScriptedModel):
        def generate(self, *args, **kwargs):
            time.sleep(60)

    return _agent("1", model=Slow)
