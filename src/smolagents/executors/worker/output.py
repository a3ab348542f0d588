"""What the code prints."""

from __future__ import annotations

import io

__all__ = ["Output"]


class Output(io.TextIOBase):
    """Takes the place of `sys.stdout` and `sys.stderr` while code runs.

    Args:
        limit: Characters worth keeping. Of much more than that, the middle is dropped.
    """

    encoding = "utf-8"
    errors = "surrogatepass"

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self._parts: list[str] = []
        self._length = 0

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._parts.append(text)
        self._length += len(text)
        if self._length > 4 * self.limit + 100_000:
            whole = "".join(self._parts)
            self._parts = [whole[: 2 * self.limit + 1], whole[-(2 * self.limit + 1) :]]
            self._length = sum(map(len, self._parts))
        return len(text)

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """Stays open: the code may close `sys.stdout`, and print again in its next step."""

    def take(self) -> str:
        """What was printed since the last look."""
        text = "".join(self._parts)
        self._parts.clear()
        self._length = 0
        return text
