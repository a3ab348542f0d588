"""One run of an agent, and its result."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from smolagents.memory import ActionStep, AgentMemory, MemoryStep, PlanningStep
from smolagents.monitoring.tracing import current_span, event
from smolagents.tools.progress import ToolProgress, current_progress
from smolagents.types.jsonable import make_json_serializable
from smolagents.types.usage import Timing, TokenUsage

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent
    from smolagents.agents.conversation import Line
    from smolagents.agents.traced import RunTrace
    from smolagents.executors.base import PythonExecutor
    from smolagents.monitoring import Monitor

__all__ = [
    "ActionOutput",
    "Run",
    "RunEnded",
    "RunResult",
    "ToolOutput",
    "active_run",
    "current_call",
    "started_runs",
    "watching",
]

started_runs: ContextVar[list[Run] | None] = ContextVar("smolagents_started_runs", default=None)
"""Where a run that starts enters itself, when its caller wants to know it."""

active_run: ContextVar[Run | None] = ContextVar("smolagents_active_run", default=None)
"""The run on whose behalf code is being called: a tool, a callback, a step of a subclass."""

watching: ContextVar[Callable[[Run, Any], object] | None] = ContextVar("smolagents_watching", default=None)
"""What a run that starts here, and the runs it starts, tell of all their events, from whatever thread they are in."""


class RunEnded:
    """The last event of a run, however it ended; `Run.outcome` says how. For those who watch it."""


current_call: ContextVar[str] = ContextVar("smolagents_current_call", default="")
"""Of several tool calls at the same time: the id of the one on whose behalf code is being called."""


@dataclass
class ActionOutput:
    """What a step came to."""

    output: Any
    is_final_answer: bool


@dataclass
class ToolOutput:
    """What one tool call came to."""

    id: str
    output: Any
    is_final_answer: bool
    observation: str
    tool_call: Any


class _StepsField:
    """The steps of a result as plain data, made when they are first read: each holds all messages it was given."""

    @overload
    def __get__(self, result: None, owner: type) -> Any: ...
    @overload
    def __get__(self, result: RunResult, owner: type) -> list[dict[str, Any]] | None: ...
    def __get__(self, result: RunResult | None, owner: type) -> Any:
        if result is None:
            return None
        steps = result.__dict__.get("_steps")
        if isinstance(steps, tuple):
            steps = result.__dict__["_steps"] = [step.dict() for step in steps]
        return steps

    def __set__(self, result: RunResult, value: Any) -> None:
        result.__dict__["_steps"] = value


@dataclass
class RunResult:
    """What a run came to, and what it took."""

    output: Any | None = None
    """The final answer; None where the run ended without one."""
    state: Literal["success", "max_steps_error", "interrupted", "error"] | None = None
    steps: _StepsField = _StepsField()
    """The steps as plain data."""
    token_usage: TokenUsage | None = None
    """Sum over the model's calls; None when one of them did not report it."""
    timing: Timing | None = None
    messages: InitVar[Any] = None
    """Deprecated name of `steps`."""

    def __post_init__(self, messages: Any) -> None:
        if messages is not None:
            warnings.warn(
                "the argument 'messages' of RunResult is deprecated: use 'steps'", FutureWarning, stacklevel=3
            )
            if self.__dict__.get("_steps") is None:
                self.steps = messages

    @property
    def cost(self) -> float | None:
        """Price of the model's calls in US dollars; None when that of one of them is not known."""
        return None if self.token_usage is None else self.token_usage.cost

    def __repr__(self) -> str:
        steps = self.__dict__.get("_steps")
        return (
            f"RunResult(output={self.output!r}, state={self.state!r}, steps=<{len(steps or ())}>, "
            f"token_usage={self.token_usage!r}, timing={self.timing!r})"
        )

    def dict(self) -> dict[str, Any]:
        return {
            "output": make_json_serializable(self.output),
            "state": self.state,
            "steps": self.steps,
            "token_usage": None if self.token_usage is None else self.token_usage.dict(),
            "timing": None if self.timing is None else self.timing.dict(),
        }


