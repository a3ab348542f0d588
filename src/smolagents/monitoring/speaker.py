"""On whose behalf something is shown, where several agents share one screen."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple

__all__ = ["Speaker", "speaker"]


class Speaker(NamedTuple):
    """A run that shows something."""

    depth: int = 0
    """How many runs stand above it on the screen: its own messages are set in by as many bars."""
    name: str | None = None
    """What it is called on the screen; None for a run that needs no name to be told from others."""
    crowd: bool = False
    """Whether others speak at the same time, so that every message must say whose it is."""

    def heading(self, title: str, *, always: bool = False) -> str:
        """A title with the name before it, if it is needed there or `always` wanted."""
        return f"{self.name}: {title}" if self.name and (always or self.crowd) else title


speaker: ContextVar[Speaker] = ContextVar("smolagents_speaker", default=Speaker())  # noqa: B039 - it cannot change
