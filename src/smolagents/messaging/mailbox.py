"""Mailboxes: one for each agent, each with `put` and `get`, and deliveries that count only when they are acknowledged."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from typing_extensions import Self

from smolagents.messaging.errors import UnknownRecipientError
from smolagents.messaging.message import MAX_MESSAGE_BYTES, AgentId, Message

__all__ = ["DEFAULT_LEASE_SECONDS", "DEFAULT_MAX_ATTEMPTS", "BoxStatus", "Delivery", "Mailbox", "Mailboxes"]

DEFAULT_LEASE_SECONDS = 60.0
"""Seconds after which a message that was received and neither acknowledged nor extended is delivered again."""
DEFAULT_MAX_ATTEMPTS = 5
"""Deliveries after which a message goes to the dead letters."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message that was received and is still to be acknowledged."""

    message: Message
    token: Any
    """What the mailboxes know the delivery by."""


@dataclass(frozen=True, kw_only=True)
class BoxStatus:
    """How many messages a box has."""

    agent_id: AgentId
    waiting: int
    """Not received yet."""
    received: int
    """Received and not acknowledged yet."""
    dead: int
    """Given up after too many deliveries."""


class Mailbox:
    """The box of one agent: what `mailboxes[agent_id]` gives.

    `put` and `get` are those of a queue, so a mapping of queues can take the place of mailboxes and the other way round.
    """

    def __init__(self, mailboxes: Mailboxes, agent_id: AgentId) -> None:
        self.mailboxes = mailboxes
        self.agent_id = agent_id

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put a message into the box. What is no `Message` becomes the content of a task from outside the team.

        Raises:
            MailboxFullError: the box is full and stayed so for `timeout` seconds; at once if not `block`.
            MessageTooLargeError, CannotCrossError: it cannot be sent.
        """
        if isinstance(item, Message):
            self.mailboxes.send(item, timeout=timeout if block else 0)
        else:
            from smolagents.messaging.traced import send_content

            send_content(self.mailboxes, self.agent_id, item, timeout=timeout if block else 0)

    def put_nowait(self, item: Any) -> None:
        self.put(item, block=False)

    def get(self, block: bool = True, timeout: float | None = None) -> Message:
        """Take the next message out of the box, for good.

        Raises:
            queue.Empty: there is none, and none came in `timeout` seconds.
        """
        import queue

        delivery = self.mailboxes.receive(self.agent_id, timeout=timeout if block else 0)
        if delivery is None:
            raise queue.Empty
        self.mailboxes.acknowledge(delivery)
        return delivery.message

    def get_nowait(self) -> Message:
        return self.get(block=False)

    def qsize(self) -> int:
        """Messages not received yet."""
        return self.mailboxes.status(self.agent_id).waiting

    def empty(self) -> bool:
        return self.qsize() == 0


class Mailboxes(ABC, Mapping[AgentId, Mailbox]):
    """The mailboxes of a team, by agent id.

    A message is delivered at least once. It counts as done when it is acknowledged, or completed together with its
    answer; until then it is delivered again when its receiver dies or its lease runs out. After `max_attempts`
    deliveries it goes to the dead letters.

    Args:
        max_message_bytes: Bytes that a message may have.
        capacity: Messages that may wait in one box; None for no limit.
        lease_seconds: Seconds that a receiver has for a message before it is delivered again.
        max_attempts: Deliveries after which a message is given up.
    """

    url: str = ""

    def __init__(
        self,
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        capacity: int | None = None,
        lease_seconds: float = DEFAULT_LEASE_SECONDS,
        max_attempts: int = DEFAULT_MAX_ATTEMPTS,
    ) -> None:
        self.max_message_bytes = max_message_bytes
        self.capacity = capacity
        self.lease_seconds = lease_seconds
        self.max_attempts = max_attempts
        self._boxes: dict[AgentId, Mailbox] = {}
        self._woken: set[AgentId] = set()

    @staticmethod
    def open(url: str, agents: Sequence[AgentId] = (), **settings: Any) -> Mailboxes:
        """Open mailboxes by URL, and make sure that there is a box for each of `agents`.

        Args:
            url: `memory://` for threads of this process, `manager://` for processes started by it,
                `sqlite:///path/to/file` for processes of this machine, `redis://host`, `nats://host`.
            agents: Ids of agents.
            **settings: Those of the class.

        Raises:
            ValueError: the URL names no kind of mailboxes.
        """
        from importlib import import_module

        scheme = urlsplit(url).scheme
        known = {
            "memory": ("memory", "MemoryMailboxes"),
            "manager": ("queues", "ManagerMailboxes"),
            "sqlite": ("sqlite", "SqliteMailboxes"),
            "redis": ("redis", "RedisMailboxes"),
            "rediss": ("redis", "RedisMailboxes"),
            "unix": ("redis", "RedisMailboxes"),
            "nats": ("nats", "NatsMailboxes"),
            "tls": ("nats", "NatsMailboxes"),
        }
        if scheme not in known:
            raise ValueError(
                f"{url!r} names no mailboxes: begin with memory://, manager://, sqlite:///, redis:// or nats://"
            )
        module, name = known[scheme]
        made: Mailboxes = getattr(import_module(f"smolagents.messaging.{module}"), name)(url, **settings)
        for agent_id in agents:
            made.add(agent_id)
        return made

    # Boxes

    @abstractmethod
    def add(self, agent_id: AgentId) -> None:
        """Make a box, if there is none."""

    @abstractmethod
    def agents(self) -> list[AgentId]:
        """Ids of all that have a box."""

    def __getitem__(self, agent_id: AgentId) -> Mailbox:
        box = self._boxes.get(agent_id)
        if box is None:
            if agent_id not in self.agents():
                raise KeyError(agent_id)
            box = self._boxes[agent_id] = Mailbox(self, agent_id)
        return box

    def __iter__(self) -> Iterator[AgentId]:
        return iter(self.agents())

    def __len__(self) -> int:
        return len(self.agents())

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def resolve(self, name: Any) -> AgentId:
        """The id that a model means: 1, "1", or a name.

        Raises:
            UnknownRecipientError: nobody has it; the text says who there is.
        """
        ids = self.agents()
        for found in ids:
            if found == name and type(name) is not bool:
                return found
        for found in ids:
            if str(found) == str(name).strip():
                return found
        raise UnknownRecipientError(f"there is no agent {name!r}; there are {', '.join(map(repr, ids)) or 'none'}")

    # Messages

    @abstractmethod
    def send(self, message: Message, timeout: float | None = None) -> None:
        """Put a message into its recipient's box. One whose id was sent before is left out.

        Args:
            message: The message.
            timeout: Seconds to wait while the box is full; None to wait on.

        Raises:
            UnknownRecipientError: the recipient has no box.
            MailboxFullError: the box stayed full.
            MessageTooLargeError: it has too many bytes.
            CannotCrossError: its content has no form in JSON.
        """

    @abstractmethod
    def receive(
        self, agent_id: AgentId, timeout: float | None = None, kinds: Sequence[str] | None = None
    ) -> Delivery | None:
        """The next message for `agent_id`, leased to this receiver; None if there was none in `timeout` seconds, or `wake`.

        Args:
            agent_id: Whose box.
            timeout: Seconds to wait; 0 to look only, None to wait on.
            kinds: Kinds of messages to look for; None for all. Others stay where they are.
        """

    def wake(self, agent_id: AgentId) -> None:
        """End the wait of this process for a message to `agent_id`: `receive` gives None, now or when it is next called.

        From any thread. It does not wait for anything itself.
        """
        self._woken.add(agent_id)
        self._rouse(agent_id)

    def _rouse(self, agent_id: AgentId) -> None:
        """Have a receiver that waits look at `_was_woken`. Not needed where it does so by itself all the time."""

    def _was_woken(self, agent_id: AgentId) -> bool:
        woken = agent_id in self._woken
        self._woken.discard(agent_id)
        return woken

    @abstractmethod
    def acknowledge(self, delivery: Delivery) -> None:
        """The message is done with, and will not come again."""

    @abstractmethod
    def complete(self, delivery: Delivery, answer: Message) -> None:
        """Send the answer and acknowledge the message in one. If it was answered before, nothing is sent.

        An answer to nobody, or to somebody whose box is gone, is dropped.
        """

    @abstractmethod
    def release(self, delivery: Delivery) -> None:
        """Give the message back, to be delivered again at once."""

    @abstractmethod
    def extend(self, delivery: Delivery) -> bool:
        """Begin the lease anew. False if it ran out and the message may be with another."""

    def claim(self) -> bool:
        """Have these mailboxes for one team until they are closed. False if another has them.

        Two teams would take each other's answers. True where nobody can tell.
        """
        return True

    def recover(self, agent_id: AgentId) -> int:
        """Called by an agent that starts to serve: deliver again what an earlier incarnation, now dead, had received.

        Returns:
            How many messages. 0 where only the lease tells, which then runs out.
        """
        return 0

    # Looking in from outside

    @abstractmethod
    def status(self, agent_id: AgentId) -> BoxStatus:
        """What a box holds."""

    @abstractmethod
    def peek(self, agent_id: AgentId | None = None, *, dead: bool = False) -> list[Message]:
        """Messages of a box, or of all, without receiving them: those waiting, or the dead letters."""

    @abstractmethod
    def requeue(self, message_id: str) -> bool:
        """Put a dead letter back into its box, with its attempts forgotten. False if there is none of that id."""

    def close(self) -> None:
        """Let go of files and connections. The messages stay."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def deadline_of(timeout: float | None) -> float | None:
    """When a wait of `timeout` seconds ends, on the monotonic clock."""
    return None if timeout is None else time.monotonic() + timeout


def remaining(deadline: float | None) -> float | None:
    """Seconds until `deadline`, not less than 0."""
    return None if deadline is None else max(deadline - time.monotonic(), 0.0)
