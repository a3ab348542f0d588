"""What Monty runs to its end gives what Python gives; what it cannot run is an error, not a wrong answer."""

from __future__ import annotations

import ast
import re
import sys

import pytest
from differential import natively, shown
from hypothesis import HealthCheck, given, settings
from programs import programs
from test_language import EXPRESSIONS, PROGRAMS

from smolagents.executors.errors import InterpreterError

DIFFERENT = {
    "__slots__ = ('x', '_y')": "are ignored",
    "gen = (i for i in range(3))\nfor a in gen": "generator expressions are lists",
    "a *= 2\na is b": "`*=` makes a new list",
    "return 5": "may stand outside of functions",
}
"""Programs that give something else than in Python, by a part of them."""


def through(executor, source):
    """The value of the last expression, the output and the name of the exception; the text of a refusal as it is."""
    with executor.session() as session:
        try:
            result = session(source)
        except InterpreterError as error:
            kinds = re.findall(r"^(?:[\w.]+\.)?(\w+)(?:: |$)", str(error), re.MULTILINE)
            return None, error.logs, kinds[-1] if kinds else str(error)
    tree = ast.parse(source)
    is_expression = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
    return shown(result.output) if is_expression else "None", result.logs, ""


@pytest.mark.parametrize("source", [*EXPRESSIONS, *PROGRAMS], ids=range(len(EXPRESSIONS) + len(PROGRAMS)))
def test_the_corpus_gives_what_python_gives_or_an_error(shared, source):
    if sys.version_info < (3, 11) and ("except*" in source or "ExceptionGroup" in source):
        pytest.skip("syntax of a newer Python")
    found = through(shared, source)
    if not found[2]:
        assert (found == natively(source)) == (not any(part in source for part in DIFFERENT))


def test_most_of_the_corpus_runs(shared):
    ran = sum(through(shared, source) == natively(source) for source in [*EXPRESSIONS, *PROGRAMS])
    assert ran >= 270


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_generated_programs_give_what_python_gives_or_an_error(shared, source):
    expected = natively(source)
    found = through(shared, source)
    if not found[2] and expected[2] != "SyntaxError":  # the syntax of f-strings is that of Python 3.14
        assert found == expected
