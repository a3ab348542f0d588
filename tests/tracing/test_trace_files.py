"""Runs written to files and read again: what is in them, what is not, and what can go wrong."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import os
import stat
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from smolagents import CodeAgent, ToolCallingAgent, tool
from smolagents.agents.team import AgentSource, Team
from smolagents.monitoring import trace_to, tracing
from smolagents.monitoring.trace_encoding import MAX_TEXT, Encoder, dump
from smolagents.monitoring.trace_reader import TraceFileError, find_traces, read_trace, related
from smolagents.testing import ScriptedModel, tool_call, tool_calls
from smolagents.types.messages import ChatMessage, MessageRole
from smolagents.types.usage import TokenUsage
from smolagents.ui.trace.page import page_of
from smolagents.ui.trace.terminal import show

MESSAGING = Path(__file__).parent.parent / "messaging"


@tool
def population(city: str) -> int:
    """How many people live in a city.

    Args:
        city: Its name.
    """
    return {"Lyon": 522_250}[city]


def code(text: str, thought: str = "I act.") -> str:
    return f"Thought: {thought}\n<code>\n{text}\n</code>"


def code_agent(*replies: object, tools: object = (), **options: object) -> CodeAgent:
    model = ScriptedModel(replies, usage=TokenUsage(100, 10, cost=0.5), model_id="scripted-1")
    return CodeAgent(list(tools), model=model, verbosity_level=-1, **options)


def traces(folder: Path) -> list:
    return [read_trace(found.paths) for found in find_traces(folder)]


def only(folder: Path):
    (trace,) = traces(folder)
    return trace


def of_kind(trace, kind: str) -> list:
    return [span for span in trace.spans.values() if span.kind == kind]


def given_to(trace) -> list[list[str]]:
    """The texts of the messages of each model call, as the file has them."""
    return [
        [
            content if isinstance(content, str) else "\n".join(part["text"] for part in content if "text" in part)
            for content in (message["content"] for message in trace.messages_of(span))
        ]
        for span in of_kind(trace, "chat")
    ]


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_a_run_is_written_and_read_again(tmp_path):
    researcher = ToolCallingAgent(
        [population],
        model=ScriptedModel(
            [
                tool_calls(tool_call("population", {"city": "Lyon"})),
                tool_calls(tool_call("final_answer", {"answer": 522_250})),
            ],
            usage=TokenUsage(20, 2, cost=0.25),
        ),
        name="researcher",
        description="Knows cities.",
        verbosity_level=-1,
    )
    boss = code_agent(
        code("print(researcher(task='How many live in Lyon?'))\n1 / 0", "I ask."),
        code("final_answer({'people': 522_250})"),
        managed_agents=[researcher],
        name="boss",
        description="Leads.",
    )
    with trace_to(tmp_path / "traces"):
        assert boss.run("How many live in Lyon?") == {"people": 522_250}

    trace = only(tmp_path / "traces")
    (run,) = trace.roots
    assert (run.kind, run.name, run.attributes["task"]) == ("invoke_agent", "boss", "How many live in Lyon?")
    assert run.attributes["output"] == {"people": 522_250}
    assert run.attributes["outcome"] == "success"
    assert [child.kind for child in run.children] == ["step", "step"]
    chat, ran = run.children[0].children
    assert (chat.kind, ran.kind) == ("chat", "run_code")
    assert chat.attributes["reply"]["content"].startswith("Thought: I ask.")
    assert (chat.attributes["input_tokens"], chat.attributes["output_tokens"]) == (100, 10)
    assert "researcher(task=" in ran.attributes["code"]
    assert "ZeroDivisionError" in ran.error
    assert "522250" in run.children[0].attributes["observations"]
    (helper,) = [child for child in ran.children if child.kind == "invoke_agent"]
    assert helper.name == "researcher"
    (call, _) = [span for span in of_kind(trace, "execute_tool") if span.name in ("population", "final_answer")][:2]
    assert (call.attributes["arguments"], call.attributes["result"]) == ({"city": "Lyon"}, 522_250)
    assert trace.total("cost") == 1.5
    assert trace.total("input_tokens") == 240
    assert all(span.ended_at >= span.started_at for span in trace.spans.values())


def test_each_call_has_the_messages_its_model_was_given(tmp_path):
    agent = code_agent(*[code(f"print({n})") for n in range(5)], code("final_answer(1)"), planning_interval=None)
    with trace_to(tmp_path):
        agent.run("Count.")
    asked = [[message.text for message in request.messages] for request in agent.model.requests]
    assert given_to(only(tmp_path)) == asked


def test_messages_of_a_memory_that_changes_are_those_the_model_was_given(tmp_path):
    def drop_old_images(step, agent):
        for earlier in agent.memory.steps[:-1]:
            earlier.observations_images = None
            if getattr(earlier, "observations", None) and step.step_number == 3:
                earlier.observations = "forgotten"
        step.observations_images = [PIL.Image.new("RGB", (30, 20), (step.step_number, 0, 0))]

    agent = code_agent(
        *[code(f"print('seen', {n})") for n in range(6)], code("final_answer(1)"), step_callbacks=[drop_old_images]
    )
    with trace_to(tmp_path):
        agent.run("Look around.")
    asked = [[message.text for message in request.messages] for request in agent.model.requests]
    trace = only(tmp_path)
    assert given_to(trace) == asked
    assert len(trace.images) == 7
    images = of_kind(trace, "step")[0].attributes["images"]
    assert images == [{"$image": images[0]["$image"], "width": 30, "height": 20}]
    assert trace.images[images[0]["$image"]]["media"] == "image/png"


def test_files_grow_with_the_steps_and_not_with_their_square(tmp_path):
    sizes = []
    for steps in (40, 80, 160):
        agent = code_agent(*[code(f"print('step', {n})") for n in range(steps - 1)], code("final_answer(1)"))
        with trace_to(tmp_path / str(steps)):
            agent.run("Count.", max_steps=steps)
        (file,) = (tmp_path / str(steps)).iterdir()
        sizes.append(file.stat().st_size)
    assert sizes[2] - sizes[1] < 2.2 * (sizes[1] - sizes[0])


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_others_cannot_read_the_files(tmp_path):
    old = os.umask(0)
    try:
        with trace_to(tmp_path / "traces"):
            code_agent(code("final_answer(1)")).run("Go.")
    finally:
        os.umask(old)
    (file,) = (tmp_path / "traces").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_runs_at_the_same_time_have_files_of_their_own(tmp_path):
    agents = [code_agent(code(f"final_answer({n})"), name=f"agent_{n}") for n in range(8)]
    with trace_to(tmp_path):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda agent: agent.run("Go."), agents[:4]))

        async def together():
            await asyncio.gather(*(agent.arun("Go.") for agent in agents[4:]))

        asyncio.run(together())
    found = traces(tmp_path)
    assert {trace.agent.name: trace.agent.attributes["output"] for trace in found} == {
        f"agent_{n}": n for n in range(8)
    }
    assert all(len(of_kind(trace, "invoke_agent")) == 1 for trace in found)


def test_what_runs_after_the_block_is_not_written(tmp_path):
    with trace_to(tmp_path):
        code_agent(code("final_answer(1)")).run("Inside.")
    code_agent(code("final_answer(1)")).run("Outside.")
    assert [trace.task for trace in traces(tmp_path)] == ["Inside."]


def test_what_a_finished_run_held_is_let_go(tmp_path):
    image = PIL.Image.new("RGB", (20, 20))
    message = ChatMessage(role=MessageRole.USER, content=[{"type": "image", "image": image}])
    gone = weakref.ref(image), weakref.ref(message)
    with trace_to(tmp_path):
        with tracing.span("chat", "model", content={"messages": [message]}):
            pass
        del image, message
        gc.collect()
        assert [one() for one in gone] == [None, None]
    assert len(only(tmp_path).images) == 1


def test_an_agent_has_its_own_runs_written(tmp_path):
    watched = code_agent(code("final_answer(1)"), code("final_answer(2)"), trace_dir=tmp_path / "watched")
    watched.run("First.")
    code_agent(code("final_answer(1)")).run("Of another agent.")
    watched.run("Second.")
    assert sorted(trace.task for trace in traces(tmp_path / "watched")) == ["First.", "Second."]


def test_a_saved_agent_does_not_say_where_files_are_written(tmp_path):
    agent = code_agent(trace_dir=tmp_path)
    assert "trace_dir" not in json.dumps(agent.to_dict())


def test_the_environment_names_a_folder(tmp_path, monkeypatch):
    agent = code_agent(*[code("final_answer(1)")] * 3)
    monkeypatch.setenv("SMOLAGENTS_TRACE_DIR", str(tmp_path / "one"))
    agent.run("First.")
    monkeypatch.setenv("SMOLAGENTS_TRACE_DIR", str(tmp_path / "two"))
    agent.run("Second.")
    monkeypatch.delenv("SMOLAGENTS_TRACE_DIR")
    agent.run("Third.")
    assert [trace.task for trace in traces(tmp_path / "one")] == ["First."]
    assert [trace.task for trace in traces(tmp_path / "two")] == ["Second."]


KILLED = """
import os, signal, sys
from smolagents import CodeAgent, tool
from smolagents.testing import ScriptedModel

