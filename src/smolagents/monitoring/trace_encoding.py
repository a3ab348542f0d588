"""What a trace file says of a value: plain JSON of bounded size, whatever the value is."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import operator
import re
import weakref
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, NamedTuple

from smolagents.types.messages import ChatMessage

__all__ = ["MAX_TEXT", "Encoder", "dump"]

MAX_TEXT = 100_000
"""Characters that are kept of one text; a longer one is cut in its middle, where a note says how much is missing."""
_HEAD = 75_000
_MAX_ITEMS = 2_000
_MAX_VALUES = 20_000
_MAX_DEPTH = 24
_MAX_CONVERSATIONS = 32
_MAX_IMAGE_BYTES = 8_000_000
_LARGEST_EXACT_INT = 2**53
"""Larger whole numbers are not read exactly by JavaScript (ECMA-262, Number.MAX_SAFE_INTEGER)."""
_SMALL_IMAGE = 256 * 256
_DATA_URL = re.compile(r"data:(image/(?:png|jpeg|gif|webp));base64,([A-Za-z0-9+/=\s]+)")


class Encoder:
    """Turns values into plain JSON data. One for each file, since images and messages are written once and referred to."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        """What must stand in the file before the record that is being encoded. Whoever writes it empties the list."""
        self._images: set[str] = set()
        self._image_ids: dict[int, tuple[weakref.ref[Any], dict[str, Any]]] = {}
        self._message_numbers: dict[bytes, int] = {}
        self._conversations: dict[int, _Conversation] = {}
        self._left = 0

    def attributes(self, attributes: Mapping[str, Any], span_id: str = "") -> dict[str, Any]:
        """The attributes of a span or of an event."""
        encoded: dict[str, Any] = {}
        for key, value in attributes.items():
            try:
                if key == "messages" and isinstance(value, (list, tuple)):
                    encoded[key] = self._messages(list(value), span_id)
                elif value is not None:
                    encoded[key] = self.value(value)
            except Exception as error:  # whatever an object of a tool or of a model does when it is looked at
                encoded[key] = f"<not available: {type(error).__name__}>"
        return encoded

    def rest(self) -> None:
        """Let go of messages and images, but remember what was written of them."""
        self._conversations.clear()
        self._image_ids.clear()

    def value(self, value: Any) -> Any:
        """Any value."""
        kind = type(value)
        if kind is str:
            return value if len(value) <= MAX_TEXT else _cut(value)
        if value is None or kind is bool:
            return value
        self._left = _MAX_VALUES
        return self._value(value, 0)

    def _messages(self, messages: list[Any], span_id: str) -> dict[str, Any]:
        """What a call's messages are: the first ones of an earlier call's, and the numbers of those that come then.

        The messages of a run's calls are a list that grows, so each call costs what is new in it. Where the list was
        rendered anew, its messages are other objects, and are known by their content.
        """
        if not messages:
            return {"then": []}
        before = self._conversations.get(id(messages[0]))
        same = 0
        if before is not None:
            known = before.messages
            # In the usual case all that was there before is still there, and this runs in C.
            whole = len(known) <= len(messages) and all(map(operator.is_, known, messages))
            same = len(known) if whole else _common(known, messages, operator.is_)
        numbers = [] if before is None else before.numbers[:same]
        numbers += [self._message(message) for message in messages[same:]]
        if before is None:
            before = next((one for one in self._conversations.values() if one.numbers[0] == numbers[0]), None)
        if before is None:
            record: dict[str, Any] = {"then": numbers}
        else:
            first = same or _common(before.numbers, numbers, operator.eq)
            record = {"like": before.span_id, "first": first, "then": numbers[first:]}
            self._conversations.pop(id(before.messages[0]))
        self._conversations[id(messages[0])] = _Conversation(span_id, messages, numbers)
        if len(self._conversations) > _MAX_CONVERSATIONS:
            del self._conversations[next(iter(self._conversations))]
        return record

    def _message(self, message: Any) -> int:
        text = dump(self.value(message))
        digest = hashlib.sha1(text, usedforsecurity=False).digest()
        number = self._message_numbers.get(digest)
        if number is None:
            number = self._message_numbers[digest] = len(self._message_numbers)
            self.lines.append(b'{"type":"message","id":%d,"message":%b}\n' % (number, text))
        return number

    def _value(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            return "…"
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self._value(value.value, depth + 1)
        if isinstance(value, str):
            return str.__str__(value) if len(value) <= MAX_TEXT else _cut(str.__str__(value))
        if isinstance(value, int):
            return _int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(value)
        if depth >= _MAX_DEPTH:
            return f"<{type(value).__name__}>"
        if isinstance(value, ChatMessage):
            return self._chat_message(value, depth)
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            items = [self._value(item, depth + 1) for item, _ in zip(value, range(_MAX_ITEMS), strict=False)]
            return items if len(value) <= _MAX_ITEMS else [*items, f"… {len(value) - _MAX_ITEMS:,} more"]
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"<{len(value):,} bytes>"
        image = _as_image(value)
        if image is not None:
            return self._image(image)
        if is_dataclass(value) and not isinstance(value, type):
            return {
                field.name: self._value(getattr(value, field.name, None), depth + 1)
                for field in fields(value)
                if not field.name.startswith("_")
            }
        try:
            text = str(value)
        except Exception as error:  # a value's own __str__ may raise anything
            return f"<{type(value).__name__}, not printable: {type(error).__name__}>"
        return text if len(text) <= MAX_TEXT else _cut(text)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Any:
        if value.get("type") == "image_url" and isinstance(value.get("image_url"), Mapping):
            match = _DATA_URL.fullmatch(str(value["image_url"].get("url", "")))
            if match:
                return {"type": "image", "image": self._image_data(match[1], re.sub(r"\s", "", match[2]))}
        return {str(key): self._value(item, depth + 1) for key, item in list(value.items())[:_MAX_ITEMS]}

    def _chat_message(self, message: ChatMessage, depth: int) -> dict[str, Any]:
        encoded: dict[str, Any] = {"role": message.role.value, "content": self._value(message.content, depth + 1)}
        if message.tool_calls:
            encoded["tool_calls"] = [
                {
                    "id": str(call.id),
                    "name": call.function.name,
                    "arguments": self._value(call.function.arguments, depth + 2),
                }
                for call in message.tool_calls
            ]
        if message.reasoning_content:
            encoded["reasoning"] = self._value(message.reasoning_content, depth + 1)
        return encoded

    def _image(self, image: Any) -> dict[str, Any]:
        known = self._image_ids.get(id(image))
        if known is not None and known[0]() is image:
            return known[1]
        media, data = _image_bytes(image)
        if data is None:
            return {"$image": None, "note": media}
        reference = self._image_data(media, base64.b64encode(data).decode("ascii"), image.size)
        self._image_ids[id(image)] = (weakref.ref(image), reference)
        return reference

    def _image_data(self, media: str, data: str, size: tuple[int, int] | None = None) -> dict[str, Any]:
        """Write an image, unless it is there already."""
        if len(data) > _MAX_IMAGE_BYTES * 4 // 3:
            return {"$image": None, "note": f"an image of {len(data) * 3 // 4:,} bytes is left out"}
        identity = hashlib.sha1(data.encode(), usedforsecurity=False).hexdigest()[:16]
        if identity not in self._images:
            self._images.add(identity)
            self.lines.append(dump({"type": "image", "id": identity, "media": media, "data": data}) + b"\n")
        return {"$image": identity, **({"width": size[0], "height": size[1]} if size else {})}


class _Conversation(NamedTuple):
    """The messages of the latest call of several that go on from each other."""

    span_id: str
    messages: list[Any]
    """Held, so that the identity of the first one stays its own."""
    numbers: list[int]


def _common(a: list[Any], b: list[Any], equal: Callable[[Any, Any], bool]) -> int:
    """How many items two lists have in common from their beginning."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((n for n, (x, y) in pairs if not equal(x, y)), min(len(a), len(b)))


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
_ASCII_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False)


