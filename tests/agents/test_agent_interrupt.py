"""interrupt(): from another thread, and within a step."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from agent_helpers import agent_for, answer, call, calls, code, echo, kinds

from smolagents import (
    ActionStep,
    AgentInterruptedError,
    ChatMessage,
    ChatMessageStreamDelta,
    CodeAgent,
    ToolCall,
    ToolCallingAgent,
    ToolOutput,
    tool,
)
from smolagents.testing import ScriptedModel
from smolagents.tools.interruption import check_interrupt, interrupted, interruptible_sleep


def interrupted_when(started: threading.Event, agent: Any, run: Any = None) -> AgentInterruptedError:
    """Run in another thread, interrupt from this one, and give back what was raised."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            (run or (lambda: agent.run("go")))()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert started.wait(20)
    agent.interrupt()
    thread.join(20)
    assert not thread.is_alive()
    (error,) = raised
    assert isinstance(error, AgentInterruptedError)
    return error


def waiting_tool(started: threading.Event) -> Any:
    @tool
    def wait() -> str:
        """Waits for long, and stops when told so."""
        started.set()
        interruptible_sleep(3600)
        return "waited"

    return wait


@pytest.mark.parametrize("asynchronous", [False, True])
def test_while_a_cooperating_tool_runs(asynchronous: bool):
    started = threading.Event()
    agent = agent_for([call("echo", text="kept"), call("wait"), answer(1)], tools=[echo, waiting_tool(started)])
    error = interrupted_when(started, agent, (lambda: asyncio.run(agent.arun("go"))) if asynchronous else None)
    assert error.run_result.state == "interrupted"
    assert [step.observations for step in agent.logs] == ["kept", None]
    assert isinstance(agent.logs[1].error, AgentInterruptedError)
    assert agent.interrupt_switch


def test_the_agent_can_run_again():
    started = threading.Event()
    agent = agent_for([call("wait"), answer(7), answer(8)], tools=[waiting_tool(started)])
    interrupted_when(started, agent)
    assert agent.run("go on", reset=False) == 7
    assert kinds(agent.memory.steps) == ["task", "act", "task", "act"]
    assert agent.run("afresh") == 8
    assert not agent.interrupt_switch


def test_a_tool_may_look_whether_it_should_stop():
    started, seen = threading.Event(), []

    @tool
    def work() -> str:
        """Works for long."""
        while not interrupted():
            started.set()
        seen.append("stopping")
        check_interrupt()
        return ""

    interrupted_when(started, agent_for([call("work")], tools=[work]))
    assert seen == ["stopping"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_parallel_calls_are_all_told_and_results_that_are_there_are_kept(asynchronous: bool):
    started, seen = threading.Event(), threading.Event()
    agent = agent_for(
        [calls(("echo", {"text": "kept"}), ("wait", {}), ("wait", {}))], tools=[echo, waiting_tool(started)]
    )

    def run() -> None:
        for event in agent.run("go", stream=True):
            if isinstance(event, ToolOutput):
                seen.set()

    async def arun() -> None:
        async for event in agent.astream("go"):
            if isinstance(event, ToolOutput):
                seen.set()

    interrupted_when(seen, agent, (lambda: asyncio.run(arun())) if asynchronous else run)
    assert "echo (id0): kept" in agent.logs[0].observations


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("make", [ToolCallingAgent, CodeAgent])
def test_between_two_pieces_of_a_reply(make: Any, asynchronous: bool):
    started, closed = threading.Event(), threading.Event()

    class Endless(ScriptedModel):
        def generate_stream(self, *args: Any, **kwargs: Any):
            try:
                while True:
                    yield ChatMessageStreamDelta(content="word ")
                    started.set()
                    time.sleep(0.001)  # a fast model, but not one that floods the loop
            finally:
                closed.set()

    agent = make([], model=Endless([]), stream_outputs=True, verbosity_level=-1)
    interrupted_when(started, agent, (lambda: asyncio.run(agent.arun("go"))) if asynchronous else None)
    assert closed.wait(10)
    assert kinds(agent.memory.steps) == ["task", "act"]


def test_while_a_model_is_awaited():
    started = threading.Event()

    class Slow(ScriptedModel):
        async def agenerate(self, *args: Any, **kwargs: Any) -> ChatMessage:
            started.set()
            await asyncio.sleep(3600)
            raise AssertionError

    agent = ToolCallingAgent([], model=Slow([]), verbosity_level=-1)
    interrupted_when(started, agent, lambda: asyncio.run(agent.arun("go")))


def test_while_an_async_tool_is_awaited():
    started, ended = threading.Event(), []

    @tool
    async def forever() -> str:
        """Never ends."""
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)
        return ""

    agent = agent_for([call("forever")], tools=[forever])
    interrupted_when(started, agent, lambda: asyncio.run(agent.arun("go")))
    started.clear()
    agent.model.replies.append(call("forever"))
    interrupted_when(started, agent)
    assert ended == [True, True]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_while_code_runs(asynchronous: bool):
    started = threading.Event()

    @tool
    def begin() -> str:
        """Tells that the code runs."""
        started.set()
        return ""

    agent = CodeAgent(
        [begin],
        model=ScriptedModel([code("print('before')", "begin()", "while True:", "    pass")]),
        verbosity_level=-1,
        executor_kwargs={"timeout_seconds": 60},
    )
    interrupted_when(started, agent, (lambda: asyncio.run(agent.arun("go"))) if asynchronous else None)
    assert isinstance(agent.logs[0].error, AgentInterruptedError)


