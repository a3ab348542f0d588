"""OpenTelemetry that keeps its spans in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from span_trees import Spans

import smolagents
from smolagents.monitoring import tracing
from support.fresh_process import fresh_python

__all__ = ["fresh_python"]


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    made = TracerProvider()
    yield made
    smolagents.uninstrument()
    tracing.look_for_telemetry = True
    made.shutdown()


@pytest.fixture
def exported(provider: TracerProvider) -> Spans:
    """The spans that `provider` is given."""
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Spans(exporter)


@pytest.fixture
def spans(provider: TracerProvider, exported: Spans) -> Spans:
    """The spans of runs, without what was said in them."""
    smolagents.instrument(provider)
    return exported
