"""Skills: what the model is told of them, and how it reads them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smolagents import CodeAgent, MultiStepAgent, ToolCallingAgent, tool
from smolagents.agents import PromptTemplates
from smolagents.agents.skills import Skill
from smolagents.testing import ScriptedModel, tool_call, tool_calls

HEAD = "---\nname: {name}\ndescription: {description}\n---\n"


def skill(
    folder: Path, name: str = "pdf-forms", description: str = "Fills in PDF forms.", body: str = "Do it."
) -> Path:
    folder = folder / name
    (folder / "references").mkdir(parents=True)
    (folder / "SKILL.md").write_text(HEAD.format(name=name, description=description) + body)
    (folder / "references" / "fields.md").write_text("Fields: name, date.")
    return folder


def final(text: str) -> str:
    return f"<code>\nfinal_answer({text})\n</code>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return skill(tmp_path)


@pytest.mark.parametrize("executor_type", ["local", "sandbox"])
def test_an_agent_that_writes_code_reads_what_it_needs(folder: Path, executor_type: Any) -> None:
    model = ScriptedModel(
        [
            "<code>\nprint(read_skill('pdf-forms'))\n</code>",
            "<code>\nprint(read_skill('pdf-forms', 'references/fields.md'))\n</code>",
            final("'done'"),
        ]
    )
    with CodeAgent([], model=model, skills=[folder], executor_type=executor_type, verbosity_level=-1) as agent:
        assert agent.run("Fill in the form") == "done"
    told = [request.text for request in model.requests]
    assert "- pdf-forms: Fills in PDF forms." in told[0]
    assert "Do it." not in told[0]
    assert "Do it." in told[1]
    assert "references/fields.md" in told[1]
    assert "Fields: name, date." not in told[1]
    assert "Fields: name, date." in told[2]


def test_an_agent_that_calls_tools_reads_what_it_needs(folder: Path) -> None:
    model = ScriptedModel(
        [
            tool_calls(tool_call("read_skill", {"skill": "pdf-forms"}, "1")),
            tool_calls(tool_call("final_answer", {"answer": "done"}, "2")),
        ]
    )
    agent = ToolCallingAgent([], model=model, skills=[folder], instructions="Be brief.", verbosity_level=-1)
    assert agent.run("Fill in the form") == "done"
    assert "Be brief.\n\nYou have skills" in model.requests[0].text
    assert "Do it." in model.requests[1].text


def test_an_agent_without_skills_is_told_of_none() -> None:
    agent = CodeAgent([], model=ScriptedModel([]))
    assert "skill" not in agent.system_prompt
    assert list(agent.tools) == ["final_answer"]
    assert list(CodeAgent([], model=ScriptedModel([]), skills=[]).tools) == ["final_answer"]


def test_a_long_file_is_read_in_parts(folder: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(5_000))
    (folder / "long.txt").write_text(text)
    read = CodeAgent([], model=ScriptedModel([]), skills=[folder]).tools["read_skill"]
    found, start = "", 0
    while True:
        part = read("pdf-forms", "long.txt", start)
        assert len(part) < 20_200
        shown, mark, rest = part.rpartition("\n[")
        if not mark:
            break
        found += shown
        start = int(rest.rpartition("start=")[2].rstrip("]"))
        assert start == len(found)
    assert found + part == text


def test_what_is_no_text_is_named(folder: Path) -> None:
    (folder / "logo.png").write_bytes(b"\x89PNG\xff\xfe")
    read = CodeAgent([], model=ScriptedModel([]), skills=[folder]).tools["read_skill"]
    assert read("pdf-forms", "logo.png") == "logo.png is not a text, and cannot be shown (6 bytes)."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pdf-form",), r"no skill 'pdf-form'\. Did you mean 'pdf-forms'\?"),
        (("pdf-forms", "fields.md"), r"no file 'fields.md'\. Did you mean 'references/fields.md'\?"),
        (("pdf-forms", "../secret.txt"), "no file"),
        (("pdf-forms", "/etc/passwd"), "no file"),
        (("pdf-forms", "references/../../secret.txt"), "no file"),
    ],
)
def test_only_what_is_in_the_folder_can_be_read(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    (folder.parent / "secret.txt").write_text("secret")
    read = CodeAgent([], model=ScriptedModel([]), skills=[folder]).tools["read_skill"]
    with pytest.raises(ValueError, match=said):
        read(*arguments)


def test_links_out_of_the_folder_are_refused(folder: Path) -> None:
    (folder / "link.txt").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match=r"link\.txt' is a link out of the folder"):
        Skill.from_folder(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_what_is_no_file_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe")  # to read it would wait for ever
    with pytest.raises(ValueError, match="pipe' is no file"):
        Skill.from_folder(folder)
    (folder / "pipe").unlink()
    (folder / "loop").symlink_to(folder / "loop")
    with pytest.raises(ValueError, match="loop'"):
        Skill.from_folder(folder)


def test_hidden_files_are_left_out(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / ".env").write_text("KEY=1")
    assert set(Skill.from_folder(folder).files) == {"SKILL.md", "references/fields.md"}
    assert Skill.from_folder(folder / "SKILL.md").files == Skill.from_folder(folder).files


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Just text", "must begin with its name and description"),
        ("---\nname: a", "must begin with"),
        ("---\nname: [\n---\n", "is no YAML"),
        ("---\n- a\n---\n", "must hold 'name: …'"),
        (HEAD.format(name="PDF forms", description="d"), "'name' must be of lower-case letters.*'PDF forms'"),
        (HEAD.format(name="a--b", description="d"), "'name' must be"),
        (HEAD.format(name="a" * 65, description="d"), "'name' must be"),
        (HEAD.format(name="7", description="d"), "'name' must be"),
        ("---\nname: a\n---\n", "'description' must be a text"),
        (HEAD.format(name="a", description="d" * 1025), "at most 1,024 characters"),
    ],
)
def test_a_malformed_skill_says_what_to_write(folder: Path, text: str, said: str) -> None:
    (folder / "SKILL.md").write_text(text)
    with pytest.raises(ValueError, match=said) as caught:
        CodeAgent([], model=ScriptedModel([]), skills=[folder])
    assert str(folder) in str(caught.value)


def test_other_mistakes(folder: Path, tmp_path: Path) -> None:
    def made(skills: Any, **kwargs: Any) -> CodeAgent:
        return CodeAgent(kwargs.get("tools", []), model=ScriptedModel([]), skills=skills)

    with pytest.raises(FileNotFoundError, match="there is no skill"):
        made([tmp_path / "nowhere"])
    with pytest.raises(FileNotFoundError, match=r"there is no SKILL\.md in it"):
        made([tmp_path])
    with pytest.raises(TypeError, match="must be a list of folders"):
        made(str(folder))
    with pytest.raises(TypeError, match="as the path of its folder or as a Skill, not 3"):
        made([3])
    other = skill(tmp_path / "other")
    with pytest.raises(ValueError, match="two skills share the name 'pdf-forms'"):
        made([folder, other])

    @tool
    def read_skill() -> str:
        """Reads."""
        return ""

    with pytest.raises(ValueError, match="two tools share the name 'read_skill'"):
        made([folder], tools=[read_skill])


def test_a_text_of_windows_is_read(folder: Path) -> None:
    text = "\ufeff" + HEAD.format(name="pdf-forms", description="Äpfel") + "Body\n"
    (folder / "SKILL.md").write_bytes(text.replace("\n", "\r\n").encode())
    found = Skill.from_folder(folder)
    assert (found.description, found.instructions) == ("Äpfel", "Body")


# Saved with the agent

PATHS = st.lists(st.text("abc-é", min_size=1, max_size=5), min_size=1, max_size=3).map("/".join)
CONTENT = st.binary(max_size=40) | st.text(max_size=40).map(str.encode)


@st.composite
def skills(draw: Any) -> list[Skill]:
    names = draw(st.lists(st.from_regex(r"[a-z0-9]{1,5}(-[a-z0-9]{1,3})?", fullmatch=True), max_size=3, unique=True))
    made = []
    for name in names:
        files = draw(st.dictionaries(PATHS, CONTENT, max_size=4))
        tops = {path for path in files if not any(other.startswith(f"{path}/") for other in files)}
        description = draw(st.text("abc é:#'\"\\", min_size=1, max_size=20).filter(str.strip))
        body = draw(st.text("ab\n", max_size=9))
        head = HEAD.format(name=json.dumps(name), description=json.dumps(description)) + body
        made.append(Skill({**{path: files[path] for path in tops}, "SKILL.md": head.encode()}))
    return made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(skills())
def test_skills_are_the_same_after_a_round_through_a_folder(tmp_path_factory: Any, made: list[Skill]) -> None:
    agent = CodeAgent([], model=ScriptedModel([]), skills=made)
    folder = tmp_path_factory.mktemp("agent")
    agent.save(folder)
    again = MultiStepAgent.from_folder(folder)
    assert again.skills == agent.skills
    assert again.system_prompt == agent.system_prompt
    assert (
        again.to_dict()
        == agent.to_dict()
        == MultiStepAgent.from_dict(json.loads(json.dumps(agent.to_dict()))).to_dict()
    )


def test_a_file_that_is_gone_stays_gone_when_the_agent_is_saved_again(folder: Path, tmp_path: Path) -> None:
    CodeAgent([], model=ScriptedModel([]), skills=[folder]).save(tmp_path / "agent")
    (folder / "references" / "fields.md").unlink()
    agent = CodeAgent([], model=ScriptedModel([]), skills=[folder])
    agent.save(tmp_path / "agent")
    assert MultiStepAgent.from_folder(tmp_path / "agent").skills == agent.skills


def test_nothing_of_an_earlier_managed_agent_stays(folder: Path, tmp_path: Path) -> None:
    def saved(templates: PromptTemplates | None) -> MultiStepAgent:
        member = CodeAgent([], name="m", description="d", skills=[folder], prompt_templates=templates)
        CodeAgent([], managed_agents=[member]).save(tmp_path / "agent")
        return MultiStepAgent.from_folder(tmp_path / "agent").managed_agents["m"]

    usual = CodeAgent([], model=ScriptedModel([])).prompt_templates
    assert saved({**usual, "system_prompt": "Old."}).prompt_templates["system_prompt"] == "Old."
    (folder / "references" / "fields.md").unlink()
    member = saved(None)
    assert "fields.md" not in str(member.skills["pdf-forms"].files)
    assert member.to_dict()["prompt_templates"] is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "a"}, 'a saved skill is a dictionary with "files"'),
        ({"name": "a", "files": {"../x": "y"}}, "a saved skill"),
        ({"name": "a", "files": {"/x": "y"}}, "a saved skill"),
        ({"name": "a", "files": {"SKILL.md": 3}}, "must be a text"),
        ({"name": "a", "files": {"SKILL.md": {"base64": "?"}}}, "is no base 64"),
        ({"name": "a", "files": {}}, r"SKILL\.md is missing"),
        ("skills/a", "loaded by MultiStepAgent.from_file"),
    ],
)
def test_a_malformed_saved_skill(data: Any, said: str) -> None:
    saved = {**CodeAgent([], model=ScriptedModel([])).to_dict(), "skills": [data]}
    with pytest.raises(ValueError, match=said):
        MultiStepAgent.from_dict(saved)
