"""A session with a worker, as the host sees it. Nothing that the worker says is trusted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

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
from smolagents.executors.worker.values import CannotCrossError, Codec, MalformedValueError

__all__ = ["GRACE_SECONDS", "RemoteCodeError", "RemoteValue", "Session", "dumps"]

GRACE_SECONDS = 2.0
"""Seconds that code has to stop by itself after it was interrupted, before its session is ended."""
_MOST_NAMES = 1_000
_LONGEST_NAME = 200
_MOST_CALLS = 100_000

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
        self._interrupted = False
        self._stop_by: threading.Timer | None = None
        self._running = False
        self.out_of_step = False
        """Whether the worker may be saying something that nobody waits for: the session is of no more use."""

    def interrupt(self) -> None:
        """Stop the code that runs, from another thread; the session is ended if it does not stop."""
        if not self._running or self._interrupted:
            return
        self._interrupted = True
        self._stop_by = threading.Timer(GRACE_SECONDS, self.connection.close)
        self._stop_by.daemon = True
        self._stop_by.start()
        self.connection.interrupt()

    def run(
        self,
        code: str | None,
        timeout: float | None,
        tools: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        notice: str = "",
    ) -> CodeOutput:
        """Run `code`, after having sent new tools and encoded variables.

        Raises:
            InterpreterError: the code failed; the text is for the model, `logs` is what was printed.
            WorkerLostError: the worker is gone.
        """
        printed = PrintContainer(self._limit)
        if notice:
            printed.append(notice)
        request: dict[str, Any] = {"op": "run", "code": code}
        if self._settings:
            request["settings"] = self._settings
        if tools:
            request["tools"] = tools
        if variables:
            request["variables"] = variables
        self._interrupted = False
        self._running = True
        try:
            return self._converse(dumps(request), timeout, printed)
        except WorkerLostError as error:
            error.logs = printed.value
            raise
        except InterpreterError:
            raise
        except BaseException:  # Ctrl-C here, or a tool that ends the program
            self.out_of_step = True
            raise
        finally:
            self._running = False
            if self._stop_by is not None:
                self._stop_by.cancel()
                self._stop_by = None

    def _converse(self, message: str, timeout: float | None, printed: PrintContainer) -> CodeOutput:
        connection = self.connection
        answers: list[Any] = []
        failures: dict[int, Exception] = {}
        calls = 0
        timed_out = False
        left = timeout
        connection.send(message)
        while True:
            started = time.monotonic()
            text = connection.receive(left)
            if text is None:
                if timed_out:
                    raise WorkerLostError(
                        f"the code took longer than {timeout} seconds and could not be interrupted, so it was killed"
                    )
                timed_out, left = True, GRACE_SECONDS
                connection.interrupt()
                continue
            if left is not None:
                left = max(left - (time.monotonic() - started), 0.001)
            reply = self._read(text)
            printed.append(_text(reply, "out"))
            if reply.get("op") != "call":
                break
            calls += 1
            if calls > _MOST_CALLS:
                raise WorkerLostError(f"the code made more than {_MOST_CALLS} calls of tools in one step")
            connection.send(self._answer(reply, answers, failures))
        self._settings = None
        names = reply.get("names")
        if names is not None:
            self.names = _names(names)
        if answers:
            return CodeOutput(answers[0], printed.value, True)
        if reply["op"] == "done":
            return CodeOutput(self._value(reply), printed.value, False)
        raise self._failure(reply, failures, timed_out, timeout, printed)

    @staticmethod
    def _read(text: str) -> dict[str, Any]:
        if len(text) > MAX_MESSAGE_BYTES:
            raise WorkerLostError(f"it said more than {MAX_MESSAGE_BYTES >> 20} MB at once")
        try:
            reply = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WorkerLostError(f"it said something that is no message ({type(error).__name__})") from None
        if type(reply) is not dict or reply.get("op") not in ("call", "done", "failed"):
            raise WorkerLostError("it said something that is no message")
        return reply

    def _value(self, reply: dict[str, Any]) -> Any:
        if "text" in reply:
            return RemoteValue(_text(reply, "type"), _text(reply, "text"))
        try:
            return self._codec.decode(reply.get("value"), "the value of the code")
        except MalformedValueError as error:
            raise WorkerLostError(f"it sent a value that cannot be read: {error}") from None

    # Tools

    def _answer(self, call: dict[str, Any], answers: list[Any], failures: dict[int, Exception]) -> str:
        name, args, kwargs, number = call.get("name"), call.get("args"), call.get("kwargs"), call.get("id")
        if type(name) is not str or type(args) is not list or type(kwargs) is not dict or type(number) is not int:
            raise WorkerLostError("it made a call that is none")
        tool = self._find_tool(name)
        if tool is None:
            raise WorkerLostError(f"it called a tool that it was not given: {name[:_LONGEST_NAME]!r}")
        if self._interrupted:
            return '{"op":"interrupt"}'
        try:
            decode = self._codec.decode
            args = [decode(arg, f"argument {index + 1} of {name}()") for index, arg in enumerate(args)]
            kwargs = {key: decode(arg, f"argument {key} of {name}()") for key, arg in kwargs.items()}
        except MalformedValueError as error:
            raise WorkerLostError(f"it sent a value that cannot be read: {error}") from None
        try:
            result = tool(*args, **kwargs)
            if name == "final_answer":
                if not answers:
                    answers.append(result)
                return '{"op":"value","value":null,"final":true}'
            if self._interrupted:
                return '{"op":"interrupt"}'
            return dumps({"op": "value", "value": self._codec.encode(result, f"the result of {name}()")})
        except Exception as error:  # of the tool, or its result cannot cross: for the code to handle
            failures[number] = error
            if len(failures) > 100:
                del failures[next(iter(failures))]
            kind = "TypeError" if isinstance(error, CannotCrossError) else type(error).__name__
            return dumps({"op": "raise", "type": kind, "message": _message_of(error)})

    # Failures

    def _failure(
        self,
        reply: dict[str, Any],
        failures: dict[int, Exception],
        timed_out: bool,
        timeout: float | None,
        printed: PrintContainer,
    ) -> InterpreterError:
        text, message, kind = _text(reply, "text"), _text(reply, "message"), reply.get("kind")
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
        number = reply.get("call")
        cause = failures.get(number) if type(number) is int else None
        error.__cause__ = cause or RemoteCodeError(_text(reply, "type"), message)
        error.logs = printed.value
        return error


def _text(reply: dict[str, Any], key: str) -> str:
    value = reply.get(key, "")
    if type(value) is not str:
        raise WorkerLostError("it said something that is no message")
    return value


def _names(names: Any) -> tuple[str, ...]:
    if type(names) is not list or len(names) > _MOST_NAMES:
        raise WorkerLostError("it said something that is no message")
    return tuple(name[:_LONGEST_NAME] for name in names if type(name) is str and name.isidentifier())


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        return f"<its message could not be made: {type(failure).__name__}>"
