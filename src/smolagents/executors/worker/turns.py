"""A worker in a thread of a kernel, driven by cells.

A kernel runs one cell at a time and has no way to ask back. So the code runs in a thread, and each cell is one short
turn: it hands a message to the thread, and returns with what the thread says next, be it a call of a tool or the
final answer; or with nothing when it has waited long enough, and the host sends another cell.
"""

from __future__ import annotations

import base64
import builtins
import contextlib
import queue
import sys
import threading
import time
import zlib
from typing import Any

from .runtime import Worker

__all__ = ["Turns", "pack", "unpack"]

_PACK_FROM = 10_000
_INTERRUPTED = (
    '{"op":"failed","kind":"interrupted","type":"KeyboardInterrupt","message":"","text":"KeyboardInterrupt","out":""}'
)


def pack(message: str) -> str:
    """A message as a word of ASCII."""
    data = message.encode("ascii")
    if len(data) > _PACK_FROM:
        return "z" + base64.b64encode(zlib.compress(data, 1)).decode("ascii")
    return "p" + base64.b64encode(data).decode("ascii")


def unpack(word: str, most: int) -> str:
    """The message in `word`.

    Raises:
        ValueError: It is not such a word, or the message is longer than `most`.
    """
    data = base64.b64decode(word[1:], validate=True)
    if word[:1] == "z":
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(data, most)
        except zlib.error as error:
            raise ValueError(str(error)) from None
        if unpacker.unconsumed_tail:
            raise ValueError("the message is too long")
    elif word[:1] != "p":
        raise ValueError("not a packed message")
    return data.decode("ascii")


class Turns:
    """One session, in a thread of this process.

    Args:
        namespace: The variables of the code.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._in: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._out: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._worker = Worker(self._exchange, namespace, redirect=False)
        self._streams = (sys.stdout, sys.stderr)
        self._lock = threading.Lock()
        self._interruptible = False
        self._interrupted = False
        self._turn = (0, "")
        self._thread = threading.Thread(target=self._serve, name="smolagents-code", daemon=True)
        self._thread.start()
        _make_sleep_interruptible(self._thread)

    def _exchange(self, text: str) -> str:
        self._out.put(text)
        return self._in.get()

    def _serve(self) -> None:
        while True:
            message = self._in.get()
            reply = _INTERRUPTED
            self._interrupted = False
            self._interruptible = True
            try:
                try:
                    reply = self._worker.handle(message)
                finally:
                    self._end_interruptions()
            except KeyboardInterrupt:  # it may come late: in the line above, or where the code had been left
                self._end_interruptions()
            self._out.put(reply)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the code, if it runs."""
        with self._lock:
            if not self._interruptible or self._interrupted or not self._worker.running:
                return
            if not self._worker.defer_interrupt():
                self._interrupted = True  # once is enough: what cleans up after it must not be interrupted too
                self._raise_in_code(KeyboardInterrupt)

    def _end_interruptions(self) -> None:
        """From here on nothing is raised in the thread of the code."""
        with self._lock:
            self._interruptible = False
            self._raise_in_code(None)

    def _raise_in_code(self, kind: type[BaseException] | None) -> None:
        import ctypes

        thread = ctypes.c_ulong(self._thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None if kind is None else ctypes.py_object(kind))

    def turn(self, number: int, mark: str, wait: float, word: str | None = None, interrupt: bool = False) -> None:
        """One turn, called by a cell. Prints the next message of the session between two marks.

        Args:
            number: Of the turn. When what it printed got lost, it may be called again: it then only prints it again.
            mark: Text that tells the message from what else may be printed.
            wait: Seconds to wait for the next message. An empty one is printed when there is none.
            word: A packed message for the session, if any.
            interrupt: Whether to interrupt the code first.
        """
        if number != self._turn[0]:
            self._turn = (number, f"\n{mark}{self._next(wait, word, interrupt)}{mark}")
        builtins.print(self._turn[1], file=self._streams[0], flush=True)

    def _next(self, wait: float, word: str | None, interrupt: bool) -> str:
        output: Any = self._worker.output
        if sys.stdout is not output:
            self._streams = (sys.stdout, sys.stderr)
            set_parent = getattr(sys.stdout, "set_parent", None)
            if set_parent is not None:  # by it IPython tells its stream, which prints belong to which cell
                output.set_parent = set_parent
        sys.stdout = sys.stderr = output
        if word is not None:
            self._in.put(unpack(word, sys.maxsize))
        if interrupt:
            self.interrupt()
        reply = ""
        with contextlib.suppress(queue.Empty):
            reply = self._out.get(timeout=wait)
        if reply and not self._worker.busy:
            sys.stdout, sys.stderr = self._streams
        return pack(reply) if reply else ""


def _make_sleep_interruptible(thread: threading.Thread) -> None:
    """`time.sleep` in `thread` in small pieces: what is raised in it from another thread waits for no more."""
    whole = time.sleep

    def sleep(seconds: Any) -> None:
        if threading.current_thread() is not thread or not seconds > 0.05:
            whole(seconds)
            return
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            whole(min(left, 0.05))

    time.sleep = sleep
