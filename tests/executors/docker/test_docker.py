"""`DockerExecutor` on a real daemon: life and death of containers, kernels and sessions.

What all executors have in common is in the conformance suite.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time

import pytest

from smolagents import CodeAgent
from smolagents.executors.errors import SessionLostError, WorkerLostError
from smolagents.models import ChatMessage, Model
from support import docker_backend, docker_daemon
from support.jupyter_gateway import wait_until

KILL_THE_KERNEL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"


def lost(executor, source):
    with pytest.raises(SessionLostError) as caught:
        executor(source)
    return caught.value


def is_there(client, container):
    return bool(client.api.containers(all=True, filters={"id": container.id}))


def test_cleanup_removes_the_container_and_the_executor_can_be_used_again(make, docker_client):
    executor = make()
    container = executor.container
    executor("x = 1")
    assert is_there(docker_client, container)
    executor.cleanup()
    assert not is_there(docker_client, container)
    assert executor.container is None
    executor.cleanup()
    assert executor("'x' in globals()").output is False
    assert executor.container.id != container.id
    executor.delete()
    assert executor.container is None


def test_leaving_the_context_removes_the_container(make, docker_client):
    with make() as executor:
        container = executor.container
        assert executor("1 + 1").output == 2
    assert not is_there(docker_client, container)


def test_an_executor_that_is_forgotten_takes_its_container_along(make, docker_client):
    executor = docker_backend.make()
    container = executor.container
    del executor
    gc.collect()
    wait_until(lambda: not is_there(docker_client, container))


def test_the_end_of_the_process_removes_the_container(make, docker_client):
    code = "from support import docker_backend\nprint(docker_backend.make().container.id)"
    tests = docker_daemon.__file__.rpartition("/support/")[0]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tests, capture_output=True, text=True, timeout=120, check=True
    )
    assert not docker_client.api.containers(all=True, filters={"id": done.stdout.strip()})


def test_sessions_have_kernels_of_their_own_in_one_container(make, docker_client):
    executor = make()
    container = executor.container
    executor("x = 1")
    first, second = executor.session(), executor.session()
    first("x = 2")
    second("x = 3")
    assert [each("x").output for each in (executor, first, second)] == [1, 2, 3]
    first("open('note', 'w').write('hello')")
    assert second("open('note').read()").output == "hello"
    executor.cleanup()
    first.cleanup()
    assert is_there(docker_client, container)
    assert second("x").output == 3
    second.cleanup()
    assert not is_there(docker_client, container)


def test_sessions_run_at_the_same_time(make):
    executor = make()
    sessions = [executor, executor.session(), executor.session()]
    meeting = threading.Barrier(len(sessions), timeout=60)
    outputs = {}

    def run(number, session):
        session.send_tools({"meet": lambda: meeting.wait() >= 0})
        outputs[number] = session(f"meet()\n{number} * 2").output

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == {0: 0, 1: 2, 2: 4}
    for session in sessions:
        session.cleanup()


def test_a_kernel_that_is_killed_is_followed_by_another_in_the_same_container(make):
    executor = make()
    other = executor.session()
    other("kept = 1")
    container = executor.container
    executor.send_variables({"given": [1, 2]})
    executor("made = 5")
    error = lost(executor, KILL_THE_KERNEL)
    assert "the kernel died" in str(error)
    assert "made" in error.lost
    result = executor("print(given, 'made' in globals())")
    assert "fresh session" in result.logs
    assert result.logs.endswith("[1, 2] False\n")
    assert executor.container.id == container.id
    assert other("kept").output == 1
    other.cleanup()


def test_a_kernel_that_takes_too_much_memory_is_told_so_and_one_that_is_killed_later_is_not(make):
    executor = make(memory="256m")
    assert "the kernel was killed for using more than 256 MB of memory" in str(lost(executor, "x = bytearray(10**9)"))
    assert executor("1").output == 1
    assert "the kernel died" in str(lost(executor, KILL_THE_KERNEL))


def test_code_that_kills_all_it_can_ends_its_container(make):
    executor = make()
    container = executor.container
    source = "import os, signal\nfor process in os.listdir('/proc'):\n    if process.isdigit():\n        os.kill(int(process), signal.SIGTERM)"
    assert "its container ended with exit code 0" in str(lost(executor, f"{source}\nimport time\ntime.sleep(60)"))
    assert executor("1").output == 1
    assert executor.container.id != container.id


@pytest.mark.parametrize("how", ["kill", "remove"])
def test_a_container_that_somebody_ends_is_followed_by_another(make, docker_client, how):
    executor = make()
    container = executor.container
    executor("x = 1")
    if how == "kill":
        container.kill()
    else:
        container.remove(force=True, v=True)
    error = lost(executor, "x")
    assert ("its container was killed" if how == "kill" else "its container was removed") in str(error)
    assert error.lost == ("x",)
    assert executor("1").output == 1
    assert not is_there(docker_client, container)


def test_cleanup_from_another_thread_ends_what_runs(make):
    executor = make()
    executor("import time")
    timer = threading.Timer(0.5, executor.cleanup)
    timer.start()
    started = time.monotonic()
    lost(executor, "time.sleep(60)")
    assert time.monotonic() - started < 20
    timer.join()


def test_an_agent_runs_its_code_in_a_container(make):
    class Scripted(Model):
        def generate(self, messages, **kwargs):
            code = "import os\nfinal_answer((os.getcwd(), os.getuid()))"
            return ChatMessage(role="assistant", content=f"Thought: look around.\n<code>\n{code}\n</code>")

    executor = make()
    agent = CodeAgent(tools=[], model=Scripted(), executor=executor)
    assert agent.run("Where are you?") == ("/workspace", 1000)


def test_the_daemon_may_go_away(make, monkeypatch):
    """A kernel lives on without the daemon; only what needs the daemon fails."""
    executor = make()

    class Gone:
        def __getattr__(self, name):
            raise OSError("the daemon is gone")

    monkeypatch.setattr(executor._shared, "_client", Gone())
    assert executor("1 + 1").output == 2
    monkeypatch.undo()


def test_lost_cells_are_told_as_such(make):
    executor = make()
    kernel = executor._lease.kernel
    kernel.close()
    with pytest.raises(WorkerLostError, match="closed"):
        kernel.run_cell("1", 5)
    assert "closed" in str(lost(executor, "1"))


def test_settings_may_change_until_the_first_code(make):
    executor = make()
    executor.max_print_outputs_length = 100
    assert len(executor("print('x' * 1000)").logs) < 400
