"""Functions of the user's that a run calls: step callbacks and checks of the final answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agent_helpers import agent_for, answer, call, code, echo, kinds

from smolagents import (
    ActionStep,
    AgentError,
    CodeAgent,
    FinalAnswerStep,
    MemoryStep,
    PlanningStep,
    TokenUsage,
)
from smolagents.testing import ScriptedModel

# Step callbacks


def test_a_list_of_callbacks_is_called_after_each_action_step():
    seen: list[Any] = []
    agent = agent_for(
        ["a plan", call("echo", text="a"), answer(1)],
        planning_interval=5,
        step_callbacks=[
            lambda step: seen.append((step.step_number, step.observations)),
            lambda step, agent: seen.append(agent),
        ],
    )
    agent.run("go")
    assert seen == [(1, "a"), agent, (2, "1"), agent]


def test_callbacks_by_kind_of_step():
    seen: list[str] = []
    agent = agent_for(
        ["a plan", call("echo", text="a"), answer(1)],
        planning_interval=5,
        step_callbacks={
            PlanningStep: lambda step: seen.append(f"plan {step.plan[-8:-4]}"),
            ActionStep: [lambda step: seen.append("act"), lambda step, **kwargs: seen.append(sorted(kwargs)[0])],
            MemoryStep: lambda step: seen.append("any"),
        },
    )
    agent.run("go")
    assert seen == ["plan plan", "any", "act", "agent", "any", "act", "agent", "any"]


@pytest.mark.parametrize("callbacks", [["print"], {ActionStep: "print"}, {ActionStep: [3]}])
def test_what_is_no_callback_is_refused(callbacks: Any):
    with pytest.raises(TypeError, match="must be callable"):
        agent_for([], step_callbacks=callbacks)


def test_a_step_is_complete_when_its_callbacks_see_it():
    def check(step: ActionStep) -> None:
        assert step.timing.duration is not None
        assert step.token_usage == TokenUsage(1, 1)
        assert step.is_final_answer is (step.step_number == 2)

    agent = agent_for([call("echo", text="a"), answer(1)], usage=TokenUsage(1, 1), step_callbacks=[check])
    assert agent.run("go") == 1


def test_callbacks_see_failed_steps_and_the_step_without_steps_left():
    seen: list[str] = []
    agent = agent_for(
        [call("fail", text="x"), "guess"], max_steps=1, step_callbacks=[lambda s: seen.append(type(s.error).__name__)]
    )
    agent.run("go")
    assert seen == ["AgentToolExecutionError", "AgentMaxStepsError"]


def test_an_exception_in_a_callback_ends_the_run_and_loses_nothing():
    called: list[int] = []

    def fails(step: ActionStep) -> None:
        if step.step_number == 2:
            raise ZeroDivisionError("mine")

    agent = agent_for(
        [call("echo", text="a"), call("echo", text="b"), answer(1)],
        step_callbacks=[fails, lambda step: called.append(step.step_number)],
    )
    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        agent.run("go")
    assert called == [1, 2], "the other callbacks are called all the same"
    assert [step.observations for step in agent.logs] == ["a", "b"]
    assert caught.value.run_result.state == "error"
    assert [step.get("observations") for step in caught.value.run_result.steps] == [None, "a", "b"]
    agent.step_callbacks = type(agent.step_callbacks)()
    agent.model.replies.append(answer(2))
    assert agent.run("go on", reset=False) == 1


def test_an_exception_in_a_callback_of_a_plan_keeps_the_plan():
    def fails(step: PlanningStep) -> None:
        raise ZeroDivisionError("mine")

    agent = agent_for(["a plan"], planning_interval=1, step_callbacks={PlanningStep: fails})
    with pytest.raises(ZeroDivisionError):
        agent.run("go")
    assert kinds(agent.memory.steps) == ["task", "plan"]


def test_an_exception_in_a_callback_of_the_last_step_keeps_the_answer_in_memory():
    def fails(step: ActionStep) -> None:
        raise ZeroDivisionError("mine")

    agent = agent_for([answer(7)], step_callbacks=[fails])
    with pytest.raises(ZeroDivisionError) as caught:
        agent.run("go")
    assert caught.value.run_result.steps[-1]["action_output"] == 7


def test_a_callback_may_interrupt_the_run():
    def stop(step: ActionStep, agent: Any) -> None:
        agent.interrupt()

    agent = agent_for([call("echo", text="a"), answer(1)], step_callbacks=[stop])
    with pytest.raises(AgentError, match="interrupted") as caught:
        agent.run("go")
    assert caught.value.run_result.state == "interrupted"
    assert agent.logs[0].observations == "a"


def test_a_callback_may_change_memory_and_state():
    def change(step: ActionStep, agent: Any) -> None:
        agent.state["number"] = step.step_number
        step.observations = "(removed)"

    agent = agent_for([call("echo", text="long text"), answer("number")], step_callbacks=[change])
    assert agent.run("go") == 1
    assert "long text" not in agent.model.requests[1].messages[-1].text


def test_an_async_callback_is_awaited():
    seen: list[int] = []

    async def note(step: ActionStep) -> None:
        await asyncio.sleep(0)
        seen.append(step.step_number)

    agent = agent_for([call("echo", text="a"), answer(1)], step_callbacks=[note])
    assert asyncio.run(agent.arun("go")) == 1
    assert seen == [1, 2]


# Checks of the final answer


def test_an_answer_that_passes_the_checks_is_taken():
    seen: list[Any] = []

    def check(final_answer: Any, memory: Any, agent: Any) -> bool:
        seen.append((final_answer, len(memory.steps), agent))
        return True

    agent = agent_for([call("echo", text="a"), answer(3)], final_answer_checks=[check])
    assert agent.run("go") == 3
    assert seen == [(3, 2, agent)]


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(lambda answer, memory: answer > 2, id="two arguments"),
        pytest.param(lambda answer, memory, agent: answer > 2, id="three arguments"),
        pytest.param(lambda answer, memory, agent=None: answer > 2, id="agent by name"),
        pytest.param(lambda answer, memory, **kwargs: answer > 2 and "agent" in kwargs, id="keywords"),
        pytest.param(lambda answer: answer > 2, id="one argument"),
        pytest.param(lambda *args: args[0] > 2, id="any arguments"),
    ],
)
def test_checks_in_their_forms(check: Any):
    agent = agent_for([answer(1), answer(3)], final_answer_checks=[check])
    assert agent.run("go") == 3
    agent.model.assert_finished()


def test_a_refused_answer_is_told_to_the_model():
    def is_positive(answer: Any, memory: Any) -> bool:
        return answer > 0

    agent = agent_for([answer(-1), answer(1)], final_answer_checks=[is_positive])
    result = agent.run("go", return_full_result=True)
    assert (result.output, result.state) == (1, "success")
    assert "the check is_positive did not pass" in agent.model.requests[1].messages[-1].text
    refused = agent.logs[0]
    assert (refused.is_final_answer, refused.action_output) == (False, -1)
    assert "is_positive" in str(refused.error)


def test_a_check_may_say_why():
    def check(answer: Any, memory: Any) -> bool:
        assert answer != -1, "the answer must not be negative"
        return True

    agent = agent_for([answer(-1), answer(1)], final_answer_checks=[check])
    assert agent.run("go") == 1
    assert "the answer must not be negative" in agent.model.requests[1].messages[-1].text


def test_all_checks_have_to_pass():
    agent = agent_for(
        [answer(1), answer(2), answer(6)],
        final_answer_checks=[lambda a, m: a % 2 == 0, lambda a, m: a % 3 == 0],
    )
    assert agent.run("go") == 6


def test_refused_answers_use_up_steps():
    agent = agent_for([answer(1), answer(2), "5"], max_steps=2, final_answer_checks=[lambda a, m: a == "5"])
    result = agent.run("go", return_full_result=True)
    assert (result.output, result.state) == ("5", "max_steps_error")


def test_an_answer_without_steps_left_has_to_pass_the_checks_as_well():
    def is_long(answer: Any, memory: Any) -> bool:
        return len(answer) > 10

    agent = agent_for([call("echo", text="aaaaaaaaaaaaa"), "short"], max_steps=1, final_answer_checks=[is_long])
    result = agent.run("go", return_full_result=True)
    assert (result.output, result.state) == (None, "max_steps_error")
    last = agent.logs[-1]
    assert last.model_output == "short"
    assert last.action_output is None
    assert "is_long" in str(last.error)
    assert type(last.error).__name__ == "AgentMaxStepsError"


def test_a_stream_of_a_refused_answer_ends_without_one():
    agent = agent_for(["short"], max_steps=0, final_answer_checks=[lambda a, m: False])
    events = list(agent.run("go", stream=True))
    assert isinstance(events[-1], FinalAnswerStep)
    assert events[-1].output is None


def test_checks_of_an_agent_that_writes_code():
    model = ScriptedModel([code("final_answer(1)"), code("final_answer(4)")])
    agent = CodeAgent([echo], model=model, final_answer_checks=[lambda a, m: a > 2], verbosity_level=-1)
    assert agent.run("go") == 4
    assert "did not pass" in model.requests[1].messages[-1].text


def test_an_async_check_is_awaited():
    async def check(answer: Any, memory: Any) -> bool:
        await asyncio.sleep(0)
        return answer > 1

    agent = agent_for([answer(1), answer(2)], final_answer_checks=[check])
    assert asyncio.run(agent.arun("go")) == 2


def test_an_async_callback_or_check_in_a_plain_run_does_its_work():
    seen: list[int] = []

    async def note(step: ActionStep) -> None:
        await asyncio.sleep(0)
        seen.append(step.step_number)

    async def check(answer: Any, memory: Any) -> bool:
        await asyncio.sleep(0)
        return answer > 1

    agent = agent_for([answer(1), answer(2)], step_callbacks=[note], final_answer_checks=[check])
    assert agent.run("go") == 2
    assert seen == [1, 2]


def test_a_callback_that_raises_at_the_last_step_does_not_lose_the_answer():
    def fail(step: Any) -> None:
        raise RuntimeError("no disk")

    agent = CodeAgent(
        [], model=ScriptedModel(["<code>\nfinal_answer(42)\n</code>"]), step_callbacks=[fail], verbosity_level=-1
    )
    with pytest.raises(RuntimeError, match="no disk") as raised:
        agent.run("go")
    assert raised.value.run_result.output == 42  # type: ignore[attr-defined]
