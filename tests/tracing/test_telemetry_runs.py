"""Which spans a run makes, and how they nest: whole, streamed and asynchronous; stopped, failed and at once with others."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from span_trees import add, answers, caller, calls, code, coder

from smolagents import AgentGenerationError, AgentInterruptedError, CodeAgent, MultiStepAgent, tool
from smolagents.executors.sandbox.confine import probe
from smolagents.monitoring.tracing import current_span
from smolagents.testing import ScriptedModel

CHAT = "chat scripted"
TEAM_TREE = [
    "invoke_agent boss",
    ["plan boss", CHAT],
    ["step 1", CHAT, ["run_code LocalPythonExecutor", "execute_tool add"]],
    [
        "step 2",
        CHAT,
        [
            "run_code LocalPythonExecutor",
            [
                "invoke_agent helper",
                ["step 1", CHAT, "execute_tool add", "execute_tool add"],
                ["step 2", CHAT, "execute_tool final_answer"],
            ],
            "execute_tool final_answer",
        ],
    ],
]


def team(**options):
    helper = caller(
        calls(("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})), answers("done"), description="Helps.", **options
    )
    return coder(
        "First add, then ask.",
        code("print(add(1, 2))"),
        code("final_answer(helper('do it'))"),
        managed_agents=[helper],
        planning_interval=5,
        **options,
    )


def whole(agent):
    agent.run("a task")


def streamed(agent):
    for _ in agent.run("a task", stream=True):
        pass


def asynchronous(agent):
    asyncio.run(agent.arun("a task"))


def asynchronously_streamed(agent):
    async def consume():
        async for _ in agent.astream("a task"):
            pass

    asyncio.run(consume())


WAYS = [whole, streamed, asynchronous, asynchronously_streamed]


@pytest.mark.parametrize("stream_outputs", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_team_is_one_trace_however_it_is_run(spans, way, stream_outputs):
    way(team(stream_outputs=stream_outputs))
    assert spans.tree() == [TEAM_TREE]
    assert len(spans.traces()) == 1
    assert all(span.status.status_code is StatusCode.UNSET for span in spans.all())


def test_spans_say_what_the_conventions_want(spans):
    team().run("a task")
    agent = spans.named("invoke_agent boss")
    assert agent.kind is SpanKind.INTERNAL
    wanted = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "boss",
        "gen_ai.request.model": "scripted",
        "gen_ai.provider.name": "scripted",
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 15,
        "gen_ai.usage.cache_read.input_tokens": 12,
        "smolagents.usage.cost": 0.75,
        "smolagents.agent.outcome": "success",
    }
    assert wanted.items() <= agent.attributes.items()
    chat = next(span for span in spans.all() if span.name == CHAT)
    assert chat.kind is SpanKind.CLIENT
    wanted = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}
    assert wanted.items() <= chat.attributes.items()
    called = [span for span in spans.all() if span.name == "execute_tool add"]
    assert {span.attributes.get("gen_ai.tool.call.id") for span in called} == {None, "id0", "id1"}
    wanted = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "add", "gen_ai.tool.description": "Adds."}
    assert all(wanted.items() <= span.attributes.items() for span in called)


def test_parameters_and_server_of_a_model(spans):
    class Served(ScriptedModel):
        api_base = "https://api.groq.com/openai/v1"

    model = Served([code("final_answer(1)")])
    model.kwargs = {"temperature": 0.5, "max_completion_tokens": 100, "api_key": "sesame"}
    coder(model=model).run("a task")
    chat = spans.named(CHAT)
    wanted = {
        "gen_ai.provider.name": "groq",
        "server.address": "api.groq.com",
        "server.port": 443,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 100,
    }
    assert wanted.items() <= chat.attributes.items()
    assert "</code>" in chat.attributes["gen_ai.request.stop_sequences"]
    assert "sesame" not in str(chat.attributes)


@pytest.mark.parametrize("way", WAYS)
def test_spans_of_the_program_itself_nest_where_they_are(spans, provider, way):
    tracer = provider.get_tracer("program")

    @tool
    def look(name: str) -> str:
        """Looks.

        Args:
            name: Where.
        """
        with tracer.start_as_current_span("look up"):
            return name

    def called_back(step):
        tracer.start_span("callback").end()

    agent = coder(
        code("print(look('here'))"), code("final_answer(look('there'))"), tools=[look], step_callbacks=[called_back]
    )
    with tracer.start_as_current_span("job"):
        way(agent)
        assert trace.get_current_span().name == "job"
    run = ["run_code LocalPythonExecutor", ["execute_tool look", "look up"]]
    last = [*run, "execute_tool final_answer"]
    assert spans.tree() == [
        ["job", ["invoke_agent boss", ["step 1", CHAT, run, "callback"], ["step 2", CHAT, last, "callback"]]]
    ]


def test_a_stream_leaves_its_consumer_in_the_consumers_own_span(spans, provider):
    tracer = provider.get_tracer("program")
    agent = coder(code("print(1)"), code("final_answer(1)"), stream_outputs=True)
    seen = set()
    for event in agent.run("a task", stream=True):
        with tracer.start_as_current_span(f"consume {type(event).__name__}") as span:
            assert current_span.get() is None
            seen.add(span.parent)
    assert seen == {None}
    (tree,) = [tree for tree in spans.tree() if tree[0] == "invoke_agent boss"]
    assert "consume" not in str(tree)


def test_parallel_and_asynchronous_tools_keep_to_their_own_span(spans, provider):
    tracer = provider.get_tracer("program")
    both = threading.Barrier(2, timeout=20)

    @tool
    def meet(name: str) -> str:
        """Meets another.

        Args:
            name: A name.
        """
        both.wait()
        tracer.start_span(f"inside {name}").end()
        both.wait()
        return name

    @tool
    async def think(name: str) -> str:
        """Thinks.

        Args:
            name: A name.
        """
        await asyncio.sleep(0)
        tracer.start_span(f"inside {name}").end()
        return name

    def replies(tool_name):
        return calls((tool_name, {"name": "a"}), (tool_name, {"name": "b"})), answers("x")

    caller(*replies("meet"), tools=[meet]).run("a task")
    asyncio.run(caller(*replies("meet"), tools=[meet]).arun("a task"))
    asyncio.run(caller(*replies("think"), tools=[think]).arun("a task"))
    caller(*replies("think"), tools=[think]).run("a task")
    by_id = {span.context.span_id: span for span in spans.all()}
    inside = [span for span in spans.all() if span.name.startswith("inside")]
    assert len(inside) == 8
    calls_above = [by_id[span.parent.span_id] for span in inside]
    assert all(span.name.startswith("execute_tool") for span in calls_above)
    assert len({span.context.span_id for span in calls_above}) == 8
    assert len(spans.traces()) == 4


@pytest.mark.skipif(bool(probe().missing) and not os.environ.get("CI"), reason="no sandbox here")
@pytest.mark.parametrize("way", [whole, asynchronous])
def test_a_tool_that_code_in_a_sandbox_calls_is_within_that_code(spans, provider, way):
    @tool
    def look(name: str) -> str:
        """Looks.

        Args:
            name: Where.
        """
        provider.get_tracer("program").start_span("look up").end()
        return name

    agent = coder(code("final_answer(look('here'))"), tools=[look], executor_type="sandbox")
    with agent:
        way(agent)
    (tree,) = spans.tree()
    run = ["run_code SandboxExecutor", ["execute_tool look", "look up"]]
    assert tree[:2] == ["invoke_agent boss", ["step 1", CHAT, [*run, *tree[1][2][2:]]]]


def test_concurrent_runs_of_one_agent_do_not_mix(spans):
    model = ScriptedModel([lambda _: code("final_answer(add(1, 2))")], cycle=True)
    agent = coder(model=model)

    async def many():
        await asyncio.gather(*(agent.arun(f"task {i}") for i in range(8)))

    asyncio.run(many())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(agent.run, [f"task {i}" for i in range(8)]))
    run = ["run_code LocalPythonExecutor", "execute_tool add", "execute_tool final_answer"]
    assert spans.tree() == [["invoke_agent boss", ["step 1", CHAT, run]]] * 16
    assert len(spans.traces()) == 16


def test_errors_are_where_they_happened_and_what_recovers_is_well(spans):
    agent = caller(calls(("add", {"a": 1})), calls(("nothing", {})), answers("x"))
    agent.run("a task")
    failed = {span.name: span.attributes["error.type"] for span in spans.all() if not span.status.is_ok}
    assert failed == {
        "step 1": "AgentToolCallError",
        "execute_tool add": "AgentToolCallError",
        "step 2": "AgentToolCallError",
        "execute_tool nothing": "AgentToolCallError",
    }
    assert spans.named("invoke_agent helper").attributes["smolagents.agent.outcome"] == "success"


@pytest.mark.parametrize("way", WAYS)
def test_a_model_that_fails_ends_the_run_and_all_its_spans(spans, way):
    agent = coder(ConnectionError("no line to 10.0.0.1"), stream_outputs=True)
    with pytest.raises(AgentGenerationError):
        way(agent)
    assert spans.tree() == [["invoke_agent boss", ["step 1", CHAT]]]
    assert spans.named(CHAT).attributes["error.type"] == "ConnectionError"
    assert spans.named("invoke_agent boss").attributes["error.type"] == "AgentGenerationError"


def test_a_stream_closed_half_way_ends_its_spans_without_an_error(spans):
    events = coder(code("print(1)"), stream_outputs=True).run("a task", stream=True)
    next(events)
    context = contextvars.copy_context()
    context.run(next, events)  # and in another context than it began in
    events.close()
    assert spans.tree() == [["invoke_agent boss", ["step 1", CHAT]]]
    assert all(span.status.status_code is StatusCode.UNSET for span in spans.all())
    assert spans.named("invoke_agent boss").attributes["smolagents.agent.outcome"] == "interrupted"


def test_a_stream_that_is_never_begun_makes_no_span(spans):
    coder(code("final_answer(1)")).run("a task", stream=True).close()
    assert spans.tree() == []


def test_an_interrupted_run_ends_its_spans(spans):
    @tool
    def stop() -> str:
        """Stops the run."""
        agent.interrupt()
        return "stopped"

    agent = caller(calls(("stop", {})), tools=[stop])
    with pytest.raises(AgentInterruptedError):
        agent.run("a task")
    assert spans.tree() == [["invoke_agent helper", ["step 1", CHAT, "execute_tool stop"], "step 2"]]
    for name in ("invoke_agent helper", "step 2"):
        assert spans.named(name).attributes["error.type"] == "AgentInterruptedError"


@pytest.mark.parametrize("stream_outputs", [False, True])
def test_a_cancelled_run_ends_its_spans(spans, stream_outputs):
    class Waiting(ScriptedModel):
        async def agenerate(self, *args, **kwargs):
            asked.set()
            await asyncio.Event().wait()

        async def agenerate_stream(self, *args, **kwargs):
            asked.set()
            await asyncio.Event().wait()
            yield

    async def cancel():
        task = asyncio.ensure_future(coder(model=Waiting([]), stream_outputs=stream_outputs).arun("a task"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asked = asyncio.Event()
    asyncio.run(cancel())
    assert spans.tree() == [["invoke_agent boss", ["step 1", CHAT]]]
    assert spans.named(CHAT).attributes["error.type"] == "CancelledError"


@pytest.mark.parametrize("way", WAYS)
def test_a_step_of_a_subclass_is_traced_like_any_other(spans, way):
    class Own(CodeAgent):
        def _step_stream(self, memory_step):
            yield from super()._step_stream(memory_step)

    agent = Own([add], ScriptedModel([code("final_answer(add(1, 2))")]), verbosity_level=-1)
    assert isinstance(agent, MultiStepAgent)
    way(agent)
    run = ["run_code LocalPythonExecutor", "execute_tool add", "execute_tool final_answer"]
    assert spans.tree() == [["invoke_agent Own", ["step 1", CHAT, run]]]


def test_steps_that_run_out_still_have_their_last_question(spans):
    coder(code("print(1)"), "I do not know.", max_steps=1).run("a task")
    run = "run_code LocalPythonExecutor"
    assert spans.tree() == [["invoke_agent boss", ["step 1", CHAT, run], CHAT]]
    assert spans.named("invoke_agent boss").attributes["smolagents.agent.outcome"] == "max_steps_error"


def test_what_is_asked_outside_of_a_run_is_a_trace_of_its_own(spans):
    agent = coder(code("final_answer(1)"), "In other words: one.")
    agent.run("a task")
    assert agent.provide_final_answer("a task") == "In other words: one."
    run = ["run_code LocalPythonExecutor", "execute_tool final_answer"]
    assert spans.tree() == [["invoke_agent boss", ["step 1", CHAT, run]], CHAT]
    assert len(spans.traces()) == 2
