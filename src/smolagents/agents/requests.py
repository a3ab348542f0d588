"""What the loop asks of its driver.

The loop is a generator without input or output of its own: it yields these requests and is sent the replies,
or has the exception thrown into it that answering one raised. One driver answers them synchronously, one
asynchronously; nothing else differs between `run` and `arun`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from smolagents.executors.base import PythonExecutor
    from smolagents.memory import ActionStep, ToolCall
    from smolagents.types.messages import ChatMessage

__all__ = ["CallTools", "Emit", "Flow", "Generate", "Invoke", "Request", "RunCode", "TakeStep", "ToolSlot"]


@dataclass(slots=True)
class Generate:
    """Ask the model. Reply: `ChatMessage`."""

    messages: list[ChatMessage]
    arguments: dict[str, Any]
    stream: bool = False
    """Emit the deltas as they come."""


@dataclass(slots=True)
class RunCode:
    """Run code. Reply: `CodeOutput`."""

    executor: PythonExecutor
    code: str


@dataclass(slots=True)
class ToolSlot:
    """One of the tool calls of a step: the call, and what came of it."""

    call: ToolCall
    output: Any = None
    error: Exception | None = None


@dataclass(slots=True)
class CallTools:
    """Call tools, several at once when there are several. Reply: None; the slots hold what came of each."""

    slots: list[ToolSlot]
    max_threads: int | None
    finished: Callable[[ToolSlot], Any] = field(repr=False)
    """Makes the event that is emitted when a slot is filled."""


@dataclass(slots=True)
class TakeStep:
    """Take one step, whether the agent's own or a subclass's. Reply: the last event of the step."""

    step: ActionStep


@dataclass(slots=True)
class Invoke:
    """Call a function of the user's: a callback or a check. Reply: what it returns."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Emit:
    """Tell those who watch the run of an event. Reply: None."""

    event: Any
    public: bool = True
    """Whether the event is for the caller's stream."""
    shown: bool = True
    """Whether it is for the console."""


Request: TypeAlias = "Generate | RunCode | CallTools | TakeStep | Invoke | Emit"
Flow: TypeAlias = Generator["Request", Any, Any]
