"""From a provider's deltas to those that callers see: thoughts apart, stop sequences cut, usage once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from smolagents.models.finish_reasons import normalized_finish_reason
from smolagents.models.reasoning import ThoughtSplitter
from smolagents.models.stops import StopCutter
from smolagents.types.messages import ChatMessageStreamDelta
from smolagents.types.usage import TokenUsage

__all__ = ["Refiner"]


class Refiner:
    """Refines the deltas of one stream.

    Args:
        stop_sequences: Where to cut the text; empty where the provider does it.
        thinks_first: The text begins within a thought that the prompt's template opened.
    """

    def __init__(self, stop_sequences: Iterable[str] = (), thinks_first: bool = False) -> None:
        stops = list(stop_sequences)
        self._cutter = StopCutter(stops) if stops else None
        self._splitter: ThoughtSplitter | None = ThoughtSplitter(thinks_first)
        self._assuming = thinks_first
        self._usage: TokenUsage | None = None
        self._finish_reason: str | None = None
        self._model_id: str | None = None

    def feed(self, delta: ChatMessageStreamDelta) -> ChatMessageStreamDelta | None:
        """Take a delta and return what of it is to be seen now; None if nothing is."""
        if delta.token_usage is not None or delta.finish_reason is not None or delta.model_id is not None:
            usage = delta.token_usage
            if usage is not None and (self._usage is None or usage.total_tokens >= self._usage.total_tokens):
                self._usage = usage
            self._finish_reason = delta.finish_reason or self._finish_reason
            self._model_id = delta.model_id or self._model_id
            delta = replace(delta, token_usage=None, finish_reason=None, model_id=None)
        cutter = self._cutter
        if cutter is not None and cutter.stopped:
            items = delta.provider_items
            return None if items is None else ChatMessageStreamDelta(provider_items=items)
        if self._assuming and delta.reasoning_content:  # the server tells thought from answer itself
            self._assuming, self._splitter = False, ThoughtSplitter()
        content = delta.content
        if content:
            splitter = self._splitter
            if splitter is not None:
                thought, content = splitter.feed(content)
                if splitter.answering:
                    self._splitter = None
                if thought or content != delta.content:
                    known = delta.reasoning_content
                    delta = replace(delta, content=content or None, reasoning_content=(known or "") + thought or known)
            if cutter is not None and content:
                delta = replace(delta, content=cutter.feed(content) or None)
        return None if delta == _NOTHING else delta

    def rest(self) -> tuple[ChatMessageStreamDelta | None, ChatMessageStreamDelta]:
        """At the end of the stream: what was kept back, if anything, and what is known of the whole call."""
        thought, answer = self._splitter.flush() if self._splitter is not None else ("", "")
        finish_reason = normalized_finish_reason(self._finish_reason)
        cutter = self._cutter
        if cutter is not None:
            answer = cutter.feed(answer) + cutter.flush()
            if cutter.stopped:
                finish_reason = "stop"
        rest = None
        if thought or answer:
            rest = ChatMessageStreamDelta(content=answer or None, reasoning_content=thought or None)
        summary = ChatMessageStreamDelta(token_usage=self._usage, finish_reason=finish_reason, model_id=self._model_id)
        return rest, summary


_NOTHING = ChatMessageStreamDelta()
