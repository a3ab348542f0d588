"""Conversations as turns of blocks, for APIs in which a message is a list of blocks and calls of tools are among them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from smolagents.models.images import image_as_url
from smolagents.types.messages import (
    ChatMessage,
    ChatMessageStreamDelta,
    ChatMessageToolCall,
    ChatMessageToolCallFunction,
    ChatMessageToolCallStreamDelta,
    MessageRole,
)

__all__ = ["Block", "CallPieces", "calls_as_parts", "json_schema_of", "system_and_turns"]

Block = dict[str, Any]
"""A text `{"type": "text", "text"}`, an image `{"type": "image", "media_type", "data"}` with its data in base64 or
`{"type": "image", "url"}`, a call `{"type": "tool_use", "id", "name", "input"}`, its result `{"type": "tool_result",
"tool_use_id", "content": [blocks]}`, what the provider wants back `{"type": "provider_item", "item"}`, or a part in the
provider's own form, passed on as it was given."""


class CallPieces:
    """The calls of tools in one stream, each of which is a block that comes in pieces."""

    def __init__(self) -> None:
        self._positions: dict[int, int] = {}
        """Of a call among the calls, by the index of its block."""
        self._silent: set[int] = set()

    def begin(self, index: int, name: str, id: str) -> ChatMessageStreamDelta:
        """A block begins that is a call."""
        self._positions[index] = len(self._positions)
        self._silent.add(index)
        return self._piece(index, "", name, id)

    def add(self, index: int, arguments: str | None) -> ChatMessageStreamDelta | None:
        """A piece of a call's arguments came."""
        if not arguments or index not in self._positions:
            return None
        self._silent.discard(index)
        return self._piece(index, arguments)

    def end(self, index: int) -> ChatMessageStreamDelta | None:
        """A block is complete, be it a call or not."""
        if index in self._silent:
            return self._piece(index, "{}")  # a call without arguments sends none
        return None

    def _piece(self, index: int, arguments: str, name: str = "", id: str | None = None) -> ChatMessageStreamDelta:
        piece = ChatMessageToolCallStreamDelta(
            index=self._positions[index],
            id=id,
            type="function" if id else None,
            function=ChatMessageToolCallFunction(name=name, arguments=arguments),
        )
        return ChatMessageStreamDelta(tool_calls=[piece])


def calls_as_parts(messages: Sequence[Any], with_tools: bool) -> list[Any]:
    """The messages, with the tool calls of assistant messages and the responses to them as parts of their contents.

    These APIs refuse a call that is not answered, an answer without its call, and both when no tools are sent. So
    calls become parts only if tools are sent and as many tool responses follow, which answer them in order; else they
    are told as text.

    Args:
        messages: Messages, or dictionaries with `role` and `content`. They are not changed.
        with_tools: Whether tools are sent with the call.
    """
    if not any(isinstance(message, ChatMessage) and message.tool_calls for message in messages):
        return list(messages)
    changed: list[Any] = []
    awaited: list[ChatMessageToolCall] = []
    for position, message in enumerate(messages):
        if isinstance(message, ChatMessage) and message.role is MessageRole.ASSISTANT and message.tool_calls:
            answered = with_tools and _responses_after(messages, position) == len(message.tool_calls)
            awaited = list(message.tool_calls) if answered else []
            calls = [_call_part(call) for call in message.tool_calls] if answered else [_told(message.tool_calls)]
            message = ChatMessage(  # noqa: PLW2901
                message.role,
                [*_parts(message.content), *calls],
                reasoning_content=message.reasoning_content,
                provider_items=message.provider_items,
            )
        elif awaited and _is_response(message):
            content = [block for part in _parts(message["content"]) if (block := _block_of(part)) is not None]
            part = {"type": "tool_result", "tool_use_id": awaited.pop(0).id, "content": content}
            message = ChatMessage(MessageRole.TOOL_RESPONSE, [part])  # noqa: PLW2901
        changed.append(message)
    return changed


