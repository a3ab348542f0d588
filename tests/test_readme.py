"""The examples of the README and the documents run, given a model that answers."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from smolagents.testing import ScriptedModel

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


MODELS = (
    "AmazonBedrockModel",
    "AnthropicModel",
    "AzureOpenAIModel",
    "InferenceClientModel",
    "LiteLLMModel",
    "LiteLLMRouterModel",
    "LlamaCppModel",
    "OpenAIModel",
    "TransformersModel",
)


class Answering(ScriptedModel):
    """Made like any model, whatever the arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(["Thought: I know it.\n<code>\nfinal_answer(42)\n</code>"], cycle=True)


def examples() -> list[Any]:
    return [
        pytest.param(match[1], id=f"{page.name}:{page.read_text('utf-8')[: match.start()].count(chr(10)) + 2}")
        for page in PAGES
        for match in BLOCK.finditer(page.read_text("utf-8"))
    ]


@pytest.mark.parametrize("code", examples())
def test_example_runs(
    code: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import smolagents.models.default

    monkeypatch.chdir(tmp_path)
    for folder in ("sales", "reports"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(smolagents.models.default, "default_model", Answering)
    for name in MODELS:
        monkeypatch.setattr(smolagents, name, Answering)
    agent = smolagents.CodeAgent([], model=Answering(), verbosity_level=-1)
    space: dict[str, Any] = {"agent": agent, "tasks": ["a", "b"], "model": Answering(), "__name__": "example"}
    compiled = compile(code, "<example>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, space)
    if inspect.isawaitable(result):
        asyncio.run(_wait(result))


async def _wait(awaitable: Any) -> None:
    await awaitable
