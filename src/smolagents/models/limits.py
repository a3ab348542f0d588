"""How many calls are under way at once, over all threads and event loops that share a model."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

__all__ = ["ConcurrencyLimiter"]


class _Waiter:
    __slots__ = ("granted", "wake")

    def __init__(self, wake: Callable[[], Any]) -> None:
        self.wake = wake
        self.granted = False


class ConcurrencyLimiter:
    """Lets a number of callers in at once, the others in the order in which they came.

    Threads and tasks of any event loop wait in one queue, so neither kind starves the other. A caller that is
    cancelled while it waits leaves the queue; if its turn had just come, the next one gets it.

    Args:
        limit: Most callers at once; None for no limit.

    Raises:
        ValueError: the limit is not a positive whole number.
    """

    def __init__(self, limit: int | None = None) -> None:
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            raise ValueError(f"max_concurrency is {limit!r}; give a whole number of 1 or more, or None")
        self._limited = limit is not None
        self._free = limit or 0
        self._waiting: deque[_Waiter] = deque()
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the places; wait for one first, blocking this thread."""
        if not self._limited:
            yield
            return
        event = threading.Event()
        waiter = self._enter(event.set)
        if waiter is not None:
            try:
                event.wait()
            except BaseException:
                self._leave_queue(waiter)
                raise
        try:
            yield
        finally:
            self._release()

    @asynccontextmanager
    async def aturn(self) -> AsyncIterator[None]:
        """Hold one of the places; wait for one first, without blocking the event loop."""
        if not self._limited:
            yield
            return
        import asyncio

        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not future.done():
                future.set_result(None)

        waiter = self._enter(lambda: loop.call_soon_threadsafe(settle))
        if waiter is not None:
            try:
                await future
            except BaseException:
                self._leave_queue(waiter)
                raise
        try:
            yield
        finally:
            self._release()

    def _enter(self, wake: Callable[[], Any]) -> _Waiter | None:
        """Take a place, or a place in the queue."""
        with self._lock:
            if self._free and not self._waiting:
                self._free -= 1
                return None
            waiter = _Waiter(wake)
            self._waiting.append(waiter)
            return waiter

    def _release(self) -> None:
        with self._lock:
            while self._waiting:
                waiter = self._waiting.popleft()
                try:
                    waiter.wake()
                except RuntimeError:  # its event loop is closed: nobody waits
                    continue
                waiter.granted = True
                return
            self._free += 1

    def _leave_queue(self, waiter: _Waiter) -> None:
        with self._lock:
            granted = waiter.granted
            if not granted:
                try:
                    self._waiting.remove(waiter)
                except ValueError:
                    return
        if granted:
            self._release()
