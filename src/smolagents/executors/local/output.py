"""What the code prints, kept within bounds."""

from __future__ import annotations

from typing import Any

from smolagents.types.text import truncate_content

__all__ = ["DEFAULT_MAX_LEN_OUTPUT", "PrintContainer"]

DEFAULT_MAX_LEN_OUTPUT = 50_000
"""Characters of printed output that are kept by default."""


class PrintContainer:
    """Collects printed text. Of text beyond `limit` characters the beginning and the end are kept.

    Args:
        limit: Characters that are kept; None keeps all.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self._parts: list[str] = []
        self._length = 0
        self._dropped = False

    def append(self, text: str) -> PrintContainer:
        """Add `text`."""
        self._parts.append(text)
        self._length += len(text)
        if self.limit is not None and self._length > 4 * self.limit + 100_000:
            self._shorten(self.limit)
        return self

    def __iadd__(self, text: Any) -> PrintContainer:
        return self.append(str(text))

    def _shorten(self, limit: int) -> None:
        text = "".join(self._parts)
        self._parts = [text[: limit + 1], text[-(limit + 1) :]]
        self._length = sum(map(len, self._parts))
        self._dropped = True

    @property
    def value(self) -> str:
        """The text so far, truncated with a notice if it is longer than the limit."""
        text = "".join(self._parts)
        return text if self.limit is None else truncate_content(text, self.limit)

    def __str__(self) -> str:
        return self.value

    def __repr__(self) -> str:
        return f"PrintContainer({self.value!r})"

    def __len__(self) -> int:
        return self._length
