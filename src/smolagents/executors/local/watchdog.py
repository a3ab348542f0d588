"""One thread that ends runs whose time is up, for all sessions of the process."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .run import Run

__all__ = ["raise_in", "unwatch", "watch"]

POLL_SECONDS = 0.02
"""How often running code is looked at: the precision of a time limit."""
IDLE_SECONDS = 2.0
"""How long the thread keeps looking after the last run before it sleeps until the next one."""

_log = logging.getLogger(__name__)


def raise_in(thread_id: int, exception: type[BaseException] | None) -> None:
    """Raise `exception` in a thread at its next instruction; None takes back one that is not raised yet."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread_id), ctypes.py_object(exception) if exception is not None else None
    )


class _Watchdog:
    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}
        self.wake = threading.Event()
        self.asleep = True
        self.thread: threading.Thread | None = None
        self.lock = threading.Lock()

    def add(self, run: Run) -> None:
        self.runs[id(run)] = run
        if self.asleep:
            with self.lock:
                if self.thread is None:
                    self.thread = threading.Thread(target=self._look, name="smolagents-watchdog", daemon=True)
                    self.thread.start()
                self.asleep = False
                self.wake.set()

    def remove(self, run: Run) -> None:
        self.runs.pop(id(run), None)

    def _look(self) -> None:
        idle_since = time.monotonic()
        while True:
            if self.runs:
                now = idle_since = time.monotonic()
                for run in list(self.runs.values()):
                    try:
                        run.look(now)
                    except Exception:
                        _log.exception("looking at running code failed")
            elif time.monotonic() - idle_since > IDLE_SECONDS:
                with self.lock:
                    self.wake.clear()
                    self.asleep = True
                if not self.runs:
                    self.wake.wait()
                idle_since = time.monotonic()
            time.sleep(POLL_SECONDS)


_watchdog = _Watchdog()


def watch(run: Run) -> None:
    """Look at `run` until `unwatch`."""
    _watchdog.add(run)


def unwatch(run: Run) -> None:
    """Look at `run` no more."""
    _watchdog.remove(run)


def _after_fork() -> None:
    global _watchdog  # noqa: PLW0603 - threads do not survive a fork
    _watchdog = _Watchdog()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
