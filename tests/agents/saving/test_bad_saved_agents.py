"""What people are told when a saved agent cannot be loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from team import scripted, team

from smolagents import CodeAgent, MultiStepAgent, ToolCallingAgent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    team().save(tmp_path / "agent")
    return tmp_path / "agent"


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "agent.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refused(folder: Path, error: type[Exception] = ValueError, **kwargs: Any) -> str:
    with pytest.raises(error) as caught:
        MultiStepAgent.from_folder(folder, **kwargs)
    return str(caught.value)


def test_no_folder(tmp_path: Path) -> None:
    assert "there is no folder" in refused(tmp_path / "nowhere", FileNotFoundError)


def test_no_agent_json(tmp_path: Path) -> None:
    said = refused(tmp_path, FileNotFoundError)
    assert "agent.json' is missing" in said
    assert "agent.save" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"class": "CodeAgent",}', "line 1, column 2"),
        ("[1, 2]", "must hold a dictionary"),
        ("", "malformed"),
        ("[" * 100_000, "malformed"),
        ('{"class": "CodeAgent", "tools": "search"}', "'tools' must be a list"),
        ('{"class": "CodeAgent", "tool_settings": [1]}', "'tool_settings' must be a dictionary"),
    ],
)
def test_a_malformed_agent_json(folder: Path, text: str, said: str) -> None:
    (folder / "agent.json").write_text(text)
    message = refused(folder)
    assert said in message
    assert str(folder) in message


def test_an_agent_json_that_is_no_text(folder: Path) -> None:
    (folder / "agent.json").write_bytes(b"\xff\xfe{}")
    assert "not a text in UTF-8" in refused(folder)


def test_malformed_prompts(folder: Path) -> None:
    (folder / "prompts.yaml").write_text("system_prompt: [")
    assert "prompts.yaml is malformed" in refused(folder)
    (folder / "prompts.yaml").write_text("just words")
    assert "must hold templates by name" in refused(folder)
    (folder / "prompts.yaml").write_text("system_prompt: hello")
    assert "prompt_templates lacks ['planning']['plan']" in refused(folder)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("tools/count_letters.py", "agent.json lists the tool 'count_letters'"),
        ("managed_agents/middle/agent.json", "agent.json"),
    ],
)
def test_a_missing_file(folder: Path, file: str, said: str) -> None:
    (folder / file).unlink()
    message = refused(folder, FileNotFoundError)
    assert said in message
    assert file in message


def test_a_missing_member(folder: Path) -> None:
    edit(folder, managed_agents={"nobody": "CodeAgent"})
    assert "the managed agent 'nobody'" in refused(folder, FileNotFoundError)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "..", "a\\b", "", "1st", 7, None])
def test_names_that_lead_out_of_the_folder(folder: Path, name: Any) -> None:
    (folder.parent / "outside.py").write_text("raise SystemExit('ran')")
    edit(folder, tools=[name])
    assert f"{name!r} cannot be the name of a tool" in refused(folder)
    edit(folder, tools=[], managed_agents=[name])
    assert f"{name!r} cannot be the name of a managed agent" in refused(folder)


@pytest.mark.parametrize("file", ["tools/count_letters.py", "agent.json", "prompts.yaml", "managed_agents/middle"])
def test_links_out_of_the_folder(folder: Path, file: str) -> None:
    (folder / file).rename(folder.parent / "elsewhere")
    (folder / file).symlink_to(folder.parent / "elsewhere")
    assert "is a link out of the folder" in refused(folder)


def test_a_folder_that_is_itself_a_link_loads(folder: Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    assert MultiStepAgent.from_folder(folder.parent / "link").to_dict() == team().to_dict()


def test_a_folder_in_the_cache_of_the_hub_loads(folder: Path, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "cache" / "blobs", tmp_path / "cache" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    for number, path in enumerate(path for path in folder.rglob("*") if path.is_file()):
        path.rename(blobs / str(number))
        link = snapshot / path.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blobs / str(number))
    assert MultiStepAgent.from_folder(snapshot).to_dict() == team().to_dict()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"class": "WebAgent"}, "is a 'WebAgent', which is not known here: import it first"),
        ({"class": "os"}, "is a 'os', which is not known"),
        ({"class": "WebAgent", "module": "my_agents"}, "import the module that defines it, my_agents"),
        ({"class": ["CodeAgent"]}, "not known here"),
        ({"class": "MultiStepAgent"}, "cannot run: use CodeAgent"),
        ({"class": None}, 'give "class"'),
        ({"max_step": 3}, "'max_step' is no setting of a CodeAgent. Did you mean 'max_steps'?"),
        ({"max_steps": "3"}, "'max_steps' must be a whole number, not '3'"),
        ({"max_steps": -1}, "max_steps must be at least 0"),
        ({"stream_outputs": "yes"}, "'stream_outputs' must be true or false"),
        ({"additional_authorized_imports": "numpy"}, "must be a list of texts or null, not 'numpy'"),
        ({"executor_type": "magic"}, "magic"),
        ({"code_block_tags": ["<code>"]}, "code_block_tags"),
        ({"model": 3}, "'model' must be a text or a dictionary"),
        ({"model": "gpt"}, "its model is a 'gpt', which is not known here"),
        ({"model": {"class": "Oracle", "data": {}}}, "its model is a 'Oracle', which is not known here"),
        ({"model": {"class": "Oracle", "module": "os", "data": {}}}, "its model is a 'Oracle'"),
        ({"model": {"class": "OpenAIModel", "data": [1]}}, "data of its model must be a dictionary"),
        ({"model": {"class": "OpenAIModel", "data": {}}}, "cannot be made: .*pass model="),
        ({"managed_agents": [3]}, "3 cannot be the name"),
        ({"tools": [{"name": "a"}]}, 'a tool is a dictionary with "name" and "code"'),
        ({"tools": [{"name": "a", "code": "def", "init": {}}]}, "code of the tool 'a' fails: SyntaxError"),
        ({"tools": [{"name": "a", "code": "1 / 0"}]}, "code of the tool 'a' fails: ZeroDivisionError"),
        ({"tools": [{"name": "a", "code": "x = 1"}]}, "the tool 'a' cannot be made: The code defines no tool"),
        ({"tools": [{"name": "a", "code": "import not_there"}]}, "needs the package 'not_there'.*requirements.txt"),
        ({"tools": [{"name": "a", "code": "x = 1", "init": 3}]}, "'init' must be a dictionary"),
        ({"tools": ["count_letters", "count_letters"]}, "share the name 'count_letters'"),
    ],
)
def test_wrong_contents(folder: Path, changes: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    edit(folder, **changes)
    with pytest.raises(ValueError, match=said):
        MultiStepAgent.from_folder(folder)


def test_the_member_at_fault_is_named(folder: Path) -> None:
    edit(folder / "managed_agents" / "middle", planning_interval="often")
    assert "the saved agent 'middle': 'planning_interval' must be a whole number or null" in refused(folder)


def test_a_tool_that_needs_its_key_says_where_to_give_it() -> None:
    needs = (
        "from smolagents import Tool\n\nclass Needs(Tool):\n    name = 'needs'\n    description = 'd'\n"
        "    inputs = {}\n    output_type = 'string'\n\n"
        "    def __init__(self, api_key):\n        super().__init__()\n        self.api_key = api_key\n\n"
        "    def forward(self):\n        return self.api_key\n"
    )
    data = {"class": "CodeAgent", "tools": [{"name": "needs", "code": needs}]}
    with pytest.raises(ValueError, match=r"tool_arguments=\{'needs': \{…\}\}"):
        MultiStepAgent.from_dict(data, model=scripted())
    agent = MultiStepAgent.from_dict(data, model=scripted(), tool_arguments={"needs": {"api_key": "k"}})
    assert agent.tools["needs"]() == "k"
    with pytest.raises(TypeError, match="tool_arguments must be like"):
        MultiStepAgent.from_dict(data, model=scripted(), tool_arguments={"needs": "k"})


@pytest.mark.parametrize("data", [None, 3, "agent", [1], {"class": "CodeAgent", "managed_agents": ["x"]}])
def test_what_is_no_saved_agent(data: Any) -> None:
    with pytest.raises(ValueError, match=r"dictionary"):
        CodeAgent.from_dict(data, model=scripted())


def test_the_data_is_left_as_it_was() -> None:
    data = team().to_dict()
    before = json.dumps(data)
    ToolCallingAgent.from_dict(data, max_steps=1)
    assert json.dumps(data) == before
