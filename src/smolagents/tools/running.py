"""Doing a tool's work, be its `forward` a function, a coroutine or a generator of either kind."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Generator
from types import GeneratorType
from typing import TYPE_CHECKING, Any, cast

from smolagents.tools.interruption import check_interrupt
from smolagents.tools.progress import report_progress

if TYPE_CHECKING:
    from smolagents.tools.base import Tool

__all__ = ["is_asynchronous", "run_async", "run_sync"]


def is_asynchronous(function: Any) -> bool:
    """Whether a function is `async def`, a generator or not."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def run_sync(tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do a tool's work to its end in this thread, which for one that is asynchronous runs no event loop."""
    if tool.is_async:
        return tool._wait_for(lambda: run_async(tool, args, kwargs))
    output = tool._work(*args, **kwargs)
    # A generator that a plain function returns is its result; one that `forward` is tells of progress.
    if type(output) is GeneratorType and inspect.isgeneratorfunction(tool.forward):
        return _followed(tool.name, output)
    return output


async def run_async(tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do the work of an asynchronous tool to its end."""
    output: Any = tool._work(*args, **kwargs)
    if inspect.isasyncgen(output):
        return await _afollowed(tool.name, cast("AsyncGenerator[Any, None]", output))
    return await output


def _followed(name: str, steps: Generator[Any, None, Any]) -> Any:
    """What a generator returns; if that is nothing, the list of what it yielded."""
    yielded: list[Any] = []
    try:
        while True:
            try:
                value = next(steps)
            except StopIteration as stop:
                return yielded if stop.value is None else stop.value
            yielded.append(value)
            report_progress(name, value)
            check_interrupt()
    finally:
        steps.close()


async def _afollowed(name: str, steps: AsyncGenerator[Any, None]) -> Any:
    """The last that an asynchronous generator yields: it cannot return a value."""
    last: Any = None
    first = True
    try:
        async for value in steps:
            if not first:
                report_progress(name, last)
            first = False
            last = value
            check_interrupt()
    finally:
        await steps.aclose()
    return last
