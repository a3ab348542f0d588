"""`ModalExecutor` on a local stand-in for the service, which lives as long as the tests."""

from __future__ import annotations

import atexit
import importlib.util
import os
import tempfile
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any


def unavailable() -> str | None:
    """Why it cannot be used here; None if it can."""
    needed = ("modal_proto", "kernel_gateway", "ipykernel", "websocket", "trustme", "psutil")
    missing = [module for module in needed if importlib.util.find_spec(module) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def import_sdk() -> None:
    """Import the SDK, which warns once of what it will not support in future: this Python, when it is 3.10."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*Python 3\.10 is EOL")
        import modal  # noqa: F401


@cache
def service() -> Any:
    """The running service. The environment of this process leads to it from now on."""
    from support.modal_service import ModalService
    from support.wheels import write_wheel

    import_sdk()
    packages = Path(tempfile.mkdtemp(prefix="modal-packages-"))
    write_wheel(packages, "tinypackage", "VALUE = 42\n")
    write_wheel(packages, "otherpackage", "VALUE = 43\n")
    started = ModalService(packages)
    started.__enter__()
    atexit.register(started.__exit__)
    os.environ.update(started.environment)
    return started


def make(imports: Sequence[str] = (), timeout_seconds: float | None = 30.0) -> Any:
    from smolagents.executors.remote.modal import ModalExecutor

    service()
    return ModalExecutor(list(imports), timeout_seconds=timeout_seconds)
