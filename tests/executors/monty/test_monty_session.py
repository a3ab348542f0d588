"""Sessions: limits that spare what was there before, snapshots, interruption, endings, and nothing left behind."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from smolagents import CodeAgent, Tool, tool
from smolagents.executors.errors import (
    ExecutionInterruptedError,
    ExecutionLimitError,
    ExecutionTimeoutError,
    InterpreterError,
    SessionLostError,
)
from smolagents.testing import ScriptedModel
from smolagents.types.errors import AgentInterruptedError

KEPT = "Variables are as they were before this code."


def children():
    psutil = pytest.importorskip("psutil")
    return {child.pid for child in psutil.Process().children(recursive=True)}


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def python(source, **settings):
    """Run source in a Python of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, timeout=60, **settings
    )


# -- limits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("while True: pass", ExecutionTimeoutError, "took longer than 0.5 seconds"),
        ("import time\ntime.sleep(50)", ExecutionTimeoutError, "Line 3, in <module>\n    time.sleep(50)"),
        ("import asyncio\nawait asyncio.sleep(50)", ExecutionTimeoutError, "took longer than 0.5 seconds"),
        ("found = 'a' * 10**10", ExecutionLimitError, "Line 2, in <module>\n    found = 'a' * 10**10"),
        ("found = []\nwhile True: found.append('x' * 1000)", ExecutionLimitError, "more than 64 MB of memory"),
    ],
)
def test_a_limit_leaves_what_was_before(make, failure, source, kind, message):
    executor = make(timeout_seconds=0.5, memory_mb=64)
    executor.send_tools({"double": lambda n: 2 * n})
    executor("def f(n): return double(n)\nfound = 0\nprint('x')")
    executor.send_variables({"given": [1]})
    error = failure(executor, f"found = print('so far')\n{source}", kind)
    assert message in str(error)
    assert KEPT in str(error)
    assert error.logs == "so far\n"
    assert executor("(found, f(3), given)").output == (0, 6, [1])


def test_variables_reach_the_session_even_if_the_code_is_refused(executor, failure):
    executor.send_variables({"given": 1})
    failure(executor, "class A(Base): pass")
    assert executor("given").output == 1


def test_variables_that_are_too_large_are_named_and_do_no_lasting_harm(make, failure):
    executor = make(memory_mb=16)
    executor("x = 5")
    executor.send_variables({"text": "a" * 20_000_000})
    assert "The variables text could not be given" in str(failure(executor, "x", ExecutionLimitError))
    assert executor("x").output == 5


def test_limits_cannot_be_caught(make, failure):
    executor = make(timeout_seconds=0.3, memory_mb=64)
    failure(executor, "try:\n    while True: pass\nexcept BaseException:\n    pass", ExecutionTimeoutError)
    failure(executor, "try:\n    'a' * 10**10\nexcept BaseException:\n    pass", ExecutionLimitError)


def test_time_in_tools_is_not_counted_and_time_around_them_is(make, failure):
    executor = make(timeout_seconds=0.5)
    executor.send_tools({"slow": lambda: time.sleep(0.7) or 1, "quick": lambda: 1})
    assert executor("slow() + slow()").output == 2
    failure(executor, "while True:\n    quick()", ExecutionTimeoutError)
    failure(
        executor, "while True:\n    try:\n        open('x')\n    except OSError:\n        pass", ExecutionTimeoutError
    )


def test_more_than_can_be_kept_is_refused_and_what_was_before_is_kept(make, failure):
    executor = make(memory_mb=16)
    executor("small = 5")
    error = failure(executor, "print('hi')\nlarge = 'a' * (9 * 2**20)\n1", ExecutionLimitError)
    assert "more than can be kept" in str(error)
    assert error.logs == "hi\n"
    assert executor("small").output == 5
    assert "NameError" in str(failure(executor, "large"))
    executor.send_tools({"final_answer": lambda answer: answer})
    result = executor("large = 'a' * (9 * 2**20)\nfinal_answer(len(large))")
    assert (result.is_final_answer, result.output) == (True, 9 * 2**20)


def test_what_was_saved_can_always_be_put_back(make, failure):
    """A list takes up to twice its memory when it is loaded: sizes around the limit must not be lost later."""
    executor = make(memory_mb=32, timeout_seconds=5)
    executor("count = 0")
    for count in (100_000, 400_000, 800_000, 1_200_000, 1_600_000):
        try:
            executor(f"items = [1] * {count}\ncount = {count}")
        except ExecutionLimitError:
            pass
        kept = executor("count").output
        failure(executor, "'a' * 10**12", ExecutionLimitError)
        assert executor("count").output == kept
    assert kept > 100_000


