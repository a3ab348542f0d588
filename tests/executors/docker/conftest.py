"""The Docker daemon that these tests use; without one they are skipped, or fail in CI, where they must run."""

from __future__ import annotations

import importlib.util
import os

import pytest

from smolagents.executors.remote.docker.owner import labels
from support import docker_backend, docker_daemon


@pytest.fixture(scope="session")
def jupyter_here():
    needed = ("websocket", "kernel_gateway", "jupyter_server", "ipykernel")
    missing = [module for module in needed if importlib.util.find_spec(module) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"the tests of Jupyter kernels must run in CI; not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.fixture(scope="session")
def docker_reason():
    return docker_daemon.unavailable()


@pytest.fixture
def docker_client(docker_reason):
    if docker_reason and os.environ.get("CI"):
        pytest.fail(f"the tests of DockerExecutor must run in CI: {docker_reason}")
    if docker_reason:
        pytest.skip(docker_reason)
    return docker_daemon.client()


def left(client):
    """What this process owns on the daemon, which others may use at the same time."""
    mine = {"label": [f"{name}={value}" for name, value in labels().items()]}
    found = [each["Id"] for each in client.api.containers(all=True, filters=mine)]
    return {*found, *(each["Name"] for each in client.api.volumes(filters=mine)["Volumes"] or ())}


@pytest.fixture
def make(docker_client):
    """Makes executors, which are cleaned up after the test; nothing must be left of them."""
    before = left(docker_client)
    made = []

    def make(*arguments, **settings):
        executor = docker_backend.make(*arguments, **settings)
        made.append(executor)
        return executor

    yield make
    for executor in made:
        executor.cleanup()
    assert left(docker_client) == before


@pytest.fixture(scope="module")
def shared(docker_reason):
    """An executor for tests that do no harm to it."""
    if docker_reason:
        pytest.skip(docker_reason)
    executor = docker_backend.make()
    yield executor
    executor.cleanup()
