"""Spans of tools' calls, wherever they come from: code of an agent, other tools, an agent's own request."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from smolagents.monitoring import tracing
from smolagents.monitoring.tracing import Span, current_span

if TYPE_CHECKING:
    from smolagents.tools.base import Tool

__all__ = ["traced_acall", "traced_call"]

Method = TypeVar("Method", bound=Callable[..., Any])

_NOTHING: AbstractContextManager[None] = nullcontext()


def traced_call(method: Method) -> Method:
    """Make a span of each call of a tool that is made while an agent is being traced."""

    @functools.wraps(method)
    def call(self: Tool, *args: Any, **kwargs: Any) -> Any:
        if current_span.get() is None:
            return method(self, *args, **kwargs)
        with _span(self, args, kwargs) as span:
            result = method(self, *args, **kwargs)
            if span is not None:
                span.content["result"] = result
            return result

    return call  # type: ignore[return-value]


def traced_acall(method: Method) -> Method:
    """`traced_call` for a coroutine. That of a synchronous tool calls the tool, which is traced then."""

    @functools.wraps(method)
    async def call(self: Tool, *args: Any, **kwargs: Any) -> Any:
        if current_span.get() is None or not self.is_async:
            return await method(self, *args, **kwargs)
        with _span(self, args, kwargs) as span:
            result = await method(self, *args, **kwargs)
            if span is not None:
                span.content["result"] = result
            return result

    return call  # type: ignore[return-value]


def _span(tool: Tool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> AbstractContextManager[Span | None]:
    """The span of a call; none if it has one already, opened by the agent or where the call came in."""
    above = current_span.get()
    if above is not None and above.call_of(tool.name):
        return _NOTHING
    arguments = {**dict(zip(tool.inputs, args, strict=False)), **kwargs}
    arguments.pop("sanitize_inputs_outputs", None)
    return tracing.span(
        "execute_tool",
        tool.name,
        tool=tool.name,
        description=tool.description,
        content={"arguments": arguments},
    )
