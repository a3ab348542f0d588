"""Agents saved and loaded again: as dictionaries, as folders, in another process."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from team import Greeter, Weather, code, count_letters, distance, scripted, team

from smolagents import (
    ActionStep,
    AgentLogger,
    ChatMessage,
    CodeAgent,
    FinalAnswerTool,
    MessageRole,
    MultiStepAgent,
    Tool,
    ToolCallingAgent,
    tool,
)
from smolagents.agents.base_tools import BUILT_IN_TOOLS
from smolagents.executors.local import LocalPythonExecutor


def test_a_team_three_deep_is_the_same_after_a_round_through_a_dictionary() -> None:
    agent = team()
    data = json.loads(json.dumps(agent.to_dict()))
    again = CodeAgent.from_dict(data)
    assert again.to_dict() == data
    deep = again.managed_agents["middle"].managed_agents["deep"]
    assert isinstance(deep, ToolCallingAgent)
    assert (deep.max_tool_threads, deep.planning_interval, deep.provide_run_summary) == (3, 2, True)
    assert deep.tools["greeter"]("Ann") == "Good day Ann!!"
    middle = again.managed_agents["middle"]
    assert middle.tools["distance"]("mars") == 1.5
    assert middle.executor_kwargs == {"timeout_seconds": 7}
    assert middle.instructions == "Round nothing."
    assert again.code_block_tags == ("<code>", "</code>")
    assert again.run("How many r are in raspberry?") == 3


def test_a_folder_holds_what_people_look_for(tmp_path: Path) -> None:
    team().save(tmp_path / "agent")
    found = {path.relative_to(tmp_path / "agent").as_posix() for path in (tmp_path / "agent").rglob("*.*")}
    deep = "managed_agents/middle/managed_agents/deep"
    assert {
        "agent.json",
        "prompts.yaml",
        "app.py",
        "requirements.txt",
        "tools/count_letters.py",
        "tools/final_answer.py",
        "managed_agents/middle/agent.json",
        "managed_agents/middle/tools/distance.py",
        f"{deep}/agent.json",
        f"{deep}/prompts.yaml",
        f"{deep}/tools/greeter.py",
    } <= found
    data = json.loads((tmp_path / "agent" / "agent.json").read_text())
    assert data["class"] == "CodeAgent"
    assert data["tools"] == ["count_letters", "final_answer"]
    assert data["managed_agents"] == {"middle": "CodeAgent"}
    requirements = (tmp_path / "agent" / "requirements.txt").read_text().split()
    assert requirements == ["smolagents[gradio]", "numpy"]


def test_a_folder_loads_in_a_fresh_process(tmp_path: Path, fresh_python: Callable[..., str]) -> None:
    agent = team()
    agent.save(tmp_path / "agent")
    program = """
import json, sys
from smolagents import MultiStepAgent
agent = MultiStepAgent.from_folder(sys.argv[1])
print(json.dumps({"saved": agent.to_dict(), "answer": agent.run("How many?")}))
"""
    found = json.loads(fresh_python(program, tmp_path / "agent").splitlines()[-1])
    assert found == {"saved": agent.to_dict(), "answer": 3}


def test_the_saved_page_makes_an_agent_that_answers(tmp_path: Path, fresh_python: Callable[..., str]) -> None:
    team().save(tmp_path / "agent")
    program = """
import runpy, sys, smolagents
if not hasattr(smolagents, "GradioUI"):
    smolagents.GradioUI = None  # the page itself needs gradio; the agent it shows does not
