"""OpenTelemetry: the spans of runs, given to the process's tracer provider or to one that is named."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smolagents._imports import require
from smolagents.monitoring import genai, tracing
from smolagents.monitoring.tracing import Span, current_span

if TYPE_CHECKING:
    from opentelemetry import trace as otel
    from opentelemetry.context import Context

__all__ = ["OpenTelemetryTracer", "instrument", "join_provider", "uninstrument"]

_CAPTURE_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CAPTURING = {"true", "1", "span_only", "span_and_event"}
_DISABLING_VARIABLE = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"
"""The version that brought `gen_ai.provider.name`, and messages as attributes."""

_lock = threading.Lock()
_tracer: OpenTelemetryTracer | None = None


def instrument(tracer_provider: otel.TracerProvider | None = None, *, capture_content: bool | None = None) -> None:
    """Give the spans of all runs to OpenTelemetry.

    A process that has set a tracer provider needs no call: its runs are traced. Called again, this takes the place
    of the earlier call.

    Args:
        tracer_provider: Where the spans go; by default to the process's provider, also if that is set only later.
        capture_content: Whether spans hold what was said: prompts, replies, arguments, results, code, and the texts
            of errors. By default as the environment variable `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`
            says ("true", "span_only" or "span_and_event"), and no without it.

    Raises:
        MissingExtraError: OpenTelemetry is not installed.
        TypeError: `tracer_provider` is none.
    """
    api = require("opentelemetry.trace", extra="telemetry", needed_for="instrument()")
    if tracer_provider is not None and not hasattr(tracer_provider, "get_tracer"):
        raise TypeError(
            f"tracer_provider must be an OpenTelemetry TracerProvider, not {tracer_provider!r}; "
            "leave it out to use the process's own"
        )
    _use(OpenTelemetryTracer(tracer_provider or api.get_tracer_provider(), capture_content))


def uninstrument() -> None:
    """Give OpenTelemetry no more spans, also where the process has a tracer provider. Open spans are ended."""
    _use(None)


def join_provider() -> None:
    """Trace runs where the process has a tracer provider, unless another instrumentation of them does so."""
    from opentelemetry import trace as api

    provider = api.get_tracer_provider()
    if isinstance(provider, (api.ProxyTracerProvider, api.NoOpTracerProvider)) or _instrumented_by_another():
        return
    disabled = os.environ.get(_DISABLING_VARIABLE, "").split(",")
    _use(None if "smolagents" in map(str.strip, disabled) else OpenTelemetryTracer(provider))


def _instrumented_by_another() -> bool:
    """Whether openinference has put its wrappers around agents: every span would be there twice."""
    module: Any = sys.modules.get("openinference.instrumentation.smolagents")
    instrumentor = getattr(module, "SmolagentsInstrumentor", None)
    return instrumentor is not None and bool(instrumentor().is_instrumented_by_opentelemetry)


def _use(tracer: OpenTelemetryTracer | None) -> None:
    global _tracer
    with _lock:
        tracing.look_for_telemetry = False
        before, _tracer = _tracer, tracer
        if tracer is not None:
            tracing.add_tracer(tracer)
        if before is not None:
            tracing.remove_tracer(before)
            before.close()


@dataclass(frozen=True, slots=True)
class _Open:
    span: otel.Span
    context: Context
    """The context with that span in it."""


class OpenTelemetryTracer:
    """Makes OpenTelemetry spans. `instrument` registers one.

    Args:
        provider: Where they go.
        capture_content: As for `instrument`.
    """

    def __init__(self, provider: otel.TracerProvider, capture_content: bool | None = None) -> None:
        from opentelemetry import context, propagate, trace

        from smolagents import __version__

        self._context, self._propagate, self._api = context, propagate, trace
        self._tracer = provider.get_tracer("smolagents", __version__, schema_url=_SCHEMA_URL)
        self._capture = (
            os.environ.get(_CAPTURE_VARIABLE, "").strip().lower() in _CAPTURING
            if capture_content is None
            else capture_content
        )
        self._open: dict[str, _Open] = {}

    def started(self, span: Span) -> None:
        above = self._context_for(span)
        if self._context.get_value(self._context._SUPPRESS_INSTRUMENTATION_KEY, above):
            return
        made = self._tracer.start_span(
            genai.name_of(span),
            above,
            kind=self._api.SpanKind[genai.kind_of(span)],
            attributes=genai.facts_at_start(span),
            start_time=_nanoseconds(span.started_at),
        )
        identity = made.get_span_context()
        if identity.is_valid:
            span.trace_id = self._api.format_trace_id(identity.trace_id)
            span.span_id = self._api.format_span_id(identity.span_id)
        self._open[span.span_id] = _Open(made, self._api.set_span_in_context(made, above))
        if self._capture and made.is_recording():
            made.set_attributes(genai.content_at_start(span))

    def _context_for(self, span: Span) -> Context:
        """What the span is part of. A program's own spans count where they are around it in the same context."""
        if span.parent is None and span.remote is not None:
            return self._remote_context(span.remote)
        if span.parent is None or span.parent is current_span.get():
            return self._context.get_current()
        above = self._open.get(span.parent.span_id)
        return self._context.get_current() if above is None else above.context

    def _remote_context(self, headers: Mapping[str, str]) -> Context:
        empty = self._context.Context()
        found = self._propagate.extract(headers, context=empty)
        if not self._api.get_current_span(found).get_span_context().is_valid:
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

            found = TraceContextTextMapPropagator().extract(dict(headers), context=found)
        return found

    def event(self, span: Span, name: str, attributes: dict[str, Any]) -> None:
        """Pieces of text and progress are not for a backend that stores traces."""

    def ended(self, span: Span) -> None:
        held = self._open.pop(span.span_id, None)
        if held is None:
            return
        if held.span.is_recording():
            held.span.set_attributes(genai.facts_at_end(span))
            if span.exception is not None:
                self._fail(held.span, span)
            if self._capture:
                held.span.set_attributes(genai.content_at_end(span))
        held.span.end(_nanoseconds(span.ended_at))

    def _fail(self, held: otel.Span, span: Span) -> None:
        """What an error says may well be what was said to a model, or by one."""
        assert span.exception is not None
        text = span.error if self._capture else type(span.exception).__qualname__
        held.set_status(self._api.Status(self._api.StatusCode.ERROR, text))
        if self._capture:
            held.record_exception(span.exception, timestamp=_nanoseconds(span.ended_at))

    def entered(self, span: Span) -> Any:
        held = self._open.get(span.span_id)
        return None if held is None else self._context.attach(held.context)

    def left(self, span: Span, token: Any) -> None:
        if token is not None:
            self._context.detach(token)

    def headers(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        self._propagate.inject(found)
        return found

    def close(self) -> None:
        """End the spans that are open."""
        for identity in list(self._open):
            held = self._open.pop(identity, None)
            if held is not None:
                held.span.end()


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1e9)
