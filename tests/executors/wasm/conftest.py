"""Executors of the wasm back-end, with the real Deno and the real Pyodide."""

from __future__ import annotations

import pytest

from smolagents.executors.wasm import WasmExecutor
from support import wasm_installation


@pytest.fixture(scope="session")
def installed():
    """Deno and Pyodide are there."""
    wasm_installation.require()


@pytest.fixture
def make(installed):
    """Makes executors that are cleaned up after the test."""
    made = []

    def make(imports=(), **settings):
        executor = WasmExecutor(list(imports), **settings)
        made.append(executor)
        return executor

    yield make
    for executor in made:
        executor.cleanup()


@pytest.fixture(scope="module")
def shared(installed):
    """An executor for tests that do no harm to it."""
    with WasmExecutor([]) as executor:
        yield executor
