"""Starting containers with `DockerExecutor`: images, ports, settings, and what is said when it does not work."""

from __future__ import annotations

import os
import re
import socket
import sys

import pytest

from smolagents.executors.remote.docker import DockerExecutor
from smolagents.executors.remote.docker.image import shipped_dockerfile
from smolagents.types.errors import MissingExtraError
from support import docker_daemon
from support.docker_image import dockerfile_on
from support.jupyter_gateway import free_port


class Log:
    def __init__(self):
        self.lines = []

    def log(self, text, level=1):
        self.lines.append(text)


@pytest.fixture
def image_name(docker_client):
    """A name for an image that is removed after the test."""
    name = f"smolagents-test-of-{os.getpid()}"
    yield name
    if any(name in tag for image in docker_client.images.list() for tag in image.tags):
        docker_client.images.remove(name, force=True)


def failure(kind=RuntimeError, **settings):
    with pytest.raises(kind) as caught:
        DockerExecutor([], None, **settings)
    return str(caught.value)


def kernel_image(**settings):
    return {"image_name": docker_daemon.images()[1], "build_new_image": False, **settings}


# Images


def test_the_image_is_built_from_the_dockerfile_that_is_given(docker_client, image_name, make):
    content = dockerfile_on(docker_daemon.images()[0]) + 'ENV GREETING="built for this"\n'
    log = Log()
    executor = make(image_name=image_name, build_new_image=True, dockerfile_content=content, logger=log)
    assert executor("import os\nos.environ['GREETING']").output == "built for this"
    assert any("Building" in line for line in log.lines)
    executor.cleanup()
    # It is there now, so it need not be built again.
    log = Log()
    executor = make(image_name=image_name, build_new_image=False, logger=log)
    assert executor("import os\nos.environ['GREETING']").output == "built for this"
    assert not any("Building" in line for line in log.lines)


def test_an_image_that_can_be_built_is_built_when_it_is_not_there(docker_client, image_name, make):
    content = dockerfile_on(docker_daemon.images()[0])
    executor = make(image_name=image_name, build_new_image=False, dockerfile_content=content)
    assert executor("1 + 1").output == 2


def test_the_shipped_dockerfile_names_ranges_and_no_root():
    text = shipped_dockerfile()
    assert re.search(r"^FROM python:3\.\d+-slim$", text, re.MULTILINE)
    assert re.search(r'"jupyter_kernel_gateway>=[\d.]+,<\d+" "ipykernel>=[\d.]+,<\d+"', text)
    assert "USER agent" in text
    assert "TOKEN=" not in text


def test_an_image_that_is_not_there_is_told_with_the_remedy(docker_client):
    said = failure(image_name="no/such-image", build_new_image=False)
    assert "'no/such-image' is not there" in said
    assert "docker pull no/such-image" in said
    assert "build_new_image=True" in said


def test_a_build_that_fails_shows_the_end_of_its_log(docker_client, image_name):
    content = f"FROM {docker_daemon.images()[0]}\nRUN echo about to fail && exit 7\n"
    said = failure(image_name=image_name, dockerfile_content=content)
    assert "failed" in said
    assert "about to fail" in said
    assert re.search(r"code: 7|status 7", said)


def test_a_dockerfile_that_is_none_is_told(docker_client, image_name):
    said = failure(image_name=image_name, dockerfile_content="HELLO world\n")
    assert re.search(r"unknown instruction: HELLO|no FROM", said)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ('["no-such-command"]', "does not hold the command"),
        ('["python", "-c", "print(\'it is late\'); raise SystemExit(3)"]', r"exit code 3 [\s\S]*it is late"),
    ],
)
def test_an_image_without_gateway_is_told(docker_client, image_name, command, message):
    content = f"FROM {docker_daemon.images()[0]}\nCMD {command}\n"
    assert re.search(message, failure(image_name=image_name, dockerfile_content=content))
    assert not [found for found in docker_client.containers.list(all=True) if image_name in str(found.image.tags)]


def test_a_gateway_that_does_not_come_up_in_time_is_told_with_its_log(docker_client, image_name, monkeypatch):
    monkeypatch.setattr("smolagents.executors.remote.docker.container.READY_TIMEOUT", 1.0)
    content = (
        f"FROM {docker_daemon.images()[0]}\n"
        'CMD ["python", "-uc", "import time; print(\'thinking\'); time.sleep(600)"]\n'
    )
    said = failure(image_name=image_name, dockerfile_content=content)
    assert "did not come up" in said
    assert "thinking" in said


# Addresses


