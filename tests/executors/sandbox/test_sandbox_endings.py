"""Code that brings its process down, or says what no worker says: the model is told why, and goes on in a fresh session."""

from __future__ import annotations

import os
import resource
import signal
import struct
import threading
import time

import pytest
from sandbox_hosts import alive, eventually

from smolagents.executors.errors import InterpreterError, SessionLostError


def lost(executor, code: str, message: str) -> None:
    """The code ends the session with `message`, and the next one starts fresh and says what is gone."""
    executor.send_variables({"given": [1]})
    executor("own = 1\ndef helper(): pass")
    pid = executor._session.connection.pid
    with pytest.raises(SessionLostError, match=message) as caught:
        executor(code)
    assert set(caught.value.lost) >= {"own", "helper"}
    assert "helper" in str(caught.value)
    assert not alive(pid)
    result = executor("given")
    assert result.output == [1]
    assert "own" in result.logs
    assert "given" not in result.logs
    assert executor("given").logs == ""


def test_a_call_that_cannot_be_interrupted(make):
    executor = make(["json"], timeout_seconds=0.3)
    started = time.monotonic()
    lost(executor, "sum(range(10 ** 15))", "longer than 0.3 seconds.*killed")
    assert 2 < time.monotonic() - started < 8


def test_interrupting_a_call_that_cannot_be_interrupted(make):
    executor = make(timeout_seconds=None)
    executor.send_tools({"begin": lambda: threading.Timer(0.05, executor.interrupt).start()})
    lost(executor, "begin()\nsum(range(10 ** 15))", "could not be interrupted, so it was killed")


def test_memory_runs_out_as_an_error_and_the_variables_stay(make):
    executor = make(memory_mb=256)
    executor("x = 5")
    with pytest.raises(InterpreterError, match=r"Line 1.*\n.*\nMemoryError") as caught:
        executor("big = bytearray(10 ** 10)")
    assert not isinstance(caught.value, SessionLostError)
    assert executor("x").output == 5


@pytest.mark.parametrize("piece", ["bytearray(100_000)", "[0]", "'x' * 40"])
def test_memory_filled_to_the_last_byte(make, piece):
    executor = make(memory_mb=128)
    executor("x = 5")
    with pytest.raises(InterpreterError, match="MemoryError") as caught:
        executor(f"kept = []\nnumber = 0\nwhile True:\n    number += 1\n    kept.append(({piece}, number))")
    if not isinstance(caught.value, SessionLostError):
        executor("del kept")
        assert executor("x").output == 5


def test_memory_filled_by_code_that_then_has_something_to_finish(make):
    # Beyond the first 256 instructions of a function, CPython needs memory to find a handler.
    padding = "    x = 1\n" * 300
    executor = make(memory_mb=64, timeout_seconds=2)
    executor("kept = []\nnumber = 0")
    try:
        resource.prlimit(executor._session.connection.pid, resource.RLIMIT_DATA)
    except PermissionError:
        pytest.skip("a root without CAP_SYS_RESOURCE cannot help the worker, which is another user")
    code = f"def fill():\n    global number\n{padding}    try:\n        while True:\n            number += 1\n"
    code += "            kept.append(([0], number))\n    finally:\n        x = 2\nfill()"
    with pytest.raises(InterpreterError) as caught:
        executor(code)
    assert not isinstance(caught.value, SessionLostError)
    executor("kept.clear()")
    assert executor("number > 1000").output is True


def test_a_message_too_large_for_the_memory(make):
    executor = make(memory_mb=100)
    executor("own = 1")
    executor.send_variables({"text": "x" * 30_000_000, "more": "y" * 30_000_000})
    with pytest.raises(InterpreterError, match=r"[mM]emory"):
        executor("1")


def test_processor_time(make):
    executor = make(cpu_seconds=1, timeout_seconds=20)
    lost(executor, "while True: pass", "more than the 1 seconds of processor time")


def test_processor_time_with_the_signal_ignored(make):
    executor = make(["signal"], cpu_seconds=1, timeout_seconds=20)
    code = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    lost(executor, code, "more than the 1 seconds of processor time")


def test_leaving(make):
    lost(make(["os"]), "import os\nos._exit(3)", "the code ended its process, with status 3")


