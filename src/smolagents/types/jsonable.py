"""Turning any Python value into plain JSON data for a person or a log to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

__all__ = ["make_json_serializable"]

_MAX_DEPTH = 32


def make_json_serializable(obj: Any, _depth: int = 0) -> Any:
    """Make plain JSON data of `obj`: readable, never failing, not meant to be read back.

    Containers are converted at any depth up to 32, dataclasses become dictionaries, enums their values,
    and objects that JSON has no form for become their `str`. Strings are kept as they are.
    """
    if obj is None or isinstance(obj, (bool, int, float, str)):
        return obj.value if isinstance(obj, Enum) else obj
    if _depth >= _MAX_DEPTH:
        return str(obj)
    if isinstance(obj, Mapping):
        return {str(key): make_json_serializable(value, _depth + 1) for key, value in obj.items()}
    if isinstance(obj, (list, tuple, set, frozenset)):
        return [make_json_serializable(item, _depth + 1) for item in obj]
    if isinstance(obj, Enum):
        return make_json_serializable(obj.value, _depth + 1)
    if is_dataclass(obj) and not isinstance(obj, type):
        return {
            field.name: make_json_serializable(getattr(obj, field.name), _depth + 1)
            for field in fields(obj)
            if not field.name.startswith("_")
        }
    return _text(obj)


def _text(obj: Any) -> str:
    try:
        return str(obj)
    except Exception as error:  # a value's own __str__ may raise anything
        return f"<{type(obj).__name__}, not printable: {type(error).__name__}>"
