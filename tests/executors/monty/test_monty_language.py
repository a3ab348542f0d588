"""What the language has and lacks, and what the model is told to write instead."""

from __future__ import annotations

import builtins
import sys

import pytest

from smolagents.executors.errors import ImportNotAuthorizedError, InterpreterError
from smolagents.executors.monty import LANGUAGE_NOTES, MODULES
from smolagents.executors.monty.modules import IGNORED_METHODS, MISSING_BUILTINS


def succeeds(executor, source):
    try:
        executor(source)
    except InterpreterError:
        return False
    return True


# -- what there is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_the_modules_that_are_listed_can_be_imported_and_have_what_is_listed(shared, module):
    shared(f"import {module} as module")
    for name in MODULES[module].split():
        assert succeeds(shared, f"module.{name}"), name


def test_no_other_module_of_the_standard_library_can_be_imported(shared):
    others = sorted(set(sys.stdlib_module_names) - set(MODULES) - {"__future__"})
    found = shared(
        f"found = []\nfor name in {others!r}:\n    try:\n        exec('import ' + name)\n        found.append(name)\n"
        "    except ImportError:\n        pass\nfound"
    ).output
    assert found == []


def test_an_agent_is_told_these_modules(executor):
    assert executor.importable == executor.authorized_imports == sorted(MODULES)


def test_the_built_in_functions_that_are_said_to_be_missing_are(shared):
    for name in MISSING_BUILTINS:
        assert not succeeds(shared, name), name
    functions = {name for name, value in vars(builtins).items() if callable(value) and name.islower()}
    hidden = {"copyright", "credits", "license"}
    assert {name for name in functions - hidden if not name.startswith("_") and not succeeds(shared, name)} == set(
        MISSING_BUILTINS
    )


IGNORED = {
    "__new__": ("cls", "A() == 'x'"),
    "__bool__": ("self", "bool(A()) == 'x'"),
    "__len__": ("self", "len(A())"),
    "__ne__": ("self, other", "(A() != 1) == 'x'"),
    "__lt__": ("self, other", "A() < A()"),
    "__le__": ("self, other", "A() <= A()"),
    "__gt__": ("self, other", "A() > A()"),
    "__ge__": ("self, other", "A() >= A()"),
    "__getattr__": ("self, name", "A().missing"),
    "__getattribute__": ("self, name", "A().missing"),
    "__iadd__": ("self, other", "a = A()\na += 1"),
    "__reversed__": ("self", "reversed(A())"),
    "__format__": ("self, how", "f'{A():x}'"),
    "__bytes__": ("self", "bytes(A())"),
    "__complex__": ("self", "complex(A())"),
    "__class_getitem__": ("cls, item", "A[1]"),
}


@pytest.mark.parametrize("name", IGNORED)
def test_methods_that_are_refused_would_not_be_called(shared, name):
    parameters, use = IGNORED[name]
    source = f"class A:\n    def {name}({parameters}):\n        return 'x'\n{use}"
    with pytest.raises(InterpreterError, match=f"never calls {name}"):
        shared(source)
    try:
        called = shared(f"exec({source.rpartition(chr(10))[0]!r})\n{use}").output  # not seen before it runs
    except InterpreterError:
        called = False
    assert called is False


def test_the_methods_of_descriptors_and_assignments_would_not_be_called(shared):
    source = (
        "class D:\n    def __get__(self, owner, kind=None):\n        return 'x'\n    def __set__(self, owner, value):\n"
        "        owner.seen = 'x'\n    def __set_name__(self, owner, name):\n        self.name = name\n"
        "class A:\n    f = D()\n    def __setattr__(self, name, value):\n        pass\n"
    )
    shared(f"exec({source!r})\na = A()\nfirst = a.f\na.f = 3")
    assert shared("(first == 'x', a.f, hasattr(a, 'seen'), hasattr(first, 'name'))").output == (False, 3, False, False)
    assert set(IGNORED_METHODS) >= {"__get__", "__set__", "__set_name__", "__setattr__", "__delattr__", "__delete__"}


# -- advice ------------------------------------------------------------------------------------------------------

REFUSED = {
    "class MyError(Exception):\n    pass": "raise built-in exceptions such as ValueError",
    "from enum import Enum": "Those that can be imported are: asyncio",
    "class A:\n    @property\n    def x(self): return 1": "function outside the class",
    "def numbers():\n    yield 1": "return the list",
    "def numbers():\n    yield from [1]": "return the list",
    "items = [1]\ndel items[0]": "items.pop(index)",
    "try:\n    pass\nexcept* ValueError:\n    pass": "plain try and except",
    "from math import *": "Import the names that you need",
    "async def f():\n    async with x:\n        pass": "plain `for` or `with`",
    "class A:\n    for i in range(3):\n        pass": "only methods and assignments",
    "__name__ = 'x'": "another name",
    "import numpy": "No module named 'numpy'",
    "import collections.abc": "Modules that can be imported are",
    "import collections\ncollections.OrderedDict()": "there is only: Counter, defaultdict, deque, namedtuple",
    "from functools import wraps": "there is only: cache, lru_cache, partial, reduce",
    "dir()": "does not have dir",
    "input()": "nobody can be asked",
    "super": "no base classes",
    "next(n for n in [1, 2])": "Generator expressions are lists",
    "raise ValueError('a', 1)": "a single text",
    "def f(): pass\nf.__name__": "Functions have no attributes",
    "import re\nre.sub('a', lambda m: 'b', 'a')": "re.finditer()",
    "open('notes.txt')": "there are no files here",
    "from pathlib import Path\nPath('x').read_text()": "there are no files here",
    "import os\nos.environ['HOME']": "there is no environment here",
    "def f(n): return f(n + 1)\nf(0)": "use a loop",
}


