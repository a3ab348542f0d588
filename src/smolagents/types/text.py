"""Small helpers for text that people and models read."""

from __future__ import annotations

__all__ = ["MAX_LENGTH_TRUNCATE_CONTENT", "truncate_content"]

MAX_LENGTH_TRUNCATE_CONTENT = 20_000
"""Characters of a text that are kept by default."""


def truncate_content(content: str, max_length: int = MAX_LENGTH_TRUNCATE_CONTENT) -> str:
    """Cut the middle out of a text that is longer than `max_length` characters, and say so in its place."""
    if len(content) <= max_length:
        return content
    half = max_length // 2
    return (
        f"{content[:half]}\n..._This content has been truncated to stay below {max_length} characters_...\n"
        f"{content[-half:] if half else ''}"
    )
