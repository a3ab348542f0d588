"""`timeout`, `retries` and `cache` of a tool: what stands between a call and its `forward`."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from smolagents.tools.errors import ToolDefinitionError, ToolTimeoutError
from smolagents.tools.interruption import InterruptToken, check_interrupt, current_interrupt, interruptible_sleep
from smolagents.tools.results_cache import ResultsCache
from smolagents.tools.running import run_async, run_sync
from smolagents.types.errors import AgentInterruptedError

if TYPE_CHECKING:
    from smolagents.tools.base import Tool

__all__ = ["CallLimits"]

_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 10.0
_POLL_SECONDS = 0.1
_DEFAULT_CACHE_SIZE = 128


class CallLimits:
    """How a tool is called.

    Args:
        timeout: Seconds that one attempt may take; None for any time.
        retries: How often a call that failed is made again, after a pause that starts at 0.2 seconds and doubles up
            to 10.
        cache: How many results are kept; True for 128.

    Raises:
        ToolDefinitionError: one of them is no such value.
    """

    def __init__(self, timeout: float | None = None, retries: int = 0, cache: bool | int = False) -> None:
        if timeout is not None and (
            isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or timeout <= 0
        ):
            raise ToolDefinitionError(f"timeout must be a number of seconds above 0, or None, not {timeout!r}")
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise ToolDefinitionError(f"retries must be a whole number from 0 on, not {retries!r}")
        if not isinstance(cache, int) or cache < 0:
            raise ToolDefinitionError(f"cache must be True, False, or how many results to keep, not {cache!r}")
        self.timeout = timeout
        self.retries = retries
        self.cache = cache
        size = _DEFAULT_CACHE_SIZE if cache is True else int(cache)
        self._results = ResultsCache(size) if size else None

    def __reduce__(self) -> Any:
        """A copy has the same limits, and results of its own."""
        return CallLimits, (self.timeout, self.retries, self.cache)

    def call(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the tool from this thread, which for one that is asynchronous runs no event loop."""

        def work() -> Any:
            if tool.is_async:
                return tool._wait_for(lambda: self._aattempts(tool, args, kwargs))
            return self._attempts(tool, lambda: run_sync(tool, args, kwargs))

        return work() if self._results is None else self._results.get(_by_name(tool, args, kwargs), work)

    async def acall(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call an asynchronous tool."""

        async def work() -> Any:
            return await self._aattempts(tool, args, kwargs)

        return await work() if self._results is None else await self._results.aget(_by_name(tool, args, kwargs), work)

    def around(self, tool: Tool, call: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call what a tool has in place of `Tool.__call__`."""

        def work() -> Any:
            return self._attempts(tool, lambda: call(tool, *args, **kwargs))

        if self._results is None:
            return work()
        key = _by_name(tool, args, kwargs)
        if not key.get("sanitize_inputs_outputs"):  # said or not, results are the same
            key.pop("sanitize_inputs_outputs", None)
        return self._results.get(key, work)

    def _attempts(self, tool: Tool, work: Callable[[], Any]) -> Any:
        for attempt in range(self.retries + 1):
            try:
                return work() if self.timeout is None else _in_time(tool, self.timeout, work)
            except AgentInterruptedError:
                raise
            except Exception as error:
                # With a call that goes on in its thread, another attempt would make two of it.
                if attempt == self.retries or getattr(error, "still_running", False):
                    raise
            interruptible_sleep(_delay(attempt))
        raise AssertionError("unreachable")

    async def _aattempts(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        import asyncio

        for attempt in range(self.retries + 1):
            try:
                return await self._within_time(tool, args, kwargs)
            except AgentInterruptedError:
                raise
            except Exception:
                if attempt == self.retries:
                    raise
            await asyncio.sleep(_delay(attempt))
        raise AssertionError("unreachable")

    async def _within_time(self, tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.timeout is None:
            return await run_async(tool, args, kwargs)
        import asyncio

        task = asyncio.ensure_future(run_async(tool, args, kwargs))
        try:
            await asyncio.wait({task}, timeout=self.timeout)
            if task.done():
                return task.result()
        except BaseException:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise ToolTimeoutError(f"{_too_long(tool, self.timeout)} It was stopped.")


def _too_long(tool: Tool, timeout: float) -> str:
    return f"The tool '{tool.name}' took longer than its limit of {timeout:g} seconds."


def _delay(attempt: int) -> float:
    return min(_FIRST_DELAY_SECONDS * 2.0**attempt, _LONGEST_DELAY_SECONDS)


def _by_name(tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**dict(zip(tool.inputs, args, strict=False)), **kwargs}


class _StopToken:
    """Tells a call to stop when its run was interrupted, or when nobody waits for it any more."""

    def __init__(self, run: InterruptToken | None) -> None:
        self._run = run
        self.over = threading.Event()

    def is_set(self) -> bool:
        return self.over.is_set() or (self._run is not None and self._run.is_set())

    def wait(self, timeout: float | None = None) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _POLL_SECONDS if end is None else min(end - time.monotonic(), _POLL_SECONDS)
            if left <= 0:
                return False
            self.over.wait(left)
        return True


def _in_time(tool: Tool, timeout: float, work: Callable[[], Any]) -> Any:
    """Run `work` in a thread, and leave it to itself when the time is over: a thread cannot be stopped from outside."""
    token = _StopToken(current_interrupt.get())
    done = threading.Event()
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        current_interrupt.set(token)
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)
        finally:
            done.set()

    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(run,), name=f"smolagents-{tool.name}", daemon=True
    )
    end = time.monotonic() + timeout
    thread.start()
    try:
        while not done.wait(max(0.0, min(_POLL_SECONDS, end - time.monotonic()))):
            check_interrupt()
            if time.monotonic() >= end:
                error = ToolTimeoutError(
                    f"{_too_long(tool, timeout)} It was asked to stop and its result will not be used, but what it has "
                    "begun may still go on."
                )
                error.still_running = True
                raise error
    finally:
        token.over.set()
    if failure:
        raise failure[0]
    return outcome[0]
