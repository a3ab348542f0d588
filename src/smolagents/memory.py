"""What an agent did: its steps, and the messages they make for the model.

A step is rendered to messages once. `AgentMemory` appends them to one list, and every step refers to the
messages it was given by a prefix of that list, so that the cost of a step does not grow with their number.
Changing a step, or the list of steps, makes the memory render itself anew when it is next asked.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, SupportsIndex, TypeAlias, TypeVar, overload

from smolagents.types.errors import AgentError
from smolagents.types.jsonable import make_json_serializable
from smolagents.types.messages import ChatMessage, MessageRole
from smolagents.types.usage import Timing, TokenUsage

if TYPE_CHECKING:
    import PIL.Image

    from smolagents.monitoring import AgentLogger

__all__ = [
    "ActionStep",
    "AgentMemory",
    "CallbackRegistry",
    "FinalAnswerStep",
    "MemoryStep",
    "MessagePrefix",
    "PlanningStep",
    "SystemPromptStep",
    "TaskStep",
    "ToolCall",
]

T = TypeVar("T")
Json: TypeAlias = dict[str, Any]


@dataclass
class ToolCall:
    """A call of a tool, or of the Python interpreter, that a step made."""

    name: str
    arguments: Any
    id: str

    def dict(self) -> Json:
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": make_json_serializable(self.arguments)},
        }


class _Changes:
    """What a memory must know of changes in the steps it has rendered."""

    __slots__ = ("dirty", "suspects")

    def __init__(self) -> None:
        self.dirty = False
        self.suspects: dict[int, MemoryStep] = {}
        """Steps one of whose lists was handed out since they were rendered, by their identity."""


class _ListField(Generic[T]):
    """A field that holds a list which its reader may change in place; the step's memory is told when it is read."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = "_" + name

    @overload
    def __get__(self, step: None, owner: type) -> Any: ...
    @overload
    def __get__(self, step: MemoryStep, owner: type) -> list[T] | None: ...
    def __get__(self, step: MemoryStep | None, owner: type) -> Any:
        if step is None:
            return None
        attributes = step.__dict__
        value = attributes.get(self.name)
        if value is not None:
            for changes in attributes.get("_watchers", ()):
                changes.suspects[id(step)] = step
        return value

    def __set__(self, step: MemoryStep, value: list[T] | None) -> None:
        step.__dict__[self.name] = value


class _MessagesField:
    """A field of messages that may be stored as a `MessagePrefix`, and always reads as a list."""

    @overload
    def __get__(self, step: None, owner: type) -> Any: ...
    @overload
    def __get__(self, step: MemoryStep, owner: type) -> list[ChatMessage] | None: ...
    def __get__(self, step: MemoryStep | None, owner: type) -> Any:
        if step is None:
            return None
        value = step.__dict__.get("_model_input_messages")
        return value.to_list() if type(value) is MessagePrefix else value

    def __set__(self, step: MemoryStep, value: list[ChatMessage] | MessagePrefix | None) -> None:
        step.__dict__["_model_input_messages"] = value


class MessagePrefix:
    """The first `length` messages of an append-only list."""

    __slots__ = ("length", "messages")

    def __init__(self, messages: list[ChatMessage], length: int) -> None:
        self.messages = messages
        self.length = length

    def to_list(self) -> list[ChatMessage]:
        return self.messages[: self.length]


@dataclass
class MemoryStep:
    """One entry of an agent's memory."""

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        for changes in self.__dict__.get("_watchers", ()):
            changes.dirty = True

    def __getstate__(self) -> dict[str, Any]:
        state = {key: value for key, value in self.__dict__.items() if key not in ("_watchers", "_rendered", "_run")}
        prefix = state.get("_model_input_messages")
        if type(prefix) is MessagePrefix:
            state["_model_input_messages"] = prefix.to_list()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def dict(self) -> Json:
        """The step as plain JSON data."""
        data: Json = make_json_serializable(self)
        return data

    def succinct(self) -> Json:
        """`dict()` without the messages the model was given."""
        return {key: value for key, value in self.dict().items() if key != "model_input_messages"}

    def to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        """The messages that tell a model of this step.

        Args:
            summary_mode: Leave out what a short account of the work does not need: the model's own words
                and earlier plans.
        """
        raise NotImplementedError


def _text_message(role: MessageRole, text: str) -> ChatMessage:
    return ChatMessage(role=role, content=[{"type": "text", "text": text}])


