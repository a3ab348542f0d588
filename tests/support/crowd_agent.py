"""An agent of a crowd: it passes things on to the next one, asks all others at once, or answers."""

from __future__ import annotations

from smolagents import CodeAgent, ReceiveMessagesTool, SendMessageTool
from smolagents.messaging import Mailboxes
from smolagents.testing import ScriptedModel

_CODE = """
me, count = {me}, {count}
if message["do"] == "pass on":
    passed = message["passed"] + [me]
    if len(passed) < message["times"]:
        send_message((me + 1) % count, {{**message, "passed": passed}})
    else:
        send_message("leader", passed)
    final_answer("passed on")
elif message["do"] == "ask all":
    sent = [send_message(other, {{"do": "answer"}}) for other in range(count) if other != me]
    answers = []
    while len(answers) < len(sent):
        answers += [answer["content"] for answer in receive_messages(timeout=60) if answer["in_reply_to"] in sent]
    final_answer(answers)
else:
    final_answer(me)
"""


def serve(url: str, agent_id: int, count: int) -> None:
    with Mailboxes.open(url) as boxes:
        CodeAgent(
            tools=[SendMessageTool(boxes, agent_id), ReceiveMessagesTool(boxes, agent_id)],
            model=ScriptedModel([f"<code>{_CODE.format(me=agent_id, count=count)}</code>"], cycle=True),
            verbosity_level=-1,
        ).serve(idle_timeout=None)
