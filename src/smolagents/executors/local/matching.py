"""Class patterns: matching by position reads attributes that the class names."""

from __future__ import annotations

from typing import Any

from smolagents.executors.errors import GuardError

from .names import FRAME_INTERNALS, GUARDED_PUBLIC, LIBRARY_PRIVATE, is_native

__all__ = ["check_match_args", "stand_in"]


def stand_in(cls: Any) -> Any:
    """A class to match against in place of one whose metaclass the session wrote, and which may change its mind."""
    real = cls
    match_args = getattr(cls, "__match_args__", ())
    check_match_args(match_args, cls)

    class Meta(type):
        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, real)

    return Meta("match", (), {"__match_args__": match_args})


def check_match_args(match_args: Any, cls: type, *, lenient: bool = False) -> None:
    plain = type(match_args) is tuple and all(type(name) is str for name in match_args)
    if not plain:
        raise GuardError(f"__match_args__ of {cls.__name__} must be a tuple of plain strings.")
    for name in match_args:
        private = name[:1] == "_" and name[:2] != "__"
        harmless = lenient and name in GUARDED_PUBLIC and name not in FRAME_INTERNALS
        if not is_native(name) and not private and not harmless:
            raise GuardError(f"__match_args__ of {cls.__name__} names '{name}', which is out of reach.")
        if name[:1] == "_" and name not in LIBRARY_PRIVATE:
            raise GuardError(f"__match_args__ of {cls.__name__} names '{name}'; use a name without underscore.")
