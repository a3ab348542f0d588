"""The local stand-in for Modal that these tests talk to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import modal_backend

reason = modal_backend.unavailable()
if reason and os.environ.get("CI"):
    raise RuntimeError(f"the tests of ModalExecutor must run in CI: {reason}")
if not reason:
    modal_backend.import_sdk()


class Unavailable(pytest.Module):
    """In place of a module that cannot be imported here."""

    def collect(self) -> None:
        pytest.skip(str(reason), allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return Unavailable.from_parent(parent, path=module_path) if reason else None


@pytest.fixture
def service() -> Iterator[Any]:
    """The service; after the test, what the test started on it must be gone."""
    service = modal_backend.service()
    before = set(service.sandboxes)
    service.calls.clear()
    yield service
    service.failures.clear()
    service.command = None
    left = [sandbox for name, sandbox in service.sandboxes.items() if name not in before and sandbox.result is None]
    for sandbox in left:
        service.terminate(sandbox)
    assert not left, "a sandbox was left behind"


@pytest.fixture(params=["second", "first"])
def generation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which of its two sets of calls for sandboxes the SDK uses."""
    monkeypatch.setenv("MODAL_SANDBOX_V2", "1" if request.param == "second" else "0")
    return str(request.param)
