"""Conversations as turns of blocks, for APIs in which a message is a list of blocks and calls of tools are among them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from smolagents.models.cleaning import TOOL_ROLE_CONVERSIONS, _role_and_content, _text_of
from smolagents.models.images import image_as_url
from smolagents.types.messages import ChatMessage, ChatMessageToolCall, MessageRole

__all__ = ["Block", "Conversation", "Turn", "as_conversation"]

Block = dict[str, Any]
"""A text `{"type": "text", "text"}`, an image `{"type": "image", "media_type", "data"}` with its data in base64 or
`{"type": "image", "url"}`, a call `{"type": "tool_use", "id", "name", "input"}`, what it returned `{"type": "tool_result",
"id", "blocks"}`, what the provider wants back `{"type": "provider_item", "item"}`, or a part in the provider's own form,
passed on as it was given."""


@dataclass
class Turn:
    """What one side says before the other speaks."""

    role: str
    blocks: list[Block]


@dataclass
class Conversation:
    """The instructions, and the turns that follow."""

    system: list[Block] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)


def as_conversation(
    messages: Any,
    provider: str,
    role_conversions: Mapping[Any, Any] | None = None,
    flatten_messages_as_text: bool = False,
    with_tools: bool = False,
) -> Conversation:
    """The conversation as turns of blocks.

    Texts stay apart even within a turn: a conversation that goes on begins with the same blocks, so the provider's
    prompt cache is hit. Texts without a visible character are left out, as these APIs refuse them.

    Args:
        messages: Messages, or dictionaries with `role` and `content`.
        provider: Whose `provider_items` to give back.
        role_conversions: Roles to replace, beyond those of tool calls and responses.
        flatten_messages_as_text: Take text only, and refuse all else.
        with_tools: Tools are sent with the call. Calls of tools in assistant messages are then given as calls if each
            is followed by its response, in order; else as text, since an unanswered call would be refused.

    Raises:
        ValueError: nothing is left to answer, a role is unknown, or an image cannot be read.
        TypeError: a message or its content has the wrong type.
    """
    conversions = {str(a): str(b) for a, b in {**TOOL_ROLE_CONVERSIONS, **(role_conversions or {})}.items()}
    conversation = Conversation()
    awaited: list[ChatMessageToolCall] = []
    for position, message in enumerate(messages):
        role, content = _role_and_content(message, position)
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        elif flatten_messages_as_text:
            content = [{"type": "text", "text": _text_of(part, position)} for part in content]
        blocks = [block for part in content if (block := _block_of(part, position)) is not None]
        calls: list[ChatMessageToolCall] = []
        if isinstance(message, ChatMessage) and role == MessageRole.ASSISTANT:
            mine = [item["item"] for item in message.provider_items or () if item.get("provider") == provider]
            blocks[:0] = [{"type": "provider_item", "item": item} for item in mine]
            calls = message.tool_calls or []
        if calls:
            answered = with_tools and _responses_after(messages, position) == len(calls)
            awaited = list(calls) if answered else []
            blocks += map(_call_block, calls) if answered else [_calls_as_text(calls)]
        elif awaited and role == MessageRole.TOOL_RESPONSE:
            blocks = [{"type": "tool_result", "id": awaited.pop(0).id, "blocks": blocks}]
        role = conversions.get(role, role)
        if not blocks:
            continue
        if role == MessageRole.SYSTEM:
            conversation.system += blocks
        elif conversation.turns and conversation.turns[-1].role == role:
            conversation.turns[-1].blocks += blocks
        else:
            conversation.turns.append(Turn(role, blocks))
    if not conversation.turns:
        if not conversation.system:
            raise ValueError("there are no messages to answer; give at least one that is not empty")
        conversation.turns.append(Turn("user", conversation.system))
        conversation.system = []
    return conversation


def _block_of(part: Any, position: int) -> Block | None:
    if not isinstance(part, Mapping) or "type" not in part:
        raise TypeError(
            f"message {position} has the content part {part!r:.80}; "
            "each part is a dictionary with a 'type', such as {'type': 'text', 'text': …}"
        )
    kind = part["type"]
    if kind == "text":
        return dict(part) if str(part.get("text") or "").strip() else None
    if kind == "image" and "image" in part:
        url = image_as_url(part["image"])
    elif kind == "image_url":
        given = part["image_url"]
        url = given["url"] if isinstance(given, Mapping) else str(given)
    elif kind in ("audio", "input_audio"):
        raise ValueError(f"message {position} has a part of type {kind!r}, and this API takes no sound; leave it out")
    else:
        return dict(part)
    if not url.startswith("data:"):
        return {"type": "image", "url": url}
    head, _, data = url.partition(",")
    media_type = head[len("data:") :].partition(";")[0]
    return {"type": "image", "media_type": media_type or "image/png", "data": data}


def _responses_after(messages: Any, position: int) -> int:
    count = 0
    for message in messages[position + 1 :]:
        if str(message["role"]) != MessageRole.TOOL_RESPONSE:
            break
        count += 1
    return count


def _call_block(call: ChatMessageToolCall) -> Block:
    arguments = call.function.arguments
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            arguments = {"arguments": arguments}
    if not isinstance(arguments, dict):
        arguments = {} if arguments is None else {"arguments": arguments}
    return {"type": "tool_use", "id": call.id, "name": call.function.name, "input": arguments}


def _calls_as_text(calls: list[ChatMessageToolCall]) -> Block:
    told = [{"id": call.id, "name": call.function.name, "arguments": call.function.arguments} for call in calls]
    return {"type": "text", "text": "Calling tools:\n" + json.dumps(told, ensure_ascii=False, default=str)}
