"""What can be wrong with a tool's definition."""

from __future__ import annotations

__all__ = ["ToolDefinitionError"]


class ToolDefinitionError(TypeError, ValueError):
    """A tool is not declared as it must be; the message says what to write.

    It is a `TypeError` and a `ValueError`, since programs catch either.
    """
