"""The fork server: makes the workers of one host process, watches over them, and clears up after them.

The host starts it and holds the other end of its control socket. Each packet that comes there asks for a worker and
brings three descriptors: two pipes for the worker, and a *lease*. The fork server answers on the lease with the
worker's process id, and later with how it ended. The host gives a session up by closing its end of the lease, or
by ending, in whatever way: then the worker is killed, its directory removed, and the lease closed. Until then a worker
that has ended is not reaped, so that its process id means no other process.

The process has a single thread, or workers could not be made from it safely. It holds nothing worth stealing: a bare
environment, and no descriptors but these.
"""

from __future__ import annotations

import _socket  # `socket` takes 3 ms to import
import array
import errno
import gc
import json
import os
import select
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

from smolagents.executors.sandbox.confine import Policy, prepare
from smolagents.executors.sandbox.directories import Directories
from smolagents.executors.sandbox.removal import remove_tree
from smolagents.executors.sandbox.worker_main import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["serve"]

_LARGEST_REQUEST = 2**18
_FDS_SPACE = _socket.CMSG_SPACE(3 * 4)
_IDLE_MS = 100
"""Milliseconds without a request after which modules are imported in advance."""
_VALUES_OF = {
    "numpy": "smolagents.executors.worker.values_numpy",
    "pandas": "smolagents.executors.worker.values_pandas",
    "PIL": "smolagents.executors.worker.values_media",
}
"""Modules that carry the values of packages."""
_BLIND_MS = 20
"""Milliseconds between two looks at processes whose end the kernel cannot announce."""


class _Child:
    """A process to wait for."""

    def __init__(self, pid: int, ended: Callable[[], None]) -> None:
        self.pid = pid
        self.ended = ended
        self.pidfd = _pidfd_of(pid)


class _Session:
    """A worker and its lease."""

    def __init__(self, lease: Any, work_dir: str | None) -> None:
        self.lease = lease
        self.work_dir = work_dir
        """The directory to remove; None if it is to stay."""
        self.child: _Child | None = None
        self.given_up = False
        self.worker_ended = False

    def tell(self, **message: Any) -> None:
        with suppress(OSError):  # given up
            self.lease.send(json.dumps(message).encode(), _socket.MSG_DONTWAIT | _socket.MSG_NOSIGNAL)


def serve(control_fd: int, settings: str) -> Job | None:
    """Make workers until the host is gone.

    Args:
        control_fd: Descriptor of the control socket.
        settings: JSON: `host`, its process id; `path`, where modules are looked for besides the standard library;
            `preload`, modules to import before the first worker is made; `preload_idle`, modules to import when
            there is nothing else to do; `temporary`, where to make directories.

    Returns:
        In a worker: what it is to do. In the fork server: None, at the end.
    """
    return _Server(control_fd, json.loads(settings)).run()


