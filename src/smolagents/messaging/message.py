"""The envelope that everything between agents travels in."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

from smolagents.executors.worker.values import Codec, MalformedValueError
from smolagents.messaging.errors import MessageFormatError, MessageTooLargeError
from smolagents.monitoring.tracing import traceparent

__all__ = ["MAX_MESSAGE_BYTES", "AgentId", "Message", "MessageKind"]

MAX_MESSAGE_BYTES = 1_000_000
"""Bytes that a message may have as JSON, unless the mailboxes are opened with another limit."""

AgentId: TypeAlias = "int | str"
MessageKind: TypeAlias = Literal["task", "reply", "note", "stop", "error"]

_KINDS = frozenset(get_args(MessageKind))
_MARK = "smolagents_message"
_VERSION = 1
_dumps = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message from one agent to another.

    Its content is text or any value that crosses boundaries as typed JSON; nothing is ever pickled.
    """

    sender: AgentId | None
    """Who wrote it; None for one from outside the team."""
    recipient: AgentId
    """Whom it is for."""
    content: Any
    """Text, or a value."""
    kind: MessageKind = "task"
    """A "task" asks for work and is answered by a "reply" or an "error"; a "note" is not answered; "stop" ends the
    recipient's service."""
    in_reply_to: str | None = None
    """Id of the message that this one answers."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    """The same however often the message is delivered."""
    created_at: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    attempts: int = 0
    """How often it was delivered, this time included."""
    trace: dict[str, str] = field(default_factory=traceparent)
    """The trace that it was written in, as W3C headers; empty where nobody traces."""

    def reply(self, content: Any, kind: MessageKind = "reply") -> Message:
        """An answer to this message. Its id follows from this one's, so an answer given twice is one answer."""
        return Message(
            sender=self.recipient,
            recipient=self.sender if self.sender is not None else "",
            content=content,
            kind=kind,
            in_reply_to=self.id,
            id=uuid.uuid5(uuid.NAMESPACE_OID, f"answer to {self.id}").hex,
            trace=traceparent() or self.trace,
        )

    def to_json(self, most: int = MAX_MESSAGE_BYTES) -> str:
        """The message as JSON text, ASCII only.

        Raises:
            CannotCrossError: The content has no form in JSON; the text says which part of it.
            MessageTooLargeError: It has more than `most` bytes.
        """
        text = _dumps(
            {
                _MARK: _VERSION,
                "id": self.id,
                "sender": self.sender,
                "recipient": self.recipient,
                "kind": self.kind,
                "in_reply_to": self.in_reply_to,
                "content": Codec(trusted=False).encode(self.content, "message"),
                "created_at": self.created_at,
                "attempts": self.attempts,
                **({"trace": self.trace} if self.trace else {}),
            }
        )
        if len(text) > most:
            raise MessageTooLargeError(
                f"the message has {len(text):,} bytes, and one may have {most:,}: send less, or where to find it"
            )
        return text

    @classmethod
    def from_json(cls, text: str, recipient: AgentId, attempts: int | None = None) -> Message:
        """The message in `text`. Text that is no envelope is a task from nobody, whoever sent it.

        Raises:
            MessageFormatError: It looks like an envelope and is none.
        """
        if not text.startswith(f'{{"{_MARK}"'):
            return cls(sender=None, recipient=recipient, content=text, attempts=attempts or 1)
        try:
            data = json.loads(text)
            message = cls(
                sender=_id(data["sender"]),
                recipient=_id(data["recipient"]),  # type: ignore[arg-type]
                content=Codec(trusted=False).decode(data["content"], "message"),
                kind=data["kind"],
                in_reply_to=data["in_reply_to"],
                id=data["id"],
                created_at=float(data["created_at"]),
                attempts=int(data["attempts"]) if attempts is None else attempts,
                trace={str(key): str(value) for key, value in dict(data.get("trace") or {}).items()},
            )
        except (KeyError, TypeError, ValueError, RecursionError, MalformedValueError) as error:
            raise MessageFormatError(f"a message for {recipient!r} cannot be read: {error}") from error
        if message.kind not in _KINDS or type(message.id) is not str:
            raise MessageFormatError(f"a message for {recipient!r} cannot be read: its kind is {message.kind!r}")
        return message

    @classmethod
    def shown(cls, text: str, recipient: AgentId, attempts: int) -> Message:
        """As `from_json`, for those who look into a box: an envelope that cannot be read is a note from nobody."""
        try:
            return cls.from_json(text, recipient, attempts)
        except MessageFormatError:
            return cls(sender=None, recipient=recipient, content=text, kind="note", attempts=attempts)

    def delivered(self, attempts: int) -> Message:
        """The message as delivered for the `attempts`-th time."""
        return replace(self, attempts=attempts)

    def for_model(self) -> dict[str, Any]:
        """What a model is shown of it."""
        shown = {"id": self.id, "sender": self.sender, "kind": self.kind, "content": self.content}
        if self.in_reply_to is not None:
            shown["in_reply_to"] = self.in_reply_to
        return shown


def _id(value: Any) -> AgentId | None:
    if value is None or type(value) in (int, str):
        found: AgentId | None = value
        return found
    raise TypeError(f"{value!r} is no agent's id")