def test_a_breakdown_of_the_interpreter_is_told_and_survived(executor, failure):
    psutil = pytest.importorskip("psutil")
    executor("kept = 5")
    executor.send_tools({"kill": lambda: [child.kill() for child in psutil.Process().children()] and None})
    error = failure(executor, "print('hi')\nkept = 6\nkill()\nkept", SessionLostError)
    assert KEPT in str(error)
    assert executor("kept").output == 5


def test_deep_recursion_is_an_error_that_can_be_caught(make):
    executor = make(max_recursion_depth=50)
    source = "def f(n):\n    return 0 if n == 0 else f(n - 1)\ntry:\n    f({})\nexcept RecursionError:\n    'deep'"
    assert executor(source.format(40)).output == 0
    assert executor(source.format(60)).output == "deep"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timeout_seconds": 0}, "timeout_seconds must be more than 0"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds"),
        ({"memory_mb": 0}, "memory_mb must be at least 1"),
        ({"max_recursion_depth": 0}, "max_recursion_depth"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_modules_that_there_are_not_are_refused_at_once(make):
    make(["json", "math"])
    make(["*"])
    with pytest.raises(ValueError, match=r"Monty cannot import numpy, PIL: .*'sandbox' or 'docker'"):
        make(["numpy", "json", "PIL"])
    with pytest.raises(ValueError, match="cannot import pandas"):
        make().install_packages(["pandas"])
    assert make().install_packages(["json"]) == []
    with pytest.raises(TypeError, match="must be a list"):
        make("json")


# -- the final answer --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    final_answer(1)\nexcept Exception:\n    final_answer(2)",
        "try:\n    final_answer(1)\nexcept:\n    final_answer(2)",
        "try:\n    final_answer(1)\nfinally:\n    double(3)\n    final_answer(2)",
        "def f():\n    return final_answer(1)\n[f() for _ in range(3)]",
        "import asyncio\nasync def f():\n    final_answer(1)\nawait asyncio.gather(f(), f())",
        "await final_answer(1)",
        "try:\n    final_answer(1)\nexcept:\n    pass\nimport time\ntime.sleep(100)",
        "try:\n    final_answer(1)\nexcept:\n    import asyncio\n    await asyncio.sleep(100)",
    ],
)
def test_the_first_final_answer_ends_the_code(executor, source):
    executor.send_tools({"final_answer": lambda answer: answer, "double": lambda n: 2 * n})
    result = executor(f"before = 5\n{source}")
    assert (result.is_final_answer, result.output) == (True, 1)
    assert executor("before").output == 5


def test_code_that_will_not_end_after_its_answer_is_killed(executor):
    executor.send_tools({"final_answer": lambda answer: answer})
    executor("before = 5")
    started = time.monotonic()
    result = executor("print('hi')\ntry:\n    final_answer(1)\nexcept BaseException:\n    while True: pass")
    assert time.monotonic() - started < 5
    assert (result.is_final_answer, result.output, result.logs) == (True, 1, "hi\n")
    assert executor("before").output == 5


def test_a_final_answer_that_fails_is_an_error(executor, failure):
    def refuse(answer):
        raise ValueError("a number is wanted")

    executor.send_tools({"final_answer": refuse})
    assert "ValueError: a number is wanted" in str(failure(executor, "final_answer('x')"))


# -- interruption ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["while True: pass", "import time\ntime.sleep(100)", "wait()\nafter = 1"])
def test_another_thread_interrupts(make, failure, source):
    executor = make(timeout_seconds=60)
    begun, interrupted = threading.Event(), threading.Event()
    executor.send_tools({"begin": begun.set, "wait": lambda: interrupted.wait(20) and None})
    executor("before = 5")

    def interrupt():
        begun.wait(20)
        executor.interrupt()
        interrupted.set()

    thread = threading.Thread(target=interrupt)
    thread.start()
    error = failure(executor, f"print('so far')\nbegin()\n{source}", ExecutionInterruptedError)
    thread.join()
    assert error.logs == "so far\n"
    assert executor("before").output == 5
    executor.interrupt()  # nothing runs: nothing happens
    assert executor("before").output == 5


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("source", ["while True: pass", "import time; time.sleep(100)"])
def test_the_keyboard_interrupts_and_the_session_goes_on(source):
    done = python(f"""
        import os, signal, threading, time
        from smolagents.executors.monty import MontyExecutor
        executor = MontyExecutor(timeout_seconds=60)
        executor.send_tools({{"begin": lambda: threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()}})
        executor("before = 5")
        try:
            executor("begin()\\n{source}")
        except KeyboardInterrupt:
            print("interrupted", executor("before").output)
        """)
    assert done.stdout == "interrupted 5\n", done.stderr


