"""Telemetry on and off, with and without what was said; tracers that fail, and what tracing costs when there is none."""

from __future__ import annotations

import json
import logging

import pytest
from opentelemetry.sdk.trace import TracerProvider
from span_trees import add, answers, caller, calls, code, coder

import smolagents
from smolagents import AgentGenerationError, MissingExtraError, tool
from smolagents.monitoring import tracing

SECRET = "the moon is made of cheese"


def told(spans):
    """All that is in the spans, as text."""
    return "\n".join(
        f"{span.name} {dict(span.attributes)} {span.status.description} {[event.attributes for event in span.events]}"
        for span in spans.all()
    )


@tool
def keep(text: str) -> str:
    """Keeps a text.

    Args:
        text: The text.
    """
    raise ValueError(f"no room for: {text}")


def say_it_everywhere():
    coder(f"Plan: {SECRET}", code(f"x = {SECRET!r}"), code(f"final_answer({SECRET!r})"), planning_interval=3).run(
        SECRET
    )
    caller(calls(("keep", {"text": SECRET})), answers(SECRET), tools=[keep]).run("a task")
    with pytest.raises(AgentGenerationError):
        coder(ConnectionError(SECRET)).run("a task")


def test_nothing_that_was_said_is_in_the_spans(spans):
    say_it_everywhere()
    assert "moon" not in told(spans)
    assert "error.type" in told(spans)


@pytest.mark.parametrize("value", ["true", "SPAN_ONLY", "span_and_event"])
def test_the_standard_variable_captures_content(monkeypatch, provider, exported, value):
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value)
    smolagents.instrument(provider)
    say_it_everywhere()
    assert told(exported).count("moon") > 10


@pytest.mark.parametrize("value", ["", "false", "NO_CONTENT", "event_only"])
def test_the_standard_variable_may_also_refuse(monkeypatch, provider, exported, value):
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value)
    smolagents.instrument(provider)
    say_it_everywhere()
    assert "moon" not in told(exported)


def test_what_is_asked_for_stands_over_the_variable(monkeypatch, provider, exported):
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    smolagents.instrument(provider, capture_content=False)
    say_it_everywhere()
    assert "moon" not in told(exported)


