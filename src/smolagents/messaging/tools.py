"""The tools by which an agent writes to others and reads what they write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smolagents.messaging.mailbox import Mailboxes
from smolagents.messaging.message import AgentId
from smolagents.messaging.queues import as_mailboxes
from smolagents.messaging.traced import send_content
from smolagents.tools.base import Tool

__all__ = ["ReceiveMessagesTool", "SendMessageTool", "mailbox_of"]

LONGEST_WAIT_SECONDS = 3600.0


class SendMessageTool(Tool):
    """Writes to another agent.

    Args:
        queue_dict: Mailboxes, or any mapping from agent id to an object with `put` and `get`.
        agent_id: The agent that writes.
        allowed: Ids of agents it may write to; None for all.
        timeout: Seconds to wait while the other's box is full.
    """

    name = "send_message"
    description = (
        "Sends a message to another agent, which works on it as its task and answers. Read answers with "
        "receive_messages. Returns the id of the message; the answer's in_reply_to is that id."
    )
    inputs = {
        "target_id": {"type": ["integer", "string"], "description": "The id of the agent to send to."},
        "message": {"type": "any", "description": "What the other agent is to do or to know: text, or data."},
    }
    output_type = "string"

    def __init__(
        self,
        queue_dict: Mapping[AgentId, Any],
        agent_id: AgentId,
        *,
        allowed: list[AgentId] | None = None,
        timeout: float = 10.0,
    ) -> None:
        super().__init__()
        self.mailboxes = as_mailboxes(queue_dict)
        self.agent_id = agent_id
        self.allowed = allowed
        self.timeout = timeout
        others = [each for each in self.mailboxes.agents() if each != agent_id]
        if allowed is not None:
            others = [each for each in others if each in allowed]
        if others:
            self.description = (
                f"{type(self).description} You are agent {agent_id!r}; the others are {_listed(others)}."
            )

    def forward(self, target_id: Any, message: Any) -> str:
        target = self.mailboxes.resolve(target_id)
        if target == self.agent_id:
            raise ValueError("you cannot send a message to yourself")
        if self.allowed is not None and target not in self.allowed:
            raise PermissionError(f"you may not write to agent {target!r}, only to {_listed(self.allowed)}")
        return send_content(self.mailboxes, target, message, sender=self.agent_id, timeout=self.timeout).id


class ReceiveMessagesTool(Tool):
    """Reads what others wrote.

    Args:
        queue_dict: Mailboxes, or any mapping from agent id to an object with `put` and `get`.
        agent_id: The agent that reads.
    """

    name = "receive_messages"
    description = (
        "Reads the messages that other agents sent to you, answers to yours among them. Returns a list of dictionaries "
        "with id, sender, kind, content, and in_reply_to for answers; an empty list if there are none."
    )
    inputs = {
        "timeout": {
            "type": "number",
            "description": "Seconds to wait for the first message if there is none yet. 0 only looks. 30 by default.",
            "nullable": True,
        }
    }
    output_type = "array"

    def __init__(self, queue_dict: Mapping[AgentId, Any], agent_id: AgentId) -> None:
        super().__init__()
        self.mailboxes = as_mailboxes(queue_dict)
        self.agent_id = agent_id
        self.serving = False
        """Whether the agent serves its mailbox. Tasks then wait for their turn, and are not read in the middle of one."""

    def forward(self, timeout: float | None = None) -> list[dict[str, Any]]:
        seconds = 30.0 if timeout is None else float(timeout)
        if not 0 <= seconds <= LONGEST_WAIT_SECONDS:
            raise ValueError(f"timeout must be between 0 and {LONGEST_WAIT_SECONDS:.0f} seconds, not {timeout!r}")
        kinds = ("reply", "note", "error") if self.serving else ("task", "reply", "note", "error")
        found: list[dict[str, Any]] = []
        delivery = self._receive(seconds, kinds)
        while delivery is not None:
            found.append(delivery.message.for_model())
            self.mailboxes.acknowledge(delivery)
            delivery = self.mailboxes.receive(self.agent_id, 0, kinds)
        return found

    def _receive(self, seconds: float, kinds: tuple[str, ...]) -> Any:
        """Wait in pieces, so that an interruption of the agent is noticed."""
        import time

        from smolagents.tools.interruption import check_interrupt

        deadline = time.monotonic() + seconds
        while True:
            left = max(deadline - time.monotonic(), 0.0)
            delivery = self.mailboxes.receive(self.agent_id, min(left, 0.5), kinds)
            if delivery is not None or left == 0:
                return delivery
            check_interrupt()


def mailbox_of(tools: Mapping[str, Any]) -> tuple[Mailboxes, AgentId] | None:
    """The mailboxes and the id of an agent that has these tools; None if it cannot receive messages."""
    tool = tools.get(ReceiveMessagesTool.name)
    return (tool.mailboxes, tool.agent_id) if isinstance(tool, ReceiveMessagesTool) else None


def _listed(ids: list[AgentId]) -> str:
    return ", ".join(map(repr, ids))
