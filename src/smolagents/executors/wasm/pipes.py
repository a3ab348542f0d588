"""The pipes to a process: frames out, frames and complaints in, with time limits."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from struct import Struct
from typing import IO, Any

__all__ = ["PipeClosedError", "Pipes"]

_CHUNK = 2**20
_COMPLAINTS = 8_000
"""Bytes that are kept of the end of what the process complained about."""

_header_out = Struct("<IBI")
_header_in = Struct("<IB")

# Without a limit on the number of descriptors, where there is such a selector.
_Selector: Any = getattr(selectors, "PollSelector", selectors.DefaultSelector)


class PipeClosedError(Exception):
    """The other end is closed, does not read, or has said something too large; the text says which."""


class Pipes:
    """Frames to and from a process, over its standard streams.

    One thread sends and receives; any other may `close`.

    Args:
        process: Started with unbuffered pipes for its three streams.
        pump: Whether to read in threads; needed where pipes cannot be waited for.
    """

    def __init__(self, process: subprocess.Popen[bytes], pump: bool = sys.platform == "win32") -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self.complaints = b""
        """The end of what the process wrote on its standard error."""
        self._lock = threading.Lock()
        self._closed = False
        self._buffer = bytearray()
        self._ends: list[Any] = [process.stdin, process.stdout, process.stderr]
        self._stdin = process.stdin.fileno()
        self._can_wait_to_write = not pump
        if not pump:
            os.set_blocking(self._stdin, False)
        self._selector = _Selector()
        self._watch(process.stdout, self._hear, pump)
        self._watch(process.stderr, self._note, pump)

    def _watch(self, stream: IO[bytes], take: Callable[[bytes], None], pump: bool) -> None:
        if pump:
            end, far_end = socket.socketpair()
            self._ends += [end, far_end]
            threading.Thread(target=_pump, args=(stream.fileno(), far_end), daemon=True).start()
            end.setblocking(False)
            self._selector.register(end, selectors.EVENT_READ, (lambda: end.recv(_CHUNK), take))
        else:
            fd = stream.fileno()
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ, (lambda: os.read(fd, _CHUNK), take))

    def send(self, kind: int, number: int, body: bytes, patience: float) -> None:
        """Send a frame.

        Raises:
            PipeClosedError: the process is gone, or has taken nothing in for `patience` seconds.
        """
        frame = memoryview(_header_out.pack(len(body), kind, number) + body)
        with self._lock:
            while frame:
                if self._closed:
                    raise PipeClosedError("it was closed")
                try:
                    frame = frame[os.write(self._stdin, frame) :]
                except BlockingIOError:
                    self._wait_for_room(patience)
                except OSError:
                    raise PipeClosedError("it ended") from None

    def _wait_for_room(self, patience: float) -> None:
        with _Selector() as selector:
            selector.register(self._stdin, selectors.EVENT_WRITE)
            if not selector.select(patience):
                raise PipeClosedError(f"it took nothing in for {patience:g} seconds")

    def receive(self, timeout: float | None, most: int) -> tuple[int, bytes] | None:
        """The next frame: kind and body; None if there is none within `timeout` seconds.

        Raises:
            PipeClosedError: the process is gone, or the frame is larger than `most` bytes.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with self._lock:
            while (frame := self._next(most)) is None:
                if self._closed:
                    raise PipeClosedError("it was closed")
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    return None
                for key, _ in self._selector.select(left):
                    self._read(key)
            return frame

    def _next(self, most: int) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < _header_in.size:
            return None
        length, kind = _header_in.unpack_from(buffer)
        if length > most:
            raise PipeClosedError(f"it said more than {most >> 20} MB at once")
        whole = _header_in.size + length
        if len(buffer) < whole:
            return None
        body = bytes(memoryview(buffer)[_header_in.size : whole])
        del buffer[:whole]
        return kind, body

    def _read(self, key: selectors.SelectorKey) -> bool:
        read, take = key.data
        try:
            data = read()
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(key.fileobj)
        take(data)
        return bool(data)

    def _hear(self, data: bytes) -> None:
        if not data:
            raise PipeClosedError("it ended")
        self._buffer += data

    def _note(self, data: bytes) -> None:
        self.complaints = (self.complaints + data)[-_COMPLAINTS:]

    def close(self) -> None:
        """Close all. The process must have ended, so that no thread waits for it any longer."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for key in list(self._selector.get_map().values()):
                with contextlib.suppress(PipeClosedError):
                    while self._read(key):
                        self._buffer.clear()
            self._selector.close()
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.close()


def _pump(fd: int, to: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(fd, _CHUNK):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)
