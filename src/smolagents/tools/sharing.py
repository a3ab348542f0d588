"""Tools as source code: saved, sent elsewhere, loaded."""

from __future__ import annotations

from typing import Any

__all__ = ["Shareable"]


class Shareable:
    """What a tool can do to travel."""

    name: str

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def from_dict(cls, tool_dict: dict[str, Any], **kwargs: Any) -> Any:
        raise NotImplementedError
