"""A session with a worker, as the host sees it. Nothing that the worker says is trusted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from smolagents.executors.base import CodeOutput
from smolagents.executors.errors import (
    ExecutionInterruptedError,
    ExecutionTimeoutError,
    ImportNotAuthorizedError,
    InterpreterError,
    WorkerLostError,
    interrupted_text,
    timeout_text,
)
from smolagents.executors.local.output import PrintContainer
from smolagents.executors.remote.connection import MAX_MESSAGE_BYTES, Connection
from smolagents.executors.remote.replies import LONGEST_NAME, names_of, read_reply, text_of
from smolagents.executors.worker.values import CannotCrossError, Codec, MalformedValueError
from smolagents.types.text import truncate_content

__all__ = ["GRACE_SECONDS", "RemoteCodeError", "RemoteValue", "Session", "Unsent", "dumps"]

GRACE_SECONDS = 2.0
"""Seconds that code has to stop by itself after it was interrupted, before its session is ended."""
_LONGEST_TEXT = 20_000
"""Characters of an error of the far side that are kept: they are for a model to read."""
_MOST_CALLS = 10_000_000
"""Calls of tools in one step. Minutes of nothing else, at the fastest: time limits come first."""
_MOST_FAILURES = 100
_LARGE = 2**20
_INTERRUPT = '{"op":"interrupt"}'

dumps = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


class RemoteValue:
    """A value that could not cross the boundary. It stays where the code runs; its text came over.

    Args:
        type_name: Name of its type.
        text: Its `repr`.
    """

    def __init__(self, type_name: str, text: str) -> None:
        self.type_name = type_name
        self.text = text

    def __repr__(self) -> str:
        return self.text


class RemoteCodeError(Exception):
    """What the code raised, on the far side.

    Args:
        type_name: Name of the exception's type.
        message: Its text.
    """

    def __init__(self, type_name: str, message: str) -> None:
        super().__init__(f"{type_name}: {message}" if message else type_name)
        self.type_name = type_name
        self.message = message


class Unsent(NamedTuple):
    """What goes to the worker with the next code."""

    tools: Mapping[str, Any]
    """Names, and what the code can read of each."""
    variables: Mapping[str, Any]
    """Names and encoded values."""
    notice: str
    """For the model: put before what the code prints."""


_NOTHING = Unsent({}, {}, "")


class Session:
    """Runs pieces of code in one worker.

    Args:
        connection: Carries the messages. It is closed when the session is lost.
        codec: Turns values into messages and back.
        settings: Sent to the worker with the first code.
        find_tool: Gives the tool of a name; None if there is none.
        max_print_outputs_length: Characters of printed output that are kept.
    """

    def __init__(
        self,
        connection: Connection,
        codec: Codec,
        settings: Mapping[str, Any],
        find_tool: Callable[[str], Callable[..., Any] | None],
        max_print_outputs_length: int,
    ) -> None:
        self.connection = connection
        self.names: tuple[str, ...] = ()
        """Variables of the code."""
        self._codec = codec
        self._settings: Mapping[str, Any] | None = {**settings, "max_message": MAX_MESSAGE_BYTES}
        self._find_tool = find_tool
        self._limit = max_print_outputs_length
        self._turn = threading.Lock()
        """Held while a run begins or ends, while a tool begins or ends, and while an interruption looks which it is."""
        self._runs = 0
        self._running = self._interrupted = self._in_tool = self._ended = False
        self._heard = False
        self.sent = False
        """Whether the worker was sent what the last run was to send."""
        self._stop_by: threading.Timer | None = None
        self.lost: WorkerLostError | None = None
        """Why the session is of no more use, where the last run ended with a final answer nevertheless."""

    def interrupt(self) -> None:
        """Stop the code that runs, from another thread; the session is ended if it does not stop.

        A tool that runs is not stopped. The code is, when the tool has returned.
        """
        with self._turn:
            if not self._running or self._interrupted:
                return
            self._interrupted = True
            if self.sent and not self._in_tool:  # else the answer tells the code
                self._end_soon()
                self.connection.interrupt()

    def _end_soon(self) -> None:
        self._stop_by = threading.Timer(GRACE_SECONDS, self._end, [self._runs])
        self._stop_by.daemon = True
        self._stop_by.start()

    def _end(self, number: int) -> None:
        with self._turn:  # so that it cannot be the next run that is ended
            if self._running and self._runs == number:
                self._ended = True
                self.connection.close()

    def forked(self) -> None:
        """In a process that was forked from this one: another thread may have held the lock."""
        self._turn = threading.Lock()
        self._running = False

    def run(
        self,
        code: str | None,
        timeout: float | None,
        unsent: Unsent = _NOTHING,
        stopped: Callable[[], bool] = lambda: False,
    ) -> CodeOutput:
        """Run `code`, after having sent new tools and encoded variables.

        Args:
            code: What to run; None to send the rest alone.
            timeout: Seconds that it may take, time in tools not counted.
            unsent: What is to be sent besides.
            stopped: Asked once, when the run can be interrupted: whether it was meant to be before.

        Raises:
            InterpreterError: the code failed; the text is for the model, `logs` is what was printed.
            WorkerLostError: the worker is gone.
            BaseException: of a tool, or Ctrl-C. The worker may then be saying something that nobody waits for.
        """
        printed = PrintContainer(self._limit)
        answers: list[Any] = []
        request = ""
        self._heard = False
        with self._turn:
            self._runs += 1
            self._running = True
            self._interrupted = self._in_tool = self._ended = self.sent = False
        try:
            request = dumps(self._request(code, unsent, printed))
            with self._turn:
                if self._interrupted or stopped():
                    raise ExecutionInterruptedError(interrupted_text())
            self.connection.send(request)
            with self._turn:
                self.sent = True
                if self._interrupted:
                    self._end_soon()
                    self.connection.interrupt()
            return self._converse(timeout, printed, answers)
        except WorkerLostError as error:
            lost = error
            if self._ended:
                lost = WorkerLostError("the code could not be interrupted, so it was killed")
            elif not self._heard and unsent.variables and len(request) > _LARGE:
                lost = WorkerLostError(f"{lost.cause}. It was just sent variables of {len(request) >> 20} MB")
            lost.logs = printed.value
            if not answers:
                raise lost from None
            self.lost = lost
            return CodeOutput(answers[0], printed.value, True)
        finally:
            with self._turn:
                self._running = False
                if self._stop_by is not None:
                    self._stop_by.cancel()
                    self._stop_by = None

    def _request(self, code: str | None, unsent: Unsent, printed: PrintContainer) -> dict[str, Any]:
        request: dict[str, Any] = {"op": "run", "code": code}
        if self._settings:
            request["settings"] = self._settings
        if unsent.tools:
            request["tools"] = unsent.tools
        if unsent.variables:
            request["variables"] = unsent.variables
        if unsent.notice:
            printed.append(unsent.notice)
        return request

    def _converse(self, timeout: float | None, printed: PrintContainer, answers: list[Any]) -> CodeOutput:
        connection = self.connection
        failures = _Failures()
        calls = 0
        timed_out = False
        left = timeout
        while True:
            started = time.monotonic()
            text = connection.receive(left)
            if text is not None:
                self._heard = True
                reply = read_reply(text)
                printed.append(text_of(reply, "out"))
                if reply["op"] != "call":
                    break
                calls += 1
                if calls > _MOST_CALLS:
                    raise WorkerLostError(f"the code made more than {_MOST_CALLS} calls of tools in one step")
            if left is not None:
                left -= time.monotonic() - started
                if text is None or left <= 0:
                    if timed_out:
                        raise WorkerLostError(
                            f"the code took longer than {timeout} seconds and could not be interrupted, "
                            "so it was killed"
                        )
                    timed_out, left = True, GRACE_SECONDS
                    if text is None:  # else the answer tells the code
                        connection.interrupt()
            if text is not None:
                connection.send(_INTERRUPT if timed_out else self._answer(reply, len(text), answers, failures))
        self._settings = None
        names = names_of(reply)
        if names is not None:
            self.names = names
        if answers:
            return CodeOutput(answers[0], printed.value, True)
        if reply["op"] == "done":
            return CodeOutput(self._value(reply), printed.value, False)
        raise self._failure(reply, failures, timed_out, timeout, printed)

    def _value(self, reply: dict[str, Any]) -> Any:
        if "text" in reply:
            return RemoteValue(text_of(reply, "type")[:LONGEST_NAME], text_of(reply, "text"))
        try:
            return self._codec.decode(reply.get("value"), "the value of the code")
        except MalformedValueError as error:
            raise WorkerLostError(f"it sent a value that cannot be read: {error}") from None

    # Tools

    def _answer(self, call: dict[str, Any], size: int, answers: list[Any], failures: _Failures) -> str:
        name, args, kwargs, number = call.get("name"), call.get("args"), call.get("kwargs"), call.get("id")
        if type(name) is not str or type(args) is not list or type(kwargs) is not dict or type(number) is not int:
            raise WorkerLostError("it made a call that is none")
        tool = self._find_tool(name)
        if tool is None:
            raise WorkerLostError(f"it called a tool that it was not given: {name[:LONGEST_NAME]!r}")
        try:
            decode = self._codec.decode
            args = [decode(arg, f"argument {index + 1} of {name}()") for index, arg in enumerate(args)]
            kwargs = {key: decode(arg, f"argument {key[:LONGEST_NAME]} of {name}()") for key, arg in kwargs.items()}
        except MalformedValueError as error:
            raise WorkerLostError(f"it sent a value that cannot be read: {error}") from None
        with self._turn:
            if self._interrupted:
                return _INTERRUPT
            self._in_tool = True
        try:
            result = tool(*args, **kwargs)
            if name == "final_answer":
                if not answers:
                    answers.append(result)
                answer = '{"op":"value","value":null,"final":true}'
            else:
                answer = dumps({"op": "value", "value": self._codec.encode(result, f"the result of {name}()")})
        except Exception as error:  # of the tool, or its result cannot cross: for the code to handle
            failures.add(number, error, size)
            kind = "TypeError" if isinstance(error, CannotCrossError) else type(error).__name__
            answer = dumps({"op": "raise", "type": kind, "message": _message_of(error)})
        with self._turn:
            self._in_tool = False
            if self._interrupted and not answers:
                self._end_soon()
                return _INTERRUPT
        return answer

    # Failures

    def _failure(
        self,
        reply: dict[str, Any],
        failures: _Failures,
        timed_out: bool,
        timeout: float | None,
        printed: PrintContainer,
    ) -> InterpreterError:
        text, message, kind = (
            truncate_content(text_of(reply, key), _LONGEST_TEXT) for key in ("text", "message", "kind")
        )
        error: InterpreterError
        if self._interrupted or (timed_out and kind == "interrupted"):
            head = text.rpartition("\n")[0]
            head = f"{head}\n" if head.startswith("Traceback") else ""
            if self._interrupted:
                error = ExecutionInterruptedError(f"{head}ExecutionInterruptedError: {interrupted_text()}")
            else:
                error = ExecutionTimeoutError(f"{head}ExecutionTimeoutError: {timeout_text(timeout)}")
        else:
            error = (ImportNotAuthorizedError if kind == "ImportNotAuthorizedError" else InterpreterError)(text)
        cause = failures.get(reply.get("call"))
        if cause is None:
            cause = RemoteCodeError(text_of(reply, "type")[:LONGEST_NAME], message)
        error.__cause__ = cause
        error.logs = printed.value
        return error


class _Failures:
    """What tools raised, by the number of the call.

    An exception holds the arguments of the call by its traceback, so what is kept is bounded by the size of the calls.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Exception, int]] = {}
        self._size = 0

    def add(self, number: int, error: Exception, size: int) -> None:
        self._drop(number)
        self._kept[number] = error, size
        self._size += size
        while len(self._kept) > 1 and (len(self._kept) > _MOST_FAILURES or self._size > MAX_MESSAGE_BYTES):
            self._drop(next(iter(self._kept)))

    def _drop(self, number: int) -> None:
        self._size -= self._kept.pop(number, (None, 0))[1]

    def get(self, number: Any) -> Exception | None:
        return self._kept[number][0] if type(number) is int and number in self._kept else None


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        return f"<its message could not be made: {type(failure).__name__}>"
