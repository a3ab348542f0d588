"""A model that plays given replies: for tests of agents, and for trying one out without a model.

from smolagents import CodeAgent
from smolagents.testing import ScriptedModel

model = ScriptedModel(["Thought: easy\\n<code>\\nfinal_answer(6 * 7)\\n</code>"])
assert CodeAgent(tools=[], model=model).run("What is 6 times 7?") == 42
model.assert_finished()
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any

from smolagents.models.base import Model
from smolagents.types.messages import (
    ChatMessage,
    ChatMessageStreamDelta,
    ChatMessageToolCall,
    ChatMessageToolCallFunction,
    ChatMessageToolCallStreamDelta,
    MessageRole,
)
from smolagents.types.usage import TokenUsage

__all__ = ["ScriptedModel", "ScriptedRequest", "tool_call", "tool_calls"]


class ScriptedRequest:
    """What a `ScriptedModel` was asked, once."""

    def __init__(self, messages: list[ChatMessage], arguments: dict[str, Any]) -> None:
        self.messages = messages
        self.stop_sequences: list[str] | None = arguments.get("stop_sequences")
        self.response_format: dict[str, Any] | None = arguments.get("response_format")
        self.tools_to_call_from: list[Any] | None = arguments.get("tools_to_call_from")
        self.arguments = arguments

    @property
    def text(self) -> str:
        """All messages as text, for assertions on what the model was told."""
        return "\n\n".join(f"[{message.role}]\n{message.text}" for message in self.messages)


def tool_call(name: str, arguments: Any = None, id: Any = None) -> ChatMessageToolCall:
    """One tool call, to be put into a reply by `tool_calls`."""
    function = ChatMessageToolCallFunction(name=name, arguments={} if arguments is None else arguments)
    return ChatMessageToolCall(function=function, id=id, type="function")


def tool_calls(*calls: ChatMessageToolCall, content: str | None = None) -> ChatMessage:
    """A reply that asks for tool calls."""
    return ChatMessage(role=MessageRole.ASSISTANT, content=content, tool_calls=list(calls))


class ScriptedModel(Model):
    """Plays replies in their order, and records what it was asked.

    Args:
        replies: Each a text, a `ChatMessage`, an exception to raise, or a function of the messages that
            returns one of these.
        usage: Token usage to report with each reply that has none; None to report none.
        chunk: Characters of a streamed piece.
        cycle: Start again with the first reply after the last.
        model_id: Name to go by.
    """

    def __init__(
        self,
        replies: Iterable[str | ChatMessage | Exception | Callable[[list[ChatMessage]], Any]],
        *,
        usage: TokenUsage | None = None,
        chunk: int = 8,
        cycle: bool = False,
        model_id: str = "scripted",
    ) -> None:
        super().__init__(model_id=model_id)
        self.replies = list(replies)
        self.requests: list[ScriptedRequest] = []
        self.usage = usage
        self.chunk = chunk
        self.cycle = cycle
        self._played = 0
        self._lock = threading.Lock()

    def _next(self, messages: list[ChatMessage], arguments: dict[str, Any]) -> ChatMessage:
        with self._lock:
            self.requests.append(ScriptedRequest(list(messages), arguments))
            if self._played >= len(self.replies) and not (self.cycle and self.replies):
                raise AssertionError(
                    f"the scripted model was asked a {len(self.requests)}. time, and has {len(self.replies)} replies. "
                    f"The last message was:\n{messages[-1].text if messages else ''}"
                )
            reply: Any = self.replies[self._played % len(self.replies)]
            self._played += 1
        if callable(reply) and not isinstance(reply, BaseException):
            reply = reply(messages)
        if isinstance(reply, BaseException):
            raise reply
        if isinstance(reply, str):
            reply = ChatMessage(role=MessageRole.ASSISTANT, content=reply)
        if reply.token_usage is None and self.usage is not None:
            reply.token_usage = self.usage
        return reply  # type: ignore[no-any-return]

    def generate(
        self,
        messages: Any,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, Any] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        return self._next(messages, _given(stop_sequences, response_format, tools_to_call_from, kwargs))

    def generate_stream(
        self,
        messages: Any,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, Any] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> Generator[ChatMessageStreamDelta, None, None]:
        reply = self._next(messages, _given(stop_sequences, response_format, tools_to_call_from, kwargs))
        text = reply.text
        for start in range(0, len(text), self.chunk):
            yield ChatMessageStreamDelta(content=text[start : start + self.chunk])
        for index, call in enumerate(reply.tool_calls or ()):
            piece = ChatMessageToolCallStreamDelta(index=index, id=call.id, type=call.type, function=call.function)
            yield ChatMessageStreamDelta(tool_calls=[piece])
        if reply.token_usage is not None:
            yield ChatMessageStreamDelta(token_usage=reply.token_usage)

    @property
    def remaining(self) -> int:
        """Replies that were not played yet."""
        return max(0, len(self.replies) - self._played)

    def assert_finished(self) -> None:
        """Fail unless every reply was played."""
        assert self.remaining == 0, f"{self.remaining} of {len(self.replies)} replies of the script were not asked for"


def _given(stop: Any, response_format: Any, tools: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    return {"stop_sequences": stop, "response_format": response_format, "tools_to_call_from": tools, **kwargs}
