"""What running code can end with, and the signals that end it.

Exception
└── InterpreterError (ValueError)      the code failed; the text is ready to be shown to a model
    ├── GuardError                     the code asked for something that is out of its reach
    │   └── ImportNotAuthorizedError   ... a module that is not authorised (also an ImportError)
    ├── ExecutionTimeoutError          the time limit was reached
    ├── ExecutionLimitError            another limit was reached: operations, size of a result
    ├── ExecutionInterruptedError      `interrupt()` was called
    └── SessionLostError               the session ended with the code: killed, out of memory, cut off

Exception
└── WorkerLostError                    what runs the code is gone; told to the model as SessionLostError

BaseException
└── ControlSignal                      travels through the code and cannot be caught by it
    ├── FinalAnswerException           `final_answer` was called
    ├── LimitSignal                    carries the error of a limit or an interruption
    └── StopSignal                     raised asynchronously; the run knows why
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ControlSignal",
    "ExecutionInterruptedError",
    "ExecutionLimitError",
    "ExecutionTimeoutError",
    "FinalAnswerException",
    "GuardError",
    "ImportNotAuthorizedError",
    "InterpreterError",
    "LimitSignal",
    "SessionLostError",
    "StopSignal",
    "WorkerLostError",
    "interrupted_text",
    "timeout_text",
]


class InterpreterError(ValueError):
    """The code could not be run, or failed. Its text is for the model: traceback, line, type and message."""

    logs: str = ""
    """What the code printed before it failed."""


class GuardError(InterpreterError):
    """The code asked for an attribute, a function or an assignment that is out of its reach."""


class ImportNotAuthorizedError(GuardError, ImportError):
    """The code imported a module that is not authorised."""


class ExecutionTimeoutError(InterpreterError):
    """The code ran longer than `timeout_seconds`."""


class ExecutionLimitError(InterpreterError):
    """The code reached a limit other than time: number of operations, size of a result."""


class ExecutionInterruptedError(InterpreterError):
    """The code was stopped by `interrupt()`."""


class SessionLostError(InterpreterError):
    """The session ended while the code ran. Its variables are gone; the next code runs in a fresh session."""

    lost: tuple[str, ...] = ()
    """Names of the variables that are gone."""


class WorkerLostError(Exception):
    """What runs the code is gone, or can no longer be trusted.

    Args:
        cause: Why, as a clause that goes on from "The session ended: ", such as "the kernel was killed".
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.logs = ""


def timeout_text(seconds: float | None) -> str:
    """What the model is told when its time was up."""
    return (
        f"The code took longer than {seconds} seconds and was stopped. "
        "Make it faster, or raise the limit with timeout_seconds."
    )


def interrupted_text() -> str:
    """What is said when the code was interrupted."""
    return "The code was interrupted."


class ControlSignal(BaseException):
    """Base of what ends the code from inside. The code cannot catch it: guarded handlers raise it again."""


class FinalAnswerException(ControlSignal):
    """`final_answer` was called.

    Args:
        value: What the tool returned: the final answer.
    """

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


class LimitSignal(ControlSignal):
    """A limit was reached.

    Args:
        error: The error that the caller of the executor gets.
    """

    def __init__(self, error: InterpreterError) -> None:
        super().__init__(str(error))
        self.error = error


class StopSignal(ControlSignal):
    """Raised in the running thread from another one; why, the run knows."""