def _image_parts(images: Iterable[Any]) -> list[dict[str, Any]]:
    return [{"type": "image", "image": image} for image in images]


@dataclass
class ActionStep(MemoryStep):
    """One thought and one action of the model, and what came of it.

    The names of the fields read as keys too, and so do `code`, `output` and `duration`.
    """

    step_number: int
    timing: Timing
    model_input_messages: _MessagesField = _MessagesField()
    tool_calls: _ListField[ToolCall] = _ListField()
    error: AgentError | None = None
    model_output_message: ChatMessage | None = None
    model_output: str | list[dict[str, Any]] | None = None
    code_action: str | None = None
    observations: str | None = None
    observations_images: _ListField[PIL.Image.Image] = _ListField()
    action_output: Any = None
    token_usage: TokenUsage | None = None
    is_final_answer: bool = False

    def __getitem__(self, key: str) -> Any:
        if key == "code":
            return self.code_action
        if key == "output":
            return self.observations if self.action_output is None else self.action_output
        if key == "duration":
            return self.timing.duration
        if key in self.__dataclass_fields__:
            return getattr(self, key)
        raise KeyError(key)

    def dict(self) -> Json:
        """The step as plain JSON data, the whole of its input messages included."""
        messages = self.model_input_messages
        given = None if messages is None else [_message_dict(message) for message in messages]
        return {"model_input_messages": given, **self.succinct()}

    def succinct(self) -> Json:
        return {
            "step_number": self.step_number,
            "timing": self.timing.dict(),
            "tool_calls": [call.dict() for call in self.tool_calls or ()],
            "error": None if self.error is None else self.error.dict(),
            "model_output_message": None
            if self.model_output_message is None
            else _message_dict(self.model_output_message),
            "model_output": self.model_output,
            "code_action": self.code_action,
            "observations": self.observations,
            "observations_images": None
            if not self.observations_images
            else [str(i) for i in self.observations_images],
            "action_output": make_json_serializable(self.action_output),
            "token_usage": None if self.token_usage is None else self.token_usage.dict(),
            "is_final_answer": self.is_final_answer,
        }

    def to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        messages: list[ChatMessage] = []
        spoken = self.model_output
        if spoken and not summary_mode:
            if isinstance(spoken, str):
                messages.append(_text_message(MessageRole.ASSISTANT, spoken.strip()))
            else:
                messages.append(ChatMessage(role=MessageRole.ASSISTANT, content=spoken))
        calls = self.tool_calls
        # Code is in the model's own words already; to repeat it would only cost tokens.
        if calls and not (self.code_action is not None and messages):
            listed = [{"id": c.id, "name": c.name, "arguments": make_json_serializable(c.arguments)} for c in calls]
            told = json.dumps(listed, ensure_ascii=False)
            messages.append(_text_message(MessageRole.TOOL_CALL, f"Calling tools:\n{told}"))
        reply = self.model_output_message
        if messages and isinstance(reply, ChatMessage) and not summary_mode:
            # Not part of what the message says: models send it back to those providers that want it.
            messages[0].reasoning_content = reply.reasoning_content
            messages[0].provider_items = reply.provider_items
        images = self.observations_images
        if images:
            messages.append(ChatMessage(role=MessageRole.USER, content=_image_parts(images)))
        if self.observations is not None:
            messages.append(_text_message(MessageRole.TOOL_RESPONSE, f"Observation:\n{self.observations}"))
        if self.error is not None:
            messages.append(
                _text_message(
                    MessageRole.TOOL_RESPONSE,
                    f"Error:\n{self.error}\nThat did not work. Find the cause, then try again another way.",
                )
            )
        return messages


def _message_dict(message: Any) -> Any:
    return make_json_serializable(message.dict() if isinstance(message, ChatMessage) else message)


@dataclass
class PlanningStep(MemoryStep):
    """A plan the model made."""

    model_input_messages: list[ChatMessage]
    model_output_message: ChatMessage
    plan: str
    timing: Timing
    token_usage: TokenUsage | None = None

    def dict(self) -> Json:
        return {
            "model_input_messages": [_message_dict(message) for message in self.model_input_messages],
            "model_output_message": _message_dict(self.model_output_message),
            "plan": self.plan,
            "timing": self.timing.dict(),
            "token_usage": None if self.token_usage is None else self.token_usage.dict(),
        }

    def to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        if summary_mode:  # a plan is about to be made: earlier ones must not steer it
            return []
        return [
            _text_message(MessageRole.ASSISTANT, self.plan.strip()),
            # A user's turn in between: a model that ended its turn on a plan would otherwise go on writing it.
            _text_message(MessageRole.USER, "Good. Now carry out this plan."),
        ]


