"""Agents that call agents."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from agent_helpers import add, agent_for, answer, call, calls, code, echo, kinds

from smolagents import AgentGenerationError, ChatMessage, CodeAgent, TaskStep, ToolCallingAgent
from smolagents.testing import ScriptedModel


def member(replies: Any, name: str = "helper", **kwargs: Any) -> ToolCallingAgent:
    return agent_for(replies, name=name, description="Knows about ships.", **kwargs)


def code_agent(replies: Any, **kwargs: Any) -> CodeAgent:
    return CodeAgent(kwargs.pop("tools", []), model=ScriptedModel(replies), verbosity_level=-1, **kwargs)


def test_a_manager_that_calls_tools_gets_a_report():
    helper = member([answer("3 ships")])
    manager = agent_for([call("helper", task="Count the ships."), answer(3)], managed_agents=[helper])
    assert manager.run("go") == 3
    assert "You are 'helper'" in helper.memory.steps[0].task
    assert "Count the ships." in helper.memory.steps[0].task
    assert manager.logs[0].observations == "This is the final answer of 'helper':\n3 ships"


def test_a_manager_that_writes_code_calls_its_team_like_a_function():
    helper = member([answer("3 ships")])
    manager = code_agent(
        [code("report = helper(task='Count.')", "final_answer(report.upper())")], managed_agents=[helper]
    )
    assert "3 SHIPS" in manager.run("go")
    prompt = manager.model.requests[0].messages[0].text
    assert "def helper(task: str, additional_args: dict | None = None) -> str:" in prompt
    assert "Knows about ships." in prompt


@pytest.mark.parametrize("manager_writes_code", [False, True])
def test_values_are_handed_over(manager_writes_code: bool):
    helper = member([call("echo", text="letter"), answer("letter")])
    if manager_writes_code:
        manager: Any = code_agent(
            [code("final_answer(helper(task='Read.', additional_args={'letter': 'Dear all'}))")],
            managed_agents=[helper],
        )
    else:
        manager = agent_for(
            [call("helper", task="Read.", additional_args={"letter": "Dear all"}), answer("done")],
            managed_agents=[helper],
        )
    manager.run("go")
    assert helper.logs[0].observations == "Dear all"
    assert "letter: 'Dear all'" in helper.model.requests[0].text


def test_the_report_may_have_a_summary_of_the_work():
    helper = member([call("echo", text="the found thing"), answer("3 ships")], provide_run_summary=True)
    manager = agent_for([call("helper", task="Count."), answer(3)], managed_agents=[helper])
    manager.run("go")
    report = manager.logs[0].observations
    assert report.startswith("This is the final answer of 'helper':\n3 ships")
    assert "<summary_of_work>" in report
    assert "the found thing" in report
    assert "Knows" not in report
    helper = member([answer("3 ships")])
    assert "summary_of_work" not in helper("Count.")


def test_the_work_in_the_summary_is_cut_to_a_length():
    helper = member([call("echo", text="x" * 1_000_000), answer(1)], provide_run_summary=True)
    assert len(helper("Count.")) < 60_000


def test_calling_an_agent_gives_text_whatever_its_settings():
    helper = member([answer(4)], return_full_result=True)
    assert helper("Count.") == "This is the final answer of 'helper':\n4"


def test_a_failing_member_is_told_to_its_manager():
    def boom(step: Any) -> None:
        raise ZeroDivisionError("mine")

    helper = member([answer(1)], step_callbacks=[boom])
    manager = agent_for([call("helper", task="Count."), answer("gave up")], managed_agents=[helper])
    assert manager.run("go") == "gave up"
    assert "The managed agent helper failed" in str(manager.logs[0].error)
    assert "mine" in str(manager.logs[0].error)


@pytest.mark.parametrize("manager_writes_code", [False, True])
def test_a_member_whose_model_is_down_ends_the_run(manager_writes_code: bool):
    helper = member([ConnectionError("server down")])
    if manager_writes_code:
        manager: Any = code_agent([code("helper(task='Count.')")], managed_agents=[helper])
    else:
        manager = agent_for([call("helper", task="Count.")], managed_agents=[helper])
    with pytest.raises(AgentGenerationError, match="server down") as caught:
        manager.run("go")
    assert len(caught.value.run_result.steps) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({}, "task"), ({"task": "x", "speed": 1}, "speed"), ({"task": 3}, "task"), ({"request": "x"}, "request")],
)
def test_a_wrong_call_of_a_member_is_told(arguments: dict[str, Any], message: str):
    helper = member([])
    manager = agent_for([calls(("helper", arguments)), answer(1)], managed_agents=[helper])
    assert manager.run("go") == 1
    assert "The call of helper was wrong" in str(manager.logs[0].error)
    assert message in str(manager.logs[0].error)
    assert helper.model.requests == []


def test_members_are_offered_to_the_model_like_tools():
    helper = member([])
    manager = agent_for([answer(1)], managed_agents=[helper])
    manager.run("go")
    offered = manager.model.requests[0].tools_to_call_from
    assert [t.name for t in offered] == ["echo", "add", "fail", "final_answer", "helper"]
    assert set(offered[-1].inputs) == {"task", "additional_args"}
    assert offered[-1].output_type == "string"


def test_a_member_keeps_its_memory_to_look_at():
    helper = member([call("echo", text="a"), answer(1), answer(2)])
    manager = agent_for([call("helper", task="one"), call("helper", task="two"), answer(3)], managed_agents=[helper])
    manager.run("go")
    assert kinds(helper.memory.steps) == ["task", "act"]
    assert "two" in helper.memory.steps[0].task
    assert kinds(manager.memory.steps) == ["task", "act", "act", "act"]


class ByTask(ScriptedModel):
    """Answers from the messages alone, so that it serves many runs at once; waits until all have begun."""

    def __init__(self, together: int) -> None:
        super().__init__([])
        self.barrier = threading.Barrier(together)

    def _next(self, messages: list[ChatMessage], arguments: dict[str, Any]) -> ChatMessage:
        name = messages[1].text.split("item ")[1][:2]
        observed = [m.text for m in messages if str(m.role) == "tool-response"]
        if not observed:
            self.barrier.wait(20)
            return call("echo", text=f"seen {name}")
        assert observed == [f"Observation:\nseen {name}"], "another run's memory"
        return answer(f"answer {name}")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_parallel_calls_of_one_member_have_memories_of_their_own(asynchronous: bool):
    names = ["aa", "bb", "cc", "dd"]
    helper = ToolCallingAgent(
        [echo], ByTask(4), name="helper", description="d", verbosity_level=-1, provide_run_summary=True
    )
    manager = agent_for(
        [calls(*(("helper", {"task": f"item {name}"}) for name in names)), answer(1)],
        managed_agents=[helper],
    )
    assert (asyncio.run(manager.arun("go")) if asynchronous else manager.run("go")) == 1
    reports = manager.logs[0].observations.split("helper (id")[1:]
    for name, report in zip(names, reports, strict=True):
        assert f"answer {name}" in report
        assert f"seen {name}" in report
        assert not any(other in report for other in names if other != name)


def test_parallel_calls_of_one_member_that_writes_code():
    barrier = threading.Barrier(3)

    def model(messages: list[ChatMessage]) -> str:
        name = messages[1].text.split("item ")[1][:2]
        if len(messages) == 2:
            barrier.wait(20)
            return code(f"value = '{name}'")
        return code("final_answer('value is ' + value)")

    helper = CodeAgent([], model=model, name="helper", description="d", verbosity_level=-1)
    manager = agent_for(
        [calls(*(("helper", {"task": f"item {name}"}) for name in ("aa", "bb", "cc"))), answer(1)],
        managed_agents=[helper],
    )
    manager.run("go")
    reports = manager.logs[0].observations.split("helper (id")[1:]
    assert [f"value is {name}" in report for name, report in zip(("aa", "bb", "cc"), reports, strict=True)] == [
        True
    ] * 3


def test_teams_of_teams():
    inner = member([answer("deep")], name="inner")
    outer = member([call("inner", task="dig"), answer("found deep")], name="outer", managed_agents=[inner])
    manager = code_agent([code("final_answer(outer(task='go down'))")], managed_agents=[outer])
    assert "found deep" in manager.run("go")
    assert isinstance(inner.memory.steps[0], TaskStep)


def test_tokens_of_a_member_are_its_own():
    from smolagents import TokenUsage

    helper = member([answer(1)], usage=TokenUsage(100, 100))
    manager = agent_for([call("helper", task="x"), answer(1)], managed_agents=[helper], usage=TokenUsage(1, 1))
    assert manager.run("go", return_full_result=True).token_usage == TokenUsage(2, 2)
    assert helper.monitor.get_total_token_counts() == TokenUsage(100, 100)


def test_custom_templates_of_a_member():
    helper = member([answer(4)])
    helper.prompt_templates["managed_agent"]["task"] = "<{{name}}> {{task}}"
    helper.prompt_templates["managed_agent"]["report"] = "[{{final_answer}}]"
    assert helper("Count.") == "[4]"
    assert helper.memory.steps[0].task == "<helper> Count."


def test_a_member_may_be_awaited():
    helper = member([answer(4)])
    assert asyncio.run(helper.acall("Count.")) == "This is the final answer of 'helper':\n4"


def test_a_member_that_is_no_agent_of_ours_needs_only_to_be_callable():
    """Such as a remote agent: it has a name, a description, inputs, and can be called."""

    class Remote:
        name = "remote"
        description = "Far away."
        inputs = {"task": {"type": "string", "description": "What to do."}}
        output_type = "string"

        def __call__(self, task: str) -> str:
            return f"did {task}"

        def to_code_prompt(self) -> str:
            return "def remote(task: str) -> str: ..."

        def to_tool_calling_prompt(self) -> str:
            return "remote: Far away."

    manager = agent_for([call("remote", task="x"), answer(1)], tools=[add], managed_agents=[Remote()])
    assert manager.run("go") == 1
    assert manager.logs[0].observations == "did x"
    assert asyncio.run(agent_for([call("remote", task="x"), answer(1)], managed_agents=[Remote()]).arun("go")) == 1
