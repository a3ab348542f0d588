"""What a chat shows of the runs behind it, kept up to date as they go on."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolagents.agents.loop import StepStarted
from smolagents.agents.run import RunEnded
from smolagents.memory import ActionStep, FinalAnswerStep, PlanningStep, TaskStep, ToolCall
from smolagents.tools.progress import ToolProgress
from smolagents.types.messages import ChatMessage, ChatMessageStreamDelta
from smolagents.ui.gradio.messages import (
    answer_parts,
    call_part,
    get_step_footnote_content,
    observation_parts,
    plan_in,
    thought_in,
)
from smolagents.ui.gradio.text import code_block, one_line, safe_markdown

if TYPE_CHECKING:
    from smolagents.agents.run import Run

__all__ = ["Transcript"]


class _Entry:
    """A message that can be folded: a step, or all of what a called agent did."""

    def __init__(self, number: int, parent: int | None, heading: str) -> None:
        self.number = number
        self.parent = parent
        self.heading = heading
        self.about = ""
        """What the step is about, in a few words."""
        self.reply = ""
        """What the model has said so far."""
        self.thought = ""
        self.calls: list[str] = []
        self.progress: dict[str, str] = {}
        self.outcome: list[Any] = []
        self.footnote = ""
        self.done = False
        self._finished: dict[str, Any] | None = None

    def message(self) -> dict[str, Any]:
        """The entry as a chat shows it."""
        if self._finished is not None:
            return self._finished
        message = self._message()
        if self.done:
            self._finished = message
        return message

    def _message(self) -> dict[str, Any]:
        title = f"{self.heading} · {self.about}" if self.about else self.heading
        metadata: dict[str, Any] = {"title": title, "id": self.number, "status": "done" if self.done else "pending"}
        if self.parent is not None:
            metadata["parent_id"] = self.parent
        if self.footnote:
            metadata["log"] = self.footnote
        texts = [safe_markdown(self.thought or self.reply), *self.calls]
        texts += [f"{one_line(tool)}: {told}" for tool, told in self.progress.items()] if not self.done else []
        content: list[Any] = []
        for part in [*texts, *self.outcome]:
            if isinstance(part, str) and content and isinstance(content[-1], str):
                content[-1] += f"\n\n{part}"
            elif part:
                content.append(part)
        return {"role": "assistant", "content": content or [""], "metadata": metadata}


class Transcript:
    """The messages of one chat.

    Args:
        folder: Where pictures and sounds are put for the page to fetch.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = 0
        """Grows with every change."""
        self._entries: list[_Entry | dict[str, Any]] = []
        self._open: dict[int, _Entry] = {}
        """The step that each run is in, by the run's identity."""
        self._agents: dict[int, _Entry] = {}
        """What stands for each run of a called agent."""
        self._lock = threading.Lock()

    def messages(self) -> list[dict[str, Any]]:
        """The chat as it is now."""
        with self._lock:
            return [entry.message() if isinstance(entry, _Entry) else entry for entry in self._entries]

    def say(self, content: list[Any], role: str = "assistant") -> None:
        """Add a message that is no step."""
        with self._lock:
            self._entries.append({"role": role, "content": content})
            self.version += 1

    def take(self, run: Run, event: Any) -> None:
        """Show an event of a run, from whatever thread."""
        with self._lock:
            self._take(run, event)
            self.version += 1

    def _add(self, run: Run, heading: str) -> _Entry:
        above = self._agents.get(id(run))
        if above is None and run.parent is not None:
            above = self._open.get(id(run.parent))
        entry = _Entry(len(self._entries) + 1, None if above is None else above.number, heading)
        self._entries.append(entry)
        return entry

    def _take(self, run: Run, event: Any) -> None:
        key = id(run)
        kind = type(event)
        if kind is TaskStep:
            if run.parent is not None:
                self._agents[key] = self._add(run, one_line(run.agent.name or type(run.agent).__name__))
            return
        if kind is StepStarted:
            planning = event.kind is PlanningStep
            self._open[key] = self._add(run, "Plan" if planning else f"Step {event.number}")
            return
        if kind is FinalAnswerStep:
            self._answer(run, event.output)
            return
        if kind is RunEnded:
            self._ended(run)
            return
        entry = self._open.get(key)
        if entry is not None:
            self._show(run, entry, event)

    def _show(self, run: Run, entry: _Entry, event: Any) -> None:
        kind = type(event)
        tags = getattr(run.agent, "code_block_tags", None)
        if kind is ChatMessageStreamDelta:
            entry.reply += event.content or ""
        elif kind is ChatMessage:
            entry.reply = event.text
        elif kind is ToolCall:
            entry.thought = thought_in(entry.reply, tags[0] if tags else None)
            entry.reply = ""
            entry.calls.append(call_part(event))
        elif kind is ToolProgress:
            entry.progress[event.tool] = one_line(str(event.value), 200)
        elif kind is PlanningStep:
            entry.thought = plan_in(event)
            self._close(entry, event)
        elif kind is ActionStep:
            entry.thought = thought_in(event.model_output, tags[0] if tags else None)
            entry.outcome = observation_parts(event, self.folder)
            entry.about = one_line(entry.thought, 60)
            if event.error is not None:
                entry.about = "stopped" if run.interrupted.is_set() else f"{entry.about} (failed)".strip()
            self._close(entry, event)

    def _close(self, entry: _Entry, step: ActionStep | PlanningStep) -> None:
        entry.reply = ""
        entry.done = True
        entry.footnote = get_step_footnote_content(step, "")

    def _answer(self, run: Run, answer: Any) -> None:
        parts = answer_parts(answer, self.folder)
        own = self._agents.get(id(run))
        if own is not None:
            own.outcome = ["**Answer**", *parts]
        else:
            self._entries.append({"role": "assistant", "content": parts})

    def _ended(self, run: Run) -> None:
        entry = self._open.pop(id(run), None)
        own = self._agents.pop(id(run), None)
        for each in (entry, own):
            if each is not None:
                each.done = True

    def failed(self, error: BaseException) -> None:
        """Say that a run ended without an answer, and why."""
        self.say([f"**The run failed: {type(error).__name__}**\n\n" + code_block(str(error) or "no reason given")])
