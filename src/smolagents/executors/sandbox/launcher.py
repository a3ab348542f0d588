"""Fork servers, as the host sees them: started when needed, shared by all sessions, gone with the host."""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Protocol

from smolagents.executors.sandbox.errors import SandboxUnavailableError

__all__ = ["ForkServer", "Session", "server_for", "single_server"]

_BOOTSTRAP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap.py")
_MOST_SERVERS = 4
"""Fork servers with packages that are kept; of more, the one that was unused for longest is ended."""
_LARGEST_REQUEST = 150_000
"""Bytes; the kernel takes 200,000 at once where it is not set up otherwise."""
_END_SECONDS = 5.0
_STALL_SECONDS = 60.0
_EXPLAIN_SECONDS = 0.5
"""Seconds between the end of a lease and the end of the fork server, if that is the reason."""
_ONE_THREAD = ("OPENBLAS", "OMP", "MKL", "NUMEXPR", "BLIS", "VECLIB_MAXIMUM", "RAYON")
_IDLE_IMPORTS = (
    "datetime",
    "random",
    "statistics",
    "queue",
    "uuid",
    "pathlib",
    "traceback",
    "smolagents.executors.worker.values_time",
    "smolagents.executors.worker.coroutines",
    "asyncio",
)
"""Modules that code often needs and that take a while to import."""


def _environment() -> dict[str, str]:
    """All that a worker gets of this process's environment, and what keeps libraries from starting threads."""
    found = {"PATH": "", "LANG": "C.UTF-8", "MPLBACKEND": "Agg"}
    found.update((f"{name}_NUM_THREADS", "1") for name in _ONE_THREAD)
    for name in ("TZ", "LD_LIBRARY_PATH"):  # the latter for interpreters that do not start without it
        value = os.environ.get(name)
        if value is not None:
            found[name] = value
    return found


class Session(Protocol):
    """What has a worker of a fork server."""

    def close(self) -> None:
        """End the worker."""

    def forget(self) -> None:
        """In a process that was forked from the host: let go of what the host has."""


class ForkServer:
    """A process that makes workers.

    Args:
        path: Where modules are looked for besides the standard library.
        preload: Modules to import before the first worker is made.
        preload_idle: Modules to import while there is nothing else to do.
    """

    def __init__(self, path: Sequence[str], preload: Sequence[str] = (), preload_idle: Sequence[str] = ()) -> None:
        self.sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self.failure = ""
        """Why it can make no workers."""
        self.skipped: dict[str, str] = {}
        """Modules that could not be imported in advance, and why."""
        self._lock = threading.Lock()
        self._ready = not preload
        self._threaded = ""
        settings = {
            "host": os.getpid(),
            "path": list(path),
            "preload": list(preload),
            "preload_idle": list(preload_idle),
            "temporary": tempfile.gettempdir(),
        }
        command = [sys.executable, "-I", "-S"]
        if sys.dont_write_bytecode:
            command.append("-B")
        if sys.pycache_prefix:
            command += ["-X", f"pycache_prefix={sys.pycache_prefix}"]
        # All is opened here: `subprocess` of some versions forgets what it has opened when there are no descriptors left.
        with ExitStack() as ours, ExitStack() as theirs:
            try:
                self._control, control = map(
                    ours.enter_context, socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                )
                theirs.callback(control.close)
                errors, errors_end = os.pipe()
                self._errors = ours.enter_context(open(errors, "rb", buffering=0))
                theirs.callback(os.close, errors_end)
                null = theirs.enter_context(open(os.devnull, "r+b", buffering=0))
                self._process = subprocess.Popen(
                    [*command, _BOOTSTRAP, str(control.fileno()), json.dumps(settings)],
                    stdin=null,
                    stdout=null,
                    stderr=errors_end,
                    env=_environment(),
                    cwd="/",
                    pass_fds=[control.fileno()],
                    start_new_session=True,  # Ctrl-C in a terminal is for the host
                )
            except OSError as error:
                text = f"No process of {sys.executable!r} could be started: {error}."
                raise SandboxUnavailableError(text) from error
            ours.pop_all()
        self._control.settimeout(_STALL_SECONDS)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ready(self) -> bool:
        """Whether it has imported what it was to import."""
        with self._lock:
            if not self._ready and not self.failure:
                self._look()
            return self._ready and not self.failure

    def was_ready(self) -> bool:
        """Whether it once could make workers."""
        return self._ready

    def threaded(self) -> str:
        """The module that started threads when it was imported, which no worker can be made with; empty if none."""
        return self._threaded

    def _look(self) -> None:
        try:
            data = self._control.recv(2**16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended()
            return
        message = json.loads(data)
        if "threads" in message:
            self._threaded = message["threads"]
            self.failure = f"{self._threaded} started threads"
        else:
            self.skipped = message["skipped"]
            self._ready = True

    def request(self, message: dict[str, Any], fds: Sequence[int]) -> None:
        """Ask for a worker. What comes of it, the lease tells.

        Args:
            message: `policy` and `work_dir`.
            fds: Its ends of the pipe of requests, the pipe of replies, and the lease.

        Raises:
            ConnectionError: It has ended.
        """
        data = json.dumps(message).encode()
        if len(data) > _LARGEST_REQUEST:
            raise SandboxUnavailableError(
                f"The paths that the code may reach are too many: {len(data)} bytes of at most {_LARGEST_REQUEST}. "
                "Name directories that hold them."
            )
        with self._lock:
            if self.failure:
                raise ConnectionError(self.failure)
            try:
                socket.send_fds(self._control, [data], list(fds), socket.MSG_NOSIGNAL)
            except OSError as error:
                self._ended()
                raise ConnectionError(self.failure) from error

    def explain(self) -> str:
        """Why it ended; empty if it goes on."""
        with self._lock:
            if not self.failure:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_EXPLAIN_SECONDS)
                    self._ended()
            return self.failure

    def _ended(self) -> None:
        if self.failure:
            return
        try:
            status: int | None = self._process.wait(1)
        except subprocess.TimeoutExpired:
            status = None
        self.failure = f"the process that makes workers ended with status {status}"
        said = self._errors.read() if status is not None else b""
        if said:
            self.failure += ": " + said.decode("utf-8", "replace").strip().rpartition("\n")[2]

    def close(self, wait: bool = True) -> None:
        """End it, and all workers that it made."""
        with self._lock:
            self.failure = self.failure or "it was closed"
            self._control.close()
            self._errors.close()
        if not wait:
            _ending.append(self._process)
            return
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """In a process that was forked from the host: let go of it."""
        self.failure = "it belongs to another process"
        self._control.close()
        self._errors.close()
        self._process.returncode = 0
        self._lock = threading.Lock()


