"""Top-level `await`: a private event loop for each run."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from smolagents.executors.worker.coroutines import run_to_end

if TYPE_CHECKING:
    from .run import Run

__all__ = ["needs_thread", "run_coroutine", "run_in_thread"]

T = TypeVar("T")


def needs_thread() -> bool:
    """Whether this thread runs an event loop, so that another one must run in another thread."""
    events = sys.modules.get("asyncio")
    return events is not None and events._get_running_loop() is not None


def run_in_thread(function: Callable[[], T], stop: Callable[[], None]) -> T:
    """Call `function` in a thread of its own, with the context variables of this one, and wait for it.

    When the waiting is broken off, by a key of the user, `stop` is called and waited for.
    """
    context = contextvars.copy_context()
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append((True, context.run(function)))
        except BaseException as error:
            outcome.append((False, error))

    thread = threading.Thread(target=work, name="smolagents-run", daemon=True)
    thread.start()
    try:
        thread.join()
    except BaseException:
        stop()
        thread.join(5)
        raise
    good, value = outcome[0]
    if good:
        result: T = value
        return result
    raise value


def run_coroutine(coroutine: Coroutine[Any, Any, Any], run: Run) -> None:
    """Run `coroutine` to its end in an event loop of its own, and leave nothing of it behind."""
    import asyncio

    loop = asyncio.new_event_loop()
    run.loop = loop
    try:
        run_to_end(loop, coroutine)
    finally:
        run.loop = None