def test_while_a_tool_that_the_code_called_runs():
    started = threading.Event()
    agent = CodeAgent(
        [waiting_tool(started)],
        model=ScriptedModel([code("try:", "    wait()", "except Exception:", "    pass", "final_answer(1)")]),
        verbosity_level=-1,
    )
    error = interrupted_when(started, agent)
    assert error.run_result.state == "interrupted"


@pytest.mark.parametrize("manager_writes_code", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_agents_that_were_called_stop_as_well(manager_writes_code: bool, asynchronous: bool):
    started = threading.Event()
    inner = agent_for([call("wait")], tools=[waiting_tool(started)], name="inner", description="d")
    outer = agent_for([call("inner", task="x")], managed_agents=[inner], name="outer", description="d")
    if manager_writes_code:
        manager: Any = CodeAgent(
            [], model=ScriptedModel([code("outer(task='y')")]), managed_agents=[outer], verbosity_level=-1
        )
    else:
        manager = agent_for([call("outer", task="y")], managed_agents=[outer])
    interrupted_when(started, manager, (lambda: asyncio.run(manager.arun("go"))) if asynchronous else None)
    deadline = time.monotonic() + 20  # an awaited run does not wait for the threads it has told to stop
    while (inner._active or outer._active) and time.monotonic() < deadline:
        time.sleep(0.001)
    for agent in (inner, outer, manager):
        assert isinstance(agent.logs[-1].error, AgentInterruptedError)
        assert agent._active == []


def test_between_the_steps_of_a_stream():
    agent = agent_for([call("echo", text="a"), answer(1)])
    events = agent.run("go", stream=True)
    for event in events:
        if isinstance(event, ActionStep):
            agent.interrupt()
            break
    with pytest.raises(AgentInterruptedError):
        list(events)
    assert len(agent.model.requests) == 1
    assert agent.logs[0].observations == "a"


def test_within_a_step_of_a_stream():
    agent = agent_for([call("echo", text="a"), answer(1)])
    events = agent.run("go", stream=True)
    assert isinstance(next(events), ToolCall)
    agent.interrupt()
    with pytest.raises(AgentInterruptedError) as caught:
        list(events)
    assert caught.value.run_result.steps[-1]["tool_calls"][0]["function"]["name"] == "echo"


def test_while_planning():
    def stop(messages: Any) -> str:
        agent.interrupt()
        return "a plan"

    agent = agent_for([stop, answer(1)], planning_interval=1)
    with pytest.raises(AgentInterruptedError):
        agent.run("go")
    assert kinds(agent.memory.steps)[:2] == ["task", "plan"]


def test_all_runs_of_an_agent_stop():
    started = threading.Semaphore(0)

    @tool
    def wait() -> str:
        """Waits."""
        started.release()
        interruptible_sleep(3600)
        return ""

    agent = agent_for([call("wait")] * 3, tools=[wait])
    raised: list[BaseException] = []

    def work() -> None:
        try:
            agent.run("go")
        except AgentInterruptedError as error:
            raised.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert started.acquire(timeout=20)
    agent.interrupt()
    for thread in threads:
        thread.join(20)
    assert len(raised) == 3


def test_an_agent_that_does_nothing_is_not_disturbed():
    agent = agent_for([answer(1)])
    agent.interrupt()
    assert agent.run("go") == 1


def test_interrupting_twice_is_like_once():
    started = threading.Event()
    agent = agent_for([call("wait")], tools=[waiting_tool(started)])
    interrupted_when(started, agent)
    agent.interrupt()
    agent.model.replies.append(answer(1))
    assert agent.run("go") == 1
