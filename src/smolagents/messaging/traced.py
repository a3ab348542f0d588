"""Sending as part of a trace, which goes on where the message is worked on."""

from __future__ import annotations

from typing import Any

from smolagents.messaging.mailbox import Mailboxes
from smolagents.messaging.message import AgentId, Message
from smolagents.monitoring import tracing

__all__ = ["message_facts", "send_content"]


def send_content(
    mailboxes: Mailboxes,
    recipient: AgentId,
    content: Any,
    *,
    sender: AgentId | None = None,
    timeout: float | None = None,
) -> Message:
    """Send a task. Arguments and errors are those of `Message` and `Mailboxes.send`."""
    with tracing.span("send_message", str(recipient), content={"message": content}) as span:
        message = Message(sender=sender, recipient=recipient, content=content)
        if span is not None:
            span.attributes.update(message_facts(mailboxes, message))
        mailboxes.send(message, timeout=timeout)
    return message


def message_facts(mailboxes: Mailboxes, message: Message) -> dict[str, Any]:
    """What a span says of a message besides its content."""
    return {
        "system": mailboxes.url.partition(":")[0] or "queue",
        "recipient": str(message.recipient),
        "sender": None if message.sender is None else str(message.sender),
        "message_id": message.id,
        "message_kind": message.kind,
        "attempts": message.attempts,
    }