def test_sys_exit_is_an_error_like_others(make):
    executor = make(["sys"])
    with pytest.raises(InterpreterError, match="SystemExit: 4") as caught:
        executor("import sys\nx = 1\nsys.exit(4)")
    assert not isinstance(caught.value, SessionLostError)
    assert executor("x").output == 1


def test_a_crash(make):
    lost(make(["ctypes"]), "import ctypes\nctypes.string_at(0)", r"the interpreter crashed \(SIGSEGV\)")


def test_abort(make):
    lost(make(["os"]), "import os\nos.abort()", r"the interpreter crashed \(SIGABRT\)")


def test_killed_from_outside(make):
    executor = make()
    executor.send_tools({"kill": lambda: os.kill(executor._session.connection.pid, signal.SIGKILL)})
    lost(executor, "kill()", r"killed by the system, most likely because memory ran out \(its limit is 2048 MB\)")


def test_killed_between_two_steps(make):
    executor = make()
    executor("own = 1")
    pid = executor._session.connection.pid
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not alive(pid))
    with pytest.raises(SessionLostError, match="killed"):
        executor("own")
    assert executor("2").output == 2


def test_what_was_printed_before_is_told(make):
    executor = make(["os"])
    executor.send_tools({"nothing": lambda: None})
    with pytest.raises(SessionLostError) as caught:
        executor("import os\nprint('before')\nnothing()\nos._exit(0)")
    assert caught.value.logs == "before\n"


def test_a_tool_that_fails_leaves_the_session_whole(make):
    executor = make()

    def fail() -> None:
        raise LookupError("not there")

    executor.send_tools({"fail": fail})
    assert executor("try:\n    fail()\nexcept LookupError as error:\n    x = str(error)\nx").output == "not there"


# What hostile code can do with the pipes to this process

FIND = """
import os
def pipes():
    found = {}
    for number in range(3, 5000):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            try:
                os.fstat(number)
            except OSError:
                continue
            target = "pipe"
        if "pipe" in target:
            found[number] = target
    return sorted(found)
requests, replies = pipes()
"""


def hostile(make, code: str, message: str) -> None:
    executor = make(["os", "struct", "json"])
    executor(FIND)
    pid = executor._session.connection.pid
    with pytest.raises(SessionLostError, match=message):
        executor(code)
    assert eventually(lambda: not alive(pid))
    assert executor("1 + 1").output == 2


def frame(data: bytes) -> str:
    return f"os.write(replies, {struct.pack('<I', len(data)) + data!r})"


def test_a_frame_too_large(make):
    hostile(make, f"os.write(replies, {struct.pack('<I', 2**32 - 1)!r} + b'x' * 1000)", "more than 64 MB at once")


def test_garbage(make):
    hostile(make, f"os.write(replies, {b'x' * 50!r})", "more than 64 MB at once")
    hostile(make, frame(b"\xff\xfe"), "no message")
    hostile(make, frame(b"[" * 100_000), "no message")
    hostile(make, frame(b"17"), "no message")


def test_the_end_of_its_replies(make):
    hostile(make, "os.close(replies)", "the code closed the pipes")


def test_messages_left_unread(make):
    executor = make(["os"], timeout_seconds=1)
    executor(FIND)
    executor.send_tools({"big": lambda: "x" * 5_000_000})
    # The process takes its own message, so the worker waits for one for ever.
    with pytest.raises(InterpreterError):
        executor("import os\nos.close(requests)\nbig()")
    assert executor("1").output == 1


def test_a_forged_reply_is_only_a_wrong_reply(make):
    executor = make(["os"])
    executor(FIND)
    reply = b'{"op":"done","value":99,"out":"forged"}'
    assert executor(frame(reply) + "\nos._exit(0)").output == 99
    with pytest.raises(SessionLostError, match="with status 0"):
        executor("1")


def test_a_forged_call_of_a_tool_it_was_not_given(make):
    hostile(
        make,
        frame(b'{"op":"call","id":1,"name":"delete_everything","args":[],"kwargs":{},"out":""}'),
        "tool that it was not given",
    )


def test_half_a_frame_and_then_nothing(make):
    executor = make(["os"], timeout_seconds=0.5)
    executor(FIND)
    with pytest.raises(InterpreterError, match=r"0\.5 seconds"):
        executor(f"os.write(replies, {struct.pack('<I', 1000)!r})\nwhile True: pass")
