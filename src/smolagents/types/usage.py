"""What a step cost: tokens and time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Timing", "TokenUsage"]


@dataclass
class TokenUsage:
    """Tokens of one model call, or a sum over several.

    The optional counts are parts of `input_tokens` or `output_tokens`, not additions to them;
    each is None where the provider did not report it.
    """

    input_tokens: int
    output_tokens: int
    total_tokens: int = field(init=False)
    cached_input_tokens: int | None = field(default=None, kw_only=True)
    """Part of `input_tokens` that the provider served from its prompt cache."""
    cache_write_tokens: int | None = field(default=None, kw_only=True)
    """Part of `input_tokens` that the provider wrote to its prompt cache."""
    reasoning_tokens: int | None = field(default=None, kw_only=True)
    """Part of `output_tokens` that the model spent on reasoning."""
    cost: float | None = field(default=None, kw_only=True)
    """Price in US dollars; None where it is not known, and in a sum of which one part is not known."""

    def __post_init__(self) -> None:
        self.total_tokens = self.input_tokens + self.output_tokens

    def __add__(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            cached_input_tokens=_add(self.cached_input_tokens, other.cached_input_tokens),
            cache_write_tokens=_add(self.cache_write_tokens, other.cache_write_tokens),
            reasoning_tokens=_add(self.reasoning_tokens, other.reasoning_tokens),
            cost=_sum_of_costs(self, other),
        )

    def dict(self) -> dict[str, Any]:
        """The counts as a plain dictionary; counts that are unknown are left out."""
        data: dict[str, Any] = {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "total_tokens": self.total_tokens,
        }
        for name in ("cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "cost"):
            value = getattr(self, name)
            if value is not None:
                data[name] = value
        return data


def _add(a: int | None, b: int | None) -> int | None:
    if a is None:
        return b
    return a if b is None else a + b


def _sum_of_costs(a: TokenUsage, b: TokenUsage) -> float | None:
    costs = [usage.cost if usage.total_tokens or usage.cost is not None else 0.0 for usage in (a, b)]
    if costs[0] is None or costs[1] is None or (a.cost is None and b.cost is None):
        return None
    return costs[0] + costs[1]


@dataclass
class Timing:
    """When something started and ended, in seconds since the epoch."""

    start_time: float
    end_time: float | None = None

    @property
    def duration(self) -> float | None:
        """Seconds from start to end; None while it runs."""
        return None if self.end_time is None else self.end_time - self.start_time

    def dict(self) -> dict[str, Any]:
        return {"start_time": self.start_time, "end_time": self.end_time, "duration": self.duration}

    def __repr__(self) -> str:
        return f"Timing(start_time={self.start_time}, end_time={self.end_time}, duration={self.duration})"
