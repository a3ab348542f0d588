"""Limits, and what ends a session: what is told, and what goes on."""

from __future__ import annotations

import os
import signal
import time

import pytest

from smolagents.executors.errors import ExecutionTimeoutError, InterpreterError, SessionLostError


def process_of(executor):
    return executor._session.connection._process


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
        "def f():\n    f()\nwhile True:\n    try:\n        f()\n    except RecursionError:\n        pass",
    ],
)
def test_at_the_time_limit_the_code_stops_and_variables_stay(make, source):
    executor = make(timeout=0.5)
    executor("kept = [1, 2]")
    with pytest.raises(ExecutionTimeoutError, match="took longer than"):
        executor(source)
    assert executor("kept").output == [1, 2]


def test_what_cannot_be_interrupted_is_killed(make):
    executor = make(timeout=0.3)
    executor.send_variables({"sent": 5})
    executor("mine = 1")
    before = process_of(executor)
    with pytest.raises(SessionLostError, match=r"could not be interrupted, so it was killed.*is gone: mine") as caught:
        executor("sum(range(10**12))")
    assert caught.value.lost == ("mine",)
    assert before.poll() is not None
    output = executor("sent")
    assert output.output == 5
    assert "fresh session" in output.logs


def test_code_that_swallows_interruptions_is_killed(make):
    executor = make(timeout=0.3)
    with pytest.raises((SessionLostError, ExecutionTimeoutError)):
        executor("while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass")
    assert executor("1").output == 1


def test_python_gets_a_memory_error_and_goes_on(make):
    executor = make(memory_mb=128)
    with pytest.raises(InterpreterError, match="MemoryError"):
        executor("kept = 1\nblocks = [bytearray(10_000_000) for _ in range(100)]")
    assert executor("kept, len(bytearray(50_000_000))").output == (1, 50_000_000)


FILL = {
    "buffers": "run_js('''const a = []; for (;;) { const b = new Uint8Array(5e7); b.fill(1); a.push(b) }''')",
    "small buffers": "run_js('''const a = []; for (;;) { const b = new Uint8Array(1e5); b.fill(1); a.push(b) }''')",
    "heap": "run_js('''const a = []; for (;;) a.push({ x: [1, 2, 3] })''')",
    "memories": "run_js('''const a = []; for (;;) { const m = new WebAssembly.Memory({ initial: 1000 }); new Uint8Array(m.buffer).fill(1); a.push(m) }''')",
    "workers": "run_js('''for (;;) new Worker('data:text/javascript,for(;;);', { type: 'module' })''')",
    "files": "f = open('/tmp/big', 'wb')\nwhile True: f.write(bytes(10_000_000))",
}


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the memory of a process is looked up in /proc")
@pytest.mark.parametrize("way", FILL)
def test_memory_taken_past_python_is_limited_too(make, way):
    executor = make(memory_mb=64, timeout=20)
    executor("from pyodide.code import run_js")
    process = process_of(executor)
    with pytest.raises(InterpreterError) as caught:
        executor(FILL[way])
    text = str(caught.value)
    assert any(words in text for words in ("memory", "allocation", "No space", "MemoryError", "OSError")), text
    assert "took longer" not in text
    assert executor("1 + 1").output == 2
    with open(f"/proc/{process_of(executor).pid}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    if process is process_of(executor):
        assert peak < 1_000_000  # kB


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import os\nos._exit(3)", r"the interpreter failed: .*exit\(3\)"),
        ("import os\nos.abort()", "the interpreter failed"),
        ("import ctypes\nctypes.string_at(2**31)", "the interpreter failed: memory access out of bounds"),
        (
            "import sys\nsys.setrecursionlimit(10**7)\ndef f():\n    f()\nf()",
            "the interpreter failed: Maximum call stack",
        ),
        ("import js\njs.Deno.exit(3)", r"the code ended its process with Deno.exit\(3\)"),
        ("import js\njs.process.exit()", "the code ended its process"),
        ("import js\njs.postMessage('x')\nwhile True: pass", "its process ended"),
    ],
)
def test_a_session_that_ends_says_why_and_the_next_code_has_a_fresh_one(make, source, cause):
    executor = make(timeout=20)
    executor("x = 1")
    with pytest.raises(SessionLostError, match=cause) as caught:
        executor(source)
    assert "x" in caught.value.lost
    output = executor("1 + 1")
    assert output.output == 2
    assert "these are gone: x" in output.logs


def test_leaving_python_is_an_error_and_no_more(make):
    executor = make()
    with pytest.raises(InterpreterError, match="SystemExit"):
        executor("x = 1\nimport sys\nsys.exit(3)")
    assert executor("x").output == 1


def test_a_process_that_is_killed_from_outside(make):
    executor = make()
    executor.send_tools({"kill": lambda: os.kill(process_of(executor).pid, signal.SIGKILL)})
    with pytest.raises(SessionLostError, match="its process was killed"):
        executor("kill()\nwhile True: pass")
    assert executor("1").output == 1


def test_a_process_that_died_between_two_steps(make):
    executor = make()
    executor("x = 1")
    process_of(executor).kill()
    process_of(executor).wait()
    with pytest.raises(SessionLostError, match="its process was killed"):
        executor("x")
    assert executor("2").output == 2


def test_cleanup_from_another_thread_ends_running_code(make):
    import threading

    executor = make(timeout=None)
    executor("1")
    timer = threading.Timer(0.3, executor.cleanup)
    timer.start()
    started = time.monotonic()
    with pytest.raises(SessionLostError, match="its process was ended"):
        executor("while True: pass")
    timer.join()
    assert time.monotonic() - started < 10
