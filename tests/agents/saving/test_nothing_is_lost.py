"""Any agent is the same after it was saved and loaded in another process, whatever it was made with."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from drawn_tools import FOLDER as drawn_modules
from drawn_tools import drawn_tools
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from portrait import parameters, portrait
from team import Greeter, count_letters, distance, scripted

from smolagents import CodeAgent, MultiStepAgent, Tool, ToolCallingAgent
from smolagents.agents.base_tools import BUILT_IN_TOOLS
from smolagents.agents.executor_types import CHECKED_AT_ONCE, ExecutorType
from smolagents.agents.saving.schema import build_schema
from smolagents.agents.skills import Skill
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
    | st.text("abcxyz", max_size=8)
    | st.sampled_from(["${HOME}", "$${HOME}", "${", "$"]),
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
    return st.lists(one | drawn_tools(), max_size=3, unique_by=lambda tool: tool.name)


SKILLS = st.lists(
    st.builds(
        lambda name, text, content: Skill(
            {"SKILL.md": f"---\nname: {name}\ndescription: d\n---\n{text}".encode(), "a/b.bin": content}
        ),
        st.from_regex("[a-z]{1,5}", fullmatch=True),
        st.text("ab\n", max_size=9),
        st.binary(max_size=9),
    ),
    max_size=2,
    unique_by=lambda skill: skill.name,
)


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
    "skills": st.none() | SKILLS,
}
CALLER = {"max_tool_threads": st.none() | SMALL}
CODER: dict[str, st.SearchStrategy[Any]] = {
    "additional_authorized_imports": st.none()
    | st.lists(st.sampled_from(["numpy", "pandas.*", "csv", "os.path", "unheard_of"]), max_size=3),
    "max_print_outputs_length": st.none() | SMALL,
    "use_structured_outputs_internally": st.booleans(),
    "code_block_tags": st.none()
    | st.just("markdown")
    | st.tuples(st.sampled_from(["<code>", "[[", "é\n"]), st.sampled_from(["</code>", "]]", "\t"])),
}

# Executors that check their arguments when the agent is made get some that are right.
EXECUTORS = st.sampled_from(sorted(set(get_args(ExecutorType)) - CHECKED_AT_ONCE)).flatmap(
    lambda name: st.fixed_dictionaries(
        {"executor_type": st.just(name)},
        optional={
            "executor_kwargs": st.none() | st.dictionaries(st.text("abcxyz", max_size=5), PLAIN, max_size=3),
        },
    )
) | st.sampled_from(
    [
        {"executor_type": "monty"},
        {"executor_type": "monty", "executor_kwargs": {"timeout_seconds": 4}},
        {"executor_type": "sandbox"},
        {"executor_type": "sandbox", "executor_kwargs": {"timeout_seconds": 2.5}},
    ]
)
OTHERWISE = {"tools", "model", "managed_agents", "name", "description", "executor_type", "executor_kwargs"}
"""Arguments that `agents` draws in a way of its own."""
NOT_SAVED = {"step_callbacks", "final_answer_checks", "logger", "executor", "grammar", "trace_dir"}
"""Code, which is named in a warning; what has no effect; and what belongs to where the agent runs."""


@pytest.mark.parametrize(("cls", "own"), [(CodeAgent, CODER), (ToolCallingAgent, CALLER)])
def test_every_argument_is_drawn(cls: type, own: dict[str, Any]) -> None:
    assert parameters(cls) <= {*COMMON, *own, *OTHERWISE, *NOT_SAVED}


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    drawn_modules.append(tmp_path_factory.mktemp("drawn"))


@st.composite
def agents(draw: Callable[..., Any], depth: int = 3) -> MultiStepAgent:
    coder = draw(st.booleans())
    arguments = draw(st.fixed_dictionaries({}, optional={**COMMON, **(CODER if coder else CALLER)}))
    arguments |= draw(EXECUTORS | st.just({})) if coder else {}
    if arguments.get("executor_type") == "monty":  # which refuses modules that it does not have
        arguments["additional_authorized_imports"] = ["csv"]
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
sys.path.append(sys.argv[2])
from portrait import portrait
agents = [MultiStepAgent.from_folder(folder) for folder in sorted(Path(sys.argv[1]).iterdir())]
print("FOUND" + json.dumps([[agent.to_dict(), portrait(agent)] for agent in agents]))
"""


# Without shrinking, which would start a process for each try: the test below finds the same in this one.
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(st.lists(agents(), min_size=15, max_size=15))
def test_an_agent_is_the_same_in_a_fresh_process(fresh_python: Callable[..., str], made: list[MultiStepAgent]) -> None:
    with tempfile.TemporaryDirectory() as name:
        saved = []
        for number, agent in enumerate(made):
            agent.save(Path(name) / f"{number:03}")
            saved.append([agent.to_dict(), portrait(agent)])
        found = json.loads(fresh_python(LOAD, name, Path(__file__).parent).rpartition("FOUND")[2])
    for there, here in zip(found, json.loads(json.dumps(saved)), strict=True):
        for again, before in zip(there, here, strict=True):
            for key in before.keys() | again.keys():
                assert again.get(key) == before.get(key), key


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(agents(depth=2))
def test_an_agent_is_the_same_after_a_round_through_a_folder(agent: MultiStepAgent) -> None:
    with tempfile.TemporaryDirectory() as name:
        agent.save(name)
        again = type(agent).from_folder(name)
    assert again.to_dict() == agent.to_dict()
    assert portrait(again) == portrait(agent)
    CHECKER.validate(json.loads(json.dumps(agent.to_dict())))


CHECKER = jsonschema.Draft202012Validator(build_schema())