def _messages(result: RunResult) -> list[dict[str, Any]] | None:
    """Deprecated name of `steps`."""
    warnings.warn("RunResult.messages is deprecated: use RunResult.steps", FutureWarning, stacklevel=2)
    return result.steps


setattr(RunResult, "messages", property(_messages))  # noqa: B010 - a property, beside an argument of that name


class Run:
    """All that belongs to one run, and to no other: an agent can have many at once."""

    def __init__(
        self,
        agent: MultiStepAgent,
        task: str,
        *,
        memory: AgentMemory,
        state: dict[str, Any],
        executor: PythonExecutor | None,
        monitor: Monitor,
        max_steps: int,
        images: Sequence[Any] | None,
        start_time: float,
        parent: Run | None,
        line: Line,
    ) -> None:
        self.agent = agent
        self.line = line
        self.parent = parent
        """The run that called this one."""
        self.watch: Callable[[Run, Any], object] | None = watching.get() or (None if parent is None else parent.watch)
        self.task = task
        self.images = list(images) if images else None
        self.memory = memory
        self.state = state
        self.executor = executor
        self.monitor = monitor
        self.max_steps = max_steps
        self.step_number = 1
        self.start_time = start_time
        self.given: set[str] = set()
        """Names in `state` that this run brought in; the agent's next run does not inherit them."""
        self.outcome: Literal["success", "max_steps_error", "interrupted", "error"] | None = None
        self.output: Any = None
        self.usage: TokenUsage | None = TokenUsage(0, 0)
        self.first_step = len(memory.steps)
        self.active = False
        self.view: Any = None
        """What shows this run on a screen, if anything does."""
        self.trace: RunTrace | None = None
        """The run's spans, if anybody traces it."""
        self.interrupted = threading.Event()
        self._progress_beyond = current_progress.get()
        """What the program that started the run is told of progress with, by `on_progress`."""
        self._listeners: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self.detach: Callable[[], None] = (lambda: None) if parent is None else parent.on_interrupt(self.interrupt)
        """Cuts the tie to the run that called this one, whose interruption stops this one as well."""

    def interrupt(self) -> None:
        """Stop the run within its step, from any thread."""
        with self._lock:
            self.interrupted.set()
            listeners = list(self._listeners)
        if self.executor is not None:
            self.executor.interrupt()
        for listener in listeners:
            listener()

    def tell(self, event: Any) -> None:
        """Tell who watches the run of an event. A failure to take it is no failure of the run."""
        if self.watch is None:
            return
        try:
            self.watch(self, event)
        except Exception:
            logging.getLogger("smolagents").exception("an event could not be told to who watches the run")

    def progressed(self, progress: ToolProgress) -> None:
        """Show how far a tool is, from any thread."""
        self.agent.reporter.observe(self, progress)
        span = current_span.get()
        if span is not None:
            event(span, "progress", tool=progress.tool, value=progress.value)
        if self._progress_beyond is not None:
            self._progress_beyond(progress)

    def on_interrupt(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener` when the run is interrupted. Returns a function that takes it off again."""
        with self._lock:
            self._listeners.append(listener)
            already = self.interrupted.is_set()
        if already:
            listener()

        def remove() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return remove

    def count(self, step: MemoryStep) -> None:
        """Add what a step cost."""
        if not isinstance(step, (ActionStep, PlanningStep)):
            return
        if step.token_usage is None:
            if getattr(step, "model_output_message", None) is not None:
                self.usage = None
        elif self.usage is not None:
            self.usage = self.usage + step.token_usage

    def result(self, end_time: float) -> RunResult:
        return RunResult(
            output=self.output,
            state=self.outcome,
            steps=tuple(self.memory.steps[self.first_step :]),
            token_usage=self.usage,
            timing=Timing(self.start_time, end_time),
        )
