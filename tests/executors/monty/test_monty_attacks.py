"""Code that means harm: what it reaches for is not there, what it piles up is stopped, and the host goes on."""

from __future__ import annotations

import os
import time
import types

import pytest

from smolagents.executors.errors import ExecutionLimitError, ExecutionTimeoutError, InterpreterError, SessionLostError

OUT_OF_REACH = [
    "open('/etc/passwd').read()",
    "open('x', 'w')",
    "open('/proc/self/environ')",
    "import os\nos.environ",
    "import os\nos.getenv('PATH')",
    "from os import environ",
    "import os\nos.listdir('/')",
    "import os\nos.stat('/etc')",
    "import os\nos.remove('x')",
    "import os\nos.makedirs('/tmp/x')",
    "import os\nos.rename('a', 'b')",
    "import os\nlist(os.scandir('.'))",
    "import os\nos.urandom(8)",
    "import os\nos.system('id')",
    "import os\nos.popen('id')",
    "import os\nos.fork()",
    "import os\nos.kill(1, 9)",
    "import os\nos._exit(1)",
    "import os.path\nos.path.exists('/etc/passwd')",
    "import os.path\nos.path.getsize('/etc/passwd')",
    "from pathlib import Path\nPath('/etc/passwd').read_text()",
    "from pathlib import Path\nPath('x').write_text('y')",
    "from pathlib import Path\nlist(Path('/').iterdir())",
    "from pathlib import Path\nPath.home()",
    "from pathlib import Path\nPath('~').expanduser().exists()",
    "import sys\nsys.modules",
    "import sys\nsys.exit(1)",
    "import sys\nsys._getframe()",
    "import sys\nsys.path",
    "import subprocess",
    "import socket",
    "import ctypes",
    "import threading",
    "import multiprocessing",
    "import signal",
    "import importlib",
    "import builtins",
    "import pydantic_monty",
    "import smolagents",
    "from os import system",
    "__import__('os')",
    "__builtins__",
    "__loader__",
    "globals()",
    "compile('1', '', 'eval')",
    "breakpoint()",
    "input()",
    "().__class__.__base__.__subclasses__()",
    "type.__subclasses__(object)",
    "(lambda: 0).__globals__",
    "(lambda: 0).__code__",
    "len.__self__",
    "[].__class__.__mro__",
    "''.format.__func__",
    "try:\n    1 / 0\nexcept Exception as e:\n    e.__traceback__.tb_frame",
    "helper.__self__",
    "helper.__globals__",
    "helper.__wrapped__",
    "import json\njson.load(open('/etc/passwd'))",
    "import csv\ncsv.reader(open('/etc/passwd'))",
    "import random\nrandom.SystemRandom()",
    "import time\ntime.tzset()",
    "eval('__import__(\"os\")')",
    "exec('import subprocess')",
    "'{0.__class__.__init__.__globals__}'.format(helper)",
]


@pytest.mark.parametrize("source", OUT_OF_REACH)
def test_there_is_nothing_to_reach(shared, source):
    shared.send_tools({"helper": lambda: 1})
    with pytest.raises(InterpreterError):
        shared(source)


@pytest.mark.parametrize(
    "source", ["import os\nlist(os.walk('/'))", "from pathlib import Path\nlist(Path('/').glob('*'))"]
)
def test_what_passes_over_errors_finds_nothing(shared, source):
    assert shared(source).output == []


@pytest.mark.parametrize(
    "source", ["import os\nos.getcwd()", "__file__", "import sys\nsys.argv", "import sys\nsys.executable"]
)
def test_what_is_told_of_the_machine_is_not_true(shared, source):
    told = str(shared(source).output)
    assert os.getcwd() not in told
    assert "python3" not in told


def test_the_process_of_the_code_has_no_environment_of_the_host(shared, monkeypatch):
    psutil = pytest.importorskip("psutil")
    monkeypatch.setenv("SECRET_KEY", "hidden")
    with shared.session() as executor:
        executor("1")
        found = [child for child in psutil.Process().children() if "monty" in child.name()]
        assert found
        for child in found:
            assert "SECRET_KEY" not in child.environ()


