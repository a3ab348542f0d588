"""Ctrl-C: the first stops what is going on, a second one leaves at once."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import ClassVar

__all__ = ["obeyed", "stoppable"]

_PAUSE = 0.3
"""Seconds that lie between two presses of a key; what comes sooner is one press that came by two ways."""
_FORGET = b"\0"  # no signal has this number
_LEFT = 130  # as shells report a program that was stopped by Ctrl-C

_TELL_AFTER = 1.0
"""Seconds after which somebody who waits for the first to be obeyed is told of the second."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Within the block, the first Ctrl-C raises `KeyboardInterrupt` in the main thread, and a second one ends the process.

    That holds also where Python code is not reached, as while a model is read from disk, and where putting things in
    order after the first one takes long. In another thread than the main one, and where someone else handles Ctrl-C,
    nothing is changed.
    """
    ours = (
        _Watch.current is None
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not ours:
        yield
        return
    _Watch.current = watch = _Watch()
    try:
        yield
    finally:
        _Watch.current = None
        watch.close()


def obeyed() -> None:
    """What was going on has stopped and the program goes on: the next Ctrl-C is a first one again."""
    if _Watch.current is not None:
        _Watch.current.forget()


class _Watch:
    """Hears of signals in a thread of its own, whatever the main thread is doing."""

    current: ClassVar[_Watch | None] = None

    def __init__(self) -> None:
        self._raised = False
        self._near, self._far = socket.socketpair()
        self._far.setblocking(False)
        signal.signal(signal.SIGINT, self._interrupt)
        self._before = signal.set_wakeup_fd(self._far.fileno(), warn_on_full_buffer=False)
        self._listener = threading.Thread(target=self._listen, name="smolagents-ctrl-c", daemon=True)
        self._listener.start()

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        # Once: a second exception would break into what puts things in order after the first.
        if not self._raised:
            self._raised = True
            raise KeyboardInterrupt

    def forget(self) -> None:
        self._raised = False
        self._far.send(_FORGET)  # the same way as the signals, so that it does not overtake one

    def _listen(self) -> None:
        first: float | None = None
        told = False
        with self._near as near:
            while True:
                near.settimeout(None if first is None or told else _TELL_AFTER)
                try:
                    heard = near.recv(1)
                except TimeoutError:
                    told = True
                    _tell()
                    continue
                if not heard:
                    return
                if heard == _FORGET:
                    first, told = None, False
                elif heard[0] == signal.SIGINT:
                    now = time.monotonic()
                    if first is None:
                        first = now
                    elif now - first > _PAUSE:
                        _leave()

    def close(self) -> None:
        with contextlib.suppress(ValueError):  # of another descriptor that someone has set since
            signal.set_wakeup_fd(self._before)
        if signal.getsignal(signal.SIGINT) == self._interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self._far.close()
        self._listener.join(timeout=1)


def _tell() -> None:
    with contextlib.suppress(OSError, ValueError):
        if sys.__stderr__ is not None and sys.__stderr__.isatty():
            os.write(sys.__stderr__.fileno(), b"\r\nStopping; Ctrl-C again leaves at once.\r\n")


def _leave() -> None:
    with contextlib.suppress(OSError, ValueError):
        if sys.__stdout__ is not None and sys.__stdout__.isatty():
            os.write(sys.__stdout__.fileno(), b"\x1b[?25h\r\n")  # a live line hides the cursor
    os._exit(_LEFT)
