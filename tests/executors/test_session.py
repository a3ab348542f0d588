"""Sessions: state, tools, variables, output, errors, imports; and that the host is left as it was."""

from __future__ import annotations

import collections
import contextvars
import gc
import queue
import random
import sys
import threading
import time

import pytest

from smolagents.local_python_executor import (
    BASE_BUILTIN_MODULES,
    BASE_PYTHON_TOOLS,
    GuardError,
    ImportNotAuthorizedError,
    InterpreterError,
    LocalPythonExecutor,
    PrintContainer,
    evaluate_python_code,
    fix_final_answer_code,
)


@pytest.fixture
def executor():
    return LocalPythonExecutor([])


def failure(executor, source) -> InterpreterError:
    with pytest.raises(InterpreterError) as caught:
        executor(source)
    return caught.value


# -- state ----------------------------------------------------------------------------------------------------------


def test_definitions_of_one_step_are_usable_in_the_next(executor):
    executor("import math\nx = 2\ndef area(r):\n    return math.pi * r ** x\nclass P:\n    n = 1")
    assert executor("round(area(2), 3), P.n").output == (12.566, 1)
    executor("x = 3\nP.n += 4")
    assert executor("round(area(2), 3), P.n").output == (25.133, 5)
    assert executor.state["x"] == 3


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("x = 5", 5),
        ("x = y = [1]", [1]),
        ("a, b = 1, 2", (1, 2)),
        ("x = 1\nx += 4", 5),
        ("x: int = 7", 7),
        ("d = {}\nd['k'] = 3", 3),
        ("l = [1]\nl[0] += 4", 5),
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


def test_what_is_sent_in_is_readable(executor):
    executor.send_variables({"data": [1, 2], "name": "x"})
    assert executor("data.append(3)\n(sum(data), name)").output == (6, "x")
    assert executor.state["data"] == [1, 2, 3]


@pytest.mark.parametrize("name", ["not a name", "1x", "", "__builtins__", 5])
def test_names_of_variables_are_checked(executor, name):
    with pytest.raises(ValueError, match=r"cannot be the name of a variable"):
        executor.send_variables({name: 1})


def test_a_session_is_fresh_and_has_the_same_settings():
    first = LocalPythonExecutor(["json"], 10, {"double": lambda x: 2 * x}, 5, max_operations=1000)
    first("x = 1")
    second = first.session()
    assert "x" not in second.state
    assert second("import json\ndouble(4)").output == 8
    assert (second.timeout_seconds, second.max_operations, second.max_print_outputs_length) == (5, 1000, 10)
    assert second.authorized_imports == [*BASE_BUILTIN_MODULES, "json"]


