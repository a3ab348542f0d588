"""The session of an executor: its process, and what it is put back to when code spoils it."""

from __future__ import annotations

import keyword
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from pydantic_monty import MontyCrashedError, MontyError, ResourceLimits

from smolagents.executors.errors import ExecutionLimitError, InterpreterError, SessionLostError

from .report import is_resource_limit
from .source import TELL
from .step import HOST, Step
from .values import Values
from .worker import Worker

__all__ = ["Session", "Variables"]

Variables = Mapping[str, tuple[Any, bool]]
"""Values as Monty takes them, and whether something in them is marked with the token, by name."""

_MOST_CALLS = 2**40
_MOST_ELEMENTS, _MOST_CHARACTERS = 1_000_000, 100_000
"""How much of the value of a piece of code is told: some 16 MB as itself, and less of what is told as text."""
_LOADING = 4
"""Times the memory that a session gets while it is loaded; then its own limit holds."""
_DEPTH_INSIDE = 10
"""Calls nested within those of the code, when it calls a tool with plain arguments."""
_TOKEN_LENGTH = 32
_MAKE_TOOL, _PUT_MARKED, _HANDLES = "_make_tool", "_put_marked", "_handles_of_the_session"
_PRELUDE = f"""
{_MAKE_TOOL}, {TELL}, {_PUT_MARKED} = open_session(_host, _token, {_MOST_ELEMENTS}, {_MOST_CHARACTERS})
open_session = _host = _token = None
IOError = EnvironmentError = ConnectionError = ConnectionAbortedError = ConnectionRefusedError = OSError
ConnectionResetError = BrokenPipeError = OSError
"""
"""The last exceptions are those that Monty does not have by the name; those of tools arrive as OSError."""

_opened: dict[tuple[Any, ...], bytes] = {}
"""Sessions that nothing was run in yet, as saved, by their limits: to load one is faster than to run `inside.py`."""


