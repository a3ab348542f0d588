"""One piece of code: what it asks for while it runs, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
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
from smolagents.executors.worker.values_base import CannotCrossError

from .raising import raised_inside
from .report import describe, is_resource_limit, message_of, no_module_text, traceback_text, type_of
from .source import RESULT, Piece
from .values import Values, stand_in
from .worker import Overdue, Worker

__all__ = ["Step"]

_GRACE_SECONDS = 1.0
"""Seconds that Monty has to keep the time limit itself, before its process is killed."""
_UNWIND_SECONDS = 1.0
"""Seconds that code has to end after it gave the final answer: to run its `finally` blocks."""
_MOST_FAILURES = 100
_END: Any = {"exc_type": "BaseException", "message": "the final answer was given"}
"""What is raised in code that gave the final answer."""

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
        self._settled: dict[int, Any] = {}
        """What calls that the code awaits are answered with, by their number."""

    def interrupt(self) -> None:
        """End it, from any thread."""
        self._interrupted.set()
        self.worker.kill()

    def interrupted_error(self) -> InterpreterError | None:
        """What to raise if it was interrupted after its code had ended."""
        return self._spoil(ExecutionInterruptedError, interrupted_text()) if self._interrupted.is_set() else None

    def run(self, inputs: Mapping[str, Any]) -> CodeOutput:
        """Run it, after having set the variables `inputs`.

        Raises:
            InterpreterError: it failed; the text is for the model.
        """
        try:
            return self._converse(dict(inputs))
        except InterpreterError as error:
            error.logs = self.printed.value
            raise
        except BaseException:  # Ctrl-C here, or a tool that ends the program
            self.spoiled = True
            self.worker.kill()
            raise

    # The conversation

    def _converse(self, inputs: dict[str, Any]) -> CodeOutput:
        session, piece = self.worker.session, self._piece
        if piece.tells_result:
            inputs[RESULT] = None
        snapshot: Snapshot = None
        try:
            snapshot = self._wait(lambda: session.feed_start(piece.text, inputs=inputs, print_callback=self._print))
            while not isinstance(snapshot, MontyComplete):
                snapshot = self._wait(self._answer(snapshot), snapshot)
            output = None if self._answers else self._values.leave_as_output(snapshot.output)
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
        return CodeOutput(output, self.printed.value, False)

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

    def _answer(self, snapshot: Snapshot) -> Callable[[], Snapshot]:
        """What makes the code go on."""
        if isinstance(snapshot, NameLookupSnapshot):
            return self._look_up(snapshot)
        if isinstance(snapshot, FutureSnapshot):
            return self._settle(snapshot)
        if self._answers:
            return lambda: snapshot.resume(_END)
        if snapshot.object_id is not None:  # a method of a handle
            method: Callable[[], Snapshot] = snapshot.resume_auto
            return method
        if snapshot.is_os_function:
            return self._system(snapshot)
        return self._call(snapshot)

    def _look_up(self, snapshot: NameLookupSnapshot) -> Callable[[], Snapshot]:
        name = snapshot.variable_name
        if snapshot.object_id is None and self._find_tool(name) is not None:
            return lambda: snapshot.resume(value=stand_in(name))
        return snapshot.resume

    # Tools

    def _call(self, snapshot: FunctionSnapshot) -> Callable[[], Snapshot]:
        name = snapshot.function_name
        tool = self._find_tool(name)
        if tool is None:
            missing: Any = {"exc_type": "NameError", "message": f"name '{name}' is not defined"}
            return lambda: snapshot.resume(missing)
        reply = self._use(tool, name, snapshot)
        if snapshot.allow_eager_await and not self._answers:  # the code says `await`, and is to have its way
            self._settled[snapshot.call_id] = reply
            return lambda: snapshot.resume({"future": ...})
        return lambda: snapshot.resume(reply)

    def _use(self, tool: Tool, name: str, snapshot: FunctionSnapshot) -> Any:
        try:
            leave = self._values.leave
            args = [leave(arg, f"argument {n} of {name}()") for n, arg in enumerate(snapshot.args, 1)]
            kwargs = {key: leave(arg, f"argument {key} of {name}()") for key, arg in snapshot.kwargs.items()}
            result = tool(*args, **kwargs)
            if name == "final_answer":
                self._answers.append(result)
                return _END
            return {"return_value": self._values.enter(result, f"the result of {name}()")}
        except Exception as error:  # of the tool, or a value cannot cross: for the code to handle
            reply = raised_inside(error)
            self._failures.append((reply["exc_type"], reply["message"], error))
            del self._failures[:-_MOST_FAILURES]
            return reply

    # What Monty itself does not do

    def _system(self, snapshot: FunctionSnapshot) -> Callable[[], Snapshot]:
        name = snapshot.function_name
        reply: Any
        if name == "time.sleep":
            self._sleep(snapshot.args[0], snapshot)
            reply = {"return_value": None}
        elif name == "asyncio.sleep":
            self._due[snapshot.call_id] = time.monotonic() + snapshot.args[0]
            reply = {"future": ...}
        elif name == "import":
            reply = {"exc_type": "ModuleNotFoundError", "message": no_module_text(snapshot.args[0], self._importable)}
        elif name in ("os.environ", "os.getenv"):
            reply = {"exc_type": "PermissionError", "message": _NO_ENVIRONMENT}
        elif name == "open" or name.startswith("Path."):
            about = f"{str(snapshot.args[0])[:200]!r}: " if snapshot.args else ""
            reply = {"exc_type": "PermissionError", "message": f"{about}{_NO_FILES}"}
        else:
            return snapshot.resume_not_handled
        return lambda: snapshot.resume(reply)

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
        for number in snapshot.pending_call_ids:
            if number in self._settled:
                replies = {number: self._settled.pop(number)}
                return lambda: snapshot.resume(replies)
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
