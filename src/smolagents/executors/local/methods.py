"""Methods of built-in types that take an attribute name, or make a result of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import limits
from .errors import GuardError
from .names import exact_name, is_native

if TYPE_CHECKING:
    from .attributes import Guards

__all__ = ["BOUND_METHODS", "UNBOUND_METHODS", "expression_only"]


def expression_only(method: Any) -> Any:
    """A method that evaluates an expression given as text, for expressions that stay on their data."""

    def evaluate(expr: Any, *args: Any, **kwargs: Any) -> Any:
        text = exact_name(expr)
        if "__" in text or "@" in text:
            raise GuardError("An expression with '@' or a double underscore is out of reach; put the value in it.")
        return method(text, *args, **kwargs)

    return evaluate


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


BOUND_METHODS: dict[str, Wrapper] = {
    "format": _checked_format,
    "format_map": _checked_format_map,
    "__format__": _format_dunder,
    "__getattribute__": _getattribute_bound,
    "__setattr__": _setattr_bound,
    "__delattr__": _setattr_bound,
}
UNBOUND_METHODS: dict[str, Wrapper] = {
    "format": _unbound_format,
    "format_map": _unbound_format_map,
    "__format__": _format_dunder,
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
