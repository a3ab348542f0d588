"""A real model server, tools to call, and messages, for tests of models."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smolagents.models.llama_engine import binding

KEY = "sesame"


def serve(path: Path, n_threads: int = 1) -> Any:
    """A real OpenAI-compatible server on a port of this machine. It serves as long as the object lives."""
    xllamacpp = binding()
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 2048
    params.warmup = False
    params.verbosity = -1
    params.no_extra_bufts = True
    params.cpuparams.n_threads = n_threads
    params.cpuparams_batch.n_threads = n_threads
    params.api_keys = [KEY]
    return xllamacpp.Server(params)


@dataclass
class FakeTool:
    """What models need to know of a tool."""

    name: str
    description: str = "Does something."
    inputs: dict[str, Any] = field(default_factory=dict)
    output_type: str = "string"


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]
