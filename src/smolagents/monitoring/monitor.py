"""Counts over the steps of an agent."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from smolagents.types.usage import TokenUsage

if TYPE_CHECKING:
    from smolagents.monitoring.logger import AgentLogger

__all__ = ["Monitor"]


class Monitor:
    """Adds up the time and tokens of steps, and logs one line for each.

    Args:
        tracked_model: The model whose tokens are counted.
        logger: Where the lines go.
    """

    step_durations: list[float]
    """Seconds each step took, in order; steps whose time is unknown are left out."""
    total_input_token_count: int
    total_output_token_count: int

    def __init__(self, tracked_model: Any, logger: AgentLogger) -> None:
        self.tracked_model = tracked_model
        self.logger = logger
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Start counting from zero."""
        self.step_durations = []
        self.total_input_token_count = 0
        self.total_output_token_count = 0

    def get_total_token_counts(self) -> TokenUsage:
        """Tokens of all steps so far. Steps whose model did not report its tokens count as zero."""
        return TokenUsage(self.total_input_token_count, self.total_output_token_count)

    def update_metrics(self, step_log: Any, *, agent: Any = None) -> None:
        """Add a step's time and tokens, and log them.

        Args:
            step_log: A step with `timing` and `token_usage`; either may be None, which means unknown.
            agent: The agent that took the step, as step callbacks are given it.
        """
        timing = getattr(step_log, "timing", None)
        duration: float | None = None if timing is None else timing.duration
        usage: TokenUsage | None = getattr(step_log, "token_usage", None)
        with self._lock:
            if duration is not None:
                self.step_durations.append(duration)
            if usage is not None:
                self.total_input_token_count += usage.input_tokens
                self.total_output_token_count += usage.output_tokens
        self.logger.log_metrics(getattr(step_log, "step_number", None), duration, usage)
