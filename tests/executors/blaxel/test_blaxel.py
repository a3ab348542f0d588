"""`BlaxelExecutor` through the real SDK, against a local server that speaks the service's wire protocol.

Its sandboxes are real Jupyter Kernel Gateways on this machine. The service itself is not reached, so what is seen
here is that the executor and the SDK work together, not what a sandbox of the service withholds from the code.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time

import pytest

from smolagents.executors.errors import (
    ExecutionInterruptedError,
    ExecutionTimeoutError,
    InterpreterError,
    SessionLostError,
)
from smolagents.executors.remote import blaxel
from smolagents.executors.remote.blaxel import BlaxelExecutor
from support import blaxel_service
from support.wheels import pip_environment, write_wheel

if reason := blaxel_service.unavailable():
    if os.environ.get("CI"):
        raise RuntimeError(f"the tests of BlaxelExecutor must run in CI: {reason}")
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def service():
    """The service; after the test, the sandboxes that the test started must be gone."""
    service = blaxel_service.service()
    before = [sandbox.name for sandbox in service.running]
    service.requests.clear()
    yield service
    service.refusals.clear()
    left = [sandbox for sandbox in service.running if sandbox.name not in before]
    for sandbox in left:
        sandbox.stop()
    assert not left, "a sandbox was left behind"


@pytest.fixture(scope="module")
def shared():
    executor = blaxel_service.make()
    yield executor
    executor.cleanup()


def failure(executor, source, kind=InterpreterError):
    with pytest.raises(kind) as caught:
        executor(source)
    return caught.value


def sandbox_of(service, executor):
    return service.sandboxes[executor.sandbox_name]


def test_a_session_from_start_to_end(service):
    with BlaxelExecutor([]) as executor:
        assert executor("x = 20\nprint('hello')\nx + 1") == executor.run_code_raise_errors("print('hello')\nx + 1")
        executor.send_variables({"given": {"a": (1, 2)}})
        executor.send_tools({"double": lambda value: 2 * value, "final_answer": lambda answer: answer})
        assert executor("double(given['a'][1])").output == 4
        output = executor("final_answer({'total': double(x)})\nprint('not reached')")
        assert (output.output, output.is_final_answer, output.logs) == ({"total": 40}, True, "")
        assert "ZeroDivisionError: division by zero" in str(failure(executor, "y = 0\n1 / y"))
        assert executor("x").output == 20
        sandbox = sandbox_of(service, executor)
        assert sandbox.asked["spec"]["runtime"]["image"] == "blaxel/jupyter-notebook"
        assert sandbox.asked["spec"]["runtime"]["memory"] == 4096
        process = executor("import os\nos.getpid()").output
    assert executor.sandbox is None
    assert sandbox.status == "TERMINATED"
    assert not os.path.exists(f"/proc/{process}")


def test_the_arguments_reach_the_service(service):
    envs = [{"name": "CITY", "value": "Lomé"}]
    more = {"envs": envs, "ports": [{"name": "web", "target": 3000}], "labels": {"team": "data"}}
    with BlaxelExecutor([], None, None, "my/image", 8192, 3600, "us-pdx-1", more) as executor:
        asked = sandbox_of(service, executor).asked
        runtime = asked["spec"]["runtime"]
        assert (runtime["image"], runtime["memory"], runtime["ttl"]) == ("my/image", 8192, "3600s")
        assert [port["target"] for port in runtime["ports"]] == [3000, 8888]
        assert asked["spec"]["region"] == "us-pdx-1"
        assert "lifecycle" not in asked["spec"]
        assert asked["metadata"]["labels"] == {"team": "data"}
        assert executor.sandbox_name.startswith("smolagent-executor-")
        assert executor("import os\nos.environ['CITY']").output == "Lomé"


def test_a_sandbox_ends_by_itself_when_it_is_not_used(service, shared):
    (policy,) = sandbox_of(service, shared).asked["spec"]["lifecycle"]["expirationPolicies"]
    assert policy == {"type": "ttl-idle", "value": "30m", "action": "delete"}


def environment_without(names, home):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BL_")}
    given = {"BL_WORKSPACE": "w", "BL_API_KEY": "k", "BL_REGION": "r", "HOME": str(home)}
    return {**kept, **{name: value for name, value in given.items() if name not in names}}


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (["BL_WORKSPACE", "BL_API_KEY"], "environment variables BL_WORKSPACE and BL_API_KEY, or run `bl login`"),
        (["BL_WORKSPACE"], "environment variable BL_WORKSPACE, or run `bl login`"),
        (["BL_API_KEY"], "environment variable BL_API_KEY, or run `bl login`"),
    ],
)
def test_without_credentials_nothing_is_sent(tmp_path, missing, said):
    # In a process of its own, where the SDK has not found any; a connection would be refused here.
    source = """
import socket
from smolagents.executors.remote.blaxel import BlaxelExecutor
def connect(self, address):
    raise SystemExit(f"connected to {address}")
