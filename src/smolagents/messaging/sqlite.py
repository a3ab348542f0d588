"""Durable mailboxes in one SQLite file, for processes of one machine."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from smolagents.messaging.errors import MailboxesClosedError, MailboxFullError, UnknownRecipientError
from smolagents.messaging.mailbox import BoxStatus, Delivery, Mailboxes, deadline_of, remaining
from smolagents.messaging.message import AgentId, Message
from smolagents.messaging.processes import is_alive, this_process

__all__ = ["SqliteMailboxes"]

_BUSY_SECONDS = 30.0
_CHECKPOINT_PAGES = 4000
"""Pages of 4 KB after which the log is moved into the file, which waits for the disk."""
_KEPT_IDS_SECONDS = 7 * 86_400.0
"""How long the ids of messages that are done with are remembered, so that they are not done twice."""
_LONGEST_SLEEP = 30.0
"""Seconds between two looks at the box when nothing wakes the receiver: a wake-up that was lost costs this much."""
_LONGEST_NAME = 200
"""Characters of a pipe's name; file systems take 255."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS boxes (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    box TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    lease_until REAL NOT NULL DEFAULT 0,
    owner TEXT,
    dead INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS messages_in_order ON messages (box, dead, seq, kind, lease_until);
CREATE TABLE IF NOT EXISTS done (id TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
"""


class SqliteMailboxes(Mailboxes):
    """Mailboxes in a file. What is in them outlives every process, and the machine's restart.

    The file belongs on a disk of this machine: SQLite's locks do not hold on network file systems.

    Args:
        url: `sqlite:///relative/path`, or `sqlite:////absolute/path`.
        durable: Whether a message is on the disk before `send` returns, so that a power cut cannot lose it. Without, a
            killed process loses nothing all the same.
        **settings: Those of `Mailboxes`.

    Raises:
        ValueError: the URL has no path.
        OSError: the file cannot be made.
    """

    def __init__(self, url: str, *, durable: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        path = unquote(urlsplit(url).path)[1:]
        if not path:
            raise ValueError(f"{url!r} has no path: write sqlite:///team.db, or sqlite:////var/lib/team.db")
        self.url = url
        self.durable = durable
        self.path = Path(path).absolute()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._wake_folder = self.path.with_name(self.path.name + ".wake")
        self._wake_folder.mkdir(mode=0o700, exist_ok=True)
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._pid = os.getpid()
        self._owner = this_process()
        self._turns: list[int] = []
        """Descriptors of files that are locked."""
        self._readers: dict[AgentId, int] = {}
        self._writers: dict[AgentId, int] = {}
        self._rousers: dict[AgentId, tuple[int, int]] = {}
        self._known: list[AgentId] = []
        self._closed = False
        with self._transaction() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute("DELETE FROM done WHERE at < ?", (time.time() - _KEPT_IDS_SECONDS,))

    # The file

    def _db(self) -> sqlite3.Connection:
        if self._closed:
            raise MailboxesClosedError(f"the mailboxes {self.url} were closed")
        if os.getpid() != self._pid:  # after a fork: connections and descriptors are the parent's
            self._local, self._connections, self._guard = threading.local(), [], threading.Lock()
            self._readers, self._writers, self._rousers, self._turns = {}, {}, {}, []
            self._pid, self._owner = os.getpid(), this_process()
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._connect()
            self._local.db = db
            with self._guard:
                self._connections.append(db)
        return db

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:  # the switch to WAL does not wait for others by itself
            try:
                db.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    db.close()
                    raise
                time.sleep(0.01)
        db.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        db.execute(f"PRAGMA synchronous={'FULL' if self.durable else 'NORMAL'}")
        return db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._db()
        with self._turn():
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for the turn to write. SQLite would look again and again, with pauses of up to 0.1 s; this wakes at once."""
        if fcntl is None:
            yield
            return
        descriptor: int | None = getattr(self._local, "turn", None)
        if descriptor is None:  # one for each thread: a lock is between open files
            descriptor = self._local.turn = os.open(
                self._wake_folder / "turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            self._turns.append(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # closed meanwhile
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    def __reduce__(self) -> Any:
        return _reopened, (self.url, self._settings())

    def _settings(self) -> dict[str, Any]:
        return {
            "durable": self.durable,
            "max_message_bytes": self.max_message_bytes,
            "capacity": self.capacity,
            "lease_seconds": self.lease_seconds,
            "max_attempts": self.max_attempts,
        }

    # Waking a receiver that waits: a byte in a named pipe

    def _pipe(self, agent_id: AgentId) -> Path:
        name = quote(_box(agent_id), safe="")
        if len(name) > _LONGEST_NAME:
            import hashlib  # brings OpenSSL, which takes 0.6 MB in each agent's process

            name = hashlib.sha256(name.encode()).hexdigest()
        return self._wake_folder / name

    def _reader(self, agent_id: AgentId) -> int:
        descriptor = self._readers.get(agent_id)
        if descriptor is None:
            path = self._pipe(agent_id)
            with contextlib.suppress(FileExistsError):
                os.mkfifo(path, 0o600)
            # Also open for writing, so that it does not end when a sender closes it.
            descriptor = self._readers[agent_id] = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        return descriptor

    def _wake(self, agent_id: AgentId) -> None:
        descriptor = self._writers.get(agent_id)
        try:
            if descriptor is None:
                descriptor = self._writers[agent_id] = os.open(
                    self._pipe(agent_id), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
                )
            os.write(descriptor, b"!")
        except BlockingIOError:
            pass  # full: it is awake already
        except OSError:  # nobody waits there now
            self._writers.pop(agent_id, None)
            if descriptor is not None:
                os.close(descriptor)

    def _rouser(self, agent_id: AgentId) -> tuple[int, int]:
        """A pipe of this process alone, to be read and to be written to. The named one may wake another process."""
        found = self._rousers.get(agent_id)
        if found is None:
            found = self._rousers[agent_id] = os.pipe()
            for descriptor in found:
                os.set_blocking(descriptor, False)
        return found

    def _rouse(self, agent_id: AgentId) -> None:
        if os.getpid() == self._pid and agent_id in self._rousers:
            with contextlib.suppress(OSError):  # full, or closed
                os.write(self._rousers[agent_id][1], b"!")

    # Boxes

    def add(self, agent_id: AgentId) -> None:
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO boxes VALUES (?)", (_box(agent_id),))
        self._known = []

    def agents(self) -> list[AgentId]:
        if not self._known:
            self._known = self._read_agents()
        return list(self._known)

    def _read_agents(self) -> list[AgentId]:
        return [json.loads(name) for (name,) in self._db().execute("SELECT name FROM boxes ORDER BY rowid")]

    def _knows(self, agent_id: AgentId) -> bool:
        if agent_id not in self._known:
            self._known = self._read_agents()
        return agent_id in self._known

    # Messages

    def send(self, message: Message, timeout: float | None = None) -> None:
        text = message.to_json(self.max_message_bytes)
        if not self._knows(message.recipient):
            raise UnknownRecipientError(f"there is no agent {message.recipient!r}")
        deadline = deadline_of(timeout)
        pause = 0.005
        while not self._insert(message, text):
            left = remaining(deadline)
            if left == 0:
                raise MailboxFullError(f"the box of {message.recipient!r} holds {self.capacity} messages and is full")
            time.sleep(pause if left is None else min(pause, left))
            pause = min(pause * 2, 0.1)
        self._wake(message.recipient)

    def _insert(self, message: Message, text: str) -> bool:
        box = _box(message.recipient)
        with self._transaction() as db:
            if self.capacity is not None:
                (count,) = db.execute("SELECT count(*) FROM messages WHERE box = ? AND dead = 0", (box,)).fetchone()
                if count >= self.capacity:
                    return False
            self._put(db, message, text)
        return True

    @staticmethod
    def _put(db: sqlite3.Connection, message: Message, text: str) -> bool:
        if db.execute("SELECT 1 FROM done WHERE id = ?", (message.id,)).fetchone():
            return False
        row = (message.id, _box(message.recipient), message.kind, text)
        return db.execute("INSERT OR IGNORE INTO messages (id, box, kind, body) VALUES (?, ?, ?, ?)", row).rowcount > 0

    def receive(
        self, agent_id: AgentId, timeout: float | None = None, kinds: Sequence[str] | None = None
    ) -> Delivery | None:
        deadline = deadline_of(timeout)
        wakers = (self._reader(agent_id), self._rouser(agent_id)[0])
        poll = select.poll()
        for waker in wakers:
            poll.register(waker, select.POLLIN)
        awake = poll.poll(0)
        while True:
            for waker, _ in awake:
                with contextlib.suppress(BlockingIOError):
                    os.read(waker, 65_536)  # before the look: what comes after it wakes again
            if self._was_woken(agent_id):
                return None
            delivery, again = self._take(agent_id, kinds, bool(awake))
            if delivery is not None:
                return delivery
            left = remaining(deadline)
            if left == 0:
                return None
            wait = min(wait for wait in (left, again, _LONGEST_SLEEP) if wait is not None)
            awake = poll.poll(max(wait, 0.001) * 1000)
            if self._closed:
                raise MailboxesClosedError(f"the mailboxes {self.url} were closed")

    def _take(
        self, agent_id: AgentId, kinds: Sequence[str] | None, expected: bool
    ) -> tuple[Delivery | None, float | None]:
        """A delivery; or None and the seconds until the next lease runs out. If none is expected, it only looks first."""
        box, now = _box(agent_id), time.time()
        wanted = "" if kinds is None else f" AND kind IN ({', '.join('?' * len(kinds))})"
        where = f"box = ? AND dead = 0{wanted}"
        values = (box, *(kinds or ()))
        due = f"SELECT seq, body, attempts FROM messages WHERE {where} AND lease_until <= ? ORDER BY seq LIMIT 1"
        soonest = f"SELECT min(lease_until) FROM messages WHERE {where}"
        if not expected and self._db().execute(due, (*values, now)).fetchone() is None:  # without waiting for its turn
            (lease,) = self._db().execute(soonest, values).fetchone()
            return None, None if lease is None else max(lease - now, 0.001)
        with self._transaction() as db:
            while True:
                row = db.execute(due, (*values, now)).fetchone()
                if row is None:
                    (lease,) = db.execute(soonest, values).fetchone()
                    return None, None if lease is None else max(lease - now, 0.001)
                if row[2] < self.max_attempts:
                    break
                db.execute("UPDATE messages SET dead = 1 WHERE seq = ?", (row[0],))
            seq, body, attempts = row[0], row[1], row[2] + 1
            db.execute(
                "UPDATE messages SET attempts = ?, lease_until = ?, owner = ? WHERE seq = ?",
                (attempts, now + self.lease_seconds, self._owner, seq),
            )
        return Delivery(message=Message.from_json(body, agent_id, attempts), token=(seq, attempts)), None

    def acknowledge(self, delivery: Delivery) -> None:
        with self._transaction() as db:
            self._finish(db, delivery)

    @staticmethod
    def _finish(db: sqlite3.Connection, delivery: Delivery) -> None:
        db.execute("INSERT OR IGNORE INTO done VALUES (?, ?)", (delivery.message.id, time.time()))
        db.execute("DELETE FROM messages WHERE seq = ?", (delivery.token[0],))

    def complete(self, delivery: Delivery, answer: Message) -> None:
        text = answer.to_json(self.max_message_bytes)
        sent = False
        known = self._knows(answer.recipient)
        with self._transaction() as db:
            if known:
                sent = self._put(db, answer, text)
            self._finish(db, delivery)
        if sent:
            self._wake(answer.recipient)

    def release(self, delivery: Delivery) -> None:
        with self._transaction() as db:
            db.execute(
                "UPDATE messages SET lease_until = 0, owner = NULL WHERE seq = ? AND attempts = ?", delivery.token
            )
        self._wake(delivery.message.recipient)

    def extend(self, delivery: Delivery) -> bool:
        with self._transaction() as db:
            changed = db.execute(
                "UPDATE messages SET lease_until = ? WHERE seq = ? AND attempts = ?",
                (time.time() + self.lease_seconds, *delivery.token),
            ).rowcount
        return changed > 0

    def claim(self) -> bool:
        self._db()
        if fcntl is None:
            return True
        descriptor = os.open(self._wake_folder / "team", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._turns.append(descriptor)  # closed with the others, which ends the claim
        return True

    def recover(self, agent_id: AgentId) -> int:
        with self._transaction() as db:
            rows = db.execute(
                "SELECT DISTINCT owner FROM messages WHERE box = ? AND owner IS NOT NULL", (_box(agent_id),)
            ).fetchall()
            gone = [owner for (owner,) in rows if not is_alive(owner)]
            count = 0
            for owner in gone:
                count += db.execute(
                    "UPDATE messages SET lease_until = 0, owner = NULL WHERE box = ? AND owner = ?",
                    (_box(agent_id), owner),
                ).rowcount
        return count

    # Looking in from outside

    def status(self, agent_id: AgentId) -> BoxStatus:
        waiting, received, dead = (
            self._db()
            .execute(
                "SELECT coalesce(sum(dead = 0 AND lease_until <= ?1), 0), coalesce(sum(dead = 0 AND lease_until > ?1), 0), "
                "coalesce(sum(dead), 0) FROM messages WHERE box = ?2",
                (time.time(), _box(agent_id)),
            )
            .fetchone()
        )
        return BoxStatus(agent_id=agent_id, waiting=waiting, received=received, dead=dead)

    def peek(self, agent_id: AgentId | None = None, *, dead: bool = False) -> list[Message]:
        where, values = ("", ()) if agent_id is None else (" AND box = ?", (_box(agent_id),))
        rows = self._db().execute(
            f"SELECT body, box, attempts FROM messages WHERE dead = ?{where} ORDER BY seq", (int(dead), *values)
        )
        return [Message.shown(body, json.loads(box), attempts) for body, box, attempts in rows]

    def requeue(self, message_id: str) -> bool:
        with self._transaction() as db:
            row = db.execute(
                "UPDATE messages SET dead = 0, attempts = 0, lease_until = 0, owner = NULL "
                "WHERE id = ? AND dead = 1 RETURNING box",
                (message_id,),
            ).fetchone()
        if row is not None:
            self._wake(json.loads(row[0]))
        return row is not None

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if os.getpid() != self._pid:
            return
        for agent_id in list(self._rousers):
            self._rouse(agent_id)
        with self._guard:
            for db in self._connections:
                with contextlib.suppress(sqlite3.Error):
                    db.close()
            self._connections.clear()
        rousers = [descriptor for pair in self._rousers.values() for descriptor in pair]
        for descriptor in (*self._readers.values(), *self._writers.values(), *rousers, *self._turns):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._readers.clear()
        self._writers.clear()
        self._rousers.clear()
        self._turns.clear()


def _box(agent_id: AgentId) -> str:
    """An id as text that tells 1 from "1"."""
    return json.dumps(agent_id)


def _reopened(url: str, settings: dict[str, Any]) -> SqliteMailboxes:
    return SqliteMailboxes(url, **settings)
