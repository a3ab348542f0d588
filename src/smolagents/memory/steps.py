"""The kinds of steps, and the messages by which a model is told of each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from smolagents.memory.fields import ListField, MessagePrefix, MessagesField
from smolagents.types.errors import AgentError
from smolagents.types.jsonable import make_json_serializable
from smolagents.types.messages import ChatMessage, MessageRole
from smolagents.types.usage import Timing, TokenUsage

if TYPE_CHECKING:
    import PIL.Image

__all__ = [
    "ActionStep",
    "FinalAnswerStep",
    "MemoryStep",
    "PlanningStep",
    "SystemPromptStep",
    "TaskStep",
    "ToolCall",
]

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
    model_input_messages: MessagesField = MessagesField()  # noqa: RUF009 - a descriptor
    tool_calls: ListField[ToolCall] = ListField()  # noqa: RUF009 - a descriptor
    error: AgentError | None = None
    model_output_message: ChatMessage | None = None
    model_output: str | list[dict[str, Any]] | None = None
    code_action: str | None = None
    observations: str | None = None
    observations_images: ListField[PIL.Image.Image] = ListField()  # noqa: RUF009 - a descriptor
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
    task_images: ListField[PIL.Image.Image] = ListField()  # noqa: RUF009 - a descriptor

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
