"""Steps as a person reads them: the words in which they are shown, and the replay of a whole run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from smolagents.memory.steps import ActionStep, MemoryStep, PlanningStep, TaskStep, ToolCall

if TYPE_CHECKING:
    from smolagents.monitoring import AgentLogger

__all__ = ["as_python", "printed", "replay", "thought"]


def as_python(call: ToolCall) -> str:
    """A tool call as one would write it in Python."""
    arguments = call.arguments
    if isinstance(arguments, dict):
        arguments = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return f"{call.name}({arguments})"


def printed(observations: str) -> str:
    """An observation without the heading that tells the model what it is."""
    return re.sub(r"\A(?:Execution logs|Observations?):\s*\n?", "", observations)


def thought(words: str) -> str:
    """What a model said before its action, without a heading of its own."""
    return re.sub(r"^\s*thoughts?:\s*", "", words, flags=re.IGNORECASE).strip()


def replay(steps: Iterable[MemoryStep], logger: AgentLogger, detailed: bool) -> None:
    """Print steps whole, whatever the logger's level.

    Args:
        steps: The steps.
        logger: Where to print.
        detailed: Also print the messages the model was given at each step.
    """
    from smolagents.monitoring import LogLevel

    always = LogLevel.OFF
    for step in steps:
        if isinstance(step, TaskStep):
            logger.log_task(step.task, "", level=always)
            if step.task_images:
                logger.log_output("", "Images", level=always, images=step.task_images)
        elif isinstance(step, (PlanningStep, ActionStep)):
            planned = isinstance(step, PlanningStep)
            number = step.step_number if isinstance(step, ActionStep) else None
            logger.log_rule("Planning step" if planned else f"Step {number}", level=always)
            if detailed:
                logger.log_messages(step.model_input_messages or (), level=always)
            if isinstance(step, PlanningStep):
                logger.log_markdown(step.plan, title="Plan", level=always)
            else:
                _replay_action(step, logger)
            logger.log_metrics(number, step.timing.duration, step.token_usage, level=always)
            if isinstance(step, ActionStep) and step.is_final_answer:
                logger.log_output(step.action_output, "Final answer", level=always, fold=False, style="bold")


def _replay_action(step: ActionStep, logger: AgentLogger) -> None:
    from smolagents.monitoring import LogLevel

    always = LogLevel.OFF
    words = step.model_output if isinstance(step.model_output, str) else ""
    code = step.code_action
    if code is not None and code in words:  # the code is shown by itself, without the tags around it
        words = re.sub(r"\s*(?:<\w+>|```\w*)\s*\Z", "", words.partition(code)[0])
    if words := thought(words):
        logger.log_markdown(words, title="Thought", level=always)
    if code is not None:
        logger.log_code("Code", code, level=always)
    else:
        for call in step.tool_calls or ():
            logger.log_tool_call(as_python(call), level=always)
    if step.observations or step.observations_images:
        images = step.observations_images or ()
        logger.log_output(printed(step.observations or ""), level=always, images=images, fold=False)
    if step.error is not None:
        logger.log_output(str(step.error), "Error", level=always, fold=False, style="red")
