"""What can go wrong between an agent and an MCP server, in words for the model and the user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["MCPConnectionError", "MCPTimeoutError", "MCPToolError", "leaf", "leaves"]


class MCPConnectionError(ConnectionError):
    """A server could not be reached, or the connection to it was lost."""

    errors: dict[str, Exception]
    """For each server that failed its reason, where several were asked."""

    def __init__(self, message: str, errors: dict[str, Exception] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or {}


class MCPToolError(RuntimeError):
    """A server answered a call with an error."""


class MCPTimeoutError(MCPToolError, TimeoutError):
    """A server did not answer in time."""


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions that are in an exception group, or the exception itself."""
    inner: Iterable[Any] | None = getattr(error, "exceptions", None)
    if inner is None:
        yield error
        return
    for each in inner:
        yield from leaves(each)


def leaf(error: BaseException) -> BaseException:
    """The exception that says most of what a group is about: the first that is no mere cancellation."""
    found = list(leaves(error))
    return next((each for each in found if isinstance(each, Exception)), found[0] if found else error)
