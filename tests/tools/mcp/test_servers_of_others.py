"""Servers that others wrote, in another language and with another SDK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from smolagents import AgentImage, CodeAgent, MCPClient, ToolCallingAgent
from smolagents.mcp_client import ElicitationRequest, MCPToolError
from smolagents.testing import ScriptedModel, tool_call, tool_calls
from smolagents.tools import ToolProgress, on_progress
from support.mcp_npm import EVERYTHING, FILESYSTEM, npm_server

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.txt").write_text("water the plants\n")
    PIL.Image.new("RGB", (4, 3), "red").save(tmp_path / "red.png")
    return tmp_path


@pytest.fixture
def files(folder: Path) -> Iterator[dict[str, Any]]:
    with MCPClient(npm_server(FILESYSTEM, str(folder))) as tools:
        yield {tool.name: tool for tool in tools}


def test_a_code_agent_works_with_files(files: dict[str, Any], folder: Path) -> None:
    code = (
        f"notes = read_text_file(path='{folder}/notes.txt')['content']\n"
        f"write_file(path='{folder}/loud.txt', content=notes.upper())\n"
        f"final_answer(list_directory(path='{folder}')['content'])"
    )
    agent = CodeAgent(list(files.values()), ScriptedModel([f"<code>\n{code}\n</code>"]), verbosity_level=-1)
    assert agent.run("Make it loud.").splitlines() == ["[FILE] loud.txt", "[FILE] notes.txt", "[FILE] red.png"]
    assert (folder / "loud.txt").read_text() == "WATER THE PLANTS\n"


def test_nested_arguments_are_checked_and_turned(files: dict[str, Any], folder: Path) -> None:
    edits = {"path": f"{folder}/notes.txt", "edits": '[{"oldText": "plants", "newText": "cat"}]', "dryRun": "false"}
    wrong = {"path": f"{folder}/notes.txt", "edits": [{"oldText": "water"}]}
    model = ScriptedModel(
        [
            tool_calls(tool_call("edit_file", wrong)),
            tool_calls(tool_call("edit_file", edits)),
            tool_calls(tool_call("final_answer", {"answer": "done"})),
        ]
    )
    assert ToolCallingAgent(list(files.values()), model, verbosity_level=-1).run("Feed the cat.") == "done"
    assert "lacks the field 'newText'" in model.requests[1].text
    assert (folder / "notes.txt").read_text() == "water the cat\n"


def test_a_picture_is_a_picture(files: dict[str, Any], folder: Path) -> None:
    picture = files["read_media_file"](path=str(folder / "red.png"))
    assert isinstance(picture, AgentImage)
    assert picture.size == (4, 3)


def test_what_the_server_forbids_is_said(files: dict[str, Any]) -> None:
    with pytest.raises(MCPToolError, match="Access denied - path outside allowed directories"):
        files["read_text_file"](path="/etc/hostname")


def test_all_that_a_protocol_has() -> None:
    asked: list[ElicitationRequest] = []
    told: list[ToolProgress] = []

    def answer(request: ElicitationRequest) -> dict[str, Any]:
        asked.append(request)
        return {"name": "Ada"}

    with MCPClient(npm_server(EVERYTHING), resources=True, prompts=True, on_elicitation=answer) as found:
        tools = {tool.name: tool for tool in found}
        assert tools["echo"](message="hello") == "Echo: hello"
        assert tools["get_sum"](a=1, b=2) == "The sum of 1 and 2 is 3."
        assert set(tools["get_structured_content"](location="Chicago")) == {"temperature", "conditions", "humidity"}
        with on_progress(told.append):
            assert "completed" in tools["trigger_long_running_operation"](duration=0.2, steps=2)
        assert [each.value for each in told] == ["1 of 2", "2 of 2"]
        assert "Name: Ada" in tools["trigger_elicitation_request"]()
        assert asked[0].schema is not None
        assert asked[0].schema["properties"]["check"]["type"] == "boolean"
        assert tools["prompt_args_prompt"](city="Paris") == "What's weather in Paris?"
        assert "plaintext resource" in tools["read_resource"](uri="demo://resource/dynamic/text/1")
        # Its picture is broken: browsers forgive that, pillow does not. What comes with it is there.
        said = tools["get_tiny_image"]()
        assert said.startswith("Here's the image you requested:\n(an image of type image/png that cannot be read")
