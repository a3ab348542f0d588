"""What runs in Pyodide beside the worker: it gives the interpreter what WebAssembly lacks.

Its source text is sent to the process, or is part of the memory snapshot that the process starts from. Nothing in
here protects anything: the boundary is the process and what Deno permits it.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import random
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from typing import Any

from _smolagents_worker.runtime import Worker  # type: ignore[import-not-found]

__all__ = ["Loop", "Session", "start"]

_INTERRUPTED = (
    '{"op":"failed","kind":"interrupted","type":"KeyboardInterrupt","message":"","text":"KeyboardInterrupt","out":""}'
)
_LONGEST_DOZE = 3600.0
"""Seconds of one wait; longer sleeps take several."""
_LONGEST_SLEEP = 2.0**33
_SITE_PACKAGES = next(path for path in sys.path if path.endswith("site-packages"))

# Imported now, they are part of the snapshot and cost the code nothing.
_COMMON = """
    array base64 bisect calendar collections.abc contextlib copy csv dataclasses datetime decimal difflib enum
    fractions functools glob hashlib heapq html importlib.metadata inspect itertools json math numbers operator
    pathlib pprint queue random re secrets shutil statistics string struct tempfile textwrap threading traceback
    typing unicodedata urllib.parse uuid xml.etree.ElementTree zoneinfo
"""
for _name in _COMMON.split():
    importlib.import_module(_name)


class Loop(asyncio.BaseEventLoop):
    """An event loop for coroutines, timers and futures: there are no sockets, processes and threads here to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = self

    def select(self, timeout: float | None) -> list[Any]:
        """Let time pass until the next timer."""
        if timeout is None:
            raise RuntimeError("the event loop waits for something that never happens: nothing is left that could run")
        if timeout > 0:
            time.sleep(timeout)
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Call `func` at once: there are no threads."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        pass


def _use_loop() -> None:
    """Make `asyncio` use `Loop`, in place of the loop of the browser that Pyodide brings."""
    events: Any = asyncio.events  # the names have an underscore since Python 3.14
    base = getattr(events, "_BaseDefaultEventLoopPolicy", None) or events.BaseDefaultEventLoopPolicy
    set_policy = getattr(events, "_set_event_loop_policy", None) or events.set_event_loop_policy
    set_policy(type("LoopPolicy", (base,), {"_loop_factory": Loop})())
    events._set_running_loop(None)


class Session:
    """What the process calls.

    Args:
        exchange: Sends a message to the host and returns its answer.
        take_printed: Gives what was printed past `sys.stdout` since the last call.
    """

    def __init__(self, exchange: Callable[[str], str], take_printed: Callable[[], str]) -> None:
        self._worker = Worker(exchange)
        take = self._worker.output.take
        self._worker.output.take = lambda: take() + take_printed()
        signal.signal(signal.SIGINT, self._interrupted)

    def _interrupted(self, number: int, frame: Any) -> None:
        self._worker.interrupt()

    def handle(self, message: str) -> str:
        """Answer a message of the host."""
        try:
            reply: str = self._worker.handle(message)
        except KeyboardInterrupt:  # it came after the code had ended
            reply = _INTERRUPTED
        return reply

    def install(self, data: Any) -> None:
        """Unpack a wheel where modules are imported from."""
        with zipfile.ZipFile(io.BytesIO(data.to_bytes())) as wheel:
            wheel.extractall(_SITE_PACKAGES)
        importlib.invalidate_caches()


def _sleep_with(doze: Callable[[float], Any]) -> Callable[[Any], None]:
    real_sleep = time.sleep  # does nothing else meanwhile, and cannot be interrupted

    def sleep(seconds: Any) -> None:
        if not 0 < seconds < _LONGEST_SLEEP:
            real_sleep(seconds)  # returns at once, or says what is wrong
            return
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            doze(min(left, _LONGEST_DOZE) * 1000)

    sleep.__doc__ = real_sleep.__doc__
    return sleep


def start(
    exchange: Callable[[str], str], doze: Callable[[float], Any], take_printed: Callable[[], str], network: bool
) -> Session:
    """Begin a session.

    Args:
        exchange: Sends a message to the host and returns its answer.
        doze: Sleeps that many milliseconds, or until there is an interruption.
        take_printed: Gives what was printed past `sys.stdout` since the last call.
        network: Whether there is one. Pyodide's event loop then stays, which waits for what JavaScript does.
    """
    random.seed()  # a snapshot would give every session the same numbers
    time.sleep = _sleep_with(doze)
    if not network:
        _use_loop()
    return Session(exchange, take_printed)
