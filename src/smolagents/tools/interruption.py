"""How a running tool learns that its run was interrupted.

The agent that runs a tool sets `current_interrupt`; a tool that works for long calls `check_interrupt()` now and
then, or waits with `interruptible_sleep` in place of `time.sleep`.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Protocol

from smolagents.types.errors import AgentInterruptedError

__all__ = ["InterruptToken", "check_interrupt", "current_interrupt", "interrupted", "interruptible_sleep"]


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
