"""The value of a piece of code: that of its last expression or assignment."""

from __future__ import annotations

import ast
from typing import Any

__all__ = ["keep_result"]

_LOAD, _STORE = ast.Load(), ast.Store()
_SIMPLE = (ast.Name, ast.Constant)


def _name(name: str, context: Any, place: Any) -> Any:
    return ast.Name(name, context, lineno=place.lineno, col_offset=place.col_offset)


def _assign(target: Any, value: Any, place: Any) -> Any:
    return ast.Assign(targets=[target], value=value, lineno=place.lineno, col_offset=place.col_offset)


def keep_result(body: list[Any], name: str) -> None:
    """Make the last expression or assignment of `body`, a list of statements, also set the variable `name`."""
    if not body:
        return
    last = body[-1]
    kind = type(last)
    if kind is ast.Expr:
        body[-1] = _assign(_name(name, _STORE, last), last.value, last)
    elif kind is ast.Assign:
        last.targets.insert(0, _name(name, _STORE, last))
    elif kind in (ast.AugAssign, ast.AnnAssign):
        target = last.target
        if type(target) is ast.Name and last.value is not None:
            body.append(_assign(_name(name, _STORE, last), _name(target.id, _LOAD, target), last))
        elif type(target) is ast.Subscript and type(target.value) is ast.Name and type(target.slice) in _SIMPLE:
            place = {"lineno": target.lineno, "col_offset": target.col_offset}
            base = _name(target.value.id, _LOAD, target)
            value = ast.Subscript(value=base, slice=target.slice, ctx=_LOAD, **place)
            body.append(_assign(_name(name, _STORE, last), value, last))
    elif kind is ast.If:
        keep_result(last.body, name)
        keep_result(last.orelse, name)
    elif kind in (ast.With, ast.AsyncWith):
        keep_result(last.body, name)
    elif kind is ast.Try:
        keep_result(last.orelse or last.body, name)
        for handler in last.handlers:
            keep_result(handler.body, name)
