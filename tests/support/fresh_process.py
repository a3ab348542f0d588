"""A Python process of its own, for what must not have seen the modules of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def fresh_python(tmp_path: Path) -> Callable[..., str]:
    """Run a program in a process of its own, which has seen none of the modules of the tests."""

    def run(program: str, *arguments: Any, check: bool = True, **variables: str) -> str:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
        environment |= {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_PROGRESS_BARS": "1", **variables}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
            env=environment,
        )
        if check and done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout if not done.returncode else done.stderr

    return run