@pytest.mark.parametrize("source", REFUSED)
def test_the_model_is_told_what_to_write_instead(shared, source):
    if "except*" in source and sys.version_info < (3, 11):
        pytest.skip("syntax of a newer Python")
    with pytest.raises(InterpreterError) as caught:
        shared(source)
    assert REFUSED[source] in str(caught.value)


def test_a_missing_feature_is_told_with_its_line(shared, failure):
    text = str(failure(shared, "total = 1\nclass Shape(Base):\n    pass"))
    assert text.startswith("Code could not be run, line 2:\n    class Shape(Base):\n")
    assert "monty" not in text


def test_tools_cannot_be_called_from_inside_of_built_in_functions(executor, failure):
    executor.send_tools({"double": lambda n: 2 * n})
    for source in ("list(map(double, [1]))", "sorted([2, 1], key=double)"):
        assert "in a loop or a list comprehension" in str(failure(executor, source))
    assert executor("[double(n) for n in [1, 2]]").output == [2, 4]


def test_tools_are_not_awaited(executor, failure):
    executor.send_tools({"double": lambda n: 2 * n})
    for source in ("await double(4)", "import asyncio\nawait asyncio.gather(double(1), double(2))"):
        assert "Tools are called without `await`" in str(failure(executor, source))


def test_an_import_that_fails_is_its_own_kind_of_error_and_can_be_caught(shared, failure):
    failure(shared, "import pandas", ImportNotAuthorizedError)
    assert shared("try:\n    import pandas\nexcept ImportError:\n    pandas = None\npandas").output is None


def test_names_of_exceptions_that_are_oserrors_can_be_caught(executor):
    def fetch():
        raise ConnectionResetError("gone")

    executor.send_tools({"fetch": fetch})
    assert executor("try:\n    fetch()\nexcept ConnectionError as error:\n    str(error)").output == "gone"


def test_frames_tell_of_earlier_code_and_of_eval(executor, failure):
    executor("def divide(a):\n    return a / 0")
    text = str(failure(executor, "x = 1\ndivide(x)"))
    assert "Line 2, in <module>\n    divide(x)\n" in text
    assert "Line 2, in divide (of an earlier piece of code)\n    return a / 0\n" in text
    assert text.endswith("ZeroDivisionError: division by zero")
    assert "(of eval or exec)" in str(failure(executor, "eval('1 / 0')"))


def test_lines_are_right_where_the_last_value_is_told(shared, failure):
    source = "text = 'ä\\n'\nif text: y = 1 / 0; x = 'ü'\n"
    assert "Line 2, in <module>\n    if text: y = 1 / 0; x = 'ü'\n" in str(failure(shared, source))
    text = str(failure(shared, 'a = """\n\n"""\nwith open("f") as g:\n    x = 1'))
    assert 'Line 4, in <module>\n    with open("f") as g:\n' in text


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("x = (\n  1,\n  2)", (1, 2)),
        ("(y) = 'ä'; z = 'ö'  # comment", "ö"),
        ("if 1: x = 3; x += 4 # comment", 7),
        ("x = 1\nif x == 2:\n    'a'\nelif x == 1:\n    ('b'\n     'c')\nelse:\n    'd'", "bc"),
        ("d = {'ä': 1}\nd['ä'] += 4", 5),
        ("try:\n    1 / 0\nexcept ZeroDivisionError: z = 'z'", "z"),
        ("try:\n    5\nexcept ZeroDivisionError:\n    6\nelse:\n    x = 7\nfinally:\n    8", 7),
        ("x = yy = [1]\r\nx = 2\r\n", 2),
        ("a, *b = 1, 2, 3", (1, 2, 3)),
        ("a: int = 5", 5),
        ("a: int", None),
        ("if False:\n    5", None),
        ("x = 1;", 1),
        ("for i in range(3):\n    i", None),
        ("'ä' if True else 1", "ä"),
        ("import math", None),
    ],
)
def test_the_output_is_the_last_expression_or_assignment(shared, source, output):
    assert shared(source).output == output


def test_notes_for_the_model_are_true(shared):
    for feature, source in {
        "base classes": "class A(int):\n    pass",
        "yield": "def f():\n    yield 1",
        "no del": "x = 1\ndel x",
    }.items():
        assert feature in LANGUAGE_NOTES
        assert not succeeds(shared, source)
    assert succeeds(shared, "match [1, 2]:\n    case [a, b]:\n        a + b")
