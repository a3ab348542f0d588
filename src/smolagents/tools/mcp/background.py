"""An event loop in a thread of its own, to which any other thread can hand work."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from smolagents.tools.interruption import check_interrupt

__all__ = ["BackgroundLoop"]

T = TypeVar("T")

_POLL_SECONDS = 0.1
"""How soon a waiting call notices that its run was interrupted."""


class BackgroundLoop:
    """An event loop that runs in a daemon thread until it is closed.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._closed = False
        self._lock = threading.Lock()
        self._before_end: list[Callable[[], Coroutine[Any, Any, Any]]] = []
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            left = asyncio.all_tasks(self.loop)
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
        finally:
            self.loop.close()

    @property
    def is_running(self) -> bool:
        return not self._closed

    def is_current(self) -> bool:
        """Whether the calling thread is the one this loop runs in."""
        return threading.current_thread() is self._thread

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start work on the loop. Cancelling the future cancels it."""
        with self._lock:
            if not self._closed:
                return asyncio.run_coroutine_threadsafe(work, self.loop)
        work.close()
        raise RuntimeError("the event loop is closed")

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work on the loop and wait for it; when the waiting ends early, the work is cancelled.

        Raises:
            AgentInterruptedError: the run that waits was interrupted.
        """
        if self.is_current():
            work.close()
            raise RuntimeError("waiting here would stop the event loop that does the work; await it")
        future = self.submit(work)
        try:
            while True:
                done, _ = concurrent.futures.wait([future], timeout=_POLL_SECONDS)
                if done:
                    return future.result()
                check_interrupt()
        except BaseException:
            future.cancel()
            raise

    def before_end(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Have work done before the loop ends."""
        self._before_end.append(make)

    def close(self, patience: float = 10.0) -> None:
        """Do what is to be done before the end, stop the loop, and wait for its thread.

        Args:
            patience: Seconds to wait for either.
        """
        with self._lock:
            if self._closed:
                return
            futures = [asyncio.run_coroutine_threadsafe(make(), self.loop) for make in self._before_end]
            self._closed = True
        if self.is_current():
            self.loop.call_later(0, self.loop.stop)
            return
        concurrent.futures.wait(futures, timeout=patience)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(patience)
