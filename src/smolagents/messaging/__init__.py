"""Messages between agents that run as independent threads or processes, on one machine or many.

from smolagents.messaging import Mailboxes
mailboxes = Mailboxes.open("sqlite:///team.db", agents=[0, 1])
"""

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports

if TYPE_CHECKING:
    from smolagents.messaging.errors import (
        MailboxesClosedError,
        MailboxFullError,
        MessageFormatError,
        MessageTooLargeError,
        MessagingError,
        UnknownRecipientError,
    )
    from smolagents.messaging.mailbox import BoxStatus, Delivery, Mailbox, Mailboxes
    from smolagents.messaging.message import AgentId, Message
    from smolagents.messaging.tools import ReceiveMessagesTool, SendMessageTool

__all__ = [
    "AgentId",
    "BoxStatus",
    "Delivery",
    "Mailbox",
    "MailboxFullError",
    "Mailboxes",
    "MailboxesClosedError",
    "Message",
    "MessageFormatError",
    "MessageTooLargeError",
    "MessagingError",
    "ReceiveMessagesTool",
    "SendMessageTool",
    "UnknownRecipientError",
]

_ERRORS = "smolagents.messaging.errors"
_MAILBOX = "smolagents.messaging.mailbox"

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "AgentId": "smolagents.messaging.message",
        "BoxStatus": _MAILBOX,
        "Delivery": _MAILBOX,
        "Mailbox": _MAILBOX,
        "MailboxFullError": _ERRORS,
        "Mailboxes": _MAILBOX,
        "MailboxesClosedError": _ERRORS,
        "Message": "smolagents.messaging.message",
        "MessageFormatError": _ERRORS,
        "MessageTooLargeError": _ERRORS,
        "MessagingError": _ERRORS,
        "ReceiveMessagesTool": "smolagents.messaging.tools",
        "SendMessageTool": "smolagents.messaging.tools",
        "UnknownRecipientError": _ERRORS,
    },
)
