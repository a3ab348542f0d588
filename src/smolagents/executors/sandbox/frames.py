"""Messages as bytes: their length in four bytes, little end first, then UTF-8 text. Used on both sides."""

from __future__ import annotations

import os
from struct import Struct

__all__ = ["HEADER", "read_frame", "write_frame"]

HEADER = Struct("<I")

_CHUNK = 2**16
_pack = HEADER.pack
_unpack = HEADER.unpack_from


def write_frame(fd: int, message: str) -> None:
    """Write `message` to the blocking pipe `fd`."""
    data = message.encode("utf-8", "backslashreplace")
    frame = _pack(len(data)) + data
    written = os.write(fd, frame)
    if written < len(frame):
        rest = memoryview(frame)
        while written < len(frame):
            written += os.write(fd, rest[written:])


def read_frame(fd: int) -> str | None:
    """Read the next message from the blocking pipe `fd`; None at its end."""
    data = os.read(fd, _CHUNK)
    while len(data) < 4:
        more = os.read(fd, _CHUNK)
        if not more:
            return None
        data += more
    missing = _unpack(data)[0] + 4 - len(data)
    if missing > 0:
        parts = [data]
        while missing > 0:
            part = os.read(fd, min(missing, 2**20))
            if not part:
                return None
            parts.append(part)
            missing -= len(part)
        data = b"".join(parts)
    return data[4:].decode("utf-8")
