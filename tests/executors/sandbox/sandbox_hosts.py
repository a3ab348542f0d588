from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

SOURCE = str(Path(__file__).parents[3] / "src")


def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until `condition` gives something true, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.005)


def descendants(pid: int | None = None) -> set[int]:
    """Processes below a process; zombies do not count."""
    found = set()
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if child.status() != psutil.STATUS_ZOMBIE:
                found.add(child.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Host(subprocess.Popen[str]):
    """A program that uses the sandbox, in a process of its own, with its own directory for temporary files."""

    def __init__(self, program: str, temporary: Path, **options: Any) -> None:
        self.temporary = temporary
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([SOURCE, *filter(None, sys.path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(temporary),
        }
        super().__init__(
            [options.pop("python", sys.executable), "-u", "-W", "error", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            **options,
        )

    def line(self) -> str:
        """The next line that it prints."""
        assert self.stdout is not None
        assert self.stderr is not None
        found = self.stdout.readline()
        if not found:
            pytest.fail(f"the host said nothing:\n{self.stderr.read()}")
        return found.strip()

    def leaves_nothing(self, pids: list[int]) -> None:
        """Check that none of its processes goes on, and that no file is left."""
        assert eventually(lambda: not any(alive(pid) for pid in pids)), [pid for pid in pids if alive(pid)]
        assert eventually(lambda: not os.listdir(self.temporary)), os.listdir(self.temporary)


def python_for_others() -> str:
    """An interpreter of this version that every user can run; skips the test if there is none."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (os.path.realpath(sys.executable), shutil.which(name, path="/usr/bin:/usr/local/bin")):
        if candidate and _can_be_reached(candidate):
            return candidate
    pytest.skip(f"no {name} here that other users can run")


def _can_be_reached(path: str) -> bool:
    return all(os.stat(parent).st_mode & 1 for parent in Path(path).parents) and bool(os.stat(path).st_mode & 1)
