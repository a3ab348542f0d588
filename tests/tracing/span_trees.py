"""Spans as a tree of names, and agents to make some."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from smolagents import ChatMessage, CodeAgent, TokenUsage, ToolCallingAgent, tool
from smolagents.testing import ScriptedModel, tool_call, tool_calls

USAGE = TokenUsage(10, 5, cached_input_tokens=4, cost=0.25)


class Spans:
    """Finished spans."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> list[ReadableSpan]:
        return sorted(self._exporter.get_finished_spans(), key=lambda span: (span.start_time, span.end_time))

    def named(self, name: str) -> ReadableSpan:
        (found,) = [span for span in self.all() if span.name == name]
        return found

    def tree(self) -> list[Any]:
        """Each span as its name, or as a list of its name and what is below it. Siblings in order of their start."""
        spans = self.all()
        below: dict[int | None, list[ReadableSpan]] = {}
        known = {span.context.span_id for span in spans}
        for span in spans:
            above = span.parent.span_id if span.parent is not None and span.parent.span_id in known else None
            below.setdefault(above, []).append(span)

        def shown(span: ReadableSpan) -> Any:
            children = [shown(child) for child in below.get(span.context.span_id, ())]
            return [span.name, *children] if children else span.name

        return [shown(span) for span in below.get(None, ())]

    def traces(self) -> set[int]:
        return {span.context.trace_id for span in self.all()}


@tool
def add(a: int, b: int) -> int:
    """Adds.

    Args:
        a: One number.
        b: The other.
    """
    return a + b


def code(*lines: str) -> str:
    body = "\n".join(lines)
    return f"Thought: I compute.\n<code>\n{body}\n</code>"


def calls(*named: tuple[str, dict[str, Any]]) -> ChatMessage:
    return tool_calls(*(tool_call(name, arguments, f"id{i}") for i, (name, arguments) in enumerate(named)))


def answers(value: Any) -> ChatMessage:
    return calls(("final_answer", {"answer": value}))


def coder(*replies: Any, tools: Iterable[Any] = (add,), **options: Any) -> CodeAgent:
    model = options.pop("model", None) or ScriptedModel(replies, usage=USAGE)
    return CodeAgent(list(tools), model, verbosity_level=-1, **{"name": "boss", **options})


def caller(*replies: Any, tools: Iterable[Any] = (add,), **options: Any) -> ToolCallingAgent:
    model = ScriptedModel(replies, usage=USAGE)
    return ToolCallingAgent(list(tools), model, verbosity_level=-1, **{"name": "helper", **options})
