"""Any agent is the same after it was saved and loaded in another process, whatever it was made with."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from team import Greeter, count_letters, distance, scripted

from smolagents import CodeAgent, MultiStepAgent, Tool, ToolCallingAgent
from smolagents.agents.base_tools import BUILT_IN_TOOLS
from smolagents.agents.templates import default_templates

TEXT = st.text(st.characters(exclude_categories=[]), max_size=40)
AWKWARD = st.sampled_from(
    [
        "",
        " ",
        "\n",
        "  indented\n\n  block\n",
        "tab\there",
        "- a: b\n",
        "'\"\\",
        "\x85\u2028\ufeff",
        "é 日本 🚀",
        "yes",
        "null",
    ]
)
TEXTS = TEXT | AWKWARD
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text("abcxyz", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcxyz", max_size=5), inner, max_size=3),
    max_leaves=6,
)
SMALL = st.integers(1, 50)


def templates() -> st.SearchStrategy[Any]:
    shape = default_templates("code_agent")
    return st.fixed_dictionaries(
        {
            key: TEXTS if isinstance(value, str) else st.fixed_dictionaries(dict.fromkeys(value, TEXTS))  # type: ignore[attr-defined]
            for key, value in shape.items()
        }
    )


def tools() -> st.SearchStrategy[list[Tool]]:
    greeter = st.builds(Greeter, greeting=TEXTS, marks=st.integers(0, 9))
    one = st.sampled_from([count_letters, distance, *(cls() for cls in BUILT_IN_TOOLS.values())]) | greeter
    return st.lists(one, max_size=3, unique_by=lambda tool: tool.name)


COMMON: dict[str, st.SearchStrategy[Any]] = {
    "instructions": st.none() | TEXTS,
    "max_steps": st.integers(0, 50),
    "add_base_tools": st.booleans(),
    "verbosity_level": st.sampled_from([-1, 0, 1, 2]),
    "planning_interval": st.none() | SMALL,
    "provide_run_summary": st.booleans(),
    "return_full_result": st.booleans(),
    "prompt_templates": st.none() | templates(),
    "stream_outputs": st.booleans(),
}
CALLER = {"max_tool_threads": st.none() | SMALL}
CODER: dict[str, st.SearchStrategy[Any]] = {
    "additional_authorized_imports": st.none()
    | st.lists(st.sampled_from(["numpy", "pandas.*", "csv", "os.path", "unheard_of"]), max_size=3),
    "executor_kwargs": st.none() | st.dictionaries(st.text("abcxyz", max_size=5), PLAIN, max_size=3),
    "max_print_outputs_length": st.none() | SMALL,
    "use_structured_outputs_internally": st.booleans(),
    "code_block_tags": st.none()
    | st.just("markdown")
    | st.tuples(st.sampled_from(["<code>", "[[", "é\n"]), st.sampled_from(["</code>", "]]", "\t"])),
}


@st.composite
def agents(draw: Callable[..., Any], depth: int = 3) -> MultiStepAgent:
    coder = draw(st.booleans())
    arguments = draw(st.fixed_dictionaries({}, optional={**COMMON, **(CODER if coder else CALLER)}))
    team = draw(st.lists(agents(depth=depth - 1), max_size=2)) if depth > 1 else []  # type: ignore[call-arg]
    for number, member in enumerate(team):
        member.name, member.description = f"member_{depth}_{number}", draw(TEXTS) or "d"
    model = draw(st.none() | st.builds(scripted, TEXT))
    if team and draw(st.booleans()):
        model = team[0].model = scripted("shared")
    return (CodeAgent if coder else ToolCallingAgent)(
        tools=draw(tools()), model=model, managed_agents=team, **arguments
    )


LOAD = """
import json, sys
from pathlib import Path
from smolagents import MultiStepAgent
agents = [MultiStepAgent.from_folder(folder) for folder in sorted(Path(sys.argv[1]).iterdir())]
print("FOUND" + json.dumps([agent.to_dict() for agent in agents]))
"""


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(agents(), min_size=15, max_size=15))
def test_an_agent_is_the_same_in_a_fresh_process(fresh_python: Callable[..., str], made: list[MultiStepAgent]) -> None:
    with tempfile.TemporaryDirectory() as name:
        saved = []
        for number, agent in enumerate(made):
            agent.save(Path(name) / f"{number:03}")
            saved.append(agent.to_dict())
        found = json.loads(fresh_python(LOAD, name).rpartition("FOUND")[2])
    assert found == json.loads(json.dumps(saved))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(agents(depth=2))
def test_an_agent_is_the_same_after_a_round_through_a_folder(agent: MultiStepAgent) -> None:
    with tempfile.TemporaryDirectory() as name:
        agent.save(name)
        again = type(agent).from_folder(name)
    assert again.to_dict() == agent.to_dict()
    same(agent, again)


KEPT_ELSEWHERE: dict[str, Callable[[Any], Any]] = {
    "add_base_tools": lambda agent: list(agent.tools),
    "verbosity_level": lambda agent: agent.logger.level,
    "use_structured_outputs_internally": lambda agent: agent._use_structured_outputs_internally,
    "prompt_templates": lambda agent: agent.prompt_templates if agent._model is not None else None,
}


def same(agent: Any, again: Any) -> None:
    """What `to_dict` says of two agents could lack the same thing twice, so they are compared themselves."""
    assert type(again) is type(agent)
    for key in ("name", "description", *COMMON, *(CODER if isinstance(agent, CodeAgent) else CALLER)):
        read = KEPT_ELSEWHERE.get(key, lambda each, key=key: getattr(each, key))
        assert read(again) == read(agent), key
    assert (again._model is None) == (agent._model is None)
    if agent._model is not None:
        assert again.model.replies == agent.model.replies
    for name, tool in agent.tools.items():
        assert again.tools[name].inputs == tool.inputs
        assert again.tools[name].to_code_prompt() == tool.to_code_prompt()
    if "greeter" in agent.tools:
        assert again.tools["greeter"]("Ann") == agent.tools["greeter"]("Ann")
    assert list(again.managed_agents) == list(agent.managed_agents)
    for name, member in agent.managed_agents.items():
        same(member, again.managed_agents[name])
        if member._model is not None:
            assert (again.managed_agents[name]._model is again._model) == (member._model is agent._model)
