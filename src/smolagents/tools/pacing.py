"""Keeping requests a distance apart."""

from __future__ import annotations

import threading
import time

from smolagents.tools.interruption import interruptible_sleep

__all__ = ["Pace"]


class Pace:
    """At most so many requests a second, over all threads.

    Args:
        per_second: Requests a second; None for no limit.

    Raises:
        ValueError: `per_second` is not positive.
    """

    def __init__(self, per_second: float | None) -> None:
        if per_second is not None and per_second <= 0:
            raise ValueError(f"rate_limit must be a positive number of requests a second, or None; not {per_second!r}")
        self._interval = 0.0 if per_second is None else 1.0 / per_second
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Wait for this request's turn."""
        if not self._interval:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now)
            self._next = turn + self._interval
        if turn > now:
            interruptible_sleep(turn - now)

    def __getstate__(self) -> float | None:
        return 1.0 / self._interval if self._interval else None

    def __setstate__(self, per_second: float | None) -> None:
        self.__init__(per_second)  # type: ignore[misc]
