"""Showing runs as they happen: each step's thought, action, outcome and errors, and one live line in between."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from smolagents.agents.loop import StepRecorded, StepStarted
from smolagents.agents.run import ToolOutput, active_run, current_call
from smolagents.memory import ActionStep, FinalAnswerStep, PlanningStep, TaskStep, ToolCall
from smolagents.memory.replay import as_python, printed, thought
from smolagents.monitoring import YELLOW_HEX, AgentLogger, LogLevel
from smolagents.monitoring.speaker import Speaker, speaker
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
        """Show an event, here and to who watches the run."""
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
                if type(event) is TaskStep:  # a step that is taken outside of a run has no end either
                    view.begin()
            if type(event) is ChatMessageStreamDelta:
                view.stream(event)
                return
            token = speaker.set(view.speaker)
            try:
                view.show(event)
            finally:
                speaker.reset(token)
        except Exception:
            logging.getLogger("smolagents").exception("an event could not be shown")

    @contextlib.contextmanager
    def speaking(self, run: Run) -> Iterator[None]:
        """What is logged in the block is shown as said by `run`."""
        token = speaker.set(Speaker() if run.view is None else run.view.speaker)
        try:
            yield
        finally:
            speaker.reset(token)

    def ended(self, run: Run, error: BaseException | None = None) -> None:
        """A run is over: take the live line away, and say why it ended unless its last step has said so."""
        with self.speaking(run):
            if run.view is not None:
                run.view.close()
            if not isinstance(error, Exception) or self.logger.level < LogLevel.ERROR:
                return
            steps = run.memory.steps
            if not (steps and getattr(steps[-1], "error", None) is not None):
                self.logger.log_error(f"{type(error).__name__}: {error}")


_VIEWS: set[_RunView] = set()
"""The runs that are being shown."""


class _RunView:
    """The screen's side of one run."""

    def __init__(self, run: Run, logger: AgentLogger) -> None:
        self.run = run
        self.logger = logger
        tags = getattr(run.agent, "code_block_tags", None)
        self._opening = tags[0] if tags else None
        self._thinking = contextlib.ExitStack()
        self._activity: Activity | None = None
        self._calls: dict[str, tuple[ToolCall, Activity, contextlib.ExitStack]] = {}
        self._called: list[str] = []
        self._reply = ""
        self._thought_shown = False
        self._messages_shown = 0
        self._images_shown = 0
        above = active_run.get()  # whose tools or code called this run
        self._above: _RunView | None = None if above is None or above is run else above.view
        self._below = 0
        self._depth: int = 0 if self._above is None else self._above._depth + 1
        self._name = run.agent.name or f"run {len(_VIEWS) + 1}"
        self.speaker = Speaker(self._depth, self._name if self._depth else None)

    def begin(self) -> None:
        """The run is one of those that are shown, until it is closed."""
        if self._above is not None:
            self._above._below += 1
        for other in _VIEWS - set(self._ancestors()):
            other._join_crowd()
            self._join_crowd()
        _VIEWS.add(self)

    def _join_crowd(self) -> None:
        """Others speak at the same time: from here on every message says whose it is."""
        self.speaker = Speaker(self._depth, self._name, crowd=True)

    def _ancestors(self) -> Iterator[_RunView]:
        view = self._above
        while view is not None:
            yield view
            view = view._above

    def close(self) -> None:
        """The run is over."""
        self._settle()
        if self in _VIEWS:
            _VIEWS.discard(self)
            if self._above is not None:
                self._above._below -= 1
                self._above = None  # what is kept of a run must not keep those that called it

    def _settle(self) -> None:
        """Nothing of the run is going on at this moment: take its live lines away."""
        self._activity = None
        self._thinking.close()
        while self._calls:
            self._calls.popitem()[1][2].close()

    def show(self, event: Any) -> None:
        kind = type(event)
        if kind is ToolProgress:
            self._progressed(event)
        elif kind is ToolCall:
            self._call(event)
        elif kind is ToolOutput:
            self._came_back(event)
        elif kind is StepRecorded:
            self._recorded(event.step)
        else:
            self._settle()
            self._show_settled(kind, event)

    def _show_settled(self, kind: type, event: Any) -> None:
        if kind is StepStarted:
            self._start(event)
        elif kind is ChatMessage:
            self._replied(event)
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
        self._images_shown = 0
        self._called = []
        planning = event.kind is PlanningStep
        self.logger.log_rule("Planning" if planning else f"Step {event.number}")
        label = self._label("Planning…" if planning else "Thinking…")
        self._activity = self._thinking.enter_context(self.logger.stream(label, keep=False))

    def _label(self, label: str) -> str:
        """The name of an activity, which stands beside those of other runs."""
        return speaker.get().heading(label, always=True)

    def stream(self, delta: ChatMessageStreamDelta) -> None:
        self._reply += delta.content or ""
        if self._activity is None:
            return
        self._activity.write(delta.content or delta.reasoning_content or "")
        for call in delta.tool_calls or ():
            function = call.function
            if function is not None:
                self._activity.write(f"\n{function.name} " if function.name else "")
                self._activity.write(function.arguments if isinstance(function.arguments, str) else "")

    def _replied(self, message: ChatMessage) -> None:
        self._reply = message.text
        if message.reasoning_content:
            self.logger.log_output(message.reasoning_content.strip(), "Reasoning", style="dim")

    def _thought(self, reply: str) -> None:
        if self._thought_shown:
            return
        words = thought(re.split(f"(?:{self._opening})|```", reply, maxsplit=1)[0] if self._opening else reply)
        if words and not words.startswith("{"):
            self._thought_shown = True
            self.logger.log_markdown(words, title="Thought")

    def _call(self, call: ToolCall) -> None:
        self._thinking.close()
        self._thought(self._reply)
        if call.name == "python_interpreter" and isinstance(call.arguments, str):
            self.logger.log_code("Code", call.arguments)
            label = "Running the code…"
        else:
            label = as_python(call)
            self.logger.log_tool_call(label)
        closing = contextlib.ExitStack()
        activity = closing.enter_context(self.logger.status(self._label(label)))
        self._calls[call.id] = (call, activity, closing)
        self._called.append(call.name)

    def _came_back(self, output: ToolOutput) -> None:
        call, _, closing = self._calls.pop(output.id, (output.tool_call, None, contextlib.ExitStack()))
        closing.close()
        if output.is_final_answer:
            return
        # Which of several calls of one tool it was can only be told from their arguments.
        twin = self._called.count(call.name) > 1
        self.logger.log_output(output.observation, f"Output of {as_python(call) if twin else call.name}")

    def _progressed(self, progress: ToolProgress) -> None:
        """Beside what runs: the call of that tool, or the code that calls it. Tools run in threads of their own."""
        if self._below:  # an agent that was called shows the progress of its own tools
            return
        value = one_line(str(progress.value), 200)
        own = self._calls.get(current_call.get())
        for call, activity, _ in [own] if own is not None else list(self._calls.values()):
            if call.name == progress.tool:
                activity.update(detail=value)
                return
            if call.name == "python_interpreter" and progress.tool in self.run.agent.tools:
                activity.update(detail=f"{progress.tool}: {value}")

    def _finish(self, step: ActionStep) -> None:
        self._sent(step)
        self._thought(step.model_output if isinstance(step.model_output, str) else "")
        images = step.observations_images or ()
        self._images_shown = len(images)
        if images or (step.observations and step.code_action is not None):
            self.logger.log_output(printed(step.observations or ""), "Output", images=images)
        if step.error is not None:
            self.logger.log_error(str(step.error))

    def _recorded(self, step: ActionStep | PlanningStep) -> None:
        """Callbacks have seen the step; some add images to it, as of a browser's window."""
        added = (step.observations_images or ())[self._images_shown :] if isinstance(step, ActionStep) else ()
        if added:
            self.logger.log_output("", "Seen", images=added)

    def _sent(self, step: ActionStep | PlanningStep) -> None:
        if self.logger.level < LogLevel.DEBUG:
            return
        messages = list(step.model_input_messages or ())
        # The conversation only grows: what an earlier step has shown is not shown again.
        known = self._messages_shown if isinstance(step, ActionStep) else 0
        self.logger.log_messages(messages[known:])
        if isinstance(step, ActionStep):
            self._messages_shown = len(messages)
