"""`ModalExecutor` through the real SDK, against a local server that speaks the service's wire protocol.

The server answers the SDK's gRPC calls; its sandboxes are processes of this machine that run a real Jupyter Kernel
Gateway behind a TLS tunnel. The service itself is not reached, so what is seen here is that the executor and the SDK
work together, not what a sandbox of the service withholds from the code.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time

import modal
import pytest

from smolagents.executors.errors import ExecutionInterruptedError, ExecutionTimeoutError, InterpreterError
from smolagents.executors.remote.modal import ModalExecutor
from smolagents.monitoring import AgentLogger, LogLevel
from support.modal_sandbox import running


@pytest.fixture(scope="module")
def shared():
    from support import modal_backend

    executor = modal_backend.make()
    yield executor
    sandbox = modal_backend.service().newest
    executor.cleanup()
    assert not running(sandbox.process_ids)


def test_a_session_from_start_to_end(service, generation):
    with ModalExecutor([], None) as executor:
        sandbox = service.newest
        assert executor.sandbox.object_id == sandbox.sandbox_id
        assert executor("x = 20\nprint('hello')\nx + 1") == executor.run_code_raise_errors("print('hello')\nx + 1")
        executor.send_variables({"given": {"a": (1, 2)}})
        executor.send_tools({"double": lambda value: 2 * value, "final_answer": lambda answer: answer})
        assert executor("double(given['a'][1])").output == 4
        output = executor("final_answer({'total': double(x)})\nprint('not reached')")
        assert (output.output, output.is_final_answer, output.logs) == ({"total": 40}, True, "")
        with pytest.raises(InterpreterError, match=r"Line 2[\s\S]*ZeroDivisionError: division by zero"):
            executor("y = 0\n1 / y")
        assert executor("x").output == 20
        assert service.running
    assert sandbox.result.status
    assert not running(sandbox.process_ids)
    version = "V2" if generation == "second" else ""
    assert len(service.requests(f"SandboxCreate{version}")) == len(service.requests(f"SandboxTerminate{version}")) == 1


def test_sessions_used_by_threads_are_apart(service):
    """And what their sandboxes are asked for."""
    outputs = {}

    def use(number, start):
        with start() as executor:
            assert (executor.app_name, executor.port, executor.timeout_seconds) == ("my-app", 9999, 50)
            executor(f"mine{number} = {number}")
            started.wait(20)
            outputs[number] = executor("sorted(name for name in globals() if name.startswith('mine'))").output

    started = threading.Barrier(2)
    executor = ModalExecutor([], None, "my-app", 9999, timeout_seconds=50)
    threads = [
        threading.Thread(target=use, args=(number, start))
        for number, start in enumerate([lambda: executor, executor.session])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outputs == {0: ["mine0"], 1: ["mine1"]}
    assert [request.app_name for request in service.requests("AppGetOrCreate")] == ["my-app", "my-app"]
    requests = service.requests("SandboxCreateV2")
    tokens = [request.secret_sources[0].env.contents["KG_AUTH_TOKEN"] for request in requests]
    assert len(set(tokens)) == 2
    for request, token in zip(requests, tokens, strict=True):
        assert len(token) > 30
        assert request.app_id == "ap-my-app"
        definition = request.definition
        assert [(spec.port, spec.unencrypted) for spec in definition.open_ports.ports] == [(9999, False)]
        assert (definition.timeout_secs, definition.idle_timeout_secs) == (24 * 3600, 1800)
        assert not any(token in argument for argument in definition.entrypoint_args)
        image = service.images[definition.image_id]
        assert any("jupyter_kernel_gateway" in command for command in image.dockerfile_commands)


def test_the_users_settings_win(service):
    create_kwargs = {
        "timeout": 600,
        "cpu": 2.0,
        "memory": 512,
        "encrypted_ports": [5000],
        "secrets": [modal.Secret.from_dict({"MY_KEY": "my-value"})],
        "image": modal.Image.from_registry("my/image"),
        "name": "my-sandbox",
        "workdir": "/",
        "outbound_cidr_allowlist": [],
        "environment_name": "staging",
    }
    with ModalExecutor([], create_kwargs=create_kwargs) as executor:
        assert executor("import os\nos.environ['MY_KEY']").output == "my-value"
    definition = service.requests("SandboxCreateV2")[0].definition
    assert definition.timeout_secs == 600
    assert definition.idle_timeout_secs == 1800
    assert (definition.resources.milli_cpu, definition.resources.memory_mb) == (2000, 512)
    assert [spec.port for spec in definition.open_ports.ports] == [5000, 8888]
    assert definition.name == "my-sandbox"
    image = service.images[definition.image_id]
    assert image.dockerfile_commands[0] == "FROM my/image"
    assert service.requests("AppGetOrCreate")[0].environment_name == "staging"


def test_an_app_of_ones_own(service):
    app = modal.App.lookup("another-app", environment_name="staging", create_if_missing=True)
    service.command = ["false"]
    with pytest.raises(RuntimeError):
        ModalExecutor([], create_kwargs={"app": app})
    assert [request.app_id for request in service.requests("SandboxCreateV2")] == ["ap-another-app"]
    assert len(service.requests("AppGetOrCreate")) == 1


def test_values_of_two_megabytes_cross(shared):
    text = "é" * 1_000_000
    shared.send_variables({"text": text})
    output = shared("print('-' * 100)\ntext + '!'")
    assert output.output == text + "!"


def test_a_tool_that_fails_is_an_exception_in_the_code(shared):
    def fail():
        raise LookupError("nothing found")

    shared.send_tools({"fail": fail})
    code = "try:\n    fail()\nexcept LookupError as error:\n    caught = str(error)\ncaught"
    assert shared(code).output == "nothing found"
    with pytest.raises(InterpreterError, match="LookupError: nothing found"):
        shared("fail()")


def test_a_time_limit_keeps_the_session(shared, monkeypatch):
    shared("kept = 1")
    monkeypatch.setattr(shared, "timeout_seconds", 1)
    with pytest.raises(ExecutionTimeoutError, match="1 seconds"):
        shared("while True:\n    pass")
    assert shared("kept").output == 1


def test_interruption_from_another_thread(shared):
    shared("kept = 2")
    started = threading.Event()
    shared.send_tools({"started": started.set})
    threading.Thread(target=lambda: started.wait(10) and shared.interrupt()).start()
    with pytest.raises(ExecutionInterruptedError):
        shared("import time\nstarted()\ntime.sleep(60)")
    assert shared("kept").output == 2


def test_the_connection_may_break_between_steps(service, shared):
    shared("kept = 3")
    (sandbox,) = service.running
    connections = sandbox.connections
    service.cut(sandbox)
    assert shared("kept").output == 3
    assert sandbox.connections > connections


def test_packages_and_use_after_cleanup(service):
    executor = ModalExecutor(["tinypackage", "json", "os.path"], None)
    image = service.images[service.requests("SandboxCreateV2")[0].definition.image_id]
    assert list(image.dockerfile_commands) == ["FROM base", "RUN python -m pip install tinypackage"]
    executor.send_variables({"given": 5})
    assert executor("import tinypackage, json\ntinypackage.VALUE").output == 42
    assert executor.install_packages(["otherpackage", "math"]) == ["otherpackage"]
    assert executor("import otherpackage\notherpackage.VALUE").output == 43
    with pytest.raises(RuntimeError, match=r"no-such-package failed:[\s\S]*No matching distribution"):
        executor.install_packages(["no-such-package"])
    executor.delete()
    executor.cleanup()
    assert service.newest.result is not None
    assert executor("('json' in globals(), given)").output == (False, 5)
    assert executor("import tinypackage, otherpackage\ntinypackage.VALUE + otherpackage.VALUE").output == 85
    executor.cleanup()


def test_use_in_an_event_loop(service, capsys):
    async def use():
        async with ModalExecutor([], AgentLogger(level=LogLevel.INFO)) as executor:
            await executor.asend_variables({"x": 2})
            return await executor.acall("x * 3")

    assert asyncio.run(use()).output == 6
    assert "Starting a Modal sandbox" in capsys.readouterr().out


def test_a_forgotten_executor_is_terminated(service):
    executor = ModalExecutor([], None)
    executor("1")
    sandbox = service.newest
    del executor
    gc.collect()
    deadline = time.monotonic() + 10
    while not sandbox.ended.is_set() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(sandbox.process_ids)


@pytest.mark.parametrize("ending", ["", "1 / 0"])
def test_the_end_of_the_process_ends_the_sandbox(service, ending):
    program = (
        "import weakref, smolagents.executors.remote.modal as m\n"
        "weakref.finalize(m, print)\n"
        f"executor = m.ModalExecutor([])\nexecutor('1')\n{ending}\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=os.environ)
    assert "terminated" not in done.stderr
    assert service.newest.result is not None
    assert not running(service.newest.process_ids)
