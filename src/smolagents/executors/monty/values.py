"""Values on their way into the interpreter and out of it.

Into it Monty converts plain values itself: numbers, text, bytes, containers, dates, `Decimal`, paths. What it does not
know stays outside and enters as a handle. Out of it come texts only: JSON that `inside.py` writes and the codec reads.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import pathlib
import sys
from collections import deque
from collections.abc import Callable
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MappingProxyType,
)
from typing import Any

from pydantic_monty import ClassInstance

from smolagents.executors.worker.values import Codec
from smolagents.executors.worker.values_base import (
    CannotCrossError,
    MalformedValueError,
    Trouble,
    key_segment,
    shorten,
)
from smolagents.executors.worker.values_classes import KnownClasses

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
"""Types whose values Monty converts as they are."""

_CONTAINERS = (list, tuple, dict, set, frozenset)
_TYPES_INSIDE = frozenset({bool, int, float, str, bytes, list, tuple, dict, set, frozenset, type(None), object})
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()), deque)
_UNFINISHED = (GeneratorType, CoroutineType, AsyncGeneratorType)
_MOST_OF_RANGE = 1_000_000


class Values:
    """Converts the values of one session.

    Args:
        handles: What stays outside.
        function: The name under which the code may call a function of this process; None if it may not. It is told
            whether the user gave the function to the code, rather than a tool.
    """

    def __init__(self, handles: Handles, function: Callable[[Any, bool], str | None]) -> None:
        self.handles = handles
        self.token = ""
        """What the session knows tools and named tuples by in values that enter."""
        self.function = function
        self.classes = _Classes()
        self._codec = Codec(trusted=False, tool=handles.numbered)
        self._codec.classes = self.classes

    def enter(self, value: Any, where: str, *, given: bool = False) -> tuple[Any, bool]:
        """What to give to Monty for `value`, and whether something in it is marked with the token.

        Args:
            value: Any value. What Monty does not know enters as a handle. Tools and named tuples are marked:
                `inside.py` puts them in their place.
            where: What the value is called in errors.
            given: Whether the user gave it to the code.

        Raises:
            CannotCrossError: it is cyclic or nested too deeply, or holds broken text or something unfinished.
        """
        entry = _Entry(self, given)
        try:
            return entry.item(value), entry.marked
        except Trouble as trouble:
            raise CannotCrossError(trouble.text(where)) from None
        except RecursionError:
            raise CannotCrossError(f"{where}: nested too deeply; pass a flatter value") from None

    def leave(self, text: str, where: str) -> Any:
        """A value that the code gave, which comes as JSON.

        Raises:
            CannotCrossError: it is not what the codec reads.
        """
        try:
            return self._codec.decode(json.loads(text), where)
        except MalformedValueError as error:
            raise CannotCrossError(str(error)) from None
        except RecursionError:
            raise CannotCrossError(f"{where}: nested too deeply; pass a flatter value") from None


class _Classes(KnownClasses):
    """Knows the named tuples that entered, of which the interpreter has no more than the name."""

    def __init__(self) -> None:
        super().__init__()
        self.named_tuples: dict[str, type] = {}

    def find(self, name: str) -> Any:
        return self.named_tuples.get(name) or super().find(name)


class _Entry:
    """One call of `Values.enter`."""

    def __init__(self, values: Values, given: bool) -> None:
        self.values = values
        self.given = given
        self.marked = False
        self.active: set[int] = set()
        """The containers that are being entered, by id: meeting one again is a cycle."""
        self.handles = 0
        """How many handles are being made around the value: nothing is marked in these."""

    def item(self, value: Any) -> Any:
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is str:
            return _whole_text(value)
        if not isinstance(value, _CONTAINERS):
            return self.other(value)
        return self.around(value, self.dict if isinstance(value, dict) else self.items)

    def around(self, value: Any, enter: Callable[[Any], Any]) -> Any:
        """Enter a value that holds others."""
        if id(value) in self.active:
            raise Trouble("it contains itself; a cycle cannot cross, pass a copy without it")
        self.active.add(id(value))
        try:
            return enter(value)
        finally:
            self.active.discard(id(value))

    def items(self, value: Any) -> Any:
        items: list[Any] = []
        try:
            for item in value:
                items.append(item if type(item) in _SCALARS else self.item(item))
        except Trouble as trouble:
            trouble.segments.append(f"[{len(items)}]")
            raise
        if isinstance(value, list):
            return items
        if isinstance(value, tuple):
            if not hasattr(type(value), "_make"):
                return tuple(items)
            return self.named_tuple(type(value), items)
        if not all(map(_can_be_key, items)):
            return self.handle(value)
        return frozenset(items) if isinstance(value, frozenset) else set(items)

    def named_tuple(self, kind: Any, items: list[Any]) -> Any:
        if self.handles:
            return tuple(items)
        self.values.classes.named_tuples[f"inside:{kind.__name__}"] = kind
        self.marked = True
        return (f"{self.values.token}#namedtuple", kind.__name__, list(kind._fields), items)

    def dict(self, value: dict[Any, Any]) -> Any:
        entered = {}
        for key, item in dict.items(value):
            entered_key = self.item(key)
            if not _can_be_key(entered_key):
                return self.handle(value)
            try:
                entered[entered_key] = item if type(item) in _SCALARS else self.item(item)
            except Trouble as trouble:
                trouble.segments.append(key_segment(key))
                raise
        return entered

    def other(self, value: Any) -> Any:
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
            return self.item(list(value))
        if isinstance(value, MappingProxyType):
            return self.item(dict(value))
        if isinstance(value, BaseException):
            return value
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(
            value, (numpy.integer, numpy.bool_, numpy.floating, numpy.complexfloating)
        ):
            return value.item() if kind.__name__ != "longdouble" else float(value)
        if kind is type and value in _TYPES_INSIDE:
            return value
        if isinstance(value, _UNFINISHED):
            raise Trouble(f"a {kind.__name__} cannot cross; pass what it gives, such as a list")
        if callable(value):
            name = None if self.handles else self.values.function(value, self.given)
            if name is not None:
                self.marked = True
                return self.values.token + name
            if isinstance(value, (FunctionType, BuiltinFunctionType)):
                name = shorten(value.__name__)
                raise Trouble(f"the function {name} cannot cross; make it a tool, or send it as a variable")
        return self.around(value, self.handle)

    def handle(self, value: Any) -> ClassInstance:
        self.handles += 1
        try:
            return self.values.handles.of(value, self.item)
        finally:
            self.handles -= 1


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
