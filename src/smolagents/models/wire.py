"""A call to a provider from beginning to end, written once: waiting, calling, learning, retrying, reading, explaining.

    messages ── _parameters ──> parameters ── _fit ──> _create / _acreate ──> response ── _message ──> ChatMessage
                                                                              chunks   ── _reader ───> deltas

A provider's class only maps: what it sends, and what comes back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from smolagents.models.api import ApiModel
from smolagents.models.base import Messages
from smolagents.models.bridge import in_thread
from smolagents.models.endpoints import without_credentials
from smolagents.models.failures import failure_kind, is_too_long, status_of
from smolagents.models.finish_reasons import normalized_finish_reason
from smolagents.models.prices import add_cost
from smolagents.models.reasoning import separate_reasoning
from smolagents.models.refining import Refiner
from smolagents.models.stops import remove_content_after_stop_sequences
from smolagents.types.errors import AgentGenerationError
from smolagents.types.messages import ChatMessage, ChatMessageStreamDelta

__all__ = ["Reader", "WireModel"]

Reader = Callable[[Any], "ChatMessageStreamDelta | None"]
"""Makes a delta of one chunk of a stream; None where the chunk says nothing. One reader serves one stream."""

_MOST_LESSONS = 6
"""Parameters that may be refused one after the other in one call."""

_REMEDIES = {
    "timeout": "a longer timeout can be set where the model is made",
    "connection": "the answer broke off; check the network, and the server's log if it is yours",
    "unreachable": "check the address, that the server runs, and that the network lets you through",
}

_HASTE = "too many calls, or no credit; requests_per_minute=… spaces calls out"
"""Remedy of status 429 where it is not told which of the two it is."""


class WireModel(ApiModel):
    """Base of models that are called over a network, with all that does not depend on the provider.

    A subclass defines these:

    - `create_client()`, the blocking client, kept as `client`;
    - `_create(parameters)`, which makes the call; with `stream` among the parameters it returns an iterable of chunks,
      with `close()` if it holds a connection;
    - `_acreate(parameters)`, the same without blocking; `_can_await()` says whether it can be used, and where it
      cannot, calls are made in a thread;
    - `_message(response)` and `_reader()`, which read what came back;
    - `_explain(error)`, which says what an error of the SDK means and what to do; None for errors of others.

    Parameters are those of OpenAI's chat API (`stop`, `max_tokens`, `tool_choice`…) until `_create` gets them, so that
    facts about models and refusals of parameters mean the same for all providers: a provider with other words
    translates them in `_create`.

    Retries, limits, stop sequences that the provider does not take, thoughts in think tags, the words for finish
    reasons, usage (once per stream), cost and the name of the model are added here.
    """

    provider_name: ClassVar[str | None] = None
    """Name in `ChatMessage.provider_items` of what is this API's, to be had back in its messages."""

    _gives_reasons = False
    """Whether the server says why a reply is over, so that a stream that ends without it was broken off. Not all servers
    of OpenAI's API do; what one does is seen from its replies."""

    def _create(self, parameters: dict[str, Any]) -> Any:
        """Make the call. With `stream` among the parameters, an iterable of chunks, with `close` if it holds a connection."""
        raise NotImplementedError

    async def _acreate(self, parameters: dict[str, Any]) -> Any:
        """Make the call without blocking. With `stream` among the parameters, an async iterable of chunks."""
        raise NotImplementedError

    def _can_await(self) -> bool:
        """Whether `_acreate` can be used; if not, calls are made in a thread."""
        return True

    def _message(self, response: Any) -> ChatMessage:
        """The message in a response."""
        raise NotImplementedError

    def _reader(self) -> Reader:
        """What reads the chunks of one stream."""
        raise NotImplementedError

    def _explain(self, error: Exception) -> str | None:
        """What an error of the SDK means and what to do; None for an error that is not the SDK's."""
        raise NotImplementedError

    def _price(self, message: ChatMessage) -> None:
        """Set the cost of a reply's usage, if the price is known."""
        add_cost(message.token_usage, message.model_id or self.model_id, self._seller())

    def _seller(self) -> str | None:
        """Who sells the calls, as `cost_of` wants it: the URL that the SDK's client calls."""
        client = self.client
        if getattr(client, "__name__", None) == "litellm":
            return "litellm"
        url = getattr(client, "base_url", None) or getattr(getattr(client, "meta", None), "endpoint_url", None)
        return str(url) if url else None

    # The four ways to call

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
            return self.retryer(self._answer, parameters, stop_sequences)

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
            await in_thread(self._parameters, *prepare) if _has_media(messages) else self._parameters(*prepare)
        )
        with self._explaining():
            return await self.retryer.acall(self._aanswer, parameters, stop_sequences)

    def generate_stream(
        self,
        messages: Messages,
        stop_sequences: list[str] | None = None,
        response_format: dict[str, str] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> Generator[ChatMessageStreamDelta, None, None]:
        """Answer a conversation piece by piece. Arguments and errors as in `generate`.

        Closing the iterator closes the connection. What fails before the first piece is tried again; after it, no
        more, as the pieces cannot be taken back.
        """
        parameters = self._parameters(
            messages, stop_sequences, response_format, tools_to_call_from, kwargs, stream=True
        )
        return self._stream(parameters, stop_sequences)

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
        prepare = (messages, stop_sequences, response_format, tools_to_call_from, kwargs, True)
        if not _has_media(messages):
            return self._astream(self._parameters(*prepare), stop_sequences)
        return self._astream_of(prepare, stop_sequences)

    # One call

    def _answer(self, parameters: dict[str, Any], stops: list[str] | None) -> ChatMessage:
        with self.concurrency_limiter.turn():
            response, sent = self._called(parameters)
        return self._finished(response, _stops_to_cut_at(stops, parameters, sent))

    async def _aanswer(self, parameters: dict[str, Any], stops: list[str] | None) -> ChatMessage:
        async with self.concurrency_limiter.aturn():
            response, sent = await self._acalled(parameters)
        return self._finished(response, _stops_to_cut_at(stops, parameters, sent))

    def _called(self, parameters: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The response, and the parameters that were sent: those that the model was found to take."""
        for lessons_left in range(_MOST_LESSONS, -1, -1):
            sent = self._fit(parameters)
            self.rate_limiter.throttle()
            try:
                return self._create(sent), sent
            except Exception as error:
                if not lessons_left or not self._learn_from(error, sent):
                    raise
        raise AssertionError("unreachable")

    async def _acalled(self, parameters: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        for lessons_left in range(_MOST_LESSONS, -1, -1):
            sent = self._fit(parameters)
            await self.rate_limiter.athrottle()
            try:
                return await self._acreate(sent), sent
            except Exception as error:
                if not lessons_left or not self._learn_from(error, sent):
                    raise
        raise AssertionError("unreachable")

    def _finished(self, response: Any, stops: list[str]) -> ChatMessage:
        message = self._message(response)
        separate_reasoning(message)
        message.finish_reason = normalized_finish_reason(message.finish_reason)
        if message.finish_reason is not None:
            self._gives_reasons = True
        if stops:
            cut = remove_content_after_stop_sequences(message.content, stops)
            if cut != message.content:
                message.content, message.finish_reason = cut, "stop"
        message.model_id = message.model_id or self.model_id
        self._price(message)
        return message

    # One stream

    def _stream(
        self, parameters: dict[str, Any], stops: list[str] | None
    ) -> Generator[ChatMessageStreamDelta, None, None]:
        with self._explaining():
            first, deltas = self.retryer(self._opened, parameters, stops)
            try:
                if first is not None:
                    yield first
                    yield from deltas
            finally:
                deltas.close()

    def _opened(
        self, parameters: dict[str, Any], stops: list[str] | None
    ) -> tuple[ChatMessageStreamDelta | None, Generator[ChatMessageStreamDelta, None, None]]:
        deltas = self._deltas(parameters, stops)
        return next(deltas, None), deltas

    def _deltas(
        self, parameters: dict[str, Any], stops: list[str] | None
    ) -> Generator[ChatMessageStreamDelta, None, None]:
        with self.concurrency_limiter.turn():
            response, sent = self._called(parameters)
            try:
                refiner = self._refiner(_stops_to_cut_at(stops, parameters, sent))
                read, refine, heard = self._reader(), refiner.feed, False
                for chunk in response:
                    heard = True
                    delta = read(chunk)
                    if delta is not None:
                        delta = refine(delta)
                        if delta is not None:
                            yield delta
                if not heard:
                    raise _nothing_came(response)
                yield from self._last(refiner)
            finally:
                close = getattr(response, "close", None)
                if close is not None:
                    close()

    async def _astream_of(
        self, prepare: tuple[Any, ...], stops: list[str] | None
    ) -> AsyncGenerator[ChatMessageStreamDelta, None]:
        parameters = await in_thread(self._parameters, *prepare)
        stream = self._astream(parameters, stops)
        try:
            async for delta in stream:
                yield delta
        finally:
            await stream.aclose()

    async def _astream(
        self, parameters: dict[str, Any], stops: list[str] | None
    ) -> AsyncGenerator[ChatMessageStreamDelta, None]:
        with self._explaining():
            first, deltas = await self.retryer.acall(self._aopened, parameters, stops)
            try:
                if first is not None:
                    yield first
                    async for delta in deltas:
                        yield delta
            finally:
                await deltas.aclose()

    async def _aopened(
        self, parameters: dict[str, Any], stops: list[str] | None
    ) -> tuple[ChatMessageStreamDelta | None, AsyncGenerator[ChatMessageStreamDelta, None]]:
        deltas = self._adeltas(parameters, stops)
        try:
            return await deltas.__anext__(), deltas
        except StopAsyncIteration:
            return None, deltas

    async def _adeltas(
        self, parameters: dict[str, Any], stops: list[str] | None
    ) -> AsyncGenerator[ChatMessageStreamDelta, None]:
        async with self.concurrency_limiter.aturn():
            response, sent = await self._acalled(parameters)
            try:
                refiner = self._refiner(_stops_to_cut_at(stops, parameters, sent))
                read, refine, heard = self._reader(), refiner.feed, False
                async for chunk in response:
                    heard = True
                    delta = read(chunk)
                    if delta is not None:
                        delta = refine(delta)
                        if delta is not None:
                            yield delta
                if not heard:
                    raise _nothing_came(response)
                for delta in self._last(refiner):
                    yield delta
            finally:
                close = getattr(response, "aclose", None) or getattr(response, "close", None)
                if close is not None:
                    await close()

    def _refiner(self, stops: list[str]) -> Refiner:
        return Refiner(stops, self.known_facts.thinks_first)

    def _last(self, refiner: Refiner) -> Iterable[ChatMessageStreamDelta]:
        """What was kept back, and at the end what is known of the whole call."""
        rest, summary = refiner.rest()
        if rest is not None:
            yield rest
        if summary.finish_reason is not None:
            self._gives_reasons = True
        elif self._gives_reasons:
            failure = AgentGenerationError("the server ended the stream before the end of the reply")
            failure.kind = "connection"
            raise failure
        summary.model_id = summary.model_id or self.model_id
        if summary.token_usage is not None:
            message = ChatMessage("assistant", token_usage=summary.token_usage, model_id=summary.model_id)  # type: ignore[arg-type]
            self._price(message)
        yield summary

    # What is shared

    def _parameters(
        self,
        messages: Messages,
        stop_sequences: list[str] | None,
        response_format: dict[str, str] | None,
        tools_to_call_from: list[Any] | None,
        kwargs: Mapping[str, Any],
        stream: bool = False,
    ) -> dict[str, Any]:
        """The parameters of a call, before they are fitted to the model."""
        extra: dict[str, Any] = {"stream": True} if stream else {}
        return self._prepare_completion_kwargs(
            messages,
            stop_sequences=stop_sequences,
            response_format=response_format,
            tools_to_call_from=tools_to_call_from,
            custom_role_conversions=self.custom_role_conversions,
            convert_images_to_image_urls=True,
            reasoning_replay=self.known_facts.reasoning_replay,
            provider=self.provider_name,
            **{"model": self.model_id, **extra, **kwargs},
        )

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Give the SDK's errors words that say what to do, and say which kind they are."""
        try:
            yield
        except AgentGenerationError as error:
            if error.kind is None:
                error.kind, error.status = failure_kind(error), status_of(error)
            raise
        except Exception as error:
            kind = failure_kind(error)
            meaning = self._explain(error)
            if meaning is None:
                if kind not in _REMEDIES:
                    raise
                meaning = f"{self.model_id}: {type(error).__name__}: {error}; {_REMEDIES[kind]}"
            if kind == "quota":
                meaning = meaning.replace(
                    _HASTE, "the account has no credit left, or is at its limit; see its billing"
                )
            elif is_too_long(error):
                meaning += "; the conversation is longer than the model can read: shorten it, or take another model"
            failure = AgentGenerationError(without_credentials(" ".join(meaning.split())))
            failure.kind, failure.status = kind, status_of(error)
            raise failure from error


def _stops_to_cut_at(asked: list[str] | None, parameters: dict[str, Any], sent: dict[str, Any]) -> list[str]:
    """Stop sequences that were wanted and not sent, for whatever reason."""
    wanted = [*_texts(asked), *_texts(parameters.get("stop"))]
    taken = _texts(sent.get("stop"))
    return [stop for stop in wanted if stop not in taken]


def _nothing_came(response: Any) -> AgentGenerationError:
    """A stream that ended before it began is no empty reply: the server broke off, or answered something else."""
    headers = getattr(getattr(response, "response", None), "headers", None) or {}
    media_type = str(headers.get("content-type") or "").partition(";")[0]
    if media_type and not media_type.endswith("stream"):
        return AgentGenerationError(
            f"the server answered with {media_type} in place of a stream; check its address, and that it can stream"
        )
    failure = AgentGenerationError("the server ended the stream before its first piece")
    failure.kind = "connection"
    return failure


def _texts(stops: Any) -> list[str]:
    return [stops] if isinstance(stops, str) else [stop for stop in stops or () if isinstance(stop, str)]


def _has_media(messages: Messages) -> bool:
    contents = (message.get("content") for message in messages if isinstance(message, (ChatMessage, Mapping)))
    return any(
        isinstance(part, Mapping) and part.get("type") in ("image", "audio")
        for content in contents
        if isinstance(content, list)
        for part in content
    )
