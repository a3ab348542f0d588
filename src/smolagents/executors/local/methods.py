"""Methods of built-in types that take an attribute name, or make a result of any size."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from smolagents.executors.errors import GuardError

from . import limits
from .names import exact_name, is_native

if TYPE_CHECKING:
    from .attributes import Guards

__all__ = ["BOUND_METHODS", "UNBOUND_METHODS", "expression_only", "without_expressions"]

_LEADS_AWAY = re.compile(r"@|__|\.\s*_")


def expression_only(method: Any) -> Any:
    """A method that evaluates an expression given as text, for expressions that stay on their data."""

    def evaluate(*args: Any, **kwargs: Any) -> Any:
        plain = [str.__str__(value) if isinstance(value, str) else value for value in args]
        named = {key: str.__str__(value) if isinstance(value, str) else value for key, value in kwargs.items()}
        for value in (*plain, *named.values()):
            if type(value) is str and _LEADS_AWAY.search(value):
                raise GuardError("An expression with '@' or a private attribute is out of reach; put the value in it.")
        return method(*plain, **named)

    return evaluate


def without_expressions(method: Any) -> Any:
    """A method that takes names of other methods as text, for names of methods that do not evaluate text."""

    def check(value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            value = str.__str__(value)
            if value in ("eval", "query") or value[:1] == "_":
                raise GuardError(f"The method '{value}' cannot be applied by its name; call it directly.")
        elif type(value) in (list, tuple) and depth < 3:
            value = type(value)(check(item, depth + 1) for item in value)
        elif type(value) is dict and depth < 3:
            value = {key: check(item, depth + 1) for key, item in value.items()}
        return value

    def apply(*args: Any, **kwargs: Any) -> Any:
        return method(*map(check, args), **{key: check(value) for key, value in kwargs.items()})

    return apply


Wrapper = Callable[["Guards", Any, Any], Any]


def _checked_format(guards: Guards, value: Any, owner: Any) -> Any:
    from .formatting import guarded_format

    if not isinstance(owner, str):
        return value
    return lambda *args, **kwargs: guarded_format(guards, owner, args, kwargs)


def _unbound_format(guards: Guards, value: Any, owner: Any) -> Any:
    from .formatting import guarded_format

    return lambda text, *args, **kwargs: guarded_format(guards, _a_str(text), args, kwargs)


def _checked_format_map(guards: Guards, value: Any, owner: Any) -> Any:
    from .formatting import guarded_format

    return lambda mapping: guarded_format(guards, owner, (), mapping)


def _unbound_format_map(guards: Guards, value: Any, owner: Any) -> Any:
    from .formatting import guarded_format

    return lambda text, mapping: guarded_format(guards, _a_str(text), (), mapping)


def _a_str(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"descriptor 'format' for 'str' objects doesn't apply to a '{type(text).__name__}' object")
    return text


def _padded(guards: Guards, value: Any, owner: Any) -> Any:
    def pad(*args: Any, **kwargs: Any) -> Any:
        for argument in (*args, *kwargs.values()):
            if isinstance(argument, int):
                limits.check_width(int(argument))
        return value(*args, **kwargs)

    return pad


def _format_dunder(guards: Guards, value: Any, owner: Any) -> Any:
    from .formatting import check_specification

    def format_value(*args: Any) -> Any:
        if args and isinstance(args[-1], str):
            check_specification(args[-1])
        return value(*args)

    return format_value


def _check_remainder(left: Any, right: Any) -> None:
    if isinstance(left, (str, bytes, bytearray)):
        limits.check_percent(left, right)


_CHECKS: dict[str, Callable[[Any, Any], None]] = {
    "mul": limits.check_product,
    "pow": limits.check_power,
    "lshift": limits.check_shift,
    "mod": _check_remainder,
}


def _sized_binary(guard: str, swapped: bool) -> tuple[Wrapper, Wrapper]:
    def checked(left: Any, right: Any, compute: Callable[[], Any]) -> Any:
        if swapped:
            left, right = right, left
        _CHECKS[guard](left, right)
        return compute()

    def bound(guards: Guards, value: Any, owner: Any) -> Any:
        return lambda other, *rest: checked(owner, other, lambda: value(other, *rest))

    def unbound(guards: Guards, value: Any, owner: Any) -> Any:
        return lambda left, right, *rest: checked(left, right, lambda: value(left, right, *rest))

    return bound, unbound


def _getattribute_bound(guards: Guards, value: Any, owner: Any) -> Any:
    def read(name: Any) -> Any:
        name = exact_name(name)
        return value(name) if is_native(name) else guards.attr(owner, name, lambda _, n: value(n))

    return read


def _getattribute_unbound(guards: Guards, value: Any, owner: Any) -> Any:
    def read(obj: Any, name: Any) -> Any:
        name = exact_name(name)
        return value(obj, name) if is_native(name) else guards.attr(obj, name, value)

    return read


def _setattr_bound(guards: Guards, value: Any, owner: Any) -> Any:
    def write(name: Any, *rest: Any) -> Any:
        name = exact_name(name)
        guards.settable(owner, name)
        return value(name, *rest)

    return write


def _setattr_unbound(guards: Guards, value: Any, owner: Any) -> Any:
    def write(obj: Any, name: Any, *rest: Any) -> Any:
        name = exact_name(name)
        guards.settable(obj, name)
        return value(obj, name, *rest)

    return write


def _own_subclasses(guards: Guards, value: Any, owner: Any) -> Any:
    if not guards.is_own_class(owner):
        raise GuardError("The attribute '__subclasses__' is out of reach of this code.")
    return value


def _no_subclasses(guards: Guards, value: Any, owner: Any) -> Any:
    # A metaclass of the code gives the method of `type` itself, good for every class of the host.
    raise GuardError("The attribute '__subclasses__' is out of reach of this code.")


BOUND_METHODS: dict[str, Wrapper] = {
    "format": _checked_format,
    "format_map": _checked_format_map,
    "__format__": _format_dunder,
    "__subclasses__": _own_subclasses,
    "__getattribute__": _getattribute_bound,
    "__setattr__": _setattr_bound,
    "__delattr__": _setattr_bound,
}
UNBOUND_METHODS: dict[str, Wrapper] = {
    "format": _unbound_format,
    "format_map": _unbound_format_map,
    "__format__": _format_dunder,
    "__subclasses__": _no_subclasses,
    "__getattribute__": _getattribute_unbound,
    "__setattr__": _setattr_unbound,
    "__delattr__": _setattr_unbound,
}
for _name in ("ljust", "rjust", "center", "zfill", "expandtabs"):
    BOUND_METHODS[_name] = UNBOUND_METHODS[_name] = _padded
for _guard in ("mul", "pow", "lshift", "mod"):
    for _prefix in ("", "r", "i"):
        BOUND_METHODS[f"__{_prefix}{_guard}__"], UNBOUND_METHODS[f"__{_prefix}{_guard}__"] = _sized_binary(
            _guard, swapped=_prefix == "r"
        )
