"""Results of pure tools, kept by their arguments."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import threading
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NotYetError
from typing import Any

from smolagents.tools.interruption import check_interrupt
from smolagents.types.errors import AgentInterruptedError

__all__ = ["ResultsCache", "key_of"]

_POLL_SECONDS = 0.1
_PLAIN = (
    str,
    bytes,
    bool,
    int,
    float,
    complex,
    type(None),
    enum.Enum,
    dt.date,
    dt.time,
    dt.timedelta,
    decimal.Decimal,
    pathlib.PurePath,
    uuid.UUID,
)


class ResultsCache:
    """The last results of a tool, at most `size`. Calls with the same arguments at the same time share one piece of work.

    A result is copied when it is kept and when it is given out, so that nobody changes another's. What fails is not
    kept. Arguments that cannot be compared, such as images, are not kept either.

    Args:
        size: How many results are kept; the one that was not asked for the longest goes first.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._working: dict[Hashable, Future[None]] = {}

    def get(self, arguments: Mapping[str, Any], work: Callable[[], Any]) -> Any:
        """The result for these arguments; `work` makes it."""
        try:
            key = key_of(arguments)
        except TypeError:
            return work()
        while True:
            found, ours, future = self._look(key)
            if found:
                return copy.deepcopy(found[0])
            if ours:
                try:
                    result = work()
                except BaseException as error:
                    self._failed(key, future, error)
                    raise
                return self._keep(key, future, result)
            while True:
                try:
                    future.result(_POLL_SECONDS)
                    break
                except NotYetError:
                    if future.done():
                        raise
                    check_interrupt()
                except CancelledError:
                    break  # who worked on it was stopped, so we do it

    async def aget(self, arguments: Mapping[str, Any], work: Callable[[], Awaitable[Any]]) -> Any:
        """As `get`, for asynchronous work."""
        try:
            key = key_of(arguments)
        except TypeError:
            return await work()
        while True:
            found, ours, future = self._look(key)
            if found:
                return copy.deepcopy(found[0])
            if ours:
                try:
                    result = await work()
                except BaseException as error:
                    self._failed(key, future, error)
                    raise
                return self._keep(key, future, result)
            # Shielded: one who waits and is cancelled must not cancel what others wait for.
            waiting = asyncio.wrap_future(future)
            await asyncio.wait({waiting})
            if not waiting.cancelled():
                waiting.result()

    def _look(self, key: Hashable) -> tuple[list[Any], bool, Future[None]]:
        """The result if there is one; else whether it is ours to make, and what tells when it is made."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return [self._kept[key]], False, Future()
            future = self._working.get(key)
            if future is not None:
                return [], False, future
            future = self._working[key] = Future()
            return [], True, future

    def _keep(self, key: Hashable, future: Future[None], result: Any) -> Any:
        try:
            kept = copy.deepcopy(result)
        except Exception:  # what cannot be copied is not kept; those who wait make their own
            self._failed(key, future, AgentInterruptedError(""))
            return result
        with self._lock:
            self._working.pop(key, None)
            self._kept[key] = kept
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        if not future.done():
            future.set_result(None)
        return result

    def _failed(self, key: Hashable, future: Future[None], error: BaseException) -> None:
        with self._lock:
            self._working.pop(key, None)
        if isinstance(error, Exception) and not isinstance(error, AgentInterruptedError):
            if not future.done():
                future.set_exception(error)
        else:  # stopped rather than failed: those who wait try themselves
            future.cancel()


def key_of(value: Any) -> Hashable:
    """A value to compare arguments by: equal where both type and content are. 1, 1.0 and True are three.

    Raises:
        TypeError: something in it cannot be compared.
    """
    kind = type(value)
    if isinstance(value, _PLAIN):
        return (kind, repr(value) if isinstance(value, float) else value)
    if isinstance(value, Mapping):
        return (kind, frozenset((key_of(name), key_of(item)) for name, item in value.items()))
    if kind in (list, tuple):
        return (kind, tuple(map(key_of, value)))
    if kind in (set, frozenset):
        return (kind, frozenset(map(key_of, value)))
    if dataclasses.is_dataclass(value):
        return (kind, tuple(key_of(getattr(value, field.name)) for field in dataclasses.fields(value)))
    if hasattr(value, "model_dump"):
        return (kind, key_of(value.model_dump()))
    raise TypeError(f"{kind.__name__} cannot be compared")
