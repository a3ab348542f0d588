"""Planning: the first plan, updated plans, and what they cost."""

from __future__ import annotations

import pytest
from agent_helpers import add, agent_for, answer, call, kinds

from smolagents import ChatMessageStreamDelta, MessageRole, PlanningStep, TokenUsage


def test_a_first_plan_and_updated_plans_at_their_interval():
    agent = agent_for(
        [
            "1. echo it <end_plan>",
            call("echo", text="a"),
            call("echo", text="b"),
            "2. once more",
            call("echo", text="c"),
            call("echo", text="d"),
            "3. answer",
            answer(4),
        ],
        planning_interval=2,
    )
    assert agent.run("Echo things.") == 4
    agent.model.assert_finished()
    assert kinds(agent.memory.steps) == ["task", "plan", "act", "act", "plan", "act", "act", "plan", "act"]
    assert [step.step_number for step in agent.logs] == [1, 2, 3, 4, 5]
    plans = [step.plan for step in agent.memory.steps if isinstance(step, PlanningStep)]
    for plan, said in zip(plans, ("1. echo it", "2. once more", "3. answer"), strict=True):
        assert said in plan


def test_the_first_plan_is_made_from_the_task_and_the_tools():
    agent = agent_for(["1. add", answer(3)], planning_interval=5)
    agent.run("What is 1 + 2?")
    request = agent.model.requests[0]
    (message,) = request.messages
    assert message.role is MessageRole.USER
    for text in ("What is 1 + 2?", "echo", "Adds.", "final_answer"):
        assert text in message.text
    assert request.stop_sequences == ["<end_plan>"]
    assert request.tools_to_call_from is None


def test_an_updated_plan_is_made_from_the_work_so_far_without_earlier_plans():
    agent = agent_for(
        ["the old plan", call("echo", text="what was found"), "the new plan", answer(3)],
        planning_interval=1,
        max_steps=7,
    )
    agent.run("the task")
    request = agent.model.requests[2]
    assert "what was found" in request.text
    assert "the old plan" not in request.text
    assert "the task" in request.messages[-1].text
    assert "6 steps remain" in request.messages[-1].text
    assert request.messages[0].role is MessageRole.SYSTEM
    assert "the new plan" in agent.model.requests[3].text


def test_the_plan_is_shown_to_the_model_when_it_acts():
    agent = agent_for(["1. add up", answer(3)], planning_interval=1)
    agent.run("go")
    last = agent.model.requests[1].messages
    assert [str(m.role) for m in last] == ["system", "user", "assistant", "user"]
    assert "1. add up" in last[2].text


def test_a_run_that_goes_on_plans_from_what_is_there():
    agent = agent_for(["first plan", answer(1), "second plan", answer(2)], planning_interval=3)
    agent.run("first task")
    agent.run("second task", reset=False)
    assert kinds(agent.memory.steps) == ["task", "plan", "act", "task", "plan", "act"]
    request = agent.model.requests[2]
    assert "first task" in request.text
    assert "second task" in request.messages[-1].text


def test_tokens_of_plans_are_counted():
    agent = agent_for(["a plan", answer(3)], planning_interval=1, usage=TokenUsage(10, 1))
    result = agent.run("go", return_full_result=True)
    assert result.token_usage == TokenUsage(20, 2)
    assert agent.monitor.get_total_token_counts() == TokenUsage(20, 2)
    plan = agent.memory.steps[1]
    assert plan.token_usage == TokenUsage(10, 1)
    assert plan.timing.duration is not None
    assert result.steps[1]["plan"] == plan.plan


def test_tokens_of_a_plan_that_are_unknown_leave_the_sum_unknown():
    reply = answer(3)
    reply.token_usage = TokenUsage(1, 1)
    agent = agent_for(["a plan", reply], planning_interval=1)
    assert agent.run("go", return_full_result=True).token_usage is None


@pytest.mark.parametrize("stream_outputs", [False, True])
def test_plans_are_in_the_stream(stream_outputs: bool):
    agent = agent_for(
        ["a plan in words", answer(3)], planning_interval=1, stream_outputs=stream_outputs, usage=TokenUsage(2, 2)
    )
    events = list(agent.run("go", stream=True))
    (place,) = [i for i, event in enumerate(events) if isinstance(event, PlanningStep)]
    pieces = [event for event in events[:place] if isinstance(event, ChatMessageStreamDelta)]
    assert "".join(piece.content or "" for piece in pieces) == ("a plan in words" if stream_outputs else "")
    assert events[place].token_usage == TokenUsage(2, 2)


def test_team_members_are_in_the_plans_prompt():
    helper = agent_for([], tools=[add], name="helper", description="Knows ships.")
    agent = agent_for(["a plan", answer(1)], planning_interval=1, managed_agents=[helper])
    agent.run("go")
    assert "helper: Knows ships." in agent.model.requests[0].text


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), ("2", TypeError), (1.0, TypeError)])
def test_an_interval_that_is_none(value: object, error: type[Exception]):
    with pytest.raises(error, match="planning_interval"):
        agent_for([], planning_interval=value)


def test_no_plan_is_made_when_no_step_follows():
    agent = agent_for(["guess"], planning_interval=1, max_steps=0)
    assert agent.run("go") == "guess"
    assert kinds(agent.memory.steps) == ["task", "act"]


def test_the_summary_of_a_plan_is_nothing():
    agent = agent_for(["the plan", answer(1)], planning_interval=1)
    agent.run("go")
    assert "the plan" not in "".join(m.text for m in agent.write_memory_to_messages(summary_mode=True))
    assert "the plan" in "".join(m.text for m in agent.write_memory_to_messages())
