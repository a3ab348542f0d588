"""Members of a team, each in a process with a tracer provider of its own, which writes spans to a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from smolagents import CodeAgent
from smolagents.testing import ScriptedModel


class Writing(SpanExporter):
    """Writes each span as a line of a file."""

    def __init__(self, folder):
        self.path = Path(folder) / f"{os.getpid()}.jsonl"

    def export(self, spans):
        with self.path.open("a") as lines:
            for span in spans:
                parent = None if span.parent is None else f"{span.parent.span_id:016x}"
                found = {
                    "trace": f"{span.context.trace_id:032x}",
                    "span": f"{span.context.span_id:016x}",
                    "parent": parent,
                    "name": span.name,
                    "kind": span.kind.name,
                    "attributes": dict(span.attributes),
                    "process": os.getpid(),
                }
                lines.write(json.dumps(found) + "\n")
        return SpanExportResult.SUCCESS

    def shutdown(self):
        pass


def agent(folder, name, reply):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Writing(folder)))
    trace.set_tracer_provider(provider)
    model = ScriptedModel([f"<code>\n{reply}\n</code>"], cycle=True)
    return CodeAgent([], model, name=name, verbosity_level=-1)


def lead(folder, other):
    return agent(
        folder,
        "lead",
        f"send_message({other!r}, 'help me')\nfinal_answer(receive_messages(timeout=30)[0]['content'])",
    )


def helper(folder):
    return agent(folder, "helper", "final_answer('helped')")
