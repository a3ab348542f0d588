"""Mailboxes over a mapping of plain queues: a dict of `queue.Queue`, or what `multiprocessing.Manager` gives."""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping, Sequence
from typing import Any

from smolagents.messaging.errors import MailboxesClosedError, MailboxFullError, MessagingError, UnknownRecipientError
from smolagents.messaging.mailbox import BoxStatus, Delivery, Mailboxes, deadline_of, remaining
from smolagents.messaging.message import AgentId, Message

__all__ = ["ManagerMailboxes", "QueueMailboxes", "as_mailboxes"]

_GONE = (EOFError, BrokenPipeError, ConnectionError)
_SLICE_SECONDS = 0.5
"""How long a wait for some kinds of messages goes without looking at those that were put aside."""


class QueueMailboxes(Mailboxes):
    """Mailboxes over any mapping from agent id to an object with `put` and `get`.

    A plain queue forgets a message as soon as it is taken, so one that is taken by an agent that dies is lost, and
    there are no dead letters. Use `sqlite://` and the others for more.

    Args:
        queues: The mapping.
        **settings: Those of `Mailboxes`.
    """

    def __init__(self, queues: Mapping[AgentId, Any], **settings: Any) -> None:
        super().__init__(**settings)
        self.queues = queues
        self._proxies: dict[AgentId, Any] = {}
        self._aside: dict[AgentId, list[Message]] = {}

    def add(self, agent_id: AgentId) -> None:
        if agent_id not in self.agents():
            raise MessagingError(f"the given mapping has no queue for agent {agent_id!r}: put one there")

    def agents(self) -> list[AgentId]:
        try:
            return list(self.queues.keys())
        except _GONE as error:
            raise MailboxesClosedError("the queues are gone: the process that made them has ended") from error

    def _queue(self, agent_id: AgentId) -> Any:
        # Looking a queue up in the dict of a Manager opens a connection, which takes milliseconds.
        found = self._proxies.get(agent_id)
        if found is None:
            try:
                found = self._proxies[agent_id] = self.queues[agent_id]
            except KeyError:
                raise UnknownRecipientError(f"there is no agent {agent_id!r}") from None
            except _GONE as error:
                raise MailboxesClosedError("the queues are gone: the process that made them has ended") from error
        return found

    def send(self, message: Message, timeout: float | None = None) -> None:
        text = message.to_json(self.max_message_bytes)
        box = self._queue(message.recipient)
        try:
            if timeout is None:
                box.put(text)
            else:
                box.put(text, timeout > 0, timeout if timeout > 0 else None)
        except queue.Full:
            raise MailboxFullError(f"the box of {message.recipient!r} is full") from None
        except _GONE as error:
            raise MailboxesClosedError("the queues are gone: the process that made them has ended") from error

    def receive(
        self, agent_id: AgentId, timeout: float | None = None, kinds: Sequence[str] | None = None
    ) -> Delivery | None:
        deadline = deadline_of(timeout)
        aside = self._aside.setdefault(agent_id, [])
        while not self._was_woken(agent_id):
            for message in aside:
                if kinds is None or message.kind in kinds:
                    aside.remove(message)
                    return Delivery(message=message, token=None)
            left = remaining(deadline)
            taken = self._get(agent_id, left)
            if taken is not None:
                aside.append(taken)
            elif left is not None and remaining(deadline) == 0:
                break
        return None

    def _get(self, agent_id: AgentId, timeout: float | None) -> Message | None:
        box = self._queue(agent_id)
        try:
            if timeout == 0:
                item = box.get(False)
            else:
                item = box.get(True, _SLICE_SECONDS if timeout is None else min(timeout, _SLICE_SECONDS))
        except queue.Empty:
            return None
        except _GONE as error:
            raise MailboxesClosedError("the queues are gone: the process that made them has ended") from error
        if isinstance(item, Message):
            return item.delivered(1)
        if isinstance(item, str):
            return Message.from_json(item, agent_id, 1)
        return Message(sender=None, recipient=agent_id, content=item, attempts=1, created_at=time.time())

    def acknowledge(self, delivery: Delivery) -> None:
        pass  # it is gone from the queue already

    def complete(self, delivery: Delivery, answer: Message) -> None:
        if answer.recipient in self.agents():
            self.send(answer)

    def release(self, delivery: Delivery) -> None:
        self._aside.setdefault(delivery.message.recipient, []).insert(0, delivery.message)

    def extend(self, delivery: Delivery) -> bool:
        return True

    def status(self, agent_id: AgentId) -> BoxStatus:
        waiting = len(self._aside.get(agent_id, ()))
        size = getattr(self._queue(agent_id), "qsize", None)
        return BoxStatus(agent_id=agent_id, waiting=waiting + (size() if size else 0), received=0, dead=0)

    def peek(self, agent_id: AgentId | None = None, *, dead: bool = False) -> list[Message]:
        raise MessagingError("plain queues cannot be looked into; open mailboxes at sqlite:/// for that")

    def requeue(self, message_id: str) -> bool:
        return False

    def __reduce__(self) -> Any:
        return type(self), (self.queues,)


class ManagerMailboxes(QueueMailboxes):
    """Mailboxes of a `multiprocessing.Manager` that this process starts and `close` ends.

    They can be handed to processes that this one starts, by multiprocessing.
    """

    def __init__(self, url: str = "manager://", **settings: Any) -> None:
        from multiprocessing import Manager

        self._manager = Manager()
        super().__init__(self._manager.dict(), **settings)
        self.url = url

    def add(self, agent_id: AgentId) -> None:
        if agent_id not in self.agents():
            self.queues[agent_id] = self._manager.Queue(self.capacity or 0)  # type: ignore[index]

    def close(self) -> None:
        self._manager.shutdown()

    def __reduce__(self) -> Any:
        return QueueMailboxes, (self.queues,)


def as_mailboxes(queue_dict: Mapping[AgentId, Any]) -> Mailboxes:
    """`queue_dict` if it is mailboxes, else mailboxes over it."""
    return queue_dict if isinstance(queue_dict, Mailboxes) else QueueMailboxes(queue_dict)
