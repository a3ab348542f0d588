"""arun and astream: the same runs, without blocking the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from agent_helpers import agent_for, answer, call, calls, code, echo, kinds

from smolagents import (
    ActionStep,
    AgentGenerationError,
    ChatMessage,
    ChatMessageStreamDelta,
    CodeAgent,
    FinalAnswerStep,
    Model,
    PlanningStep,
    RunResult,
    TokenUsage,
    ToolCallingAgent,
    ToolOutput,
    tool,
)
from smolagents.testing import ScriptedModel


async def listed(events: Any) -> list[Any]:
    return [event async for event in events]


SCRIPTS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "answer": ([answer(3)], {}),
    "calls": ([call("add", a=1, b=2), answer(3)], {}),
    "parallel calls": ([calls(("echo", {"text": "a"}), ("fail", {"text": "x"})), answer(3)], {}),
    "several answers": ([calls(("final_answer", {"answer": 1}), ("final_answer", {"answer": 2})), answer(3)], {}),
    "unknown tool": ([call("nothing"), answer(3)], {}),
    "no call": (["words", answer(3)], {}),
    "plans": (["a plan", call("echo", text="a"), "another", answer(3)], {"planning_interval": 1}),
    "pieces": ([call("echo", text="a"), answer(3)], {"stream_outputs": True}),
    "pieces of plans": (["a plan", answer(3)], {"stream_outputs": True, "planning_interval": 1}),
    "no steps": (["guess"], {"max_steps": 0}),
    "steps used up": ([call("echo", text="a"), "guess"], {"max_steps": 1}),
    "checks": ([answer(1), answer(3)], {"final_answer_checks": [lambda a, m: a > 2]}),
}


def described(event: Any) -> Any:
    if isinstance(event, ActionStep):
        return ("step", event.step_number, event.observations, str(event.error), event.is_final_answer)
    if isinstance(event, PlanningStep):
        return ("plan", event.plan)
    if isinstance(event, ChatMessageStreamDelta):
        return ("delta", event.content)
    return (type(event).__name__, getattr(event, "output", None))


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_ways_do_the_same(name: str):
    replies, settings = SCRIPTS[name]
    first = agent_for(replies, usage=TokenUsage(2, 1), max_tool_threads=1, **settings)
    second = agent_for(replies, usage=TokenUsage(2, 1), max_tool_threads=1, **settings)
    plain = [described(e) for e in first.run("go", stream=True)]
    awaited = [described(e) for e in asyncio.run(listed(second.astream("go")))]
    assert awaited == plain
    assert second.monitor.get_total_token_counts() == first.monitor.get_total_token_counts()
    assert [r.text for r in second.model.requests] == [r.text for r in first.model.requests]
    assert kinds(second.memory.steps) == kinds(first.memory.steps)


def test_arun_takes_the_arguments_of_run():
    agent = agent_for([call("echo", text="doc"), "guess", answer(2)], usage=TokenUsage(1, 1))

    async def main() -> Any:
        result = await agent.arun(
            "go", images=["an image"], additional_args={"doc": "content"}, max_steps=1, return_full_result=True
        )
        return result, await agent.arun("more", reset=False)

    result, more = asyncio.run(main())
    assert isinstance(result, RunResult)
    assert (result.output, result.state, result.token_usage) == ("guess", "max_steps_error", TokenUsage(2, 2))
    assert result.steps[0]["task_images"] == ["an image"]
    assert result.steps[1]["observations"] == "content"
    assert more == 2
    assert [step["step_number"] for step in agent.logs] == [1, 2, 1]


def test_bad_arguments_are_told():
    with pytest.raises(ValueError, match="task is empty"):
        asyncio.run(agent_for([]).arun(" "))


def test_a_failing_model_ends_the_run_with_what_was_done():
    agent = agent_for([call("echo", text="kept"), ConnectionError("down")])
    with pytest.raises(AgentGenerationError, match="down") as caught:
        asyncio.run(agent.arun("go"))
    assert caught.value.run_result.state == "error"
    assert caught.value.run_result.steps[1]["observations"] == "kept"


def test_a_failing_model_within_a_stream():
    class Broken(ScriptedModel):
        def generate_stream(self, *args: Any, **kwargs: Any):
            yield ChatMessageStreamDelta(content="Thou")
            raise ConnectionError("cut off")

    agent = ToolCallingAgent([], model=Broken([]), stream_outputs=True, verbosity_level=-1)
    for run in (lambda: asyncio.run(agent.arun("go")), lambda: agent.run("go")):
        with pytest.raises(AgentGenerationError, match="cut off") as caught:
            run()
        assert caught.value.run_result.state == "error"


def test_async_tools_run_on_the_loop_and_at_the_same_time():
    loops: list[Any] = []

    async def main() -> Any:
        arrived = 0
        all_here = asyncio.Event()

        @tool
        async def meet(number: int) -> int:
            """Waits for the others.

            Args:
                number: Which one.
            """
            nonlocal arrived
            loops.append(asyncio.get_running_loop())
            arrived += 1
            if arrived == 3:
                all_here.set()
            await asyncio.wait_for(all_here.wait(), 10)
            return number

        agent = agent_for([calls(*(("meet", {"number": i}) for i in range(3))), answer(1)], tools=[meet])
        await agent.arun("go")
        return agent.logs[0].observations, asyncio.get_running_loop()

    observations, loop = asyncio.run(main())
    assert observations == "meet (id0): 0\nmeet (id1): 1\nmeet (id2): 2"
    assert loops == [loop] * 3


def test_sync_tools_do_not_block_the_loop():
    """The tool waits for something that only the loop can do."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        released = threading.Event()

        @tool
        def wait() -> str:
            """Waits."""
            loop.call_soon_threadsafe(released.set)
            assert released.wait(10)
            return "released"

        agent = agent_for([call("wait"), answer(1)], tools=[wait])
        assert await agent.arun("go") == 1
        return agent.logs[0].observations

    assert asyncio.run(main()) == "released"


