"""The host's end of a session with a sandboxed worker."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote.connection import MAX_MESSAGE_BYTES, Connection
from smolagents.executors.sandbox.confine import OPT_OUTS
from smolagents.executors.sandbox.endings import cause_of
from smolagents.executors.sandbox.errors import SandboxUnavailableError
from smolagents.executors.sandbox.frames import HEADER
from smolagents.executors.sandbox.launcher import ForkServer

__all__ = ["SandboxConnection"]

START_SECONDS = 60.0
"""Seconds that a worker may take to start."""
STALL_SECONDS = 20.0
"""Seconds that a worker may leave a message unread."""
END_SECONDS = 5.0
"""Seconds to wait for a worker's end when a session is closed."""

_CHUNK = 2**16
_LARGE_CHUNK = 2**20
_MOST_PARTS = 1_000
_unpack = HEADER.unpack_from


class SandboxConnection(Connection):
    """Starts a worker, and carries messages to and from it.

    Args:
        server: Makes the worker.
        policy: Arguments of its `Policy`, without `work_dir`.
        work_dir: Its directory; None for one of its own that is removed at the end.
        path: Where the worker looks for modules, besides where the fork server looks.
        owns_server: Whether to close the fork server with this connection.

    Raises:
        SandboxUnavailableError: No worker could be started or confined. The text says why.
        ConnectionError: The fork server has ended; another may do.
    """

    def __init__(
        self,
        server: ForkServer,
        policy: Mapping[str, Any],
        work_dir: str | None,
        *,
        path: Sequence[str] = (),
        owns_server: bool = False,
    ) -> None:
        self.pid = 0
        self.work_dir = work_dir or ""
        """The directory of the code."""
        self.applied: tuple[str, ...] = ()
        """The protections that hold, as `confine` names them."""
        self._server = server
        self._owns_server = owns_server
        self._memory_mb, self._cpu_seconds = policy.get("memory_mb"), policy.get("cpu_seconds")
        self._ending: dict[str, Any] | None = None
        self._closed = False
        self._forgotten = False
        self._closing = threading.Lock()
        self._io = threading.Lock()
        """Held while the descriptors are in use."""
        self._signals = threading.Lock()
        """Held while the process id is in use."""
        self._interrupted = False
        self._parts: list[bytes | bytearray] = []
        self._missing = 4
        """Bytes that are missing of the message that is being read, or of its header."""
        try:
            (requests_theirs, self._requests), (self._replies, replies_theirs), (self._lease, lease_theirs) = (
                _channels()
            )
        except OSError:
            if owns_server:
                server.close()
            raise
        os.set_blocking(self._requests, False)
        self._poll = select.poll()
        self._poll.register(self._replies, select.POLLIN)
        self._poll.register(self._lease, select.POLLIN)
        server.sessions.add(self)
        owned = server if owns_server else None
        self._dropped = weakref.finalize(
            self, _release, self._requests, self._replies, self._lease, owned, os.getpid()
        )
        self._dropped.atexit = False  # the launcher closes all sessions then
        try:
            try:
                message = {"policy": dict(policy), "work_dir": work_dir, "path": list(path)}
                server.request(message, [requests_theirs, replies_theirs, lease_theirs.fileno()])
            finally:
                os.close(requests_theirs)
                os.close(replies_theirs)
                lease_theirs.close()
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._poll.unregister(self._replies)
        deadline = time.monotonic() + START_SECONDS
        if not self._poll.poll(START_SECONDS * 1000):
            raise SandboxUnavailableError(f"No worker was made within {START_SECONDS:.0f} seconds.")
        made = self._hear()
        if made is None:
            why = self._server.explain()
            raise ConnectionError(why or "the limit of open files is reached")
        if "error" in made:
            raise SandboxUnavailableError(f"No worker could be made. {made['error']}.")
        self.pid, self.work_dir = made["pid"], made["work_dir"]
        self._poll.register(self._replies, select.POLLIN)
        try:
            said = self.receive(deadline - time.monotonic())
        except WorkerLostError as error:
            raise SandboxUnavailableError(f"The worker ended at its start: {error.cause}.") from error
        if said is None:
            raise SandboxUnavailableError(f"The worker did not start within {START_SECONDS:.0f} seconds.")
        state = json.loads(said)
        if "problem" in state:
            hint = ""
            if state["protection"] in OPT_OUTS:
                hint = f" To go on without it, pass allow_missing=[{state['protection']!r}]."
            raise SandboxUnavailableError(f"The worker could not be confined. {state['problem']}.{hint}")
        self.applied = tuple(state["applied"])

    # Messages

    def send(self, message: str) -> None:
        data = message.encode()
        frame = HEADER.pack(len(data)) + data
        with self._io:
            self._check()
            self._interrupted = False
            try:
                written = os.write(self._requests, frame)
                if written < len(frame):
                    self._send_rest(memoryview(frame)[written:])
            except BlockingIOError:
                self._send_rest(memoryview(frame))
            except OSError:
                raise self._lost() from None

    def _send_rest(self, data: memoryview) -> None:
        poll = select.poll()
        poll.register(self._requests, select.POLLOUT)
        while data:
            if not poll.poll(STALL_SECONDS * 1000):
                raise WorkerLostError("it no longer took messages")
            try:
                data = data[os.write(self._requests, data) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self._lost() from None

    def receive(self, timeout: float | None) -> str | None:
        with self._io:
            self._check()
            wait = None if timeout is None else timeout * 1000
            deadline = None if timeout is None else time.monotonic() + timeout
            while True:
                missing = self._missing
                if missing <= 0:
                    message = self._take()
                    if message is not None:
                        return message
                    missing = self._missing
                events = self._poll.poll(wait)
                if not events:
                    return None
                for fd, _ in events:
                    if fd == self._replies:
                        break
                else:  # all that it said was read
                    raise self._lost()
                data = os.read(fd, _CHUNK if missing < _CHUNK else _LARGE_CHUNK)
                if not data:
                    raise self._lost()
                self._parts.append(data)
                if len(self._parts) > _MOST_PARTS:
                    self._join()
                self._missing = missing - len(data)
                if deadline is not None and self._missing > 0:
                    wait = max(deadline - time.monotonic(), 0) * 1000

    def _join(self) -> None:
        """Into one part what a worker said in drops, which would take many times its size."""
        first = self._parts[0]
        whole = first if type(first) is bytearray else bytearray(first)
        whole += b"".join(self._parts[1:])
        self._parts = [whole]

    def _take(self) -> str | None:
        """A message out of what was read; None when its rest is missing."""
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = [data]
        if len(data) < 4:
            self._missing = 4 - len(data)
            return None
        size = _unpack(data)[0] + 4
        if size > MAX_MESSAGE_BYTES:
            raise WorkerLostError(f"it said more than {MAX_MESSAGE_BYTES >> 20} MB at once")
        self._missing = size - len(data)
        if self._missing > 0:
            return None
        rest = data[size:]
        self._parts = [rest] if rest else []
        self._missing = 4 - len(rest)
        try:
            return str(data[4:size], "utf-8")
        except UnicodeDecodeError:
            raise WorkerLostError("it said something that is no message") from None

    # The end

    def interrupt(self) -> None:
        with self._signals:
            if not self._closed and self.pid:
                self._interrupted = True
                with suppress(OSError, ValueError):
                    # Where memory has run out to the last byte, CPython may try for ever to get some for an exception.
                    _, most = resource.prlimit(self.pid, resource.RLIMIT_DATA)
                    resource.prlimit(self.pid, resource.RLIMIT_DATA, (most, most))
                os.kill(self.pid, signal.SIGINT)

    def close(self) -> None:
        with self._closing:  # who comes second waits
            if self._closed:
                return
            with self._signals:
                self._closed = True
            with suppress(OSError):  # the fork server is gone
                self._lease.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + END_SECONDS
            while self._hear(deadline - time.monotonic()) is not None:
                pass
            # A thread that waits for a message was woken by the end of the worker.
            if self._io.acquire(timeout=END_SECONDS):
                self._io.release()
                self._let_go()
            self._server.sessions.discard(self)
            if self._owns_server:
                self._server.close()

    def forget(self) -> None:
        """In a process that was forked from the host: let go of what the host has."""
        self._closed = self._forgotten = True
        self._closing, self._io, self._signals = (threading.Lock() for _ in range(3))
        self._let_go()

    def _let_go(self) -> None:
        # Not by calling it: at the end of the program it would do nothing.
        found = self._dropped.detach()
        if found is not None:
            _, function, arguments, _ = found
            function(*arguments)

    def _hear(self, timeout: float | None = None) -> dict[str, Any] | None:
        """What the fork server says on the lease; None at its end, or after `timeout` seconds."""
        poll = select.poll()
        poll.register(self._lease, select.POLLIN)
        if timeout is not None and not poll.poll(max(timeout, 0) * 1000):
            return None
        try:
            data = self._lease.recv(2**16)
        except OSError:
            return None
        if not data:
            return None
        found: dict[str, Any] = json.loads(data)
        if "status" in found or "signal" in found:
            self._ending = found
        return found

    def _check(self) -> None:
        if self._closed:
            raise self._lost()

    def _lost(self) -> WorkerLostError:
        """Why there is no worker."""
        if self._forgotten:
            return WorkerLostError("it belongs to the process that this one was forked from")
        if self._closed:
            return WorkerLostError(
                "the code could not be interrupted, so it was killed" if self._interrupted else "it was closed"
            )
        if self._ending is None and self._hear(1) is None and self._ending is None:
            if self._closed:
                return self._lost()
            return WorkerLostError(self._server.explain() or "it closed its connection")
        assert self._ending is not None
        return WorkerLostError(cause_of(self._ending, self._memory_mb, self._cpu_seconds))


_Pipe = tuple[int, int]


def _channels() -> tuple[_Pipe, _Pipe, tuple[socket.socket, socket.socket]]:
    """Two pipes and the lease."""
    opened: list[_Pipe] = []
    try:
        for _ in range(2):
            opened.append(os.pipe())
        return opened[0], opened[1], socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError:
        for pipe in opened:
            for fd in pipe:
                os.close(fd)
        raise


def _release(requests: int, replies: int, lease: socket.socket, server: ForkServer | None, owner: int) -> None:
    lease.close()
    os.close(requests)
    os.close(replies)
    if server is not None and os.getpid() == owner:
        server.close(wait=False)
