"""Blocking model calls for async callers: each in a thread of its own, so a slow one delays no other."""

from __future__ import annotations

import contextvars
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Generic, TypeVar

__all__ = ["PerLoop", "in_thread", "iterate_in_thread"]

T = TypeVar("T")


async def in_thread(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Await a blocking call. Cancelling stops the wait; the call itself runs on to its end unheard."""
    import asyncio

    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        elif isinstance(error, StopIteration):
            future.set_exception(RuntimeError("the call raised StopIteration"))
        else:
            future.set_exception(error)

    def work() -> None:
        result, failure = None, None
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the loop may have been closed meanwhile
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=contextvars.copy_context().run, args=(work,), name="model-call", daemon=True).start()
    return await future


_END = object()
_STREAM_AHEAD = 64
"""Pieces that a stream may be ahead of its reader."""


async def iterate_in_thread(make_iterator: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
    """Iterate a blocking iterator without blocking the event loop.

    The iterator is made, advanced and closed in one thread. Closing this one, or cancelling the task that waits
    for it, closes the blocking one as soon as it has yielded what it is working on.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[Any, BaseException | None]] = asyncio.Queue()
    left = threading.Event()
    # A stream that is faster than its reader waits for it, so that the event loop has time for others.
    room = threading.Semaphore(_STREAM_AHEAD)

    def put(item: Any, error: BaseException | None = None) -> None:
        if not left.is_set():
            room.acquire()
        try:
            loop.call_soon_threadsafe(queue.put_nowait, (item, error))
        except RuntimeError:  # the loop is closed: nobody listens
            left.set()

    def work() -> None:
        try:
            iterator = make_iterator()
            try:
                for item in iterator:
                    put(item)
                    if left.is_set():
                        break
            finally:
                close = getattr(iterator, "close", None)
                if close is not None:
                    close()
        except BaseException as error:
            put(_END, error)
        else:
            put(_END)

    threading.Thread(target=contextvars.copy_context().run, args=(work,), name="model-stream", daemon=True).start()
    try:
        while True:
            item, error = await queue.get()
            room.release()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        left.set()
        room.release()


class PerLoop(Generic[T]):
    """One object for each event loop, such as a client whose connections belong to the loop they were made in.

    Args:
        make: Makes the object.
        close: Closes it. This is done when the loop shuts down its asynchronous generators, as `asyncio.run` does at
            its end.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[Any]]) -> None:
        self._make = make
        self._close = close
        self._held: weakref.WeakKeyDictionary[Any, tuple[T, AsyncGenerator[T, None]]] = weakref.WeakKeyDictionary()

    async def get(self) -> T:
        """The object of the running loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is None:
            holder = _holding(self._make(), self._close)
            held = self._held[loop] = (await holder.__anext__(), holder)
        return held[0]


async def _holding(value: T, close: Callable[[T], Awaitable[Any]]) -> AsyncGenerator[T, None]:
    try:
        yield value
    finally:
        await close(value)
