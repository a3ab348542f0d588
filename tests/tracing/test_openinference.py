"""`openinference-instrumentation-smolagents` from PyPI works on this package: in processes of its own, as it patches classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.wire import Answer, chunk, completion, serve_answers

PROGRAM = """
import asyncio, json, logging, sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from openinference.instrumentation.smolagents import SmolagentsInstrumentor
logging.basicConfig(stream=sys.stdout, format="LOGGED %(message)s", level=logging.ERROR)
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
SmolagentsInstrumentor().instrument(tracer_provider=provider)

import smolagents
from smolagents import CodeAgent, OpenAIModel, ToolCallingAgent, tool

@tool
def add(a: int, b: int) -> int:
    '''Adds.

    Args:
        a: One number.
        b: The other.
    '''
    return a + b

def model():
    return OpenAIModel("gpt-4o", api_base=sys.argv[1], api_key="sesame")

def coder(**options):
    return CodeAgent([add], model(), name="boss", verbosity_level=-1, **options)

def caller(**options):
    return ToolCallingAgent([add], model(), name="helper", description="Helps.", verbosity_level=-1, **options)

def show():
    for span in exporter.get_finished_spans():
        parent = None if span.parent is None else span.parent.span_id
        print(json.dumps({"name": span.name, "id": span.context.span_id, "parent": parent, "trace": span.context.trace_id,
                          "ok": span.status.status_code.name, "attributes": dict(span.attributes), "start": span.start_time}))
