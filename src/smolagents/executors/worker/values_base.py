"""What the modules of the codec share: errors, the path of a value, and text and bytes as JSON carries them."""

from __future__ import annotations

import binascii
import json
import re
from typing import Any

TAG = "$"
"""The reserved key: a JSON object that has it is not a plain dict but a tagged value."""

LARGEST_PLAIN_INT = 2**63
"""Integers up to this magnitude are written as JSON numbers, larger ones as hexadecimal text."""


class CannotCrossError(TypeError):
    """A value cannot cross the boundary. The text names the value's path and what to pass instead."""


class MalformedValueError(ValueError):
    """What the other side sent is not a value of the codec. The text names the path of what is wrong."""


class RemoteException(Exception):
    """An exception of the other side whose class does not exist here.

    Args:
        name: Name of its class.
        message: Its text.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{self.name}({self.message!r})"


class Trouble(Exception):
    """Why encoding or decoding stopped. The path is collected while it travels up through the containers.

    Args:
        reason: What is wrong, and what to do instead.
        *segments: Parts of the path that are known already, innermost first.
    """

    def __init__(self, reason: str, *segments: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.segments = list(segments)

    def text(self, where: str) -> str:
        return f"{where}{''.join(reversed(self.segments))}: {self.reason}"


def key_segment(key: Any) -> str:
    """The path segment of a dict's item, such as `["rows"]`."""
    if isinstance(key, str):
        return f"[{json.dumps(shorten(str.__str__(key)), ensure_ascii=False)}]"
    if isinstance(key, (int, float, tuple, bytes)) or key is None:
        try:
            return f"[{shorten(repr(key))}]"
        except Exception:  # an integer of more than 4300 digits, or a __repr__ of a subclass
            pass
    return f"[<{type(key).__name__}>]"


def shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


# A high surrogate before a low one: JSON would join the two to one character.
_JOINABLE = re.compile("[\ud800-\udbff](?=[\udc00-\udfff])")


def is_plain_text(text: str) -> bool:
    """Whether JSON carries the text unchanged."""
    return text.isascii() or _JOINABLE.search(text) is None


def split_text(text: str) -> list[str]:
    """Cut the text so that JSON carries each part unchanged."""
    parts, start = [], 0
    for match in _JOINABLE.finditer(text):
        parts.append(text[start : match.end()])
        start = match.end()
    parts.append(text[start:])
    return parts


def encode_text(text: str) -> Any:
    text = str.__str__(text)
    return text if is_plain_text(text) else {TAG: "str", "v": split_text(text)}


def bytes_to_text(data: Any) -> str:
    """Base64 of bytes or a contiguous buffer."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def text_to_bytes(text: Any) -> bytes:
    """The bytes that `bytes_to_text` wrote down.

    Raises:
        Trouble: `text` is not base64.
    """
    if type(text) is not str:
        raise Trouble(f"base64 text is expected, not {json_kind(text)}")
    try:
        data = binascii.a2b_base64(text)
    except (ValueError, UnicodeError):
        raise Trouble("not valid base64") from None
    # The decoder skips characters it does not know; then the lengths do not fit.
    if len(text) % 4 or len(data) != len(text) // 4 * 3 - (len(text) - len(text.rstrip("="))):
        raise Trouble("not valid base64")
    return data


def json_kind(data: Any) -> str:
    """What a JSON value is, in words."""
    if data is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "an array", dict: "an object"}
    return names.get(type(data), f"a {type(data).__name__}")


def expect(data: Any, kind: type, what: str) -> Any:
    """`data`, if it is exactly of that type.

    Raises:
        Trouble: it is not.
    """
    if type(data) is not kind:
        wanted = {list: "an array", dict: "an object", str: "text", int: "an integer", bool: "true or false"}
        raise Trouble(f"{what} must be {wanted.get(kind, kind.__name__)}, not {json_kind(data)}")
    return data
