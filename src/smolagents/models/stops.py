"""Stop sequences for models that do not know them: the text is cut here instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from smolagents.types.messages import ChatMessageStreamDelta

__all__ = ["StopCutter", "cut_stream", "remove_content_after_stop_sequences"]


def remove_content_after_stop_sequences(content: Any, stop_sequences: Iterable[str] | None) -> Any:
    """The text before the first stop sequence in it. What is not text is returned as it is."""
    if not isinstance(content, str) or not stop_sequences:
        return content
    positions = [content.find(stop) for stop in stop_sequences if stop]
    return content[: min((position for position in positions if position >= 0), default=len(content))]


class StopCutter:
    """Cuts a stream of text at the first stop sequence, which may come in pieces.

    Args:
        stop_sequences: Where to cut. The sequence itself is left out.
    """

    def __init__(self, stop_sequences: Iterable[str]) -> None:
        self._stops = [stop for stop in stop_sequences if stop]
        self._kept_back = max(map(len, self._stops), default=1) - 1
        self._pending = ""
        self.stopped = False
        """Whether a stop sequence was met."""

    def feed(self, text: str) -> str:
        """Take a piece of text and return what is safe to show: what cannot be the start of a stop sequence."""
        if self.stopped:
            return ""
        self._pending += text
        found = min(
            (position for position in map(self._pending.find, self._stops) if position >= 0),
            default=-1,
        )
        if found >= 0:
            shown, self._pending, self.stopped = self._pending[:found], "", True
            return shown
        keep = 0
        for length in range(min(self._kept_back, len(self._pending)), 0, -1):
            tail = self._pending[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                keep = length
                break
        cut = len(self._pending) - keep
        shown, self._pending = self._pending[:cut], self._pending[cut:]
        return shown

    def flush(self) -> str:
        """What was kept back and turned out to be no stop sequence, at the end of the stream."""
        shown, self._pending = self._pending, ""
        return shown


def cut_stream(
    deltas: Iterable[ChatMessageStreamDelta], stop_sequences: Iterable[str]
) -> Iterator[ChatMessageStreamDelta]:
    """Cut the content of a stream at the first stop sequence. Usage that follows it is still passed on."""
    cutter = StopCutter(stop_sequences)
    for delta in deltas:
        if delta.content:
            delta = replace(delta, content=cutter.feed(delta.content) or None)  # noqa: PLW2901
        if cutter.stopped:
            if delta.content or delta.token_usage is not None:
                yield replace(delta, tool_calls=None)
        elif delta != ChatMessageStreamDelta():
            yield delta
    rest = cutter.flush()
    if rest:
        yield ChatMessageStreamDelta(content=rest)
