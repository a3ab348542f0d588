"""`E2BExecutor` through the real SDK, against a local server that speaks the service's wire protocol.

Its sandboxes are real IPython kernels on this machine. The service itself is not reached, so what is seen here is
that the executor and the SDK work together, not what a sandbox of the service withholds from the code.
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
from smolagents.executors.remote import e2b
from smolagents.executors.remote.e2b import E2BExecutor
from smolagents.monitoring import AgentLogger, LogLevel
from support import e2b_service
from support.wheels import pip_environment, write_wheel

if reason := e2b_service.unavailable():
    if os.environ.get("CI"):
        raise RuntimeError(f"the tests of E2BExecutor must run in CI: {reason}")
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def service():
    """The service; after the test, the sandboxes that the test started must be gone."""
    service = e2b_service.service()
    before = set(service.sandboxes)
    service.requests.clear()
    yield service
    service.refusals.clear()
    left = set(service.sandboxes) - before
    for identity in left:
        service.kill(identity)
    assert not left, "a sandbox was left behind"


@pytest.fixture(scope="module")
def shared():
    executor = e2b_service.make()
    yield executor
    executor.cleanup()


def failure(executor, source, kind=InterpreterError):
    with pytest.raises(kind) as caught:
        executor(source)
    return caught.value


def sandbox_of(service, executor):
    return service.sandboxes[executor.sandbox.sandbox_id]


def test_a_session_from_start_to_end(service):
    with E2BExecutor([], **service.kwargs) as executor:
        assert executor("x = 20\nprint('hello')\nx + 1") == executor.run_code_raise_errors("print('hello')\nx + 1")
        executor.send_variables({"given": {"a": (1, 2)}})
        executor.send_tools({"double": lambda value: 2 * value, "final_answer": lambda answer: answer})
        assert executor("double(given['a'][1])").output == 4
        output = executor("final_answer({'total': double(x)})\nprint('not reached')")
        assert (output.output, output.is_final_answer, output.logs) == ({"total": 40}, True, "")
        assert "ZeroDivisionError: division by zero" in str(failure(executor, "y = 0\n1 / y"))
        assert executor("x").output == 20
        (context,) = sandbox_of(service, executor).contexts.values()
        process = context.manager.provisioner.pid
    assert executor.sandbox is None
    assert not os.path.exists(f"/proc/{process}")
    assert [request.partition(" ")[0] for request in service.requests if "/sandboxes" in request] == ["POST", "DELETE"]


def test_the_arguments_reach_the_service(service):
    settings = {"template": "my-template", "timeout": 77, "metadata": {"run": "7"}, "envs": {"CITY": "Lomé"}}
    with E2BExecutor([], allow_internet_access=False, **settings, **service.kwargs) as executor:
        asked = sandbox_of(service, executor).asked
        assert asked["templateID"] == "my-template"
        assert asked["timeout"] == 77
        assert asked["metadata"] == {"run": "7"}
        assert asked["allow_internet_access"] is False
        assert executor("import os\nos.environ['CITY']").output == "Lomé"


def test_the_key_may_come_from_the_environment(service, monkeypatch):
    monkeypatch.setenv("E2B_API_KEY", e2b_service.KEY)
    with E2BExecutor([], api_url=service.url, sandbox_url=service.url) as executor:
        assert executor("1 + 1").output == 2


def test_without_a_key_nothing_is_sent(service, monkeypatch):
    monkeypatch.delenv("E2B_API_KEY", raising=False)
    with pytest.raises(ValueError, match="E2B_API_KEY"):
        E2BExecutor([], api_url=service.url, sandbox_url=service.url)
    assert not service.requests


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "check E2B_API_KEY"),
        (404, r"template not here.*check the template"),
        (429, "clean up executors that are not needed"),
        (500, "500"),
    ],
)
def test_a_refused_sandbox_is_told_with_a_remedy(service, status, said):
    service.refuse("POST /v2/sandboxes", status, "template not here")
    service.refuse("POST /sandboxes", status, "template not here")
    with pytest.raises(RuntimeError, match=said):
        E2BExecutor([], **service.kwargs)


def test_an_unreachable_service_is_told():
    nowhere = {"api_key": e2b_service.KEY, "api_url": "http://127.0.0.1:9", "sandbox_url": "http://127.0.0.1:9"}
    with pytest.raises(RuntimeError, match="E2B"):
        E2BExecutor([], **nowhere)


def test_an_argument_that_the_sdk_does_not_know_is_told_without_secrets(service):
    with pytest.raises(TypeError, match="colour='red'") as caught:
        E2BExecutor([], colour="red", envs={"PASSWORD": "hidden"}, **service.kwargs)
    assert e2b_service.KEY not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_kernel_that_cannot_be_started_leaves_no_sandbox(service):
    service.refuse("POST /contexts", 500, "no kernel today")
    with pytest.raises(RuntimeError, match="no kernel today"):
        E2BExecutor([], **service.kwargs)
    assert service.requests[-1].startswith("DELETE /sandboxes/")


def test_large_values_cross_both_ways(shared):
    data = os.urandom(4_000_000)
    shared.send_variables({"data": data})
    assert shared("data[::-1]").output == data[::-1]


def test_many_tool_calls_in_one_step(shared):
    asked = []
    shared.send_tools({"note": lambda number: asked.append(number) or -number})
    assert shared("print('a')\ntotal = sum(note(i) for i in range(50))\nprint('b')\ntotal").logs == "a\nb\n"
    assert asked == list(range(50))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_cell_that_is_refused_for_a_while_is_sent_again(service, shared, monkeypatch, status):
    monkeypatch.setattr(e2b, "WAITS_WHEN_REFUSED", (0.01, 0.01, 0.01))
    shared("x = 6")
    service.refuse("POST /execute", status, "slow down", times=3)
    assert shared("x * 7").output == 42


def test_a_cell_whose_answer_was_lost_is_not_done_twice(service):
    called = []
    with E2BExecutor([], **service.kwargs) as executor:
        executor.send_tools({"note": called.append})
        executor("x = 1")
        service.refuse("POST /execute", 0)
        assert executor("x += 1\nnote(x)\nx").output == 2
        assert called == [2]


@pytest.mark.parametrize("status", [500, 404])
def test_a_cell_that_is_refused_for_good_ends_the_session_and_not_the_sandbox(service, monkeypatch, status):
    monkeypatch.setattr(e2b, "WAITS_WHEN_REFUSED", (0.01,))
    with E2BExecutor([], **service.kwargs) as executor:
        executor("x = 1\nopen('kept.txt', 'w').write('kept')")
        sandbox = executor.sandbox.sandbox_id
        service.refuse("POST /execute", status, "something broke", times=2 if status == 500 else 1)
        error = failure(executor, "x", SessionLostError)
        assert "something broke" in str(error)
        assert error.lost == ("x",)
        assert executor("open('kept.txt').read()").output == "kept"
        assert executor.sandbox.sandbox_id == sandbox
        assert len(service.sandboxes[sandbox].contexts) == 1


def test_a_flood_from_the_far_side_ends_the_session(service, monkeypatch):
    monkeypatch.setattr(e2b, "MOST_PRINTED", 1_000_000)
    flood = "for _ in range(100):\n    print('x' * 100_000, file=__smolagents__._streams[0], flush=True)"
    with E2BExecutor([], **service.kwargs) as executor:
        error = failure(executor, flood, SessionLostError)
        assert "it said more than" in str(error)


def test_code_that_takes_too_long_is_stopped_and_keeps_its_variables(service):
    with E2BExecutor([], timeout_seconds=1, **service.kwargs) as executor:
        executor("x = 1")
        error = failure(executor, "print('begun')\nwhile True: x += 1", ExecutionTimeoutError)
        assert error.logs == "begun\n"
        assert executor("x > 1").output is True


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
    with E2BExecutor([], **service.kwargs) as executor:
        executor.send_variables({"given": 4})
        executor("lost = 1")
        error = failure(executor, "import os\nos._exit(1)", SessionLostError)
        assert "the kernel died" in str(error)
        assert "lost" in error.lost
        assert executor("given").output == 4
        assert sum(request.startswith("POST") and "/sandboxes" in request for request in service.requests) == 1


def test_a_sandbox_that_was_killed_between_steps_is_followed_by_another(service):
    with E2BExecutor([], **service.kwargs) as executor:
        executor.send_tools({"double": lambda value: 2 * value})
        executor("lost = 1")
        service.kill(executor.sandbox.sandbox_id)
        error = failure(executor, "lost", SessionLostError)
        assert "the sandbox was stopped" in str(error)
        result = executor("double(4)")
        assert result.output == 8
        assert "lost" in result.logs


def test_a_sandbox_that_vanishes_under_the_code_is_told(service):
    with E2BExecutor([], **service.kwargs) as executor:
        identity = executor.sandbox.sandbox_id
        executor.send_tools({"vanish": lambda: threading.Thread(target=service.kill, args=[identity]).start()})
        error = failure(executor, "vanish()\nwhile True: pass", SessionLostError)
        assert "the sandbox was stopped" in str(error)
        assert executor("1 + 1").output == 2


def test_a_sandbox_at_the_end_of_its_lifetime_is_told(service):
    with E2BExecutor([], timeout=1, **service.kwargs) as executor:
        error = failure(executor, "while True: pass", SessionLostError)
        assert "it reached its lifetime of 1 seconds" in str(error)


def test_a_sandbox_in_use_lives_on(service, monkeypatch):
    monkeypatch.setattr(e2b, "RENEW_EVERY", 0.0)
    with E2BExecutor([], **service.kwargs) as executor:
        sandbox = sandbox_of(service, executor)
        sandbox.ends = time.monotonic() + 60
        executor("1")
        assert sandbox.ends > time.monotonic() + e2b.LIFETIME - 60
    with E2BExecutor([], timeout=60, **service.kwargs) as executor:
        executor("1")
        assert sandbox_of(service, executor).ends < time.monotonic() + 60


def test_packages_are_installed_and_installed_again_in_another_sandbox(service, tmp_path):
    write_wheel(tmp_path, "greeting", "hello = 'Mbote'")
    write_wheel(tmp_path, "farewell", "bye = 'Tikala malamu'")
    envs = pip_environment(tmp_path, tmp_path / "installed")
    logger = AgentLogger(LogLevel.OFF)
    with E2BExecutor(["greeting", "json"], logger, envs=envs, **service.kwargs) as executor:
        assert executor("import greeting\ngreeting.hello").output == "Mbote"
        assert executor.install_packages(["farewell", "math"]) == ["farewell"]
        assert executor("import farewell\nfarewell.bye").output == "Tikala malamu"
        assert "_install" not in executor("list(globals())").output
        with pytest.raises(RuntimeError, match="no_such_package_here"):
            executor.install_packages(["no_such_package_here"])
        assert executor("greeting.hello").output == "Mbote"
        service.kill(executor.sandbox.sandbox_id)
        failure(executor, "1", SessionLostError)
        for installed in (tmp_path / "installed").glob("*.py"):
            installed.unlink()
        assert executor("import farewell, greeting\nfarewell.bye").output == "Tikala malamu"


def test_a_package_that_cannot_be_installed_leaves_no_sandbox(service, tmp_path):
    with pytest.raises(RuntimeError, match="no_such_package_here"):
        E2BExecutor(["no_such_package_here"], envs=pip_environment(tmp_path, tmp_path), **service.kwargs)


def test_sessions_have_sandboxes_of_their_own(service):
    with E2BExecutor([], timeout_seconds=33, metadata={"a": "b"}, **service.kwargs) as executor:
        with executor.session() as other:
            executor("mine = 1")
            assert other("'mine' in globals()").output is False
            assert other.sandbox.sandbox_id != executor.sandbox.sandbox_id
            assert sandbox_of(service, other).asked == sandbox_of(service, executor).asked
            assert other.timeout_seconds == 33
        assert executor("mine").output == 1


def test_it_can_be_used_after_cleanup(service):
    executor = E2BExecutor([], **service.kwargs)
    executor("x = 1")
    executor.cleanup()
    executor.cleanup()
    assert "NameError" in str(failure(executor, "x"))
    executor.cleanup()


def test_cleanup_stops_code_that_runs(service):
    executor = E2BExecutor([], **service.kwargs)
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


def test_a_cleanup_that_the_service_refuses_is_no_error(service):
    executor = E2BExecutor([], **service.kwargs)
    identity = executor.sandbox.sandbox_id
    service.refuse("DELETE /sandboxes", 500, "later")
    executor.cleanup()
    assert service.kill(identity)


def test_a_forgotten_executor_leaves_no_sandbox(service):
    identity = E2BExecutor([], **service.kwargs).sandbox.sandbox_id
    gc.collect()
    deadline = time.monotonic() + 20
    while identity in service.sandboxes and time.monotonic() < deadline:
        time.sleep(0.02)
    assert identity not in service.sandboxes


def test_the_end_of_the_process_leaves_no_sandbox(service):
    source = f"from smolagents.executors.remote.e2b import E2BExecutor\nkept = E2BExecutor([], **{service.kwargs!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", source + "print(kept('6 * 7').output)"], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("42\n", "")
    assert service.requests[-1].startswith("DELETE /sandboxes/")
