"""What `ModalExecutor` says when the service, the sandbox or its settings are not as they should be."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import modal
import pytest
from grpclib import GRPCError, Status

from smolagents.executors.errors import SessionLostError
from smolagents.executors.remote.modal import ModalExecutor
from support.modal_sandbox import running

CREDENTIALS = r"MODAL_TOKEN_ID and MODAL_TOKEN_SECRET.*~/\.modal\.toml"


def test_no_credentials(service):
    """Told before anything is sent."""
    program = "from smolagents.executors.remote.modal import ModalExecutor\nModalExecutor([])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODAL_TOKEN")}
    environment["MODAL_SERVER_URL"] = "http://127.0.0.1:1"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environment)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: ModalExecutor needs credentials")
    assert "MODAL_TOKEN_ID and MODAL_TOKEN_SECRET" in last
    assert "~/.modal.toml" in last


def test_wrong_credentials(service):
    with modal.Client.from_credentials("ak-wrong", "as-wrong") as client:
        with pytest.raises(RuntimeError, match=rf"Token ID is malformed.*{CREDENTIALS}"):
            ModalExecutor([], create_kwargs={"client": client})


def test_the_service_is_not_reached(service):
    program = (
        "from smolagents.executors.remote import modal, modal_sandbox\n"
        "modal_sandbox.CALL_TIMEOUT = 0.5\n"
        "modal.ModalExecutor([])"
    )
    environment = {**os.environ, "MODAL_SERVER_URL": "http://127.0.0.1:1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environment)
    last = done.stderr.strip().splitlines()[-1]
    assert last == "RuntimeError: Modal, at http://127.0.0.1:1, cannot be reached: no answer within 0.5 s"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (GRPCError(Status.RESOURCE_EXHAUSTED, "your workspace is out of credits"), "out of credits"),
        (GRPCError(Status.PERMISSION_DENIED, "not a member of the environment"), "not a member"),
        (GRPCError(Status.UNIMPLEMENTED, "update your client"), "update your client"),
    ],
)
def test_the_service_refuses_a_sandbox(service, error, told):
    service.failures["SandboxCreateV2"] = [error]
    with pytest.raises(RuntimeError, match=f"Modal did not start the sandbox.*{told}"):
        ModalExecutor([])


def test_the_service_says_that_an_argument_is_wrong(service):
    service.failures["SandboxCreateV2"] = [GRPCError(Status.INVALID_ARGUMENT, "region 'moon' is not known")]
    with pytest.raises(ValueError, match="region 'moon' is not known"):
        ModalExecutor([], create_kwargs={"region": "moon"})


def test_no_tunnel(service):
    service.failures["SandboxGetTunnelsV2"] = [GRPCError(Status.NOT_FOUND, "no tunnels")]
    with pytest.raises(RuntimeError, match="no tunnel to the sandbox: no tunnels"):
        ModalExecutor([])
    assert not service.running


def test_a_package_that_cannot_be_installed(service):
    with pytest.raises(RuntimeError, match=r"Image build for im-\d+ failed[\s\S]*no-such-package"):
        ModalExecutor(["no-such-package"])
    assert not service.requests("SandboxCreateV2")


def test_an_image_without_a_gateway(service, generation):
    service.command = [sys.executable, "-c", "raise SystemExit('jupyter: not found')"]
    with pytest.raises(
        RuntimeError, match=r"exit code 1\.[\s\S]*must hold jupyter_kernel_gateway[\s\S]*jupyter: not found"
    ):
        ModalExecutor([], create_kwargs={"image": modal.Image.from_registry("my/image")})
    assert not service.running


def test_a_gateway_that_does_not_answer(service, monkeypatch):
    monkeypatch.setattr("smolagents.executors.remote.modal.READY_TIMEOUT", 1.5)
    service.command = [
        sys.executable,
        "-c",
        "import sys, time; print('busy', file=sys.stderr, flush=True); time.sleep(60)",
    ]
    with pytest.raises(RuntimeError, match=r"did not answer within 1\.5 s: .* 502 [\s\S]*printed last:\nbusy"):
        ModalExecutor([])
    assert not service.running
    assert not running(service.newest.process_ids)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"port": 0}, "port must be a number from 1 to 65535, not 0"),
        ({"port": "8888"}, "port must be a number from 1 to 65535, not '8888'"),
        ({"create_kwargs": {"unencrypted_ports": [8888]}}, r"port 8888 is in create_kwargs\['unencrypted_ports'\]"),
        ({"create_kwargs": {"h2_ports": [8888]}}, "8888"),
        ({"create_kwargs": {"block_network": True}}, "outbound_cidr_allowlist"),
        ({"create_kwargs": {"colour": "red"}}, "colour"),
        ({"create_kwargs": {"workdir": "relative"}}, "workdir must be an absolute path"),
        ({"create_kwargs": {"timeout": "long"}}, "timeout"),
        ({"app_name": "not a name"}, "Invalid App name: 'not a name'"),
    ],
)
def test_settings_that_cannot_be(service, arguments, told):
    with pytest.raises(ValueError, match=told):
        ModalExecutor([], **arguments)
    assert not service.requests("SandboxCreateV2")


def test_create_kwargs_must_be_a_mapping(service):
    with pytest.raises(TypeError, match="create_kwargs must be a dict"):
        ModalExecutor([], create_kwargs=["image"])


def test_secrets_are_not_shown_in_an_error(service):
    with pytest.raises(ValueError, match="colour") as caught:
        ModalExecutor([], create_kwargs={"colour": "red", "env": {"KEY": "my-secret"}})
    assert "my-secret" not in str(caught.value)


def test_sandboxes_that_are_ended_by_the_service(service):
    with ModalExecutor([], create_kwargs={"timeout": 900}) as executor:
        executor("lost = 1")
        executor.send_variables({"given": 2})
        first = service.newest
        executor.send_tools({"doom": lambda: threading.Thread(target=service.terminate, args=(first,)).start()})
        with pytest.raises(SessionLostError, match="the Modal sandbox was terminated") as caught:
            executor("import time\nprint('before')\ndoom()\ntime.sleep(60)")
        assert caught.value.lost == ("lost",)
        assert caught.value.logs == "before\n"
        output = executor("given")
        assert output.output == 2
        assert "lost" in output.logs
        assert service.newest is not first
        service.expire(service.newest)
        with pytest.raises(
            SessionLostError, match=r"its time was up \(timeout=900, idle_timeout=1800 in create_kwargs"
        ):
            executor("1")
    assert not service.running


def test_calls_that_fail_for_a_moment_and_for_good(service, caplog):
    service.failures["SandboxCreateV2"] = [GRPCError(Status.UNAVAILABLE, "try again")]
    service.failures["SandboxGetTunnelsV2"] = [GRPCError(Status.INTERNAL, "try again")]
    executor = ModalExecutor([])
    assert executor("1 + 1").output == 2
    assert len(service.requests("SandboxCreateV2")) == 2
    service.failures["SandboxTerminateV2"] = [GRPCError(Status.PERMISSION_DENIED, "not yours")]
    executor.cleanup()
    assert "could not be terminated: PermissionDeniedError: not yours" in caplog.text
    service.terminate(service.newest)