def system_and_turns(messages: Sequence[Mapping[str, Any]]) -> tuple[list[Block], list[dict[str, Any]]]:
    """The instructions, and the turns that follow, from clean messages.

    Texts without a visible character are left out, as these APIs refuse them.

    Args:
        messages: What `get_clean_message_list` returned, with images as `image_url` parts.

    Returns:
        The blocks of the system messages; and dictionaries with `role` and `content`, a list of blocks.

    Raises:
        ValueError: nothing is left to answer, or a part cannot be sent.
    """
    system: list[Block] = []
    turns: list[dict[str, Any]] = []
    for message in messages:
        role = message["role"]
        blocks = [block for part in _parts(message["content"]) if (block := _block_of(part)) is not None]
        blocks[:0] = [{"type": "provider_item", "item": item} for item in message.get("provider_items") or ()]
        if role == "system":
            system += blocks
        elif blocks and turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns:
        if not system:
            raise ValueError("there is nothing to answer: every message is empty")
        return [], [{"role": "user", "content": system}]
    return system, turns


def json_schema_of(response_format: Any) -> tuple[str, dict[str, Any]] | None:
    """Name and schema in a `response_format` of OpenAI's form; None where it asks for plain text.

    Raises:
        ValueError: it holds no schema.
    """
    if not isinstance(response_format, Mapping) or response_format.get("type") == "text":
        if response_format is None or isinstance(response_format, Mapping):
            return None
        raise ValueError(f"response_format is {response_format!r}; give a dictionary with a 'type'")
    described = response_format.get("json_schema")
    schema = described.get("schema") if isinstance(described, Mapping) else None
    if response_format.get("type") != "json_schema" or not isinstance(schema, Mapping):
        raise ValueError(
            f"response_format is {response_format!r:.200}; this API takes a schema only: "
            "{'type': 'json_schema', 'json_schema': {'name': …, 'schema': …}}"
        )
    assert isinstance(described, Mapping)
    return str(described.get("name") or "answer"), dict(schema)


def _parts(content: Any) -> list[Any]:
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _block_of(part: Mapping[str, Any]) -> Block | None:
    kind = part.get("type")
    if kind == "text":
        return dict(part) if str(part.get("text") or "").strip() else None
    if kind == "image" and "image" in part:
        url = image_as_url(part["image"])
    elif kind == "image_url":
        given = part["image_url"]
        url = given["url"] if isinstance(given, Mapping) else str(given)
    elif kind in ("audio", "input_audio"):
        raise ValueError("a message has a part with sound, which this API does not take; leave it out")
    else:
        return dict(part)
    if not url.startswith("data:"):
        return {"type": "image", "url": url}
    head, _, data = url.partition(",")
    media_type = head[len("data:") :].partition(";")[0]
    return {"type": "image", "media_type": media_type or "image/png", "data": data}


def _is_response(message: Any) -> bool:
    return str(message["role"] if isinstance(message, (ChatMessage, Mapping)) else "") == "tool-response"


def _responses_after(messages: Sequence[Any], position: int) -> int:
    count = 0
    while position + count + 1 < len(messages) and _is_response(messages[position + count + 1]):
        count += 1
    return count


def _call_part(call: ChatMessageToolCall) -> Block:
    arguments = call.function.arguments
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            arguments = {"arguments": arguments}
    if not isinstance(arguments, dict):
        arguments = {} if arguments is None else {"arguments": arguments}
    return {"type": "tool_use", "id": call.id, "name": call.function.name, "input": arguments}


def _told(calls: Sequence[ChatMessageToolCall]) -> Block:
    listed = [{"id": call.id, "name": call.function.name, "arguments": call.function.arguments} for call in calls]
    return {"type": "text", "text": "Calling tools:\n" + json.dumps(listed, ensure_ascii=False, default=str)}
