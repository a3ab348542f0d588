"""Tool calls from an engine that can hold its output to a JSON schema: the schema, and the reader of what it wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from smolagents.types.messages import (
    ChatMessageStreamDelta,
    ChatMessageToolCallFunction,
    ChatMessageToolCallStreamDelta,
)

__all__ = ["read_constrained_call", "tool_call_schema", "tool_list_prompt"]

_THOUGHT = "thought"
_THOUGHT_SCHEMA = {"type": "string", "maxLength": 240}
"""Characters: about sixty tokens, enough for one or two sentences."""

_JSON_TYPES = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})


def tool_call_schema(tools: Iterable[Any], name_key: str = "name", arguments_key: str = "arguments") -> dict[str, Any]:
    """The schema of one call to one of the tools: a branch for each, with its name as a constant.

    A thought comes first: a small model that has to commit itself to a tool at once often takes the wrong one.

    Args:
        tools: Objects with `name` and `inputs`.
        name_key: Key of the tool's name in the call.
        arguments_key: Key of the arguments in the call.
    """
    branches = []
    for tool in tools:
        arguments = {
            "type": "object",
            "properties": {name: _argument_schema(schema) for name, schema in tool.inputs.items()},
            "required": [name for name, schema in tool.inputs.items() if not _is_optional(schema)],
            "additionalProperties": False,
        }
        branches.append(
            {
                "type": "object",
                "properties": {_THOUGHT: _THOUGHT_SCHEMA, name_key: {"const": tool.name}, arguments_key: arguments},
                "required": [_THOUGHT, name_key, arguments_key],
                "additionalProperties": False,
            }
        )
    return {"anyOf": branches}


def _is_optional(schema: dict[str, Any]) -> bool:
    return bool(schema.get("nullable", False)) or "default" in schema


def _argument_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The input's schema in words that every engine knows: no "any", no "nullable", no types of our own."""
    kept = {key: value for key, value in schema.items() if key not in ("description", "nullable", "default", "title")}
    kind = kept.get("type")
    if kind == "any":
        del kept["type"]
    elif isinstance(kind, list):
        kept["type"] = [name for name in kind if name in _JSON_TYPES] or ["string"]
    elif isinstance(kind, str) and kind not in _JSON_TYPES:
        kept["type"] = "string"
    if isinstance(kept.get("items"), dict):
        kept["items"] = _argument_schema(kept["items"])
    if isinstance(kept.get("properties"), dict):
        kept["properties"] = {name: _argument_schema(inner) for name, inner in kept["properties"].items()}
    if schema.get("nullable") and kept:
        return {"anyOf": [kept, {"type": "null"}]}
    return kept


def tool_list_prompt(tools: Iterable[Any], name_key: str = "name", arguments_key: str = "arguments") -> str:
    """The tools in words, for a model that was not told of them."""
    lines = [
        f'Answer with one tool call: {{"{_THOUGHT}": …, "{name_key}": <tool>, "{arguments_key}": {{…}}}}',
        "The tools are:",
    ]
    for tool in tools:
        inputs = ", ".join(
            f"{name}{'?' if _is_optional(schema) else ''}: {schema.get('type', 'any')}"
            for name, schema in tool.inputs.items()
        )
        lines.append(f"- {tool.name}({inputs}): {tool.description}")
        lines.extend(
            f"    {name}: {schema['description']}" for name, schema in tool.inputs.items() if "description" in schema
        )
    return "\n".join(lines)


_STRING = r'("(?:[^"\\]|\\.)*")'
_HEAD = re.compile(rf'\s*\{{\s*"{_THOUGHT}"\s*:\s*{_STRING}\s*,\s*"[^"]*"\s*:\s*{_STRING}\s*,\s*"[^"]*"\s*:\s*(?=\S)')


def read_constrained_call(deltas: Iterable[ChatMessageStreamDelta]) -> Iterator[ChatMessageStreamDelta]:
    """Turn the text of one call, as `tool_call_schema` has it written, into pieces of a tool call.

    The thought becomes content. The name comes as soon as it is known, the arguments as they are written. Text that was cut short before the
    name is passed on as content.
    """
    text = ""
    named = False
    for delta in deltas:
        if delta.content:
            text += delta.content
            delta = replace(delta, content=None)  # noqa: PLW2901
            if not named:
                head = _HEAD.match(text)
                if head is not None:
                    named = True
                    text = text[head.end() :]
                    yield ChatMessageStreamDelta(content=json.loads(head[1]))
                    yield _piece("", name=json.loads(head[2]))
            if named:
                # Closing braces wait: the last one closes the call and is no part of the arguments.
                ready = text.rstrip("} \t\r\n")
                if ready:
                    yield _piece(ready)
                    text = text[len(ready) :]
        if delta.finish_reason is not None:
            rest, text = text.rstrip(), ""
            if not named and rest:
                yield ChatMessageStreamDelta(content=rest)
            elif rest.removesuffix("}"):
                yield _piece(rest.removesuffix("}"))
            if named and delta.finish_reason == "stop":
                delta = replace(delta, finish_reason="tool_calls")  # noqa: PLW2901
        if delta != ChatMessageStreamDelta():
            yield delta


def _piece(arguments: str, name: str = "") -> ChatMessageStreamDelta:
    return ChatMessageStreamDelta(
        tool_calls=[
            ChatMessageToolCallStreamDelta(
                index=0,
                type="function" if name else None,
                function=ChatMessageToolCallFunction(name=name, arguments=arguments),
            )
        ]
    )
