"""Exceptions on their way into the interpreter."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, get_args

from pydantic_monty import ExcType

__all__ = ["raised_inside"]

_HOMES = {"builtins": "", "json.decoder": "json."}
"""How Monty names the modules of exceptions, where it does not name them as Python does."""


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(get_args(ExcType))


def raised_inside(error: Exception) -> Any:
    """What to answer a call with, so that it raises: `error`, as its own type or the closest that Monty has."""
    name = "Exception"
    for kind in type(error).__mro__:
        home = _HOMES.get(kind.__module__, f"{kind.__module__}.")
        if f"{home}{kind.__name__}" in _known():
            name = f"{home}{kind.__name__}"
            break
    return {"exc_type": name, "message": _text_of(error)}


def _text_of(error: Exception) -> str:
    try:
        if isinstance(error, KeyError) and len(error.args) == 1 and isinstance(error.args[0], str):
            text = error.args[0]  # the text of a KeyError is the key in quotes, which Monty puts there itself
        else:
            text = str(error)
        return text.encode("utf-8", "replace").decode()
    except Exception as failure:
        return f"<its message could not be made: {type(failure).__name__}>"
