"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from smolagents.models.catalogue import DEFAULT_MODEL, SMALL_MODEL, path_of


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
