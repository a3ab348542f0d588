"""Calling asynchronous code from synchronous code."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from smolagents.tools.interruption import check_interrupt, current_interrupt

if TYPE_CHECKING:
    import asyncio

__all__ = ["host_loop", "run_from_sync"]

T = TypeVar("T")

_INTERRUPT_POLL_SECONDS = 0.1
"""How soon a waiting call notices that its run was interrupted."""

host_loop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("host_loop", default=None)
"""The event loop, running in another thread, that an agent run belongs to; None where there is none."""


def run_from_sync(call: Callable[[], Coroutine[Any, Any, T]], what: str) -> T:
    """Run a coroutine to its end from a thread that runs no event loop.

    It runs on `host_loop` where that is set and running, so that it meets the connections that were opened there;
    else on a loop of its own.

    Args:
        call: Makes the coroutine.
        what: The name of what is called, for the error.

    Raises:
        RuntimeError: this thread runs an event loop, which waiting here would stop.
        AgentInterruptedError: the run was interrupted meanwhile; the coroutine is cancelled.
    """
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(
            f"Tool '{what}' is asynchronous and was called in a thread that runs an event loop. "
            f"Write 'await {what}.acall(...)' there."
        )
    loop = host_loop.get()
    if loop is None or not loop.is_running():
        return asyncio.run(_until_interrupted(call))
    future = asyncio.run_coroutine_threadsafe(_until_interrupted(call), loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def _until_interrupted(call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    import asyncio

    if current_interrupt.get() is None:
        return await call()
    task = asyncio.ensure_future(call())
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=_INTERRUPT_POLL_SECONDS)
            if not task.done():
                check_interrupt()
    except BaseException:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
    return task.result()
