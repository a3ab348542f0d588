"""What can go wrong between agents.

Exception
└── MessagingError
    ├── UnknownRecipientError (LookupError)   nobody has that id
    ├── MailboxFullError                      the box holds as many messages as it may
    ├── MessageTooLargeError (ValueError)     more bytes than a message may have
    ├── MessageFormatError (ValueError)       what was received is no message
    └── MailboxesClosedError                  they were closed, or their server is gone
"""

from __future__ import annotations

__all__ = [
    "MailboxFullError",
    "MailboxesClosedError",
    "MessageFormatError",
    "MessageTooLargeError",
    "MessagingError",
    "UnknownRecipientError",
]


class MessagingError(Exception):
    """Base of what can go wrong between agents. The text is for the model."""


class UnknownRecipientError(MessagingError, LookupError):
    """Nobody has the id a message is for."""


class MailboxFullError(MessagingError):
    """The box holds as many messages as it may."""


class MessageTooLargeError(MessagingError, ValueError):
    """The message has more bytes than one may have."""


class MessageFormatError(MessagingError, ValueError):
    """What was received is no message."""


class MailboxesClosedError(MessagingError):
    """The mailboxes were closed, or their server is gone."""
