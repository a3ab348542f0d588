"""One piece of code: what it asks for while it runs, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from pydantic_monty import (
    FunctionSnapshot,
    FutureSnapshot,
    MontyComplete,
    MontyCrashedError,
    MontyError,
    NameLookupSnapshot,
)

from smolagents.executors.base import CodeOutput
from smolagents.executors.errors import (
    ExecutionInterruptedError,
    ExecutionLimitError,
    ExecutionTimeoutError,
    ImportNotAuthorizedError,
    InterpreterError,
    SessionLostError,
    interrupted_text,
    timeout_text,
)
from smolagents.executors.local.output import PrintContainer
from smolagents.executors.remote.session import RemoteValue
from smolagents.executors.worker.values_base import CannotCrossError

from .raising import raised_inside
from .report import FIRST_SOURCE, describe, is_resource_limit, message_of, no_module_text, traceback_text, type_of
from .source import RESULT, Piece
from .values import Values
from .worker import Overdue, Worker

__all__ = ["HOST", "Step"]

HOST = "call of the host"
"""The function that `inside.py` calls, by a name that code cannot write."""

_GRACE_SECONDS = 1.0
"""Seconds that Monty has to keep the time limit itself, before its process is killed."""
_UNWIND_SECONDS = 1.0
"""Seconds that code has to end after it gave the final answer: to run its `finally` blocks."""
_MOST_FAILURES = 100
_END: Any = {"exc_type": "BaseException", "message": "the final answer was given"}
"""What is raised in code that gave the final answer."""
_NOTHING: Any = {"return_value": None}

_NO_FILES = "there are no files here; ask a tool to read or write them"
_NO_ENVIRONMENT = "there is no environment here; ask for the value as a variable or by a tool"

Snapshot = Any
Tool = Callable[..., Any]


class Step:
    """A piece of code that is run once.

    Args:
        worker: Where it runs.
        piece: The code.
        values: Converts the values.
        find_tool: Gives the tool of a name; None if there is none.
        importable: The modules that there are, for the text of an error.
        timeout: Seconds that it may take, time in tools not counted; None for no limit.
        most_printed: Characters of printed output that are kept.
        memory_mb: The limit of memory, for the text of an error.
        kept: What is left when the session is spoiled, for the text of an error.
    """

    def __init__(
        self,
        worker: Worker,
        piece: Piece,
        values: Values,
        find_tool: Callable[[str], Tool | None],
        *,
        importable: Iterable[str],
        timeout: float | None,
        most_printed: int,
        memory_mb: float,
        kept: str,
    ) -> None:
        self.worker = worker
        self.printed = PrintContainer(most_printed)
        self.spoiled = False
        """Whether the session must be put back to what it was before: a limit left it half changed, or it is gone."""
        self._piece = piece
        self._values = values
        self._find_tool = find_tool
        self._importable = importable
        self._timeout = timeout
        self._memory_mb = memory_mb
        self._kept = kept
        self._left = timeout
        self._interrupted = threading.Event()
        self._answers: list[Any] = []
        self._failures: list[tuple[str, str, Exception]] = []
        self._due: dict[int, float] = {}
        """When sleeping tasks of the code wake up, by the number of their call."""
        self._told: Any = None
        """The value of the code, as far as it has told one."""

    def interrupt(self) -> None:
        """End it, from any thread."""
        self._interrupted.set()
        self.worker.kill()

    def interrupted_error(self) -> InterpreterError | None:
        """What to raise if it was interrupted after its code had ended."""
        return self._spoil(ExecutionInterruptedError, interrupted_text()) if self._interrupted.is_set() else None

    def run(self) -> CodeOutput:
        """Run it.

        Raises:
            InterpreterError: it failed; the text is for the model.
        """
        try:
            return self._converse()
        except InterpreterError as error:
            error.logs = self.printed.value
            raise
        except BaseException:  # Ctrl-C here, or a tool that ends the program
            self.spoiled = True
            self.worker.kill()
            raise

    # The conversation

    def _converse(self) -> CodeOutput:
        session, piece = self.worker.session, self._piece
        inputs = {RESULT: None} if piece.tells_result else None
        snapshot: Snapshot = None
        try:
            snapshot = self._wait(lambda: session.feed_start(piece.text, inputs=inputs, print_callback=self._print))
            while not isinstance(snapshot, MontyComplete):
                snapshot = self._wait(self._answer(snapshot), snapshot)
        except MontyError as error:
            return self._ended(error)
        except Overdue:
            self.spoiled = True
            if not self._answers:
                raise self._spoil(ExecutionTimeoutError, timeout_text(self._timeout)) from None
        except UnicodeEncodeError:
            raise InterpreterError(
                "Code could not be parsed: it holds half of a surrogate pair, which is no character."
            ) from None
        if self._answers:
            return CodeOutput(self._answers[0], self.printed.value, True)
        return CodeOutput(self._told, self.printed.value, False)

    def _print(self, stream: str, text: str) -> None:
        self.printed.append(text)

    def _wait(self, job: Callable[[], Snapshot], asked: Snapshot = None) -> Snapshot:
        """Let the code go on, after what it asked for was done, until it ends or asks for something else."""
        self._check(asked)
        started = time.monotonic()
        allowed = _UNWIND_SECONDS if self._answers else None if self._left is None else self._left + _GRACE_SECONDS
        try:
            return self.worker.call(job, allowed)
        except RuntimeError as error:  # it broke the protocol, or is gone
            raise self._spoil(SessionLostError, f"The interpreter went wrong ({error}).") from error
        finally:
            if self._left is not None:
                self._left = max(self._left - (time.monotonic() - started), 0.0)

    def _check(self, snapshot: Snapshot) -> None:
        """Raise what ends the code, if something does."""
        if self._answers:
            return
        if self._interrupted.is_set():
            raise self._spoil(ExecutionInterruptedError, interrupted_text(), self._place(snapshot))
        if self._left is not None and self._left <= 0:
            self.worker.kill()
            raise self._spoil(ExecutionTimeoutError, timeout_text(self._timeout), self._place(snapshot))

    def _place(self, snapshot: Snapshot) -> str:
        """Where the code asked for something, as a traceback of one line."""
        if not isinstance(snapshot, FunctionSnapshot):
            return ""
        position, text = snapshot.position, self._piece.text.encode()
        if snapshot.function_name.rpartition(".")[2].encode() not in text[position.start : position.end]:
            return ""  # it is in a function of an earlier piece
        number = text.count(b"\n", 0, position.start) + 1
        return f"Traceback (most recent call last):\n  Line {number}, in <module>\n    {self._piece.line(number)}\n"

    def _spoil(self, kind: type[InterpreterError], text: str, traceback: str = "") -> InterpreterError:
        self.spoiled = True
        return kind(f"{traceback}{kind.__name__}: {text} {self._kept}")

    # What comes from the code may be made to be slow to convert: without having passed through `inside.py`, neither
    # arguments nor results are looked at, except those whose types Monty has checked.

    def _answer(self, snapshot: Snapshot) -> Callable[[], Snapshot]:
        """What makes the code go on."""
        if isinstance(snapshot, NameLookupSnapshot):
            return snapshot.resume
        if isinstance(snapshot, FutureSnapshot):
            return self._settle(snapshot)
        if self._answers:
            reply = _END
        elif snapshot.object_id is not None:
            reply = self._ask_handle(snapshot)
        elif snapshot.is_os_function:
            reply = self._system(snapshot)
        elif snapshot.function_name == HOST and snapshot.position.filename == FIRST_SOURCE:
            reply = self._call(*snapshot.args)
        else:
            reply = {"exc_type": "NameError", "message": f"name '{snapshot.function_name}' is not defined"}
        return lambda: snapshot.resume(reply)

    def _ask_handle(self, snapshot: FunctionSnapshot) -> Any:
        try:
            assert snapshot.object_id is not None
            value = self._values.handles.ask(snapshot.object_id, snapshot.function_name)
            return {"return_value": self._values.enter(value, f"the result of {snapshot.function_name}()")[0]}
        except Exception as error:
            return raised_inside(error)

    # Tools

    def _call(self, name: str, data: str) -> Any:
        if name in ("@value", "@text"):
            self._told = self._value(name, data)
            return _NOTHING
        try:
            return self._use(name, data)
        except Exception as error:  # of the tool, or a value cannot cross: for the code to handle
            reply = raised_inside(error)
            self._failures.append((reply["exc_type"], reply["message"], error))
            del self._failures[:-_MOST_FAILURES]
            return reply

    def _value(self, name: str, data: str) -> Any:
        try:
            value = self._values.leave(data, "the value")
        except CannotCrossError as error:
            return RemoteValue("object", f"<{error}>")
        return value if name == "@value" else RemoteValue(*value)

    def _use(self, name: str, data: str) -> Any:
        tool = self._find_tool(name)
        if tool is None:
            raise NameError(f"the tool {name} is not here")
        args, kwargs = self._values.leave(data, f"arguments of {name}()")
        result = tool(*args, **kwargs)
        if name == "final_answer":
            self._answers.append(result)
            return _END
        entered, marked = self._values.enter(result, f"the result of {name}()")
        return {"return_value": (self._values.token, entered) if marked else entered}

    # What Monty itself does not do

    def _system(self, snapshot: FunctionSnapshot) -> Any:
        name = snapshot.function_name
        if name == "time.sleep":
            self._sleep(snapshot.args[0], snapshot)
            return _NOTHING
        if name == "asyncio.sleep":
            self._due[snapshot.call_id] = time.monotonic() + snapshot.args[0]
            return {"future": ...}
        if name == "import":
            return {"exc_type": "ModuleNotFoundError", "message": no_module_text(snapshot.args[0], self._importable)}
        if name in ("os.environ", "os.getenv"):
            return {"exc_type": "PermissionError", "message": _NO_ENVIRONMENT}
        if name == "open" or name.startswith("Path."):
            return {"exc_type": "PermissionError", "message": f"{str(snapshot.args[0])[:200]!r}: {_NO_FILES}"}
        return {"exc_type": "PermissionError", "message": f"{name}() is not here"}

    def _sleep(self, seconds: float, snapshot: Snapshot) -> None:
        """Wait, which counts as time of the code."""
        allowed = seconds if self._left is None else min(seconds, self._left)
        self._interrupted.wait(min(max(allowed, 0.0), threading.TIMEOUT_MAX))
        if self._left is not None:
            self._left = max(self._left - allowed, 0.0)
        self._check(snapshot)

    def _settle(self, snapshot: FutureSnapshot) -> Callable[[], Snapshot]:
        """Wait for the first of the calls that the code awaits."""
        if self._answers:
            ends = dict.fromkeys(snapshot.pending_call_ids, _END)
            return lambda: snapshot.resume(ends)
        sleeping = {self._due.get(number, 0.0): number for number in snapshot.pending_call_ids}
        due = min(sleeping)
        self._sleep(due - time.monotonic(), snapshot)
        awake: Any = {sleeping[due]: {"return_value": None}}
        self._due.pop(sleeping[due], None)
        return lambda: snapshot.resume(awake)

    # Endings

    def _ended(self, error: MontyError) -> CodeOutput:
        """The answer, if the code gave one before it failed.

        Raises:
            InterpreterError: what the failure is to the model.
        """
        limit = is_resource_limit(error)
        crashed = isinstance(error, MontyCrashedError)
        if limit or crashed:
            self.spoiled = True
            self.worker.kill()
        if self._answers:
            return CodeOutput(self._answers[0], self.printed.value, True)
        if self._interrupted.is_set():
            raise self._spoil(ExecutionInterruptedError, interrupted_text()) from error
        traceback = traceback_text(error, self._piece)
        if limit == "time":
            raise self._spoil(ExecutionTimeoutError, timeout_text(self._timeout), traceback) from error
        if limit == "memory":
            text = f"The code needed more than {self._memory_mb:g} MB of memory and was stopped. Keep less at a time."
            raise self._spoil(ExecutionLimitError, text, traceback) from error
        if crashed:
            text = f"The interpreter broke down over this code ({_first_line(error)}). Write it in another way."
            raise self._spoil(SessionLostError, text) from error
        raise self._failure(error)

    def _failure(self, error: MontyError) -> InterpreterError:
        kind, message = type_of(error), message_of(error)
        cause = next(
            (raised for name, text, raised in reversed(self._failures) if (name, text) == (kind, message)), None
        )
        shown = None if isinstance(cause, CannotCrossError) else cause
        text = describe(error, self._piece, shown, self._values.handles)
        no_module = kind == "ModuleNotFoundError" and cause is None
        failure = (ImportNotAuthorizedError if no_module else InterpreterError)(text)
        failure.__cause__ = cause or error
        return failure


def _first_line(error: MontyError) -> str:
    return str(error).partition("\n")[0].removeprefix("monty worker crashed: ")[:200]