def test_code_does_not_block_the_loop():
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        released = threading.Event()

        @tool
        def wait() -> str:
            """Waits."""
            loop.call_soon_threadsafe(released.set)
            assert released.wait(10)
            return "released"

        agent = CodeAgent([wait], model=ScriptedModel([code("final_answer(wait())")]), verbosity_level=-1)
        return await agent.arun("go")

    assert asyncio.run(main()) == "released"


def test_a_blocking_model_does_not_block_the_loop():
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        released = threading.Event()

        def think(messages: list[ChatMessage]) -> Any:
            loop.call_soon_threadsafe(released.set)
            assert released.wait(10)
            return answer(1)

        return await agent_for([think]).arun("go")

    assert asyncio.run(main()) == 1


def test_a_blocking_callback_does_not_block_the_loop():
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        released = threading.Event()

        def wait(step: ActionStep) -> None:
            loop.call_soon_threadsafe(released.set)
            assert released.wait(10)

        return await agent_for([answer(1)], step_callbacks=[wait]).arun("go")

    assert asyncio.run(main()) == 1


def test_an_async_tool_called_by_code_runs_on_the_loop_of_the_run():
    """Where its connections are open."""

    async def main() -> Any:
        here = asyncio.get_running_loop()

        @tool
        async def same_loop() -> bool:
            """Tells whether it is on the loop of the run."""
            await asyncio.sleep(0)
            return asyncio.get_running_loop() is here

        agent = CodeAgent([same_loop], model=ScriptedModel([code("final_answer(same_loop())")]), verbosity_level=-1)
        return await agent.arun("go")

    assert asyncio.run(main()) is True


def test_a_subclass_with_steps_of_its_own():
    class Own(ToolCallingAgent):
        def _step_stream(self, memory_step: ActionStep):
            memory_step.observations = f"{self.task}"
            yield from super()._step_stream(memory_step)

    agent = Own([echo], model=ScriptedModel([call("echo", text="a"), answer(1)]), verbosity_level=-1)
    events = asyncio.run(listed(agent.astream("go")))
    assert isinstance(events[-1], FinalAnswerStep)
    assert events[-1].output == 1


# Many at once

RUNS = 100


class Thinker(Model):
    """Takes two steps for each task, from the messages alone, while others do the same."""

    def __init__(self, as_code: bool) -> None:
        super().__init__()
        self.as_code = as_code
        self.now = self.most = 0

    async def agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatMessage:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.02)
        self.now -= 1
        number = messages[1].text.split("number ")[1].split(".")[0]
        assert sum("New task" in m.text for m in messages) == 1, "another run's task"
        observed = [m.text for m in messages if str(m.role) == "tool-response"]
        if len(observed) < 2:
            text = code(f"x = secret + {number}" if not observed else "y = x", f"print('n{number}')")
            first = ChatMessage(role="assistant", content=text)
            reply = first if self.as_code else call("echo", text=f"n{number}")
        else:
            assert all(f"n{number}" in text for text in observed), "another run's observation"
            final = ChatMessage(role="assistant", content=code("final_answer(y)"))
            reply = final if self.as_code else answer("secret")
        reply.token_usage = TokenUsage(1, 1)
        return reply