# The fork servers of this process

_Key = tuple[tuple[str, ...], tuple[str, ...]]

_servers: dict[_Key, ForkServer] = {}
_failed: dict[_Key, str] = {}
_threaded: set[str] = set()
_single: weakref.WeakSet[ForkServer] = weakref.WeakSet()
"""Those that are not shared."""
_ending: list[subprocess.Popen[bytes]] = []
_lock = threading.Lock()


def server_for(path: Iterable[str], preload: Iterable[str]) -> ForkServer:
    """The fork server to ask for a worker.

    It has imported `preload`, if there has been time for it; until then it is one that imported nothing.
    """
    place = tuple(path)
    with _lock:
        _reap()
        wanted = tuple(name for name in preload if name not in _threaded)
        if wanted:
            found = _prepared((place, wanted))
            if found is not None:
                return found
        key = (place, ())
        plain = _servers.get(key)
        if plain is not None and plain.failure:
            plain.close(wait=False)
            plain = None
        if plain is None:
            plain = ForkServer(place, preload_idle=_IDLE_IMPORTS)
        return _keep(key, plain)


def _prepared(key: _Key) -> ForkServer | None:
    if key in _failed:
        return None
    server = _servers.get(key)
    if server is not None and server.ready():
        return _keep(key, server)
    if server is not None and server.failure:
        del _servers[key]
        server.close(wait=False)
        if server.threaded():
            _threaded.add(server.threaded())
        elif not server.was_ready():
            _failed[key] = server.failure
    elif server is None:
        _keep(key, ForkServer(key[0], preload=key[1]))
    return None


def _keep(key: _Key, server: ForkServer) -> ForkServer:
    _servers.pop(key, None)
    _servers[key] = server
    if len(_servers) > _MOST_SERVERS:
        for other, unused in list(_servers.items()):
            if unused is not server and not unused.sessions:
                del _servers[other]
                unused.close(wait=False)
                break
    return server


def single_server(path: Iterable[str]) -> ForkServer:
    """A fork server for one worker. Whoever asked for it closes it."""
    with _lock:
        _reap()
        server = ForkServer(tuple(path))
        _single.add(server)
        return server


def _reap() -> None:
    _ending[:] = [process for process in _ending if process.poll() is None]


def _all_servers() -> list[ForkServer]:
    return [*_servers.values(), *_single]


@atexit.register
def _close_all() -> None:
    with _lock:
        servers = _all_servers()
        _servers.clear()
    for server in servers:
        for session in list(server.sessions):
            session.close()
        server.close()
    for process in _ending:
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _in_forked_process() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it
    _lock = threading.Lock()
    for server in _all_servers():
        for session in list(server.sessions):
            session.forget()
        server.forget()
    for process in _ending:
        process.returncode = 0
    _servers.clear()
    _single.clear()
    _ending.clear()


os.register_at_fork(after_in_child=_in_forked_process)
