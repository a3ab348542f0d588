"""Showing a run as it happens: turns its events into lines and panels of the logger."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from smolagents.agents.loop import StepStarted
from smolagents.agents.run import ActionOutput, ToolOutput
from smolagents.memory import ActionStep, FinalAnswerStep, PlanningStep, TaskStep, ToolCall
from smolagents.monitoring import AgentLogger, LogLevel

if TYPE_CHECKING:
    from smolagents.agents.run import Run

__all__ = ["Reporter"]

_NOTHING = nullcontext()


class Reporter:
    """Shows the events of an agent's runs.

    Args:
        logger: Where they are shown.
    """

    def __init__(self, logger: AgentLogger) -> None:
        self.logger = logger

    def observe(self, run: Run, event: Any) -> None:
        """Show an event. A failure to show is no failure of the run."""
        if self.logger.level < LogLevel.ERROR:
            return
        try:
            self._show(run, event)
        except Exception:
            import logging

            logging.getLogger("smolagents").exception("an event could not be shown")

    def _show(self, run: Run, event: Any) -> None:
        logger = self.logger
        kind = type(event)
        if kind is ActionStep:
            if event.error is not None:
                logger.log_error(str(event.error))
            return
        if logger.level < LogLevel.INFO:
            return
        if kind is StepStarted:
            logger.log_rule(f"Step {event.number}" if event.kind is ActionStep else "Planning", level=LogLevel.INFO)
        elif kind is TaskStep:
            model = run.agent.model
            name = getattr(model, "model_id", None)
            subtitle = type(model).__name__ + (f" - {name}" if name else "")
            logger.log_task(event.task.strip(), subtitle, title=run.agent.name, level=LogLevel.INFO)
        elif kind is ToolCall:
            if event.name == "python_interpreter" and isinstance(event.arguments, str):
                logger.log_code("Executing parsed code:", event.arguments, level=LogLevel.INFO)
            else:
                logger.log(f"Calling tool: '{event.name}' with arguments: {event.arguments}", level=LogLevel.INFO)
        elif kind is ToolOutput:
            if not event.is_final_answer:
                logger.log(f"Observations: {event.observation}", level=LogLevel.INFO)
        elif kind is PlanningStep:
            logger.log_markdown(event.plan, title="Plan", level=LogLevel.INFO)
        elif kind is FinalAnswerStep:
            logger.log(f"Final answer: {event.output}", level=LogLevel.INFO, style="bold #d4b702")
        elif kind is ActionOutput:
            pass

    def thinking(self, run: Run) -> AbstractContextManager[Any]:
        """What is shown while the model thinks."""
        if self.logger.level < LogLevel.INFO:
            return _NOTHING
        return self.logger.status("Thinking…")

    def failed(self, run: Run, error: Exception) -> None:
        """Show why a run ended early, unless its last step has shown it."""
        steps = run.memory.steps
        if self.logger.level < LogLevel.ERROR or (steps and getattr(steps[-1], "error", None) is not None):
            return
        self.logger.log_error(f"{type(error).__name__}: {error}")
