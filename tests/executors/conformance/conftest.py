"""Fixtures of the conformance suite, and the table of its results."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from .backends import BACKENDS, unavailable

_shared = {}
_results: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)


def pytest_generate_tests(metafunc):
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", sorted(BACKENDS), indirect=True, scope="package")


@pytest.fixture(scope="package")
def backend(request):
    return BACKENDS[request.param]


@pytest.fixture
def needed(request, backend):
    reason = unavailable(backend)
    if reason:
        pytest.skip(f"{backend.name}: {reason}")
    for mark in request.node.iter_markers("needs"):
        for capability in mark.args:
            if capability in backend.lacks:
                pytest.skip(f"{backend.name} lacks {capability}: {backend.lacks[capability]}")


@pytest.fixture
def make(backend, needed):
    """Makes executors that are cleaned up after the test."""
    made = []

    def make(**settings):
        executor = backend.make(**settings)
        made.append(executor)
        return executor

    yield make
    for executor in made:
        executor.cleanup()


@pytest.fixture(scope="package")
def _keep():
    yield  # not for longer: other tests look whether anything is left of their own
    for executor in _shared.values():
        executor.cleanup()
    _shared.clear()


@pytest.fixture
def executor(backend, needed, _keep, make):
    """An executor for tests that do no harm to it. It may have served other tests."""
    if not backend.shared:
        return make()
    found = _shared.get(backend.name)
    if found is None:
        found = _shared[backend.name] = backend.make()
    return found


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    params = getattr(getattr(item, "callspec", None), "params", {})
    if "backend" in params and (report.when == "call" or report.outcome != "passed"):
        subject = getattr(item.module, "SUBJECT", item.module.__name__)
        counts = _results[params["backend"]].setdefault(subject, {})
        counts[report.outcome] = counts.get(report.outcome, 0) + 1


def pytest_sessionfinish(session):
    path = os.environ.get("SMOLAGENTS_CONFORMANCE_REPORT")
    if path:
        Path(path).write_text(json.dumps(_results, indent=2, sort_keys=True))
