"""What Anthropic's API is sent and sends: blocks, tools, cache marks, usage, and the events of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from smolagents.models.blocks import Block, CallPieces
from smolagents.types.messages import ChatMessageStreamDelta
from smolagents.types.usage import TokenUsage

__all__ = ["StreamReader", "item_of", "mark_for_cache", "usage_of", "wire_blocks", "wire_choice", "wire_tool"]

_MOST_MARKS = 4
"""Cache marks that a request may have: https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""


class StreamReader:
    """Reads the events of one stream."""

    def __init__(self) -> None:
        self._calls = CallPieces()
        self._thoughts: dict[int, dict[str, Any]] = {}
        self._thought_before = False
        self._usage: dict[str, Any] = {}

    def read(self, event: Any) -> ChatMessageStreamDelta | None:
        kind = event.type
        if kind == "content_block_delta":
            return self._piece(event.index, event.delta)
        if kind == "content_block_start":
            return self._start(event.index, event.content_block)
        if kind == "content_block_stop":
            return self._stop(event.index)
        if kind == "message_start":
            self._count(event.message.usage)
            return ChatMessageStreamDelta(model_id=event.message.model)
        if kind == "message_delta":
            self._count(getattr(event, "usage", None))
            return ChatMessageStreamDelta(token_usage=usage_of(self._usage), finish_reason=event.delta.stop_reason)
        return None

    def _piece(self, index: int, delta: Any) -> ChatMessageStreamDelta | None:
        kind = delta.type
        if kind == "text_delta":
            return ChatMessageStreamDelta(content=delta.text)
        if kind == "input_json_delta":
            return self._calls.add(index, delta.partial_json)
        if kind == "thinking_delta":
            self._thoughts[index]["thinking"] += delta.thinking
            return ChatMessageStreamDelta(reasoning_content=delta.thinking or None)
        if kind == "signature_delta":
            self._thoughts[index]["signature"] = self._thoughts[index].get("signature", "") + delta.signature
        return None

    def _start(self, index: int, block: Any) -> ChatMessageStreamDelta | None:
        if block.type == "text":
            return ChatMessageStreamDelta(content=block.text) if block.text else None
        if block.type == "tool_use":
            return self._calls.begin(index, block.name, block.id)
        if block.type == "thinking":
            self._thoughts[index] = {"type": "thinking", "thinking": block.thinking, "signature": block.signature}
            # Thoughts are parted as they are in a whole reply.
            opening = ("\n" if self._thought_before else "") + block.thinking
            self._thought_before = True
            return ChatMessageStreamDelta(reasoning_content=opening or None)
        if block.type == "redacted_thinking":
            item = item_of({"type": "redacted_thinking", "data": block.data})
            return ChatMessageStreamDelta(provider_items=[item])
        return None

    def _stop(self, index: int) -> ChatMessageStreamDelta | None:
        thought = self._thoughts.pop(index, None)
        if thought is not None:
            return ChatMessageStreamDelta(provider_items=[item_of(thought)])
        return self._calls.end(index)

    def _count(self, usage: Any) -> None:
        for name in _COUNTS:
            value = getattr(usage, name, None)
            if value is not None:
                self._usage[name] = value


_COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens_details",
)


def usage_of(usage: Any) -> TokenUsage | None:
    """Usage as we count it: Anthropic's input tokens are those that came from no cache and went into none."""
    counts = usage if isinstance(usage, dict) else {name: getattr(usage, name, None) for name in _COUNTS}
    if counts.get("input_tokens") is None and counts.get("output_tokens") is None:
        return None
    details = counts.get("output_tokens_details")
    read, written = counts.get("cache_read_input_tokens"), counts.get("cache_creation_input_tokens")
    return TokenUsage(
        (counts.get("input_tokens") or 0) + (read or 0) + (written or 0),
        counts.get("output_tokens") or 0,
        cached_input_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=details.get("thinking_tokens")
        if isinstance(details, dict)
        else getattr(details, "thinking_tokens", None),
    )


def item_of(block: dict[str, Any]) -> dict[str, Any]:
    return {"provider": "anthropic", "item": block}


def wire_blocks(blocks: Sequence[Block]) -> list[Block]:
    return [_wire_block(block) for block in blocks]


def _wire_block(block: Block) -> Block:
    kind = block["type"]
    if kind == "provider_item":
        return dict(block["item"])
    if kind == "image" and "data" in block:
        source = {"type": "base64", "media_type": block["media_type"], "data": block["data"]}
        return {"type": "image", "source": source}
    if kind == "image" and "url" in block:
        return {"type": "image", "source": {"type": "url", "url": block["url"]}}
    if kind == "tool_result" and isinstance(block.get("content"), list):
        return {**block, "content": wire_blocks(block["content"])}
    return dict(block)


def wire_tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool.get("function") if tool.get("type") == "function" else None
    if function is None:
        return dict(tool)  # one of the API's own
    return {
        "name": function["name"],
        "description": function.get("description") or "",
        "input_schema": function["parameters"],
    }


def wire_choice(choice: Any) -> dict[str, Any]:
    if isinstance(choice, dict):
        if choice.get("type") == "function":
            return {"type": "tool", "name": choice["function"]["name"]}
        return dict(choice)
    named = {"required": "any", "auto": "auto", "any": "any", "none": "none"}.get(choice)
    if named is None:
        raise ValueError(f"tool_choice is {choice!r}; use 'required', 'auto', 'none', or a dictionary")
    return {"type": named}


def mark_for_cache(request: dict[str, Any], mark: dict[str, Any]) -> None:
    """Mark the ends of what will be sent again: the tools, the instructions, and the last two turns of the user.

    The mark on the turn before the last is where this call reads what the last one wrote.
    """
    mine = [turn["content"] for turn in request["messages"] if turn["role"] == "user"][-2:]
    left = _MOST_MARKS - sum(1 for block in _blocks_in(request) if "cache_control" in block)
    for blocks in (request.get("tools"), request.get("system"), *reversed(mine)):
        if left > 0 and blocks and "cache_control" not in blocks[-1]:
            blocks[-1]["cache_control"] = dict(mark)
            left -= 1


def _blocks_in(request: dict[str, Any]) -> Iterator[Block]:
    yield from request.get("tools") or ()
    yield from request.get("system") or ()
    for turn in request["messages"]:
        for block in turn["content"]:
            yield block
            if isinstance(block.get("content"), list):
                yield from block["content"]
