"""What an agent shows of its runs: `agent.memory`, `agent.state` and the like, for the latest run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smolagents.agents.conversation import Line, current_conversation
from smolagents.agents.run import Run, active_run
from smolagents.memory import ActionStep, AgentMemory
from smolagents.monitoring import Monitor

if TYPE_CHECKING:
    from smolagents.monitoring import AgentLogger

__all__ = ["LatestRun"]


class LatestRun:
    """The parts of an agent that belong to its runs, and show the latest one.

    During a run, its own tools, callbacks and checks are shown that run; within a `Conversation`, its latest.
    """

    _own_line: Line
    """The runs that are in no conversation."""
    _model: Any

    if TYPE_CHECKING:

        def _interrupt_line(self, line: Line) -> None: ...
        def _close_line(self, line: Line) -> None: ...

        @property
        def system_prompt(self) -> str: ...

        @property
        def logger(self) -> AgentLogger: ...

    def _line(self) -> Line:
        conversation = current_conversation()
        return self._own_line if conversation is None else conversation.line_of(self)

    @property
    def _latest(self) -> Run | None:
        return self._line().latest

    def _shown(self) -> Run | None:
        """The run that `memory` and the like show: the one that is calling, if it is this agent's; else the latest."""
        run = active_run.get()
        return run if run is not None and run.agent is self else self._latest

    @property
    def memory(self) -> AgentMemory:
        run = self._shown()
        if run is not None:
            return run.memory
        line = self._line()
        if line.memory is None:
            line.memory = AgentMemory(self.system_prompt)
        return line.memory

    @memory.setter
    def memory(self, memory: AgentMemory) -> None:
        run = self._shown()
        if run is not None:
            run.memory = memory
        self._line().memory = memory

    @property
    def state(self) -> dict[str, Any]:
        """Variables of the latest run; what is set here before a run is there in it."""
        run = self._shown()
        return self._line().state if run is None else run.state

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        run = self._shown()
        if run is None:
            self._line().state = state
        else:
            run.state = state

    @property
    def monitor(self) -> Monitor:
        run = self._shown()
        if run is not None:
            return run.monitor
        line = self._line()
        if line.monitor is None:
            line.monitor = Monitor(self._model, self.logger)
        return line.monitor

    @property
    def task(self) -> str | None:
        run = self._shown()
        return None if run is None else run.task

    @property
    def step_number(self) -> int:
        run = self._shown()
        return 0 if run is None else run.step_number

    @property
    def interrupt_switch(self) -> bool:
        run = self._shown()
        return run is not None and run.interrupted.is_set()

    @property
    def logs(self) -> list[ActionStep]:
        """The action steps of the latest run, each of which also reads like a dictionary."""
        return [step for step in self.memory.steps if isinstance(step, ActionStep)]
