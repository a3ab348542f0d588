"""Engines that generate token by token in this process: one reply at a time, in pieces, stopped when nobody waits."""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import queue
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, ClassVar

from smolagents.models.base import Messages, Model
from smolagents.models.local_text import IncrementalDecoder, ReplyReader
from smolagents.types.errors import AgentGenerationError
from smolagents.types.messages import ChatMessage, ChatMessageStreamDelta, agglomerate_stream_deltas
from smolagents.types.usage import TokenUsage

__all__ = ["Generation", "LocalEngineModel", "Sink", "checked_limit", "fitted_limit"]

Sink = Callable[[ChatMessageStreamDelta], Any]


class Generation:
    """One reply on its way. A subclass writes `produce`, which calls `take` with the tokens as they come.

    Args:
        decode: The text of a list of tokens, without special ones.
        reader: Reads the text.
        prompt_tokens: Tokens of the prompt.
        limit: Most tokens of the reply.
        ends: Tokens that end a reply.
        model_id: The model, for the message.
    """

    def __init__(
        self,
        decode: Callable[[list[int]], str],
        reader: ReplyReader,
        prompt_tokens: int,
        limit: int,
        ends: frozenset[int],
        model_id: str | None,
    ) -> None:
        self.prompt_tokens = prompt_tokens
        self.limit = limit
        self.cancelled = threading.Event()
        """Set it to end the generation at the next token."""
        self._decoder = IncrementalDecoder(decode)
        self._reader = reader
        self._ends = ends
        self._model_id = model_id
        self._count = 0
        self._last: int | None = None
        self._sink: Sink | None = None

    @property
    def done(self) -> bool:
        """Whether no further token is wanted."""
        return self._reader.stopped or self.cancelled.is_set()

    def produce(self) -> None:
        """Generate until the model ends its reply, the limit is reached, or `done`."""
        raise NotImplementedError

    def take(self, tokens: list[int]) -> None:
        """Read the next tokens of the reply; one that ends it is among them."""
        if not tokens:
            return
        self._count += len(tokens)
        self._last = tokens[-1]
        self._show(self._reader.feed(self._decoder.feed(tokens)))

    def run(self, sink: Sink) -> None:
        """Generate the reply, and give its pieces to `sink` as they come; the counts come with the last."""
        self._sink = sink
        self.produce()
        self._show(self._reader.feed(self._decoder.flush()))
        self._show(self._reader.rest())
        cut = not self._reader.stopped and self._last not in self._ends and self._count >= self.limit
        sink(
            ChatMessageStreamDelta(
                finish_reason="length" if cut else "stop",
                token_usage=TokenUsage(self.prompt_tokens, self._count),
                model_id=self._model_id,
            )
        )

    def _show(self, delta: ChatMessageStreamDelta | None) -> None:
        if delta is not None and self._sink is not None:
            self._sink(delta)