TOO_MUCH = [
    "'a' * 10**12",
    "'a' * (1 << 60)",
    "b'a' * 10**12",
    "[0] * 10**10",
    "list(range(10**10))",
    "2 ** (10**9)",
    "9 ** 9 ** 9",
    "1 << 10**12",
    "x = 10 ** 100_000\nfor i in range(10):\n    x = x * x",
    "import math\nmath.factorial(10**7)",
    "f'{1:>{10**10}}'",
    "'%1000000000d' % 1",
    "'x'.ljust(10**10)",
    "'a,' .join(['b' * 1000] * 10**7)",
    "x = 'a'\nwhile True: x += x",
    "x = []\nwhile True: x.append(x[:])",
    "x = {}\nfor i in range(10**9): x[i] = i",
    "import itertools\nlist(itertools.count())",
    "import itertools\nlist(itertools.product(range(1000), repeat=10))",
    "import re\nre.sub('a', 'b' * 10**6, 'a' * 10**6)",
    "print('a' * 10**12)",
    "helper('a' * 10**12)",
    "def f(n):\n    return f(n + 1)\nwhile True:\n    try:\n        f(0)\n    except RecursionError:\n        pass",
    "while True:\n    try:\n        helper(missing)\n    except NameError:\n        pass",
    "while True: print('x' * 1000)",
    "def f(): return [f() for _ in range(10)]\ntry: f()\nexcept RecursionError: pass\nwhile True: pass",
    "x = [1] * 1000\nwhile True: sorted(x * 100)",
    "x = {}\nclass A:\n    def __hash__(self): return 1\n    def __eq__(self, other): return False\nwhile True: x[A()] = 1",
    "import re\nwhile True: re.match('(a+)+$', 'a' * 100 + 'b')",
]


@pytest.mark.parametrize("source", TOO_MUCH)
def test_what_is_piled_up_is_stopped(make, source):
    executor = make(timeout_seconds=0.7, memory_mb=64)
    executor.send_tools({"helper": lambda value: value})
    executor("before = 5")
    started = time.monotonic()
    with pytest.raises((ExecutionLimitError, ExecutionTimeoutError, SessionLostError)):
        executor(source)
    assert time.monotonic() - started < 8
    assert executor("before").output == 5


NESTED = [
    "(" * 5000 + ")" * 5000,
    "-" * 50_000 + "1",
    "not " * 50_000 + "1",
    "1" + "+1" * 300_000,
    "a" + ".b" * 300_000,
    "a" + "()" * 300_000,
    "a" + "[0]" * 200_000,
    "lambda:" * 50_000 + "1",
    "[" * 199 + "]" * 199,
    "".join(" " * n + "if 1:\n" for n in range(150)) + " " * 150 + "1",
    "x = " * 100_000 + "1",
    "f'" + "{x}" * 30_000 + "'",
    "'" + "a" * 999_000 + "'",
    "(a := " * 3000 + "1" + ")" * 3000,
    "a" * 1_000_001,
    "\x00",
    "\ud800",
    "'\ud800'",
    "x = 1\\",
    "\f\v\x1c x",
]


@pytest.mark.parametrize("source", NESTED, ids=range(len(NESTED)))
def test_code_made_to_break_what_reads_it_is_an_error_or_runs(shared, source):
    try:
        shared(source)
    except InterpreterError:
        pass
    assert shared("1 + 1").output == 2


def test_values_made_to_break_the_host_do_not(make):
    executor = make(memory_mb=128)
    seen = []
    executor.send_tools({"take": lambda value: seen.append(type(value)) or None})
    for source in [
        "x = []\nfor i in range(900): x = [x]\ntake(x)",
        "x = []\nfor i in range(100_000): x = [x]\ntake(x)",
        "x = {}\nfor i in range(100_000): x = {1: x}\nx",
        "x = [[0] * 1000] * 1000\ntake(x)",
        "take(2 ** 1_000_000)",
        "take(*range(10_000))",
        "take(**{'k' + str(i): i for i in range(1000)})",
        "take(**{'not a name': 1})",
        "take({float('nan'): 1})",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\na = A(1)\na.x = a\ntake(a)",
        "A = type('not a name', (), {'x': 1})\ntake(A())",
        "class A: pass\ntake([A, A()])",
        "class A: pass\n[A, A()]",
        "import datetime\ntake(datetime.datetime.max)",
        "take('\\x00' * 1000, b'\\xff' * 1000)",
    ]:
        try:
            executor(source)
        except InterpreterError:
            pass
        assert executor("1 + 1").output == 2
    assert seen


