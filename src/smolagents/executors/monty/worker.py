"""The process of Monty that serves one session: starting it, waiting for it, ending it."""

from __future__ import annotations

import atexit
import os
import queue
import signal
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pydantic_monty

__all__ = ["Overdue", "Worker", "find_binary"]

T = TypeVar("T")

_left_alone: list[Any] = []
"""What a forked process has of its parent's: to drop it would disturb the parent."""


class Overdue(Exception):
    """The worker did not answer in time, and was killed."""


def find_binary() -> str:
    """Path of the program that runs the code.

    Raises:
        FileNotFoundError: it is not installed.
    """
    from pydantic_monty._binary import find_monty_binary

    return find_monty_binary()


class _Pool:
    """Starts the processes. There is one in a process; it cannot be used on the other side of a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: pydantic_monty.Monty | None = None
        self._owner = 0

    def get(self) -> pydantic_monty.Monty:
        with self._lock:
            if self._pool is None:
                # One process per session: none of them sees what another one left behind.
                self._pool = pydantic_monty.Monty(min_processes=0, max_processes=100_000, max_checkouts_per_worker=1)
                self._pool.__enter__()
                self._owner = os.getpid()
                atexit.register(self._close)
            elif self._owner != os.getpid():
                raise RuntimeError(
                    "Monty was used by the process that this one was forked from, and cannot be used on this side of "
                    "the fork: start processes with the method 'spawn' or 'forkserver' of multiprocessing."
                )
            return self._pool

    def _close(self) -> None:
        if self._pool is not None and self._owner == os.getpid():
            with suppress(Exception):
                self._pool.__exit__(None, None, None)


_pool = _Pool()


def _local_zone() -> pydantic_monty.TimeZone:
    """The zone of this machine, so that the code tells the time as its user does."""
    now = datetime.now().astimezone()
    return {"offset_seconds": int((now.utcoffset() or timedelta()).total_seconds()), "name": now.tzname() or "local"}


class Worker:
    """A process that runs code for one session.

    A thread waits for it, so that the thread that runs the code can be interrupted and can stop waiting.

    Args:
        limits: Limits that the process keeps itself.
    """

    def __init__(self, limits: pydantic_monty.ResourceLimits) -> None:
        self.session = _pool.get().checkout(
            limits=limits,
            os_policy={"sleep": "call_host", "timezone": _local_zone()},
            assert_message_annotations=False,
        )
        self.session.__enter__()
        self._process = _Process(self.session.worker_pid)
        self._jobs: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
        threading.Thread(
            target=_serve, args=(self._jobs, self._outcomes, self.session), name="smolagents-monty", daemon=True
        ).start()
        self._end = weakref.finalize(self, _end, self._process, self._jobs)

    @property
    def usable(self) -> bool:
        return not self._process.killed and self._process.owner == os.getpid()

    def call(self, job: Callable[[], T], timeout: float | None = None) -> T:
        """Call `job`, which waits for the process, and wait for it.

        Raises:
            Overdue: it took longer than `timeout` seconds. The process is killed then, and also when the waiting is
                broken off.
        """
        self._jobs.put(job)
        try:
            good, outcome = self._outcomes.get(timeout=timeout)
        except queue.Empty:
            self.kill()
            raise Overdue from None
        except BaseException:
            self.kill()
            raise
        if good:
            value: T = outcome
            return value
        raise outcome

    def kill(self) -> None:
        """End the process at once, from any thread; what waits for it fails."""
        self._process.kill()

    def close(self) -> None:
        """End the process and free what belongs to it."""
        if self._process.owner != os.getpid():
            _left_alone.append(self)
        else:
            self._end()


def _serve(
    jobs: queue.SimpleQueue[Callable[[], Any] | None],
    outcomes: queue.SimpleQueue[tuple[bool, Any]],
    session: pydantic_monty.MontySession,
) -> None:
    while (job := jobs.get()) is not None:
        try:
            outcome = True, job()
        except BaseException as error:
            outcome = False, error
        outcomes.put(outcome)
        del job, outcome
    with suppress(Exception):
        session.__exit__(None, None, None)


def _end(process: _Process, jobs: queue.SimpleQueue[Callable[[], Any] | None]) -> None:
    if process.owner == os.getpid():
        process.kill()
        process.forget()
        jobs.put(None)


class _Process:
    """The process of a worker, to be killed. Where the system has it, by a handle that means no other process."""

    def __init__(self, pid: int | None) -> None:
        self.pid = pid
        self.owner = os.getpid()
        self.killed = False
        self._lock = threading.Lock()
        self._handle: int | None = None
        if pid is not None and hasattr(os, "pidfd_open"):
            with suppress(OSError):
                self._handle = os.pidfd_open(pid)

    def kill(self) -> None:
        with self._lock:
            if self.killed or self.pid is None or self.owner != os.getpid():
                self.killed = True
                return
            self.killed = True
            with suppress(OSError):
                if self._handle is not None:
                    signal.pidfd_send_signal(self._handle, signal.SIGKILL)
                else:
                    os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def forget(self) -> None:
        with self._lock:
            handle, self._handle = self._handle, None
            if handle is not None:
                os.close(handle)
