"""Amazon's event streams, written from https://smithy.io/2.0/aws/amazon-eventstream.html.

A message is two lengths and their checksum, headers, the payload, and a checksum of it all. A header is the length of
its name, the name, the type of its value (7 for a string), the length of the value, and the value.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any


def message(headers: dict[str, str], payload: bytes) -> bytes:
    """One message."""
    encoded = b""
    for name, value in headers.items():
        encoded += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", 16 + len(encoded) + len(payload), len(encoded))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + encoded + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def event(kind: str, content: dict[str, Any]) -> bytes:
    """An event with a JSON payload."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return message(headers, json.dumps(content).encode())


def exception(kind: str, content: dict[str, Any]) -> bytes:
    """An exception that ends the stream."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return message(headers, json.dumps(content).encode())