def test_what_a_tool_raises_to_end_the_program_ends_the_code(executor):
    def leave():
        raise SystemExit(3)

    executor.send_tools({"leave": leave})
    executor("before = 5")
    with pytest.raises(SystemExit):
        executor("before = 6\ntry:\n    leave()\nexcept BaseException:\n    pass")
    assert executor("before").output == 5


def test_a_tool_cannot_run_code_in_the_session_that_called_it(executor, failure):
    executor.send_tools({"again": lambda: executor("1"), "other": lambda: executor.session()("1 + 1").output})
    assert "RuntimeError: The session is running code" in str(failure(executor, "again()"))
    assert executor("other()").output == 2


# -- snapshots ---------------------------------------------------------------------------------------------------


def test_a_session_goes_on_elsewhere(executor, tmp_path):
    executor(
        "import math\nclass Car:\n    def __init__(self): self.wheels = 4\ncar = Car()\ndef area(r): return lookup(r)"
    )
    executor.send_variables({"given": {"a": (1, 2)}})
    path = tmp_path / "session"
    path.write_bytes(executor.snapshot())
    source = f"""
        from smolagents.executors.monty import MontyExecutor
        with MontyExecutor() as executor:
            executor.restore(open({str(path)!r}, "rb").read())
            executor.send_tools({{"lookup": lambda r: r * 10}})
            print(executor("(math.floor(2.5), car.wheels, area(2), given)").output)
        """
    done = python(source)
    assert done.stdout == "(2, 4, 20, {'a': (1, 2)})\n", done.stderr
    assert executor("car.wheels").output == 4


def test_one_snapshot_makes_several_sessions(executor):
    executor("log = []")
    snapshot = executor.snapshot()
    executor("log.append(1)")
    other = executor.session()
    other.restore(snapshot)
    assert other("log.append(2)\nlog").output == [2]
    executor.restore(snapshot)
    assert executor("log").output == []
    assert other("log").output == [2]
    other.cleanup()


def test_what_is_no_snapshot_is_refused_and_the_session_stays(executor):
    executor("x = 5")
    good = executor.snapshot()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0xFF
    for bad in (b"", b"junk", good[:40], good[:-20], good[5:], good[:30] + os.urandom(500), "text", None):
        with pytest.raises(ValueError, match="snapshot"):
            executor.restore(bad)
        assert executor("x").output == 5
    try:
        executor.restore(bytes(flipped))  # what it is, nobody can tell; the host must survive it
    except ValueError:
        pass
    executor.restore(good)
    assert executor("x").output == 5


def test_a_snapshot_of_nothing_is_an_empty_session(make):
    first, second = make(), make()
    second.restore(first.snapshot())
    assert second("1 + 1").output == 2


# -- agents ------------------------------------------------------------------------------------------------------


class Slow(Tool):
    name = "slow"
    description = "Waits."
    inputs = {"seconds": {"type": "number", "description": "How long."}}
    output_type = "string"

    async def forward(self, seconds: float) -> str:
        import asyncio

        await asyncio.sleep(seconds)
        return "done"


def test_asynchronous_tools_are_called_like_others(executor):
    executor.send_tools({"slow": Slow()})
    assert executor("slow(0.01) + slow(seconds=0.01)").output == "donedone"


@tool
def lookup(city: str, country: str = "France") -> dict:
    """Looks a city up.

    Args:
        city: Its name.
        country: Where it is.
    """
    return {"city": city, "country": country}


def test_an_agent_works_and_recovers(make):
    agent = CodeAgent(
        tools=[lookup],
        model=ScriptedModel(
            [
                "<code>\nclass Found(dict): pass\n</code>",
                "<code>\nfound = [lookup(c) for c in ('Paris', 'Lyon')]\nwhile True: pass\n</code>",
                "<code>\nfound = lookup('Paris')\n</code>",
                "<code>\nfinal_answer(found['country'] + str(budget))\n</code>",
            ]
        ),
        executor=make(timeout_seconds=0.5),
    )
    assert agent.run("Where is Paris?", additional_args={"budget": 5}) == "France5"
    texts = [str(step.error) if step.error else step.observations for step in agent.memory.steps[1:]]
    assert "raise built-in exceptions" in texts[0]
    assert "took longer than 0.5 seconds" in texts[1]
    assert "'country': 'France'" in texts[2]


