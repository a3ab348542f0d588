"""Tools of drawn parts: modules with imports, constants and helpers, of which each tool uses some."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from smolagents import Tool

# What a module may define, by name: its source, and a whole number made with it from `x`.
IMPORTS = {
    "import math": "math.floor(x / 2)",
    "import json as j": "len(j.dumps([x]))",
    "from collections import Counter, OrderedDict as Ordered": "Counter(str(x))['7'] + len(Ordered(a=x))",
    "from datetime import date as day, timedelta": "(day(2020, 1, 31) + timedelta(days=x)).day",
    "import os.path": "len(os.path.join('a', str(x)))",
    "import xml.etree.ElementTree as tree": "len(tree.Element('a' * x).tag)",
}
CONSTANTS = {
    "LIMIT: float = 2.5": "int(LIMIT * x)",
    "FIRST, SECOND = 3, 4": "SECOND - FIRST",
    "BASE = 3\nDERIVED = [BASE] * 3": "sum(DERIVED)",
    "import re\n_PATTERN = re.compile(r'\\d+')": "len(_PATTERN.findall(f'{x} and {x}'))",
    "double = lambda value: 2 * value": "double(x)",
    "TEXT = 'quote \" \\\\ \\n é'": "len(TEXT)",
    "TABLE = {'a': {1, 2}, 'b': (3,), None: b'xy'}": "len(TABLE['a']) + len(TABLE[None])",
    "SQUARES = [n * n for n in range(5)]": "SQUARES[x % 5]",
}
HELPERS = {
    "def plus_one(value):\n    return value + 1\n\n\ndef plus_two(value):\n    return plus_one(plus_one(value))": "plus_two(x)",
    "import functools\n\n\n@functools.lru_cache(maxsize=None)\ndef fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)": "fib(x)",
    "from dataclasses import dataclass\n\n\n@dataclass\nclass Point:\n    y: int = 2\n\n    def up(self):\n        return self.y + 1": "Point(x).up()",
    "def counted(n, *, step=2):\n    yield from range(0, n, step)": "sum(counted(x))",
    "from enum import Enum\n\n\nclass Colour(Enum):\n    RED = 1\n\n    @classmethod\n    def worth(cls):\n        return cls.RED.value": "Colour.worth()",
    "FACTOR = 6\n\n\ndef scaled(value, by=FACTOR):\n    def inner(v):\n        return v * by\n\n    return inner(value)": "scaled(x)",
}
FUNCTION = '''
@tool{options}
def {name}(x: int) -> int:
    """Works out {name}.

    Args:
        x: A number.
    """
    return {result}
'''
CLASS = '''
class {title}(Tool):
    """A class of tools."""

    name = "{name}"
    description = {description!r}
    inputs = {{"x": {{"type": "integer", "description": "A number."}}}}
    output_type = "integer"
    offset = {offset}

    def __init__(self, extra={extra!r}, *, factor: int = 1, **more):
        super().__init__()
        self.extra, self.factor, self.more = extra, factor, more

    @staticmethod
    def length(value):
        return len(repr(value))

    def worth(self):
        return self.offset + self.length(self.extra) + self.length(sorted(self.more.items()))

    def forward(self, x):
        return self.factor * ({result}) + self.worth()
'''
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text("ab${}é\n", max_size=6)
    | st.lists(st.integers(), max_size=2)
)


@st.composite
def drawn_tools(draw: Any) -> Tool:
    """A tool `tool_N(x)`, whose module is a file."""
    parts = {**IMPORTS, **CONSTANTS, **HELPERS}
    used = draw(st.lists(st.sampled_from(sorted(parts)), max_size=4, unique=True))
    there = draw(st.permutations(sorted({*used, *draw(st.lists(st.sampled_from(sorted(parts)), max_size=2))})))
    name = f"tool_{draw(st.integers(0, 9))}"
    result = " + ".join(["x", *(parts[each] for each in used)])
    arguments: dict[str, Any] = {}
    if draw(st.booleans()):
        options = draw(st.sampled_from(["", "(retries=2)", "(timeout=9.5, cache=True)"]))
        end = FUNCTION.format(name=name, result=result, options=options)
    else:
        end = CLASS.format(
            name=name,
            title=name.title().replace("_", ""),
            result=result,
            description=draw(st.text("Abc '\"\\é", min_size=1, max_size=12).filter(str.strip)),
            offset=draw(st.integers(-5, 5)),
            extra=draw(VALUES),
        )
        optional = {"extra": VALUES, "factor": st.integers(-3, 3), "other": VALUES, "retries": st.integers(0, 3)}
        arguments = draw(st.fixed_dictionaries({}, optional=optional))
    head = draw(st.sampled_from(["", "from __future__ import annotations\n", '"""A module."""\n']))
    source = "\n\n".join([f"{head}from smolagents import Tool, tool", *there, end])
    made = getattr(module_of(source), name if "@tool" in end else name.title().replace("_", ""))
    return made(**arguments) if isinstance(made, type) else made


FOLDER: list[Path] = []
"""Where the modules are written: set by the tests."""


def module_of(source: str) -> Any:
    """Import source as a person's module: from a file."""
    name = f"drawn_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    if name not in sys.modules:
        path = FOLDER[0] / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]
