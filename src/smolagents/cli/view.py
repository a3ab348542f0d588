"""A run on the screen: each step's thought, code, output, tokens and time, as it happens."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, Any

from smolagents.memory import ActionStep, PlanningStep, ToolCall
from smolagents.monitoring import YELLOW_HEX, AgentLogger, LogLevel, TokenUsage
from smolagents.types.errors import AgentMaxStepsError
from smolagents.types.messages import ChatMessageStreamDelta

if TYPE_CHECKING:
    from smolagents.monitoring.live import Activity

__all__ = ["RunView"]


class RunView:
    """Shows the events of one run and adds up what it cost. Use it as a context manager around the run.

    Args:
        logger: Where to show them.
        code_tag: Regular expression of what opens code in the model's replies; None where it writes none.
    """

    def __init__(self, logger: AgentLogger, code_tag: str | None = None) -> None:
        self.logger = logger
        self.steps = 0
        self.usage: TokenUsage | None = None
        self.out_of_steps = False
        self._code_tag = code_tag
        self._started = time.monotonic()
        self._live = contextlib.ExitStack()
        self._activity: Activity | None = None
        self._reply = ""
        self._thought_shown = False
        self._step_open = False
        self._messages_shown = 0

    def __enter__(self) -> RunView:
        self._thinking()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.close()

    def show(self, event: Any) -> None:
        """Show one event of `agent.run(task, stream=True)`."""
        if isinstance(event, ChatMessageStreamDelta):
            self._delta(event)
            return
        if isinstance(event, ToolCall):
            self._live.close()
            self._open_step()
            self._call(event)
            return
        if isinstance(event, ActionStep):
            self._live.close()
            self._open_step()
            self._finish_action(event)
        elif isinstance(event, PlanningStep):
            self._live.close()
            self._finish_plan(event)
        else:  # the output of an action, which its step will show, or the final answer
            return
        self._thinking()

    def summary(self) -> str:
        """What was done so far, in words."""
        took = time.monotonic() - self._started
        tokens = (
            f"{self.usage.input_tokens:,} input and {self.usage.output_tokens:,} output tokens"
            if self.usage is not None
            else "tokens unknown"
        )
        return f"{self.steps} step{'' if self.steps == 1 else 's'}, {took:.1f} seconds, {tokens}"

    def _delta(self, delta: ChatMessageStreamDelta) -> None:
        text = delta.content or delta.reasoning_content or ""
        self._reply += delta.content or ""
        if self._activity is not None:
            self._activity.write(text)

    def _thinking(self) -> None:
        self._reply = ""
        self._thought_shown = False
        self._live.close()
        self._activity = self._live.enter_context(self.logger.stream("Thinking…", keep=False))

    def _open_step(self) -> None:
        if not self._step_open:
            self._step_open = True
            self.logger.log_rule(f"Step {self.steps + 1}")

    def _thought(self, reply: str) -> None:
        if self._thought_shown:
            return
        # Models that forget the tag they were asked for put code in a Markdown fence.
        thought = re.split(f"(?:{self._code_tag})|```", reply, maxsplit=1)[0] if self._code_tag else reply
        thought = re.sub(r"^\s*thoughts?:\s*", "", thought, flags=re.IGNORECASE).strip()
        if thought:
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
        self._activity = self._live.enter_context(self.logger.status(label))

    def _finish_action(self, step: ActionStep) -> None:
        self.steps += 1
        self._step_open = False
        self._sent(step)
        self._thought(step.model_output if isinstance(step.model_output, str) else "")
        images = len(step.observations_images or ())
        if step.observations or images:
            self.logger.log_output(_printed(step.observations or ""), "Output", images=images)
        if step.error is not None:
            self.out_of_steps = isinstance(step.error, AgentMaxStepsError)
            self.logger.log_error(str(step.error))
        self._cost(step, step.step_number)

    def _finish_plan(self, step: PlanningStep) -> None:
        self._sent(step)
        self.logger.log_markdown(step.plan, title="Plan")
        self._cost(step, None)

    def _sent(self, step: ActionStep | PlanningStep) -> None:
        if self.logger.level < LogLevel.DEBUG:
            return
        messages = list(step.model_input_messages or ())
        # The conversation only grows: what an earlier step has shown is not shown again.
        known = self._messages_shown if isinstance(step, ActionStep) else 0
        self.logger.log_messages(messages[known:])
        if isinstance(step, ActionStep):
            self._messages_shown = len(messages)

    def _cost(self, step: ActionStep | PlanningStep, number: int | None) -> None:
        usage = step.token_usage
        if usage is not None:
            self.usage = usage if self.usage is None else self.usage + usage
        self.logger.log_metrics(number, step.timing.duration, usage)

    def answer(self, output: Any) -> None:
        """Show the final answer."""
        self._live.close()
        self.logger.log_output(output, "Final answer", style=f"bold {YELLOW_HEX}", fold=False)
        self.logger.log(self.summary(), style="dim")


def _printed(observations: str) -> str:
    """The observation as a person wants it: without the heading that tells the model what it is."""
    return re.sub(r"\A(?:Execution logs|Observations?):\s*\n?", "", observations)
