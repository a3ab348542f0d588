"""Making syntax nodes, fast: a step of an agent takes hundreds of them."""

from __future__ import annotations

import ast
from typing import Any

__all__ = [
    "NAMES",
    "GuardSyntaxError",
    "call",
    "constant_name",
    "load",
    "new",
    "statement",
    "store",
    "text",
    "tick",
]

load = ast.Load()
store = ast.Store()


class GuardSyntaxError(Exception):
    """The code uses a name in a place where it cannot be guarded.

    Args:
        message: What is wrong, for the model.
        node: Where.
    """

    def __init__(self, message: str, node: Any) -> None:
        super().__init__(message)
        self.message = message
        self.line: int = getattr(node, "lineno", 1)


def new(kind: Any, place: Any, /, **fields: Any) -> Any:
    """A node of `kind` at the place of another. Without its constructor: that is two to four times faster."""
    made = kind.__new__(kind)
    fields["lineno"] = place.lineno
    fields["col_offset"] = place.col_offset
    made.__dict__ = fields
    return made


def constant_name(name: str) -> ast.Name:
    """A node that reads a guard's name. Reading it cannot fail, so one node serves every place."""
    return ast.Name(name, load, lineno=1, col_offset=0, end_lineno=1, end_col_offset=1)


class _Names(dict[str, ast.Name]):
    def __missing__(self, name: str) -> ast.Name:
        made = self[name] = constant_name(name)
        return made


NAMES: dict[str, ast.Name] = _Names()
"""Nodes that read guards, by name."""


def call(guard: str, arguments: list[Any], place: Any) -> Any:
    """A call of a guard."""
    return new(ast.Call, place, func=NAMES[guard], args=arguments, keywords=[])


def text(value: Any, place: Any) -> Any:
    """A constant."""
    return new(ast.Constant, place, value=value, kind=None)


def statement(expression: Any, place: Any) -> Any:
    """An expression as a statement."""
    return new(ast.Expr, place, value=expression)


def tick(place: Any) -> Any:
    """The statement that counts one operation."""
    return statement(call("@next", [NAMES["@ticks"]], place), place)
