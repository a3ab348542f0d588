"""The session of an executor: its process, and what it is put back to when code spoils it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_monty import MontyCrashedError, MontyError

from smolagents.executors.errors import ExecutionLimitError, InterpreterError, SessionLostError

from .handles import Handles
from .report import is_resource_limit
from .source import RESULT
from .step import Step
from .worker import Worker

__all__ = ["Session"]

_MOST_CALLS = 2**40
_LOADING = 4
"""Times the memory that a session gets while it is loaded; then its own limit holds."""
_HANDLES = "_handles_of_the_session"
_PRELUDE = (
    "IOError = EnvironmentError = ConnectionError = ConnectionAbortedError = ConnectionRefusedError = "
    "ConnectionResetError = BrokenPipeError = OSError\nNone"
)
"""Exceptions that Monty does not have by the name; those of tools arrive as OSError."""


class Session:
    """Variables, functions and classes of the code, in a process that is started when it is needed.

    They are saved after each piece of code. When one spoils the session, a new process goes on from there.

    Args:
        timeout: Seconds that a piece of code may take; None for no limit.
        memory_mb: Megabytes that the process may use.
        recursion_depth: How deep calls may be nested.
        handles: What stays outside.
        log: Shows a text to the user.
    """

    def __init__(
        self,
        timeout: float | None,
        memory_mb: float,
        recursion_depth: int,
        handles: Handles,
        log: Callable[[str], None],
    ) -> None:
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._recursion_depth = recursion_depth
        self._handles = handles
        self._log = log
        self._unsent: dict[str, Any] = {}
        self._worker: Worker | None = None
        self._saved: bytes | None = None
        self._unsaved = 0
        """Pieces of code since the session was saved: it can be too large for that."""
        self._loadable = 0
        """Size of the largest saved session that was seen to fit into the memory again."""

    def give(self, variables: Mapping[str, Any]) -> None:
        """Set variables, as Monty takes them, before the next piece of code."""
        self._unsent = {**self._unsent, **variables}

    def ready(self) -> tuple[Worker, dict[str, Any]]:
        """The worker of the session, and the variables that it has not got yet.

        Raises:
            SessionLostError: the session cannot be put back.
        """
        worker = self._worker
        if worker is not None and not worker.usable:
            self.put_back({})
            worker = None
        if worker is None:
            worker = self._worker = self._start()
        inputs, self._unsent = self._unsent, {}
        return worker, inputs

    @property
    def kept(self) -> str:
        """What is left of the variables when a piece of code spoils the session, for a model to read."""
        if self._unsaved:
            return f"Variables are as they were {self._unsaved + 1} pieces of code ago."
        return "Variables are as they were before this code."

    def put_back(self, inputs: Mapping[str, Any]) -> None:
        """Let the next code start from the session as it was saved last, with `inputs` to be set again."""
        self.close()
        self._unsent = {**{name: value for name, value in inputs.items() if name != RESULT}, **self._unsent}
        self._unsaved = 0

    def save(self, step: Step, inputs: Mapping[str, Any]) -> InterpreterError | None:
        """Save the session after a step. Returns why that cost it what the step did, if it did."""
        try:
            saved = step.worker.call(step.worker.session.dump)
            self._check_loadable(saved)
            self._saved = saved
        except MontyError as error:
            memory = is_resource_limit(error) == "memory"
            if not memory and not isinstance(error, MontyCrashedError):  # more than Monty can put into one message
                self._unsaved += 1
                self._log(f"The session of the code could not be saved: {error}")
                return None
            kept = self.kept
            self.put_back(inputs)
            return step.interrupted_error() or ExecutionLimitError(
                f"ExecutionLimitError: The code ran, but its variables are more than can be kept: a quarter of the "
                f"{self._memory_mb:g} MB of memory. Keep less in variables. {kept}"
            )
        except BaseException:  # Ctrl-C
            self.put_back(inputs)
            raise
        self._unsaved = 0
        return None

    def _check_loadable(self, saved: bytes) -> None:
        """See that a session, if it is large and has grown, fits into the memory once more.

        In memory it can take 16 times what it takes saved, and twice that when it was loaded.
        """
        if len(saved) > max(self._memory_mb * 2**20 / 40, 1.05 * self._loadable):
            self._load(saved).close()
            self._loadable = len(saved)

    def contents(self) -> bytes:
        """The session as Monty saves it.

        Raises:
            RuntimeError: it is too large.
        """
        if self._saved is None or self._unsent or self._unsaved:
            worker, inputs = self.ready()
            try:
                worker.call(lambda: worker.session.feed_run("None", inputs=inputs))
                self._saved = worker.call(worker.session.dump)
            except BaseException as error:
                self.put_back(inputs)
                if isinstance(error, Exception):
                    raise RuntimeError(f"The session cannot be saved: {error}") from error
                raise
            self._unsaved = 0
        return self._saved

    def become(self, saved: bytes) -> None:
        """Take the place of this session with a saved one.

        Raises:
            ValueError: it cannot be loaded. This session stays.
        """
        try:
            worker = self._load(saved)
        except (MontyError, RuntimeError) as error:
            raise ValueError(f"The snapshot cannot be restored: {error}") from error
        self.close()
        self._worker = worker
        self._saved, self._unsaved, self._loadable, self._unsent = saved, 0, len(saved), {}

    def close(self) -> None:
        """End the process."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    # Processes

    def _start(self) -> Worker:
        if self._saved is None:
            worker = self._new_worker(1)
            worker.call(lambda: worker.session.feed_run(_PRELUDE))
            return worker
        try:
            return self._load(self._saved)
        except (MontyError, RuntimeError) as error:
            self._saved = None
            raise SessionLostError(f"The session could not be put back: {error}. Its variables are gone.") from error

    def _load(self, saved: bytes) -> Worker:
        worker = self._new_worker(_LOADING)
        try:
            worker.call(lambda: worker.session.load_session(saved))
            handles = self._handles.all()  # what is sent again is known to the worker again
            worker.call(lambda: worker.session.feed_run("None", inputs={_HANDLES: handles} if handles else {}))
        except BaseException:
            worker.close()
            raise
        return worker

    def _new_worker(self, times_memory: int) -> Worker:
        return Worker(
            {
                "max_feed_duration_secs": self._timeout,
                "max_memory": int(self._memory_mb * 2**20) * times_memory,
                "max_recursion_depth": self._recursion_depth,
                "max_suspensions": _MOST_CALLS,
            }
        )
