"""Models whose API has the form of OpenAI's chat completions: what comes back is read here for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smolagents.models.base import Messages
from smolagents.models.wire import Reader, WireModel
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

__all__ = ["ChatCompletionsModel", "ChunkReader", "delta_of_chunk", "message_of_completion", "usage_of"]


class ChatCompletionsModel(WireModel):
    """Base of models that are called as OpenAI's chat completions are.

    A subclass says how a call is made (`_create`, and `_acreate` if its SDK is async too) and what its errors mean
    (`_explain`).
    """

    def _message(self, response: Any) -> ChatMessage:
        return message_of_completion(response)

    def _reader(self) -> Reader:
        return ChunkReader()

    def _parameters(
        self,
        messages: Messages,
        stop_sequences: list[str] | None,
        response_format: dict[str, str] | None,
        tools_to_call_from: list[Any] | None,
        kwargs: Mapping[str, Any],
        stream: bool = False,
    ) -> dict[str, Any]:
        if stream and "stream_options" not in self.kwargs:
            kwargs = {"stream_options": {"include_usage": True}, **kwargs}
        return super()._parameters(
            messages, stop_sequences, response_format, tools_to_call_from, kwargs, stream=stream
        )


def message_of_completion(response: Any) -> ChatMessage:
    """The message in a chat completion.

    Raises:
        AgentGenerationError: there is none.
    """
    choices = getattr(response, "choices", None)
    if not choices:
        reason = getattr(response, "error", None)
        if reason:
            raise _failure(f"the server's answer holds no message: {reason}", reason)
        raise AgentGenerationError(
            f"the server's answer holds no message: it has no choices, but is {str(response)!r:.200}; check that its "
            "address is right to the end (it often ends in /v1), and that it speaks OpenAI's API"
        )
    choice = choices[0]
    message = choice.message
    return ChatMessage(
        role=MessageRole.ASSISTANT,
        content=message.content,
        tool_calls=[
            ChatMessageToolCall(
                function=ChatMessageToolCallFunction(name=call.function.name, arguments=call.function.arguments),
                id=getattr(call, "id", None) or f"call_{position}",
                type=getattr(call, "type", None) or "function",
            )
            for position, call in enumerate(message.tool_calls or ())
            if getattr(call, "function", None) is not None
        ]
        or None,
        raw=response,
        token_usage=usage_of(response),
        reasoning_content=_reasoning_of(message),
        finish_reason=getattr(choice, "finish_reason", None),
        provider_items=_details_of(message),
        model_id=None,
    )


class ChunkReader:
    """Reads the chunks of one stream. Pieces of `reasoning_details` are put together and given at the end."""

    def __init__(self) -> None:
        self._details: dict[Any, dict[str, Any]] = {}

    def __call__(self, chunk: Any) -> ChatMessageStreamDelta:
        delta = delta_of_chunk(chunk)
        if delta.provider_items is not None:
            for item in delta.provider_items:
                self._add(item["item"])
            delta.provider_items = None
        if delta.finish_reason is not None and self._details:
            delta.provider_items = [{"provider": _DETAILS, "item": item} for item in self._details.values()]
            self._details = {}
        return delta

    def _add(self, piece: dict[str, Any]) -> None:
        key = piece.get("index", len(self._details)), piece.get("type")
        known = self._details.setdefault(key, {})
        for name, value in piece.items():
            if name in ("text", "summary", "data") and isinstance(value, str) and isinstance(known.get(name), str):
                known[name] += value
            elif value is not None or name not in known:
                known[name] = value


def delta_of_chunk(chunk: Any) -> ChatMessageStreamDelta:
    """The delta in a chunk of a streamed chat completion.

    Raises:
        AgentGenerationError: the server reported an error in the middle of the stream.
    """
    error = _further(chunk, "error")
    if error:
        raise _failure(f"the server broke off its answer: {error}", error)
    usage = usage_of(chunk)
    choices = getattr(chunk, "choices", None)
    if not choices:
        return ChatMessageStreamDelta(token_usage=usage)
    choice = choices[0]
    delta = choice.delta
    if delta is None:
        return ChatMessageStreamDelta(token_usage=usage, finish_reason=getattr(choice, "finish_reason", None))
    pieces = delta.tool_calls
    return ChatMessageStreamDelta(
        content=delta.content or None,
        tool_calls=[
            ChatMessageToolCallStreamDelta(
                index=getattr(piece, "index", None),
                id=getattr(piece, "id", None),
                type=getattr(piece, "type", None),
                function=None
                if piece.function is None
                else ChatMessageToolCallFunction(
                    name=piece.function.name or "", arguments=piece.function.arguments or ""
                ),
            )
            for piece in pieces
        ]
        if pieces
        else None,
        token_usage=usage,
        reasoning_content=_reasoning_of(delta),
        finish_reason=getattr(choice, "finish_reason", None),
        provider_items=_details_of(delta),
    )


def _failure(message: str, reason: Any) -> AgentGenerationError:
    failure = AgentGenerationError(message)
    code = reason.get("code") if isinstance(reason, dict) else None
    if isinstance(code, int) and 400 <= code < 600:
        failure.status = code
    return failure


def usage_of(response: Any) -> TokenUsage | None:
    """The usage in a completion or a chunk of one; None if it has none."""
    usage = getattr(response, "usage", None)
    if usage is None:
        return None
    prompt, completion = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
    if prompt is None and completion is None:
        return None
    details = getattr(usage, "prompt_tokens_details", None)
    return TokenUsage(
        prompt or 0,
        completion or 0,
        cached_input_tokens=_first_count(
            (details, "cached_tokens"), (usage, "prompt_cache_hit_tokens"), (usage, "cache_read_input_tokens")
        ),
        cache_write_tokens=_first_count(
            (details, "cache_write_tokens"),
            (details, "cache_creation_tokens"),
            (usage, "cache_creation_input_tokens"),
        ),
        reasoning_tokens=_first_count((getattr(usage, "completion_tokens_details", None), "reasoning_tokens")),
    )


def _further(holder: Any, name: str) -> Any:
    """A field that OpenAI's API does not have; None where it is not there.

    To ask a pydantic object for an attribute that it lacks takes it two microseconds, and there are several of them in
    every chunk of a stream. Where it keeps the fields that its class does not name is known at once.
    """
    try:
        further = holder.__pydantic_extra__
        named = type(holder).__pydantic_fields__
    except AttributeError:  # of another kind
        return getattr(holder, name, None)
    if name in named:
        return getattr(holder, name, None)
    return further.get(name) if further else None


def _first_count(*places: tuple[Any, str]) -> int | None:
    # Servers of this API differ in the names they give to counts beyond OpenAI's.
    for holder, name in places:
        count = holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)
        if isinstance(count, int):
            return count
    return None


def _reasoning_of(message: Any) -> str | None:
    # Servers differ in the name they give to what the model thought.
    reasoning = _further(message, "reasoning_content") or _further(message, "reasoning")
    return reasoning if isinstance(reasoning, str) and reasoning else None


_DETAILS = "reasoning_details"


def _details_of(message: Any) -> list[dict[str, Any]] | None:
    details = _further(message, _DETAILS)
    if not isinstance(details, list):
        return None
    return [{"provider": _DETAILS, "item": dict(item)} for item in details if isinstance(item, Mapping)] or None
