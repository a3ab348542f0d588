"""A connection over anything that runs a cell of Python and gives back what it printed."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote.bundle import FAR_PACKAGE, bootstrap_source
from smolagents.executors.remote.connection import MAX_MESSAGE_BYTES, Connection
from smolagents.executors.worker.turns import pack, unpack

__all__ = ["CellConnection"]

_TURN_SECONDS = 0.5
"""Longest that one cell waits for the code. An interruption goes with the next cell: a kernel's own interrupts are lost
when they come just before or after a cell, and then the reply of the cell may be lost too."""
_OVERDUE_SECONDS = 15.0
"""A cell that has not returned so long after its time: the code holds the interpreter, or the kernel is dead."""


class CellConnection(Connection):
    """Drives a worker in a thread of a kernel, one cell per turn.

    Args:
        run_cell: `run_cell(source, timeout)` runs source in the kernel's `__main__` and returns what it printed.
            After `timeout` seconds it takes the kernel for dead. It raises `WorkerLostError` for that, and whenever
            the kernel is gone. It may run the same source again when it did not learn what came of it.
        close: Ends the kernel.
    """

    def __init__(
        self,
        run_cell: Callable[[str, float], str],
        *,
        close: Callable[[], None] | None = None,
    ) -> None:
        self._run_cell = run_cell
        self._close = close
        self._mark = f"<<{secrets.token_hex(8)}>>"
        self._word: str | None = None
        self._interrupt_next = False
        self._turns = 0
        self._closed = False
        self._closing = threading.Lock()
        self._started = False

    def send(self, message: str) -> None:
        self._word = pack(message)

    def receive(self, timeout: float | None) -> str | None:
        if not self._started:
            self._start()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            wait = _TURN_SECONDS if deadline is None else max(min(_TURN_SECONDS, deadline - time.monotonic()), 0.0)
            interrupt, self._interrupt_next = self._interrupt_next, False
            word, self._word = self._word, None
            self._turns += 1
            arguments = f"{self._turns}, {self._mark!r}, {wait:.3f}, {word!r}, {interrupt}"
            reply = self._turn(f"__smolagents__.turn({arguments})", wait)
            if reply is not None:
                self._interrupt_next = False  # what the code wants next it asks the host, which knows
                return reply
            if deadline is not None and time.monotonic() >= deadline:
                return None

    def _start(self) -> None:
        self._cell(
            f"exec({bootstrap_source()!r}, {{}})\n"  # leaves no names behind
            f"import {FAR_PACKAGE}.turns as __smolagents__\n"
            "__smolagents__ = __smolagents__.Turns(__import__('sys').modules['__main__'].__dict__)\n"
            f"print({self._mark!r})\n",
            _OVERDUE_SECONDS + 15,
        )
        self._started = True

    def _cell(self, source: str, timeout: float) -> str:
        if self._closed:
            raise WorkerLostError("it was closed")
        try:
            printed = self._run_cell(source, timeout)
        except WorkerLostError:
            if self._closed:
                raise WorkerLostError("it was stopped, and did not stop by itself") from None
            raise
        if self._mark not in printed:
            tail = printed.strip()[-500:]
            raise WorkerLostError(f"the kernel did not do what it was asked{': ' + tail if tail else ''}")
        return printed

    def _turn(self, source: str, wait: float) -> str | None:
        printed = self._cell(source, wait + _OVERDUE_SECONDS)
        end = printed.rfind(self._mark)
        start = printed.rfind(self._mark, 0, end)
        word = printed[start + len(self._mark) : end] if start >= 0 else "?"
        if not word:
            return None
        if len(word) > 2 * MAX_MESSAGE_BYTES:
            raise WorkerLostError(f"it said more than {MAX_MESSAGE_BYTES >> 20} MB at once")
        try:
            return unpack(word, MAX_MESSAGE_BYTES)
        except ValueError as error:
            raise WorkerLostError(f"it said something that is no message ({error})") from None

    def interrupt(self) -> None:
        self._interrupt_next = True

    def close(self) -> None:
        with self._closing:  # who comes second waits
            if not self._closed:
                self._closed = True
                if self._close is not None:
                    self._close()
