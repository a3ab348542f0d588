"""Agents that people write as files."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from team import Greeter, team

from smolagents import CodeAgent, MultiStepAgent, PythonInterpreterTool, ToolCallingAgent
from smolagents.agents.saving.reading import read_file
from smolagents.agents.saving.schema import build_schema, schema_text
from smolagents.tools.mcp import MCPConnectionError
from support.hub_server import Hub, serve
from support.mcp_hosts import program

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples" / "agents").rglob("*.yaml"))
REPLAY = {"class": "ScriptedModel", "module": "smolagents.testing", "replies": ["<code>\nfinal_answer(42)\n</code>"]}
SOURCE = '''
from smolagents import Tool, tool

SCALE = 10


def scaled(value):
    return value * SCALE


@tool
def tenfold(number: int) -> int:
    """Ten times a number.

    Args:
        number: Any.
    """
    return scaled(number)


class Adder(Tool):
    name = "adder"
    description = "Adds."

    def __init__(self, more: int, api_key: str = "") -> None:
        super().__init__()
        self.more, self.api_key = more, api_key

    def forward(self, number: int) -> int:
        """Add.

        Args:
            number: Any.
        """
        return number + self.more


def plain(text: str) -> str:
    """Returns a text.

    Args:
        text: Any.
    """
    return text


def undescribed(text):
    return text


nothing = 3
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(SOURCE)
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "agent_file_tools.py").write_text(SOURCE)
    (modules / "agent_file_broken.py").write_text("import not_there_at_all")
    monkeypatch.syspath_prepend(str(modules))
    for name in ("OPENAI_API_KEY", "THE_KEY", "THE_NAME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(folder: Path, text: Any, name: str = "agent.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else yaml.safe_dump({"model": REPLAY, **text}, sort_keys=False))
    return path


def load(folder: Path, text: Any = None, name: str = "agent.yaml", **kwargs: Any) -> Any:
    path = folder / name if text is None else write(folder, text, name)
    return MultiStepAgent.from_file(path, trust_remote_code=True, **kwargs)


def refused(folder: Path, text: Any, error: type[Exception] = ValueError, **kwargs: Any) -> str:
    with pytest.raises(error) as caught:
        load(folder, text, **kwargs)
    assert str(folder / "agent.yaml") in str(caught.value)
    return str(caught.value)


# What can be written


def test_three_lines_are_enough(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    path = write(here, "class: CodeAgent\nmodel: OpenAIModel:gpt-5-mini\ntools: [wikipedia_search]\n")
    agent = MultiStepAgent.from_file(path)  # nothing but the library's own code: nobody has to be asked
    assert type(agent).__name__ == "CodeAgent"
    assert agent.model.model_id == "gpt-5-mini"
    assert list(agent.tools) == ["wikipedia_search", "final_answer"]


def test_the_class_may_be_left_out_and_the_file_be_json(here: Path) -> None:
    path = write(here, json.dumps({"$schema": "agent.schema.json", "model": REPLAY, "max_steps": 3}), "mine.json")
    agent = MultiStepAgent.from_file(path, verbosity_level=-1)
    assert agent.max_steps == 3
    assert agent.run("?") == 42


def test_every_way_to_name_a_tool(here: Path) -> None:
    agent = load(
        here,
        {
            "tools": [
                "wikipedia_search",
                {"builtin": "VisitWebpageTool", "arguments": {"max_output_length": 99}},
                "agent_file_tools:tenfold",
                {"import": "agent_file_tools:Adder", "arguments": {"more": 2}},
                {"import": "agent_file_tools:Adder", "arguments": {"more": 5}, "name": "adder_5", "description": "5."},
                "agent_file_tools:plain",
                {"file": "mine.py:tenfold", "name": "of_file"},
                {"mcp": program(), "tools": ["add"]},
            ]
        },
    )
    names = ["wikipedia_search", "visit_webpage", "tenfold", "adder", "adder_5", "plain", "of_file", "add"]
    assert list(agent.tools) == [*names, "final_answer"]
    assert agent.tools["visit_webpage"].max_output_length == 99
    assert agent.tools["tenfold"](4) == agent.tools["of_file"](4) == 40
    assert (agent.tools["adder"](1), agent.tools["adder_5"](1)) == (3, 6)
    assert agent.tools["adder_5"].description == "5."
    assert agent.tools["plain"]("a") == "a"


def test_the_last_tool_of_a_file_is_taken_where_none_is_named(here: Path) -> None:
    (here / "tools").mkdir()
    (here / "tools" / "count.py").write_text(SOURCE.replace("class Adder", "class Last").replace('"adder"', '"last"'))
    agent = load(here, {"tools": [{"file": "tools/count.py", "arguments": {"more": 1}}]})
    assert agent.tools["last"](1) == 2


def test_a_name_means_the_file_in_the_folder_tools(here: Path) -> None:
    (here / "tools").mkdir()
    (here / "tools" / "web_search.py").write_text(SOURCE.partition("class Adder")[0])
    assert list(load(here, {"tools": ["web_search"]}).tools) == ["tenfold", "final_answer"]


def test_managed_agents_are_written_in_place_or_in_files(here: Path) -> None:
    write(here, {"name": "third", "description": "d", "model": None}, "members/third/agent.yaml")
    write(here, "name: second\ndescription: d\nmanaged_agents: [members/third]\n", "second.yaml")
    first = {"name": "first", "description": "d", "class": "ToolCallingAgent", "max_tool_threads": 2, "model": REPLAY}
    agent = load(here, {"managed_agents": [first, "second.yaml"]})
    first, second = agent.managed_agents["first"], agent.managed_agents["second"]
    assert isinstance(first, ToolCallingAgent)
    assert first.model is not agent.model
    assert second.model is agent.model
    assert second.managed_agents["third"]._model is None  # says "model: null", which is the default model


def test_keys_come_from_the_environment_and_are_never_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "hush-hush")
    monkeypatch.setenv("THE_NAME", "mini")
    text = {
        "model": {
            "class": "OpenAIModel",
            "model_id": "gpt-${THE_NAME}",
            "api_base": "http://127.0.0.1:9/${NOT_SET:-v1}",
            "api_key_env": "THE_KEY",
            "client_kwargs": {"default_headers": {"Authorization": "Bearer ${THE_KEY}"}},
            "user": "$${5}",
        },
        "tools": [
            {"import": "agent_file_tools:Adder", "arguments": {"more": 1, "api_key": "${THE_KEY}"}},
            {"file": "mine.py:Adder", "arguments": {"more": 1, "api_key_env": "THE_KEY"}, "name": "other"},
        ],
        "executor_type": "docker",
        "executor_kwargs": {"note": "${THE_KEY}", "api_key_env": "THE_KEY"},
    }
    agent = load(here, text)
    for each in (agent, None):
        each = each or MultiStepAgent.from_folder(here / "saved", trust_remote_code=True)
        assert (each.model.model_id, each.model.api_base) == ("gpt-mini", "http://127.0.0.1:9/v1")
        assert each.model._api_key == "hush-hush"
        assert each.model.client_kwargs["default_headers"] == {"Authorization": "Bearer hush-hush"}
        assert each.model.kwargs == {"user": "${5}"}
        assert each.tools["adder"].api_key == each.tools["other"].api_key == "hush-hush"
        assert each.executor_kwargs == {"note": "hush-hush", "api_key": "hush-hush"}
        each.save(here / "saved")
        written = "".join(path.read_text() for path in (here / "saved").rglob("*") if path.is_file())
        assert "hush" not in written
        saved = json.loads((here / "saved" / "agent.json").read_text())
        assert saved["executor_kwargs"] == text["executor_kwargs"]
    assert saved["model"]["data"]["api_key_env"] == "THE_KEY"
    monkeypatch.delenv("THE_KEY")
    with pytest.raises(ValueError, match="the environment variable THE_KEY is not set"):
        MultiStepAgent.from_folder(here / "saved", trust_remote_code=True)


def test_dollars_and_braces_of_an_agent_that_was_saved_stay_what_they_were(here: Path) -> None:
    model = {**REPLAY, "replies": ["${HOME} $${HOME} ${ }"]}
    agent = load(here, {"model": {**model, "replies": ["$${HOME} $$${HOME} $${ }"]}})
    assert agent.model.replies == ["${HOME} $${HOME} ${ }"]
    agent.tools["greeter"] = Greeter("${HOME}")
    agent.executor_kwargs = {"a": ["${HOME}"]}
    agent.save(here / "saved")
    again = MultiStepAgent.from_folder(here / "saved")
    assert again.model.replies == agent.model.replies
    assert again.tools["greeter"].greeting == "${HOME}"
    assert again.executor_kwargs == {"a": ["${HOME}"]}
    second = {**agent.to_dict(), "schema_version": 2}
    assert MultiStepAgent.from_dict({**second, "executor_kwargs": {"a": "${X}"}}).executor_kwargs == {"a": "${X}"}


def test_what_was_named_is_saved_by_name(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = {**program(), "env": {"A_TOKEN": "${THE_KEY}"}}
    monkeypatch.setenv("THE_KEY", "hush-hush")
    agent = load(here, {"tools": ["agent_file_tools:tenfold", {"mcp": server}]})
    del agent.tools["add"]
    agent.tools["tenfold"].description = "Mine."
    agent.save(here / "saved")
    tools = json.loads((here / "saved" / "agent.json").read_text())["tools"]
    assert tools[0] == {"import": "agent_file_tools:tenfold", "description": "Mine."}
    assert tools[1]["mcp"] == server
    with pytest.raises(
        ValueError, match=r"imports the module agent_file_tools; starts the program .*trust_remote_code"
    ):
        MultiStepAgent.from_folder(here / "saved")
    again = MultiStepAgent.from_folder(here / "saved", trust_remote_code=True)
    assert set(again.tools) == set(agent.tools)
    assert again.to_dict() == agent.to_dict()
    assert "trust_remote_code=True" in (here / "saved" / "app.py").read_text()
    assert "mcp" in (here / "saved" / "requirements.txt").read_text()


@pytest.mark.parametrize("several", [False, True])
def test_a_server_of_a_file_starts_in_its_folder(here: Path, several: bool) -> None:
    (here / "server.py").write_text(
        "import os\nfrom mcp.server.mcpserver import MCPServer\nserver = MCPServer('s')\n"
        "@server.tool()\ndef where() -> str:\n    return os.getcwd()\nserver.run('stdio')\n"
    )
    server = {"command": sys.executable, "args": ["server.py"]}
    agent = load(here, {"tools": [{"mcp": {"mcpServers": {"s": server}} if several else server}]})
    assert agent.tools["where"]() == {"result": str(here)}


def test_a_file_moves_with_its_folder(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    write(here, {"tools": ["mine.py:tenfold"], "managed_agents": [{"name": "m", "description": "d"}]})
    moved = tmp_path_factory.mktemp("moved") / "agent"
    here.rename(moved)
    try:
        assert load(moved).tools["tenfold"](1) == 10
    finally:
        moved.rename(here)


def test_a_folder_with_a_file_by_hand_loads_as_a_folder(here: Path) -> None:
    write(here, {"tools": ["mine.py:tenfold"], "class": "ToolCallingAgent"})
    assert isinstance(MultiStepAgent.from_folder(here), ToolCallingAgent)


# What is asked for


def test_what_would_run_is_named_and_nothing_runs(here: Path) -> None:
    (here / "mine.py").write_text("raise SystemExit('ran')")
    write(
        here, {"name": "m", "description": "d", "tools": ["owner/name", "https://u:p@mcp.example/mcp?k=1"]}, "m.yaml"
    )
    path = write(
        here,
        {
            "tools": ["mine.py:x", "agent_file_broken:x", {"mcp": {"command": "sh", "args": ["-c", "${THE_KEY}"]}}],
            "model": {
                "class": "OpenAIModel",
                "model_id": "m",
                "api_base": "https://far.example/v1",
                "api_key_env": "K",
            },
            "managed_agents": ["m.yaml"],
            "additional_authorized_imports": ["os"],
            "executor_kwargs": {"additional_functions": {}, "timeout_seconds": 3},
        },
    )
    for trust in (False, "yes"):
        with pytest.raises(ValueError, match="pass trust_remote_code=True") as caught:
            MultiStepAgent.from_file(path, trust_remote_code=trust)  # type: ignore[arg-type]
        for part in (
            "runs the Python code of the tool 'x' in mine.py",
            "imports the module agent_file_broken",
            "starts the program sh -c '${THE_KEY}', with THE_KEY of the environment",
            "sends K of the environment to https://far.example",
            "runs code from the Hub, the tool owner/name",
            "lets code that the model writes import os in this process",
            "sets additional_functions of the executor local;",
            "lets the agent send data to https://mcp.example",
        ):
            assert part in str(caught.value)
        assert "u:p" not in str(caught.value)


FAR = "sends what the agent is told, and the key for its model, to https://far.example"


@pytest.mark.parametrize(
    ("data", "asked"),
    [
        ({"model": {"class": "OpenAIModel", "model_id": "m", "api_base": "https://far.example/v1"}}, FAR),
        (
            {"model": {"class": "OpenAIModel", "model_id": "m", "api_base": "HTTPS://far.example"}},
            FAR,
        ),
        (
            {"model": {"class": "OpenAIModel", "model_id": "m", "api_base": "${NOT_SET:-https://far.example}"}},
            "to https://far.example",
        ),
        ({"model": {"class": "OpenAIModel", "api_base": "http://127.0.0.1.far.example"}}, "127.0.0.1.far.example"),
        ({"model": {"class": "OpenAIModel", "client_kwargs": {"base_url": "https://far.example"}}}, FAR),
        ({"model": {"class": "InferenceClientModel", "model_id": "https://far.example"}}, FAR),
        (
            {"model": {"class": "TransformersModel", "model_id": "o/n", "trust_remote_code": True}},
            "that the model o/n",
        ),
        ({"model": {"class": "VLLMModel", "model_kwargs": {"trust_remote_code": True}}}, "runs code that the model"),
        (
            {"tools": [{"builtin": "python_interpreter", "arguments": {"authorized_imports": ["*"]}}]},
            "sets authorized_imports of the tool python_interpreter",
        ),
        (
            {
                "tools": [
                    {
                        "builtin": "ApiWebSearchTool",
                        "arguments": {"endpoint": "https://e.example", "api_key_name": "K"},
                    }
                ]
            },
            "sets api_key_name, endpoint of the tool ApiWebSearchTool",
        ),
        ({"tools": [{"builtin": "visit_webpage", "arguments": {"allow_private": True}}]}, "sets allow_private of"),
    ],
)
def test_what_opens_the_librarys_own_parts_is_asked_for(here: Path, data: dict[str, Any], asked: str) -> None:
    with pytest.raises(ValueError, match="pass trust_remote_code=True") as caught:
        MultiStepAgent.from_file(write(here, data))
    assert asked in str(caught.value)


def test_what_opens_a_saved_tool_is_asked_for(here: Path) -> None:
    CodeAgent(tools=[PythonInterpreterTool(authorized_imports=["os"])]).save(here / "saved")
    with pytest.raises(ValueError, match="sets authorized_imports of the tool python_interpreter"):
        MultiStepAgent.from_file(here / "saved")
    CodeAgent(tools=[PythonInterpreterTool(timeout_seconds=3)]).save(here / "saved")
    assert MultiStepAgent.from_file(here / "saved").tools["python_interpreter"].timeout_seconds == 3


def test_a_model_on_this_machine_is_not_asked_for(here: Path) -> None:
    for address in ("http://localhost:11434/v1", "http://127.0.0.1:8080", "http://[::1]:8080"):
        MultiStepAgent.from_file(
            write(here, {"model": {"class": "OpenAIModel", "model_id": "m", "api_base": address}})
        )


def test_a_class_of_ones_own_is_imported_only_when_trusted(here: Path) -> None:
    (here / "modules" / "agent_file_classes.py").write_text(
        "from smolagents import CodeAgent\nfrom smolagents.testing import ScriptedModel\n"
        "class Mine(CodeAgent): pass\nclass MyModel(ScriptedModel): pass\n"
    )
    model = {**REPLAY, "class": "MyModel", "module": "agent_file_classes"}
    path = write(here, {"class": "Mine", "module": "agent_file_classes", "model": model})
    with pytest.raises(ValueError, match="imports the module agent_file_classes"):
        MultiStepAgent.from_file(path)
    assert "agent_file_classes" not in sys.modules
    agent = load(here)
    assert (type(agent).__name__, type(agent.model).__name__) == ("Mine", "MyModel")


def test_imports_are_no_matter_where_the_code_is_confined(here: Path) -> None:
    path = write(here, {"additional_authorized_imports": ["os"], "executor_type": "sandbox"})
    assert MultiStepAgent.from_file(path).executor_type == "sandbox"


# Tools on the Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as hub:
        yield hub


def test_tools_of_the_hub(here: Path, hub: Hub, fresh_python: Callable[..., str]) -> None:
    push = (
        "import sys\nfrom smolagents import Tool\nTool.from_code(open(sys.argv[1]).read(), more=7).push_to_hub('me/t')"
    )
    fresh_python(push, here / "mine.py", HF_ENDPOINT=hub.url, HF_TOKEN="t")
    path = write(here, {"tools": [{"hub": "me/t", "arguments": {"more": 8}}, {"hub": "me/t", "name": "again"}]})
    program = """
