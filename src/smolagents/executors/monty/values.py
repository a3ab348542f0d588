"""Values on their way into the interpreter and out of it.

Monty converts plain values itself: numbers, text, bytes, containers, dates, `Decimal`, paths. What it does not know
stays outside and enters as a handle. Nothing that comes out is more than data.
"""

from __future__ import annotations

import datetime as dt
import decimal
import keyword
import pathlib
import re
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import make_dataclass
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType, MappingProxyType
from typing import Any

from pydantic_monty import ClassInstance, MontyClassProxy, MontyClassTypeProxy, MontyStdTypeProxy

from smolagents.executors.remote.session import RemoteValue
from smolagents.executors.worker.values_base import CannotCrossError, Trouble, key_segment, shorten

from .handles import Handles

__all__ = ["Values"]

_SCALARS = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        bytes,
        complex,
        decimal.Decimal,
        dt.date,
        dt.datetime,
        dt.time,
        dt.timedelta,
        dt.timezone,
        type(...),
        type(NotImplemented),
    }
)
"""Types whose values Monty converts as they are, in both directions."""

_TYPES_INSIDE = frozenset({bool, int, float, str, bytes, list, tuple, dict, set, frozenset, type(None), object})
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()), deque)
_MOST_OF_RANGE = 1_000_000

_LEFT_BEHIND = re.compile(
    r"<(?:function '[^']*'|bound method|coroutine [^<>]*|[\w.]+ object)(?: at 0x[0-9a-f]+)?>|<class '[\w.]+'>"
    r"|<module '[\w.]+'>|dict_(?:keys|values|items)\(\[.*\]\)|range\(-?\d+, -?\d+(?:, -?\d+)?\)|<deeply nested>",
    re.DOTALL,
)
"""The texts that Monty gives in the place of values that have no form outside."""