def test_a_hundred_sessions_at_once():
    base = LocalPythonExecutor([])
    outputs = {}

    def work(number):
        session = base.session()
        session.send_variables({"n": number})
        session.send_tools({"twice": lambda x: 2 * x})
        session("class A:\n    v = n\ntotal = 0")
        for _ in range(5):
            session("for i in range(100):\n    total += n\nprint(total)")
        outputs[number] = session("(twice(n), total, A.v)").output

    threads = [threading.Thread(target=work, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == {number: (2 * number, 500 * number, number) for number in range(100)}


def test_sessions_are_cheap():
    base = LocalPythonExecutor(["json"])
    base.session()
    best = min(_timed(lambda: [base.session() for _ in range(100)]) for _ in range(5)) / 100
    assert best < 100e-6  # measured: about 2 µs


def _timed(function) -> float:
    gc.collect()
    started = time.process_time()
    function()
    return time.process_time() - started


# -- tools ----------------------------------------------------------------------------------------------------------


def test_tools_run_on_the_thread_and_in_the_context_of_the_caller(executor):
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("set")
    executor.send_tools({"probe": lambda: (threading.get_ident(), variable.get())})
    assert executor("probe()").output == (threading.get_ident(), "set")


def test_errors_of_tools_are_ordinary_exceptions(executor):
    def broken(x):
        raise LookupError(f"no {x}")

    executor.send_tools({"broken": broken})
    assert executor("try:\n    broken('a')\nexcept LookupError as e:\n    r = str(e)\nr").output == "no a"
    error = failure(executor, "x = 1\nbroken('b')")
    assert "Line 2" in str(error)
    assert "LookupError: no b" in str(error)
    assert isinstance(error.__cause__, LookupError)


@pytest.mark.parametrize(
    "source",
    ["search = 1", "def search(): pass", "import math as search", "for search in []: pass", "class search: pass",
     "(search := 2)", "with open('x') as search: pass", "def f():\n    global search\n    search = 1", "del search",
     "try:\n    pass\nexcept Exception as search:\n    pass", "[search := 1 for _ in [1]]"],
)  # fmt: skip
def test_rebinding_a_tool_is_explained(executor, source):
    executor.send_tools({"search": lambda: "found"})
    error = failure(executor, source)
    assert "'search'" in str(error)
    assert "tool" in str(error)
    assert executor("search()").output == "found"


def test_a_local_variable_may_have_the_name_of_a_tool(executor):
    executor.send_tools({"search": lambda: "found"})
    assert executor("def f(search):\n    return search\nf(3)").output == 3


def test_final_answer_tool_with_inputs_of_its_own(executor):
    executor.send_tools({"final_answer": lambda value, unit="m": f"{value} {unit}"})
    result = executor("print('so far')\nfinal_answer(5, unit='km')\nprint('never')")
    assert (result.output, result.is_final_answer, result.logs) == ("5 km", True, "so far\n")


def test_a_tool_may_run_the_same_executor(executor):
    executor.send_tools({"inner": lambda source: executor(source).output})
    assert executor("x = 2\ny = inner('x * 21')\nfor i in range(3): y += 0\ny").output == 42


# -- errors ---------------------------------------------------------------------------------------------------------


def test_an_error_shows_the_codes_own_traceback(executor):
    executor("def f(x):\n    return 1 / x")
    error = failure(executor, "print('first')\ny = 1\nz = f(y - 1)")
    assert str(error) == (
        "Traceback (most recent call last):\n"
        "  Line 3, in <module>\n    z = f(y - 1)\n"
        "  Line 2, in f (of an earlier piece of code)\n    return 1 / x\n"
        "ZeroDivisionError: division by zero"
    )
    assert error.logs == "first\n"
    assert str(executor.state["_print_outputs"]) == "first\n"
    assert isinstance(error.__cause__, ZeroDivisionError)


def test_a_syntax_error_shows_the_line(executor):
    error = failure(executor, "x = 1\ny = (2 +\n")
    assert "line 2" in str(error)
    assert "y = (2 +" in str(error)
    assert "SyntaxError" in str(error)


def test_an_unauthorised_import_says_what_is_allowed():
    executor = LocalPythonExecutor(["json"])
    error = failure(executor, "import os")
    assert isinstance(error, ImportNotAuthorizedError)
    for name in ("os", "json", "math", "additional_authorized_imports"):
        assert name in str(error)


def test_no_traceback_of_the_host_is_shown(executor):
    error = failure(executor, "import statistics\nstatistics.mean([])")
    assert "/" not in str(error)
    assert "statistics.mean([])" in str(error)


# -- imports --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorized", "source", "allowed"),
    [
        (["json"], "import json", True),
        (["json"], "import json.decoder", True),
        (["json"], "from json import decoder", True),
        (["json.*"], "import json.decoder", True),
        (["json.*"], "import json", True),
        (["json.decoder"], "import json.decoder", True),
        (["json.decoder"], "from json import decoder", True),
        (["json.decoder"], "from json.decoder import JSONDecoder", True),
        (["json.decoder"], "import json.decoder as d", True),
        (["json.decoder"], "from json import loads", False),
        (["json.decoder"], "import json\njson.loads", False),
        (["json.decoder"], "import json.encoder", False),
        (["json.decoder"], "import json.decoder\njson.encoder", False),
        (["json"], "import jsonx", False),
        (["jso"], "import json", False),
        (["xml"], "from xml import dom", True),
        (["xml.etree"], "from xml import dom", False),
        (["os.path"], "import os.path\nos.path.join('a', 'b')", True),
        (["os.path"], "from os import path\npath.basename('a/b')", True),
        (["os.path"], "import os.path\nos.system", False),
        (["os.path"], "import os.path\nos.path.os", False),
        (["os.path"], "from os.path import os", False),
        (["*"], "import os, sys, subprocess\nos.getpid()", True),
        (["os"], "import os\nos.getpid()", True),
        (["numpy"], "import os", False),
        ([], "import __main__", False),
    ],
)
def test_rules_of_imports(authorized, source, allowed):
    executor = LocalPythonExecutor(authorized)
    if allowed:
        executor(source)
    else:
        failure(executor, source)


def test_a_string_instead_of_a_list_is_refused():
    with pytest.raises(TypeError, match="list of module names"):
        LocalPythonExecutor("numpy")


def test_imports_may_fail_softly(executor):
    source = "try:\n    import os\nexcept ImportError:\n    r = 'no os'\nr"
    assert executor(source).output == "no os"


# -- the host is not changed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "import math\nmath.pi = 3",
        "import math\nsetattr(math, 'pi', 3)",
        "import math\ndel math.pi",
        "import math\nmath.__dict__['pi'] = 3",
        "import math\nvars(math)['pi'] = 3",
        "import math\nfor math.pi in [3]: pass",
        "import math\nmath.pi += 1",
        "import random\nrandom.Random.seed = None",
        "import random\nsetattr(random.Random, 'seed', None)",
        "import random\ntype.__setattr__(random.Random, 'seed', None)",
        "import random\ndel random.Random.seed",
        "import random\nrandom.Random.__dict__['seed'] = None",
        "import random\nrandom.random.x = 1",
        "import queue\nqueue.Queue.put = None",
        "import statistics\nstatistics.mean.x = 1",
        "import statistics\nstatistics.mean.__defaults__ = (1,)",
        "import statistics\nstatistics.mean.__dict__['x'] = 1",
        "import collections\ncollections.Counter.update = None",
        "import collections.abc\ncollections.abc.Sequence.register(int)",
        "import collections\ncollections.UserDict.__init__ = None",
        "len.x = 1",
        "int.x = 1",
        "print.x = 1",
        "search.x = 1",
        "import functools\nfunctools.update_wrapper(functools.partial, len)",
        "import functools, random\nfunctools.total_ordering(random.Random)",
        "import dataclasses, random\ndataclasses.dataclass(random.Random)",
        "import enum\nenum.global_enum(type('A', (enum.Enum,), {}))",
        "class M(type):\n    def __call__(c): pass\nimport random\nrandom.Random.__class__ = M",
        "import random\nclass A(random.Random): pass\nA.__bases__[0].seed = None",
    ],
)
def test_the_host_is_not_changed(source):
    import math
    import statistics

    watched = [math, random, random.Random, queue.Queue, statistics, statistics.mean, collections.Counter,
               collections.UserDict, sys.modules["builtins"]]  # fmt: skip
    before = [dict(vars(thing)) for thing in watched]
    executor = LocalPythonExecutor(["functools", "dataclasses", "enum"])
    executor.send_tools({"search": lambda: 1})
    try:
        executor(source)
    except InterpreterError:
        pass
    assert [dict(vars(thing)) for thing in watched] == before
    assert not isinstance(5, collections.abc.Sequence)