def dump(record: Any) -> bytes:
    """JSON on one line."""
    try:
        return _JSON.encode(record).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return _ASCII_JSON.encode(record).encode()


def _cut(text: str) -> str:
    tail = MAX_TEXT - _HEAD
    missing = len(text) - MAX_TEXT
    return f"{text[:_HEAD]}\n[… {missing:,} of {len(text):,} characters are not kept …]\n{text[-tail:]}"


def _int(value: int) -> int | str:
    if -_LARGEST_EXACT_INT < value < _LARGEST_EXACT_INT:
        return int(value)
    try:
        return str(int(value))
    except ValueError:  # more digits than Python writes
        return f"<a whole number of {value.bit_length():,} bits>"


def _as_image(value: Any) -> Any:
    """The PIL image that a value is, if it is one. PIL is not imported: where it is not loaded, there is no image."""
    for cls in type(value).__mro__:
        if cls.__module__ == "PIL.Image" and cls.__name__ == "Image":
            return value
        if cls.__name__ == "AgentImage":
            try:
                return _as_image(value.to_raw())
            except Exception:  # its file may be gone
                return None
    return None


def _image_bytes(image: Any) -> tuple[str, bytes | None]:
    """The media type and the bytes of an image; large pictures without transparency as JPEG, since files fill up."""
    try:
        buffer = io.BytesIO()
        if image.mode in ("RGB", "L") and image.width * image.height > _SMALL_IMAGE:
            image.save(buffer, "JPEG", quality=85)
            return "image/jpeg", buffer.getvalue()
        kept = image if image.mode in ("1", "L", "LA", "P", "RGB", "RGBA") else image.convert("RGBA")
        kept.save(buffer, "PNG", compress_level=1)
        return "image/png", buffer.getvalue()
    except Exception as error:  # a broken or closed image says so in many ways
        return f"an image that cannot be written: {type(error).__name__}: {error}", None
