"""A tiny local model, a real server that answers with it, and tools to call."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolagents.models import LlamaCppModel
from support.model_helpers import FakeTool, serve
from support.tiny_gguf import write_tiny_gguf


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def tiny_model(tiny_gguf: Path) -> LlamaCppModel:
    return LlamaCppModel(tiny_gguf, n_threads=1, n_ctx=2048, max_tokens=48)


@pytest.fixture(scope="session")
def tiny_server(tiny_gguf: Path):
    server = serve(tiny_gguf)
    yield server.listening_address + "/v1"
    del server


@pytest.fixture
def weather() -> FakeTool:
    return FakeTool(
        "get_weather",
        "The weather of a city.",
        {
            "city": {"type": "string", "description": "Which city.", "enum": ["Paris", "Rome"]},
            "days": {"type": "integer", "description": "How many.", "nullable": True, "enum": [1, 2]},
        },
    )


@pytest.fixture
def final_answer() -> FakeTool:
    return FakeTool("final_answer", "Answers.", {"answer": {"type": "boolean", "description": "The answer."}})
