"""Images, sounds and files on their way through agents, as users hand them over and get them back."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from smolagents import ActionStep, AgentAudio, AgentImage, CodeAgent, Tool, ToolCallingAgent
from smolagents.testing import ScriptedModel, tool_call, tool_calls
from support.picture_tools import Draw


class Measure(Tool):
    name = "measure"
    description = "Measures a picture."
    inputs = {"picture": {"type": "image", "description": "The picture."}}
    output_type = "string"

    def forward(self, picture: Any) -> str:
        return f"{type(picture).__name__} {AgentImage(picture).size}"


class Play(Tool):
    name = "play"
    description = "Makes a sound."
    inputs = {}
    output_type = "audio"

    def forward(self) -> Any:
        return 8_000, np.zeros(80)


class Listen(Tool):
    name = "listen"
    description = "Listens."
    inputs = {"sound": {"type": "audio", "description": "The sound."}}
    output_type = "integer"

    def forward(self, sound: Any) -> int:
        return len(np.asarray(AgentAudio(sound)))


class Size(Tool):
    name = "size"
    description = "The size of a file."
    inputs = {"file": {"type": "string", "description": "Its path."}}
    output_type = "integer"

    def forward(self, file: str) -> int:
        assert isinstance(file, str)
        return len(Path(file).read_bytes())


def show_images(step: ActionStep) -> None:
    if isinstance(step.action_output, (AgentImage, PIL.Image.Image)):
        step.observations_images = [step.action_output]


def images_in(message: Any) -> list[Any]:
    parts = message.content if isinstance(message.content, list) else []
    return [part["image"] for part in parts if part["type"] == "image"]


def test_an_agent_that_calls_tools_hands_images_and_sounds_on_by_name() -> None:
    calls = [
        tool_call("draw", {"width": 4}),
        tool_call("measure", {"picture": "image.png"}),
        tool_call("play", {}),
        tool_call("listen", {"sound": "audio.mp3"}),
        tool_call("final_answer", {"answer": "image.png"}),
    ]
    model = ScriptedModel([tool_calls(call) for call in calls])
    agent = ToolCallingAgent([Draw(), Measure(), Play(), Listen()], model, verbosity_level=-1)
    answer = agent.run("Draw.")
    assert isinstance(answer, AgentImage)
    assert answer.size == (4, 3)
    assert "Stored 'image.png' in memory." in model.requests[1].text
    assert "Image (4, 3)" in model.requests[2].text
    assert agent.memory.steps[4].observations == "80"


@pytest.mark.parametrize("kind", ["tool calls", "code"])
def test_a_callback_shows_images_to_a_model_that_takes_them(kind: str) -> None:
    if kind == "code":
        model = ScriptedModel(["<code>\ndraw(4)\n</code>", "<code>\nfinal_answer(1)\n</code>"])
        agent: Any = CodeAgent([Draw()], model, step_callbacks=[show_images], verbosity_level=-1)
    else:
        calls = [tool_call("draw", {"width": 4}), tool_call("final_answer", {"answer": "1"})]
        model = ScriptedModel([tool_calls(call) for call in calls])
        agent = ToolCallingAgent([Draw()], model, step_callbacks=[show_images], verbosity_level=-1)
    agent.run("Draw.")
    (seen,) = [image for message in model.requests[1].messages for image in images_in(message)]
    assert seen.size == (4, 3)


@pytest.mark.parametrize("as_path", [str, Path])
def test_files_are_handed_over_by_their_paths(tmp_path: Path, as_path: Any) -> None:
    video = tmp_path / "clip.mp4"
    video.write_bytes(bytes(10))
    given = {"video": as_path(video)}
    coder = CodeAgent([Size()], ScriptedModel(["<code>\nfinal_answer(size(str(video)))\n</code>"]), verbosity_level=-1)
    assert coder.run("How large?", additional_args=given) == 10
    replies = [
        tool_calls(tool_call("size", {"file": "video"})),
        tool_calls(tool_call("final_answer", {"answer": "10"})),
    ]
    caller = ToolCallingAgent([Size()], ScriptedModel(replies), verbosity_level=-1)
    assert caller.run("How large?", additional_args=given) == "10"
    assert caller.memory.steps[1].observations == "10"


@pytest.mark.parametrize("kind", ["path", "object", "AgentAudio"])
def test_a_sound_in_a_file_is_heard(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(100))
    sound: Any = {"path": str(path), "object": path, "AgentAudio": AgentAudio(path)}[kind]
    replies = [
        tool_calls(tool_call("listen", {"sound": "sound"})),
        tool_calls(tool_call("final_answer", {"answer": "heard"})),
    ]
    caller = ToolCallingAgent([Listen()], ScriptedModel(replies), verbosity_level=-1)
    caller.run("Listen.", additional_args={"sound": sound})
    assert caller.memory.steps[1].observations == "50"
    coder = CodeAgent([Listen()], ScriptedModel(["<code>\nfinal_answer(listen(sound))\n</code>"]), verbosity_level=-1)
    assert coder.run("Listen.", additional_args={"sound": sound}) == 50


def test_images_go_with_the_task_and_as_values() -> None:
    shown, given = PIL.Image.new("RGB", (2, 2)), AgentImage(PIL.Image.new("RGB", (4, 3)))
    model = ScriptedModel(["<code>\nfinal_answer(measure(picture))\n</code>"])
    agent = CodeAgent([Measure()], model, verbosity_level=-1)
    assert agent.run("Look.", images=[shown], additional_args={"picture": given}).endswith("(4, 3)")
    assert [image for message in model.requests[0].messages for image in images_in(message)] == [shown]
    assert "- picture: AgentImage" in model.requests[0].text


def test_nothing_heavy_is_loaded_until_an_image_or_a_sound_is_used(fresh_python: Any) -> None:
    program = """
import sys
from smolagents import AgentAudio, AgentImage, CodeAgent, Tool, ToolCallingAgent
from smolagents.testing import ScriptedModel

class Draw(Tool):
    name = "draw"
    description = "Draws."
    inputs = {"picture": {"type": "image", "description": "A picture."}}
    output_type = "image"

    def forward(self, picture):
        return picture

draw = Draw()
draw.to_code_prompt(), draw.to_tool_calling_prompt(), draw.parameters
assert AgentImage("/some/where.png").to_string() == "/some/where.png"
assert AgentAudio("/some/where.wav").to_string() == "/some/where.wav"
agent = CodeAgent([draw], ScriptedModel(["<code>final_answer(video)</code>"]), verbosity_level=-1)
assert agent.run("Go.", additional_args={"video": "/some/where.mp4"}) == "/some/where.mp4"
heavy = {"PIL", "numpy", "torch", "soundfile", "transformers", "pandas", "gradio", "mcp"}
print(sorted(heavy & set(sys.modules)))
"""
    assert fresh_python(program).strip() == "[]"
