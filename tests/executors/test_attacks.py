"""What the in-process guard keeps out of reach: each technique as the attack itself."""

from __future__ import annotations

import importlib.util

import pytest
from attacks import ESCAPES, PRELUDE

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
