"""What engines in this process share: tokens become text piece by piece, thoughts apart from the answer, cut at stops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from smolagents.models.reasoning import ThoughtSplitter
from smolagents.models.stops import StopCutter
from smolagents.types.messages import ChatMessageStreamDelta

__all__ = ["IncrementalDecoder", "ReplyReader", "opens_thought"]

_BROKEN = "\N{REPLACEMENT CHARACTER}"
"""What decoders write for bytes that are no whole character: one for all of them, or one for each."""
_LONGEST_START = 3
"""Bytes that a character in UTF-8 may lack its last one after."""
_CONTEXT = 8
"""Tokens that are kept, so that the next one is read in their company."""


class IncrementalDecoder:
    """Turns tokens into text as they come. Each is decoded a few times, however long the text grows.

    Text is decoded together with the tokens before it, since tokenizers write a token in other ways at the start of a
    text than within it. A character that comes in several tokens is held back until it is whole.

    Args:
        decode: The text of a list of tokens.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._tokens: list[int] = []
        self._shown = 0
        """Characters of their text that were returned."""

    def feed(self, tokens: Iterable[int]) -> str:
        """Take further tokens and return the text that is whole."""
        self._tokens.extend(tokens)
        text = self._decode(self._tokens)
        broken = len(text) - len(text.rstrip(_BROKEN))
        held = min(broken, _LONGEST_START)  # what is broken before these will never be whole
        fresh = text[self._shown : len(text) - held]
        self._shown = max(self._shown, len(text) - held)
        if len(self._tokens) > 2 * _CONTEXT:
            waiting = len(text) - self._shown
            del self._tokens[:-_CONTEXT]
            self._shown = max(len(self._decode(self._tokens)) - waiting, 0)
        return fresh

    def flush(self) -> str:
        """What was held back, at the end."""
        fresh = self._decode(self._tokens)[self._shown :] if self._tokens else ""
        self._shown += len(fresh)
        return fresh


class ReplyReader:
    """Reads a reply from the pieces of its text.

    Args:
        stop_sequences: Where the answer ends. Thoughts may hold them.
        thinks_first: The prompt opened a thought, so the text begins within it.
    """

    def __init__(self, stop_sequences: Sequence[str] = (), thinks_first: bool = False) -> None:
        self._splitter = ThoughtSplitter()
        if thinks_first:
            self._splitter.feed("<think>")
        self._cutter = StopCutter(stop_sequences)

    @property
    def stopped(self) -> bool:
        """Whether a stop sequence was met: what follows is no part of the reply."""
        return self._cutter.stopped

    def feed(self, text: str) -> ChatMessageStreamDelta | None:
        """Take a piece of text and return what of it is to be seen now; None if nothing is."""
        if not text or self.stopped:
            return None
        thought, answer = self._splitter.feed(text)
        return _delta(thought, self._cutter.feed(answer) if answer else "")

    def rest(self) -> ChatMessageStreamDelta | None:
        """What was kept back, at the end of the text."""
        thought, answer = self._splitter.flush()
        if self.stopped:
            return None
        return _delta(thought, self._cutter.feed(answer) + self._cutter.flush())


def opens_thought(prompt: str) -> bool:
    """Whether a prompt, or the end of one, opens a thought that the reply goes on with."""
    return prompt.rstrip().endswith(("<think>", "<thinking>", "[THINK]"))


def _delta(thought: str, answer: str) -> ChatMessageStreamDelta | None:
    if not thought and not answer:
        return None
    return ChatMessageStreamDelta(content=answer or None, reasoning_content=thought or None)
