"""Images and arrays between tools and code in the sandbox."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import PIL.Image
import pytest

from smolagents import ActionStep, AgentImage, CodeAgent, Tool, tool
from smolagents.testing import ScriptedModel
from support.picture_tools import Draw

if sys.platform != "linux":
    pytest.skip("the sandbox needs Linux", allow_module_level=True)

from smolagents.executors.sandbox.confine import probe

if probe().missing and not os.environ.get("CI"):
    pytest.skip(f"no sandbox here: {probe().missing[0].why}", allow_module_level=True)


class Measure(Tool):
    name = "measure"
    description = "Measures a picture."
    inputs = {"picture": {"type": "image", "description": "The picture."}}
    output_type = "string"

    def forward(self, picture: Any) -> str:
        assert isinstance(picture, PIL.Image.Image)
        return f"{picture.size}"


def run(code: str, *tools: Tool, **options: Any) -> tuple[Any, ActionStep]:
    agent = CodeAgent(
        list(tools),
        ScriptedModel([f"<code>\n{code}\n</code>"] * 2),
        executor_type="sandbox",
        max_steps=1,
        verbosity_level=-1,
        **options,
    )
    try:
        output = agent.run("Go.")
        step = agent.memory.steps[1]
        assert isinstance(step, ActionStep)
        return output, step
    finally:
        agent.cleanup()


def test_code_has_the_images_of_tools_and_gives_images_to_tools() -> None:
    output, step = run(
        "picture = draw(4)\nprint(measure(picture))\nfinal_answer(picture.resize((picture.width * 2, 1)))",
        Draw(),
        Measure(),
    )
    assert "(4, 3)" in str(step.observations)
    assert isinstance(output, AgentImage)
    assert output.size == (8, 1)
    assert output.getpixel((0, 0)) == (255, 0, 0)


def test_the_images_of_a_server_arrive_too() -> None:
    pytest.importorskip("mcp")
    from smolagents import MCPClient
    from support.mcp_hosts import program

    with MCPClient(program()) as tools:
        output, _ = run("final_answer(picture())", *tools)
    assert isinstance(output, AgentImage)
    assert output.size == (1, 1)


def test_the_code_may_still_not_import_what_images_are_made_of() -> None:
    _, step = run("import PIL.Image", Draw())
    assert "Import of 'PIL" in str(step.error)
    assert "not authorized" in str(step.error)


def test_what_cannot_arrive_says_what_to_do() -> None:
    @tool
    def samples() -> np.ndarray:
        """Gives samples."""
        return np.zeros(3)

    _, step = run("print(samples())", samples)
    assert "numpy is not there" in str(step.error)
    assert "additional_authorized_imports=['numpy']" in str(step.error)
    _, step = run("print(samples().shape)", samples, additional_authorized_imports=["numpy"])
    assert "(3,)" in str(step.observations)
