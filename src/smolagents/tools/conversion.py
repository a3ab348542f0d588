"""From what a model can say to what a function wants.

A model passes strings, numbers, lists and objects. A function whose hint is an enumeration, a data class, a date or a
path is given one of those.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import typing_extensions

__all__ = ["converter_of_hint"]

Converter = Callable[[Any], Any]

# Known by name, so that no module is imported to learn that a hint is none of its classes.
_FROM_ISO = frozenset({"datetime.datetime", "datetime.date", "datetime.time"})
_FROM_TEXT = frozenset(
    {"pathlib.Path", "pathlib.PurePath", "pathlib._local.Path", "pathlib._local.PurePath", "uuid.UUID"}
)
_FROM_LIST = (set, frozenset, tuple)
_ITEMS = (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)


def converter_of_hint(hint: Any, _within: tuple[Any, ...] = ()) -> Converter | None:
    """A function that turns plain values into what `hint` asks for; None where they are that already.

    It leaves alone what it cannot turn, and raises ValueError for a plain value that stands for nothing of that type.
    """
    if isinstance(hint, type) and not typing.get_args(hint):
        return _of_class(hint, _within)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return converter_of_hint(args[0], _within)
    if origin in (typing.Union, types.UnionType):
        members = [each for each in args if each is not type(None)]
        if len(members) == 1:
            return _skipping_none(converter_of_hint(members[0], _within))
        if any(
            each is dict or typing.get_origin(each) is dict or typing_extensions.is_typeddict(each) for each in members
        ):
            return None  # what the object stands for cannot be told
        return _first_that_fits([each for each in members if _is_made_of_fields(each)], _within)
    if origin in _FROM_LIST:
        if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
            return _fixed_tuple([converter_of_hint(each, _within) for each in args])
        return _collection(origin, converter_of_hint(args[0], _within))
    if origin in _ITEMS:
        item = converter_of_hint(args[0], _within)
        return None if item is None else _collection(list, item)
    if origin in (dict, collections.abc.Mapping) and len(args) == 2:
        value = converter_of_hint(args[1], _within)
        return None if value is None else _mapping(value)
    return None


def _is_made_of_fields(hint: Any) -> bool:
    pydantic = sys.modules.get("pydantic")
    return isinstance(hint, type) and (
        dataclasses.is_dataclass(hint) or (pydantic is not None and issubclass(hint, pydantic.BaseModel))
    )


def _first_that_fits(classes: list[Any], within: tuple[Any, ...]) -> Converter | None:
    """Of several members of a union the one that is meant is known only for objects: the first whose fields fit."""
    converters = [converter for each in classes if (converter := converter_of_hint(each, within)) is not None]
    if not converters:
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        failure: Exception | None = None
        for converter in converters:
            try:
                return converter(value)
            except (TypeError, ValueError) as error:
                failure = failure or error
        assert failure is not None
        raise failure

    return convert


def _of_class(cls: type, within: tuple[Any, ...]) -> Converter | None:
    name = f"{cls.__module__}.{cls.__qualname__}"
    make: Any = cls
    if name in _FROM_ISO:
        return lambda value: make.fromisoformat(value) if isinstance(value, str) else value
    if name in _FROM_TEXT:
        return lambda value: make(value) if isinstance(value, str) else value
    if name == "decimal.Decimal":
        return lambda value: make(str(value)) if isinstance(value, (int, float, str)) else value
    if cls in _FROM_LIST:
        return _collection(cls, None)
    if issubclass(cls, enum.Enum):
        return lambda value: value if isinstance(value, cls) else cls(value)
    if dataclasses.is_dataclass(cls):
        return _data_class(cls, within)
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and issubclass(cls, pydantic.BaseModel):
        return lambda value: make.model_validate(value) if isinstance(value, Mapping) else value
    return None


def _data_class(cls: type, within: tuple[Any, ...]) -> Converter:
    names = frozenset(field.name for field in dataclasses.fields(cls) if field.init)
    fields: dict[str, Converter] = {}
    if cls not in within:  # one that holds itself is turned at its first level
        hints = typing_extensions.get_type_hints(cls, include_extras=True)
        for name in names:
            converter = converter_of_hint(hints[name], (*within, cls))
            if converter is not None:
                fields[name] = converter

    def convert(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        unknown = [name for name in value if name not in names]
        if unknown:
            raise ValueError(f"unknown field {unknown[0]!r}; the fields are: {', '.join(sorted(names))}")
        return cls(**{name: fields[name](item) if name in fields else item for name, item in value.items()})

    return convert


def _skipping_none(converter: Converter | None) -> Converter | None:
    return None if converter is None else lambda value: None if value is None else converter(value)


def _collection(kind: Any, item: Converter | None) -> Converter:
    def convert(value: Any) -> Any:
        if not isinstance(value, (list, tuple, set, frozenset)):
            return value
        return kind(value if item is None else map(item, value))

    return convert


def _fixed_tuple(items: list[Converter | None]) -> Converter:
    def convert(value: Any) -> Any:
        if not isinstance(value, (list, tuple)) or len(value) != len(items):
            return value
        return tuple(each if item is None else item(each) for item, each in zip(items, value, strict=True))

    return convert


def _mapping(item: Converter) -> Converter:
    return lambda value: {key: item(each) for key, each in value.items()} if isinstance(value, Mapping) else value
