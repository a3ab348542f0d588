"""Mailboxes in NATS JetStream, for processes of any number of machines."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, get_args

from smolagents.messaging.errors import MailboxFullError, UnknownRecipientError
from smolagents.messaging.mailbox import BoxStatus, Delivery, Mailboxes, deadline_of, remaining
from smolagents.messaging.message import AgentId, Message, MessageKind
from smolagents.messaging.nats_link import NatsLink, RefusedError
from smolagents.messaging.nats_receiving import GROUPS, Arrived, Receiver
from smolagents.messaging.servers import CONNECT_SECONDS, RECONNECT_SECONDS, Address

__all__ = ["NatsMailboxes"]

_KINDS: tuple[str, ...] = get_args(MessageKind)
_KEPT_MESSAGES = 10_000
"""Messages that stay on the server after they were done with. It knows ids by them when it starts again."""
_KEPT_IDS_SECONDS = 86_400
_TRIM_SECONDS = 600.0
_MOST_DONE = 100_000
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,60}")
_NOT_FOUND = 10037


class NatsMailboxes(Mailboxes):
    """Mailboxes in NATS JetStream, nats-server 2.10 or newer.

    A message is known by its id from the moment the server has it, also after the server was killed and started again,
    so sending it again does nothing. Order is kept within the tasks and stops for an agent, and within its other
    messages. `capacity` may be passed by as many messages as there are senders at the moment.

    Args:
        url: `nats://host:4222`, `tls://` for TLS, several hosts separated by commas. `?team=name` keeps teams on one
            server apart. Name and password may be in the URL, or in the environment: NATS_USER and NATS_PASSWORD,
            NATS_TOKEN, or NATS_CREDS, a file. With TLS, NATS_CA is a file with the authority to trust, NATS_CERT and
            NATS_KEY are files with the client's certificate and key.
        connect_seconds: How long the first connection is tried for.
        reconnect_seconds: How long the server may be away later on.
        replicas: On how many servers of a cluster each message is kept.
        **settings: Those of `Mailboxes`.

    Raises:
        MailboxesClosedError: the server is not reached.
        MessagingError: it refuses the name or the password, is too old, or has no JetStream.
        MissingExtraError: the extra `nats` is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        reconnect_seconds: float = RECONNECT_SECONDS,
        replicas: int = 1,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.url = url
        self.connect_seconds = connect_seconds
        self.reconnect_seconds = reconnect_seconds
        self.replicas = replicas
        self._address = Address.of(url)
        self._stream = f"smolagents_{self._address.team}"
        self._dead_stream = f"{self._stream}_dead"
        self._subject = f"smolagents.{self._address.team}"
        self._guard = threading.Lock()
        self._closed = False
        self._start()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address.shown!r})"

    def __reduce__(self) -> Any:
        return _reopened, (
            self.url,
            {
                "connect_seconds": self.connect_seconds,
                "reconnect_seconds": self.reconnect_seconds,
                "replicas": self.replicas,
                "max_message_bytes": self.max_message_bytes,
                "capacity": self.capacity,
                "lease_seconds": self.lease_seconds,
                "max_attempts": self.max_attempts,
            },
        )

    # The connection

    def _start(self) -> None:
        self._pid = os.getpid()
        self._known: list[AgentId] = []
        self._done: OrderedDict[str, None] = OrderedDict()
        self._leases: dict[tuple[str, int], tuple[int, float]] = {}
        self._trimmed_at = time.monotonic()
        self._link_ = NatsLink(self._address, self.connect_seconds, self.reconnect_seconds)
        self._receiver = Receiver(self._link_, self._stream, self.lease_seconds, self.reconnect_seconds)
        try:
            self._link_.wait(self._make_streams())
            self._link_.patience = self.reconnect_seconds
        except BaseException:
            self._link_.close()
            raise

    @property
    def _link(self) -> NatsLink:
        if os.getpid() != self._pid and not self._closed:  # after a fork: the connection is the parent's
            with self._guard:
                if os.getpid() != self._pid:
                    self._start()
        return self._link_

    async def _make_streams(self) -> None:
        common = {"storage": "file", "num_replicas": self.replicas, "retention": "limits", "allow_direct": True}
        for name, subjects in (
            (self._stream, [f"{self._subject}.box.>", f"{self._subject}.agent.>"]),
            (self._dead_stream, [f"{self._subject}.dead.>"]),
        ):
            try:
                await self._api(f"STREAM.INFO.{name}")
            except RefusedError:
                window = {"duplicate_window": _KEPT_IDS_SECONDS * 10**9}
                await self._api(f"STREAM.CREATE.{name}", {"name": name, "subjects": subjects, **common, **window})

    async def _api(self, what: str, data: Any = None) -> dict[str, Any]:
        return await self._link_.ask(f"$JS.API.{what}", data)

    # Boxes

    def add(self, agent_id: AgentId) -> None:
        self._link.wait(self._add(agent_id))
        self._known = []

    async def _add(self, agent_id: AgentId) -> None:
        box = _token(agent_id)
        for group, kinds in GROUPS.items():
            config = {
                "durable_name": f"{box}-{group}",
                "ack_policy": "explicit",
                "ack_wait": round(self.lease_seconds * 1e9),
                "max_deliver": -1,  # giving up is done here, so that the message is kept
                "max_ack_pending": -1,
                "deliver_policy": "all",
                "filter_subjects": [self._box_subject(box, kind) for kind in kinds],
            }
            await self._api(
                f"CONSUMER.DURABLE.CREATE.{self._stream}.{box}-{group}",
                {"stream_name": self._stream, "config": config},
            )
        await self._put(f"{self._subject}.agent.{box}", json.dumps(agent_id), f"agent {box}")

    def agents(self) -> list[AgentId]:
        link = self._link
        if not self._known:
            rows = link.wait(self._read(self._stream, f"{self._subject}.agent.*"))
            self._known = [json.loads(text) for _, _, text in rows]
        return list(self._known)

    def _knows(self, agent_id: AgentId) -> bool:
        if agent_id not in self.agents():
            self._known = []
        return agent_id in self.agents()

    def __contains__(self, agent_id: object) -> bool:
        return self._knows(agent_id)  # type: ignore[arg-type]

    async def _read(self, stream: str, subject: str, after: int = 0) -> list[tuple[int, str, str]]:
        """Number, subject and text of the messages of a subject."""
        found: list[tuple[int, str, str]] = []
        while True:
            try:
                answer = await self._api(f"STREAM.MSG.GET.{stream}", {"seq": after + 1, "next_by_subj": subject})
            except RefusedError as error:
                if error.code == _NOT_FOUND:
                    return found
                raise
            message = answer["message"]
            after = message["seq"]
            found.append((after, message["subject"], base64.b64decode(message.get("data", "")).decode()))

    # Sending

    def _box_subject(self, box: str, kind: str) -> str:
        return f"{self._subject}.box.{box}.{kind}"

    async def _put(self, subject: str, text: str, id: str) -> None:
        await self._link_.ask(subject, text.encode(), headers={"Nats-Msg-Id": id})

    def send(self, message: Message, timeout: float | None = None) -> None:
        link = self._link
        text = message.to_json(min(self.max_message_bytes, link.most_bytes))
        if not self._knows(message.recipient):
            raise UnknownRecipientError(f"there is no agent {message.recipient!r}")
        link.wait(self._send(message, text, deadline_of(timeout)))

    async def _send(self, message: Message, text: str, deadline: float | None) -> None:
        box = _token(message.recipient)
        pause = 0.005
        while self.capacity is not None:
            waiting, received = await self._count(box)
            if waiting + received < self.capacity:
                break
            left = remaining(deadline)
            if left == 0:
                raise MailboxFullError(f"the box of {message.recipient!r} holds {self.capacity} messages and is full")
            await asyncio.sleep(pause if left is None else min(pause, left))
            pause = min(pause * 2, 0.1)
        await self._put(self._box_subject(box, message.kind), text, message.id)

    # Receiving

    def receive(
        self, agent_id: AgentId, timeout: float | None = None, kinds: Sequence[str] | None = None
    ) -> Delivery | None:
        wanted = _KINDS if kinds is None else tuple(kinds)
        return self._link.wait(self._receive(agent_id, deadline_of(timeout), wanted))

    async def _receive(self, agent_id: AgentId, deadline: float | None, kinds: tuple[str, ...]) -> Delivery | None:
        box = _token(agent_id)
        while (
            found := await self._receiver.next(box, kinds, deadline, lambda: self._was_woken(agent_id))
        ) is not None:
            delivery = await self._accept(agent_id, box, found)
            if delivery is not None:
                return delivery
        return None

    def _rouse(self, agent_id: AgentId) -> None:
        if os.getpid() == self._pid:
            self._receiver.rouse(_token(agent_id))

    async def _accept(self, agent_id: AgentId, box: str, arrived: Arrived) -> Delivery | None:
        message = Message.from_json(arrived.text, agent_id, arrived.attempts)
        if message.id in self._done:  # the server forgot in its death that we were done with it
            await self._link_.publish(arrived.reply, b"+ACK")
            return None
        if arrived.attempts > self.max_attempts:
            letter = json.dumps({"kind": arrived.kind, "attempts": arrived.attempts - 1, "body": arrived.text})
            await self._put(f"{self._subject}.dead.{box}", letter, f"dead {arrived.sequence}")
            await self._link_.publish(arrived.reply, b"+ACK")
            return None
        self._leases[box, arrived.sequence] = arrived.attempts, arrived.at + self.lease_seconds
        return Delivery(message=message, token=(box, arrived.sequence, arrived.attempts, arrived.reply))

    # Being done

    async def _finish(self, delivery: Delivery) -> None:
        box, sequence, _, reply = delivery.token
        self._done[delivery.message.id] = None
        if len(self._done) > _MOST_DONE:
            self._done.popitem(last=False)
        self._leases.pop((box, sequence), None)
        await self._link_.publish(reply, b"+ACK")
        if time.monotonic() - self._trimmed_at > _TRIM_SECONDS:
            self._trimmed_at = time.monotonic()
            await self._trim(box)

    def acknowledge(self, delivery: Delivery) -> None:
        self._link.wait(self._finish(delivery))

    def complete(self, delivery: Delivery, answer: Message) -> None:
        link = self._link
        text = answer.to_json(min(self.max_message_bytes, link.most_bytes))
        known = self._knows(answer.recipient)

        async def complete() -> None:
            if known:
                await self._put(self._box_subject(_token(answer.recipient), answer.kind), text, answer.id)
            await self._finish(delivery)

        link.wait(complete())

    def release(self, delivery: Delivery) -> None:
        if self._is_mine(delivery):
            self._leases.pop(delivery.token[:2], None)
            self._link.wait(self._link_.publish(delivery.token[3], b"-NAK"))

    def extend(self, delivery: Delivery) -> bool:
        if not self._is_mine(delivery):
            return False
        self._link.wait(self._link_.publish(delivery.token[3], b"+WPI"))
        self._leases[delivery.token[:2]] = delivery.token[2], time.monotonic() + self.lease_seconds
        return True

    def _is_mine(self, delivery: Delivery) -> bool:
        attempts, until = self._leases.get(delivery.token[:2], (0, 0.0))
        return attempts == delivery.token[2] and time.monotonic() < until

    async def _consumer(self, box: str, group: str) -> dict[str, Any] | None:
        try:
            return await self._api(f"CONSUMER.INFO.{self._stream}.{box}-{group}")
        except RefusedError:
            return None

    async def _count(self, box: str) -> tuple[int, int]:
        infos = [info for group in GROUPS if (info := await self._consumer(box, group))]
        return sum(info["num_pending"] for info in infos), sum(info["num_ack_pending"] for info in infos)

    async def _trim(self, box: str) -> None:
        """Let the server forget what was done with long ago."""
        last = (await self._api(f"STREAM.INFO.{self._stream}"))["state"]["last_seq"]
        for group, kinds in GROUPS.items():
            info = await self._consumer(box, group)
            if info is None:
                continue
            until = min(info["ack_floor"]["stream_seq"] + 1, last - _KEPT_MESSAGES)
            for kind in kinds:
                if until > 1:
                    request = {"filter": self._box_subject(box, kind), "seq": until}
                    await self._api(f"STREAM.PURGE.{self._stream}", request)

    # Looking in from outside

    def status(self, agent_id: AgentId) -> BoxStatus:
        box = _token(agent_id)

        async def look() -> tuple[int, int, int]:
            waiting, received = await self._count(box)
            subject = f"{self._subject}.dead.{box}"
            info = await self._api(f"STREAM.INFO.{self._dead_stream}", {"subjects_filter": subject})
            return waiting, received, (info["state"].get("subjects") or {}).get(subject, 0)

        waiting, received, dead = self._link.wait(look())
        return BoxStatus(agent_id=agent_id, waiting=waiting, received=received, dead=dead)

    def peek(self, agent_id: AgentId | None = None, *, dead: bool = False) -> list[Message]:
        ids = self.agents() if agent_id is None else [agent_id]
        found: list[Message] = []
        for each in ids:
            if dead:
                letters = [json.loads(text) for _, _, text in self._link.wait(self._letters(each))]
                found += [Message.shown(letter["body"], each, letter["attempts"]) for letter in letters]
            else:
                messages = [Message.shown(text, each, 0) for text in self._link.wait(self._waiting(each))]
                found += [message for message in messages if message.id not in self._done]
        return found

    async def _letters(self, agent_id: AgentId) -> list[tuple[int, str, str]]:
        return await self._read(self._dead_stream, f"{self._subject}.dead.{_token(agent_id)}")

    async def _waiting(self, agent_id: AgentId) -> list[str]:
        box = _token(agent_id)
        rows: list[tuple[int, str, str]] = []
        for group, kinds in GROUPS.items():
            info = await self._consumer(box, group)
            if info is not None and info["num_pending"] + info["num_ack_pending"]:
                for kind in kinds:
                    floor = info["ack_floor"]["stream_seq"]
                    rows += await self._read(self._stream, self._box_subject(box, kind), floor)
        return [text for _, _, text in sorted(rows)]

    def requeue(self, message_id: str) -> bool:
        return any(self._link.wait(self._requeue(each, message_id)) for each in self.agents())

    async def _requeue(self, agent_id: AgentId, message_id: str) -> bool:
        for sequence, _, text in await self._letters(agent_id):
            letter = json.loads(text)
            if Message.shown(letter["body"], agent_id, 0).id == message_id:
                subject = self._box_subject(_token(agent_id), letter["kind"])
                await self._put(subject, letter["body"], f"requeued {sequence} {message_id}")
                await self._api(f"STREAM.MSG.DELETE.{self._dead_stream}", {"seq": sequence, "no_erase": True})
                return True
        return False

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if os.getpid() == self._pid:
            self._link_.close()


def _token(agent_id: AgentId) -> str:
    """An id as a part of a subject, which tells 1 from "1"."""
    if isinstance(agent_id, str):
        return f"s{agent_id}" if _PLAIN.fullmatch(agent_id) else f"x{hashlib.sha256(agent_id.encode()).hexdigest()}"
    return f"n{agent_id}"


def _reopened(url: str, settings: dict[str, Any]) -> NatsMailboxes:
    return NatsMailboxes(url, **settings)
