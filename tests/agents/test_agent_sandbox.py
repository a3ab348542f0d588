"""Agents whose code runs in the sandbox."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from pathlib import Path

import pytest
from agent_helpers import code, echo

from smolagents import AgentInterruptedError, CodeAgent, PythonInterpreterTool, ToolCallingAgent, tool
from smolagents.executors.sandbox.confine import probe
from smolagents.testing import ScriptedModel

pytestmark = pytest.mark.skipif(bool(probe().missing) and not os.environ.get("CI"), reason="no sandbox here")


def sandboxed(replies, tools=(), **options):
    options = {"executor_type": "sandbox", "verbosity_level": 0, **options}
    return CodeAgent(list(tools), ScriptedModel(replies), **options)


def worker_of(agent):
    """The process that runs the code of the agent's latest run."""
    return agent.python_executor._session.connection.pid


def wait_for_end(*pids):
    end = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < end, "a process is left"
        time.sleep(0.02)


@pytest.fixture
def gate():
    """A tool that waits, and what tells of it and lets it go."""

    @tool
    def wait_here() -> str:
        """Waits."""
        begun.set()
        assert go_on.wait(30)
        return "went on"

    begun, go_on = threading.Event(), threading.Event()
    yield wait_here, begun, go_on
    go_on.set()


def test_steps_share_variables_and_a_run_can_be_continued():
    replies = [code("x = 1\nprint(x)"), code("x += 1\nprint(echo('hi'))"), code("final_answer(x)")]
    replies += [code("final_answer(x + 40)"), code("print(x)"), code("final_answer('gone')")]
    with sandboxed(replies, [echo]) as agent:
        assert agent.run("count") == 2
        assert agent.run("go on", reset=False) == 42
        first = worker_of(agent)
        assert agent.run("afresh") == "gone"
        assert "name 'x' is not defined" in agent.memory.steps[1].error.message
        second = worker_of(agent)
        assert second != first
    wait_for_end(first, second)


def test_managed_agents_have_sandboxes_of_their_own():
    helper = sandboxed([code("secret = 5\nfinal_answer(secret * 2)")], name="helper", description="It helps.")
    manager = sandboxed(
        [code("found = helper('help')\nprint(found)\nsecret"), code("final_answer(found)")], managed_agents=[helper]
    )
    with manager, helper:
        assert "10" in manager.run("delegate")
        assert "name 'secret' is not defined" in manager.memory.steps[1].error.message
        pids = worker_of(helper), worker_of(manager)
        assert len(set(pids)) == 2
    wait_for_end(*pids)


def test_many_runs_at_once_do_not_see_each_other():
    with sandboxed([code("mine = task_number")] * 30 + [code("final_answer(mine)")] * 30) as agent:

        async def main():
            runs = (agent.arun(f"run {n}", additional_args={"task_number": n}) for n in range(30))
            return await asyncio.gather(*runs)

        assert asyncio.run(main()) == list(range(30))


def test_an_interruption_stops_code_in_a_loop_and_the_agent_can_go_on():
    with sandboxed([code("kept = 5"), code("while True:\n    pass"), code("final_answer(kept)")]) as agent:
        threading.Timer(1.0, agent.interrupt).start()
        begun = time.monotonic()
        with pytest.raises(AgentInterruptedError):
            agent.run("loop")
        assert time.monotonic() - begun < 10
        assert agent.run("go on", reset=False) == 5


def test_an_interruption_while_a_tool_runs_keeps_the_variables(gate):
    wait_here, begun, go_on = gate
    with sandboxed(
        [code("kept = 5\nwait_here()\nwhile True:\n    pass"), code("final_answer(kept)")], [wait_here]
    ) as agent:

        def interrupt():
            assert begun.wait(30)
            agent.interrupt()
            time.sleep(2.5)  # longer than code has to stop
            go_on.set()

        threading.Thread(target=interrupt, daemon=True).start()
        with pytest.raises(AgentInterruptedError):
            agent.run("wait")
        assert agent.run("go on", reset=False) == 5


