"""The package as its users import it."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys

import pytest

import smolagents

HEAVY = ("openai", "transformers", "gradio", "jinja2", "PIL", "huggingface_hub", "pydantic", "rich", "numpy", "yaml")


@pytest.mark.parametrize("name", smolagents.__all__)
def test_every_export_can_be_imported(name: str) -> None:
    assert getattr(smolagents, name) is not None


def test_exports_are_sorted_and_visible_to_type_checkers() -> None:
    assert list(smolagents.__all__) == sorted(smolagents.__all__, key=str.lower) or list(smolagents.__all__) == sorted(
        smolagents.__all__
    )
    tree = ast.parse(inspect.getsource(smolagents))
    typed = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for statement in node.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert typed == set(smolagents.__all__)


def test_import_loads_nothing_heavy() -> None:
    code = f"import sys, smolagents; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_names_are_shown_without_importing_and_vars_imports_what_it_shows() -> None:
    code = f"""
import sys, smolagents
assert set(smolagents.__all__) <= set(dir(smolagents))
assert "smolagents.models.openai" not in sys.modules
assert vars(smolagents)["OpenAIModel"] is smolagents.OpenAIModel
assert vars(smolagents).keys() >= set(smolagents.__all__)
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchThing"):
        _ = smolagents.NoSuchThing


def test_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert smolagents.__version__ == version("smolagents")
