"""Guarded forms of library functions that may go on for ever, or make a result of any size."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import current, limits
from .registry import named, override

if TYPE_CHECKING:
    from .modules import ModuleTable

__all__ = ["counter_elements"]


# -- itertools: what never ends, or grows faster than its input, counts as operations ------------------------------


class _Counted(itertools.compress):  # type: ignore[type-arg]
    __guards__ = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


def _counted(real: Any) -> Any:
    def __new__(cls: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        return itertools.compress.__new__(cls, real(*args, **kwargs), current.ticks())

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        pass

    body = {"__new__": __new__, "__init__": __init__, "__module__": "itertools", "__doc__": real.__doc__}
    return type(real.__name__, (_Counted,), body)


@override(
    "itertools:cycle", "itertools:product", "itertools:permutations", "itertools:combinations",
    "itertools:combinations_with_replacement",
)  # fmt: skip
def _counted_iterator(table: ModuleTable, real: Any) -> Any:
    return _counted(real)


@override("itertools:count")
def _counted_count(table: ModuleTable, real: Any) -> Any:
    made = _counted(real)

    class count(made):  # type: ignore[misc, valid-type]  # noqa: N801
        __slots__ = ("__text",)

        def __init__(self, start: Any = 0, step: Any = 1) -> None:
            self.__text = (start, step)

        def __repr__(self) -> str:
            start, step = self.__text
            return f"count({start!r})" if step == 1 else f"count({start!r}, {step!r})"

    return count


@override("itertools:repeat")
def _counted_repeat(table: ModuleTable, real: Any) -> Any:
    made = _counted(real)

    class repeat(made):  # type: ignore[misc, valid-type]  # noqa: N801
        __slots__ = ("__text",)

        def __init__(self, object: Any, *times: Any, **keywords: Any) -> None:
            self.__text = (object, *times, *keywords.values())

        def __repr__(self) -> str:
            return f"repeat({', '.join(map(repr, self.__text))})"

    return repeat


def counter_elements(counter: Any) -> Callable[[], Any]:
    """`Counter.elements`, which may repeat an item any number of times."""
    return lambda: itertools.compress(type(counter).elements(counter), current.ticks())


# -- math -----------------------------------------------------------------------------------------------------------


@override("math:factorial")
def _factorial(table: ModuleTable, real: Any) -> Any:
    def factorial(x: Any, /) -> int:
        if isinstance(x, int) and x > 300_000:
            raise limits.limit(f"factorial({x}) would have millions of digits; the largest argument is 300000.")
        result: int = real(x)
        return result

    return named(factorial, real)


@override("math:comb", "math:perm")
def _choose(table: ModuleTable, real: Any) -> Any:
    def choose(n: Any, *rest: Any) -> int:
        k = rest[0] if rest else n
        large = isinstance(n, int) and isinstance(k, int) and min(k, n) * n.bit_length() > limits.MAX_INTEGER_BITS
        if large and not (real.__name__ == "comb" and 0 <= n - k < 10_000):
            raise limits.limit(f"{real.__name__}({n}, {k}) would have more than {limits.MAX_INTEGER_BITS} bits.")
        result: int = real(n, *rest)
        return result

    return named(choose, real)


# -- time and queues: waiting in pieces, so that a limit or an interruption can end it -------------------------------


@override("time:sleep")
def _sleep(table: ModuleTable, real: Any) -> Any:
    def sleep(seconds: Any, /) -> None:
        if not isinstance(seconds, (int, float)) or seconds < 0.05 or math.isnan(seconds):
            real(seconds)
            return
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            real(min(left, 0.05))

    return named(sleep, real)


@override("queue:Queue", "queue:LifoQueue", "queue:PriorityQueue", "_queue:SimpleQueue")
def _patient_queue(table: ModuleTable, real: Any) -> Any:
    import queue

    def wait(attempt: Callable[[float], Any], timeout: float | None, failure: type[Exception]) -> Any:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = 0.05 if end is None else min(0.05, max(end - time.monotonic(), 0))
            try:
                return attempt(left)
            except failure:
                if end is not None and time.monotonic() >= end:
                    raise

    def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
        if not block or (timeout is not None and timeout < 0.05):
            return real.get(self, block, timeout)
        return wait(lambda left: real.get(self, True, left), timeout, queue.Empty)

    def put(self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if not block or (timeout is not None and timeout < 0.05):
            real.put(self, item, block, timeout)
            return
        wait(lambda left: real.put(self, item, True, left), timeout, queue.Full)

    def join(self: Any) -> None:
        while self.unfinished_tasks:
            time.sleep(0.01)

    body: dict[str, Any] = {"get": get, "put": put, "__module__": "queue", "__doc__": real.__doc__}
    if hasattr(real, "join"):
        body["join"] = join
    return type(real.__name__, (real,), body)


@override("asyncio.runners:run")
def _asyncio_run(table: ModuleTable, real: Any) -> Any:
    def run(main: Any, **options: Any) -> Any:
        import asyncio

        active = current.run()
        if active is None:
            return real(main, **options)

        async def known() -> Any:
            outer, active.loop = active.loop, asyncio.get_running_loop()
            try:
                return await main
            finally:
                active.loop = outer

        return real(known(), **options)

    return named(run, real)
