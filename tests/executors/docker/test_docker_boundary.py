"""What the container withholds from the code, and from others."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from smolagents.executors.remote.jupyter import JupyterKernel
from smolagents.executors.remote.jupyter_server import JupyterServerError

REACH = """
import socket
def reach(*address):
    try:
        with socket.create_connection(address, timeout=3):
            return "reached"
    except OSError as error:
        return type(error).__name__
"""


def status(executor):
    text = executor("open('/proc/self/status').read()").output
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def test_the_code_is_nobody_and_may_nothing(shared):
    found = status(shared)
    assert found["Uid"].split() == ["1000"] * 4
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(found[capabilities], 16) == 0
    assert found["NoNewPrivs"].strip() == "1"
    assert found["Seccomp"].strip() == "2"


def test_the_code_can_write_in_its_folders_and_nowhere_else(shared):
    source = """
import os
def writable(folder):
    path = os.path.join(folder, "probe")
    try:
        with open(path, "w") as file:
            file.write("x")
        os.unlink(path)
        return True
    except OSError:
        return False
[folder for folder in ("/", "/etc", "/usr/local/lib", "/home/agent", "/opt", "/opt/smolagents/packages", "/var/tmp",
                       "/run", "/proc/sys/kernel", "/sys/fs/cgroup", "/workspace", "/tmp", "/dev/shm", ".")
 if writable(folder)]
"""
    writable = set(shared(source).output)
    assert writable >= {"/workspace", "/tmp", "/dev/shm", "."}
    assert writable <= {
        "/workspace",
        "/tmp",
        "/dev/shm",
        ".",
        "/run",
        "/var/tmp",
    }  # Podman puts memory on the last two


def test_the_limits_are_those_that_were_asked_for(make):
    executor = make(memory="300m", cpus=0.5, pids_limit=60)
    config = executor.container.attrs["HostConfig"]
    assert (config["Memory"], config["MemorySwap"]) == (300 * 2**20, 300 * 2**20)
    assert (config["NanoCpus"], config["PidsLimit"]) == (5 * 10**8, 60)
    source = """
import threading
stop = threading.Event()
started = []
try:
    for _ in range(200):
        thread = threading.Thread(target=stop.wait)
        thread.start()
        started.append(thread)
    said = "no limit"
except RuntimeError as error:
    said = str(error)
finally:
    stop.set()
    for thread in started:
        thread.join()
(said, len(started) < 60)
"""
    assert executor(source).output == ("can't start new thread", True)
    assert executor("len(open('/workspace/big', 'wb').write(b'x' * 1) * [1])").output == 1
    source = "try:\n    open('/workspace/big', 'wb').write(bytes(200 * 2**20))\nexcept OSError as error:\n    said = error.strerror\nsaid"
    assert executor(source).output == "No space left on device"


def test_no_limits_can_be_had(make):
    executor = make(memory=None, cpus=None, pids_limit=None)
    config = executor.container.attrs["HostConfig"]
    assert (config["Memory"], config["NanoCpus"], max(config["PidsLimit"] or 0, 0)) == (0, 0, 0)
    assert executor("1").output == 1


def test_the_code_sees_nothing_of_the_hosts_environment(make, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    executor = make()
    assert "secret" not in executor("import os\nstr(dict(os.environ))").output


def test_the_gateway_wants_the_token(shared):
    for headers in ({}, {"Authorization": "token wrong"}, {"Authorization": "token "}):
        for method, path in (("GET", "/api"), ("GET", "/api/kernels"), ("POST", "/api/kernels")):
            request = urllib.request.Request(f"{shared.base_url}{path}", method=method, headers=headers)
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)
            caught.value.close()
            assert caught.value.code == 401
    kernel = shared._lease.kernel
    stranger = type(kernel.server)(shared.base_url, token="wrong")
    with pytest.raises(JupyterServerError, match=r"40[13]"):
        stranger.open_socket(kernel.kernel_id, "session")
    with pytest.raises(JupyterServerError, match="401"):
        JupyterKernel(shared.base_url, token="wrong")


def test_tokens_are_made_for_each_container(make, shared):
    assert make()._shared._token != shared._shared._token
    assert len(shared._shared._token) >= 40


def test_without_network_nothing_is_reached_but_the_container_itself(make, docker_client):
    executor = make(network=False)
    executor(REACH)
    host = docker_client.networks.get("bridge").attrs["IPAM"]["Config"][0].get("Gateway", "172.17.0.1")
    assert executor(f"[reach('1.1.1.1', 443), reach('{host}', 22)]").output == ["OSError", "OSError"]
    assert executor("reach('pypi.org', 443)").output == "gaierror"
    assert executor("reach('127.0.0.1', 8888)").output == "reached"
    assert executor("import os\nos.listdir('/sys/class/net')").output == ["lo"]
    executor.container.reload()
    assert not executor.container.attrs["NetworkSettings"]["Ports"]
    # And all that goes over the wire works without a network too.
    executor.send_variables({"data": b"x" * 2_000_000})
    executor.send_tools({"double": lambda value: value * 2})
    assert executor("len(double(data))").output == 4_000_000
    assert executor("data").output == b"x" * 2_000_000
    other = executor.session()
    assert other("1 + 1").output == 2
    other.cleanup()


def test_with_network_the_code_reaches_others(make, docker_client):
    """Another container stands for them, as there may be no network outside."""
    other = make()
    other("import socket\nlistener = socket.create_server(('0.0.0.0', 9999))")
    other.container.reload()
    address = (
        other.container.attrs["NetworkSettings"]["IPAddress"]
        or next(iter(other.container.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
    )
    executor = make()
    executor(REACH)
    assert executor(f"reach({json.dumps(address)}, 9999)").output == "reached"
