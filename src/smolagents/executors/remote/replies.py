"""Reading what a worker says. Whatever it is, the outcome is a message in order, or `WorkerLostError`."""

from __future__ import annotations

import json
import re
from typing import Any

from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote.connection import MAX_MESSAGE_BYTES

__all__ = ["LONGEST_NAME", "names_of", "read_reply", "text_of"]

LONGEST_NAME = 200
"""Characters of a name that are kept."""
_MOST_NAMES = 1_000
_MOST_CONTAINERS = 4_000_000
"""Lists and objects in one message. An empty one is 3 bytes of text and becomes 90 bytes here."""
_OTHER_BYTES = bytes(set(range(256)) - set(b'"[{'))
_OUT_OF_STRINGS = re.compile(rb'"[^"]*"?|([\[{]+)')


def read_reply(text: str) -> dict[str, Any]:
    """The message in `text`."""
    if len(text) > MAX_MESSAGE_BYTES:
        raise WorkerLostError(f"it said more than {MAX_MESSAGE_BYTES >> 20} MB at once")
    if len(text) > 2 * _MOST_CONTAINERS and _are_too_many(text):
        raise WorkerLostError(f"it said more than {_MOST_CONTAINERS} lists and objects at once")
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WorkerLostError(f"it said something that is no message ({type(error).__name__})") from None
    if type(reply) is not dict or reply.get("op") not in ("call", "done", "failed"):
        raise WorkerLostError("it said something that is no message")
    return reply


def text_of(reply: dict[str, Any], key: str) -> str:
    """The text under `key`; empty if there is none."""
    value = reply.get(key, "")
    if type(value) is not str:
        raise WorkerLostError("it said something that is no message")
    return value


def names_of(reply: dict[str, Any]) -> tuple[str, ...] | None:
    """The names of variables in a reply; None if it says nothing of them."""
    names = reply.get("names")
    if names is None:
        return None
    if type(names) is not list or len(names) > _MOST_NAMES:
        raise WorkerLostError("it said something that is no message")
    return tuple(name[:LONGEST_NAME] for name in names if type(name) is str and name.isidentifier())


def _are_too_many(text: str) -> bool:
    """Whether there are more lists and objects in a JSON text than there may be. Takes time in its length, whatever it is."""
    if text.count("[") + text.count("{") <= _MOST_CONTAINERS:
        return False
    data = text.encode("utf-8", "ignore").replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _OTHER_BYTES)
    count = 0
    # Two quotes in a row are an empty string, or the end of one and the beginning of the next.
    for part in _OUT_OF_STRINGS.finditer(data.replace(b'""', b"")):
        count += len(part[1] or b"")
        if count > _MOST_CONTAINERS:
            return True
    return False
