"""The language: what CPython does, the executor does."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from differential import natively, through

CORPUS = Path(__file__).parent / "corpus"
EXPRESSIONS = [line for line in (CORPUS / "expressions.txt").read_text(encoding="utf-8").splitlines() if line]
PROGRAMS = [
    program
    for name in sorted(CORPUS.glob("*.py.txt"))
    for program in name.read_text(encoding="utf-8").split("\n# ---\n")
]


def needs_newer(source: str) -> bool:
    return sys.version_info < (3, 11) and ("except*" in source or "ExceptionGroup" in source)


def test_the_corpus_is_large():
    assert len(EXPRESSIONS) + len(PROGRAMS) >= 400


@pytest.mark.parametrize("source", EXPRESSIONS)
def test_expression(source):
    assert through(source) == natively(source)


@pytest.mark.parametrize("source", PROGRAMS, ids=range(len(PROGRAMS)))
def test_program(source):
    if needs_newer(source):
        pytest.skip("syntax of a newer Python")
    assert through(source) == natively(source)


def test_the_corpus_covers_the_syntax():
    """Every kind of syntax node of this interpreter occurs in the corpus, but for those that only parsing makes."""
    seen = set()
    for source in (*EXPRESSIONS, *PROGRAMS):
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        seen.update(type(node).__name__ for node in ast.walk(tree))
    known = {
        name
        for name, kind in vars(ast).items()
        if isinstance(kind, type)
        and issubclass(kind, (ast.stmt, ast.expr, ast.pattern, ast.operator, ast.cmpop, ast.unaryop))
        and kind.__module__ in ("ast", "_ast")
        and not kind.__subclasses__()
    }
    deprecated = {
        "Num",
        "Str",
        "Bytes",
        "NameConstant",
        "Ellipsis",
        "slice",
        "Index",
        "ExtSlice",
        "AugLoad",
        "AugStore",
        "_ast_Ellipsis",
    }
    newer = {"TypeAlias", "TemplateStr", "Interpolation"}
    assert known - seen - deprecated - newer == set()