@tool
def die() -> str:
    "End."
    os.kill(os.getpid(), signal.SIGKILL)

replies = ["<code>\\nprint('first')\\n</code>", "Thought: now.\\n<code>\\ndie()\\n</code>"]
CodeAgent([die], model=ScriptedModel(replies), verbosity_level=-1, stream_outputs=True).run("Die.")
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_killed_process_leaves_what_it_did(tmp_path, fresh_python):
    fresh_python(KILLED, check=False, SMOLAGENTS_TRACE_DIR=str(tmp_path / "traces"))
    (summary,) = find_traces(tmp_path / "traces")
    assert summary.ended_at is None
    trace = read_trace(summary.paths)
    assert trace.roots[0].ended_at is None
    done, broken = trace.roots[0].children
    assert "first" in done.attributes["observations"]
    assert broken.ended_at is None
    assert broken.children[1].attributes["code"] == "die()"
    assert broken.children[1].children[0].name == "die"

    # Whatever part of it reached the disk can be read.
    (file,) = summary.paths
    whole = file.read_bytes()
    header = whole.index(b"\n") + 1
    for end in range(header, len(whole), 97):
        file.write_bytes(whole[:end])
        assert len(read_trace([file]).spans) <= len(trace.spans)


FULL = """
import logging, resource, sys
logging.basicConfig(stream=sys.stdout)
from smolagents import CodeAgent
from smolagents.monitoring import trace_to, tracing
from smolagents.testing import ScriptedModel

replies = ["<code>\\nprint('x' * 3000)\\n</code>"] * 9 + ["<code>\\nfinal_answer('done')\\n</code>"]
with trace_to("traces"):
    for _ in range(2):
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        print(CodeAgent([], model=ScriptedModel(replies), verbosity_level=-1).run("Go on."))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_a_full_disk_costs_the_trace_and_not_the_run(tmp_path, fresh_python):
    printed = fresh_python(FULL)
    assert printed.count("done\n") == 2
    assert printed.count("WARNING:smolagents.traces:cannot write traces") == 1
    for found in find_traces(tmp_path / "traces"):
        assert found.size == 20_000
        assert len(read_trace(found.paths).spans) > 3


def test_a_folder_that_cannot_be_made_costs_the_trace_and_not_the_run(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    agent = code_agent(code("print(1)"), code("final_answer(1)"), code("final_answer(2)"))
    with caplog.at_level(logging.WARNING, "smolagents"), trace_to(tmp_path / "file" / "traces"):
        assert agent.run("First.") == 1
        assert agent.run("Second.") == 2
    warnings = [record.getMessage() for record in caplog.records if "traces" in record.getMessage()]
    assert len(warnings) == 1
    assert str(tmp_path / "file" / "traces") in warnings[0]


def test_a_folder_that_nobody_can_tell_costs_the_trace_and_not_the_run(monkeypatch, caplog):
    caplog.set_level(logging.WARNING, "smolagents")
    monkeypatch.setenv("SMOLAGENTS_TRACE_DIR", "~no-such-user-here/traces")
    assert code_agent(code("final_answer(1)")).run("One.") == 1
    assert code_agent(code("final_answer(2)")).run("Two.") == 2
    assert len(caplog.records) == 1
    assert "~no-such-user-here/traces" in caplog.text
    monkeypatch.delenv("SMOLAGENTS_TRACE_DIR")
    caplog.clear()
    assert code_agent(code("final_answer(3)"), trace_dir="~no-such-user-here/traces").run("Three.") == 3
    assert "~no-such-user-here/traces" in caplog.text
    with pytest.raises(ValueError, match="no-such-user-here"):
        trace_to("~no-such-user-here/traces")


def test_a_run_that_goes_on_does_not_keep_the_files_of_finished_ones(tmp_path):
    with trace_to(tmp_path) as tracer:
        going_on = code_agent(code("x = 1"), code("final_answer(1)")).run("Long.", stream=True)
        next(going_on)
        for number in range(100):
            code_agent(code("final_answer(1)")).run(f"Short {number}.")
        assert len(tracer._files) <= 65
        list(going_on)
    assert len(find_traces(tmp_path)) == 101


def test_a_huge_output_is_cut_and_says_so(tmp_path):
    @tool
    def flood() -> str:
        """Much text."""
        return "water " * 1_000_000

    with trace_to(tmp_path):
        code_agent(code("x = flood()\nfinal_answer(len(x))"), tools=[flood]).run("Go.")
    trace = only(tmp_path)
    (call,) = [span for span in of_kind(trace, "execute_tool") if span.name == "flood"]
    assert len(call.attributes["result"]) < MAX_TEXT + 100
    assert "5,900,000 of 6,000,000 characters are not kept" in call.attributes["result"]


def test_values_that_cannot_be_written_do_not_cost_the_record(tmp_path):
    class Awkward:
        def __str__(self):
            raise RuntimeError("not today")

    @tool
    def odd() -> object:
        """An odd value."""
        return {"a": Awkward(), "b": float("nan"), "c": 2**70, "d": b"\x00" * 9, "e": "\ud800", "f": 10**5000}

    with trace_to(tmp_path):
        code_agent(code("x = odd()\nfinal_answer(1)"), tools=[odd]).run("Go.")
    (call,) = [span for span in of_kind(only(tmp_path), "execute_tool") if span.name == "odd"]
    result = call.attributes["result"]
    assert result["a"] == "<Awkward, not printable: RuntimeError>"
    assert (result["b"], result["c"], result["d"], result["e"]) == ("nan", str(2**70), "<9 bytes>", "\ud800")
    assert "whole number" in result["f"]


plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.characters(categories=["Cs"])
)
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.one_of(st.text(), st.integers()), inner),
        st.frozensets(plain),
        st.tuples(inner),
    ),
    max_leaves=30,
)


@settings(max_examples=200, deadline=None)
@given(values)
def test_any_value_makes_one_line_of_strict_json(value):
    line = dump({"value": Encoder().value(value)})
    assert b"\n" not in line
    json.loads(line, parse_constant=refuse)


def test_a_list_that_contains_itself_is_cut():
    loop: list = []
    loop.append(loop)
    assert len(dump(Encoder().value(loop))) < 1_000


def test_agents_in_two_processes_make_one_trace(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(MESSAGING))
    monkeypatch.setenv("SMOLAGENTS_TRACE_DIR", str(tmp_path))
    members = {
        0: AgentSource(factory="team_members:asks", arguments={"other": 1}),
        1: AgentSource(factory="team_members:answers", arguments={"text": "42"}),
    }
    with Team(members) as team:
        assert team.run("What is 6 times 7?", timeout=60) == "agent 1 says 42"
    (summary,) = find_traces(tmp_path)
    assert len(summary.paths) == 3  # the team, which gives the task, and its two agents
    assert all(set(related(path)) == set(summary.paths) for path in summary.paths)
    assert summary.task == "What is 6 times 7?"
    trace = read_trace(summary.paths)
    (root,) = trace.roots
    assert (trace.task, trace.agent.attributes["output"]) == ("What is 6 times 7?", "agent 1 says 42")
    (sent,) = [span for span in of_kind(trace, "send_message") if span.attributes["message"] == "help me"]
    (got,) = [span for span in sent.children if span.kind == "process_message"]
    assert (got.attributes["message"], got.children[0].kind) == ("help me", "invoke_agent")
    assert got.file != sent.file != root.file


def test_lines_that_are_not_records_are_passed_over(tmp_path):
    with trace_to(tmp_path):
        code_agent(code("final_answer(1)")).run("One.")
    (path,) = tmp_path.iterdir()
    header, *lines = path.read_bytes().splitlines(keepends=True)
    for line in (
        b"\xff\xfe\n",
        b"[1]\n",
        b"{}\n",
        b"[" * 100_000 + b"\n",
        b'{"type": "start", "span_id": "x", "started_at": "soon"}\n',
        b'{"type": "start", "span_id": "y", "attributes": [1]}\n',
        b'{"type": "end", "span_id": "z"}\n',
        b'{"type": "message", "id": NaN}\n',
    ):
        lines.insert(2, line)
    path.write_bytes(b"".join([header, *lines]))
    assert only(tmp_path).agent.attributes["output"] == 1
    data = page_of([path]).partition('id="data">')[2].partition("</script>")[0]
    json.loads(data, parse_constant=refuse)


@pytest.mark.parametrize("junk", ["null", "true", "7", "1e999", '"x"', "[1]", '{"$image": []}', "1" + "0" * 400])
def test_any_value_in_any_field_of_another_writers_record_is_borne(tmp_path, junk):
    with trace_to(tmp_path):
        code_agent(code("final_answer(1)")).run("One.")
    (path,) = tmp_path.iterdir()
    header, *lines = path.read_text().splitlines()
    changed = []
    for line in lines:
        record = json.loads(line)
        for part in (record, record.get("attributes") or record.get("message") or {}):
            for key, value in list(part.items()):
                if key != "type":
                    part[key] = "@junk@"
                    changed.append(json.dumps(record).replace('"@junk@"', junk))
                    part[key] = value
    for line in changed:
        # Instead of the true record or before it, so that each is the one that counts.
        path.write_text("\n".join([header, line, *lines]))
        find_traces(tmp_path)
        show(read_trace(related(path)), Console(file=io.StringIO()), whole=True)
        data = page_of([path]).partition('id="data">')[2].partition("</script>")[0]
        json.loads(data, parse_constant=refuse)


def test_files_that_are_not_traces(tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text('{"type": "line"}\n')
    with pytest.raises(TraceFileError, match="is not a trace"):
        read_trace([other])
    later = tmp_path / "later.jsonl"
    later.write_text('{"type": "trace", "version": 99, "trace_id": "0"}\n')
    with pytest.raises(TraceFileError, match="later version"):
        read_trace([later])
    with trace_to(tmp_path):
        agent = code_agent(*[code("final_answer(1)")] * 2)
        agent.run("One.")
        agent.run("Two.")
    paths = [path for found in find_traces(tmp_path) for path in found.paths]
    assert len(paths) == 2
    with pytest.raises(TraceFileError, match="another trace"):
        read_trace(paths)
    with pytest.raises(TraceFileError, match="no folder"):
        find_traces(tmp_path / "nowhere")
