"""State, values of code, prints, errors, limits and endings: the same on every executor."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from smolagents.executors.errors import (
    ExecutionInterruptedError,
    ExecutionTimeoutError,
    ImportNotAuthorizedError,
    InterpreterError,
    SessionLostError,
)

SUBJECT = "state, output, errors, limits"


def failure(executor, source, kind=InterpreterError):
    with pytest.raises(kind) as caught:
        executor(source)
    return caught.value


def test_definitions_of_one_step_are_usable_in_the_next(executor):
    executor("import math\nfactor = 2\ndef area(r):\n    return math.pi * r ** factor")
    assert executor("round(area(2), 3)").output == 12.566
    executor("factor = 3")
    assert executor("round(area(2), 3)").output == 25.133


@pytest.mark.needs("classes")
def test_classes_of_one_step_are_usable_in_the_next(executor):
    executor("class Point:\n    def __init__(self, x):\n        self.x = x\npoint = Point(4)")
    executor("point.x += 1")
    assert executor("(point.x, isinstance(point, Point))").output == (5, True)


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("x = 5", 5),
        ("x = y = [1]", [1]),
        ("a, b = 1, 2", (1, 2)),
        ("x = 1\nx += 4", 5),
        ("x: int = 7", 7),
        ("d = {}\nd['k'] = 3", 3),
        ("if True:\n    8\nelse:\n    9", 8),
        ("try:\n    1 / 0\nexcept ZeroDivisionError:\n    'z'", "z"),
        ("print(1)", None),
        ("", None),
        ("pass", None),
        ("def f(): return 1", None),
        ("'doc'", "doc"),
    ],
)
def test_the_output_is_the_last_expression_or_assignment(executor, source, output):
    assert executor(source).output == output


def test_prints_are_captured_in_order_and_only_of_this_code(executor):
    executor("print('before')")
    result = executor("print('a', 1, sep='-')\nfor i in range(3):\n    print(i, end=' ')\nprint('ü ☃ \\U0001f600')")
    assert result.logs == "a-1\n0 1 2 ü ☃ \U0001f600\n"
    assert not result.is_final_answer


def test_long_prints_are_cut_in_the_middle(executor):
    logs = executor("print('begin')\nfor i in range(3000):\n    print('x' * 100)\nprint('end')").logs
    assert 50_000 <= len(logs) < 51_000
    assert logs.startswith("begin")
    assert logs.rstrip().endswith("end")
    assert "truncated" in logs


def test_an_error_tells_where_and_what_and_keeps_the_prints(executor):
    error = failure(executor, "def inner(values):\n    return values['b']\nprint('so far')\ninner({'a': 1})")
    text = str(error)
    assert "KeyError: 'b'" in text
    assert "inner({'a': 1})" in text
    assert "return values['b']" in text
    assert error.logs == "so far\n"
    assert executor("1 + 1").output == 2


def test_an_error_leaves_what_was_done_before_it(executor):
    failure(executor, "kept = 41\n1 / 0")
    assert executor("kept + 1").output == 42


def test_code_that_is_not_python_is_refused_with_its_line(executor):
    text = str(failure(executor, "a = 1\nb = = 2"))
    assert "line 2" in text
    assert "b = = 2" in text
    assert "SyntaxError" in text


def test_a_tool_cannot_be_replaced(executor):
    executor.send_tools({"lookup_price": lambda name: 3})
    text = str(failure(executor, "lookup_price = 5"))
    assert "lookup_price" in text
    assert executor("lookup_price('x')").output == 3


@pytest.mark.needs("import_policy")
def test_only_authorised_modules_are_imported(make):
    executor = make(imports=["json"])
    assert executor("import json\njson.dumps([1])").output == "[1]"
    assert executor("from math import floor\nfloor(2.5)").output == 2
    error = failure(executor, "import socket")
    assert "socket" in str(error)
    assert "json" in str(error)
    if not isinstance(error, ImportNotAuthorizedError):
        pytest.skip("it tells with an error of its own")


@pytest.mark.needs("await")
def test_top_level_await(executor):
    assert executor("async def later():\n    return 6\nvalue = await later()\nvalue * 7").output == 42


# -- ends -----------------------------------------------------------------------------------------------------------


def test_a_loop_without_end_is_stopped_in_time(make):
    executor = make(timeout_seconds=1.0)
    executor("before = 5")
    started = time.monotonic()
    error = failure(executor, "print('working')\nwhile True:\n    pass")
    assert time.monotonic() - started < 20
    assert isinstance(error, (ExecutionTimeoutError, SessionLostError))
    assert "1.0 seconds" in str(error)
    assert executor("1 + 1").output == 2


@pytest.mark.needs("interrupt")
def test_what_was_defined_survives_a_time_out(make):
    executor = make(timeout_seconds=1.0)
    executor("before = 5")
    error = failure(executor, "print('working')\nwhile True:\n    pass", ExecutionTimeoutError)
    assert error.logs == "working\n"
    assert executor("before").output == 5


@pytest.mark.needs("interrupt", "sleep")
def test_waiting_is_stopped_in_time(make):
    executor = make(timeout_seconds=1.0, imports=["time"])
    executor("before = 5")
    failure(executor, "import time\ntime.sleep(60)", ExecutionTimeoutError)
    assert executor("before").output == 5


def test_time_in_tools_is_not_counted(make):
    executor = make(timeout_seconds=1.5)
    executor("1")  # the start is not what is measured
    executor.send_tools({"slow": lambda: time.sleep(2.0) or "done"})
    assert executor("slow()").output == "done"


@pytest.mark.needs("interrupt")
def test_another_thread_interrupts(make):
    executor = make(timeout_seconds=60.0)
    executor("before = 5")
    begun = threading.Event()
    executor.send_tools({"begin": begun.set})

    def interrupt():
        begun.wait(30)
        time.sleep(0.2)  # the code is in its loop, or just before it
        executor.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    error = failure(executor, "begin()\nwhile True:\n    pass")
    thread.join()
    assert isinstance(error, ExecutionInterruptedError)
    assert executor("before").output == 5


@pytest.mark.needs("interrupt")
def test_a_call_that_is_cancelled_stops_its_code(make, monkeypatch):
    monkeypatch.setattr("smolagents.executors.remote.session.GRACE_SECONDS", 30.0)  # on a busy machine
    executor = make(timeout_seconds=60.0)
    executor("before = 5")
    begun = threading.Event()
    executor.send_tools({"begin": begun.set})

    async def main():
        call = asyncio.ensure_future(executor.acall("begin()\nwhile True:\n    pass"))
        assert await asyncio.to_thread(begun.wait, 30)
        await asyncio.sleep(0.2)  # the code is in its loop
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return await executor.acall("before")

    assert asyncio.run(main()).output == 5


def test_a_loop_of_tool_calls_reaches_its_time_limit(make):
    executor = make(timeout_seconds=1.5)
    executor("before = 5")
    executor.send_tools({"quick": lambda: None})
    error = failure(executor, "while True:\n    quick()")
    assert isinstance(error, ExecutionTimeoutError)
    assert executor("before").output == 5


@pytest.mark.needs("boundary", "exit")
def test_a_worker_that_dies_is_told_and_the_next_code_runs_in_a_fresh_one(make):
    executor = make(imports=["os"])
    executor.send_variables({"given": [1, 2]})
    executor.send_tools({"twice": lambda x: 2 * x})
    executor("found = twice(4)\nother = 1")
    error = failure(executor, "print('going')\nimport os\nos._exit(3)", SessionLostError)
    assert {"found", "other"} <= set(error.lost)
    assert "given" not in error.lost
    assert "found" in str(error)
    result = executor("print(given)\ntwice(5)")
    assert result.output == 10
    assert "fresh session" in result.logs
    assert result.logs.endswith("[1, 2]\n")
    assert "NameError" in str(failure(executor, "found"))
    assert executor("1").logs == ""


def test_cleanup_can_be_repeated_and_the_executor_used_again(make):
    executor = make()
    executor("x = 1")
    executor.cleanup()
    executor.cleanup()
    with executor:
        assert executor("1 + 1").output == 2
    executor.cleanup()


def test_sessions_do_not_see_each_other(make):
    first = make()
    second = first.session()
    if second is None:
        pytest.skip("it has a single session")
    try:
        first("secret = 1")
        second("secret = 2")
        assert first("secret").output == 1
        assert second("secret").output == 2
    finally:
        second.cleanup()


def test_it_runs_without_blocking_the_event_loop(executor):
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        await executor.asend_tools({"pause": lambda: time.sleep(0.5)})
        await executor.asend_variables({"number": 20})
        result = await executor.acall("pause()\nnumber + 1")
        ticking.cancel()
        return result.output, ticks

    output, ticks = asyncio.run(main())
    assert output == 21
    assert ticks > 5
