"""One run of code: its clock, its count of operations, and what ends it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count, repeat
from typing import TYPE_CHECKING, Any

from smolagents.executors.errors import (
    ControlSignal,
    ExecutionInterruptedError,
    ExecutionLimitError,
    ExecutionTimeoutError,
    FinalAnswerException,
    LimitSignal,
    StopSignal,
    interrupted_text,
    timeout_text,
)

from . import watchdog

if TYPE_CHECKING:
    from .executor import LocalPythonExecutor

__all__ = ["DEFAULT_MAX_OPERATIONS", "MAX_EXECUTION_TIME_SECONDS", "Run"]

MAX_EXECUTION_TIME_SECONDS = 30
"""Seconds that a piece of code may run by default."""
DEFAULT_MAX_OPERATIONS = 200_000_000
"""Turns of loops and calls of functions that a piece of code may make by default: some 10 s of plain Python."""

SLICE = 1000
"""Operations between two looks at the limits."""
_REPEAT_SECONDS = 0.2
_STUCK_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Run:
    """One run of code in a session, on one thread.

    Args:
        session: The executor that runs it.
        timeout: Seconds it may take, time in tools not counted; None for no limit.
        operations: Operations it may make; None for no limit.
    """

    __slots__ = (
        "__weakref__",
        "_fired_at",
        "_lock",
        "_remaining",
        "_stuck",
        "deadline",
        "evaluate",
        "finished",
        "fired",
        "in_tools",
        "left",
        "loop",
        "operations",
        "pending",
        "session",
        "started",
        "thread",
        "ticks",
        "timeout",
    )  # fmt: skip

    def __init__(self, session: LocalPythonExecutor, timeout: float | None, operations: int | None) -> None:
        self.session = session
        self.timeout = timeout
        self.operations = operations
        self.left = operations if operations is not None else 1 << 62
        self.thread = threading.get_ident()
        self.pending: ControlSignal | None = None
        self.finished = False
        self.fired = False
        self.in_tools = 0
        self.loop: Any = None
        self.evaluate: Callable[[str], Any] = session.evaluate
        self._lock = threading.Lock()
        self._fired_at = 0.0
        self._remaining: float | None = None
        self._stuck = False
        self.started = time.monotonic()
        self.deadline = None if timeout is None else self.started + timeout
        self.ticks = self.new_ticks()

    # -- operations ------------------------------------------------------------------------------------------

    def new_ticks(self) -> Iterator[Any]:
        """An iterator that gives True once per operation, and raises when a limit is reached."""
        return chain.from_iterable(map(self._refill, count()))

    def _refill(self, _: int) -> Iterator[bool]:
        try:
            return self._next_slice()
        except BaseException:
            self.session.renew_ticks(self)  # an iterator that has raised is spent
            raise

    def _next_slice(self) -> Iterator[bool]:
        if self.pending is not None and not self.finished:
            raise self.pending
        left = self.left
        if self.finished:
            self._refuse_afterwards(left)
        elif left <= 0:
            self.end(
                LimitSignal(
                    ExecutionLimitError(
                        f"The code made more than {self.operations} operations (turns of loops, calls of functions). "
                        "Use a faster method, or raise the limit with max_operations."
                    )
                )
            )
        elif self.deadline is not None and not self.in_tools and time.monotonic() > self.deadline:
            self.end(self._timeout())
        turns = SLICE if left > SLICE else left
        self.left = left - turns
        return repeat(True, turns)

    def _refuse_afterwards(self, left: int) -> None:
        """The host calls what the code left behind: an error the host can catch, in place of a signal."""
        if isinstance(self.pending, LimitSignal):
            raise type(self.pending.error)(str(self.pending.error))
        if left <= 0:
            raise ExecutionLimitError(f"Code called after its run made more than {self.operations} operations in all.")

    # -- ending ----------------------------------------------------------------------------------------------

    def end(self, signal: ControlSignal) -> None:
        """End the run with `signal`: raised now, and again wherever the code could have lost it."""
        raise self.note(signal)

    def note(self, signal: ControlSignal) -> ControlSignal:
        """Keep `signal` as what ends the run, and have the next operation raise it if this time it is lost."""
        if self.pending is None and not self.finished:
            self.pending = signal
            self.session.renew_ticks(self)
        return self.pending or signal

    def settle(self) -> None:
        """Raise what ends the run, if something does."""
        if self.pending is not None and not self.finished:
            raise self.pending

    def answer(self, value: Any) -> None:
        """End the run with a final answer."""
        self.end(FinalAnswerException(value))

    def _timeout(self) -> LimitSignal:
        return LimitSignal(ExecutionTimeoutError(timeout_text(self.timeout)))

    def interrupt(self) -> None:
        """Stop the run from another thread."""
        self._stop(LimitSignal(ExecutionInterruptedError(interrupted_text())))

    def look(self, now: float) -> None:
        """Called now and then by the watchdog: end the run if its time is up, and insist if it goes on."""
        if self.deadline is None and self.pending is None:
            return
        if self.pending is None:
            if self.deadline is not None and now > self.deadline and not self.in_tools:
                self._stop(self._timeout())
        elif self.fired and now - self._fired_at > _REPEAT_SECONDS:
            self._stop(self.pending)

    def _stop(self, signal: ControlSignal) -> None:
        with self._lock:
            if self.finished:
                return
            if self.pending is None:
                self.pending = signal
            if self.in_tools:
                return
            if not self.fired:
                self._fired_at = time.monotonic()
            elif not self._stuck and time.monotonic() - self._fired_at > _STUCK_SECONDS:
                self._stuck = True
                _log.warning(
                    "Code that should have ended %.1f s ago is in a call that the interpreter cannot interrupt; "
                    "it will be stopped when the call returns.",
                    time.monotonic() - self._fired_at,
                )
            self.fired = True
            watchdog.raise_in(self.thread, StopSignal)
            loop = self.loop
            if loop is not None:
                with suppress(RuntimeError):  # it is closed
                    loop.call_soon_threadsafe(_nothing)

    def finish(self) -> None:
        """The code has ended: nothing is raised into its thread any more."""
        watchdog.unwatch(self)
        with self._lock:
            self.finished = True
            if self.fired:
                watchdog.raise_in(self.thread, None)

    @property
    def overdue(self) -> float:
        """Seconds by which the run outlasted its order to stop."""
        return time.monotonic() - self._fired_at if self.fired else 0.0

    # -- time that does not count ----------------------------------------------------------------------------

    def enter_tool(self) -> None:
        """Stop the clock: a tool of the host works."""
        with self._lock:
            self.in_tools += 1
            if self.in_tools == 1 and self.deadline is not None:
                self._remaining = self.deadline - time.monotonic()
            pending = self.pending
            if pending is not None:
                self.in_tools -= 1
                if self.fired:
                    watchdog.raise_in(self.thread, None)
        if pending is not None:
            raise pending

    def leave_tool(self) -> None:
        """Start the clock again."""
        with self._lock:
            self.in_tools -= 1
            if self.in_tools == 0 and self._remaining is not None:
                self.deadline = time.monotonic() + self._remaining
        if self.pending is not None:
            raise self.pending

    @contextmanager
    def paused(self) -> Iterator[None]:
        """A stretch that must not be broken off, such as an import; its time counts."""
        with self._lock:
            self.in_tools += 1
        try:
            yield
        finally:
            with self._lock:
                self.in_tools -= 1
        if self.pending is not None:
            raise self.pending


def _nothing() -> None:
    return None
