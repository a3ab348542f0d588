"""What passes between the host and a real worker: tools from threads, interruptions, and hostile framing."""

from __future__ import annotations

import threading
import time
import tracemalloc

import pytest

from smolagents.executors.errors import ExecutionInterruptedError, ExecutionTimeoutError, SessionLostError

LEFT_BEHIND = """
import threading, time
answers = []
def work():
    time.sleep(0.1)
    for _ in range(3):
        try:
            answers.append(slow())
        except Exception as error:
            answers.append(str(error))
        time.sleep(0.05)
thread = threading.Thread(target=work)
thread.start()
"""


def test_a_thread_left_behind_that_calls_tools_does_not_disturb_later_steps(make):
    executor = make(["threading", "time"])
    executor.send_tools({"slow": lambda: time.sleep(0.05) or "slow", "quick": lambda n: n})
    executor(LEFT_BEHIND)
    time.sleep(0.3)  # it calls while no code runs
    for number in range(50):
        assert executor(f"quick({number})").output == number
    answers = executor("thread.join()\nanswers").output
    assert len(answers) == 3
    assert "can only be called while a step of code runs" in answers[0]


def test_a_thread_that_is_calling_a_tool_when_the_step_ends_gets_its_answer(make):
    executor = make(["threading", "time"])
    called = threading.Event()
    executor.send_tools({"slow": lambda: called.set() or time.sleep(0.5) or "answer", "quick": lambda n: n})
    executor(
        "import threading, time\nanswers = []\nthread = threading.Thread(target=lambda: answers.append(slow()))\n"
        "thread.start()\ntime.sleep(0.2)"
    )
    assert called.is_set()
    assert executor("thread.join()\nanswers").output == ["answer"]
    assert executor("quick(5)").output == 5


def test_a_loop_of_tool_calls_reaches_the_time_limit_and_keeps_its_variables(make):
    executor = make(timeout_seconds=0.5)
    executor.send_tools({"quick": lambda: None})
    executor("mine = 5")
    with pytest.raises(ExecutionTimeoutError):
        executor("while True:\n    quick()")
    assert executor("mine").output == 5


def test_an_interruption_while_a_tool_runs_keeps_the_variables(make):
    executor = make()
    begun = threading.Event()

    def slow():
        begun.set()
        time.sleep(2.5)  # longer than code has to stop

    executor.send_tools({"slow": slow})
    executor("mine = 5")
    threading.Thread(target=lambda: begun.wait(20) and executor.interrupt(), daemon=True).start()
    with pytest.raises(ExecutionInterruptedError):
        executor("slow()\nwhile True:\n    pass")
    assert executor("mine").output == 5


def test_an_interruption_while_large_variables_are_sent_is_not_lost(make, monkeypatch):
    monkeypatch.setattr("smolagents.executors.remote.session.GRACE_SECONDS", 30.0)  # on a busy machine
    executor = make()
    executor("mine = 5")
    executor.send_variables({"large": [1.5] * 1_000_000})
    stop = threading.Timer(0.05, executor.interrupt)
    stop.start()
    with pytest.raises(ExecutionInterruptedError):
        executor("while True:\n    pass")
    stop.join()
    assert executor("mine, len(large)").output == (5, 1_000_000)


def test_interruptions_at_any_moment_leave_the_session_usable(make):
    executor = make()
    executor.send_tools({"quick": lambda n: n})
    executor("mine = 5")
    for number in range(60):
        stop = threading.Timer(number / 20_000, executor.interrupt)
        stop.start()
        try:
            assert executor(f"for _ in range(20):\n    quick(1)\n{number}").output == number
        except ExecutionInterruptedError:
            pass
        stop.join()
    assert executor("mine").output == 5


FIND = """
import os
def is_open(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False
max(fd for fd in range(3, 5000) if is_open(fd))
"""
SPEAK_IN_DROPS = """
import os
os.write({fd}, (50_000_000).to_bytes(4, "little"))
for _ in range(300_000):
    os.write({fd}, b"xy")
os._exit(0)
"""


def test_a_worker_that_speaks_in_drops_takes_no_more_memory_than_it_says(everything):
    executor = everything
    fd = executor(FIND).output
    tracemalloc.start()
    try:
        with pytest.raises(SessionLostError):
            executor(SPEAK_IN_DROPS.format(fd=fd))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 5_000_000


def test_variables_that_the_worker_has_no_memory_for_are_named_as_the_cause(make):
    executor = make(memory_mb=64)
    executor.send_variables({"large": "x" * 80_000_000})
    with pytest.raises(SessionLostError, match=r"its limit is 64 MB.*was just sent variables of 76 MB"):
        executor("len(large)")
    executor.send_variables({"large": "small"})
    assert executor("large").output == "small"
