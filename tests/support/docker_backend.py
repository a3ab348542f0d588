"""`DockerExecutor` on an image made of what is on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from support import docker_daemon


def unavailable() -> str | None:
    """Why it cannot be used here; None if it can."""
    return docker_daemon.unavailable()


def make(imports: Sequence[str] = (), timeout_seconds: float | None = 30.0, **settings: Any) -> Any:
    from smolagents.executors.remote.docker import DockerExecutor

    settings = {"image_name": docker_daemon.images()[1], "build_new_image": False, **settings}
    return DockerExecutor(list(imports), timeout_seconds=timeout_seconds, **settings)
