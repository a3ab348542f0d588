"""Making an agent: what it takes, what it refuses, and what it says then."""

from __future__ import annotations

from typing import Any

import pytest
from agent_helpers import add, agent_for, answer, code, echo

from smolagents import CodeAgent, FinalAnswerTool, Tool, ToolCallingAgent, ToolCollection, tool
from smolagents.testing import ScriptedModel


class Named(Tool):
    description = "Does something."
    inputs: dict[str, Any] = {}
    output_type = "string"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__()

    def forward(self) -> str:
        return self.name


def helper(name: str = "helper", description: str | None = "Helps.", **kwargs: Any) -> ToolCallingAgent:
    return agent_for([], tools=[], name=name, description=description, **kwargs)


def test_an_agent_always_has_final_answer():
    assert list(agent_for([], tools=[]).tools) == ["final_answer"]
    assert list(agent_for([], tools=[echo]).tools) == ["echo", "final_answer"]


def test_two_tools_of_one_name_collide():
    with pytest.raises(ValueError, match=r"tools share the name 'x'.*could not tell them apart"):
        agent_for([], tools=[Named("x"), Named("x")])


def test_a_tool_and_a_managed_agent_of_one_name_collide():
    with pytest.raises(ValueError, match="a tool and a managed agent share the name 'helper'"):
        agent_for([], tools=[Named("helper")], managed_agents=[helper()])


def test_two_managed_agents_of_one_name_collide():
    with pytest.raises(ValueError, match="two managed agents share the name 'helper'"):
        agent_for([], managed_agents=[helper(), helper()])


def test_a_managed_agent_cannot_be_called_final_answer():
    with pytest.raises(ValueError, match="final_answer"):
        agent_for([], managed_agents=[helper("final_answer")])


def test_an_agent_may_have_the_name_of_its_own_tool():
    """The guide's agent `web_search` holds the tool `web_search`: nobody is shown both."""
    web = ToolCallingAgent(
        [Named("web_search")], ScriptedModel([]), name="web_search", description="Searches.", verbosity_level=-1
    )
    manager = CodeAgent([], ScriptedModel([code("final_answer(1)")]), managed_agents=[web], verbosity_level=-1)
    assert manager.run("go") == 1


@pytest.mark.parametrize("name", ["", "two words", "1st", "a-b", "class", "é!", 3])
def test_a_name_is_a_python_identifier(name: Any):
    with pytest.raises(ValueError, match="not a Python identifier"):
        agent_for([], name=name)


@pytest.mark.parametrize(("name", "description", "missing"), [(None, "d", "name"), ("n", None, "description")])
def test_a_managed_agent_needs_name_and_description(name: Any, description: Any, missing: str):
    member = agent_for([], tools=[], name=name, description=description)
    with pytest.raises(ValueError, match=f"has no {missing}"):
        agent_for([], managed_agents=[member])


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        (echo, "tools must be a list"),
        ("echo", "tools must be a list of tools, not str"),
        (None, "tools must be a list"),
        ([print], "@tool"),
        (["echo"], "is not a tool"),
        ([FinalAnswerTool], r"FinalAnswerTool is a class and not a tool: pass an instance, FinalAnswerTool\(…\)"),
        (ToolCollection([]), r"not ToolCollection: write tools=\[\*collection\.tools\]"),
    ],
)
def test_what_is_no_tool_is_refused(tools: Any, message: str):
    with pytest.raises(TypeError, match=message):
        ToolCallingAgent(tools, model=ScriptedModel([]), verbosity_level=-1)


def test_an_agent_among_the_tools_is_sent_to_managed_agents():
    with pytest.raises(TypeError, match="managed_agents"):
        agent_for([], tools=[helper()])


@pytest.mark.parametrize("make", [ToolCallingAgent, CodeAgent])
def test_grammar_is_deprecated(make: Any):
    with pytest.warns(FutureWarning, match=r"grammar.*use_structured_outputs_internally"):
        agent = make([], model=ScriptedModel([]), grammar={"type": "regex"}, verbosity_level=-1)
    assert list(agent.tools) == ["final_answer"]


def test_arguments_may_be_given_by_position():
    templates = agent_for([]).prompt_templates
    agent = ToolCallingAgent([echo], ScriptedModel(["a plan", answer(1)]), templates, 1, verbosity_level=-1)
    assert agent.planning_interval == 1
    assert agent.run("go") == 1


@pytest.mark.parametrize("make", [ToolCallingAgent, CodeAgent])
def test_instructions_are_put_into_the_system_prompt(make: Any):
    agent = make([], model=ScriptedModel([]), instructions="Answer in {{French}}.", verbosity_level=-1)
    assert agent.system_prompt.rstrip().endswith("Answer in {{French}}.")
    agent.instructions = "Answer in Latin."
    assert agent.system_prompt.rstrip().endswith("Answer in Latin.")


def test_attributes_that_programs_read():
    member = helper()
    agent = agent_for(
        [],
        name="boss",
        description="Leads.",
        managed_agents=[member],
        max_steps=3,
        planning_interval=2,
        provide_run_summary=True,
    )
    assert agent.agent_name == "ToolCallingAgent"
    assert (agent.name, agent.description, agent.max_steps, agent.planning_interval) == ("boss", "Leads.", 3, 2)
    assert agent.managed_agents == {"helper": member}
    assert agent.provide_run_summary is True
    assert agent.return_full_result is False
    assert agent.final_answer_checks == []
    assert [t.name for t in agent.tools_and_managed_agents] == ["echo", "add", "fail", "final_answer", "helper"]
    assert agent.model.model_id == "scripted"


def test_tools_can_be_added_later():
    @tool
    def late() -> str:
        """Comes late."""
        return "late"

    agent = agent_for([answer(1)], tools=[])
    agent.tools["late"] = late
    agent.run("go")
    assert "Comes late." in agent.model.requests[0].messages[0].text
    assert [t.name for t in agent.model.requests[0].tools_to_call_from] == ["final_answer", "late"]


def test_the_model_can_be_replaced():
    agent = agent_for([], tools=[])
    agent.model = ScriptedModel([answer("new")])
    assert agent.run("go") == "new"


@pytest.mark.parametrize("model", [3, "gpt-4", ScriptedModel])
def test_what_is_no_model_is_refused(model: object):
    with pytest.raises(TypeError, match="a model is an object with a generate"):
        ToolCallingAgent([], model=model, verbosity_level=-1)
    agent = agent_for([])
    with pytest.raises(TypeError, match="a model is an object with a generate"):
        agent.model = model


def test_making_an_agent_renders_nothing(monkeypatch: pytest.MonkeyPatch):
    """A new agent is cheap: prompts are rendered when a run begins."""
    from smolagents.agents import toolcalling

    def refuse(*args: Any) -> str:
        raise AssertionError("rendered")

    monkeypatch.setattr(toolcalling, "populate_template", refuse)
    agent_for([], tools=[echo, add], name="a", description="b")