print(runpy.run_path(sys.argv[1])["agent"].run("How many?"))
"""
    assert fresh_python(program, tmp_path / "agent" / "app.py").splitlines()[-1] == "3"


def test_a_folder_that_was_moved_still_loads(tmp_path: Path) -> None:
    agent = team()
    agent.save(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert MultiStepAgent.from_folder(str(tmp_path / "there")).to_dict() == agent.to_dict()


def test_saving_twice_into_one_folder_leaves_the_second(tmp_path: Path) -> None:
    team().save(tmp_path)
    other = ToolCallingAgent(tools=[Greeter()], model=scripted())
    other.save(tmp_path)
    assert MultiStepAgent.from_folder(tmp_path).to_dict() == other.to_dict()


def test_edited_prompts_take_effect_under_either_name(tmp_path: Path) -> None:
    agent = ToolCallingAgent(tools=[], model=scripted())
    agent.save(tmp_path)
    prompts = yaml.safe_load((tmp_path / "prompts.yaml").read_text())
    assert prompts == agent.prompt_templates
    prompts["system_prompt"] = "You are {{ custom_instructions }}."
    (tmp_path / "prompts.yaml").unlink()
    (tmp_path / "prompt.yaml").write_text(yaml.safe_dump(prompts))
    assert ToolCallingAgent.from_folder(tmp_path, instructions="brief").system_prompt == "You are brief."


def test_arguments_stand_over_what_was_saved() -> None:
    agent = team()
    other = scripted(code("final_answer('other')"))
    again = CodeAgent.from_dict(agent.to_dict(), model=other, max_steps=2, tools=[distance], managed_agents=[])
    assert again.model is other
    assert again.max_steps == 2
    assert list(again.tools) == ["distance", "final_answer"]
    assert not again.managed_agents
    assert again.run("?") == "other"


def test_the_class_is_the_one_that_was_saved_or_a_narrower_one() -> None:
    class Mine(ToolCallingAgent):
        pass

    data = ToolCallingAgent(tools=[], model=scripted()).to_dict()
    assert type(MultiStepAgent.from_dict(data)) is ToolCallingAgent
    assert type(CodeAgent.from_dict(data)) is ToolCallingAgent
    assert type(Mine.from_dict(data)) is Mine
    assert type(MultiStepAgent.from_dict(Mine([], scripted()).to_dict())) is Mine


def test_arguments_of_a_class_of_ones_own_are_saved() -> None:
    class Flavoured(CodeAgent):
        def __init__(self, tools: Any, model: Any, flavour: str = "plain", **kwargs: Any) -> None:
            self.flavour = flavour
            super().__init__(tools, model, **kwargs)

    again = MultiStepAgent.from_dict(Flavoured([], scripted(), flavour="lemon", max_steps=2).to_dict())
    assert isinstance(again, Flavoured)
    assert (again.flavour, again.max_steps) == ("lemon", 2)


def test_a_minimal_dictionary_written_by_hand_is_enough() -> None:
    agent = CodeAgent.from_dict({"max_steps": 3}, model=scripted())
    assert agent.max_steps == 3
    assert list(agent.tools) == ["final_answer"]


# Tools


def test_built_in_tools_are_saved_by_name_and_stay_what_they_are(tmp_path: Path) -> None:
    agent = ToolCallingAgent(tools=[cls() for cls in BUILT_IN_TOOLS.values()], model=scripted())
    agent.save(tmp_path)
    again = ToolCallingAgent.from_folder(tmp_path)
    assert again.to_dict() == agent.to_dict()
    for name, cls in BUILT_IN_TOOLS.items():
        assert isinstance(again.tools[name], cls)
    assert len((tmp_path / "tools" / "web_search.py").read_text()) < 300


def test_base_tools_come_back_as_tools() -> None:
    agent = CodeAgent(tools=[], model=scripted(), add_base_tools=True)
    assert list(CodeAgent.from_dict(agent.to_dict()).tools) == list(agent.tools)


def test_a_final_answer_tool_of_ones_own_is_kept() -> None:
    class Shout(FinalAnswerTool):
        def forward(self, answer: Any) -> Any:
            return str(answer).upper()

    again = CodeAgent.from_dict(CodeAgent(tools=[Shout()], model=scripted()).to_dict())
    assert again.tools["final_answer"]("a") == "A"


def test_what_was_set_on_a_tool_is_kept(tmp_path: Path) -> None:
    greeter = Greeter(greeting="Hi")
    greeter.name, greeter.description = "greet_ann", "Greets Ann."

    @tool
    def double(number: int) -> int:
        """Doubles.

        Args:
            number: Any.
        """
        return 2 * number

    double.description = "Twice the number."
    agent = ToolCallingAgent(tools=[greeter, double], model=scripted())
    agent.save(tmp_path)
    again = ToolCallingAgent.from_folder(tmp_path)
    assert (tmp_path / "tools" / "greet_ann.py").exists()
    assert again.tools["greet_ann"].description == "Greets Ann."
    assert again.tools["greet_ann"]("Ann") == "Hi Ann"
    assert again.tools["double"].description == "Twice the number."
    assert again.to_dict() == agent.to_dict()


def test_limits_of_calls_are_written_in_their_order() -> None:
    @tool(timeout=9.5, retries=2, cache=True)
    def slow(number: int) -> int:
        """Waits.

        Args:
            number: Any.
        """
        return number

    # Whatever the order of sets in this process: saving twice gives the same bytes.
    assert "@tool(timeout=9.5, retries=2, cache=True)" in slow.to_dict()["code"]


# Models


def test_a_team_that_shares_a_model_shares_it_again() -> None:
    model = scripted()
    member = CodeAgent(tools=[], model=model, name="member", description="d")
    other = CodeAgent(tools=[], model=scripted(), name="other", description="d")
    manager = CodeAgent(tools=[], model=model, managed_agents=[member, other])
    again = CodeAgent.from_dict(manager.to_dict())
    assert again.managed_agents["member"].model is again.model
    assert again.managed_agents["other"].model is not again.model
    given = scripted()
    again = CodeAgent.from_dict(manager.to_dict(), model=given)
    assert again.managed_agents["member"].model is given
    assert again.managed_agents["other"].model is not given


def answer_one(messages: list[ChatMessage], **kwargs: Any) -> ChatMessage:
    return ChatMessage(role=MessageRole.ASSISTANT, content=code("final_answer(1)"))


def test_a_model_that_is_a_function_is_asked_for_again() -> None:
    deep = CodeAgent(tools=[], model=answer_one, name="deep", description="d")
    middle = CodeAgent(tools=[], model=scripted(), name="middle", description="d", managed_agents=[deep])
    agent = CodeAgent(tools=[], model=answer_one, managed_agents=[middle])
    with pytest.warns(UserWarning, match="model, answer_one, which is not a Model: pass model="):
        data = agent.to_dict()
    with pytest.raises(ValueError, match=r"saved without its model, answer_one.*pass model="):
        CodeAgent.from_dict(data)
    again = CodeAgent.from_dict(data, model=answer_one)
    assert again.run("?") == 1
    assert again.managed_agents["middle"].managed_agents["deep"].model is answer_one


def test_an_agent_with_the_default_model_is_saved_without_making_one() -> None:
    data = CodeAgent(tools=[]).to_dict()
    assert data["model"] is None
    assert data["prompt_templates"] is None
    assert CodeAgent.from_dict(data).to_dict() == data


def test_a_folder_of_the_default_model_gets_no_prompts_of_an_earlier_agent(tmp_path: Path) -> None:
    team().save(tmp_path)
    agent = CodeAgent(tools=[])
    agent.save(tmp_path)
    assert CodeAgent.from_folder(tmp_path).to_dict() == agent.to_dict()


# What cannot be saved


def remember(step: ActionStep) -> None:
    pass


def is_short(answer: Any, memory: Any) -> bool:
    return len(str(answer)) < 9


def test_callbacks_checks_and_the_like_are_named_in_one_warning() -> None:
    class MyLogger(AgentLogger):
        pass

    member = ToolCallingAgent(
        tools=[], model=scripted(), name="member", description="d", step_callbacks=[remember], logger=MyLogger()
    )
    agent = CodeAgent(
        tools=[],
        model=scripted(),
        managed_agents=[member],
        final_answer_checks=[is_short],
        executor=LocalPythonExecutor([]),
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = agent.to_dict()
    assert len(caught) == 1
    said = str(caught[0].message)
    for name in ("'member'", "remember", "MyLogger", "is_short", "executor LocalPythonExecutor"):
        assert name in said
    assert caught[0].filename == __file__
    assert CodeAgent.from_dict(data, final_answer_checks=[is_short]).final_answer_checks == [is_short]


def test_an_executor_argument_that_is_code_is_named() -> None:
    agent = CodeAgent(tools=[], model=scripted(), executor_kwargs={"additional_functions": {"f": is_short}})
    with pytest.warns(UserWarning, match=r"executor_kwargs\['additional_functions'\]\['f'\]"):
        agent.to_dict()


def test_a_tool_that_cannot_be_saved_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    lock = __import__("threading").Lock()

    @tool
    def locked(word: str) -> str:
        """Waits.

        Args:
            word: Any.
        """
        with lock:
            return word

    with pytest.raises(ValueError, match="'locked' uses 'lock'"):
        CodeAgent(tools=[count_letters, locked], model=scripted()).save(tmp_path / "agent")
    assert not (tmp_path / "agent").exists()


def test_a_callable_that_is_no_tool_is_refused() -> None:
    agent = CodeAgent(tools=[], model=scripted())
    agent.tools["odd"] = type("Odd", (), {"name": "odd", "__call__": lambda self: 1})()
    with pytest.raises(TypeError, match="'odd' is a Odd, which cannot be saved: derive"):
        agent.to_dict()


def test_a_member_that_is_no_agent_is_refused() -> None:
    member = type("Member", (), {"name": "odd", "description": "d", "__call__": lambda self, task: task})()
    with pytest.raises(TypeError, match="managed agent 'odd' is a Member"):
        CodeAgent(tools=[], model=scripted(), managed_agents=[member]).to_dict()


def test_agents_that_manage_each_other_are_refused() -> None:
    one = CodeAgent(tools=[], model=scripted(), name="one", description="d")
    two = CodeAgent(tools=[], model=scripted(), name="two", description="d", managed_agents=[one])
    one.managed_agents["two"] = two
    with pytest.raises(ValueError, match="manages itself"):
        one.to_dict()
    del one.managed_agents["two"]
    one.to_dict()


# Secrets

SECRETS = ("sk-verysecret0123456789", "hunter2-hunter2", "hf_abcdefghijklmnopqrstuv", "plain-but-secret", "deep-key-1")


def test_secrets_are_never_written(tmp_path: Path) -> None:
    from smolagents.models import OpenAIModel

    model = OpenAIModel(
        model_id="m",
        api_base="http://user:hunter2-hunter2@127.0.0.1:9/v1",
        api_key=SECRETS[0],
        client_kwargs={"default_headers": {"Authorization": "Bearer plain-but-secret"}},
        extra=SECRETS[2],
    )
    member = ToolCallingAgent(tools=[Weather("plain-but-secret", unit="F")], model=model, name="m", description="d")
    agent = CodeAgent(
        tools=[],
        model=model,
        managed_agents=[member],
        executor_kwargs={
            "api_key": "deep-key-1",
            "env": {"MY_TOKEN": "plain-but-secret", "SETTING": "perhaps-a-secret"},
            "note": SECRETS[2],
            "n": 1,
        },
    )
    with pytest.warns(UserWarning, match="without") as said:
        agent.save(tmp_path)
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    for secret in SECRETS:
        assert secret not in written
        assert secret not in str(said[0].message)
    for name in (r"executor_kwargs['api_key']", r"executor_kwargs['env']['MY_TOKEN']", "tools['weather']['api_key']"):
        assert name in str(said[0].message)
    assert json.loads((tmp_path / "agent.json").read_text())["executor_kwargs"] == {"env": {}, "n": 1}
    again = CodeAgent.from_folder(tmp_path, model=scripted(), tool_arguments={"weather": {"api_key": "new"}})
    assert again.managed_agents["m"].tools["weather"]("Bern") == "Bern: 20 F, by new"


@pytest.mark.parametrize("where", ["instructions", "prompt", "tool"])
def test_a_key_inside_a_text_stops_the_saving(where: str, tmp_path: Path) -> None:
    key = "sk-" + "verysecret0123456789"
    agent = CodeAgent(tools=[], model=scripted(), instructions=f"Use {key}." if where == "instructions" else None)
    if where == "prompt":
        agent.prompt_templates["planning"]["plan"] = f"Use {key}."
    if where == "tool":
        agent.tools["leak"] = Tool.from_code(
            "from smolagents import tool\n"
            f"KEY = {key!r}\n\n@tool\ndef leak() -> str:\n    '''Leaks.'''\n    return KEY\n"
        )
    with pytest.raises(ValueError, match=r"looks like a secret, 'sk-ver…'.*environment"):
        agent.save(tmp_path / "agent")
    assert not (tmp_path / "agent").exists()


def test_arguments_of_tools_that_only_resemble_secrets_are_saved() -> None:
    class Counting(Tool):
        name = "counting"
        description = "Counts."
        inputs = {}
        output_type = "string"

        def __init__(self, max_tokens: int, **kwargs: Any) -> None:
            self.made_with = (max_tokens, kwargs)
            super().__init__()

        def forward(self) -> str:
            return repr(self.made_with)

    agent = CodeAgent(tools=[Counting(5, keyboard=["de"], sizes=(1, 2))], model=scripted())
    again = CodeAgent.from_dict(agent.to_dict())
    assert again.tools["counting"]() == "(5, {'keyboard': ['de'], 'sizes': [1, 2]})"


def test_names_that_only_resemble_secrets_are_saved() -> None:
    agent = CodeAgent(tools=[], model=scripted(), executor_kwargs={"max_tokens": 5, "keyboard": "de"})
    assert agent.to_dict()["executor_kwargs"] == {"max_tokens": 5, "keyboard": "de"}


@pytest.mark.parametrize(
    "text", ["\ud800 beside \U00010000", "\x85", "\ufeff", "a\r\nb\r", "  a\n b\n\n", "\x07", "yes", "# no comment"]
)
def test_prompts_of_odd_characters_come_back_as_they_were(text: str, tmp_path: Path) -> None:
    agent = CodeAgent(tools=[], model=scripted(), instructions=text)
    agent.prompt_templates["planning"]["plan"] = text
    agent.prompt_templates["system_prompt"] = f"\U0001f680 {text}\n{text}"
    agent.save(tmp_path)
    assert CodeAgent.from_folder(tmp_path).prompt_templates == agent.prompt_templates
    assert CodeAgent.from_folder(tmp_path).instructions == text


def test_prompts_are_written_for_people(tmp_path: Path) -> None:
    CodeAgent(tools=[], model=scripted()).save(tmp_path)
    text = (tmp_path / "prompts.yaml").read_text()
    assert "system_prompt: |" in text
    assert "\\n" not in text