@pytest.mark.parametrize("as_code", [True, False])
def test_a_hundred_runs_of_one_agent_at_once(as_code: bool):
    model = Thinker(as_code)
    steps: list[tuple[str, int]] = []

    def note(step: ActionStep, agent: Any) -> None:
        steps.append((agent.task.split("number ")[1].split(".")[0], step.step_number))

    make: Any = CodeAgent if as_code else ToolCallingAgent
    agent = make([echo], model=model, verbosity_level=-1, step_callbacks=[note])

    async def main() -> list[RunResult]:
        return await asyncio.gather(
            *(
                agent.arun(f"This is number {i}.", additional_args={"secret": 1000 * i}, return_full_result=True)
                for i in range(RUNS)
            )
        )

    results = asyncio.run(main())
    assert [r.output for r in results] == [1000 * i + (i if as_code else 0) for i in range(RUNS)]
    for i, result in enumerate(results):
        assert f"number {i}." in result.steps[0]["task"]
        assert [step["step_number"] for step in result.steps[1:]] == [1, 2, 3]
        assert all(f"n{i}" in step["observations"] for step in result.steps[1:3])
        assert result.token_usage == TokenUsage(3, 3)
    assert sorted(steps) == sorted((str(i), n) for i in range(RUNS) for n in (1, 2, 3))
    assert model.most > RUNS // 2, "they ran at the same time"
    assert agent.memory.steps[0].task.startswith("This is number ")
    assert agent._active == []


def test_runs_in_threads_at_once():
    barrier = threading.Barrier(8)

    def model(messages: list[ChatMessage]) -> str:
        number = messages[1].text.split("number ")[1].split(".")[0]
        if len(messages) == 2:
            barrier.wait(20)
            return code(f"x = {number}")
        return code("final_answer(x * 2)")

    agent = CodeAgent([], model=model, verbosity_level=-1)
    answers: dict[int, Any] = {}

    def work(i: int) -> None:
        answers[i] = agent.run(f"This is number {i}.")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == {i: 2 * i for i in range(8)}


def test_a_run_that_is_going_on_cannot_be_continued_by_another():
    from smolagents import AgentError

    agent = agent_for([call("echo", text="a"), answer(1)])
    events = agent.run("go", stream=True)
    next(events)
    with pytest.raises(AgentError, match="still going on"):
        agent.run("more", reset=False)
    assert [type(e).__name__ for e in events][-1] == "FinalAnswerStep"


# Cancellation


def cancelled_when(started: asyncio.Event, coroutine: Any) -> Any:
    async def main() -> None:
        task = asyncio.ensure_future(coroutine)
        await asyncio.wait_for(started.wait(), 10)
        task.cancel()
        await task

    return main()


def test_cancelling_stops_an_async_tool_and_keeps_memory():
    ended: list[str] = []

    async def main() -> Any:
        started = asyncio.Event()

        @tool
        async def forever() -> str:
            """Never ends."""
            started.set()
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append("forever")
            return ""

        agent = agent_for([call("echo", text="kept"), call("forever")], tools=[echo, forever])
        raised: list[BaseException] = []

        async def watched() -> None:
            try:
                await agent.arun("go")
            except asyncio.CancelledError as error:  # outside of its task, Python 3.10 raises another one
                raised.append(error)
                raise

        with pytest.raises(asyncio.CancelledError):
            await cancelled_when(started, watched())
        return agent, raised[0]

    agent, error = asyncio.run(main())
    assert ended == ["forever"]
    assert [step.observations for step in agent.logs] == ["kept", None]
    assert "CancelledError" in str(agent.logs[1].error)
    assert error.run_result.state == "interrupted"
    assert error.run_result.steps[1]["observations"] == "kept"
    agent.model.replies.append(answer(5))
    assert agent.run("go on", reset=False) == 5


def test_cancelling_stops_the_siblings():
    ended: list[int] = []

    async def main() -> None:
        started = asyncio.Event()

        @tool
        async def forever(number: int) -> str:
            """Never ends.

            Args:
                number: Which one.
            """
            if number == 2:
                started.set()
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(number)
            return ""

        agent = agent_for([calls(*(("forever", {"number": i}) for i in range(3)))], tools=[forever])
        with pytest.raises(asyncio.CancelledError):
            await cancelled_when(started, agent.arun("go"))

    asyncio.run(main())
    assert sorted(ended) == [0, 1, 2]


def test_cancelling_keeps_the_results_of_calls_that_were_done():
    async def main() -> Any:
        started = asyncio.Event()

        @tool
        async def forever() -> str:
            """Never ends."""
            await asyncio.sleep(3600)
            return ""

        agent = agent_for([calls(("echo", {"text": "kept"}), ("forever", {}))], tools=[echo, forever])

        async def watch() -> None:
            async for event in agent.astream("go"):
                if isinstance(event, ToolOutput):
                    started.set()

        with pytest.raises(asyncio.CancelledError):
            await cancelled_when(started, watch())
        return agent

    assert asyncio.run(main()).logs[0].observations == "echo (id0): kept"


