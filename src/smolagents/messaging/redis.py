"""Mailboxes on a Redis or Valkey server, for processes of any number of machines."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args

from smolagents._imports import require
from smolagents.messaging import redis_scripts as scripts
from smolagents.messaging.errors import (
    MailboxesClosedError,
    MailboxFullError,
    MessagingError,
    UnknownRecipientError,
)
from smolagents.messaging.mailbox import BoxStatus, Delivery, Mailboxes, deadline_of, remaining
from smolagents.messaging.message import AgentId, Message, MessageKind
from smolagents.messaging.processes import is_alive, this_process
from smolagents.messaging.servers import CONNECT_SECONDS, RECONNECT_SECONDS, Address, Patience, from_environment

__all__ = ["RedisMailboxes"]

_KINDS: tuple[str, ...] = get_args(MessageKind)
_COMMAND_SECONDS = 10.0
"""How long a command may take before the connection counts as dead."""
_LONGEST_BLOCK = 20.0
"""Seconds of one blocking read. A connection that was cut without a word is noticed this much later."""

_T = TypeVar("_T")


class RedisMailboxes(Mailboxes):
    """Mailboxes in Redis Streams with consumer groups. Redis 6.2 or newer, or Valkey.

    Every change is one script, so a killed agent or server leaves no message half sent. What the server keeps over its
    own restart is the server's setting: turn on `appendonly`, which loses nothing when the server is killed, and with
    `appendfsync always` nothing in a power cut.

    While the server is away, calls wait for it, with pauses that grow to a second.

    Args:
        url: `redis://host:6379/0`, `rediss://` for TLS, `unix:///path/to/socket`. `?team=name` keeps teams on one
            server apart. Name and password may be in the URL, or in the environment as REDIS_USERNAME and
            REDIS_PASSWORD (or REDISCLI_AUTH). With TLS, REDIS_CA is a file with the authority to trust, REDIS_CERT and
            REDIS_KEY are files with the client's certificate and key.
        connect_seconds: How long the first connection is tried for.
        reconnect_seconds: How long the server may be away later on.
        **settings: Those of `Mailboxes`.

    Raises:
        MailboxesClosedError: the server is not reached.
        MessagingError: it refuses the name or the password.
        MissingExtraError: the extra `redis` is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        reconnect_seconds: float = RECONNECT_SECONDS,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.url = url
        self.connect_seconds = connect_seconds
        self.reconnect_seconds = reconnect_seconds
        self._address = Address.of(url)
        self._redis = require("redis", extra="redis", needed_for="mailboxes at redis://")
        self._base = f"smolagents:{{{self._address.team}}}:"
        self._known: list[AgentId] = []
        self._closed = False
        self._start()
        self._run(self._client.ping, connect_seconds)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address.shown!r})"

    def __reduce__(self) -> Any:
        return _reopened, (
            self.url,
            {
                "connect_seconds": self.connect_seconds,
                "reconnect_seconds": self.reconnect_seconds,
                "max_message_bytes": self.max_message_bytes,
                "capacity": self.capacity,
                "lease_seconds": self.lease_seconds,
                "max_attempts": self.max_attempts,
            },
        )

    # The connection

    def _start(self) -> None:
        self._pid = os.getpid()
        self._owner = this_process()
        self._taking = threading.Lock()
        self._uncertain: set[AgentId] = set()
        self._quiet: dict[tuple[AgentId, tuple[str, ...]], tuple[float, list[str]]] = {}
        self._held: dict[tuple[str, str, str], int] = {}
        self._client = self._connection(_COMMAND_SECONDS)
        self._blocking = self._connection(_LONGEST_BLOCK + _COMMAND_SECONDS)
        self._scripts = {
            name: self._client.register_script(getattr(scripts, name)) for name in scripts.__all__ if name != "GROUP"
        }

    def _connection(self, timeout: float) -> Any:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        options: dict[str, Any] = {
            "decode_responses": True,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),  # the waiting is done here, where it ends when the mailboxes are closed
            "health_check_interval": 0,
            "client_name": "smolagents",
        }
        options["socket_timeout"] = timeout
        options["socket_connect_timeout"] = min(_COMMAND_SECONDS, max(self.connect_seconds, 0.1))
        if username := from_environment("REDIS_USERNAME"):
            options["username"] = username
        if password := from_environment("REDIS_PASSWORD", "REDISCLI_AUTH"):
            options["password"] = password
        if self._address.url.startswith("rediss:"):
            for name, variable in (
                ("ssl_ca_certs", "REDIS_CA"),
                ("ssl_certfile", "REDIS_CERT"),
                ("ssl_keyfile", "REDIS_KEY"),
            ):
                if value := from_environment(variable):
                    options[name] = value
        return self._redis.Redis.from_url(self._address.url, **options)  # what the URL says stands over the options

    def _check(self) -> None:
        if self._closed:
            raise MailboxesClosedError(f"the mailboxes {self._address.shown} were closed")
        if os.getpid() != self._pid:  # after a fork: connections and locks are the parent's
            self._start()

    def _run(self, action: Callable[[], _T], seconds: float | None = None) -> _T:
        """Do it, and once more when the server was away. What is done here may be done twice."""
        self._check()
        errors = self._redis.exceptions
        patience: Patience | None = None
        while True:
            try:
                return action()
            except errors.AuthenticationError as error:
                raise MessagingError(
                    f"the server {self._address.shown} refuses the name or password: {error}"
                ) from error
            except (errors.ConnectionError, errors.TimeoutError, errors.ReadOnlyError, OSError) as error:
                self._check()
                patience = patience or Patience(
                    self._address.shown, self.reconnect_seconds if seconds is None else seconds
                )
                patience.wait(error, lambda: self._closed)
                self._check()
            except errors.ResponseError as error:
                raise MessagingError(f"the server {self._address.shown} refused: {error}") from error

    def _script(self, name: str, *values: Any) -> Any:
        self._check()
        script = self._scripts[name]
        return self._run(lambda: script(keys=[self._base], args=values))

    # Boxes

    def add(self, agent_id: AgentId) -> None:
        self._script("ADD", _box(agent_id))
        self._known = []

    def agents(self) -> list[AgentId]:
        if not self._known:
            self._known = self._read_agents()
        return list(self._known)

    def _read_agents(self) -> list[AgentId]:
        names = self._run(lambda: self._client.zrange(f"{self._base}boxes", 0, -1))
        return [json.loads(name) for name in names]

    def __contains__(self, agent_id: object) -> bool:
        return agent_id in self.agents() or agent_id in self._reread()

    def _reread(self) -> list[AgentId]:
        self._known = []
        return self.agents()

    # Messages

    def send(self, message: Message, timeout: float | None = None) -> None:
        text = message.to_json(self.max_message_bytes)
        deadline = deadline_of(timeout)
        pause = 0.005
        capacity = -1 if self.capacity is None else self.capacity
        while True:
            result = self._script("SEND", _box(message.recipient), message.kind, message.id, text, capacity)
            if result == "sent":
                return
            if result == "unknown":
                raise UnknownRecipientError(f"there is no agent {message.recipient!r}")
            left = remaining(deadline)
            if left == 0:
                raise MailboxFullError(f"the box of {message.recipient!r} holds {self.capacity} messages and is full")
            time.sleep(pause if left is None else min(pause, left))
            pause = min(pause * 2, 0.1)

    def receive(
        self, agent_id: AgentId, timeout: float | None = None, kinds: Sequence[str] | None = None
    ) -> Delivery | None:
        deadline = deadline_of(timeout)
        wanted = _KINDS if kinds is None else tuple(kinds)
        patience: Patience | None = None
        while True:
            self._check()
            if self._was_woken(agent_id):
                return None
            try:
                quiet = self._quiet.get((agent_id, wanted)) if timeout != 0 else None
                if quiet is None or quiet[0] <= time.monotonic():
                    found = self._take(agent_id, wanted)
                    if isinstance(found, Delivery):
                        return found
                    soonest, lasts = found
                    waits = (soonest, _LONGEST_BLOCK, max(self.lease_seconds, 0.05))
                    quiet = time.monotonic() + min(wait for wait in waits if wait is not None), lasts
                    self._quiet[agent_id, wanted] = quiet
                left = remaining(deadline)
                if left == 0:
                    return None
                block = max(quiet[0] - time.monotonic(), 0.0)
                if self._wait(agent_id, wanted, quiet[1], block if left is None else min(left, block)):
                    self._quiet.pop((agent_id, wanted), None)
                patience = None
            except (self._redis.exceptions.ConnectionError, self._redis.exceptions.TimeoutError, OSError) as error:
                self._check()
                self._quiet.pop((agent_id, wanted), None)
                if isinstance(error, self._redis.exceptions.AuthenticationError):
                    raise MessagingError(
                        f"the server {self._address.shown} refuses the name or password: {error}"
                    ) from error
                patience = patience or Patience(self._address.shown, self.reconnect_seconds)
                patience.wait(error, lambda: self._closed)
            except Exception:
                self._check()  # a connection that is closed under a reader fails in many ways
                raise

    def _take(self, agent_id: AgentId, kinds: tuple[str, ...]) -> Delivery | tuple[float | None, list[str]]:
        """A delivery; or the seconds until the next lease runs out, and what was last in the streams."""
        box = _box(agent_id)
        values = (box, self._owner, round(self.lease_seconds * 1000), self.max_attempts, *kinds)
        with self._taking:
            if agent_id in self._uncertain:
                self._free_unknown(agent_id)
            try:
                found = self._scripts["TAKE"](keys=[self._base], args=values)
            except BaseException:
                self._uncertain.add(agent_id)  # it may have given us a message that never arrived
                raise
            if not isinstance(found[0], str):
                return (None if found[0] < 0 else found[0] / 1000 + 0.001), found[1:]
            kind, entry, attempts, text = found
            self._held[box, kind, entry] = attempts
        return Delivery(message=Message.from_json(text, agent_id, attempts), token=(box, kind, entry, attempts))

    def _free_unknown(self, agent_id: AgentId) -> None:
        box = _box(agent_id)
        for kind in _KINDS:
            mine = [entry for of, its_kind, entry in self._held if (of, its_kind) == (box, kind)]
            self._scripts["FREE"](keys=[self._base], args=(box, kind, self._owner, 0, *mine))
        self._uncertain.discard(agent_id)

    def _wait(self, agent_id: AgentId, kinds: tuple[str, ...], lasts: list[str], seconds: float) -> bool:
        """Wait until something comes after `lasts`."""
        streams = [f"{self._base}{_box(agent_id)}:{what}" for what in ("wake", *kinds)]
        block = max(round(seconds * 1000), 1)
        return bool(self._blocking.execute_command("XREAD", "COUNT", 1, "BLOCK", block, "STREAMS", *streams, *lasts))

    def _rouse(self, agent_id: AgentId) -> None:
        def rouse() -> None:
            with contextlib.suppress(MessagingError):
                self._script("WAKE", _box(agent_id))

        threading.Thread(target=rouse, name="smolagents-wake", daemon=True).start()  # the server may be away

    def acknowledge(self, delivery: Delivery) -> None:
        self._script("FINISH", *delivery.token[:3])
        self._held.pop(delivery.token[:3], None)

    def complete(self, delivery: Delivery, answer: Message) -> None:
        text = answer.to_json(self.max_message_bytes)
        self._script("COMPLETE", *delivery.token[:3], _box(answer.recipient), answer.kind, answer.id, text)
        self._held.pop(delivery.token[:3], None)

    def release(self, delivery: Delivery) -> None:
        self._script("RELEASE", *delivery.token, self._owner)
        self._held.pop(delivery.token[:3], None)

    def extend(self, delivery: Delivery) -> bool:
        return bool(self._script("EXTEND", *delivery.token, self._owner))

    def recover(self, agent_id: AgentId) -> int:
        count = 0
        box = _box(agent_id)
        for kind in _KINDS:
            stream = f"{self._base}{box}:{kind}"
            if not self._run(lambda stream=stream: self._client.exists(stream)):  # type: ignore[misc]
                continue
            consumers = self._run(lambda stream=stream: self._client.xinfo_consumers(stream, scripts.GROUP))  # type: ignore[misc]
            for consumer in consumers:
                if consumer["name"] != "nobody" and not is_alive(consumer["name"]):
                    count += self._script("FREE", box, kind, consumer["name"], 1)
        return count

    # Looking in from outside

    def status(self, agent_id: AgentId) -> BoxStatus:
        waiting, received, dead = self._script("STATUS", _box(agent_id), round(self.lease_seconds * 1000))
        return BoxStatus(agent_id=agent_id, waiting=waiting, received=received, dead=dead)

    def peek(self, agent_id: AgentId | None = None, *, dead: bool = False) -> list[Message]:
        found: list[Message] = []
        for each in self._read_agents() if agent_id is None else [agent_id]:
            rows = self._dead(each) if dead else self._script("PEEK", _box(each))
            found += [Message.shown(text, each, int(attempts)) for _, attempts, text in sorted(rows)]
        return found

    def _dead(self, agent_id: AgentId) -> list[tuple[int, int, str]]:
        letters = self._run(lambda: self._client.hvals(f"{self._base}{_box(agent_id)}:dead"))
        rows = [letter.split("|", 3) for letter in letters]
        return [(int(number), int(attempts), text) for number, attempts, _, text in rows]

    def requeue(self, message_id: str) -> bool:
        return any(self._script("REQUEUE", _box(each), message_id) for each in self._read_agents())

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if os.getpid() != self._pid:
            return
        for client in (self._client, self._blocking):
            with contextlib.suppress(Exception):
                client.connection_pool.disconnect()  # also what another thread waits on
            with contextlib.suppress(Exception):
                client.close()


def _box(agent_id: AgentId) -> str:
    """An id as text that tells 1 from "1"."""
    return json.dumps(agent_id)


def _reopened(url: str, settings: dict[str, Any]) -> RedisMailboxes:
    return RedisMailboxes(url, **settings)
