"""Finding a class by the name under which it was saved."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any, cast

__all__ = ["class_entry", "find_class"]


def class_entry(cls: type, room: str) -> dict[str, str]:
    """How a class is written down: its name, and its module where `room` does not export it."""
    if getattr(importlib.import_module(room), cls.__name__, None) is cls:
        return {"class": cls.__name__}
    return {"class": cls.__name__, "module": cls.__module__}


def find_class(name: Any, module: Any, base: type, room: str, may_import: bool = False) -> type | None:
    """The subclass of `base` that was saved as `name`, or None if it is not known here.

    Known are what `room` exports, what other modules of this library define, and what the program has imported. Other
    modules are imported only for someone who trusts the file: one that a stranger sent is not to choose what runs.

    Args:
        name: Name of the class.
        module: Name of its module, or None.
        base: What it must derive from.
        room: Module that exports the classes of this library.
        may_import: Whether the file is trusted.
    """
    if not isinstance(name, str) or not name.isidentifier():
        return None
    if not isinstance(module, str):
        exported = getattr(importlib.import_module(room), name, None)
        if _fits(exported, base):
            return cast("type", exported)
    else:
        if module.startswith("smolagents.") or may_import:
            try:
                importlib.import_module(module)
            except ModuleNotFoundError:
                return None
        found = getattr(sys.modules.get(module), name, None)
        if _fits(found, base):
            return cast("type", found)
    known = [each for each in (base, *_below(base)) if each.__name__ == name]
    from_there = [each for each in known if each.__module__ == module]
    candidates = from_there or known
    return candidates[-1] if candidates else None


def _fits(found: Any, base: type) -> bool:
    return isinstance(found, type) and issubclass(found, base)


def _below(cls: type) -> Iterator[type]:
    below: list[type] = cls.__subclasses__()
    for each in below:
        yield each
        yield from _below(each)
