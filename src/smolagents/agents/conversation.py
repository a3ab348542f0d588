"""Runs of an agent that follow one another, apart from all other runs of the same agent."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

if TYPE_CHECKING:
    from smolagents.agents.latest import LatestRun
    from smolagents.agents.run import Run
    from smolagents.memory import AgentMemory
    from smolagents.monitoring import Monitor

__all__ = ["Conversation", "Line", "current_conversation"]

_entered: ContextVar[tuple[Conversation, ...]] = ContextVar("smolagents_conversations", default=())


def current_conversation() -> Conversation | None:
    """The conversation that this code is within."""
    entered = _entered.get()
    return entered[-1] if entered else None


class Line:
    """The runs of one agent that follow one another: `reset=False` goes on with the latest."""

    __slots__ = ("agent", "latest", "memory", "monitor", "state")

    def __init__(self, agent: LatestRun, state: dict[str, Any]) -> None:
        self.agent = agent
        self.latest: Run | None = None
        self.state = state
        """Variables that were set before there was a run."""
        self.memory: AgentMemory | None = None
        """Memory that was looked at, or set, before there was a run."""
        self.monitor: Monitor | None = None


class Conversation:
    """What one of many users says to an agent, and what comes of it, apart from what the others say.

    Within the block, an agent and those it calls go on with the runs of this conversation, and show no others:

        ada, bob = Conversation(), Conversation()
        with ada:
            agent.run("My name is Ada.")
        with bob:
            agent.run("What is my name?", reset=False)  # nobody has told Bob's agent
        with ada:
            agent.run("What is my name?", reset=False)
        ada.close()

    Threads and async tasks can each be within a conversation of their own at the same time.
    """

    def __init__(self) -> None:
        self._lines: dict[int, Line] = {}
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        _entered.set((*_entered.get(), self))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _entered.set(_entered.get()[:-1])

    def line_of(self, agent: LatestRun) -> Line:
        """The runs of `agent` in this conversation.

        Raises:
            ValueError: the conversation was closed.
        """
        with self._lock:
            if self._closed:
                raise ValueError("this conversation was closed: begin another one")
            line = self._lines.get(id(agent))
            if line is None:
                line = self._lines[id(agent)] = Line(agent, dict(agent._own_line.state))
            return line

    def interrupt(self) -> None:
        """Stop the runs of this conversation within their step, and no others. From any thread."""
        with self._lock:
            lines = list(self._lines.values())
        for line in lines:
            line.agent._interrupt_line(line)

    def close(self) -> None:
        """Stop what still runs, and let go of the memory and the executors' sessions. Does nothing the second time."""
        with self._lock:
            self._closed = True
            lines = list(self._lines.values())
            self._lines = {}
        for line in lines:
            line.agent._close_line(line)
