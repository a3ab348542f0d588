"""Containers whose owner is gone are removed by the next executor; those of the living are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from smolagents.executors.remote.docker.owner import labels, reap
from support import docker_daemon

TESTS = docker_daemon.__file__.rpartition("/support/")[0]
OWNER = """
import sys
from support import docker_backend
executor = docker_backend.make()
print(executor.container.id, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def owner(docker_client):
    """Another process that owns a container."""
    docker_daemon.images()
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER], cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process.container = process.stdout.readline().strip()
    assert process.container
    yield process
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


def is_there(client, container_id):
    return bool(client.api.containers(all=True, filters={"id": container_id}))


def test_an_owner_that_was_killed_has_its_container_removed_by_the_next_executor(make, docker_client, owner):
    first = make()
    assert is_there(docker_client, owner.container)  # its owner lives
    mounts = docker_client.containers.get(owner.container).attrs["Mounts"]
    volumes = {mount["Name"] for mount in mounts if mount["Type"] == "volume"}
    assert volumes <= {volume.id for volume in docker_client.volumes.list()}
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    assert is_there(docker_client, owner.container)
    make()
    assert not is_there(docker_client, owner.container)
    assert volumes.isdisjoint(volume.id for volume in docker_client.volumes.list())
    assert first("1 + 1").output == 2


@pytest.fixture
def labelled(docker_client):
    """Makes containers that do nothing, with labels."""
    made = []

    def make(owner, *, run=True):
        container = docker_client.containers.create(
            docker_daemon.images()[0],
            ["sleep", "600"] if run else ["sh", "-c", "exit 0"],
            labels={"smolagents.executor": "docker", "smolagents.owner": owner},
            network_mode="none",
        )
        made.append(container)
        container.start()
        if not run:
            container.wait()
        return container.id

    yield make
    for container in made:
        if is_there(docker_client, container.id):
            container.remove(force=True, v=True)


def test_who_is_gone_and_who_only_cannot_be_seen(docker_client, labelled):
    mine = labels()["smolagents.owner"]
    place, pid, start = mine.rsplit("/", 2)
    boot, _, namespace = place.partition("/")
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    gone = [
        labelled(f"{place}/{done.pid}/12345"),  # no such process
        labelled(f"{place}/{pid}/{int(start) - 1}"),  # its number is another process's now
        labelled(f"another-boot/{namespace}/{pid}/{start}", run=False),  # cannot be seen, but has ended
    ]
    kept = [
        labelled(mine),
        labelled(f"another-boot/{namespace}/{pid}/1"),  # of another machine
        labelled(f"{boot}/pid:[1]/{done.pid}/1"),  # of another process namespace
        labelled("not a label of ours"),
        labelled(""),
    ]
    reap(docker_client)
    assert [is_there(docker_client, each) for each in gone] == [False] * len(gone)
    assert [is_there(docker_client, each) for each in kept] == [True] * len(kept)


def test_a_volume_that_was_left_by_its_container_is_removed_with_its_owner_gone(docker_client):
    place, pid, start = labels()["smolagents.owner"].rsplit("/", 2)
    names = {}
    for owner in (f"{place}/{pid}/{start}", f"{place}/{pid}/{int(start) - 1}", f"another/{place}/{pid}/1"):
        marked = {"smolagents.executor": "docker", "smolagents.owner": owner}
        names[owner] = docker_client.volumes.create(labels=marked).id
    reap(docker_client)
    there = {volume.id for volume in docker_client.volumes.list()}
    assert [name in there for name in names.values()] == [True, False, True]
    for name in there.intersection(names.values()):
        docker_client.volumes.get(name).remove()


def test_a_fork_of_the_process_does_not_remove_its_container(make, docker_client):
    executor = make()
    pid = os.fork()
    if pid == 0:
        try:
            executor._shared.release()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert executor("1 + 1").output == 2
    assert is_there(docker_client, executor.container.id)
