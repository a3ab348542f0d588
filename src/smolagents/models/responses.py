"""OpenAI's Responses API: what is sent and what comes back, as parameters of the chat API and messages.

The conversation is ours: nothing is stored at OpenAI (`store=False`). What a reasoning model thought comes back
encrypted, is kept in the message's `provider_items`, and is sent again with the calls and the text that it led to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from smolagents.types.errors import AgentGenerationError
from smolagents.types.messages import (
    ChatMessage,
    ChatMessageStreamDelta,
    ChatMessageToolCall,
    ChatMessageToolCallFunction,
    ChatMessageToolCallStreamDelta,
    MessageRole,
)
from smolagents.types.usage import TokenUsage

__all__ = ["PROVIDER", "TOOL_ROLES", "EventReader", "input_of", "message_of_response", "responses_arguments"]

PROVIDER = "openai-responses"
"""Name of this API in `ChatMessage.provider_items`."""

TOOL_ROLES = {role.value: role.value for role in (MessageRole.TOOL_CALL, MessageRole.TOOL_RESPONSE)}
"""Role conversions that keep calls and their results apart from the other messages, as `input_of` needs them."""

ENCRYPTED = "reasoning.encrypted_content"


def responses_arguments(parameters: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `client.responses.create` from parameters of the chat API."""
    arguments = dict(parameters)
    arguments["input"] = input_of(arguments.pop("messages"))
    for name in ("max_tokens", "max_completion_tokens"):
        if name in arguments:
            arguments.setdefault("max_output_tokens", arguments.pop(name))
    if "tools" in arguments:
        arguments["tools"] = [_tool(tool) for tool in arguments["tools"]]
    choice = arguments.get("tool_choice")
    if isinstance(choice, dict) and isinstance(choice.get("function"), dict):
        arguments["tool_choice"] = {"type": "function", "name": choice["function"].get("name")}
    text = dict(arguments.pop("text", None) or {})
    form = arguments.pop("response_format", None)
    if isinstance(form, dict):
        described = form.get("json_schema")
        text["format"] = {"type": form.get("type"), **described} if isinstance(described, dict) else form
    if "verbosity" in arguments:
        text["verbosity"] = arguments.pop("verbosity")
    if text:
        arguments["text"] = text
    if "reasoning_effort" in arguments:
        arguments["reasoning"] = {"effort": arguments.pop("reasoning_effort"), **(arguments.get("reasoning") or {})}
    return arguments


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    # This API is strict unless told otherwise, and strict schemas may have no optional inputs.
    return {"type": "function", "strict": False, **function}


