"""Fields of steps that the memory must know about when they are read or changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from smolagents.types.messages import ChatMessage

if TYPE_CHECKING:
    from smolagents.memory.steps import MemoryStep

__all__ = ["Changes", "ListField", "MessagePrefix", "MessagesField"]

T = TypeVar("T")


class MessagePrefix:
    """The first `length` messages of an append-only list."""

    __slots__ = ("length", "messages")

    def __init__(self, messages: list[ChatMessage], length: int) -> None:
        self.messages = messages
        self.length = length

    def to_list(self) -> list[ChatMessage]:
        return self.messages[: self.length]


class Changes:
    """What a memory must know of changes in the steps it has rendered."""

    __slots__ = ("dirty", "suspects")

    def __init__(self) -> None:
        self.dirty = False
        self.suspects: dict[int, MemoryStep] = {}
        """Steps one of whose lists was handed out since they were rendered, by their identity."""


class ListField(Generic[T]):
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


class MessagesField:
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