def test_cancelling_reaches_a_model_between_two_pieces():
    closed = threading.Event()

    async def main() -> Any:
        started = asyncio.Event()
        loop = asyncio.get_running_loop()

        class Endless(ScriptedModel):
            def generate_stream(self, *args: Any, **kwargs: Any):
                try:
                    while True:
                        yield ChatMessageStreamDelta(content="word ")
                        loop.call_soon_threadsafe(started.set)
                        time.sleep(0.001)
                finally:
                    closed.set()

        agent = ToolCallingAgent([], model=Endless([]), stream_outputs=True, verbosity_level=-1)
        with pytest.raises(asyncio.CancelledError):
            await cancelled_when(started, agent.arun("go"))
        return agent

    agent = asyncio.run(main())
    assert closed.wait(10)
    assert kinds(agent.memory.steps) == ["task", "act"]


def test_cancelling_stops_code_that_runs():
    from smolagents.tools.interruption import interruptible_sleep

    stopped = threading.Event()

    async def main() -> None:
        started = asyncio.Event()
        loop = asyncio.get_running_loop()

        @tool
        def cooperate() -> str:
            """Works for long, and looks whether it should stop."""
            loop.call_soon_threadsafe(started.set)
            try:
                interruptible_sleep(3600)
            finally:
                stopped.set()
            return ""

        agent = CodeAgent([cooperate], model=ScriptedModel([code("cooperate()")]), verbosity_level=-1)
        with pytest.raises(asyncio.CancelledError):
            await cancelled_when(started, agent.arun("go"))

    asyncio.run(main())
    assert stopped.wait(10)


def test_cancelling_stops_a_loop_in_the_code():
    async def main() -> Any:
        started = asyncio.Event()
        loop = asyncio.get_running_loop()

        @tool
        def begin() -> str:
            """Tells that the code runs."""
            loop.call_soon_threadsafe(started.set)
            return ""

        agent = CodeAgent(
            [begin],
            model=ScriptedModel([code("begin()", "while True:", "    pass")]),
            verbosity_level=-1,
            executor_kwargs={"timeout_seconds": 60},
        )
        with pytest.raises(asyncio.CancelledError):
            await cancelled_when(started, agent.arun("go"))
        return agent

    before = time.monotonic()
    agent = asyncio.run(main())
    assert time.monotonic() - before < 50
    assert agent.logs[0].code_action.startswith("begin()")


def test_one_cancelled_run_leaves_the_others_alone():
    async def main() -> Any:
        waiting = asyncio.Event()
        go_on = asyncio.Event()

        class Slow(Model):
            async def agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatMessage:
                if "first" in messages[1].text:
                    waiting.set()
                    await asyncio.sleep(3600)
                await go_on.wait()
                return answer("done")

        agent = ToolCallingAgent([], model=Slow(), verbosity_level=-1)
        first = asyncio.ensure_future(agent.arun("first"))
        second = asyncio.ensure_future(agent.arun("second"))
        await waiting.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go_on.set()
        return await second

    assert asyncio.run(main()) == "done"


def test_a_stream_that_is_left_is_closed():
    async def main() -> Any:
        agent = agent_for([call("echo", text="a"), answer(1)])
        events = agent.astream("go")
        async for event in events:
            if isinstance(event, ActionStep):
                break
        await events.aclose()
        return agent

    agent = asyncio.run(main())
    assert kinds(agent.memory.steps) == ["task", "act"]
    assert agent._active == []


def test_a_time_limit_from_outside():
    class Slow(Model):
        async def agenerate(self, *args: Any, **kwargs: Any) -> ChatMessage:
            await asyncio.sleep(3600)
            raise AssertionError

    agent = ToolCallingAgent([], model=Slow(), verbosity_level=-1)

    async def main() -> None:
        await asyncio.wait_for(agent.arun("go"), 0.05)

    with pytest.raises((asyncio.TimeoutError, TimeoutError)):
        asyncio.run(main())
    assert kinds(agent.memory.steps) == ["task", "act"]


def test_a_stream_that_is_only_broken_off_is_closed_with_its_loop():
    agent = agent_for([call("echo", text="a"), answer(1)])

    async def main() -> None:
        async for event in agent.astream("go"):
            if isinstance(event, ActionStep):
                break

    asyncio.run(main())
    assert kinds(agent.memory.steps) == ["task", "act"]
    assert agent._active == []


def test_runs_of_one_agent_one_after_another_in_different_loops():
    agent = agent_for([answer(i) for i in range(3)])
    assert [asyncio.run(agent.arun("go")) for _ in range(3)] == [0, 1, 2]
