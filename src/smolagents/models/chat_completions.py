"""Models whose API has the form of OpenAI's chat completions: the calls, written once for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from smolagents.models.api import ApiModel
from smolagents.models.base import Messages
from smolagents.models.bridge import in_thread
from smolagents.models.stops import StreamCutter, remove_content_after_stop_sequences
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

__all__ = ["ChatCompletionsModel", "delta_of_chunk", "message_of_completion"]


class ChatCompletionsModel(ApiModel):
    """Base of models that are called as OpenAI's chat completions are.

    A subclass says how a call is made (`_create`, and `_acreate` if its SDK is async too) and what its errors mean
    (`_explain`). Retries, rate limits, stop sequences, usage and streams are the same for all.
    """

    def _create(self, parameters: dict[str, Any]) -> Any:
        """Make the call. With `stream` among the parameters, an iterable of chunks, with `close` if it holds a connection."""
        raise NotImplementedError

    async def _acreate(self, parameters: dict[str, Any]) -> Any:
        """Make the call without blocking. With `stream` among the parameters, an async iterable of chunks."""
        raise NotImplementedError

    def _explain(self, error: Exception) -> str | None:
        """What an error of the SDK means and what to do; None for an error that is not the SDK's."""
        raise NotImplementedError

    def _can_await(self) -> bool:
        """Whether `_acreate` can be used; if not, calls are made in a thread."""
        return True

    def generate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        parameters = self._parameters(messages, stop_sequences, response_format, tools_to_call_from, kwargs)
        with self._explaining():
            response = self.retryer(self._create_in_turn, parameters)
        return self._finished(response, stop_sequences)

    async def agenerate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        if not self._can_await():
            return await super().agenerate(messages, stop_sequences, response_format, tools_to_call_from, **kwargs)
        # Images may have to be read and encoded, so the messages are prepared off the loop if there are any.
        prepare = (messages, stop_sequences, response_format, tools_to_call_from, kwargs)
        parameters = (
            await in_thread(self._parameters, *prepare) if _has_images(messages) else self._parameters(*prepare)
        )
        with self._explaining():
            response = await self.retryer.acall(self._acreate_in_turn, parameters)
        return self._finished(response, stop_sequences)

    def generate_stream(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatMessageStreamDelta]:
        """Answer a conversation piece by piece. Arguments and errors as in `generate`.

        Closing the iterator closes the connection.
        """
        parameters = self._parameters(
            messages, stop_sequences, response_format, tools_to_call_from, kwargs, stream=True
        )
        return self._stream(parameters, self._cutter(stop_sequences))

    def _stream(self, parameters: dict[str, Any], cutter: StreamCutter) -> Iterator[ChatMessageStreamDelta]:
        response = None
        try:
            with self._explaining():
                response = self.retryer(self._create_in_turn, parameters)
                for chunk in response:
                    delta = cutter.feed(delta_of_chunk(chunk))
                    if delta is not None:
                        yield delta
            rest = cutter.rest()
            if rest is not None:
                yield rest
        finally:
            close = getattr(response, "close", None)
            if close is not None:
                close()

    def agenerate_stream(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatMessageStreamDelta]:
        if not self._can_await():
            return super().agenerate_stream(messages, stop_sequences, response_format, tools_to_call_from, **kwargs)
        parameters = self._parameters(
            messages, stop_sequences, response_format, tools_to_call_from, kwargs, stream=True
        )
        return self._astream(parameters, self._cutter(stop_sequences))

    async def _astream(
        self, parameters: dict[str, Any], cutter: StreamCutter
    ) -> AsyncIterator[ChatMessageStreamDelta]:
        response = None
        try:
            with self._explaining():
                response = await self.retryer.acall(self._acreate_in_turn, parameters)
                async for chunk in response:
                    delta = cutter.feed(delta_of_chunk(chunk))
                    if delta is not None:
                        yield delta
            rest = cutter.rest()
            if rest is not None:
                yield rest
        finally:
            close = getattr(response, "aclose", None) or getattr(response, "close", None)
            if close is not None:
                await close()

    def _create_in_turn(self, parameters: dict[str, Any]) -> Any:
        self.rate_limiter.throttle()
        return self._create(parameters)

    async def _acreate_in_turn(self, parameters: dict[str, Any]) -> Any:
        await self.rate_limiter.athrottle()
        return await self._acreate(parameters)

    def _parameters(
        self,
        messages: Messages,
        stop_sequences: list[str] | None,
        response_format: dict[str, str] | None,
        tools_to_call_from: list[Any] | None,
        kwargs: Mapping[str, Any],
        stream: bool = False,
    ) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        if stream:
            extra["stream"] = True
            if "stream_options" not in self.kwargs:
                extra["stream_options"] = {"include_usage": True}
        return self._prepare_completion_kwargs(
            messages,
            stop_sequences=stop_sequences,
            response_format=response_format,
            tools_to_call_from=tools_to_call_from,
            custom_role_conversions=self.custom_role_conversions,
            convert_images_to_image_urls=True,
            **{"model": self.model_id, **extra, **kwargs},
        )

    def _cutter(self, stop_sequences: list[str] | None) -> StreamCutter:
        return StreamCutter(None if self.supports_stop_parameter else stop_sequences)

    def _finished(self, response: Any, stop_sequences: list[str] | None) -> ChatMessage:
        message = message_of_completion(response)
        if not self.supports_stop_parameter:
            message.content = remove_content_after_stop_sequences(message.content, stop_sequences)
        return message

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Give the SDK's errors words that say what to do."""
        try:
            yield
        except Exception as error:
            meaning = self._explain(error)
            if meaning is None:
                raise
            raise AgentGenerationError(" ".join(meaning.split())) from error


def message_of_completion(response: Any) -> ChatMessage:
    """The message in a chat completion.

    Raises:
        AgentGenerationError: there is none.
    """
    choices = getattr(response, "choices", None)
    if not choices:
        reason = getattr(response, "error", None) or "it has no choices"
        raise AgentGenerationError(f"the server's answer holds no message: {reason}")
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
        token_usage=_usage_of(response),
        reasoning_content=_reasoning_of(message),
        finish_reason=getattr(choice, "finish_reason", None),
    )


def delta_of_chunk(chunk: Any) -> ChatMessageStreamDelta:
    """The delta in a chunk of a streamed chat completion.

    Raises:
        AgentGenerationError: the server reported an error in the middle of the stream.
    """
    error = getattr(chunk, "error", None)
    if error:
        raise AgentGenerationError(f"the server broke off its answer: {error}")
    usage = _usage_of(chunk)
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
    )


def _usage_of(response: Any) -> TokenUsage | None:
    usage = getattr(response, "usage", None)
    if usage is None:
        return None
    prompt, completion = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
    if prompt is None and completion is None:
        return None
    return TokenUsage(
        prompt or 0,
        completion or 0,
        cached_input_tokens=getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None),
        reasoning_tokens=getattr(getattr(usage, "completion_tokens_details", None), "reasoning_tokens", None),
    )


def _reasoning_of(message: Any) -> str | None:
    # Servers differ in the name they give to what the model thought.
    reasoning = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
    return reasoning if isinstance(reasoning, str) and reasoning else None


def _has_images(messages: Messages) -> bool:
    return any(
        isinstance(message["content"], list) and any(part.get("type") == "image" for part in message["content"])
        for message in messages
        if isinstance(message, ChatMessage)
    )
