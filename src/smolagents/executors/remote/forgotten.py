"""Ending what runs elsewhere and costs money, when its executor was not cleaned up."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable
from functools import partial

__all__ = ["Ending"]


class Ending:
    """Calls `end` once: when asked to, when `owner` is garbage, or when this process ends.

    Args:
        owner: The executor that has to call this object; `end` must not refer to it.
        end: Ends the remote thing. Must not raise.
    """

    def __init__(self, owner: object, end: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[], None] | None = end
        atexit.register(self)
        self._finalizer = weakref.finalize(owner, partial(_in_a_thread, self))
        self._finalizer.atexit = False

    def __call__(self) -> None:
        with self._lock:
            end, self._end = self._end, None
        if end is not None:
            self._finalizer.detach()
            atexit.unregister(self)
            end()


def _in_a_thread(ending: Ending) -> None:
    """The garbage collector may run in a thread that holds what `end` waits for."""
    threading.Thread(target=ending, name="smolagents-ending", daemon=True).start()
