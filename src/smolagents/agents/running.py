"""The beginning and the end of runs: what a run is given, and what is let go of after it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from smolagents.agents.describe import describe_arguments
from smolagents.agents.drivers import adrive, drive
from smolagents.agents.loop import run_flow
from smolagents.agents.run import Run, RunEnded, active_run, started_runs
from smolagents.agents.traced import begin_trace
from smolagents.agents.validation import whole_number
from smolagents.memory import AgentMemory
from smolagents.monitoring import Monitor
from smolagents.types.errors import AgentError, AgentInterruptedError

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent
    from smolagents.agents.conversation import Line
    from smolagents.agents.reporter import Reporter
    from smolagents.executors.base import PythonExecutor
    from smolagents.monitoring import AgentLogger

__all__ = ["RunsTasks"]


class RunsTasks:
    """What begins, drives and ends the runs of an agent."""

    max_steps: int
    return_full_result: bool
    tools: dict[str, Any]
    reporter: Reporter
    _model: Any
    _lock: threading.RLock
    _active: list[Run]
    _services: set[threading.Event]

    if TYPE_CHECKING:

        @property
        def logger(self) -> AgentLogger: ...

        def _line(self) -> Line: ...

    def _begin(
        self,
        task: str,
        reset: bool,
        images: Sequence[Any] | None,
        additional_args: Mapping[str, Any] | None,
        max_steps: int | None,
    ) -> Run:
        """Make the run: all that it will own."""
        agent = cast("MultiStepAgent", self)
        if not isinstance(task, str):
            raise TypeError(f"task must be a string, not {type(task).__name__}")
        if not task.strip() and not images:
            raise ValueError("task is empty: say what the agent is to do")
        if additional_args is not None and not isinstance(additional_args, Mapping):
            raise TypeError(
                f"additional_args must be a dictionary of values by name, not {type(additional_args).__name__}"
            )
        steps = self.max_steps if max_steps is None else whole_number("max_steps", max_steps, least=0)
        with self._lock:
            line = self._line()
            before = line.latest
            going_on = not reset and before is not None
            if going_on and before is not None and before.active:
                raise _still_going_on()
            if going_on and before is not None:
                memory, state, monitor, given = before.memory, before.state, before.monitor, before.given
            else:
                kept, known = ((), line.state) if before is None else (before.given, before.state)
                state = {key: value for key, value in known.items() if key not in kept}
                memory = line.memory if not reset and line.memory is not None else AgentMemory("")
                monitor, given = Monitor(self._model, self.logger), set()
            run = Run(
                agent,
                task,
                memory=memory,
                state=state,
                executor=self._session_for(line, going_on),
                monitor=monitor,
                max_steps=steps,
                images=images,
                start_time=time.time(),
                parent=active_run.get(),
                line=line,
            )
            run.given = given
            if additional_args:
                run.state.update(additional_args)
                run.given |= additional_args.keys()
                run.task += describe_arguments(additional_args)
            line.latest = run
        if "receive_messages" in self.tools:
            from smolagents.agents.serving import leads_team

            leads_team(agent)
        started = started_runs.get()
        if started is not None:
            started.append(run)
        return run

    def _session_for(self, line: Line, going_on: bool) -> PythonExecutor | None:
        """The executor session of a new run; None for agents that run no code."""
        return None

    def _run_stream(self, run: Run) -> Generator[Any, None, None]:
        try:
            self._enter(run)
            with begin_trace(run):
                self._equip(run)
            yield from drive(run_flow(cast("MultiStepAgent", self), run), run)
        except BaseException as error:
            self._fail(run, error)
            raise
        finally:
            self._leave(run)

    async def _arun_stream(self, run: Run) -> AsyncGenerator[Any, None]:
        events = adrive(run_flow(cast("MultiStepAgent", self), run), run)
        try:
            self._enter(run)
            with begin_trace(run):
                await self._aequip(run)
            async for event in events:
                yield event
        except BaseException as error:
            self._fail(run, error)
            raise
        finally:
            await events.aclose()
            self._leave(run)

    def _enter(self, run: Run) -> None:
        with self._lock:
            if any(other.memory is run.memory for other in self._active):
                raise _still_going_on()
            run.active = True
            self._active.append(run)

    def _equip(self, run: Run) -> None:
        """Give the executor session, if there is one, what the run's code may use."""

    async def _aequip(self, run: Run) -> None:
        self._equip(run)

    def _fail(self, run: Run, error: BaseException) -> None:
        if run.trace is not None:
            run.trace.failure = error
        stopped = (
            isinstance(error, (AgentInterruptedError, GeneratorExit, KeyboardInterrupt)) or run.interrupted.is_set()
        )
        run.outcome = "interrupted" if stopped else "error"
        with contextlib.suppress(AttributeError):  # of an exception with slots; the memory still has it all
            error.run_result = run.result(time.time())  # type: ignore[attr-defined]
        self.reporter.ended(run, error)

    def _leave(self, run: Run) -> None:
        with self._lock:
            run.active = False
            self._active = [other for other in self._active if other is not run]
            superseded = run.line.latest is not run
        run.detach()
        if run.trace is not None:
            run.trace.end()
        self.reporter.ended(run)
        run.tell(RunEnded())
        if superseded:
            self._release(run)

    def _release(self, run: Run) -> None:
        """Let go of what a run holds that nothing will continue."""

    def _returned(self, run: Run, full: bool | None) -> Any:
        return run.result(time.time()) if (self.return_full_result if full is None else full) else run.output

    def interrupt(self) -> None:
        """Stop all runs of this agent, and of the agents they have called, within their step. From any thread.

        A mailbox that it serves is served no longer; the task that it worked on stays there.
        """
        with self._lock:
            runs = list(self._active)
            services = list(self._services)
        for interrupted in services:
            interrupted.set()
        for run in runs:
            run.interrupt()

    def _interrupt_line(self, line: Line) -> None:
        with self._lock:
            runs = [run for run in self._active if run.line is line]
        for run in runs:
            run.interrupt()

    def _close_line(self, line: Line) -> None:
        """Nothing will continue these runs. What still runs lets go of what it holds when it has stopped."""
        with self._lock:
            latest, line.latest = line.latest, None
            idle = latest is not None and not latest.active
        self._interrupt_line(line)
        if idle and latest is not None:
            self._release(latest)


def _still_going_on() -> AgentError:
    return AgentError(
        "The latest run of this agent is still going on, so reset=False cannot continue it: "
        "wait for it, or use an agent of its own."
    )
