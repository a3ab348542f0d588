"""Whether what the wasm executor needs is on this machine.

`SMOLAGENTS_TEST_PYODIDE` may name the directory of a full Pyodide release. The tests then run with it, and those that
need numpy, pandas or pillow run too.
"""

from __future__ import annotations

import os

import pytest

from smolagents.executors.wasm.distribution import find_distribution
from smolagents.executors.wasm.process import find_deno

PYODIDE_DIR = os.environ.get("SMOLAGENTS_TEST_PYODIDE")


def lacks() -> dict[str, str]:
    """Packages that the conformance suite asks for and Pyodide's npm package does not bring."""
    reason = "it comes with a full release of Pyodide, which no package registry has"
    return {} if PYODIDE_DIR else {"numpy": reason, "pillow": reason}


def missing() -> str | None:
    """What is missing, and how to get it; None if nothing is."""
    try:
        find_deno()
        find_distribution(PYODIDE_DIR)
    except FileNotFoundError as error:
        return str(error)
    return None


def require() -> None:
    """Skip the test without it; fail in CI, where everything must run."""
    reason = missing()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
