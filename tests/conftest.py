"""What all tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolagents.models.catalogue import DEFAULT_MODEL, SMALL_MODEL, path_of


@pytest.fixture(autouse=True)
def no_traces_of_earlier_agents() -> Iterator[None]:
    """An agent's `trace_dir` is followed for as long as the process lives; the next test begins without."""
    yield
    trace_files = sys.modules.get("smolagents.monitoring.trace_files")
    if trace_files is not None:
        from smolagents.monitoring.tracing import remove_tracer

        for tracer in trace_files._of_agents.values():
            remove_tracer(tracer)
            tracer.close()
        trace_files._of_agents.clear()


def fetched_model(name: str) -> Path:
    """The file of a local model; without it, the test is skipped, or fails in CI, where everything must run."""
    path = path_of(name)
    if path is None:
        reason = f"the local model {name} is not here; fetch it with: make models"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def small_model_path() -> Path:
    """The file of the small local model. A test that uses it is marked `model`."""
    return fetched_model(SMALL_MODEL)


@pytest.fixture(scope="session")
def default_model_path() -> Path:
    """The file of the default local model. A test that uses it is marked `model`."""
    return fetched_model(DEFAULT_MODEL)
