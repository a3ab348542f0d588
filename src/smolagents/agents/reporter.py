"""Showing runs as they happen: each step's thought, action, outcome and errors, and one live line in between."""

from __future__ import annotations

import contextlib
import logging
import re
from typing import TYPE_CHECKING, Any

from smolagents.agents.loop import StepStarted
from smolagents.agents.run import ToolOutput
from smolagents.memory import ActionStep, FinalAnswerStep, PlanningStep, TaskStep, ToolCall
from smolagents.monitoring import YELLOW_HEX, AgentLogger, LogLevel
from smolagents.monitoring.text import one_line
from smolagents.tools.progress import ToolProgress
from smolagents.types.messages import ChatMessage, ChatMessageStreamDelta

if TYPE_CHECKING:
    from smolagents.agents.run import Run
    from smolagents.monitoring.live import Activity

__all__ = ["Reporter"]


class Reporter:
    """Shows the events of an agent's runs. A failure to show one is no failure of the run.

    Args:
        logger: Where they are shown.
    """

    def __init__(self, logger: AgentLogger) -> None:
        self.logger = logger

    def observe(self, run: Run, event: Any) -> None:
        """Show an event."""
        if run.watch is not None:
            run.tell(event)
        level = self.logger.level
        if level < LogLevel.ERROR:
            return
        try:
            if level == LogLevel.ERROR:
                if type(event) is ActionStep and event.error is not None:
                    self.logger.log_error(str(event.error))
                return
            view = run.view
            if view is None:
                view = run.view = _RunView(run, self.logger)
            view.show(event)
        except Exception:
            logging.getLogger("smolagents").exception("an event could not be shown")

    def ended(self, run: Run, error: BaseException | None = None) -> None:
        """A run is over: take the live line away, and say why it ended unless its last step has said so."""
        if run.view is not None:
            run.view.close()
        if not isinstance(error, Exception) or self.logger.level < LogLevel.ERROR:
            return
        steps = run.memory.steps
        if not (steps and getattr(steps[-1], "error", None) is not None):
            self.logger.log_error(f"{type(error).__name__}: {error}")


class _RunView:
    """The screen's side of one run."""

    def __init__(self, run: Run, logger: AgentLogger) -> None:
        self.run = run
        self.logger = logger
        tags = getattr(run.agent, "code_block_tags", None)
        self._opening = tags[0] if tags else None
        self._live = contextlib.ExitStack()
        self._activity: Activity | None = None
        self._running: dict[str, Activity] = {}
        self._reply = ""
        self._thought_shown = False
        self._messages_shown = 0

    def close(self) -> None:
        self._activity = None
        self._running.clear()
        self._live.close()

    def show(self, event: Any) -> None:
        kind = type(event)
        if kind is ChatMessageStreamDelta:
            self._reply += event.content or ""
            if self._activity is not None:
                self._activity.write(event.content or event.reasoning_content or "")
            return
        if kind is ToolProgress:
            self._progressed(event)
            return
        self.close()
        if kind is StepStarted:
            self._start(event)
        elif kind is ChatMessage:
            self._replied(event)
        elif kind is ToolCall:
            self._call(event)
        elif kind is ToolOutput:
            if not event.is_final_answer:
                self.logger.log_output(event.observation, f"Output of {event.tool_call.name}")
        elif kind is ActionStep:
            self._finish(event)
        elif kind is PlanningStep:
            self._sent(event)
            self.logger.log_markdown(event.plan, title="Plan")
        elif kind is TaskStep:
            model = self.run.agent.model
            name = getattr(model, "model_id", None)
            subtitle = type(model).__name__ + (f" - {name}" if name else "")
            self.logger.log_task(event.task.strip(), subtitle, title=self.run.agent.name)
        elif kind is FinalAnswerStep:
            self.logger.log_output(event.output, "Final answer", style=f"bold {YELLOW_HEX}", fold=False)

    def _start(self, event: StepStarted) -> None:
        self._reply = ""
        self._thought_shown = False
        planning = event.kind is PlanningStep
        self.logger.log_rule("Planning" if planning else f"Step {event.number}")
        label = "Planning…" if planning else "Thinking…"
        self._activity = self._live.enter_context(self.logger.stream(label, keep=False))

    def _replied(self, message: ChatMessage) -> None:
        self._reply = message.text
        if message.reasoning_content:
            self.logger.log_output(message.reasoning_content.strip(), "Reasoning", style="dim")

    def _thought(self, reply: str) -> None:
        if self._thought_shown:
            return
        thought = re.split(f"(?:{self._opening})|```", reply, maxsplit=1)[0] if self._opening else reply
        thought = re.sub(r"^\s*thoughts?:\s*", "", thought, flags=re.IGNORECASE).strip()
        if thought and not thought.startswith("{"):
            self._thought_shown = True
            self.logger.log_markdown(thought, title="Thought")

    def _call(self, call: ToolCall) -> None:
        self._thought(self._reply)
        if call.name == "python_interpreter" and isinstance(call.arguments, str):
            self.logger.log_code("Code", call.arguments)
            label = "Running the code…"
        else:
            arguments = call.arguments
            if isinstance(arguments, dict):
                arguments = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
            self.logger.log_code("Tool call", f"{call.name}({arguments})")
            label = f"Running {call.name}…"
        self._running[call.name] = self._live.enter_context(self.logger.status(label))

    def _progressed(self, progress: ToolProgress) -> None:
        """Beside what runs: the call of that tool, or the code that calls it. Tools run in threads of their own."""
        running = self._running.copy()
        activity = running.get(progress.tool)
        value = one_line(str(progress.value), 200)
        if activity is not None:
            activity.update(detail=value)
        elif "python_interpreter" in running:
            running["python_interpreter"].update(detail=f"{progress.tool}: {value}")

    def _finish(self, step: ActionStep) -> None:
        self._sent(step)
        self._thought(step.model_output if isinstance(step.model_output, str) else "")
        images = len(step.observations_images or ())
        if images or (step.observations and step.code_action is not None):
            self.logger.log_output(_printed(step.observations or ""), "Output", images=images)
        if step.error is not None:
            self.logger.log_error(str(step.error))

    def _sent(self, step: ActionStep | PlanningStep) -> None:
        if self.logger.level < LogLevel.DEBUG:
            return
        messages = list(step.model_input_messages or ())
        # The conversation only grows: what an earlier step has shown is not shown again.
        known = self._messages_shown if isinstance(step, ActionStep) else 0
        self.logger.log_messages(messages[known:])
        if isinstance(step, ActionStep):
            self._messages_shown = len(messages)


def _printed(observations: str) -> str:
    """The observation as a person wants it: without the heading that tells the model what it is."""
    return re.sub(r"\A(?:Execution logs|Observations?):\s*\n?", "", observations)
