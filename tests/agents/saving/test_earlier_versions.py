"""Agents that earlier versions saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from team import code, scripted

from smolagents import CodeAgent, MultiStepAgent, ToolCallingAgent
from smolagents.agents.saving import SCHEMA_VERSION
from smolagents.models import OpenAIModel
from smolagents.testing import ScriptedModel, tool_call, tool_calls

DATA = Path(__file__).parent / "data"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "unused")


def load(name: str) -> MultiStepAgent:
    path = DATA / name
    if path.is_dir():
        return MultiStepAgent.from_folder(path)
    return MultiStepAgent.from_dict(json.loads(path.read_text()))


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("team_*")))
def test_teams_load_with_all_that_was_saved(name: str) -> None:
    agent = load(name)
    assert isinstance(agent, CodeAgent)
    assert list(agent.tools) == ["final_answer", "greeter", "count_letters"]
    assert (agent.max_steps, agent.planning_interval, int(agent.logger.level)) == (7, 3, 0)
    assert agent.max_print_outputs_length == 1234
    assert "csv" in agent.authorized_imports
    assert agent.prompt_templates["planning"]["plan"] == "Plan {{ task }}."
    assert agent.system_prompt == "You are top.\nTools: final_answer greeter count_letters "
    assert isinstance(agent.model, OpenAIModel)
    assert agent.model.model_id == "gpt-test"
    assert agent.model.kwargs == {"temperature": 0.5, "max_tokens": 77}
    middle = agent.managed_agents["mid"]
    assert isinstance(middle, CodeAgent)
    assert (middle.name, middle.description, middle.max_steps) == ("mid", "counts letters", 5)
    assert "queue" in middle.authorized_imports
    assert middle.tools["count_letters"]("raspberry") == 3
    deep = middle.managed_agents["deep"]
    assert isinstance(deep, ToolCallingAgent)
    assert (deep.max_steps, deep.planning_interval) == (4, 2)
    assert deep.tools["greeter"]("Ann") == "Hello Ann"


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("team_*")))
def test_teams_work_and_can_be_saved_in_the_present_form(name: str, tmp_path: Path) -> None:
    agent = load(name)
    assert agent.managed_agents["mid"].model is agent.model
    agent.model = scripted(code("final_answer(count_letters('raspberry', 'b'))"))
    agent.planning_interval = None
    assert agent.run("How many b?") == 1
    agent.save(tmp_path)
    assert json.loads((tmp_path / "agent.json").read_text())["schema_version"] == SCHEMA_VERSION
    assert MultiStepAgent.from_folder(tmp_path).to_dict() == agent.to_dict()


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("caller_*")))
def test_agents_that_call_tools_work(name: str) -> None:
    model = ScriptedModel(
        [
            tool_calls(tool_call("count_letters", {"word": "berry"}, "1")),
            tool_calls(tool_call("final_answer", {"answer": "two"}, "2")),
        ]
    )
    agent = ToolCallingAgent.from_folder(DATA / name, model=model, verbosity_level=0)
    assert agent.max_steps == 3
    assert agent.run("How many r?") == "two"
    assert "2" in model.requests[1].text


def test_a_model_class_that_was_renamed_is_found() -> None:
    data = {"class": "CodeAgent", "model": {"class": "HfApiModel", "data": {"model_id": "m"}}}
    agent = MultiStepAgent.from_dict(data)
    assert type(agent.model).__name__ == "InferenceClientModel"
    assert agent.model.model_id == "m"


def test_a_copied_library_tool_whose_package_is_gone_gives_way_to_the_present_one() -> None:
    copied = (
        "from smolagents.tools import Tool\n"
        "import a_package_that_is_gone\n\n"
        "class WebSearchTool(Tool):\n    name = 'web_search'\n"
    )
    data = {"class": "CodeAgent", "tools": [{"name": "web_search", "code": copied}]}
    with pytest.warns(UserWarning, match="WebSearchTool of this version takes its place"):
        agent = MultiStepAgent.from_dict(data, model=scripted())
    assert agent.tools["web_search"].name == "web_search"


def test_keys_of_earlier_versions_that_mean_nothing_now_are_passed_over() -> None:
    agent = MultiStepAgent.from_dict({"class": "CodeAgent", "grammar": None, "of_mine": 1}, model=scripted())
    assert isinstance(agent, CodeAgent)


def test_a_newer_form_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"newer smolagents.*99.*pip install -U"):
        MultiStepAgent.from_dict({"schema_version": 99, "class": "CodeAgent"}, model=scripted())
    with pytest.raises(ValueError, match="schema_version must be a whole number"):
        MultiStepAgent.from_dict({"schema_version": "2", "class": "CodeAgent"}, model=scripted())