def test_the_gateway_listens_on_the_loopback_interface_alone_at_a_free_port(shared, docker_client):
    shared.container.reload()
    published = shared.container.attrs["NetworkSettings"]["Ports"]["8888/tcp"]
    assert {entry["HostIp"] for entry in published} == {"127.0.0.1"}
    port = int(published[0]["HostPort"])
    assert shared.base_url == f"http://127.0.0.1:{port}"
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks which address of this machine it would use
            address = probe.getsockname()[0]
        except OSError:
            return  # this machine has no other address
    with pytest.raises(OSError, match=r"refused|timed out"):
        socket.create_connection((address, port), timeout=5)


def test_a_port_that_is_named_is_used_and_one_that_is_taken_is_told(docker_client, make):
    port = free_port()
    executor = make(host="localhost", port=port)
    assert executor.base_url == f"http://127.0.0.1:{port}"
    assert executor("1").output == 1
    assert re.search(rf"port {port} of 127\.0\.0\.1 is taken", failure(port=port, **kernel_image()))


def test_an_address_that_is_not_of_this_machine_is_told(docker_client):
    said = failure(host="192.0.2.1", port=free_port(), **kernel_image())
    assert "192.0.2.1" in said
    assert "cannot be started" in said


# Settings


def test_the_users_arguments_win(make, tmp_path):
    (tmp_path / "note").write_text("from outside")
    tmp_path.chmod(0o755)
    executor = make(
        container_run_kwargs={
            "environment": {"WORD": "abc", "KG_AUTH_TOKEN": "mine", "PYTHONPATH": "/data"},
            "volumes": {str(tmp_path): {"bind": "/data", "mode": "ro"}},
            "labels": ["mine"],
            "tmpfs": {"/extra": "mode=1777"},
            "mem_limit": "300m",
            "pids_limit": 77,
            "hostname": "box",
            "detach": True,
        }
    )
    output = executor(
        "import os, socket, sys\n"
        "open('/extra/x', 'w').close()\n"
        "(os.environ['WORD'], open('/data/note').read(), socket.gethostname(), '/data' in sys.path)"
    ).output
    assert output == ("abc", "from outside", "box", True)
    executor.container.reload()
    config = executor.container.attrs["HostConfig"]
    assert (config["Memory"], config["PidsLimit"]) == (300 * 2**20, 77)
    assert "mine" in executor.container.labels
    assert executor._shared._token == "mine"


def test_the_hosts_network_can_be_used(make):
    port = free_port()
    executor = make(container_run_kwargs={"network_mode": "host", "environment": {"KG_PORT": str(port)}})
    assert executor("1 + 1").output == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memory": "lots"}, r'memory must be a size such as "512m" or "4g", or None for no limit, not \'lots\''),
        ({"memory": 0}, "memory must be a size"),
        ({"memory": "-1g"}, "memory must be a size"),
        ({"cpus": 0}, "cpus must be more than 0"),
        ({"pids_limit": -5}, "pids_limit must be more than 0"),
        ({"port": 70000}, "port must be a number from 1 to 65535, not 70000"),
        ({"timeout_seconds": 0}, "timeout_seconds must be more than 0"),
        ({"network": False, "container_run_kwargs": {"ports": {}}}, r"network=False contradicts .*'ports'"),
    ],
)
def test_settings_that_make_no_sense_are_told_before_anything_is_started(settings, message):
    assert re.search(message, failure(ValueError, **settings))


def test_arguments_that_docker_does_not_know_are_told(docker_client):
    said = failure(ValueError, **kernel_image(container_run_kwargs={"colour": "red"}))
    assert "container_run_kwargs" in said
    assert "colour" in said


def test_arguments_that_are_no_dict_are_told():
    assert "must be a dict" in failure(TypeError, container_run_kwargs=["--privileged"])
    with pytest.raises(TypeError, match="must be a list of names"):
        DockerExecutor("numpy", None)


# The daemon


def test_no_daemon_is_told_with_the_remedy(monkeypatch, tmp_path):
    pytest.importorskip("docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    said = failure()
    assert f"there is none at unix://{tmp_path}/none.sock" in said
    assert "systemctl start docker" in said
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{free_port()}")
    assert "there is none at tcp://127.0.0.1" in failure()
    monkeypatch.setenv("DOCKER_HOST", "carrier-pigeon://")
    assert "carrier-pigeon" in failure()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_daemon_that_may_not_be_used_is_told_with_the_remedy(monkeypatch, tmp_path):
    pytest.importorskip("docker")
    path = f"/tmp/smolagents-{os.getpid()}.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen()
        failure_as_root = None
        os.seteuid(65534)
        try:
            failure_as_root = failure()
        finally:
            os.seteuid(0)
            os.unlink(path)
    assert "permission denied" in failure_as_root
    assert "usermod -aG docker" in failure_as_root


def test_a_missing_package_is_told_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "docker", None)
    assert "pip install 'smolagents[docker]'" in failure(MissingExtraError)