import json, sys
from smolagents import MultiStepAgent
agent = MultiStepAgent.from_file(sys.argv[1], trust_remote_code=True)
agent.save(sys.argv[2])
again = MultiStepAgent.from_folder(sys.argv[2], trust_remote_code=True)
assert again.to_dict() == agent.to_dict()
print(json.dumps([agent.to_dict()["tools"][:2], again.tools["adder"](1), again.tools["again"](1)]))
"""
    found = json.loads(fresh_python(program, path, here / "saved", HF_ENDPOINT=hub.url).splitlines()[-1])
    assert found == [[{"hub": "me/t", "arguments": {"more": 8}}, {"hub": "me/t", "name": "again"}], 9, 8]
    path.write_text(
        "model: LlamaCppModel\ntools: [wikipedia_search, me/nothing]\n".replace("model: LlamaCppModel\n", "")
    )
    said = fresh_python(program, path, here / "saved", HF_ENDPOINT=hub.url, check=False).splitlines()[-1]
    assert said.startswith(
        f"ValueError: {path}: tools[1]: there is no Space 'me/nothing' on the Hub, or it is private"
    )


def test_an_agent_by_hand_on_the_hub(here: Path, hub: Hub, fresh_python: Callable[..., str]) -> None:
    write(here, {"tools": ["mine.py:tenfold"], "managed_agents": ["second.yaml"], "skills": ["skills/a-skill"]})
    write(here, "name: second\ndescription: d\n", "second.yaml")
    write(here, "---\nname: a-skill\ndescription: d\n---\n", "skills/a-skill/SKILL.md")
    upload = """
import sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("me/hand", repo_type="space", space_sdk="gradio")
api.upload_folder(repo_id="me/hand", repo_type="space", folder_path=sys.argv[1], ignore_patterns=["hf/*", "modules/*"])
"""
    fresh_python(upload, here, HF_ENDPOINT=hub.url, HF_TOKEN="t")
    program = """
from smolagents import from_hub
agent = from_hub("me/hand", trust_remote_code=True)
print(agent.tools["tenfold"](2), list(agent.managed_agents), list(agent.skills), agent.run("?"))
"""
    assert fresh_python(program, HF_ENDPOINT=hub.url).splitlines()[-1] == "20 ['second'] ['a-skill'] 42"


# Mistakes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class: [", "is malformed: .* in line 1"),
        ("code_block_tags: 5", "code_block_tags must be"),
        ("- a\n", "must hold a dictionary"),
        ("", "must hold a dictionary"),
        ("a: 1\nb: 2\na: 3\n", "the key 'a' is given twice, in line 1"),
        ("a: !!python/object:os.system {}\n", "could not determine a constructor"),
        ({"clas": "CodeAgent"}, "'clas' is no setting of a CodeAgent. Did you mean 'class'?"),
        ({"tool": []}, "'tool' is no setting of a CodeAgent. Did you mean 'tools'?"),
        ({"max_tool_threads": 2}, "'max_tool_threads' is no setting of a CodeAgent"),
        ({"trace_dir": "/tmp"}, "'trace_dir' is no setting"),
        ({"class": "CodeAgnt"}, "is a 'CodeAgnt', which is not known here.*Did you mean 'CodeAgent'?"),
        ({"max_steps": "3"}, "'max_steps' must be a whole number, not '3'"),
        ({"max_steps": -3}, "max_steps must be at least 0, not -3"),
        ({"name": "no name"}, "the agent's name 'no name' is not a Python identifier"),
        ({"executor_type": "magic"}, "unknown executor_type 'magic'"),
        ({"tools": "web_search"}, "'tools' must be a list, not 'web_search'"),
        ({"tools": ["web_serch"]}, "is missing: .*Did you mean the built-in tool 'web_search'?"),
        ({"tools": [{"builtin": "web_serch"}]}, r"tools\[0\]: there is no built-in tool 'web_serch'. Did you mean"),
        ({"tools": [3]}, r"tools\[0\]: 3 cannot be the name of a tool"),
        ({"tools": [{}]}, r"tools\[0\]: a tool is a dictionary with"),
        ({"tools": [{"imprt": "a:b"}]}, r"tools\[0\]: a tool .*Did you mean 'import'?"),
        ({"tools": [{"import": "a"}]}, r"tools\[0\]\.import must be like package\.module:Name, not 'a'"),
        (
            {"tools": [{"import": "agent_file_tools:Adder", "argument": {}}]},
            "'argument' does not go with 'import'. Did",
        ),
        ({"tools": ["not_here:x"]}, r"tools\[0\]: there is no module 'not_here' here: install.*not_here\.py:x"),
        ({"tools": ["agent_file_broken:x"]}, "needs 'not_there_at_all', which is not installed"),
        ({"tools": ["agent_file_tools:tenfld"]}, r"tools\[0\]: .*has no 'tenfld'. Did you mean 'tenfold'?"),
        ({"tools": ["agent_file_tools:nothing"]}, r"tools\[0\] is no tool but 3"),
        ({"tools": ["agent_file_tools:undescribed"]}, r"tools\[0\]: .*undescribed"),
        ({"tools": ["agent_file_tools:Adder"]}, r"tools\[0\]: Adder cannot be made: .*'more'"),
        ({"tools": [{"import": "agent_file_tools:tenfold", "arguments": {"a": 1}}]}, "is made already and takes none"),
        ({"tools": [{"builtin": "wikipedia_search", "name": "a b"}]}, "'a b' cannot be the name of a tool"),
        (
            {"tools": ["mine.py:tenfold", "agent_file_tools:tenfold"]},
            r"tools\[1\] and tools\[0\] share the name 'tenfold'",
        ),
        ({"tools": ["gone.py:x"]}, r"gone\.py' is missing: agent\.yaml takes a tool from it"),
        ({"tools": ["mine.py:gone"]}, "defines no tool 'gone'. It defines: tenfold, Adder"),
        ({"tools": ["../mine.py:x"]}, r"tools\[0\]: '\.\./mine\.py:x' cannot be the name"),
        ({"tools": [{"file": "../mine.py:x"}]}, r"tools\[0\]: the path '\.\./mine\.py' leads out of the folder"),
        ({"tools": [{"mcp": {"comand": "x"}}]}, r"tools\[0\]\.mcp: an MCP server needs either 'url' or 'command'"),
        ({"tools": [{"mcp": program(), "tools": ["ad"]}]}, "the server has no tool 'ad'. Did you mean 'add'?"),
        ({"tools": [{"mcp": {"command": "x", "cwd": ".."}}]}, "leads out of the folder"),
        ({"managed_agents": ["../m.yaml"]}, "leads out of the folder"),
        ({"managed_agents": ["/m.yaml"]}, "leads out of the folder"),
        ({"managed_agents": ["m.yaml"]}, r"m\.yaml' is missing"),
        ({"managed_agents": [{"name": "m"}]}, "has no description"),
        ({"managed_agents": [{"name": "m", "max_step": 1}]}, r"managed_agents\[0\] \('m'\): 'max_step' is no setting"),
        ({"managed_agents": ["agent.yaml"]}, "the agent manages itself"),
        ({"skills": ["nope"]}, r"nope' is missing: a skill is a folder with a SKILL\.md"),
        ({"skills": ["modules"]}, r"skills\[0\]: the folder .* there is no SKILL\.md in it"),
        ({"skills": ["../x"]}, r"skills\[0\]: the path '\.\./x' leads out"),
        ({"skills": [3]}, r"skills\[0\] must be a path, not 3"),
        (
            {"model": "OpnAIModel:x"},
            r"its model is a 'OpnAIModel', which is not known here \(did you mean 'OpenAIModel'?",
        ),
        (
            {"model": {"class": "OpenAIModel", "modle_id": "x"}},
            "model.modle_id is no argument .*Did you mean 'model_id'?",
        ),
        ({"model": {"class": "OpenAIModel"}}, "its model, a OpenAIModel, cannot be made: .*model_id"),
        (
            {"model": {"class": "OpenAIModel", "model_id": "x", "api_key_env": "THE_KEY"}},
            r"model\.api_key_env: the environment variable THE_KEY is not set: set it, as with export THE_KEY=",
        ),
        ({"model": {"class": "OpenAIModel", "model_id": "${THE_KEY}"}}, r"model\.model_id: .*THE_KEY is not set"),
        (
            {"model": {"class": "OpenAIModel", "model_id": "${a b}"}},
            r"model\.model_id: '\${a b}' names no environment",
        ),
        (
            {"model": {"class": "OpenAIModel", "model_id": "x", "api_key": "a", "api_key_env": "B"}},
            "'api_key' and 'api_key_env' are given",
        ),
        (
            {"model": {"class": "OpenAIModel", "model_id": "x", "api_key": "sk-" + "a" * 20}},
            r"model\.api_key holds what looks like a secret, 'sk-aaa…'",
        ),
        (
            {"tools": [{"builtin": "web_search", "arguments": {"k": "hf_" + "a" * 20}}]},
            r"tools\[0\]\.arguments\.k holds what looks like a secret",
        ),
    ],
)
def test_one_error_for_a_mistake(here: Path, text: Any, said: str) -> None:
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=said) as caught:
        load(here, text)
    assert str(here) in str(caught.value)
    assert "\n" not in str(caught.value).strip() or "MCP" in str(caught.value)


def test_files_that_are_none(here: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file .*: give the file or the folder"):
        MultiStepAgent.from_file(here / "nowhere.yaml")
    with pytest.raises(ValueError, match=r"mine\.py' is no file of an agent: these end in \.json, \.yaml, \.yml"):
        MultiStepAgent.from_file(here / "mine.py")
    (here / "agent.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ValueError, match="is not a text in UTF-8"):
        MultiStepAgent.from_file(here)
    write(here, '{"a": 1, "a": 2}', "twice.json")
    with pytest.raises(ValueError, match="the key 'a' is given twice"):
        MultiStepAgent.from_file(here / "twice.json")


def test_a_few_lines_that_stand_for_billions(here: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "holds more than 200,000 values" in refused(here, "\n".join(lines))


def test_merges_that_stand_for_billions(here: Path) -> None:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    assert "'<<' stand for more than 200,000 values" in refused(here, "\n".join(lines))
    write(here, "{}")
    (here / "prompts.yaml").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"prompts\.yaml is malformed: its '<<' stand for more than"):
        MultiStepAgent.from_file(here / "agent.yaml")


def test_merges_that_are_meant(here: Path) -> None:
    text = "executor_kwargs: {in: &x {<<: &b {k: 1, l: 3}, k: 2}, y: {<<: *x, <<: *b}}\nexecutor_type: e2b\n"
    (here / "agent.yaml").write_text(text)
    assert read_file(here / "agent.yaml")["executor_kwargs"] == {"in": {"k": 2, "l": 3}, "y": {"k": 1, "l": 3}}


def test_a_value_that_holds_itself(here: Path) -> None:
    assert "a value holds itself" in refused(here, "executor_kwargs: &a {again: *a}")


def test_servers_that_are_down(here: Path) -> None:
    said = refused(here, {"tools": ["http://127.0.0.1:9/mcp"]}, MCPConnectionError)
    assert "tools[0]: The MCP server '127.0.0.1:9' cannot be used" in said
    assert "tools[0]" in refused(here, {"tools": [{"mcp": {"command": "not-a-program"}}]}, MCPConnectionError)


def test_links_out_of_the_folder(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x.py").write_text(SOURCE)
    (here / "x.py").symlink_to(outside / "x.py")
    with pytest.raises(ValueError, match="is a link out of the folder"):
        load(here, {"tools": ["x.py:tenfold"]})


def test_paths_and_names_mean_nothing_without_a_file() -> None:
    for data, said in (
        ({"class": "CodeAgent", "tools": ["mine.py:x"]}, "loaded by MultiStepAgent.from_file"),
        ({"class": "CodeAgent", "skills": ["a"]}, "loaded by MultiStepAgent.from_file"),
        ({"class": "CodeAgent", "managed_agents": ["a.yaml"]}, "a managed agent is a dictionary"),
    ):
        with pytest.raises(ValueError, match=said):
            MultiStepAgent.from_dict(data)
    assert "wikipedia_search" in MultiStepAgent.from_dict({"class": "CodeAgent", "tools": ["wikipedia_search"]}).tools


# The schema


def test_the_schema_that_is_shipped_is_what_the_code_says() -> None:
    assert schema_text() == json.dumps(build_schema(), indent=2, ensure_ascii=False) + "\n", (
        "run: python -m smolagents.agents.saving.schema > src/smolagents/agents/saving/agent.schema.json"
    )


CHECKER = jsonschema.Draft202012Validator(build_schema())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(build_schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_examples_fit_the_schema_and_load(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CHECKER.validate(yaml.safe_load(path.read_text()))
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    if path.name == "mcp.yaml":
        monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    agent = MultiStepAgent.from_file(path, trust_remote_code=True)
    assert len(agent.tools) + len(agent.managed_agents) > 1 or path.name == "writer.yaml"


def test_the_page_shows_files_that_fit_and_names_every_key() -> None:
    page = (ROOT / "docs" / "agent_files.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        CHECKER.validate(yaml.safe_load(block))
    of_save = {"$schema", "schema_version", "requirements", "authorized_imports", "tool_settings"}
    assert not [key for key in build_schema()["properties"] if f"`{key}`" not in page and key not in of_save]


def test_saved_agents_fit_the_schema(tmp_path: Path) -> None:
    agent = team()
    CHECKER.validate(json.loads(json.dumps(agent.to_dict())))
    agent.save(tmp_path)
    paths = sorted(tmp_path.rglob("agent.json"))
    assert len(paths) == 3
    for path in paths:
        CHECKER.validate(json.loads(path.read_text()))


@pytest.mark.parametrize(
    "data",
    [
        {"max_step": 3},
        {"max_steps": "3"},
        {"class": "ToolCallingAgent", "executor_type": "local"},
        {"executor_type": "magic"},
        {"tools": "web_search"},
        {"tools": [{"imprt": "a:b"}]},
        {"tools": [{"import": "a:b", "argument": {}}]},
        {"managed_agents": [{"max_step": 3}]},
        {"model": {"model_id": "x"}},
        {"code_block_tags": ["a"]},
        {"trace_dir": "/tmp"},
    ],
)
def test_mistakes_do_not_fit_the_schema(data: Any) -> None:
    assert list(CHECKER.iter_errors(data))
