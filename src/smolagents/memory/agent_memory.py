"""The memory of a run: its steps, rendered once each to one growing list of messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex

from smolagents.memory.fields import Changes, MessagePrefix
from smolagents.memory.steps import ActionStep, MemoryStep, SystemPromptStep
from smolagents.types.messages import ChatMessage

if TYPE_CHECKING:
    from smolagents.monitoring import AgentLogger

__all__ = ["AgentMemory"]


class _StepList(list[MemoryStep]):
    """The steps of a memory; every change but appending makes the memory render itself anew."""

    def __init__(self, steps: Iterable[MemoryStep], changes: Changes) -> None:
        super().__init__(steps)
        self._changes = changes

    def __reduce__(self) -> Any:
        return (list, (list(self),))

    def __setitem__(self, index: Any, value: Any) -> None:
        self._changes.dirty = True
        super().__setitem__(index, value)

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        self._changes.dirty = True
        super().__delitem__(index)

    def __imul__(self, count: SupportsIndex) -> Any:
        self._changes.dirty = True
        return super().__imul__(count)

    def insert(self, index: SupportsIndex, step: MemoryStep) -> None:
        self._changes.dirty = True
        super().insert(index, step)

    def pop(self, index: SupportsIndex = -1) -> MemoryStep:
        self._changes.dirty = True
        return super().pop(index)

    def remove(self, step: MemoryStep) -> None:
        self._changes.dirty = True
        super().remove(step)

    def clear(self) -> None:
        self._changes.dirty = True
        super().clear()

    def reverse(self) -> None:
        self._changes.dirty = True
        super().reverse()

    def sort(self, **kwargs: Any) -> None:
        self._changes.dirty = True
        super().sort(**kwargs)


class AgentMemory:
    """The system prompt and the steps of a run.

    Args:
        system_prompt: Text of the system prompt.
    """

    def __init__(self, system_prompt: str) -> None:
        self._changes = Changes()
        self._transcript: list[ChatMessage] = []
        self._rendered = -1  # steps in the transcript; -1 when not even the system prompt is
        self._system_prompt = SystemPromptStep(system_prompt)
        self._steps = _StepList((), self._changes)

    @property
    def system_prompt(self) -> SystemPromptStep:
        return self._system_prompt

    @system_prompt.setter
    def system_prompt(self, step: SystemPromptStep) -> None:
        self._system_prompt = step
        self._changes.dirty = True

    @property
    def steps(self) -> list[MemoryStep]:
        return self._steps

    @steps.setter
    def steps(self, steps: Iterable[MemoryStep]) -> None:
        self._steps = _StepList(steps, self._changes)
        self._changes.dirty = True

    def __getstate__(self) -> dict[str, Any]:
        return {"system_prompt": self._system_prompt, "steps": list(self._steps)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__("")  # type: ignore[misc]
        self.system_prompt = state["system_prompt"]
        self.steps = state["steps"]

    def reset(self) -> None:
        """Forget all steps; keep the system prompt."""
        self.steps = []

    def to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        """The whole memory as messages, in a list that the caller may change.

        Args:
            summary_mode: As in `MemoryStep.to_messages`.
        """
        if summary_mode:
            steps = [self._system_prompt, *self._steps]
            return [message for step in steps for message in step.to_messages(summary_mode=True)]
        return self._update().copy()

    def prefix(self) -> MessagePrefix:
        """A reference to the messages the memory makes now, which stays right when steps are added or changed."""
        transcript = self._update()
        return MessagePrefix(transcript, len(transcript))

    def _update(self) -> list[ChatMessage]:
        """Bring the transcript up to date, rendering only the steps that are new."""
        changes = self._changes
        if changes.suspects:
            suspects = list(changes.suspects.values())  # another thread may look at a step meanwhile
            changes.suspects = {}
            for step in suspects:
                if not changes.dirty and not _same(step.__dict__["_rendered"], _rendered(step)):
                    for watcher in step.__dict__["_watchers"]:
                        watcher.dirty = True
        if changes.dirty or self._rendered < 0:
            # A new list: steps that refer to a prefix of the old one keep what they were given.
            self._transcript = []
            self._render(self._system_prompt)
            self._rendered = 0
            changes.dirty = False
        steps = self._steps
        for index in range(self._rendered, len(steps)):
            self._render(steps[index])
        self._rendered = len(steps)
        return self._transcript

    def _render(self, step: MemoryStep) -> None:
        messages = _rendered(step)
        self._transcript += messages
        attributes = step.__dict__
        attributes["_rendered"] = messages
        watchers = attributes.get("_watchers", ())
        if self._changes not in watchers:
            attributes["_watchers"] = (*watchers, self._changes)

    def get_succinct_steps(self) -> list[dict[str, Any]]:
        """The steps as plain data, without the messages the model was given."""
        return [step.succinct() for step in self._steps]

    def get_full_steps(self) -> list[dict[str, Any]]:
        """The steps as plain data, each with all the messages the model was given."""
        return [step.dict() for step in self._steps]

    def replay(self, logger: AgentLogger, detailed: bool = False) -> None:
        """Print the steps as they were shown when they happened.

        Args:
            logger: Where to print; printed whatever its level.
            detailed: Also print the messages the model was given at each step. This gets long.
        """
        from smolagents.memory.replay import replay
        from smolagents.monitoring import LogLevel

        if detailed:
            logger.log_markdown(self.system_prompt.system_prompt, title="System prompt", level=LogLevel.OFF)
        replay(self._steps, logger, detailed)

    def return_full_code(self) -> str:
        """All code that the steps ran, as one script."""
        return "\n\n".join(
            step.code_action for step in self._steps if isinstance(step, ActionStep) and step.code_action is not None
        )


def _rendered(step: MemoryStep) -> list[ChatMessage]:
    """The messages of a step, whose own reading of its lists makes it no suspect."""
    watchers = step.__dict__.pop("_watchers", ())
    try:
        return step.to_messages()
    finally:
        if watchers:
            step.__dict__["_watchers"] = watchers


def _same(before: list[ChatMessage], now: list[ChatMessage]) -> bool:
    """Whether two renderings of a step are equal; images are compared by identity, as reading them is slow."""
    return len(before) == len(now) and all(
        a.role is b.role and _same_content(a.content, b.content) for a, b in zip(before, now, strict=True)
    )


def _same_content(before: Any, now: Any) -> bool:
    if before is now or isinstance(before, str) or isinstance(now, str):
        return bool(before == now)
    if not before or not now or len(before) != len(now):
        return False
    return all(
        a.keys() == b.keys() and all(a[key] is b[key] or (isinstance(a[key], str) and a[key] == b[key]) for key in a)
        for a, b in zip(before, now, strict=True)
    )