def input_of(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The conversation as input items.

    Args:
        messages: Clean messages, in which the roles of tool calls and responses are kept. Assistant messages may have
            `provider_items`; these then stand for the message and for the tool calls that follow it, and the next
            tool response becomes the output of the calls.
    """
    items: list[dict[str, Any]] = []
    pending: list[str] = []
    outputs: list[str] = []
    held: list[dict[str, Any]] = []

    def settle() -> None:
        for position, call_id in enumerate(pending):
            # The results of a step are told together, so they are the output of its first call.
            told = "\n".join(outputs) or "(nothing)"
            output = told if position == 0 else "See the output of the first call."
            items.append({"type": "function_call_output", "call_id": call_id, "output": output})
        items.extend(map(_input_message, held))
        pending.clear()
        outputs.clear()
        held.clear()

    for message in messages:
        role = message["role"]
        own = message.get("provider_items") or []
        if pending and not own:
            if role == MessageRole.TOOL_CALL.value:
                continue  # in words what is there as calls
            if role == MessageRole.TOOL_RESPONSE.value:
                outputs.append(_text(message["content"]))
                continue
            if role == "user" and not outputs:  # images that a tool gave, which come before its text
                held.append(message)
                continue
        settle()
        if not own:
            items.append(_input_message(message))
            continue
        items.extend(_replayed(own, "" if role == MessageRole.TOOL_CALL.value else _text(message["content"])))
        pending += [item["call_id"] for item in own if item.get("type") == "function_call"]
    settle()
    return items


def _replayed(own: list[dict[str, Any]], text: str) -> Iterator[dict[str, Any]]:
    spoken = False
    for item in own:
        if item.get("type") != "message":
            yield item
        elif text and not spoken:
            spoken = True
            # What the message says now, which may have been cut at a stop sequence.
            yield {**item, "content": [{"type": "output_text", "text": text, "annotations": []}]}
    if text and not spoken and not any(item.get("type") == "function_call" for item in own):
        yield {"role": "assistant", "content": text}


def _input_message(message: dict[str, Any]) -> dict[str, Any]:
    role, content = message["role"], message["content"]
    if role == MessageRole.TOOL_CALL.value:
        role = "assistant"
    elif role == MessageRole.TOOL_RESPONSE.value:
        role = "user"
    if isinstance(content, str):
        return {"role": role, "content": content}
    kind = "output_text" if role == "assistant" else "input_text"
    return {"role": role, "content": [_part(part, kind) for part in content]}


def _part(part: dict[str, Any], text_kind: str) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"type": text_kind, "text": part["text"]}
    if part.get("type") == "image_url":
        image = part["image_url"]
        detail = {"detail": image["detail"]} if "detail" in image else {}
        return {"type": "input_image", "image_url": image["url"], **detail}
    return part


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")


def message_of_response(response: Any, stored: bool = False) -> ChatMessage:
    """The message in a response.

    Args:
        response: What the SDK returned.
        stored: Whether OpenAI stores the response, so that its items can be referred to.

    Raises:
        AgentGenerationError: the response has failed.
    """
    error = getattr(response, "error", None)
    if error is not None or response.status == "failed":
        raise _failure(error)
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ChatMessageToolCall] = []
    refused = False
    for item in response.output:
        if item.type == "message":
            for part in item.content:
                refused = refused or part.type == "refusal"
                texts.append(part.refusal if part.type == "refusal" else part.text)
        elif item.type == "reasoning":
            thoughts += [part.text for part in item.summary or ()] or [part.text for part in item.content or ()]
        elif item.type == "function_call":
            function = ChatMessageToolCallFunction(name=item.name, arguments=item.arguments)
            calls.append(ChatMessageToolCall(function=function, id=item.call_id, type="function"))
    return ChatMessage(
        role=MessageRole.ASSISTANT,
        content="".join(texts) or None,
        tool_calls=calls or None,
        raw=response,
        token_usage=_usage(response),
        reasoning_content="\n\n".join(thoughts) or None,
        finish_reason="content_filter" if refused else _finish_reason(response, bool(calls)),
        provider_items=_kept(response.output, stored),
    )


def _kept(output: Iterable[Any], stored: bool) -> list[dict[str, Any]] | None:
    """The items to send back; none where a thought came without what is needed to send it back."""
    items = [item.model_dump(mode="json", exclude_none=True) for item in output]
    if not stored and any(item["type"] == "reasoning" and "encrypted_content" not in item for item in items):
        return None
    return [{"provider": PROVIDER, "item": item} for item in items] or None


def _finish_reason(response: Any, calls: bool) -> str:
    if response.status == "incomplete":
        return getattr(response.incomplete_details, "reason", None) or "length"
    return "tool_calls" if calls else "stop"


def _usage(response: Any) -> TokenUsage | None:
    usage = response.usage
    if usage is None:
        return None
    given, made = getattr(usage, "input_tokens_details", None), getattr(usage, "output_tokens_details", None)
    return TokenUsage(
        usage.input_tokens,
        usage.output_tokens,
        cached_input_tokens=getattr(given, "cached_tokens", None),
        cache_write_tokens=getattr(given, "cache_write_tokens", None),
        reasoning_tokens=getattr(made, "reasoning_tokens", None),
    )


def _failure(error: Any) -> AgentGenerationError:
    code = getattr(error, "code", None)
    failure = AgentGenerationError(f"the response failed: {getattr(error, 'message', None) or error or code}")
    failure.kind = {"server_error": "server_error", "rate_limit_exceeded": "rate_limit"}.get(str(code))
    return failure


class EventReader:
    """Reads the events of one stream.

    Args:
        stored: As in `message_of_response`.
    """

    def __init__(self, stored: bool = False) -> None:
        self._stored = stored

    def __call__(self, event: Any) -> ChatMessageStreamDelta | None:
        kind = event.type
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            return ChatMessageStreamDelta(content=event.delta)
        if kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            return ChatMessageStreamDelta(reasoning_content=event.delta)
        if kind == "response.reasoning_summary_part.added":
            return ChatMessageStreamDelta(reasoning_content="\n\n") if event.summary_index else None
        if kind == "response.function_call_arguments.delta":
            return _call_piece(event.output_index, arguments=event.delta)
        if kind == "response.output_item.added" and event.item.type == "function_call":
            return _call_piece(event.output_index, event.item.call_id, event.item.name)
        if kind in ("response.completed", "response.incomplete"):
            message = message_of_response(event.response, self._stored)
            return ChatMessageStreamDelta(
                token_usage=message.token_usage,
                finish_reason=message.finish_reason,
                provider_items=message.provider_items,
            )
        if kind == "response.failed":
            raise _failure(event.response.error)
        if kind == "error":
            raise _failure(event)
        return None


def _call_piece(index: int, call_id: str | None = None, name: str = "", arguments: str = "") -> ChatMessageStreamDelta:
    piece = ChatMessageToolCallStreamDelta(
        index=index,
        id=call_id,
        type="function" if call_id else None,
        function=ChatMessageToolCallFunction(name=name, arguments=arguments),
    )
    return ChatMessageStreamDelta(tool_calls=[piece])
