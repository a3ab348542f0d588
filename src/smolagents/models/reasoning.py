"""What a model thought before it answered, where it stands in the text of its reply."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["ThoughtSplitter", "separate_reasoning", "split_reasoning"]

_TAGS = (("<think>", "</think>"), ("<thinking>", "</thinking>"), ("[THINK]", "[/THINK]"))
_LONGEST = max(len(opening) for opening, _ in _TAGS)
_BLOCK = re.compile(
    r"\s*(?:" + "|".join(f"{re.escape(opening)}(.*?)(?:{re.escape(closing)}|\\Z)" for opening, closing in _TAGS) + ")",
    re.DOTALL,
)


def split_reasoning(text: str) -> tuple[str | None, str]:
    """The thought at the start of a reply, and the rest of it.

    Templates of some models open the thought themselves, so that only its end is in the reply: that is found too. A
    thought that does not end was cut, and is all there is.

    Args:
        text: A reply, such as "<think>Hm.</think>Yes."

    Returns:
        The thought without its tags, None if there is none; and the answer.
    """
    thoughts: list[str] = []
    position = 0
    while (block := _BLOCK.match(text, position)) is not None:
        thoughts.append(next(group for group in block.groups() if group is not None).strip())
        position = block.end()
    if not thoughts:
        for opening, closing in _TAGS:
            end = text.find(closing)
            if end >= 0 and opening not in text[:end]:
                thoughts.append(text[:end].strip())
                position = end + len(closing)
                break
        else:
            return None, text
    return "\n".join(thought for thought in thoughts if thought) or None, text[position:].lstrip()


def separate_reasoning(message: Any) -> Any:
    """Move a thought at the start of a message's text to its `reasoning_content`. The message is changed and returned."""
    content = message.content
    if isinstance(content, str) and ("think>" in content or "THINK]" in content):
        thought, answer = split_reasoning(content)
        if thought is not None or answer != content:
            message.content = answer
            known = message.reasoning_content
            message.reasoning_content = f"{known}\n{thought}" if known and thought else known or thought
    return message


class ThoughtSplitter:
    """Tells thought from answer in a stream of text, where the tags may come in pieces.

    Args:
        thinking: The text begins within a thought that the prompt's template opened.
    """

    def __init__(self, thinking: bool = False) -> None:
        self._closing = _TAGS[0][1] if thinking else ""
        self._assumed = thinking
        self._pending = ""
        self._said: list[str] = []
        self.answering = False
        """Whether the answer has begun: no more thought is looked for."""

    def feed(self, text: str) -> tuple[str, str]:
        """Take a piece of text. Returns what of it is thought and what is answer."""
        if self.answering:
            return "", text
        self._pending += text
        thought = ""
        while True:
            if self._closing:
                end = self._pending.find(self._closing)
                if end < 0:
                    cut = len(self._pending) - _overlap(self._pending, self._closing)
                    piece, self._pending = self._pending[:cut], self._pending[cut:]
                    return thought + self._thought(piece), ""
                thought += self._thought(self._pending[:end])
                self._pending = self._pending[end + len(self._closing) :]
                self._closing, self._assumed = "", False
            start = self._pending.lstrip()
            opened = next((tags for tags in _TAGS if start.startswith(tags[0])), None)
            if opened is not None:
                self._closing = opened[1]
                self._pending = start[len(opened[0]) :].lstrip()
                continue
            if len(start) < _LONGEST and any(opening.startswith(start) for opening, _ in _TAGS):
                return thought, ""  # it may yet be a tag
            self.answering = True
            answer, self._pending = (start if self._said else self._pending), ""
            return thought, answer

    def _thought(self, text: str) -> str:
        if not self._said:
            text = text.lstrip()
        if text:
            self._said.append(text)
        return text

    def flush(self) -> tuple[str, str]:
        """What was kept back, at the end of the stream: thought and answer.

        Where a thought was only assumed and never ended, all of the text was the answer.
        """
        pending, self._pending = self._pending, ""
        if self._assumed:
            return "", "".join(self._said) + pending
        if self._closing:
            return pending, ""
        return "", "" if self._said and not pending.strip() else pending


def _overlap(text: str, tag: str) -> int:
    """Length of the longest end of `text` that is a beginning of `tag`."""
    for length in range(min(len(text), len(tag) - 1), 0, -1):
        if tag.startswith(text[-length:]):
            return length
    return 0
