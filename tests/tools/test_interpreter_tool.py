"""The tool that runs Python code, and the built-in tools by name."""

from __future__ import annotations

import threading

import pytest

from smolagents.agents.base_tools import BUILT_IN_TOOLS, TOOL_MAPPING
from smolagents.default_tools import PythonInterpreterTool
from smolagents.tools import Tool
from smolagents.tools.interruption import current_interrupt
from smolagents.types.errors import AgentInterruptedError


def test_it_returns_what_was_printed_and_the_value():
    assert PythonInterpreterTool()("print('hi')\nx = 3\nx * 2") == "Stdout:\nhi\n\nOutput: 6"
    assert PythonInterpreterTool()("import math\nmath.floor(2.5)") == "Stdout:\n\nOutput: 2"


def test_each_call_has_variables_of_its_own():
    tool = PythonInterpreterTool()
    tool("x = 1")
    with pytest.raises(Exception, match="x"):
        tool("x")


def test_imports_are_those_authorized_and_the_model_is_told():
    with pytest.raises(Exception, match="os"):
        PythonInterpreterTool()("import os")
    tool = PythonInterpreterTool(authorized_imports=["json"])
    assert tool("import json\njson.dumps([1])") == "Stdout:\n\nOutput: [1]"
    assert "json" in tool.inputs["code"]["description"]
    assert "any module" in PythonInterpreterTool(authorized_imports=["*"]).to_code_prompt()


def test_it_stops_at_its_time_limit():
    with pytest.raises(Exception, match=r"longer than 0\.2 seconds"):
        PythonInterpreterTool(timeout_seconds=0.2)("while True: pass")


def test_an_interrupt_stops_it():
    token = threading.Event()
    threading.Timer(0.05, token.set).start()
    reset = current_interrupt.set(token)
    try:
        with pytest.raises(AgentInterruptedError):
            PythonInterpreterTool(timeout_seconds=20)("while True: pass")
    finally:
        current_interrupt.reset(reset)


def test_a_saved_interpreter_works_alike():
    tool = Tool.from_dict(PythonInterpreterTool(authorized_imports=["json"], timeout_seconds=3).to_dict())
    assert (tool.timeout_seconds, "json" in tool.authorized_imports) == (3, True)
    assert tool("1 + 1") == "Stdout:\n\nOutput: 2"


def test_built_in_tools_by_name():
    assert list(TOOL_MAPPING) == ["python_interpreter", "web_search", "visit_webpage"]
    for name, cls in BUILT_IN_TOOLS.items():
        tool = cls()
        assert tool.name == name
        assert tool.to_code_prompt().startswith(f"def {name}(")
        assert tool.parameters["type"] == "object"
        assert Tool.from_dict(tool.to_dict()).inputs == tool.inputs
