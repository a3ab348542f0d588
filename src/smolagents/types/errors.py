"""The exceptions of the library.

    Exception
    ├── AgentError                      something went wrong in a run; `.run_result` holds what was done so far
    │   ├── AgentParsingError           the model's reply holds no action that can be run
    │   ├── AgentExecutionError         the action was understood, and running it failed
    │   │   ├── AgentToolCallError      a tool was called wrongly: unknown name, bad arguments
    │   │   └── AgentToolExecutionError a tool was called rightly, and raised
    │   ├── AgentMaxStepsError          the run used up its steps
    │   ├── AgentGenerationError        the model could not answer: network, key, server
    │   └── AgentInterruptedError       `agent.interrupt()` was called
    └── MissingExtraError (ImportError) an optional dependency is absent; the message names the extra to install

The model is shown parsing, execution and tool errors and may try again. Generation errors and interruptions
end the run and are raised to the caller.
"""

from __future__ import annotations

from typing import Any, Protocol

__all__ = [
    "AgentError",
    "AgentExecutionError",
    "AgentGenerationError",
    "AgentInterruptedError",
    "AgentMaxStepsError",
    "AgentParsingError",
    "AgentToolCallError",
    "AgentToolExecutionError",
    "MissingExtraError",
]


class ErrorLog(Protocol):
    """The part of a logger that an error needs."""

    def log_error(self, error_message: str) -> None: ...


class AgentError(Exception):
    """Base of what can go wrong in a run.

    Args:
        message: What happened, in words for the model and the user.
        logger: Where the message is shown at once; None to show nothing.
    """

    run_result: Any = None
    """The `RunResult` of what was done before the error, when a run raised it; else None."""

    def __init__(self, message: str, logger: ErrorLog | None = None) -> None:
        super().__init__(message)
        self.message = message
        if logger is not None:
            logger.log_error(message)

    def dict(self) -> dict[str, str]:
        return {"type": type(self).__name__, "message": str(self.message)}


class AgentParsingError(AgentError):
    """The model's reply holds no action that can be run."""


class AgentExecutionError(AgentError):
    """The action was understood, and running it failed."""


class AgentToolCallError(AgentExecutionError):
    """A tool was called wrongly: unknown name, missing or bad arguments."""


class AgentToolExecutionError(AgentExecutionError):
    """A tool was called rightly, and raised."""


class AgentMaxStepsError(AgentError):
    """The run used up its steps before a final answer."""


class AgentGenerationError(AgentError):
    """The model could not answer."""

    kind: str | None = None
    """What failed, for callers that act on it: "rate_limit", "quota", "server_error", "timeout", "connection",
    "unreachable", "conflict", "bad_request", "authentication", "permission" or "not_found"; None if it is not known."""
    status: int | None = None
    """HTTP status of the provider's answer, where there was one."""


class AgentInterruptedError(AgentError):
    """The run was interrupted by its user."""


class MissingExtraError(ImportError):
    """An optional dependency is absent.

    Args:
        package: The package that could not be imported.
        extra: The extra of this library that installs it.
        needed_for: What needs it, such as a class name.
    """

    def __init__(self, package: str, extra: str, needed_for: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{needed_for} needs the package '{package}', which is not installed. "
            f"Install it with: pip install 'smolagents[{extra}]'"
        )