class Values:
    """Converts the values of one session.

    Args:
        handles: What stays outside.
        function: The name under which the code may call a function of this process; None if it may not.
    """

    def __init__(self, handles: Handles, function: Callable[[Any], str | None]) -> None:
        self.handles = handles
        self._function = function
        self._named_tuples: dict[tuple[str, tuple[str, ...]], type] = {}

    # Into the interpreter

    def enter(self, value: Any, where: str) -> Any:
        """What to give to Monty for `value`.

        Args:
            value: Any value. What Monty does not know enters as a handle.
            where: What the value is called in errors.

        Raises:
            CannotCrossError: it is cyclic or nested too deeply, or holds broken text.
        """
        try:
            return self._in(value, set())
        except Trouble as trouble:
            raise CannotCrossError(trouble.text(where)) from None
        except RecursionError:
            raise CannotCrossError(f"{where}: nested too deeply; pass a flatter value") from None

    def _in(self, value: Any, active: set[int]) -> Any:
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is str:
            return _whole_text(value)
        if kind in (list, tuple, dict, set, frozenset) or isinstance(value, (list, tuple, dict, set, frozenset)):
            if id(value) in active:
                raise Trouble("it contains itself; a cycle cannot cross, pass a copy without it")
            active.add(id(value))
            entered = self._container_in(value, active)
            active.discard(id(value))
            return entered
        return self._other_in(value, active)

    def _container_in(self, value: Any, active: set[int]) -> Any:
        if isinstance(value, dict):
            return self._dict_in(value, active)
        items = []
        for index, item in enumerate(value):
            try:
                items.append(self._in(item, active))
            except Trouble as trouble:
                trouble.segments.append(f"[{index}]")
                raise
        if isinstance(value, list):
            return items
        if isinstance(value, tuple):
            fields = getattr(type(value), "_fields", None)
            if fields is None:
                return tuple(items)
            self._named_tuples[type(value).__name__, tuple(fields)] = type(value)
            return type(value)._make(items)  # type: ignore[attr-defined]
        if not all(map(_can_be_key, items)):
            return self._handle(value, active)
        return frozenset(items) if isinstance(value, frozenset) else set(items)

    def _dict_in(self, value: dict[Any, Any], active: set[int]) -> Any:
        entered = {}
        for key, item in dict.items(value):
            entered_key = self._in(key, active)
            if not _can_be_key(entered_key):
                return self._handle(value, active)
            try:
                entered[entered_key] = self._in(item, active)
            except Trouble as trouble:
                trouble.segments.append(key_segment(key))
                raise
        return entered

    def _other_in(self, value: Any, active: set[int]) -> Any:
        kind = type(value)
        if isinstance(value, str):  # members of string enums among them: they are text to the code
            return _whole_text(str.__str__(value))
        if isinstance(value, (int, float)):
            return int.__int__(value) if isinstance(value, int) else float.__float__(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        if isinstance(value, pathlib.PurePath):
            return pathlib.PurePosixPath(value.as_posix())
        if isinstance(value, dt.datetime):  # of pandas, too
            return None if value != value else _plain_datetime(value)  # noqa: PLR0124 - what is no time
        if isinstance(value, _VIEWS) or (kind is range and len(value) <= _MOST_OF_RANGE):
            return self._in(list(value), active)
        if isinstance(value, MappingProxyType):
            return self._in(dict(value), active)
        if isinstance(value, BaseException):
            return value
        if isinstance(value, (MontyClassProxy, MontyClassTypeProxy, MontyStdTypeProxy, ClassInstance)):
            return value
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(
            value, (numpy.integer, numpy.bool_, numpy.floating, numpy.complexfloating)
        ):
            return value.item() if kind.__name__ != "longdouble" else float(value)
        if kind is type:
            return value if value in _TYPES_INSIDE else self._handle(value, active)
        if callable(value):
            name = self._function(value)
            if name is not None:
                return stand_in(name)
            if isinstance(value, (FunctionType, BuiltinFunctionType)):
                name = shorten(value.__name__)
                raise Trouble(f"the function {name} cannot cross; make it a tool, or send it as a variable")
        if id(value) in active:
            raise Trouble("it contains itself; a cycle cannot cross, pass a copy without it")
        active.add(id(value))
        handle = self._handle(value, active)
        active.discard(id(value))
        return handle

    def _handle(self, value: Any, active: set[int]) -> ClassInstance:
        handle = self.handles.of(value, lambda part: self._in(part, active))
        handle.convert = self._method_result  # type: ignore[attr-defined]
        return handle

    def _method_result(self, value: Any) -> Any:
        return self.enter(value, "the result")

    # Out of the interpreter

    def leave(self, value: Any, where: str) -> Any:
        """A value of the code as tools get it.

        Raises:
            CannotCrossError: it, or something in it, has no form outside of the interpreter.
        """
        try:
            return self._out(value, True)
        except Trouble as trouble:
            raise CannotCrossError(trouble.text(where)) from None
        except RecursionError:
            raise CannotCrossError(f"{where}: nested too deeply; pass a flatter value") from None

    def leave_as_output(self, value: Any) -> Any:
        """The value of a piece of code. What has no form outside is told as text."""
        try:
            return self._out(value, False)
        except RecursionError:
            return RemoteValue(type(value).__name__, f"<{type(value).__name__}, nested too deeply>")

    def _out(self, value: Any, strict: bool) -> Any:
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is str:
            if strict and len(value) < 1000 and _LEFT_BEHIND.fullmatch(value):
                raise Trouble(f"{shorten(value)} is a value of the code that cannot leave it; {_instead(value)}")
            return value
        if self.handles.holds(value):
            return value
        if kind is list or kind is tuple:
            items = self._items_out(value, strict)
            return items if kind is list else tuple(items)
        if kind is dict:
            return {self._out(key, strict): self._part_out(key, item, strict) for key, item in value.items()}
        if kind is set or kind is frozenset:
            return kind(self._items_out(value, strict))
        return self._other_out(value, strict)

    def _items_out(self, values: Any, strict: bool) -> list[Any]:
        items = []
        for index, item in enumerate(values):
            try:
                items.append(item if type(item) in _SCALARS else self._out(item, strict))
            except Trouble as trouble:
                trouble.segments.append(f"[{index}]")
                raise
        return items

    def _part_out(self, key: Any, value: Any, strict: bool) -> Any:
        try:
            return self._out(value, strict)
        except Trouble as trouble:
            trouble.segments.append(key_segment(key))
            raise

    def _other_out(self, value: Any, strict: bool) -> Any:
        if isinstance(value, pathlib.PurePosixPath):
            return pathlib.Path(str(value))
        if isinstance(value, tuple):
            fields = getattr(type(value), "_fields", ())
            own = self._named_tuples.get((type(value).__name__, tuple(fields)), type(value))
            return own._make(self._items_out(value, strict))  # type: ignore[attr-defined]
        if isinstance(value, MontyClassProxy):
            return self._instance_out(value, strict)
        if isinstance(value, (MontyStdTypeProxy, MontyClassTypeProxy)):
            if strict:
                raise Trouble(f"{shorten(value.name)} is a function or a class of the code; pass what it gives")
            return RemoteValue("type", f"<{value.name}>")
        return value

    def _instance_out(self, proxy: MontyClassProxy, strict: bool) -> Any:
        handle = self.handles.find(proxy.id)
        if handle is not None:
            return handle.value
        attributes = proxy.attributes
        if proxy.is_dataclass and _is_name(proxy.name) and all(map(_is_name, attributes)) and len(attributes) < 1000:
            fields = {name: self._field_out(name, value, strict) for name, value in attributes.items()}
            return _dataclass(proxy.name, tuple(fields))(**fields)
        if strict:
            raise Trouble(
                f"an instance of {shorten(proxy.name)}, a class that is not known outside of the code, cannot leave it; "
                "pass a dict, or make the class a dataclass"
            )
        shown = ", ".join(f"{name}={shorten(repr(value))}" for name, value in list(attributes.items())[:50])
        return RemoteValue(proxy.name, f"{proxy.name}({shown})")

    def _field_out(self, name: str, value: Any, strict: bool) -> Any:
        try:
            return self._out(value, strict)
        except Trouble as trouble:
            trouble.segments.append(f".{name}")
            raise


@lru_cache(maxsize=1000)
def stand_in(name: str) -> Callable[[], None]:
    """What Monty is given for a function: it takes its name only."""

    def function() -> None: ...

    function.__name__ = name
    return function


@lru_cache(maxsize=256)
def _dataclass(name: str, fields: tuple[str, ...]) -> type:
    made = make_dataclass(name, fields)
    made.__module__ = __name__
    return made


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text) and not text.startswith("__") and len(text) <= 200


def _whole_text(text: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Trouble(
                "the text holds half of a surrogate pair; clean it with .encode('utf-8', 'replace').decode()"
            ) from None
    return text


def _plain_datetime(value: dt.datetime) -> dt.datetime:
    return dt.datetime(
        value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond, value.tzinfo
    )


def _can_be_key(entered: Any) -> bool:
    if isinstance(entered, ClassInstance):
        return False
    return all(map(_can_be_key, entered)) if isinstance(entered, (tuple, frozenset)) else True


def _instead(text: str) -> str:
    if text.startswith(("range", "dict_")) or "iterator" in text:
        return "pass list(...) of it"
    if text.startswith("<coroutine"):
        return "await it first"
    if text == "<deeply nested>":
        return "pass a flatter value"
    return "pass plain data"
