"""A Docker daemon for tests: the one that runs here, else one that is started for as long as the tests run.

Starting one takes root and Debian's package `docker.io`, or another that brings `dockerd`.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

NEEDED = ("docker", "websocket", "kernel_gateway", "ipykernel")
SOCKET = "/var/run/docker.sock"
START_SECONDS = 60


@cache
def unavailable() -> str | None:
    """Why there is no daemon that containers can be started with; None if there is one."""
    missing = [module for module in NEEDED if importlib.util.find_spec(module) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if _answers():
        return None
    if os.environ.get("DOCKER_HOST"):
        return f"no daemon answers at DOCKER_HOST={os.environ['DOCKER_HOST']}"
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        return "no Docker daemon runs, and only root can start one, with dockerd installed (Debian: docker.io)"
    return _start()


@cache
def client() -> Any:
    """A client that lives as long as the tests."""
    import docker

    found = docker.from_env(timeout=120)
    atexit.register(found.close)
    return found


@cache
def images() -> tuple[str, str]:
    """Names of the base image and of the kernel image."""
    from support.docker_image import test_images

    return test_images(client())


def _answers() -> bool:
    import docker

    where = os.environ.get("DOCKER_HOST") or f"unix://{SOCKET}"
    if where.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:  # the SDK leaves its own open when nobody answers
            if probe.connect_ex(where.removeprefix("unix://")):
                return False
    try:
        asked = docker.from_env(timeout=5)
    except docker.errors.DockerException:
        return False
    try:
        return bool(asked.ping())
    except Exception:  # requests' and urllib3's
        return False
    finally:
        asked.close()


def _start() -> str | None:
    log = Path(tempfile.gettempdir(), "dockerd.log")
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            ["dockerd", "-H", f"unix://{SOCKET}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    atexit.register(_stop, daemon)
    deadline = time.monotonic() + START_SECONDS
    while not _answers():
        if daemon.poll() is not None or time.monotonic() > deadline:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
            return f"dockerd does not start, or not within {START_SECONDS} s: {end}"
        time.sleep(0.1)
    return None


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(30)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