class _Server:
    def __init__(self, control_fd: int, settings: dict[str, Any]) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)  # it ends when the host has ended, and not before
        _raise_descriptor_limit()
        self.pid = os.getpid()
        self.settings = settings
        self.control = _socket.socket(fileno=control_fd)
        self.directories = Directories(settings["temporary"])
        self.sessions: dict[int, _Session] = {}
        self.children: dict[int, _Child] = {}
        self.handlers: dict[int, Callable[[], Job | None]] = {}
        self.poll = select.poll()
        self.ending = False
        self.idle: list[str] = list(settings["preload_idle"])

    def run(self) -> Job | None:
        sys.path.extend(path for path in self.settings["path"] if path not in sys.path)
        gc.disable()
        self._preload()
        _silence()
        self._watch(self.control.fileno(), self._control)
        self._watch_host()
        gc.collect()
        gc.freeze()
        while not self.ending or self.children:
            blind = any(child.pidfd is None for child in self.children.values())
            events = self.poll.poll(_BLIND_MS if blind else _IDLE_MS if self.idle and self.sessions else None)
            for fd, _ in events:
                handler = self.handlers.get(fd)
                job = handler() if handler is not None else None
                if job is not None:
                    return job
            if blind:
                for child in list(self.children.values()):
                    if child.pidfd is None:
                        child.ended()
            elif not events and self.idle:
                _import(self.idle.pop(0))
                gc.freeze()
        self.directories.close()
        return None

    def _preload(self) -> None:
        names = self.settings["preload"]
        if not names:
            return
        skipped = {}
        for name in [*names, *(_VALUES_OF[name] for name in names if name in _VALUES_OF)]:
            problem = _import(name)
            if problem:
                skipped[name] = problem
            if _threads() > 1:
                self.control.send(json.dumps({"threads": name}).encode())
                os._exit(0)  # the host starts another without it
        self.control.send(json.dumps({"ready": True, "skipped": skipped}).encode())

    # What may happen

    def _watch(self, fd: int, handler: Callable[[], Any]) -> None:
        self.handlers[fd] = handler
        self.poll.register(fd, select.POLLIN)

    def _forget(self, fd: int) -> None:
        del self.handlers[fd]
        self.poll.unregister(fd)

    def _watch_host(self) -> None:
        """The end of the host shows on the control socket, unless a process that the host forked still holds it."""
        host = self.settings["host"]
        pidfd = _pidfd_of(host)
        if os.getppid() != host:
            self._end()
        elif pidfd is not None:
            self._watch(pidfd, self._end)

    def _watch_child(self, child: _Child) -> None:
        self.children[child.pid] = child
        if child.pidfd is not None:
            self._watch(child.pidfd, child.ended)

    def _forget_child(self, child: _Child) -> None:
        """Reap a process that has ended."""
        if child.pidfd is not None:
            if child.pidfd in self.handlers:
                self._forget(child.pidfd)
            os.close(child.pidfd)
        del self.children[child.pid]
        os.waitpid(child.pid, 0)

    def _end(self) -> None:
        """The host is gone."""
        self.ending = True
        for fd in [fd for fd in self.handlers if fd not in {child.pidfd for child in self.children.values()}]:
            self._forget(fd)
        for session in list(self.sessions.values()):
            self._give_up(session)

    def _control(self) -> Job | None:
        try:
            data, ancillary, _, _ = self.control.recvmsg(_LARGEST_REQUEST, _FDS_SPACE, _socket.MSG_CMSG_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return None
            data, ancillary = b"", []
        fds = array.array("i")
        for level, kind, content in ancillary:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        if not data:
            self._end()
            return None
        if len(fds) != 3:  # not all could be received: the limit of open files. The host sees that the lease ends.
            for fd in fds:
                os.close(fd)
            return None
        job = self._make_worker(json.loads(data), fds[0], fds[1], _socket.socket(fileno=fds[2]))
        if job is None:
            os.close(fds[0])
            os.close(fds[1])
        return job

    def _make_worker(self, request: dict[str, Any], requests: int, replies: int, lease: Any) -> Job | None:
        session = _Session(lease, None)
        try:
            if request["work_dir"] is None:
                request["work_dir"] = session.work_dir = self._make_directory()
            prepare(Policy(**request["policy"], work_dir=request["work_dir"]))
            pid = os.fork()
        except Exception as error:
            if session.work_dir is not None:
                remove_tree(session.work_dir)
            session.tell(error=str(error))
            lease.close()
            return None
        if not pid:
            return Job(requests, replies, request, self.pid)
        session.child = _Child(pid, lambda: self._worker_ended(session))
        self.sessions[pid] = session
        session.tell(pid=pid, work_dir=request["work_dir"])
        self._watch(lease.fileno(), lambda: self._lease_readable(session))
        self._watch_child(session.child)
        return None

    def _make_directory(self) -> str:
        if not self.directories.base:
            abandoned = self.directories.abandoned()
            if abandoned:
                self._remove(abandoned, lambda: None)
        return self.directories.make()

    # The end of a session: its worker has ended, and the host has given it up, whichever comes first

    def _worker_ended(self, session: _Session) -> None:
        child = session.child
        assert child is not None
        ending = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ending is None or session.worker_ended:
            return
        session.worker_ended = True
        if child.pidfd is not None:
            self._forget(child.pidfd)
        if ending.si_code == os.CLD_EXITED:
            session.tell(status=ending.si_status)
        else:
            session.tell(signal=ending.si_status, cpu_seconds=_cpu_seconds(child.pid))
        if session.given_up:
            self._clear(session)

    def _lease_readable(self, session: _Session) -> None:
        try:
            if session.lease.recv(1):
                return
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return
        self._forget(session.lease.fileno())
        self._give_up(session)

    def _give_up(self, session: _Session) -> None:
        if session.given_up:
            return
        session.given_up = True
        assert session.child is not None
        if session.worker_ended:
            self._clear(session)
        else:
            os.kill(session.child.pid, signal.SIGKILL)

    def _clear(self, session: _Session) -> None:
        assert session.child is not None
        del self.sessions[session.child.pid]
        self._forget_child(session.child)
        if session.work_dir is None:
            session.lease.close()
            return
        try:
            os.rmdir(session.work_dir)
        except OSError:
            self._remove([session.work_dir], session.lease.close)
        else:
            session.lease.close()

    def _remove(self, paths: list[str], done: Callable[[], None]) -> None:
        """Remove directories in a process of its own: they may be large, and others wait for their workers."""
        try:
            pid = os.fork()
        except OSError:
            pid = -1
        if pid <= 0:
            try:
                for path in paths:
                    remove_tree(path)
            finally:
                if not pid:
                    os._exit(0)
            done()
            return

        def ended() -> None:
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                self._forget_child(child)
                done()

        child = _Child(pid, ended)
        self._watch_child(child)


def _import(name: str) -> str:
    """Import a module; returns why it could not be."""
    try:
        import_module(name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _silence() -> None:
    """What goes wrong before this is for the host to read; afterwards nobody reads it."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def _raise_descriptor_limit() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # fewer sessions at a time
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return 1


def _pidfd_of(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return None


def _cpu_seconds(pid: int) -> float:
    """CPU time of a process that has ended and was not reaped."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