def test_that_an_agent_was_interrupted_is_not_an_error_of_the_code(executor, failure):
    def helper(task):
        raise AgentInterruptedError("stopped")

    executor.send_tools({"helper": helper})
    assert isinstance(failure(executor, "helper('x')").__cause__, AgentInterruptedError)


# -- endings -----------------------------------------------------------------------------------------------------


def test_sessions_leave_no_process_and_no_descriptor_behind(make):
    make()("1")  # what the first of a process makes stays
    gc.collect()
    before, threads = children(), threading.active_count()
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for number in range(30):
        executor = make()
        executor("x = 1")
        if number % 2:
            with pytest.raises(ExecutionLimitError):
                executor("'a' * 10**12")
        executor.cleanup()
    wait_until(lambda: not children() - before and threading.active_count() <= threads)
    if descriptors:
        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)


def test_cleanup_ends_the_process_at_once_even_while_code_runs(make):
    executor = make(timeout_seconds=60)
    before = children()
    executor("x = 1")
    own = children() - before
    ended = []

    def run():
        try:
            executor("while True: pass")
        except InterpreterError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: executor._step is not None)
    executor.cleanup()
    thread.join(10)
    assert isinstance(ended[0], ExecutionInterruptedError)
    assert own
    wait_until(lambda: not children() & own)
    with pytest.raises(InterpreterError, match="NameError"):
        executor("x")


def test_an_executor_that_is_forgotten_ends_its_process():
    pytest.importorskip("pydantic_monty")
    from smolagents.executors.monty import MontyExecutor

    before = children()
    executor = MontyExecutor()
    executor.send_tools({"helper": lambda: 1})
    executor("helper()")
    own = children() - before
    assert own
    del executor
    gc.collect()
    wait_until(lambda: not children() & own)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_on_the_other_side_of_a_fork_it_says_so_and_the_parent_goes_on():
    done = python("""
        import os, warnings
        warnings.simplefilter("ignore")
        from smolagents.executors.monty import MontyExecutor
        executor = MontyExecutor()
        executor("x = 5")
        if os.fork() == 0:
            try:
                executor("x")
            except RuntimeError as error:
                os.write(1, b"spawn" if "spawn" in str(error) else b"?")
            os._exit(0)
        os.wait()
        print(executor("x").output, flush=True)
        """)
    assert done.stdout == "spawn5\n", done.stderr


def test_a_program_that_ends_while_code_runs_leaves_nothing():
    psutil = pytest.importorskip("psutil")
    done = python("""
        import threading, time, os, psutil
        from smolagents.executors.monty import MontyExecutor
        executor = MontyExecutor(timeout_seconds=60)
        executor("1")
        threading.Thread(target=executor, args=("while True: pass",), daemon=True).start()
        time.sleep(0.3)
        print(psutil.Process().children()[0].pid, flush=True)
        """)
    number = int(done.stdout)
    wait_until(lambda: not psutil.pid_exists(number))


@pytest.mark.skipif(not hasattr(os, "kill"), reason="signals of POSIX")
def test_a_program_that_is_killed_leaves_nothing_once_the_time_is_up():
    psutil = pytest.importorskip("psutil")
    done = python("""
        import threading, time, os, signal, psutil
        from smolagents.executors.monty import MontyExecutor
        executor = MontyExecutor(timeout_seconds=1)
        executor("1")
        threading.Thread(target=executor, args=("while True: pass",), daemon=True).start()
        time.sleep(0.2)
        print(psutil.Process().children()[0].pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """)
    number = int(done.stdout)
    wait_until(lambda: not psutil.pid_exists(number))


def test_a_missing_package_is_named():
    done = python("""
        import sys
        sys.modules["pydantic_monty"] = None
        from smolagents.executors.monty import MontyExecutor
        try:
            MontyExecutor()
        except ImportError as error:
            print(type(error).__name__, error)
        """)
    assert "smolagents[monty]" in done.stdout, done.stderr
    assert "MontyExecutor" in done.stdout


def test_importing_it_is_cheap():
    done = python("""
        import sys
        import smolagents.executors.monty
        print([name for name in ("pydantic_monty", "numpy", "asyncio") if name in sys.modules])
        """)
    assert done.stdout == "[]\n", done.stderr
