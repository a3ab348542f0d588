"""An agent that doubles numbers, in a process that may be killed at any moment."""

from __future__ import annotations

import os
import re
import time

from smolagents import CodeAgent, ReceiveMessagesTool, SendMessageTool
from smolagents.messaging import Mailboxes
from smolagents.testing import ScriptedModel


def answer(messages, journal):
    number = re.search(r"Double the number (\d+)", "\n".join(message.text for message in messages)).group(1)
    os.write(journal, f"{number}\n".encode())
    time.sleep(0.15)  # long enough to be killed in the middle of it
    return f"<code>\nfinal_answer({number} * 2)\n</code>"


def serve(url, agent_id, settings, journal):
    """Serve a mailbox, and write down in `journal` each task that is begun."""
    begun = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Mailboxes.open(url, **settings) as boxes:
        CodeAgent(
            tools=[SendMessageTool(boxes, agent_id), ReceiveMessagesTool(boxes, agent_id)],
            model=ScriptedModel([lambda messages: answer(messages, begun)], cycle=True),
            verbosity_level=-1,
        ).serve(idle_timeout=None)


if __name__ == "__main__":
    import json
    import sys

    where, who, how, begun = sys.argv[1:]
    serve(where, json.loads(who), json.loads(how), begun)
