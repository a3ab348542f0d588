"""Limits: each ends the code, names itself and how to raise it, and cannot be swallowed by the code."""

from __future__ import annotations

import threading
import time

import pytest

from smolagents.local_python_executor import (
    ExecutionInterruptedError,
    ExecutionLimitError,
    ExecutionTimeoutError,
    InterpreterError,
    LocalPythonExecutor,
)

ENDLESS = {
    "loop": "while True: pass",
    "for over count": "import itertools\nfor i in itertools.count(): pass",
    "list of count": "import itertools\nlist(zip(itertools.count()))[0:0]\nany(x < 0 for x in itertools.count())",
    "any of count": "import itertools\nany(map(lambda x: False, itertools.count()))",
    "max of repeat": "import itertools\nmax(itertools.repeat(1))",
    "deque of cycle": "import itertools, collections\ncollections.deque(itertools.cycle([1]), maxlen=0)",
    "membership": "import itertools\n-1 in itertools.count()",
    "iter with sentinel": "all(iter(lambda: 1, 2))",
    "sum of range": "sum(range(10**12))",
    "product": "import itertools\nsum(1 for _ in itertools.product(range(100), repeat=30))",
    "permutations": "import itertools, collections\ncollections.deque(itertools.permutations(range(30)), maxlen=0)",
    "counter elements": "import collections\ncollections.deque(collections.Counter(a=10**15).elements(), maxlen=0)",
    "generator": "def g():\n    while True: yield 1\nsum(g())",
    "tree recursion": "def f(n):\n    return f(n - 1) + f(n - 1) if n else 1\nf(80)",
    "comprehension": "[0 for a in range(10**6) for b in range(10**6) if b < 0]",
    "sleep": "import time\ntime.sleep(1000)",
    "queue": "import queue\nqueue.Queue().get()",
    "queue with timeout": "import queue\nqueue.Queue().get(timeout=1000)",
    "full queue": "import queue\nq = queue.Queue(1)\nq.put(1)\nq.put(2)",
    "await": "import asyncio\nawait asyncio.sleep(1000)",
    "loop in coroutine": "async def f():\n    while True: pass\nawait f()",
    "asyncio.run": "import asyncio\nasyncio.run(asyncio.sleep(1000))",
    "sort key": "def k(x):\n    while True: pass\nsorted([1, 2], key=k)",
    "property": "class A:\n    @property\n    def x(self):\n        while True: pass\nA().x",
    "lambda": "(lambda f: f(f))(lambda f: [0 for _ in iter(int, 1)])",
    "bare except": "while True:\n    try:\n        while True: pass\n    except:\n        pass",
    "except BaseException": "while True:\n    try:\n        while True: pass\n    except BaseException:\n        pass",
    "except name": "B = BaseException\nwhile True:\n    try:\n        while True: pass\n    except (B, ValueError) as e:\n"
    "        print(e)",
    "finally continue": "for i in range(10**9):\n    try:\n        while True: pass\n    finally:\n        continue",
    "finally return": "def f():\n    try:\n        while True: pass\n    finally:\n        return 1\nwhile True: f()",
    "suppress": "import contextlib\nwhile True:\n    with contextlib.suppress(BaseException):\n        while True: pass",
    "own exit": "class C:\n    def __enter__(self): pass\n    def __exit__(self, *a): return True\n"
    "while True:\n    with C():\n        while True: pass",
    "generator close": "def g():\n    try:\n        while True: yield\n    finally:\n        while True: pass\n"
    "x = g()\nnext(x)\nx.close()",
    "swallowing sleep": "import time\nwhile True:\n    try:\n        time.sleep(100)\n    except BaseException:\n        pass",
    "str of an error": "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
    "host recursion": "import statistics\nstatistics.mean(iter(lambda: 1, 2))",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_time_limit(name):
    executor = LocalPythonExecutor(["asyncio", "contextlib"], timeout_seconds=0.2)
    started = time.monotonic()
    with pytest.raises(ExecutionTimeoutError, match="timeout_seconds"):
        executor("print('before')\n" + ENDLESS[name])
    assert time.monotonic() - started < 5
    assert executor("1 + 1").output == 2


@pytest.mark.parametrize("name", [name for name in ENDLESS if "sleep" not in name and "queue" not in name
                                  and name not in ("await", "asyncio.run", "str of an error")])  # fmt: skip
def test_operation_limit(name):
    executor = LocalPythonExecutor(["asyncio", "contextlib"], timeout_seconds=None, max_operations=20_000)
    with pytest.raises(ExecutionLimitError, match="max_operations"):
        executor(ENDLESS[name])
    assert executor("1 + 1").output == 2


HUGE = {
    "power": "10 ** 10 ** 10",
    "power of a name": "x = 10\nx ** 10 ** 9",
    "augmented power": "x = 10\nx **= 10 ** 9",
    "squaring": "x = 10\nfor i in range(100): x = x * x",
    "augmented squaring": "x = 10\nfor i in range(100): x *= x",
    "pow": "pow(10, 10 ** 9)",
    "power method": "(10).__pow__(10 ** 9)",
    "operator.pow": "import operator\noperator.pow(10, 10 ** 9)",
    "shift": "1 << 10 ** 10",
    "augmented shift": "x = 1\nx <<= 10 ** 10",
    "text": "'a' * 10 ** 10",
    "text times name": "n = 10 ** 10\nn * 'a'",
    "list": "[0] * 10 ** 10",
    "augmented list": "x = [0]\nx *= 10 ** 10",
    "item": "x = [[0]]\nx[0] *= 10 ** 10",
    "attribute": "class A: x = 'a'\nA.x *= 10 ** 10",
    "list method": "[0].__mul__(10 ** 10)",
    "operator.mul": "import operator\noperator.mul('a', 10 ** 10)",
    "doubling": "s = 'abcdefgh'\nfor i in range(60): s = s * 2",
    "adding to itself": "s = 'abcdefgh'\nfor i in range(60): s += s",
    "sum with itself": "s = 'abcdefgh'\nfor i in range(60): s = s + s",
    "percent": "'%09999999999d' % 1",
    "percent with star": "'%*d' % (10 ** 9, 1)",
    "percent of a name": "t = '%9999999999d'\nt % 3",
    "format": "'{:9999999999}'.format(1)",
    "format nested": "'{:{}}'.format(1, 10 ** 9)",
    "format function": "format(1, '9999999999')",
    "f-string": "f'{1:9999999999}'",
    "f-string nested": "w = 10 ** 9\nf'{1:{w}}'",
    "format method": "(1).__format__('9999999999')",
    "ljust": "'a'.ljust(10 ** 10)",
    "center mapped": "list(map('a'.center, [10 ** 10]))",
    "zfill unbound": "str.zfill('1', 10 ** 10)",
    "expandtabs": "'\\t'.expandtabs(10 ** 10)",
    "list of range": "list(range(10 ** 10))",
    "tuple of a name": "r = range(10 ** 10)\ntuple(r)",
    "starred": "[*range(10 ** 10)]",
    "call": "print(*range(10 ** 10))",
    "set": "set(range(10 ** 10))",
    "extend": "l = []\nl.extend(range(10 ** 10))",
    "sorted": "sorted(range(10 ** 10))",
    "bytes": "bytes(10 ** 11)",
    "bytearray": "bytearray(10 ** 11)",
    "factorial": "import math\nmath.factorial(10 ** 8)",
    "comb": "import math\nmath.comb(10 ** 8, 5 * 10 ** 7)",
    "swallowed": "try:\n    10 ** 10 ** 10\nexcept:\n    print('caught')",
    "fraction": "import fractions\nfractions.Fraction(10) ** 10 ** 9",
}


@pytest.mark.parametrize("name", HUGE)
def test_size_limit(name):
    executor = LocalPythonExecutor(["operator", "fractions"], timeout_seconds=20)
    started = time.monotonic()
    with pytest.raises(ExecutionLimitError, match=r"the (limit|largest argument) is|more than"):
        executor(HUGE[name])
    assert time.monotonic() - started < 5


def test_ordinary_sizes_pass():
    executor = LocalPythonExecutor([])
    assert executor("len('ab' * 1000000) + len([0] * 1000000) + len(list(range(1000000)))").output == 4000000
    assert executor("(2 ** 100000).bit_length(), 1 << 1000 > 0, '%10s' % 'a', f'{1:>{20}}'").output[0] == 100001
    assert executor("10 ** 18 in range(10 ** 20), len(range(10 ** 9)), range(10 ** 12)[5]").output == (True, 10**9, 5)


def test_recursion_is_an_error_of_the_code():
    executor = LocalPythonExecutor([])
    with pytest.raises(InterpreterError, match="RecursionError"):
        executor("def f(n):\n    return f(n + 1)\nf(0)")
    assert executor("try:\n    f(0)\nexcept RecursionError:\n    r = 'caught'\nr").output == "caught"


def test_output_is_truncated_with_a_notice():
    executor = LocalPythonExecutor([], max_print_outputs_length=100)
    logs = executor("for i in range(100000): print('line', i)").logs
    assert len(logs) < 300
    assert "truncated" in logs
    assert logs.startswith("line 0")
    assert logs.endswith("99999\n")


def test_time_in_tools_does_not_count():
    executor = LocalPythonExecutor([], timeout_seconds=0.2)
    executor.send_tools({"slow": lambda: time.sleep(0.5) or "done"})
    assert executor("slow()").output == "done"
    with pytest.raises(ExecutionTimeoutError):
        executor("slow()\nwhile True: pass")


def test_nothing_runs_on_after_a_timeout():
    executor = LocalPythonExecutor([], timeout_seconds=0.1)
    box: list[int] = []
    executor.send_variables({"box": box})
    with pytest.raises(ExecutionTimeoutError):
        executor("while True:\n    box.append(1)\n    if len(box) > 1000: box.clear()")
    threads = threading.active_count()
    box.clear()
    total = sum(range(300_000))  # time in which left-over code would show
    assert box == []
    assert total
    assert threading.active_count() == threads


def test_finalizers_do_not_run_in_the_host():
    executor = LocalPythonExecutor([])
    box: list[int] = []
    executor.send_variables({"box": box})
    executor("class A:\n    def __del__(self): box.append('bomb')\na = A()")
    executor.cleanup()
    executor.state.clear()
    assert box == []


def test_a_timeout_of_one_session_leaves_others_alone():
    outcomes: dict[int, object] = {}

    def work(number: int) -> None:
        executor = LocalPythonExecutor([], timeout_seconds=0.3 if number % 2 else 60)
        executor.send_variables({"n": number})
        source = "while True: pass" if number % 2 else "t = 0\nfor i in range(100000): t += i % 7\n(n, t)"
        try:
            outcomes[number] = executor(source).output
        except InterpreterError as error:
            outcomes[number] = type(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = sum(i % 7 for i in range(100000))
    for number in range(30):
        assert outcomes[number] == (ExecutionTimeoutError if number % 2 else (number, expected))


def test_interrupt_from_another_thread():
    executor = LocalPythonExecutor([], timeout_seconds=None)
    started = threading.Event()
    executor.send_tools({"begin": started.set})
    timer = threading.Thread(target=lambda: (started.wait(), executor.interrupt()))
    timer.start()
    with pytest.raises(ExecutionInterruptedError):
        executor("begin()\nwhile True:\n    try:\n        while True: pass\n    except BaseException:\n        pass")
    timer.join()
    assert executor("1").output == 1


SWALLOWS = {
    "except": "try:\n    final_answer(1)\nexcept Exception:\n    pass\nfinal_answer(2)",
    "bare except": "try:\n    final_answer(1)\nexcept:\n    pass\nfinal_answer(2)",
    "base": "try:\n    final_answer(1)\nexcept BaseException:\n    final_answer(2)",
    "finally": "def f():\n    try:\n        final_answer(1)\n    finally:\n        return 5\nf()\nfinal_answer(2)",
    "finally break": "while True:\n    try:\n        final_answer(1)\n    finally:\n        break\nfinal_answer(2)",
    "suppress": "import contextlib\nwith contextlib.suppress(BaseException):\n    final_answer(1)\nfinal_answer(2)",
    "exit": "class C:\n    def __enter__(self): pass\n    def __exit__(self, *a): return True\n"
    "with C():\n    final_answer(1)\nfinal_answer(2)",
    "generator": "def g():\n    yield final_answer(1)\nlist(g())",
    "comprehension": "[final_answer(i) for i in range(1, 5)]",
    "sort key": "sorted([3, 1], key=lambda x: final_answer(1))",
    "map": "list(map(final_answer, [1, 2]))",
    "lambda": "(lambda: final_answer(1))()",
    "callback of library": "import functools\nfunctools.reduce(lambda a, b: final_answer(1), [1, 2, 3])",
    "property": "class A:\n    @property\n    def x(self): return final_answer(1)\ngetattr(A(), 'x', 5)",
    "repr": "class A:\n    def __repr__(self): return final_answer(1)\nprint(A())",
    "coroutine": "async def f():\n    final_answer(1)\nawait f()",
    "task": "import asyncio\nasync def f():\n    final_answer(1)\nasync def g():\n"
    "    await asyncio.gather(f(), return_exceptions=True)\nawait g()\nfinal_answer(2)",
    "del": "class A:\n    def __del__(self): final_answer(1)\na = A()\ndel a\nfinal_answer(2)",
    "nested": "for i in range(3):\n    try:\n        try:\n            final_answer(1)\n        except:\n            1 / 0\n"
    "    except:\n        pass\nfinal_answer(2)",
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", SWALLOWS)
def test_final_answer_cannot_be_swallowed(name):
    executor = LocalPythonExecutor(["asyncio", "contextlib", "functools"], timeout_seconds=5)
    executor.send_tools({"final_answer": lambda answer: answer})
    result = executor(SWALLOWS[name])
    assert (result.output, result.is_final_answer) == (1, True)


def test_final_answer_in_a_starred_except():
    executor = LocalPythonExecutor([])
    executor.send_tools({"final_answer": lambda answer: answer})
    source = "try:\n    final_answer(1)\nexcept* BaseException:\n    pass\nfinal_answer(2)"
    try:
        compile(source, "", "exec")
    except SyntaxError:
        pytest.skip("syntax of a newer Python")
    assert executor(source).output == 1


def test_the_host_may_call_what_the_code_left_behind():
    executor = LocalPythonExecutor([], max_operations=50_000)
    executor.send_tools({"final_answer": lambda answer: answer})
    source = "class A:\n    def __repr__(self):\n        for i in range(10_000): pass\n        return 'A!'\nfinal_answer(A())"
    left_behind = executor(source).output
    assert repr(left_behind) == "A!"

    def exhaust():
        for _ in range(100):
            repr(left_behind)

    for _ in range(3):
        with pytest.raises(ExecutionLimitError):
            exhaust()
    with pytest.raises(ExecutionLimitError):
        executor("class B:\n    def __repr__(self):\n        while True: pass\nb = B()\nwhile True: pass")
    with pytest.raises(ExecutionLimitError):
        repr(executor.state["b"])
