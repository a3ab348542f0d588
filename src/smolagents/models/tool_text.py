"""Tool calls that a model wrote as text: found, read and turned into calls."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

from smolagents.models.lenient_json import read_value
from smolagents.models.tool_markup import calls_in_markup, calls_in_python
from smolagents.types.messages import ChatMessageToolCall, ChatMessageToolCallFunction

__all__ = ["get_tool_call_from_text", "get_tool_calls_from_text", "parse_json_blob", "parse_json_if_needed"]

_NAME_KEYS = ("name", "tool_name", "tool", "function_name", "function", "action")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "tool_arguments", "input", "action_input")
_MAX_FAILURES = 40
"""Brackets that may turn out to be no start of a value, so that a reply of nothing but braces costs little time."""


def parse_json_if_needed(arguments: Any) -> Any:
    """The value that JSON text stands for; anything else, and text that is no JSON, as it is.

    An object is read also where it is written as models write JSON: with single quotes, trailing commas and the like.
    """
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        pass
    text = arguments.strip()
    if text.startswith("{") and text.endswith("}"):
        try:
            value, end = read_value(text, 0)
        except ValueError:
            return arguments
        if end == len(text):
            return value
    return arguments


def parse_json_blob(json_blob: str) -> tuple[dict[str, Any], str]:
    """Find the first JSON object in a text.

    Objects written the way Python writes a dictionary, with a comma before the closing brace or with raw line breaks
    in strings are read too.

    Args:
        json_blob: Text that holds an object somewhere.

    Returns:
        The object, and the text before it.

    Raises:
        ValueError: there is no object, or none that can be read; the message shows the place.
    """
    for value, start in _values(json_blob):
        if isinstance(value, dict):
            return value, json_blob[:start]
    raise ValueError(_why_not(json_blob))


def get_tool_call_from_text(text: str, tool_name_key: str, tool_arguments_key: str) -> ChatMessageToolCall:
    """The first tool call written in a text.

    Args:
        text: A model's reply.
        tool_name_key: Key that holds the tool's name; the usual others are tried after it.
        tool_arguments_key: Key that holds the arguments; the usual others are tried after it.

    Raises:
        ValueError: the text holds no call; the message says what was found and what is expected.
    """
    return get_tool_calls_from_text(text, tool_name_key, tool_arguments_key)[0]


def get_tool_calls_from_text(text: str, tool_name_key: str, tool_arguments_key: str) -> list[ChatMessageToolCall]:
    """All tool calls written in a text.

    Understood are JSON objects, one after the other, in a list, or under "tool_calls", in the many ways in which
    models write JSON; the markup that model families have for calls; and, if there is nothing else, Python calls.

    Raises:
        ValueError: the text holds no call.
    """
    marked = calls_in_markup(text)
    if marked:
        return [_call(name, arguments) for name, arguments in marked]
    objects: list[dict[str, Any]] = []
    for value, _ in _values(text):
        objects.extend(_flattened(value))
    calls = [
        call
        for call in (_call_from_object(found, tool_name_key, tool_arguments_key) for found in objects)
        if call is not None
    ]
    calls = calls or [_call(name, arguments) for name, arguments in calls_in_python(text)]
    if calls:
        return calls
    expected = f'{{"{tool_name_key}": "<tool>", "{tool_arguments_key}": {{…}}}}'
    if objects:
        raise ValueError(
            f"the JSON object in the reply has the keys {sorted(map(str, objects[0]))} and no tool name "
            f"under {tool_name_key!r}; a tool call is written as {expected}"
        )
    raise ValueError(f"{_why_not(text)} A tool call is written as {expected}")


def _flattened(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _flattened(item)
    elif isinstance(value, dict):
        nested = value.get("tool_calls")
        if isinstance(nested, list):
            yield from _flattened(nested)
        else:
            yield value


def _call_from_object(found: dict[str, Any], name_key: str, arguments_key: str) -> ChatMessageToolCall | None:
    call_id = found.get("id")
    if isinstance(found.get("function"), dict):  # the form in which APIs return calls
        found = found["function"]
    key = next((key for key in (name_key, *_NAME_KEYS) if isinstance(found.get(key), str) and found[key]), None)
    if key is None:
        return None
    arguments: Any = {}
    for candidate in (arguments_key, *_ARGUMENT_KEYS):
        if candidate != key and candidate in found:
            arguments = found[candidate]
            break
    return _call(found[key], {} if arguments is None else arguments, call_id)


def _call(name: str, arguments: Any, call_id: Any = None) -> ChatMessageToolCall:
    return ChatMessageToolCall(
        function=ChatMessageToolCallFunction(name=name, arguments=arguments),
        id=call_id if isinstance(call_id, str) and call_id else f"call_{os.urandom(6).hex()}",
        type="function",
    )


_START = re.compile(r"[{\[]")


def _values(text: str) -> Iterator[tuple[Any, int]]:
    """The objects and lists written in a text, outermost ones only, each with its position."""
    position = failures = 0
    while failures < _MAX_FAILURES:
        found = _START.search(text, position)
        if found is None:
            return
        start = found.start()
        try:
            value, position = read_value(text, start)
        except ValueError:
            position = start + 1
            failures += 1
        else:
            yield value, start


def _why_not(text: str) -> str:
    start = text.find("{")
    if start < 0:
        return f"the reply holds no JSON object: {text[:200]!r}."
    try:
        json.JSONDecoder(strict=False).raw_decode(text, start)
    except RecursionError:
        pass
    except ValueError as error:
        place = getattr(error, "pos", start)
        near = text[max(start, place - 20) : place + 20]
        return f"the JSON object in the reply cannot be read: {error}, near {near!r}."
    return f"the reply holds no JSON object that can be read: {text[:200]!r}."
