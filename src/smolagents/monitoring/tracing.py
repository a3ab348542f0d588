"""The seam through which a run can be watched from outside: spans, and the tracers that are told of them.

Nothing here costs anything until a tracer is registered: no span is made, and none is asked for.

A span is an explicit thing with an explicit parent. A run keeps its own, as a run may be a generator whose steps are
taken in changing contexts; only while code that is not ours works is a span the current one of its context.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

__all__ = [
    "ContextTracer",
    "Span",
    "SpanKind",
    "Tracer",
    "active",
    "add_tracer",
    "continue_trace",
    "current_span",
    "enabled",
    "end",
    "event",
    "remove_tracer",
    "span",
    "start",
    "traceparent",
]

SpanKind: TypeAlias = Literal[
    "invoke_agent", "step", "plan", "chat", "run_code", "execute_tool", "process_message", "send_message"
]


@dataclass(slots=True, kw_only=True, eq=False)
class Span:
    """A piece of work with a beginning and an end."""

    kind: SpanKind
    name: str
    """The agent's, the model's or the tool's name, the other agent's id, or "step 3"."""
    trace_id: str
    """32 hex digits, the same for all of a team's work on one task."""
    span_id: str
    """16 hex digits."""
    parent_id: str | None = None
    parent: Span | None = None
    """The span this one is part of, where that is in this process."""
    remote: Mapping[str, str] | None = None
    """W3C headers of the parent, where that is in another process."""
    started_at: float
    """Seconds since the epoch."""
    ended_at: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    """Facts that are no one's secret: names, ids, counts. JSON-able."""
    content: dict[str, Any] = field(default_factory=dict)
    """What was said, written and returned: the objects themselves, as they are when the tracer is told of them."""
    error: str | None = None
    """Type and text of the exception that ended it."""
    exception: BaseException | None = None
    open_call: str | None = None
    """Name of a tool whose call this span is, until the tool takes it for its own: see `call_of`."""

    def call_of(self, tool: str) -> bool:
        """Whether this span was opened for a call of `tool` that arrives only now. True once."""
        mine = self.open_call == tool
        self.open_call = None
        return mine


class Tracer(Protocol):
    """What is told of spans, from any thread. If it raises, that is logged once and the run goes on."""

    def started(self, span: Span) -> None:
        """A span begins."""

    def event(self, span: Span, name: str, attributes: dict[str, Any]) -> None:
        """Something happens within a span, such as a piece of streamed text."""

    def ended(self, span: Span) -> None:
        """A span is over; its attributes and its content are complete."""


@runtime_checkable
class ContextTracer(Tracer, Protocol):
    """A tracer with a notion of its own of what is current. It is told of spans before the others.

    In `started` it may give the span other ids, which all others then see.
    """

    def entered(self, span: Span) -> Any:
        """The span becomes the current one of this context. What this returns is given to `left`."""

    def left(self, span: Span, token: Any) -> None:
        """The span is no longer the current one. Called in the context that `entered` was called in."""

    def headers(self) -> Mapping[str, str]:
        """W3C headers by which another process can go on with what is current here."""


@dataclass(frozen=True, slots=True)
class _Remote:
    trace_id: str
    span_id: str
    headers: Mapping[str, str]


current_span: ContextVar[Span | None] = ContextVar("smolagents_current_span", default=None)
"""The span that what happens now is part of."""

_remote: ContextVar[_Remote | None] = ContextVar("smolagents_remote_span", default=None)
_tracers: tuple[Tracer, ...] = ()
_context_tracers: tuple[ContextTracer, ...] = ()
_failed: set[int] = set()
_lock = threading.Lock()
_log = logging.getLogger("smolagents")
_ENTRANCES = frozenset({"process_message", "send_message"})
"""What may be the first that a process does; a run is the other."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?", re.ASCII)

look_for_telemetry = True
"""Whether to join the process's OpenTelemetry tracer provider as soon as there is one."""


def add_tracer(tracer: Tracer) -> None:
    """Tell `tracer` of all spans that begin from now on."""
    _replace([*(each for each in _tracers if each is not tracer), tracer])


def remove_tracer(tracer: Tracer) -> None:
    """Tell `tracer` nothing more. One that was not added is ignored."""
    _replace([each for each in _tracers if each is not tracer])


def _replace(tracers: list[Tracer]) -> None:
    global _tracers, _context_tracers  # noqa: PLW0603
    with _lock:
        _context_tracers = tuple(each for each in tracers if isinstance(each, ContextTracer))
        _tracers = (*_context_tracers, *(each for each in tracers if each not in _context_tracers))
        _failed.intersection_update(map(id, tracers))


def enabled() -> bool:
    """Whether anybody traces. Where work begins, this also looks for whom the process would have trace it."""
    if os.environ.get("SMOLAGENTS_TRACE_DIR") != _trace_dir:
        _follow_environment()
    if look_for_telemetry and "opentelemetry.trace" in sys.modules:
        _join_telemetry()
    return bool(_tracers)


_trace_dir: str | None = None
"""The folder for traces that the environment named when this was last looked at."""


