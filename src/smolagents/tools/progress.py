"""Progress of tools that take long: what a generator yields, or what a tool reports itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

__all__ = ["ToolProgress", "current_progress", "on_progress", "report_progress"]


@dataclass(frozen=True)
class ToolProgress:
    """How far a tool call is."""

    tool: str
    """Name of the tool."""
    value: Any
    """What the tool yielded or reported: a text, a number, anything."""


current_progress: ContextVar[Callable[[ToolProgress], object] | None] = ContextVar("current_progress", default=None)
"""What is told of progress; None where nobody wants to know. An agent's run sets it."""


def report_progress(tool: str, value: Any) -> None:
    """Tell how far a tool is. A tool that is no generator calls this from within `forward`.

    Args:
        tool: Name of the tool.
        value: What to tell.
    """
    told = current_progress.get()
    if told is not None:
        told(ToolProgress(tool, value))


@contextmanager
def on_progress(callback: Callable[[ToolProgress], object]) -> Iterator[None]:
    """Within the block, call `callback` with the progress of tools that are called in it.

    It is called in the thread of the tool.
    """
    token = current_progress.set(callback)
    try:
        yield
    finally:
        current_progress.reset(token)