@dataclass
class TaskStep(MemoryStep):
    """A task given to the agent."""

    task: str
    task_images: _ListField[PIL.Image.Image] = _ListField()

    def to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        content: list[dict[str, Any]] = [{"type": "text", "text": f"New task:\n{self.task}"}]
        content.extend(_image_parts(self.task_images or ()))
        return [ChatMessage(role=MessageRole.USER, content=content)]


@dataclass
class SystemPromptStep(MemoryStep):
    """The system prompt."""

    system_prompt: str

    def to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        return [] if summary_mode else [_text_message(MessageRole.SYSTEM, self.system_prompt)]


@dataclass
class FinalAnswerStep(MemoryStep):
    """The answer, as the last event of a stream. It is not kept in memory."""

    output: Any

    def to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        return []


class _StepList(list[MemoryStep]):
    """The steps of a memory; every change but appending makes the memory render itself anew."""

    def __init__(self, steps: Iterable[MemoryStep], changes: _Changes) -> None:
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
        self._changes = _Changes()
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
        from smolagents.monitoring import LogLevel

        always = LogLevel.OFF
        logger.log("Replaying the agent's steps:", level=always)
        if detailed:
            logger.log_markdown(self.system_prompt.system_prompt, title="System prompt", level=always)
        for step in self._steps:
            if isinstance(step, TaskStep):
                logger.log_task(step.task, "", level=always)
            elif isinstance(step, PlanningStep):
                logger.log_rule("Planning step", level=always)
                if detailed:
                    logger.log_messages(step.model_input_messages, level=always)
                logger.log_markdown(step.plan, title="Plan", level=always)
            elif isinstance(step, ActionStep):
                logger.log_rule(f"Step {step.step_number}", level=always)
                if detailed and step.model_input_messages is not None:
                    logger.log_messages(step.model_input_messages, level=always)
                if step.model_output is not None:
                    spoken = step.model_output if isinstance(step.model_output, str) else str(step.model_output)
                    logger.log_markdown(spoken, title="Agent output", level=always)
                if step.observations:
                    logger.log(f"Observations:\n{step.observations}", level=always)
                if step.error is not None:
                    logger.log(f"Error:\n{step.error}", level=always, style="bold red")
                if step.is_final_answer:
                    logger.log(f"Final answer: {step.action_output}", level=always)

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


class CallbackRegistry:
    """Callbacks by the kind of step they are for."""

    def __init__(self) -> None:
        self._callbacks: dict[type[MemoryStep], list[tuple[Callable[..., Any], bool]]] = {}

    def register(self, step_cls: type[MemoryStep], callback: Callable[..., Any]) -> None:
        """Call `callback` after each step of the class `step_cls` or of a class derived from it.

        Args:
            step_cls: Kind of step.
            callback: Called as `callback(step)` when it takes one parameter, else as `callback(step, agent=agent)`.

        Raises:
            TypeError: `callback` cannot be called.
        """
        if not callable(callback):
            raise TypeError(f"a step callback must be callable, not {type(callback).__name__}: {callback!r}")
        self._callbacks.setdefault(step_cls, []).append((callback, _takes_one(callback)))

    def callbacks_for(self, step: MemoryStep) -> list[tuple[Callable[..., Any], bool]]:
        """The callbacks for a step, each with whether it takes the step alone."""
        found: list[tuple[Callable[..., Any], bool]] = []
        for cls in type(step).__mro__:
            found += self._callbacks.get(cls, ())
        return found

    def callback(self, memory_step: MemoryStep, **kwargs: Any) -> None:
        """Call every callback for `memory_step`. All are called; the first exception is raised after the last one."""
        failure: Exception | None = None
        for callback, takes_one in self.callbacks_for(memory_step):
            try:
                if takes_one:
                    callback(memory_step)
                else:
                    callback(memory_step, **kwargs)
            except Exception as error:
                failure = failure or error
        if failure is not None:
            raise failure


def _takes_one(callback: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(callback).parameters.values()
    except (TypeError, ValueError):
        return False
    return len(parameters) == 1 and not any(p.kind is p.VAR_KEYWORD for p in parameters)
