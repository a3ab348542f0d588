"""Stop sequences for models that do not know them: the text is cut here instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from smolagents.types.messages import ChatMessageStreamDelta

__all__ = ["StopCutter", "StreamCutter", "remove_content_after_stop_sequences"]


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


class StreamCutter:
    """Cuts the content of a stream of deltas at the first stop sequence. Usage that follows is still passed on.

    Args:
        stop_sequences: Where to cut; None or empty to pass everything on.
    """

    def __init__(self, stop_sequences: Iterable[str] | None) -> None:
        stops = list(stop_sequences or ())
        self._cutter = StopCutter(stops) if stops else None

    def feed(self, delta: ChatMessageStreamDelta) -> ChatMessageStreamDelta | None:
        """Take a delta and return what is left of it; None if nothing is."""
        if self._cutter is not None:
            was_stopped = self._cutter.stopped
            if delta.content:
                delta = replace(delta, content=self._cutter.feed(delta.content) or None)
            if was_stopped:
                delta = ChatMessageStreamDelta(token_usage=delta.token_usage)
        return None if delta == _NOTHING else delta

    def rest(self) -> ChatMessageStreamDelta | None:
        """What was kept back, at the end of the stream."""
        text = self._cutter.flush() if self._cutter is not None else ""
        return ChatMessageStreamDelta(content=text) if text else None


_NOTHING = ChatMessageStreamDelta()
