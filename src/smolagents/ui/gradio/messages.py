"""The steps of a run as messages of a Gradio chat."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolagents._imports import require
from smolagents.agents.parsing import plain
from smolagents.memory import ActionStep, FinalAnswerStep, PlanningStep
from smolagents.memory.replay import as_python, printed, thought
from smolagents.types.agent_types import AgentAudio
from smolagents.types.messages import ChatMessageStreamDelta
from smolagents.ui.gradio.media import is_image, media_file, media_folder
from smolagents.ui.gradio.text import code_block, one_line, safe_markdown, shown_value

if TYPE_CHECKING:
    import gradio

    from smolagents.agents.base import MultiStepAgent
    from smolagents.memory import MemoryStep, ToolCall

__all__ = [
    "answer_parts",
    "call_part",
    "get_step_footnote_content",
    "observation_parts",
    "plan_in",
    "pull_messages_from_step",
    "stream_to_gradio",
    "thought_in",
]


def get_step_footnote_content(step_log: ActionStep | PlanningStep, step_name: str) -> str:
    """What a step took, in a line: its tokens, its price where it is known, and its time.

    Args:
        step_log: The step.
        step_name: What to call it, such as "Step 1".
    """
    parts = [step_name] if step_name else []
    usage = step_log.token_usage
    if usage is not None:
        parts.append(f"{usage.input_tokens:,} input and {usage.output_tokens:,} output tokens")
        if usage.cost is not None:
            parts.append(f"${usage.cost:.4f}")
    duration = step_log.timing.duration if step_log.timing is not None else None
    if duration is not None:
        parts.append(f"{duration:.1f} seconds")
    return " · ".join(parts)


def thought_in(reply: Any, opening_tag: str | None = None) -> str:
    """What a model said before it acted: its reply without the code."""
    if not isinstance(reply, str):
        reply = "\n".join(part.get("text", "") for part in reply or () if isinstance(part, dict))
    opening = plain(opening_tag).strip() if opening_tag else "<code>"
    cut = min((at for at in (reply.find(opening), reply.find("```")) if at >= 0), default=len(reply))
    words = thought(reply[:cut])
    return "" if words.startswith("{") else words  # a reply that is a JSON object of thought and code


def plan_in(step: PlanningStep) -> str:
    """A plan as the model wrote it."""
    return step.model_output_message.text.strip() or step.plan


def call_part(call: ToolCall) -> str:
    """A tool call, or code, as Markdown."""
    if call.name == "python_interpreter" and isinstance(call.arguments, str):
        return code_block(call.arguments, "python")
    return code_block(as_python(call), "python")


def observation_parts(step: ActionStep, folder: Path) -> list[Any]:
    """What a step saw: its output, its pictures and its error, as parts of a message."""
    parts: list[Any] = []
    observed = printed(step.observations or "").strip()
    if observed and not (step.is_final_answer and observed == str(step.action_output).strip()):
        parts.append("**Output**\n\n" + code_block(observed))
    parts += _media_parts(step.observations_images or (), folder)
    if isinstance(step.action_output, AgentAudio) or is_image(step.action_output):
        parts += [] if step.is_final_answer else _media_parts([step.action_output], folder)
    if step.error is not None:
        parts.append("**Error**\n\n" + code_block(str(step.error)))
    return parts


def answer_parts(answer: Any, folder: Path) -> list[Any]:
    """An answer as parts of a message."""
    return _media_parts([answer], folder) or [shown_value(answer) or "(an empty answer)"]


def _media_parts(values: Iterable[Any], folder: Path) -> list[Any]:
    parts: list[Any] = []
    for value in values:
        try:
            path = media_file(value, folder)
        except Exception as error:
            parts.append(f"A {type(value).__name__} cannot be shown: " + one_line(str(error), 200))
            continue
        if path is not None:
            parts.append({"path": path})
    return parts


def pull_messages_from_step(
    step_log: MemoryStep, skip_model_outputs: bool = False
) -> Generator[gradio.ChatMessage, None, None]:
    """The messages that show one finished step.

    Args:
        step_log: An action, a plan or a final answer; for any other step there is no message.
        skip_model_outputs: Leave out what the model said, which a page that streams has shown already.

    Raises:
        MissingExtraError: gradio is not installed.
    """
    chat: Any = require("gradio", extra="gradio", needed_for="pull_messages_from_step").ChatMessage
    if isinstance(step_log, FinalAnswerStep):
        parts = answer_parts(step_log.output, media_folder())
        yield chat(role="assistant", content=["**Final answer:**", *parts])
        return
    if not isinstance(step_log, (ActionStep, PlanningStep)):
        return
    name = f"Step {step_log.step_number}" if isinstance(step_log, ActionStep) else "Plan"
    if not skip_model_outputs:
        said = thought_in(step_log.model_output) if isinstance(step_log, ActionStep) else plan_in(step_log)
        yield chat(role="assistant", content=f"**{name}**\n\n{safe_markdown(said)}".rstrip())
    if isinstance(step_log, ActionStep):
        for call in step_log.tool_calls or ():
            title = "Code" if call.name == "python_interpreter" else f"Tool {one_line(call.name)}"
            yield chat(role="assistant", content=call_part(call), metadata={"title": title, "status": "done"})
        for part in observation_parts(step_log, media_folder()):
            yield chat(role="assistant", content=part)
    yield chat(role="assistant", content=get_step_footnote_content(step_log, name))


def stream_to_gradio(
    agent: MultiStepAgent,
    task: str,
    task_images: list[Any] | None = None,
    reset_agent_memory: bool = False,
    additional_args: dict[str, Any] | None = None,
) -> Generator[gradio.ChatMessage | str, None, None]:
    """Run an agent, yielding messages for a chat of your own.

    Args:
        agent: The agent.
        task: What to do.
        task_images: Images to show the model with the task.
        reset_agent_memory: Start afresh; by default the agent goes on with the memory of its latest run.
        additional_args: Values to hand over, by name.

    Yields:
        A `gradio.ChatMessage` for each part of each finished step. Where the agent has `stream_outputs`, also strings:
        what the model has said so far in the step that goes on.

    Raises:
        MissingExtraError: gradio is not installed.
        AgentError: as `agent.run` does.
    """
    require("gradio", extra="gradio", needed_for="stream_to_gradio")
    said = ""
    for event in agent.run(
        task, stream=True, reset=reset_agent_memory, images=task_images, additional_args=additional_args
    ):
        if isinstance(event, ChatMessageStreamDelta):
            said += event.content or ""
            yield safe_markdown(said)
        elif isinstance(event, (ActionStep, PlanningStep, FinalAnswerStep)):
            yield from pull_messages_from_step(event, skip_model_outputs=bool(said))
            said = ""
