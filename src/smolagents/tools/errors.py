"""What can be wrong with a tool's definition, and with a call."""

from __future__ import annotations

__all__ = ["ToolDefinitionError", "ToolTimeoutError"]


class ToolDefinitionError(TypeError, ValueError):
    """A tool is not declared as it must be; the message says what to write.

    It is a `TypeError` and a `ValueError`, since programs catch either.
    """


class ToolTimeoutError(TimeoutError):
    """A call took longer than the tool's `timeout`; the message says whether it was stopped."""

    still_running: bool = False
    """True where the call goes on in its thread, which cannot be stopped from outside."""
