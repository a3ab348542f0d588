"""Mailboxes for threads of one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from smolagents.messaging.errors import MailboxesClosedError, MailboxFullError, UnknownRecipientError
from smolagents.messaging.mailbox import BoxStatus, Delivery, Mailboxes, deadline_of, remaining
from smolagents.messaging.message import AgentId, Message

__all__ = ["MemoryMailboxes"]


class _Entry:
    __slots__ = ("attempts", "id", "kind", "lease_until", "text")

    def __init__(self, message: Message, text: str) -> None:
        self.id = message.id
        self.kind = message.kind
        self.text = text
        self.attempts = 0
        self.lease_until: float | None = None


class MemoryMailboxes(Mailboxes):
    """Mailboxes for threads of this process. They are gone with it.

    Messages are kept as JSON here too, so a sender cannot change what it has sent.
    """

    def __init__(self, url: str = "memory://", **settings: Any) -> None:
        super().__init__(**settings)
        self.url = url
        self._waiting: dict[AgentId, list[_Entry]] = {}
        self._dead: dict[AgentId, list[_Entry]] = {}
        self._sent: dict[str, None] = {}
        self._changed = threading.Condition()
        self._closed = False

    def add(self, agent_id: AgentId) -> None:
        with self._changed:
            self._waiting.setdefault(agent_id, [])
            self._dead.setdefault(agent_id, [])

    def agents(self) -> list[AgentId]:
        return list(self._waiting)

    def send(self, message: Message, timeout: float | None = None) -> None:
        text = message.to_json(self.max_message_bytes)
        deadline = deadline_of(timeout)
        with self._changed:
            box = self._waiting.get(message.recipient)
            if box is None:
                raise UnknownRecipientError(f"there is no agent {message.recipient!r}")
            while self.capacity is not None and len(box) >= self.capacity:
                self._check_open()
                left = remaining(deadline)
                if left == 0 or not self._changed.wait(left):
                    raise MailboxFullError(f"the box of {message.recipient!r} holds {len(box)} messages and is full")
            self._check_open()
            self._keep(message, text)

    def _keep(self, message: Message, text: str) -> None:
        if message.id in self._sent:
            return
        self._sent[message.id] = None
        if len(self._sent) > 100_000:
            del self._sent[next(iter(self._sent))]
        self._waiting[message.recipient].append(_Entry(message, text))
        self._changed.notify_all()

    def receive(
        self, agent_id: AgentId, timeout: float | None = None, kinds: Sequence[str] | None = None
    ) -> Delivery | None:
        deadline = deadline_of(timeout)
        with self._changed:
            while True:
                self._check_open()
                if self._was_woken(agent_id):
                    return None
                now = time.monotonic()
                next_lease: float | None = None
                for entry in list(self._waiting.get(agent_id, ())):
                    if kinds is not None and entry.kind not in kinds:
                        continue
                    if entry.lease_until is not None and entry.lease_until > now:
                        next_lease = min(next_lease or entry.lease_until, entry.lease_until)
                        continue
                    if entry.attempts >= self.max_attempts:
                        self._waiting[agent_id].remove(entry)
                        self._dead[agent_id].append(entry)
                        continue
                    entry.attempts += 1
                    entry.lease_until = now + self.lease_seconds
                    message = Message.from_json(entry.text, agent_id, entry.attempts)
                    return Delivery(message=message, token=(agent_id, entry, entry.attempts))
                left = remaining(deadline)
                if left == 0:
                    return None
                waits = [wait for wait in (left, None if next_lease is None else next_lease - now) if wait is not None]
                self._changed.wait(min(waits) if waits else None)

    def _rouse(self, agent_id: AgentId) -> None:
        with self._changed:
            self._changed.notify_all()

    def _mine(self, delivery: Delivery) -> tuple[AgentId, _Entry] | None:
        agent_id, entry, attempts = delivery.token
        if entry.attempts == attempts and entry in self._waiting.get(agent_id, ()):
            return agent_id, entry
        return None

    def acknowledge(self, delivery: Delivery) -> None:
        with self._changed:
            agent_id, entry, _ = delivery.token
            if entry in self._waiting.get(agent_id, ()):
                self._waiting[agent_id].remove(entry)
                self._changed.notify_all()

    def complete(self, delivery: Delivery, answer: Message) -> None:
        text = answer.to_json(self.max_message_bytes)
        with self._changed:
            if answer.recipient in self._waiting:
                self._keep(answer, text)
            self.acknowledge(delivery)

    def release(self, delivery: Delivery) -> None:
        with self._changed:
            found = self._mine(delivery)
            if found is not None:
                found[1].lease_until = None
                self._changed.notify_all()

    def extend(self, delivery: Delivery) -> bool:
        with self._changed:
            found = self._mine(delivery)
            if found is None:
                return False
            found[1].lease_until = time.monotonic() + self.lease_seconds
            return True

    def status(self, agent_id: AgentId) -> BoxStatus:
        with self._changed:
            now = time.monotonic()
            box = self._waiting.get(agent_id, [])
            leased = sum(entry.lease_until is not None and entry.lease_until > now for entry in box)
            dead = len(self._dead.get(agent_id, ()))
            return BoxStatus(agent_id=agent_id, waiting=len(box) - leased, received=leased, dead=dead)

    def peek(self, agent_id: AgentId | None = None, *, dead: bool = False) -> list[Message]:
        with self._changed:
            boxes = self._dead if dead else self._waiting
            ids = list(boxes) if agent_id is None else [agent_id]
            return [Message.shown(entry.text, each, entry.attempts) for each in ids for entry in boxes.get(each, ())]

    def requeue(self, message_id: str) -> bool:
        with self._changed:
            for agent_id, letters in self._dead.items():
                for entry in letters:
                    if entry.id == message_id:
                        letters.remove(entry)
                        entry.attempts, entry.lease_until = 0, None
                        self._waiting[agent_id].append(entry)
                        self._changed.notify_all()
                        return True
        return False

    def _check_open(self) -> None:
        if self._closed:
            raise MailboxesClosedError("these mailboxes were closed")

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