socket.socket.connect = connect
try:
    BlaxelExecutor([])
except ValueError as error:
    print(error)
"""
    environment = environment_without(missing, tmp_path)
    done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True)
    assert said in done.stdout, done.stderr


def test_credentials_may_be_set_after_the_sdk_was_imported(service, monkeypatch, tmp_path):
    from blaxel.core import client, settings
    from blaxel.core.authentication import auth

    good = settings.auth
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("BL_API_KEY")
    settings.auth = auth(settings.env, settings.base_url)
    client.with_auth(settings.auth)
    try:
        with pytest.raises(ValueError, match="BL_API_KEY"):
            BlaxelExecutor([])
        assert not service.requests
        monkeypatch.setenv("BL_API_KEY", blaxel_service.KEY)
        with BlaxelExecutor([]) as executor:
            assert executor("6 * 7").output == 42
    finally:
        settings.auth = good
        client.with_auth(good)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "image='no/such'.*image not found here"),
        (401, "check BL_WORKSPACE and BL_API_KEY"),
        (403, "check BL_WORKSPACE and BL_API_KEY"),
        (409, "give another sandbox_name"),
        (429, "delete sandboxes that are not needed"),
        (500, "status 500.*image not found here"),
    ],
)
def test_a_refused_sandbox_is_told_with_a_remedy(service, status, said):
    service.refuse("POST /v0/sandboxes", status, "SOME_CODE", "image not found here")
    with pytest.raises(RuntimeError, match=said):
        BlaxelExecutor([], image="no/such")


def test_arguments_that_are_none_are_told_and_nothing_is_sent(service):
    with pytest.raises(ValueError, match=r"colour='red'.*colour") as caught:
        BlaxelExecutor([], create_kwargs={"colour": "red", "envs": [{"name": "KEY", "value": "hidden"}]})
    assert "hidden" not in str(caught.value)
    with pytest.raises(ValueError, match="'4 GB'"):
        BlaxelExecutor([], memory="4 GB")
    with pytest.raises(TypeError, match="create_kwargs"):
        BlaxelExecutor([], create_kwargs=["image"])
    assert not service.requests


def test_an_image_without_a_jupyter_server_is_told_and_leaves_no_sandbox(service, monkeypatch):
    monkeypatch.setattr(blaxel, "READY_TIMEOUT", 0.2)
    service.refuse("GET /sbx", 502, "BAD_GATEWAY", "nothing answers on this port", times=50)
    with pytest.raises(RuntimeError, match="my/image, must run a Jupyter server on port 8888"):
        BlaxelExecutor([], image="my/image")
    monkeypatch.undo()
    service.refusals.clear()
    service.refuse("POST /sbx", 500, "BROKEN", "no kernel today")
    with pytest.raises(RuntimeError, match="no kernel today"):
        BlaxelExecutor([])


def test_a_sandbox_that_is_there_is_used_and_left(service):
    with BlaxelExecutor([], sandbox_name="my-sandbox") as maker:
        maker("open('kept.txt', 'w').write('kept')\nx = 1")
        executor = BlaxelExecutor([], sandbox_name="my-sandbox")
        other = executor.session()
        assert other("open('kept.txt').read()").output == "kept"
        assert other("'x' in globals()").output is False
        process = other("import os\nos.getpid()").output
        other.cleanup()
        executor.cleanup()
        assert not os.path.exists(f"/proc/{process}")
        assert maker("x").output == 1
    assert service.sandboxes["my-sandbox"].status == "TERMINATED"


def test_delete_deletes_also_a_sandbox_that_was_there(service):
    maker = BlaxelExecutor([], sandbox_name="my-other")
    executor = BlaxelExecutor([], sandbox_name="my-other")
    executor.cleanup()
    assert service.sandboxes["my-other"].status == "DEPLOYED"
    executor.delete()
    assert service.sandboxes["my-other"].status == "TERMINATED"
    maker.delete()
    maker.delete()


def test_large_values_cross_both_ways(shared):
    data = os.urandom(4_000_000)
    shared.send_variables({"data": data})
    assert shared("data[::-1]").output == data[::-1]


def test_many_tool_calls_in_one_step(shared):
    asked = []
    shared.send_tools({"note": lambda number: asked.append(number) or -number})
    assert shared("print('a')\ntotal = sum(note(i) for i in range(50))\nprint('b')\ntotal").logs == "a\nb\n"
    assert asked == list(range(50))


def test_a_connection_that_is_cut_is_made_again(service, shared):
    shared("x = 5")
    service.cut()
    assert shared("x").output == 5
    shared.send_tools({"cut": service.cut})
    assert shared("cut()\nx").output == 5


def test_code_that_takes_too_long_is_stopped_and_keeps_its_variables(shared):
    shared.timeout_seconds = 1.0
    shared("x = 1")
    error = failure(shared, "print('begun')\nwhile True: x += 1", ExecutionTimeoutError)
    shared.timeout_seconds = 30.0
    assert error.logs == "begun\n"
    assert shared("x > 1").output is True


def test_code_is_interrupted_from_another_thread(shared):
    begun = threading.Event()
    shared.send_tools({"begin": begun.set})

    def interrupt():
        begun.wait(20)
        shared.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    failure(shared, "kept = 3\nbegin()\nwhile True: pass", ExecutionInterruptedError)
    thread.join()
    assert shared("kept").output == 3


def test_a_kernel_that_dies_is_followed_by_another_in_the_same_sandbox(service):
    with BlaxelExecutor([]) as executor:
        executor.send_variables({"given": 4})
        executor("lost = 1")
        error = failure(executor, "import os\nos._exit(1)", SessionLostError)
        assert "the kernel died" in str(error)
        assert "lost" in error.lost
        assert executor("given").output == 4
        assert service.requests.count("POST /v0/sandboxes") == 1


def test_a_sandbox_that_was_deleted_between_steps_is_followed_by_another(service):
    with BlaxelExecutor([]) as executor:
        executor.send_tools({"double": lambda value: 2 * value})
        executor("lost = 1")
        sandbox_of(service, executor).stop()
        error = failure(executor, "lost", SessionLostError)
        assert "the sandbox was deleted, or reached its time to live" in str(error)
        result = executor("double(4)")
        assert result.output == 8
        assert "lost" in result.logs


def test_a_sandbox_that_vanishes_under_the_code_is_told(service):
    with BlaxelExecutor([]) as executor:
        sandbox = sandbox_of(service, executor)
        executor.send_tools({"vanish": lambda: threading.Thread(target=sandbox.stop).start()})
        error = failure(executor, "vanish()\nwhile True: pass", SessionLostError)
        assert "the sandbox was deleted, or reached its time to live" in str(error)


def test_a_sandbox_that_cannot_be_replaced_is_told_and_tried_again(service):
    with BlaxelExecutor([]) as executor:
        sandbox_of(service, executor).stop()
        failure(executor, "1", SessionLostError)
        service.refuse("POST /v0/sandboxes", 429, "TOO_MANY", "slow down")
        assert "delete sandboxes that are not needed" in str(failure(executor, "1", SessionLostError))
        assert executor("1 + 1").output == 2


def test_packages_are_installed_and_installed_again_in_another_sandbox(service, tmp_path):
    write_wheel(tmp_path, "greeting", "hello = 'Mbote'")
    write_wheel(tmp_path, "farewell", "bye = 'Tikala malamu'")
    variables = pip_environment(tmp_path, tmp_path / "installed")
    more = {"envs": [{"name": name, "value": value} for name, value in variables.items()]}
    with BlaxelExecutor(["greeting", "json"], create_kwargs=more) as executor:
        assert executor("import greeting\ngreeting.hello").output == "Mbote"
        assert executor.install_packages(["farewell", "math"]) == ["farewell"]
        assert executor("import farewell\nfarewell.bye").output == "Tikala malamu"
        with pytest.raises(RuntimeError, match="no_such_package_here"):
            executor.install_packages(["no_such_package_here"])
        assert executor("greeting.hello").output == "Mbote"
        sandbox_of(service, executor).stop()
        failure(executor, "1", SessionLostError)
        for installed in (tmp_path / "installed").glob("*.py"):
            installed.unlink()
        assert executor("import farewell, greeting\nfarewell.bye").output == "Tikala malamu"


def test_sessions_have_sandboxes_of_their_own(service, shared):
    with shared.session() as other:
        shared("mine = 1")
        assert other("'mine' in globals()").output is False
        assert other.sandbox_name != shared.sandbox_name
        assert other.timeout_seconds == shared.timeout_seconds


def test_it_can_be_used_after_cleanup(service):
    executor = BlaxelExecutor([])
    executor("x = 1")
    executor.cleanup()
    executor.cleanup()
    assert "NameError" in str(failure(executor, "x"))
    executor.cleanup()


def test_cleanup_stops_code_that_runs(service):
    executor = BlaxelExecutor([])
    begun = threading.Event()
    executor.send_tools({"begin": begun.set})
    errors = []

    def run():
        errors.append(failure(executor, "begin()\nwhile True: pass"))

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(20)
    executor.cleanup()
    thread.join(20)
    assert isinstance(errors[0], SessionLostError)


def test_a_forgotten_executor_leaves_no_sandbox(service):
    sandbox = sandbox_of(service, BlaxelExecutor([]))
    gc.collect()
    deadline = time.monotonic() + 20
    while sandbox.status != "TERMINATED" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sandbox.status == "TERMINATED"


def test_the_end_of_the_process_leaves_no_sandbox(service):
    source = f"""
from blaxel.core import client
client.with_base_url({service.url + "/v0"!r})
from smolagents.executors.remote.blaxel import BlaxelExecutor
kept = BlaxelExecutor([])
print(kept('6 * 7').output)
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("42\n", "")
    assert service.requests[-1].startswith("DELETE /v0/sandboxes/")
