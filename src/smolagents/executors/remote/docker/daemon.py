"""Finding the Docker daemon, and saying what to do when it cannot be used."""

from __future__ import annotations

import os
import socket
from typing import Any

from smolagents._imports import require

__all__ = ["explained", "open_client"]

CLIENT_TIMEOUT = 120
"""Seconds that the daemon may take for an answer. Removing a container waits for its disk; 60 is Docker's own."""
_DEFAULT_SOCKET = "/var/run/docker.sock"


def open_client() -> Any:
    """A client of the daemon that `DOCKER_HOST`, else the current Docker context, else the default socket leads to.

    Raises:
        MissingExtraError: the `docker` package is not installed.
        RuntimeError: the daemon cannot be reached; the text says why and what to do.
    """
    docker = require("docker", extra="docker", needed_for="DockerExecutor")
    where = os.environ.get("DOCKER_HOST") or _host_of_context(docker) or f"unix://{_DEFAULT_SOCKET}"
    client = None
    try:
        if where.startswith("unix://"):
            _probe(where.removeprefix("unix://"))
        if os.environ.get("DOCKER_HOST"):
            client = docker.DockerClient.from_env(timeout=CLIENT_TIMEOUT)
        else:
            client = docker.DockerClient(base_url=where, timeout=CLIENT_TIMEOUT)
        client.ping()
    except Exception as error:  # the SDK lets requests' and urllib3's through
        if client is not None:
            client.close()
        raise RuntimeError(_why(where, error)) from error
    return client


def explained(error: Exception) -> str:
    """What the daemon said, without the SDK's address and status around it."""
    return str(getattr(error, "explanation", None) or error).strip()


def _probe(path: str) -> None:
    """Connect once: the SDK leaves its socket open when that fails."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CLIENT_TIMEOUT)
        probe.connect(path)


def _host_of_context(docker: Any) -> str | None:
    """Docker Desktop, Colima and rootless Docker set a context rather than the default socket."""
    if os.path.exists(_DEFAULT_SOCKET):
        return None
    try:
        host = docker.ContextAPI.get_current_context().Host
    except Exception:  # no or broken configuration of the docker command
        return None
    return host if isinstance(host, str) and host else None


def _why(where: str, error: Exception) -> str:
    reasons = " ".join(str(reason) for reason in _chain(error))
    if any(isinstance(reason, PermissionError) for reason in _chain(error)) or "Permission denied" in reasons:
        return (
            f"DockerExecutor may not use the Docker daemon at {where}: permission denied. "
            "Add your user to its group (sudo usermod -aG docker $USER, then log in again), or run Docker rootless "
            "and set DOCKER_HOST to its socket."
        )
    gone = (FileNotFoundError, ConnectionRefusedError)
    if any(isinstance(reason, gone) for reason in _chain(error)) or "No such file" in reasons or "refused" in reasons:
        return (
            f"DockerExecutor needs a running Docker daemon, and there is none at {where}. "
            "Start it (Docker Desktop, or: sudo systemctl start docker), or set DOCKER_HOST to where it is; "
            "Podman's socket works too (podman system service)."
        )
    return f"DockerExecutor cannot use the Docker daemon at {where}: {error}"


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    pending: list[Any] = [error]
    while pending and len(found) < 20:
        reason = pending.pop()
        if isinstance(reason, BaseException) and reason not in found:
            found.append(reason)
            pending += [reason.__cause__, reason.__context__, getattr(reason, "reason", None), *reason.args]
    return found