def _follow_environment() -> None:
    global _trace_dir  # noqa: PLW0603
    from smolagents.monitoring.trace_files import follow_environment

    _trace_dir = follow_environment()


def _join_telemetry() -> None:
    global look_for_telemetry  # noqa: PLW0603
    from smolagents.monitoring.telemetry import join_provider

    try:
        join_provider()
    except Exception:
        look_for_telemetry = False
        _log.exception("the process's tracer provider cannot be used; runs go on without it")


def start(
    kind: SpanKind,
    name: str,
    /,
    *,
    parent: Span | None = None,
    content: dict[str, Any] | None = None,
    **attributes: Any,
) -> Span:
    """Begin a span. It is not made the current one: see `active`. Each must be given to `end`.

    Args:
        kind: What kind of work it is.
        name: Of what, or of whom.
        parent: What it is part of; by default the current span, or the one that `continue_trace` was given.
        content: What was said and written.
        **attributes: Facts.
    """
    parent = parent or current_span.get()
    remote = _remote.get() if parent is None else None
    above: Span | _Remote | None = parent or remote
    made = Span(
        kind=kind,
        name=name,
        trace_id=os.urandom(16).hex() if above is None else above.trace_id,
        span_id=os.urandom(8).hex(),
        parent_id=None if above is None else above.span_id,
        parent=parent,
        remote=None if remote is None else remote.headers,
        started_at=time.time(),
        attributes=attributes,
        content=content or {},
    )
    for tracer in _tracers:
        try:
            tracer.started(made)
        except Exception:
            _complain(tracer)
    return made


def event(span: Span, name: str, /, **attributes: Any) -> None:
    """Tell of something that happens within a span."""
    for tracer in _tracers:
        try:
            tracer.event(span, name, attributes)
        except Exception:
            _complain(tracer)


def end(span: Span, error: BaseException | None = None) -> None:
    """End a span; to end it again does nothing.

    Args:
        span: The span.
        error: What ended it. That a caller wants no more of a generator is no error.
    """
    if span.ended_at is not None:
        return
    span.ended_at = time.time()
    if error is not None and not isinstance(error, GeneratorExit):
        span.exception = error
        span.error = f"{type(error).__name__}: {error}".removesuffix(": ")
    for tracer in _tracers:
        try:
            tracer.ended(span)
        except Exception:
            _complain(tracer)


class active:  # noqa: N801 - used like a function
    """Within the block, `span` is the current one. Nothing may be yielded out of the block."""

    __slots__ = ("_entered", "_token", "span")

    def __init__(self, span: Span) -> None:
        self.span = span

    def __enter__(self) -> Span:
        self._token: Token[Span | None] = current_span.set(self.span)
        self._entered: list[tuple[ContextTracer, Any]] = []
        for tracer in _context_tracers:
            try:
                self._entered.append((tracer, tracer.entered(self.span)))
            except Exception:
                _complain(tracer)
        return self.span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for tracer, token in reversed(self._entered):
            try:
                tracer.left(self.span, token)
            except Exception:
                _complain(tracer)
        current_span.reset(self._token)


class _Opened(active):
    """Begins a span, makes it the current one, and ends it."""

    __slots__ = ()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        end(self.span, error)


_NOTHING: AbstractContextManager[None] = nullcontext()


def span(
    kind: SpanKind,
    name: str,
    /,
    *,
    parent: Span | None = None,
    content: dict[str, Any] | None = None,
    **attributes: Any,
) -> AbstractContextManager[Span | None]:
    """The block is a span, and the current one; None where nobody traces. Arguments as for `start`.

    Nothing may be yielded out of the block.
    """
    if not (enabled() if kind in _ENTRANCES else _tracers):
        return _NOTHING
    return _Opened(start(kind, name, parent=parent, content=content, **attributes))


def traceparent() -> dict[str, str]:
    """W3C headers by which another process can go on with the current trace; empty where there is none."""
    span, remote = current_span.get(), _remote.get()
    if span is None and remote is not None:
        return dict(remote.headers)
    headers: dict[str, str] = {}
    if not enabled():
        return headers
    if span is not None:
        headers["traceparent"] = f"00-{span.trace_id}-{span.span_id}-01"
    for tracer in _context_tracers:
        try:
            headers.update(tracer.headers())
        except Exception:
            _complain(tracer)
    return headers


class continue_trace:  # noqa: N801 - used like a function
    """Spans of the block belong to the trace whose W3C headers are given; without a valid one, to one of their own."""

    __slots__ = ("_headers", "_tokens")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __enter__(self) -> None:
        remote = _parsed(self._headers)
        self._tokens = (current_span.set(None), _remote.set(remote))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        span_token, remote_token = self._tokens
        _remote.reset(remote_token)
        current_span.reset(span_token)


def _parsed(headers: Mapping[str, str]) -> _Remote | None:
    found = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    if found is None or not found[1].strip("0") or not found[2].strip("0"):
        return None
    return _Remote(found[1], found[2], headers)


def _complain(tracer: Tracer) -> None:
    if id(tracer) not in _failed:
        _failed.add(id(tracer))
        _log.exception("the tracer %r failed; the run goes on, and its further failures are not logged", tracer)
