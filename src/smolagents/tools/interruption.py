"""How a running tool learns that its run was interrupted.

The agent that runs a tool sets `current_interrupt`; a tool that works for long calls `check_interrupt()` now and
then, or waits with `interruptible_sleep` in place of `time.sleep`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from smolagents.types.errors import AgentInterruptedError

__all__ = [
    "InterruptToken",
    "check_interrupt",
    "current_interrupt",
    "interrupted",
    "interruptible_sleep",
    "on_interrupt",
]


class InterruptToken(Protocol):
    """What tells a tool to stop. A `threading.Event` is one."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


current_interrupt: ContextVar[InterruptToken | None] = ContextVar("current_interrupt", default=None)
"""The token of the run that this tool call belongs to; None outside a run."""


def interrupted() -> bool:
    """True once the run that this call belongs to was interrupted."""
    token = current_interrupt.get()
    return token is not None and token.is_set()


def check_interrupt() -> None:
    """Stop here if the run was interrupted.

    Raises:
        AgentInterruptedError: it was.
    """
    if interrupted():
        raise AgentInterruptedError("The run was interrupted while a tool was running.")


def interruptible_sleep(seconds: float) -> None:
    """Sleep for `seconds`, or until the run is interrupted.

    Raises:
        AgentInterruptedError: the run was interrupted before the time was over.
    """
    token = current_interrupt.get()
    if token is None:
        time.sleep(seconds)
    elif token.wait(seconds):
        check_interrupt()


@contextmanager
def on_interrupt(callback: Callable[[], object]) -> Iterator[None]:
    """Within the block, call `callback`, from another thread, once the run is interrupted, and again until it is left.

    For a tool that waits for what does not look at the interrupt itself: a subprocess, a connection, an executor.
    """
    token = current_interrupt.get()
    if token is None:
        yield
        return
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if token.wait(_POLL_SECONDS) and not over.is_set():
                callback()
                over.wait(_POLL_SECONDS)

    watcher = threading.Thread(target=watch, name="on-interrupt", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()


_POLL_SECONDS = 0.1
"""Seconds between two looks at the token, and by which a watcher may outlive its block."""
