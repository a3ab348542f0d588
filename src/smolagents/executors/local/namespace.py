"""The built-in names that the code sees, and the guards behind its syntax."""

from __future__ import annotations

import builtins
import itertools
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from smolagents.executors.errors import ControlSignal, GuardError

from . import limits
from .formatting import format_value

if TYPE_CHECKING:
    from .attributes import Guards

__all__ = ["BASE_PYTHON_TOOLS", "make_builtins"]

_UNAVAILABLE = "breakpoint compile eval exec exit help input open quit copyright credits license".split()
_REPLACED = frozenset(
    "getattr setattr hasattr delattr vars dir locals globals print iter pow format memoryview __import__ "
    "__build_class__ KeyboardInterrupt __loader__ __spec__ __name__ __doc__ __package__ _".split()
)

BASE_PYTHON_TOOLS: dict[str, Any] = {
    name: value
    for name, value in vars(builtins).items()
    if name not in _REPLACED and name not in _UNAVAILABLE and not name.startswith("__")
}
"""The built-in functions, types and exceptions that the code may use as they are."""


class KeyboardInterruptByCode(BaseException):
    """What the code means by `KeyboardInterrupt`: a key pressed by the user is none of its business."""


KeyboardInterruptByCode.__name__ = KeyboardInterruptByCode.__qualname__ = "KeyboardInterrupt"
KeyboardInterruptByCode.__module__ = "builtins"


def _unavailable(name: str) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise GuardError(f"{name}() is not available to this code.")

    refuse.__name__ = refuse.__qualname__ = name
    return refuse


def _iter(obj: Any, *sentinel: Any) -> Any:
    if sentinel:
        from . import current

        return itertools.compress(iter(obj, *sentinel), current.ticks())
    return iter(obj)


def _star_types(kinds: Any) -> Any:
    """The types of an `except*`, which must not see what ends the run."""
    import sys

    error = sys.exc_info()[1]
    while isinstance(error, BaseException):
        if isinstance(error, (ControlSignal, KeyboardInterrupt)):
            raise error
        inner = getattr(error, "exceptions", None)
        found = None
        for item in inner or ():
            if isinstance(item, (ControlSignal, KeyboardInterrupt)):
                raise item
            if hasattr(item, "exceptions"):
                found = item
        error = found
    return kinds


_shared: dict[str, Any] | None = None


def _shared_builtins() -> dict[str, Any]:
    global _shared  # noqa: PLW0603 - built once, on first use
    if _shared is None:
        _shared = {
            **BASE_PYTHON_TOOLS,
            **{name: _unavailable(name) for name in _UNAVAILABLE},
            "KeyboardInterrupt": KeyboardInterruptByCode,
            "memoryview": memoryview,
            "__debug__": True,
            "iter": _iter,
            "pow": limits.pow_guarded,
            "format": format_value,
            "@next": next,
            "@compress": itertools.compress,
            "@type": type,
            "@int": int,
            "@slice": slice,
            "@str": str,
            "@repr": repr,
            "@ascii": ascii,
            "@format": format_value,
            "@control": (ControlSignal, KeyboardInterrupt),
            "@star_types": _star_types,
            "@bounded": limits.bounded_range,
            "@ticked": limits.ticked_range,
            "@bytes": limits.bytes_argument,
            "@mul": limits.mul_guarded,
            "@pow": limits.pow_guarded,
            "@lshift": limits.lshift_guarded,
            "@mod": limits.mod_guarded,
            "@add": limits.add_guarded,
            "@imul": limits.imul_guarded,
            "@ipow": limits.ipow_guarded,
            "@ilshift": limits.ilshift_guarded,
            "@imod": limits.imod_guarded,
            "@iadd": limits.iadd_guarded,
        }
    return _shared


class GuardedBuiltins(types.ModuleType):
    """What stands for the module `builtins` in a session."""

    def __repr__(self) -> str:
        return "<guarded builtins>"


def make_builtins(guards: Guards, print_: Callable[..., None], settle: Callable[[], None],
                  inactive: Callable[[], bool], globals_: Callable[[], Any]) -> GuardedBuiltins:  # fmt: skip
    """The built-in names of one session.

    Args:
        guards: The guards of the session.
        print_: Its `print`.
        settle: Raises what ends the run, if something does.
        inactive: Whether the session runs nothing now.
        globals_: Its `globals`.
    """
    module = GuardedBuiltins("builtins")
    own = module.__dict__
    own.update(_shared_builtins())
    for name in ("__loader__", "__spec__", "__package__"):
        own.pop(name, None)

    def hasattr_(obj: Any, name: str, /) -> bool:
        return guards.hasattr(obj, name)

    own.update(
        {
            "getattr": guards.getattr,
            "setattr": guards.setattr,
            "hasattr": hasattr_,
            "delattr": guards.delattr,
            "vars": guards.vars,
            "dir": guards.dir,
            "locals": lambda: guards.locals(2),
            "globals": globals_,
            "print": print_,
            "__import__": guards.modules.importer,
            "__build_class__": guards.build_class,
            "@import": guards.modules.import_by_call,
            "@attr": guards.attr,
            "@target": guards.target,
            "@target_dunder": guards.target_dunder,
            "@target_private": guards.target_private,
            "@own": guards.plain,
            "@newclass": guards.newclass,
            "@augitem": guards.augitem,
            "@augattr": guards.augattr,
            "@itemcell": guards.itemcell,
            "@attrcell": guards.attrcell,
            "@match_class": guards.match_class,
            "@settle": settle,
            "@inactive": inactive,
        }
    )
    return module
