"""Telling a model of the values it was given, in few words whatever their size."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

__all__ = ["describe_arguments", "describe_value"]

_SHOWN = 300
"""Characters of a value that the model is shown; enough for short values whole, and to recognise long ones."""

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _SHOWN
_repr.maxlong = 60
_repr.maxlist = _repr.maxtuple = _repr.maxdict = _repr.maxset = _repr.maxfrozenset = 12
_repr.maxlevel = 4


def describe_arguments(arguments: Mapping[str, Any]) -> str:
    """The sentence that is put behind a task which comes with values."""
    lines = "\n".join(f"- {name}: {describe_value(value)}" for name, value in arguments.items())
    return f"\nYou are given these values, which you can use as variables by their names:\n{lines}"


def describe_value(value: Any) -> str:
    """A value in a line: whole if it is short, else its kind, its size and its beginning."""
    kind = type(value)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        columns = getattr(value, "columns", None)
        told = f"{kind.__name__} of shape {shape}"
        if columns is not None:
            return f"{told}, columns {_repr.repr(list(columns))}"
        return f"{told}, {value.dtype}" if hasattr(value, "dtype") else told
    if kind.__module__.partition(".")[0] == "PIL":
        return f"image, {getattr(value, 'size', ('?', '?'))} pixels"
    if isinstance(value, (str, bytes)) and len(value) > _SHOWN:
        unit = "characters" if isinstance(value, str) else "bytes"
        return f"{kind.__name__} of {len(value):,} {unit}, beginning {value[:120]!r}"
    try:
        shown = _repr.repr(value)
    except Exception as error:  # a value's own __repr__ may raise anything
        return f"{kind.__name__}, not printable ({type(error).__name__})"
    if len(shown) > _SHOWN:
        shown = shown[: _SHOWN - 1] + "…"
    try:
        size = (
            f" of {len(value):,} items"
            if isinstance(value, (list, tuple, dict, set, frozenset)) and len(value) > 12
            else ""
        )
    except Exception:
        size = ""
    return f"{kind.__name__}{size}: {shown}" if size or not isinstance(value, (str, int, float, bool)) else shown
