"""Which functions of libraries have a guarded form.

They are known by the module and the name they say they have, so an alias or a re-export makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .modules import ModuleTable

__all__ = ["Factory", "named", "override", "replacement"]

Factory = Callable[["ModuleTable", Any], Any]
"""Makes the guarded form of a function, for the modules of a table."""

_factories: dict[tuple[str, str], Factory] = {}


def replacement(table: ModuleTable, home: str, name: str, value: Any) -> Any:
    """The guarded form of `value`, which says it is `name` of the module `home`; None if it has none."""
    factory = _factories.get((home, name))
    if factory is None:
        return None
    key = (home, name, id(table))
    made = _made.get(key)
    if made is None or made[0] is not value:
        if getattr(value, "__guards__", False):
            return None
        made = _made[key] = (value, factory(table, value))
    return made[1]


_made: dict[tuple[str, str, int], tuple[Any, Any]] = {}


def override(*places: str) -> Callable[[Factory], Factory]:
    def keep(factory: Factory) -> Factory:
        for place in places:
            home, _, name = place.rpartition(":")
            _factories[(home, name)] = factory
        return factory

    return keep


def named(function: Callable[..., Any], like: Any) -> Callable[..., Any]:
    function.__name__ = getattr(like, "__name__", function.__name__)
    function.__qualname__ = getattr(like, "__qualname__", function.__qualname__)
    function.__doc__ = getattr(like, "__doc__", None)
    return function