class LocalEngineModel(Model):
    """Base of models on such engines. A subclass writes `_generation`. Calls are answered one after the other."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock = threading.Lock()

    @property
    def supports_stop_parameter(self) -> bool:
        return True

    def generate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        return self._answer(self._generation(messages, stop_sequences, response_format, tools_to_call_from, kwargs))

    async def agenerate(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        from smolagents.models.bridge import in_thread

        arguments = (messages, stop_sequences, response_format, tools_to_call_from, kwargs)
        generation = await in_thread(self._generation, *arguments)
        try:
            return await in_thread(self._answer, generation)
        finally:  # when the task was cancelled, the engine stops too
            generation.cancelled.set()

    def generate_stream(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> Generator[ChatMessageStreamDelta, None, None]:
        """Answer a conversation piece by piece. Arguments and errors as in `generate`."""
        generation = self._generation(messages, stop_sequences, response_format, tools_to_call_from, kwargs)
        return _Streaming(generation, self._lock).pieces()

    async def agenerate_stream(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatMessageStreamDelta]:
        """Answer a conversation piece by piece, without blocking the event loop. As `generate_stream`."""
        from smolagents.models.bridge import in_thread, iterate_in_thread

        arguments = (messages, stop_sequences, response_format, tools_to_call_from, kwargs)
        generation = await in_thread(self._generation, *arguments)
        deltas: Any = iterate_in_thread(_Streaming(generation, self._lock).pieces)
        try:
            async with contextlib.aclosing(deltas):
                async for delta in deltas:
                    yield delta
        finally:
            generation.cancelled.set()

    def _generation(
        self,
        messages: Messages,
        stop_sequences: list[str] | None,
        response_format: Any,
        tools: list[Any] | None,
        kwargs: dict[str, Any],
    ) -> Generation:
        """The reply to a conversation, not yet begun.

        Raises:
            ValueError: a message or a parameter is wrong.
            AgentGenerationError: the conversation is too long.
        """
        raise NotImplementedError

    def _answer(self, generation: Generation) -> ChatMessage:
        deltas: list[ChatMessageStreamDelta] = []
        _run_in_turn(generation, self._lock, deltas.append)
        return agglomerate_stream_deltas(deltas)


def _run_in_turn(generation: Generation, lock: threading.Lock, sink: Sink) -> None:
    while not lock.acquire(timeout=0.1):
        if generation.cancelled.is_set():
            return
    try:
        if not generation.cancelled.is_set():
            generation.run(sink)
    finally:
        lock.release()


def checked_limit(parameters: dict[str, Any], default: int) -> int:
    """Take the most tokens of a reply out of `parameters`, under any of its names.

    Raises:
        ValueError: it is not a whole number above 0.
    """
    given = [parameters.pop(name, None) for name in ("max_new_tokens", "max_tokens", "max_completion_tokens")]
    limit = next((limit for limit in given if limit is not None), default)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ValueError(f"the most tokens of a reply are {limit!r}; give a whole number above 0")
    return limit


def fitted_limit(limit: int, prompt_tokens: int, context: int | None) -> int:
    """The most tokens of a reply, so that it and the prompt fit into the model's context, if that is known.

    Raises:
        AgentGenerationError: the prompt alone fills it.
    """
    if context is None:
        return limit
    if prompt_tokens >= context:
        raise AgentGenerationError(
            f"the conversation has {prompt_tokens} tokens and the model's context holds {context}; shorten the "
            "conversation, or use a model with a longer context"
        )
    return min(limit, context - prompt_tokens)


_DONE = object()


class _Streaming:
    """A generation in a thread, so that its pieces can be waited for and the wait can be interrupted."""

    active: ClassVar[weakref.WeakSet[_Streaming]] = weakref.WeakSet()

    def __init__(self, generation: Generation, lock: threading.Lock) -> None:
        self.generation = generation
        self._lock = lock
        self._pieces: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._work,), name="local-engine", daemon=True
        )

    def _work(self) -> None:
        try:
            _run_in_turn(self.generation, self._lock, self._pieces.put)
        except Exception as error:
            self._pieces.put(error)
        finally:
            self._pieces.put(_DONE)

    def pieces(self) -> Generator[ChatMessageStreamDelta, None, None]:
        """The pieces as they come. Closing the iterator stops the generation at its next token."""
        _Streaming.active.add(self)
        self.thread.start()
        try:
            while True:
                try:
                    # With a timeout, as a wait without one cannot be interrupted from the keyboard on Windows.
                    item = self._pieces.get(timeout=0.5)
                except queue.Empty:
                    continue
                if item is _DONE:
                    return
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.generation.cancelled.set()


@atexit.register
def _stop_all() -> None:
    # A thread that comes back from the engine after the interpreter is gone would bring the process down.
    active = [streaming for streaming in _Streaming.active if streaming.thread.is_alive()]
    for streaming in active:
        streaming.generation.cancelled.set()
    with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C while the first is being obeyed
        for streaming in active:
            streaming.thread.join(timeout=10)
