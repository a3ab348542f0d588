"""What the in-process guard keeps out of reach: each technique as the attack itself."""

from __future__ import annotations

import importlib.util

import pytest
from attacks import ESCAPES, PRELUDE

from smolagents import Tool
from smolagents.local_python_executor import InterpreterError, LocalPythonExecutor

IMPORTS = [
    "abc", "asyncio", "contextlib", "copy", "dataclasses", "enum", "functools", "json", "numpy", "operator", "pandas",
    "string", "types", "typing", "warnings",
]  # fmt: skip


def attack(source: str) -> tuple[list, Exception | None]:
    """What the attack got hold of, and the error that stopped it."""
    executor = LocalPythonExecutor(IMPORTS, timeout_seconds=20)
    executor.send_tools({"search": lambda query: "nothing"})
    leaked: list = []
    executor.send_variables({"leaked": leaked})
    executor(PRELUDE)
    try:
        executor(source)
    except InterpreterError as error:
        return leaked, error
    return leaked, None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ESCAPES)
def test_escape_is_stopped(name):
    source = ESCAPES[name]
    for library in ("numpy", "pandas"):
        if f"import {library}" in source and importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    leaked, _ = attack(source)
    assert leaked == []


class Searcher(Tool):
    name = "searcher"
    description = "Searches."
    inputs = {"query": {"type": "string", "description": "What."}}
    output_type = "string"

    def forward(self, query: str) -> str:
        return f"found {query}"


@pytest.mark.parametrize("route", ["tool", "variable", "in a list", "returned"])
@pytest.mark.parametrize("name", ["forward", "save", "push_to_hub", "from_code", "from_hub", "to_dict", "setup"])
def test_a_tool_can_only_be_called(route, name):
    executor = LocalPythonExecutor([], timeout_seconds=5)
    if route == "tool":
        executor.send_tools({"searcher": Searcher()})
    elif route == "variable":
        executor.send_variables({"searcher": Searcher()})
    elif route == "in a list":
        executor.send_variables({"tools": [Searcher()]})
        executor("searcher = tools[0]")
    else:
        executor.send_tools({"get": lambda: Searcher()})
        executor("searcher = get()")
    assert executor("searcher('x'), searcher.name, searcher.description").output == (
        "found x",
        "searcher",
        "Searches.",
    )
    with pytest.raises(InterpreterError):
        executor(f"searcher.{name}")
    with pytest.raises(InterpreterError):
        executor(f"searcher.{name} = 1")


def test_a_variable_without_tools_stays_the_same_object():
    executor = LocalPythonExecutor([])
    data = [{"a": [1]}, (2,)]
    executor.send_variables({"data": data})
    executor("data[0]['a'].append(3)")
    assert data == [{"a": [1, 3]}, (2,)]