"""
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def code(*lines: str) -> Answer:
    body = "\n".join(lines)
    return Answer(completion({"content": f"Thought: I compute.\n<code>\n{body}\n</code>"}, usage=USAGE))


def call(name: str, **arguments: Any) -> Answer:
    function = {"name": name, "arguments": json.dumps(arguments)}
    message = {"tool_calls": [{"id": "call1", "type": "function", "function": function}]}
    return Answer(completion(message, finish_reason="tool_calls", usage=USAGE))


def streamed(answer: Answer) -> Answer:
    text = answer.body["choices"][0]["message"]["content"]
    pieces = [chunk({"content": text[at : at + 9]}) for at in range(0, len(text), 9)]
    return Answer(events=[*pieces, {**chunk({}, "stop"), "choices": [], "usage": USAGE}, "[DONE]"])


@pytest.fixture
def run(fresh_python: Callable[..., str]) -> Callable[..., list[dict[str, Any]]]:
    """Run a program against a model that gives these answers, and return the spans that it exported."""

    def run_program(program: str, *answers: Answer) -> list[dict[str, Any]]:
        with serve_answers(*answers) as wire:
            output = fresh_python(PROGRAM + program + "\nshow()\n", wire.url)
        assert "LOGGED" not in output
        return sorted(map(json.loads, output.splitlines()), key=lambda span: span["start"])

    return run_program


def tree(spans: list[dict[str, Any]]) -> list[Any]:
    ids = {span["id"] for span in spans}

    def below(parent: Any) -> list[Any]:
        return [
            [span["name"], *children] if (children := below(span["id"])) else span["name"]
            for span in spans
            if span["parent"] == parent or (parent is None and span["parent"] not in ids)
        ]

    return below(None)


def of(spans: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [span["attributes"] for span in spans if span["attributes"].get("openinference.span.kind") == kind]


CODE = (code("print(add(1, 2))"), code("final_answer(add(3, 4))"))
CODE_TREE = [
    "boss.run",
    ["Step 1", "OpenAIModel.generate", "FunctionTool"],
    ["Step 2", "OpenAIModel.generate", "FunctionTool", "FinalAnswerTool"],
]


def test_an_agent_that_writes_code(run):
    spans = run("assert coder().run('Add.') == 7", *CODE)
    assert tree(spans) == [CODE_TREE]
    (agent,) = of(spans, "AGENT")
    assert agent["output.value"] == "7"
    assert json.loads(agent["input.value"])["task"] == "Add."
    assert agent["smolagents.tools_names"] == ["add", "final_answer"]
    assert (agent["llm.token_count.prompt"], agent["llm.token_count.completion"]) == (200, 40)
    for model in of(spans, "LLM"):
        assert model["llm.model_name"] == "gpt-4o"
        assert (model["llm.token_count.prompt"], model["llm.token_count.completion"]) == (100, 20)
        assert model["llm.token_count.total"] == 120
        assert model["llm.input_messages.0.message.role"] == "system"
        assert "Add." in model["llm.input_messages.1.message.contents.0.message_content.text"]
        assert "<code>" in model["llm.output_messages.0.message.contents.0.message_content.text"]
        assert json.loads(model["output.value"])["role"] == "assistant"
    first, second, final = of(spans, "TOOL")
    assert (first["tool.name"], first["output.value"], second["output.value"]) == ("add", 3, 7)
    assert json.loads(first["input.value"])["args"] == [1, 2]
    assert final["tool.name"] == "final_answer"
    steps = of(spans, "CHAIN")
    assert "3" in steps[0]["output.value"]
    assert {span["ok"] for span in spans} == {"OK"}


def test_an_agent_that_calls_tools_and_a_managed_one(run):
    spans = run(
        "assert 'seven' in coder(managed_agents=[caller()]).run('Ask.')",
        code("print(helper('Add 3 and 4.'))"),
        call("add", a=3, b=4),
        call("final_answer", answer="seven"),
        code("final_answer('seven')"),
    )
    helper = [
        "helper.run",
        ["Step 1", "OpenAIModel.generate", "FunctionTool"],
        ["Step 2", "OpenAIModel.generate", "FinalAnswerTool"],
    ]
    assert tree(spans) == [
        [
            "boss.run",
            ["Step 1", "OpenAIModel.generate", helper],
            ["Step 2", "OpenAIModel.generate", "FinalAnswerTool"],
        ]
    ]
    boss, managed = of(spans, "AGENT")
    assert boss["smolagents.managed_agents.0.name"] == "helper"
    assert managed["output.value"] == "seven"
    assert managed["llm.token_count.prompt"] == 200
    called = of(spans, "LLM")[1]
    assert called["llm.output_messages.0.message.tool_calls.0.tool_call.function.name"] == "add"
    arguments = called["llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments"]
    assert json.loads(arguments) == {"a": 3, "b": 4}
    schema = json.loads(called["llm.tools.0.tool.json_schema"])
    assert schema["function"]["name"] == "add"


def test_a_stream(run):
    spans = run(
        "assert list(coder(stream_outputs=True).run('Add.', stream=True))[-1].output == 7", *map(streamed, CODE)
    )
    assert tree(spans) == [json.loads(json.dumps(CODE_TREE).replace(".generate", ".generate_stream"))]
    (agent,) = of(spans, "AGENT")
    assert agent["output.value"].endswith("7)")
    assert agent["llm.token_count.prompt"] == 200
    assert [model["llm.token_count.prompt"] for model in of(spans, "LLM")] == [100, 100]


def test_an_asynchronous_run_has_its_steps(run):
    # The instrumentation knows `run`, not `arun`.
    spans = run("assert asyncio.run(coder().arun('Add.')) == 7", *CODE)
    assert tree(spans) == CODE_TREE[1:]
    assert [model["llm.token_count.prompt"] for model in of(spans, "LLM")] == [100, 100]


def test_errors_and_a_model_that_reports_no_tokens(run):
    quiet = Answer(completion({"content": "<code>\nfinal_answer(1)\n</code>"}))
    spans = run("assert coder().run('Fail first.') == 1", code("1 / 0"), quiet)
    assert [span["ok"] for span in spans if span["name"] == "Step 1"] == ["ERROR"]
    assert [model["llm.token_count.total"] for model in of(spans, "LLM")] == [120, 0]


def test_models_and_agents_that_were_imported_before(run, monkeypatch):
    before = "from smolagents import CodeAgent, OpenAIModel, ToolCallingAgent, tool\n"
    monkeypatch.setattr(f"{__name__}.PROGRAM", before + PROGRAM)
    assert tree(run("coder().run('Add.')", *CODE)) == [CODE_TREE]


def test_it_can_be_taken_off_again(run):
    assert run("SmolagentsInstrumentor().uninstrument()\nassert coder().run('Add.') == 7", *CODE) == []


def test_both_at_once_are_one_trace(run):
    spans = run("smolagents.instrument(provider)\nassert coder().run('Add.') == 7", *CODE)
    assert len({span["trace"] for span in spans}) == 1
    names = [span["name"] for span in spans]
    assert names.count("OpenAIModel.generate") == names.count("chat gpt-4o") == 2
    assert names.count("boss.run") == names.count("invoke_agent boss") == 1
    assert names.count("Step 1") == names.count("step 1") == 1
    by_id = {span["id"]: span for span in spans}
    for span in spans:
        if span["name"] == "OpenAIModel.generate":
            assert by_id[span["parent"]]["name"] == "chat gpt-4o"
        if span["name"] == "invoke_agent boss":
            assert by_id[span["parent"]]["name"] == "boss.run"


@pytest.mark.parametrize("instrumented", [True, False])
def test_a_process_with_a_provider_is_not_traced_twice(run, instrumented):
    program = "from opentelemetry import trace\ntrace.set_tracer_provider(provider)\n"
    if not instrumented:
        program += "SmolagentsInstrumentor().uninstrument()\n"
    names = [span["name"] for span in run(program + "coder().run('Add.')", *CODE)]
    assert ("boss.run" in names, "invoke_agent boss" in names) == (instrumented, not instrumented)