@lru_cache(maxsize=1)
def _token() -> str:
    """What marks tools and named tuples in values that enter, in sessions that this process opens."""
    return secrets.token_hex(_TOKEN_LENGTH // 2)


class Session:
    """Variables, functions and classes of the code, in a process that is started when it is needed.

    They are saved after each piece of code. When one spoils the session, a new process goes on from there.

    Args:
        values: Converts values, and keeps those that stay outside.
        timeout: Seconds that a piece of code may take; None for no limit.
        memory_mb: Megabytes that the process may use.
        recursion_depth: How deep calls may be nested.
        log: Shows a text to the user.
    """

    def __init__(
        self,
        values: Values,
        timeout: float | None,
        memory_mb: float,
        recursion_depth: int,
        log: Callable[[str], None],
    ) -> None:
        self._values = values
        self._values.token = _token()
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._recursion_depth = recursion_depth
        self._log = log
        self._unsent: Variables = {}
        self._worker: Worker | None = None
        self._tools: frozenset[str] = frozenset()
        """Names of the tools that the worker has."""
        self._saved: bytes | None = None
        self._saved_tools: frozenset[str] = frozenset()
        self._unsaved = 0
        """Pieces of code since the session was saved: it can be too large for that."""
        self._loadable = 0
        """Size of the largest saved session that was seen to fit into the memory again."""

    def give(self, variables: Variables) -> None:
        """Set variables before the next piece of code."""
        self._unsent = {**self._unsent, **variables}

    def ready(self, tools: Iterable[str]) -> tuple[Worker, Variables]:
        """The worker of the session, and the variables that it was just given.

        Args:
            tools: Names of the tools that it is to have.

        Raises:
            InterpreterError: the session cannot be put back, or the variables are too large for it.
        """
        worker = self._worker
        if worker is not None and not worker.usable:
            self.put_back({})
            worker = None
        if worker is None:
            worker = self._worker = self._start()
        given, self._unsent = self._unsent, {}
        new = [
            name for name in tools if name not in self._tools and name.isidentifier() and not keyword.iskeyword(name)
        ]
        if given or new:  # apart from the code: Monty would not set them for code that it cannot read
            lines = [f"{name} = {_MAKE_TOOL}({name!r})" for name in new]
            lines += [f"{name} = {_PUT_MARKED}({name})" for name, (_, marked) in given.items() if marked]
            inputs = {name: value for name, (value, _) in given.items()}
            try:
                worker.call(lambda: worker.session.feed_run("\n".join([*lines, "None"]), inputs=inputs))
            except (MontyError, RuntimeError) as error:
                self.put_back({})
                names = ", ".join(given)
                raise ExecutionLimitError(f"The variables {names} could not be given to the code: {error}") from error
            except BaseException:
                self.put_back(given)
                raise
            self._tools = self._tools.union(new)
        return worker, given

    @property
    def kept(self) -> str:
        """What is left of the variables when a piece of code spoils the session, for a model to read."""
        if self._unsaved:
            return f"Variables are as they were {self._unsaved + 1} pieces of code ago."
        return "Variables are as they were before this code."

    def put_back(self, given: Variables) -> None:
        """Let the next code start from the session as it was saved last, with `given` to be set again."""
        self.close()
        self._tools = self._saved_tools
        self._unsent = {**given, **self._unsent}
        self._unsaved = 0

    def save(self, step: Step, given: Variables) -> InterpreterError | None:
        """Save the session after a step. Returns why that cost it what the step did, if it did."""
        try:
            saved = step.worker.call(step.worker.session.dump)
            self._check_loadable(saved)
            self._saved, self._saved_tools = saved, self._tools
        except MontyError as error:
            memory = is_resource_limit(error) == "memory"
            if not memory and not isinstance(error, MontyCrashedError):  # more than Monty can put into one message
                self._unsaved += 1
                self._log(f"The session of the code could not be saved: {error}")
                return None
            kept = self.kept
            self.put_back(given)
            return step.interrupted_error() or ExecutionLimitError(
                f"ExecutionLimitError: The code ran, but its variables are more than can be kept: a quarter of the "
                f"{self._memory_mb:g} MB of memory. Keep less in variables. {kept}"
            )
        except BaseException:  # Ctrl-C
            self.put_back(given)
            raise
        self._unsaved = 0
        return None

    def _check_loadable(self, saved: bytes) -> None:
        """See that a session, if it is large and has grown, fits into the memory once more.

        In memory it can take 16 times what it takes saved, and twice that when it was loaded.
        """
        if len(saved) > max(self._memory_mb * 2**20 / 40, 1.05 * self._loadable):
            worker = self._new_worker(_LOADING)
            self._load(worker, saved)
            worker.close()
            self._loadable = len(saved)

    def contents(self) -> bytes:
        """The session, to become another one's.

        Raises:
            RuntimeError: it is too large.
        """
        if self._saved is None or self._unsent or self._unsaved:
            worker, given = self.ready(())
            try:
                self._saved = worker.call(worker.session.dump)
            except BaseException as error:
                self.put_back(given)
                if isinstance(error, Exception):
                    raise RuntimeError(f"The session cannot be saved: {error}") from error
                raise
            self._saved_tools, self._unsaved = self._tools, 0
        return self._values.token.encode() + self._saved

    def become(self, contents: bytes) -> None:
        """Take the place of this session with the contents of one.

        Raises:
            ValueError: it cannot be loaded. This session stays.
        """
        token, saved = contents[:_TOKEN_LENGTH], contents[_TOKEN_LENGTH:]
        worker = self._new_worker(_LOADING)
        try:
            self._load(worker, saved)
        except (MontyError, RuntimeError) as error:
            raise ValueError(f"The snapshot cannot be restored: {error}") from error
        self.close()
        self._worker = worker
        self._values.token = token.decode("ascii", "replace")
        self._saved, self._saved_tools, self._unsaved, self._loadable = saved, frozenset(), 0, len(saved)
        self._tools, self._unsent = frozenset(), {}

    def close(self) -> None:
        """End the process."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    # Processes

    def _start(self) -> Worker:
        if self._saved is None:
            return self._open()
        worker = self._new_worker(_LOADING)
        try:
            self._load(worker, self._saved)
        except (MontyError, RuntimeError) as error:
            self._saved, self._saved_tools, self._tools = None, frozenset(), frozenset()
            raise SessionLostError(f"The session could not be put back: {error}. Its variables are gone.") from error
        return worker

    def _open(self) -> Worker:
        """Start a worker with an empty session."""
        limits = (self._timeout, self._memory_mb, self._recursion_depth)
        worker = self._new_worker(1)
        opened = _opened.get(limits)
        if opened is not None:
            worker.call(lambda: worker.session.load_session(opened))
            return worker

        def host() -> None: ...

        host.__name__ = HOST
        source = files(__package__).joinpath("inside.py").read_text("utf-8") + _PRELUDE + "None"
        inputs = {"_host": host, "_token": self._values.token}
        worker.call(lambda: worker.session.feed_run(source, inputs=inputs))
        if len(_opened) < 100:
            _opened[limits] = worker.call(worker.session.dump)
        return worker

    def _load(self, worker: Worker, saved: bytes) -> None:
        try:
            worker.call(lambda: worker.session.load_session(saved))
            handles = self._values.handles.all()  # what is sent again is known to the worker again
            worker.call(lambda: worker.session.feed_run("None", inputs={_HANDLES: handles} if handles else {}))
        except BaseException:
            worker.close()
            raise

    def _new_worker(self, times_memory: int) -> Worker:
        limits: ResourceLimits = {
            "max_feed_duration_secs": self._timeout,
            "max_memory": int(self._memory_mb * 2**20) * times_memory,
            "max_recursion_depth": self._recursion_depth + _DEPTH_INSIDE,
            "max_suspensions": _MOST_CALLS,
        }
        return Worker(limits)