SLOW = "{i * (2**61 - 1): 0 for i in range(100_000)}"
"""A dict whose keys have one hash in Python: to build it takes the host minutes."""


@pytest.mark.parametrize(
    "source",
    [
        "slow",
        "[slow]",
        "take(slow)",
        "take(key=[slow])",
        "missing(slow)",
        "order.method(slow)",
        "order.tolist(slow)",
        "order.extra = slow\ntake(order)\norder",
        "class A: pass\na = A()\na.x = slow\ntake(a)",
        "class A: pass\na = A()\na.x = slow\na",
        "a = namedtuple('A', 'x')(slow)\ntake(a)",
        "raise ValueError(slow)",
        "raise KeyError(slow)",
        "import os\nos.getenv('a', slow)",
        "import os\nos.stat(slow)",
        "open('x', slow)",
        "open(slow)",
        "from pathlib import Path\nPath('x').mkdir(slow)",
        "import time\ntime.sleep(slow)",
        "import asyncio\nawait asyncio.sleep(0, slow)",
        "async def f(): return slow\nawait f()",
        "_tell_last_value(slow)",
        "_put_marked(slow)",
        "_make_tool('take')(slow)",
        "_make_tool('@value')(slow)",
        "class A:\n    def number_of_handle_(self): return slow\ntake(A())",
        "class A:\n    def __repr__(self): return 'x' * 10**7\nA()",
    ],
)
def test_values_that_are_slow_to_build_do_not_stop_the_host(shared, source):
    shared.send_tools({"take": lambda *values, **named: None})
    shared.send_variables({"order": types.SimpleNamespace(a=1)})
    shared(f"from collections import namedtuple\nslow = {SLOW}\n1")
    started = time.monotonic()
    try:
        shared(source)
    except InterpreterError:
        pass
    assert time.monotonic() - started < 5


def test_what_the_session_itself_uses_cannot_be_turned_against_it(executor):
    class Key:
        secret = "hidden"

    executor.send_tools({"take": lambda value: value, "key": Key, "final_answer": lambda answer: answer})
    for name in ("len", "isinstance", "type", "str", "repr", "list", "dict", "tuple", "TypeError", "json", "range"):
        executor(f"exec('{name} = lambda *args: 5')")
    assert executor("take([1, (2, 'a'), {3: 4.5}])").output == [1, (2, "a"), {3: 4.5}]
    executor("class Forged:\n    def number_of_handle_(self): return 10**6")
    with pytest.raises(InterpreterError, match="is not here"):
        executor("take(Forged())")
    executor("exec('_tell_last_value = print')")
    result = executor("take(3)")
    assert (result.output, result.logs) == (None, "3\n")
    assert executor("final_answer(3)").output == 3


def test_text_that_forges_a_limit_is_not_believed_to_harm(shared):
    """It only costs the code itself what it did."""
    shared("x = 1")
    for source in ("raise TimeoutError('feed time limit exceeded')", "raise MemoryError('memory limit exceeded')"):
        with pytest.raises(InterpreterError):
            shared(f"x = 2\n{source}")
        assert shared("x").output in (1, 2)


def test_printing_without_end_keeps_the_beginning_and_the_end(make):
    executor = make(timeout_seconds=0.7)
    with pytest.raises(ExecutionTimeoutError) as caught:
        executor("print('begin')\nwhile True: print('x' * 100_000)")
    assert caught.value.logs.startswith("begin")
    assert len(caught.value.logs) < 60_000
