from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sandbox_hosts import Host

from smolagents.executors.sandbox.confine import probe

HERE = str(Path(__file__).parent)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = probe().missing
    if not missing:
        return
    # Where it can be had it must be: continuous integration does not skip.
    reason = f"no sandbox here: {missing[0].why}"
    if os.environ.get("CI"):
        return
    for item in items:
        if str(item.path).startswith(HERE) and "confine" not in item.path.parts:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Makes executors, which are cleaned up after the test."""
    from smolagents.executors.sandbox import SandboxExecutor

    made: list[SandboxExecutor] = []

    def make_one(*args: Any, **options: Any) -> SandboxExecutor:
        executor = SandboxExecutor(*(args or ([],)), **options)
        executor.send_tools({"final_answer": lambda answer: answer})
        made.append(executor)
        return executor

    yield make_one
    for executor in made:
        executor.cleanup()


@pytest.fixture
def everything(make: Callable[..., Any]) -> Any:
    """An executor whose code may import everything: only the kernel is in its way."""
    return make(["*"])


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Starts host programs."""
    started: list[Host] = []

    def start(program: str, **options: Any) -> Host:
        temporary = tmp_path / f"temporary{len(started)}"
        temporary.mkdir()
        if "user" in options:
            os.chmod(temporary, 0o777)
        process = Host(program, temporary, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