def test_containers_of_modules_are_copies(executor):
    executor = LocalPythonExecutor(["html"])
    executor("import html.entities\nhtml.entities.html5['x'] = 1")
    import html.entities

    assert "x" not in html.entities.html5


def test_a_rebound_builtin_stays_in_the_session(executor):
    executor("len = lambda x: 42")
    assert executor("len([])").output == 42
    assert len([]) == 0
    assert executor.session()("len([])").output == 0


# -- await ----------------------------------------------------------------------------------------------------------


def test_top_level_await(executor):
    executor("async def f(x):\n    return x + 1\nasync def g():\n    yield 1\n    yield 2")
    source = "a = await f(1)\nb = [x async for x in g()]\n(a, b)"
    assert executor(source).output == (2, [1, 2])


def test_top_level_await_while_the_caller_runs_a_loop():
    import asyncio

    async def main():
        executor = LocalPythonExecutor(["asyncio"])
        executor("import asyncio")
        first = executor("await asyncio.sleep(0, 5)").output
        second = executor("asyncio.run(asyncio.sleep(0, 6))").output
        third = await executor.acall("await asyncio.sleep(0, 7)")
        return first, second, third.output

    assert asyncio.run(main()) == (5, 6, 7)


# -- functions beside the executor -------------------------------------------------------------------------------------


def test_evaluate_python_code():
    state: dict = {"x": 3}
    assert evaluate_python_code("print('hi')\ny = x + 1", BASE_PYTHON_TOOLS, state=state) == (4, False)
    assert state["y"] == 4
    assert str(state["_print_outputs"]) == "hi\n"
    assert evaluate_python_code("final_answer(y)", {"final_answer": lambda x: x}, state=state) == (4, True)
    tools: dict = {}
    evaluate_python_code("def f(a): return a * 2", custom_tools=tools)
    assert tools["f"](4) == 8
    assert evaluate_python_code("f(5)", custom_tools=tools)[0] == 10
    with pytest.raises(InterpreterError, match="math"):
        evaluate_python_code("import math", authorized_imports=[])
    with pytest.raises(InterpreterError, match="timeout"):
        evaluate_python_code("while True: pass", timeout_seconds=0.1)


def test_a_function_handed_in_is_available():
    assert evaluate_python_code("eval('1 + 1')", {"eval": eval}) == (2, False)


def test_fix_final_answer_code():
    assert fix_final_answer_code("final_answer = 1\nfinal_answer(final_answer)") == (
        "final_answer_variable = 1\nfinal_answer(final_answer_variable)"
    )
    for untouched in ("final_answer(1)", "final_answer = 1", "x = 'final_answer = 1'", "def (", ""):
        assert fix_final_answer_code(untouched) == untouched


def test_print_container():
    container = PrintContainer().append("a")
    container += "b"
    assert (str(container), len(container)) == ("ab", 2)


def test_guard_errors_can_be_told_apart(executor):
    assert isinstance(failure(executor, "().__class__.__bases__"), GuardError)
    assert not isinstance(failure(executor, "1 / 0"), GuardError)


def test_an_interrupt_of_the_user_reaches_the_host(executor):
    def pressed():
        raise KeyboardInterrupt

    executor.send_tools({"wait": pressed})
    with pytest.raises(KeyboardInterrupt):
        executor("try:\n    wait()\nexcept BaseException:\n    pass")
    assert executor("try:\n    raise KeyboardInterrupt\nexcept KeyboardInterrupt:\n    r = 1\nr").output == 1
    assert isinstance(failure(executor, "raise SystemExit(1)").__cause__, SystemExit)


def test_many_threads_compile_at_once():
    failures = []

    def work(number):
        executor = LocalPythonExecutor([])
        for turn in range(40):
            nested = "(" * 30 + str(number) + ")" * 30
            try:
                assert executor(f"x{turn} = [{nested}] * {turn + 1}\nlen(x{turn})").output == turn + 1
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