def test_captured_content_is_in_the_form_of_the_conventions(provider, exported):
    import PIL.Image

    smolagents.instrument(provider, capture_content=True)
    caller(calls(("add", {"a": 1, "b": 2})), answers("three")).run(
        "Add 1 and 2", images=[PIL.Image.new("RGB", (3, 2))]
    )
    agent = exported.named("invoke_agent helper").attributes
    assert json.loads(agent["gen_ai.input.messages"]) == [
        {
            "role": "user",
            "parts": [{"type": "text", "content": "Add 1 and 2"}, {"type": "image", "width": 3, "height": 2}],
        }
    ]
    assert json.loads(agent["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "three"}], "finish_reason": "stop"}
    ]
    called = exported.named("execute_tool add").attributes
    assert json.loads(called["gen_ai.tool.call.arguments"]) == {"a": 1, "b": 2}
    assert called["gen_ai.tool.call.result"] == "3"
    first, second = (span.attributes for span in exported.all() if span.name == "chat scripted")
    assert [each["role"] for each in json.loads(first["gen_ai.input.messages"])] == ["system", "user"]
    assert [each["role"] for each in json.loads(second["gen_ai.input.messages"])][2:] == ["assistant", "tool"]
    call = {"type": "tool_call", "id": "id0", "name": "add", "arguments": {"a": 1, "b": 2}}
    (reply,) = json.loads(first["gen_ai.output.messages"])
    assert call in reply["parts"]
    tools = json.loads(first["gen_ai.tool.definitions"])
    assert [each["name"] for each in tools] == ["add", "final_answer"]
    assert tools[0]["parameters"]["properties"]["a"]["type"] == "integer"


def test_code_and_what_it_printed_are_content(provider, exported):
    smolagents.instrument(provider, capture_content=True)
    coder(code("print('hello')", "final_answer({'a': [1, 2]})")).run("a task")
    ran = exported.named("run_code LocalPythonExecutor").attributes
    assert ran["smolagents.code"] == "print('hello')\nfinal_answer({'a': [1, 2]})"
    assert ran["smolagents.code.logs"].strip() == "hello"
    assert json.loads(ran["smolagents.code.output"]) == {"a": [1, 2]}


def test_no_span_without_a_provider_or_after_uninstrument(provider, exported):
    coder(code("final_answer(1)")).run("a task")
    smolagents.instrument(provider)
    smolagents.uninstrument()
    coder(code("final_answer(1)")).run("a task")
    assert exported.tree() == []


def test_to_instrument_again_takes_the_place_of_before(provider, exported):
    smolagents.instrument(TracerProvider())
    smolagents.instrument(provider)
    smolagents.instrument(provider)
    coder(code("final_answer(1)")).run("a task")
    assert len(exported.traces()) == 1
    assert [span.name for span in exported.all()].count("invoke_agent boss") == 1


def test_uninstrument_in_the_middle_of_a_run_ends_what_is_open(spans):
    events = coder(code("print(1)"), code("final_answer(1)"), stream_outputs=True).run("a task", stream=True)
    next(events)
    smolagents.uninstrument()
    assert list(events)[-1].output == 1
    assert spans.tree() == [["invoke_agent boss", ["step 1", "chat scripted"]]]


def test_a_provider_that_is_none_is_refused():
    with pytest.raises(TypeError, match="must be an OpenTelemetry TracerProvider, not 'console'"):
        smolagents.instrument("console")


def test_without_opentelemetry_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    monkeypatch.setattr(tracing, "look_for_telemetry", False)
    with pytest.raises(MissingExtraError, match=r"smolagents\[telemetry\]"):
        smolagents.instrument()


def test_where_instrumentation_is_suppressed_there_are_no_spans(spans):
    from opentelemetry.instrumentation.utils import suppress_instrumentation

    with suppress_instrumentation():
        coder(code("final_answer(add(1, 2))")).run("a task")
    assert spans.tree() == []


def test_a_sampler_that_drops_a_trace_drops_all_of_it(exported):
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    dropping = TracerProvider(sampler=ALWAYS_OFF)
    dropping.add_span_processor(SimpleSpanProcessor(exported._exporter))
    smolagents.instrument(dropping, capture_content=True)
    assert coder(code("final_answer(add(1, 2))")).run("a task") == 3
    assert exported.tree() == []


class Failing:
    """A tracer of which nothing works."""

    def __init__(self):
        self.asked = 0

    def _fail(self, *_):
        self.asked += 1
        raise RuntimeError("the collector is down")

    started = event = ended = entered = left = headers = _fail


@pytest.mark.parametrize("stream_outputs", [False, True])
def test_a_tracer_that_raises_disturbs_nothing_and_is_logged_once(spans, caplog, stream_outputs):
    failing = Failing()
    tracing.add_tracer(failing)
    try:
        with caplog.at_level(logging.ERROR, "smolagents"):
            assert (
                coder(code("print(add(1, 2))"), code("final_answer(3)"), stream_outputs=stream_outputs).run("x") == 3
            )
    finally:
        tracing.remove_tracer(failing)
    assert failing.asked > 10
    (record,) = caplog.records
    assert "the run goes on" in record.getMessage()
    assert len(spans.all()) == 9


def test_an_exporter_that_raises_disturbs_nothing(provider):
    class Broken:
        def on_start(self, span, parent_context=None):
            raise OSError("no")

        def on_end(self, span):
            raise OSError("no")

        def shutdown(self):
            pass

        def force_flush(self, timeout_millis=0):
            return True

    provider.add_span_processor(Broken())
    smolagents.instrument(provider)
    assert coder(code("final_answer(add(1, 2))")).run("a task") == 3


def test_every_span_is_ended_once_and_has_the_ids_of_opentelemetry(spans):
    class Recording:
        def __init__(self):
            self.started_spans, self.ended_spans, self.events = [], [], []

        def started(self, span):
            self.started_spans.append((span, span.trace_id, span.span_id))

        def event(self, span, name, attributes):
            self.events.append((span.kind, name, attributes))

        def ended(self, span):
            self.ended_spans.append(span)

    recording = Recording()
    tracing.add_tracer(recording)
    try:
        coder(code("final_answer(add(1, 2))"), stream_outputs=True).run("a task")
    finally:
        tracing.remove_tracer(recording)
    assert sorted(map(id, recording.ended_spans)) == sorted(id(span) for span, _, _ in recording.started_spans)
    theirs = {(f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}") for span in spans.all()}
    assert {(trace, span) for _, trace, span in recording.started_spans} == theirs
    for span, _, _ in recording.started_spans:
        assert span.parent_id == (None if span.parent is None else span.parent.span_id)
    text = "".join(
        attributes["text"] for kind, name, attributes in recording.events if (kind, name) == ("chat", "text")
    )
    assert "final_answer(add(1, 2))" in text


RUN = """
import sys
from smolagents import CodeAgent
from smolagents.testing import ScriptedModel
agent = CodeAgent([], ScriptedModel(["<code>\\nfinal_answer(1)\\n</code>"], cycle=True), verbosity_level=-1)
"""
PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""
SHOW = "print([span.name for span in exporter.get_finished_spans()])\n"


def test_a_process_without_opentelemetry_does_not_load_it(fresh_python):
    program = (
        RUN
        + "agent.run('a task')\nprint([name for name in sys.modules if 'opentelemetry' in name or 'telemetry' in name])"
    )
    assert fresh_python(program).strip() == "[]"


def test_a_process_with_a_provider_is_traced_without_a_call(fresh_python):
    found = fresh_python(RUN + "agent.run('a task')\n" + PROVIDER + "agent.run('a task')\n" + SHOW)
    assert "invoke_agent CodeAgent" in found
    assert found.count("chat scripted") == 1


def test_a_process_whose_provider_comes_after_instrument_is_traced(fresh_python):
    found = fresh_python(
        RUN + "import smolagents\nsmolagents.instrument()\nagent.run('a')\n" + PROVIDER + "agent.run('a')\n" + SHOW
    )
    assert found.count("invoke_agent CodeAgent") == 1


def test_the_standard_variable_disables_it(fresh_python):
    program = PROVIDER + RUN + "agent.run('a task')\n" + SHOW
    assert fresh_python(program, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="redis, smolagents").strip() == "[]"


def test_opentelemetry_without_a_provider_makes_no_span(fresh_python):
    program = "import opentelemetry.trace\n" + RUN + "agent.run('a task')\n"
    program += "from smolagents.monitoring import tracing\nprint(tracing._tracers)"
    assert fresh_python(program).strip() == "()"


def test_a_provider_that_cannot_be_loaded_costs_its_spans_only(fresh_python):
    program = "import opentelemetry.trace\n" + RUN + "print(agent.run('a task'))"
    assert fresh_python(program, OTEL_PYTHON_TRACER_PROVIDER="nonsense").strip() == "1"


def test_switched_off_a_step_makes_no_span(monkeypatch):
    def made(*args, **kwargs):
        raise AssertionError("a span was made")

    monkeypatch.setattr(tracing, "Span", made)
    monkeypatch.setattr(tracing, "active", made)
    caller(calls(("add", {"a": 1, "b": 2})), answers("x"), tools=[add]).run("a task")
    assert coder(code("final_answer(add(1, 2))"), stream_outputs=True).run("a task") == 3