def test_a_cancelled_arun_stops_the_code():
    with sandboxed([code("1"), code("while True:\n    pass")]) as agent:

        async def main():
            running = asyncio.ensure_future(agent.arun("loop"))
            await asyncio.sleep(1.0)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

        asyncio.run(main())
        pid = worker_of(agent)
    wait_for_end(pid)


def test_a_forgotten_agent_leaves_no_process():
    agent = sandboxed([code("final_answer(1)")])
    agent.run("one")
    pid = worker_of(agent)
    assert Path(f"/proc/{pid}").exists()
    del agent
    gc.collect()
    wait_for_end(pid)


def test_code_that_dies_costs_a_step_and_the_next_one_knows():
    replies = [code("mine = 5"), code("import os\nos._exit(3)"), code("print('here')"), code("final_answer('done')")]
    with sandboxed(replies, additional_authorized_imports=["os"]) as agent:
        assert agent.run("die") == "done"
        died, after = agent.memory.steps[2:4]
        assert "The session ended" in died.error.message
        assert "mine" in died.error.message
        assert "these are gone: mine" in after.observations
        assert "here" in after.observations


def test_a_saved_agent_keeps_its_executor(tmp_path):
    settings = {"memory_mb": 512, "timeout_seconds": 5, "readable": ["/etc/hostname"]}
    agent = sandboxed([], executor_kwargs=settings)
    agent.save(tmp_path)
    loaded = CodeAgent.from_folder(tmp_path, model=ScriptedModel([code("final_answer(open('/etc/hostname').read())")]))
    assert (loaded.executor_type, loaded.executor_kwargs) == ("sandbox", settings)
    with loaded:
        assert loaded.run("read") == Path("/etc/hostname").read_text()


def test_the_interpreter_tool_of_agents_that_call_tools_is_as_it_was():
    from agent_helpers import answer, call

    agent = ToolCallingAgent(
        [PythonInterpreterTool()], ScriptedModel([call("python_interpreter", code="6 * 7"), answer("ok")])
    )
    assert agent.run("compute") == "ok"
    assert "42" in agent.memory.steps[1].observations


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"executor_kwargs": {"memory": 512}}, TypeError, "no argument 'memory'. Did you mean 'memory_mb'?"),
        ({"executor_kwargs": "memory"}, TypeError, "executor_kwargs must be a dict"),
        ({"executor_kwargs": {"memory_mb": 0}}, ValueError, "memory_mb=0 is too little"),
        ({"executor_kwargs": {"timeout_seconds": 0}}, ValueError, "timeout_seconds must be more than 0"),
        ({"executor_kwargs": {"timeout_seconds": "5"}}, ValueError, "timeout_seconds must be more than 0"),
        ({"executor_kwargs": {"readable": ["/no/such"]}}, ValueError, "'/no/such' does not exist"),
        ({"executor_kwargs": {"readable": "/etc"}}, TypeError, "write \\['/etc'\\]"),
        ({"executor_type": "sandbix"}, ValueError, "unknown executor_type 'sandbix'"),
        ({"executor": "sandbox"}, TypeError, "use executor_type="),
    ],
)
def test_mistakes_are_told_at_once_in_one_line(options, error, says):
    with pytest.raises(error, match=says) as caught:
        sandboxed([], **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("rows", (n for n in []), "rows: a generator cannot cross; pass a list"),
        ("class", 1, "'class' cannot be the name of a variable"),
        ("my key", 1, "'my key' cannot be the name of a variable"),
    ],
)
def test_arguments_that_cannot_be_given_are_told_before_the_model_is_asked(name, value, says):
    with sandboxed([]) as agent, pytest.raises((TypeError, ValueError), match=says):
        agent.run("go", additional_args={name: value})
