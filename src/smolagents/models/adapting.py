"""Models that are not ours: plain callables and objects with a `generate`, given the whole interface."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from smolagents.models.base import Messages, Model
from smolagents.models.bridge import in_thread, iterate_in_thread
from smolagents.models.reasoning import separate_reasoning
from smolagents.models.stops import remove_content_after_stop_sequences
from smolagents.types.messages import ChatMessage, ChatMessageStreamDelta, MessageRole

__all__ = ["as_model"]


def as_model(obj: Any) -> Any:
    """Make of `obj` something with the interface of `Model`.

    Args:
        obj: A model, returned as it is; an object with a `generate` method; or a callable that takes the messages
            and returns a `ChatMessage`, a text, or a dictionary. Sync or async. Keyword arguments that it does not
            take are not passed.

    Raises:
        TypeError: `obj` is none of these.
    """
    generate = getattr(obj, "generate", None)
    if callable(generate) and not isinstance(obj, type):
        return obj if isinstance(obj, Model) and not _is_async(generate) else _AdaptedModel(obj, generate)
    if callable(obj) and not isinstance(obj, type):
        return _AdaptedModel(obj, obj)
    made = f"the class {obj.__name__} itself; make an instance of it" if isinstance(obj, type) else repr(obj)
    raise TypeError(
        f"a model is an object with a generate() method, or a callable that takes messages; this is {made:.200}"
    )


class _AdaptedModel(Model):
    """A wrapped object. Attributes that this class lacks are those of the object."""

    def __init__(self, wrapped: Any, function: Callable[..., Any]) -> None:
        super().__init__(model_id=getattr(wrapped, "model_id", None) or getattr(wrapped, "__name__", None))
        self.wrapped = wrapped
        self._generate = function
        self._accepted = _keyword_names(function)
        for name in ("tool_name_key", "tool_arguments_key", "prefers_compact_prompts"):
            if hasattr(wrapped, name):
                setattr(self, name, getattr(wrapped, name))

    def __getattr__(self, name: str) -> Any:
        if name == "wrapped":
            raise AttributeError(name)
        return getattr(self.wrapped, name)

    def __repr__(self) -> str:
        return f"as_model({self.wrapped!r})"

    def generate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        arguments = self._arguments(stop_sequences, response_format, tools_to_call_from, kwargs)
        reply = self._generate(messages, **arguments)
        if inspect.isawaitable(reply):
            reply = _run_to_end(reply)
        return self._message(reply, stop_sequences)

    async def agenerate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        own = getattr(self.wrapped, "agenerate", None)
        arguments = self._arguments(stop_sequences, response_format, tools_to_call_from, kwargs, own)
        if own is not None:
            reply = await own(messages, **arguments)
        elif _is_async(self._generate):
            reply = await self._generate(messages, **arguments)
        else:
            reply = await in_thread(self._generate, messages, **arguments)
            if inspect.isawaitable(reply):
                reply = await reply
        return self._message(reply, stop_sequences)

    def agenerate_stream(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatMessageStreamDelta]:
        own = getattr(self.wrapped, "agenerate_stream", None)
        stream = own or getattr(self.wrapped, "generate_stream", None)
        if stream is None:
            raise NotImplementedError(f"{self.wrapped!r} cannot stream: it has no generate_stream()")
        arguments = self._arguments(stop_sequences, response_format, tools_to_call_from, kwargs, stream)
        if own is not None:
            deltas: AsyncIterator[ChatMessageStreamDelta] = own(messages, **arguments)
            return deltas

        def start() -> Iterator[ChatMessageStreamDelta]:
            return iter(stream(messages, **arguments))

        return iterate_in_thread(start)

    def parse_tool_calls(self, message: ChatMessage) -> ChatMessage:
        own = getattr(self.wrapped, "parse_tool_calls", None)
        if own is None:
            return super().parse_tool_calls(message)
        parsed: ChatMessage = own(message)
        return parsed

    def _arguments(
        self,
        stop_sequences: list[str] | None,
        response_format: dict[str, str] | None,
        tools_to_call_from: list[Any] | None,
        kwargs: Mapping[str, Any],
        function: Callable[..., Any] | None = None,
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "stop_sequences": stop_sequences,
            "response_format": response_format,
            "tools_to_call_from": tools_to_call_from,
            **kwargs,
        }
        accepted = self._accepted if function is None else _keyword_names(function)
        if accepted is None:
            return {name: value for name, value in arguments.items() if value is not None or name == "stop_sequences"}
        return {name: value for name, value in arguments.items() if name in accepted}

    def _message(self, reply: Any, stop_sequences: list[str] | None) -> ChatMessage:
        if isinstance(reply, str):
            reply = ChatMessage(MessageRole.ASSISTANT, reply)
        elif isinstance(reply, Mapping):
            reply = ChatMessage.from_dict({"role": MessageRole.ASSISTANT, **reply})
        elif not isinstance(reply, ChatMessage) and not hasattr(reply, "content"):
            raise TypeError(
                f"the model {self.wrapped!r} returned {type(reply).__name__}; "
                "return a ChatMessage, a text, or a dictionary with 'content'"
            )
        if isinstance(reply, ChatMessage) and self._accepted is not None and "stop_sequences" not in self._accepted:
            separate_reasoning(reply)  # first, as a stop sequence within a thought ends nothing
            reply.content = remove_content_after_stop_sequences(reply.content, stop_sequences)
        message: ChatMessage = reply
        return message


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004
    )


def _keyword_names(function: Callable[..., Any]) -> frozenset[str] | None:
    """Keyword arguments that a callable takes beside the messages; None when it takes any."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return frozenset()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return frozenset(parameter.name for parameter in parameters[1:] if parameter.kind in named)


def _run_to_end(awaitable: Any) -> Any:
    import asyncio

    async def run() -> Any:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    if hasattr(awaitable, "close"):
        awaitable.close()
    raise TypeError("this model is async and cannot be called from inside a running event loop; await agenerate()")
