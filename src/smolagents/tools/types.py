"""JSON schema from Python type hints."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import sys
import types
import typing
from typing import Any

import typing_extensions

__all__ = ["AUTHORIZED_TYPES", "merge_schemas", "schema_of_hint"]

AUTHORIZED_TYPES = (
    "string",
    "boolean",
    "integer",
    "number",
    "image",
    "audio",
    "array",
    "object",
    "any",
    "null",
)
"""The types an input or output of a tool may have: those of JSON schema, and "image", "audio" and "any"."""

Schema = dict[str, Any]

_BY_CLASS: dict[Any, Schema] = {
    Any: {"type": "any"},
    object: {"type": "any"},
    type(None): {"type": "null"},
    None: {"type": "null"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array"},
    frozenset: {"type": "array"},
    dict: {"type": "object"},
}

# Classes of other libraries are known by name, so that none is imported to learn what a hint means.
_BY_QUALIFIED_NAME: dict[str, Schema] = {
    "smolagents.types.agent_types.AgentImage": {"type": "image"},
    "smolagents.types.agent_types.AgentAudio": {"type": "audio"},
    "smolagents.types.agent_types.AgentText": {"type": "string"},
    "PIL.Image.Image": {"type": "image"},
    "torch.Tensor": {"type": "audio"},
    "numpy.ndarray": {"type": "array"},
    "pathlib.Path": {"type": "string"},
    "pathlib.PurePath": {"type": "string"},
    "pathlib._local.Path": {"type": "string"},
    "pathlib._local.PurePath": {"type": "string"},
    "datetime.datetime": {"type": "string", "format": "date-time"},
    "datetime.date": {"type": "string", "format": "date"},
    "datetime.time": {"type": "string", "format": "time"},
    "uuid.UUID": {"type": "string", "format": "uuid"},
    "decimal.Decimal": {"type": "number"},
}

_ARRAYS = (
    list,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Set,
    collections.abc.MutableSet,
    collections.abc.Iterable,
    collections.abc.Iterator,
    collections.abc.Collection,
    collections.abc.Generator,
)
_OBJECTS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_WRAPPERS = tuple(
    getattr(module, name)
    for module in (typing, typing_extensions)
    for name in ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar")
    if hasattr(module, name)
)
_UNIONS = (typing.Union, types.UnionType)


def schema_of_hint(hint: Any, _within: tuple[Any, ...] = ()) -> Schema:
    """The JSON schema of a type hint.

    Beyond JSON schema it has the types "image", "audio" and "any"; a class that is none of the known ones is "any".
    A type that holds itself is described once, and is a plain "object" inside itself.

    Args:
        hint: A resolved type hint; no string.
    """
    try:
        if hint in _BY_CLASS:
            return dict(_BY_CLASS[hint])
    except TypeError:  # unhashable, as Annotated[int, []] is
        pass
    origin = typing.get_origin(hint)
    if origin is not None:
        return _of_generic(origin, typing.get_args(hint), _within)
    if isinstance(hint, typing.TypeVar):
        if hint.__constraints__:
            return merge_schemas([schema_of_hint(each, _within) for each in hint.__constraints__])
        return schema_of_hint(hint.__bound__, _within) if hint.__bound__ is not None else {"type": "any"}
    if hasattr(hint, "__supertype__"):  # typing.NewType
        return schema_of_hint(hint.__supertype__, _within)
    if type(hint).__name__ == "TypeAliasType":
        return schema_of_hint(hint.__value__, _within)
    if isinstance(hint, type):
        return _of_class(hint, _within)
    return {"type": "any"}


def merge_schemas(schemas: list[Schema]) -> Schema:
    """The schema of a value that fits any one of `schemas`."""
    distinct: list[Schema] = []
    for schema in schemas:
        if schema.get("type") == "any":
            return {"type": "any"}
        if schema not in distinct:
            distinct.append(schema)
    if len(distinct) == 1:
        return distinct[0]
    names: list[str] = []
    for schema in distinct:
        found = schema.get("type", [])
        names.extend(name for name in ([found] if isinstance(found, str) else found) if name not in names)
    if "number" in names and "integer" in names:
        names.remove("integer")
    merged: Schema = {"type": names[0] if len(names) == 1 else names}
    detailed = [schema for schema in distinct if set(schema) - {"type"}]
    if len(detailed) == 1 and not set(detailed[0]) & {"enum", "anyOf", "format"}:
        # The details of one type do not bind values of the others, so they need no branch of their own.
        merged.update({key: value for key, value in detailed[0].items() if key != "type"})
    elif detailed:
        merged["anyOf"] = distinct
    return merged


def _of_generic(origin: Any, args: tuple[Any, ...], within: tuple[Any, ...]) -> Schema:
    if origin in _UNIONS:
        return merge_schemas([schema_of_hint(each, within) for each in args])
    if origin is typing.Annotated:
        return _of_annotated(args, within)
    if origin is typing.Literal or origin is typing_extensions.Literal:
        return _of_values(list(args))
    if origin in _WRAPPERS:
        return schema_of_hint(args[0], within)
    if origin is tuple:
        return _of_tuple(args, within)
    if origin in _ARRAYS:
        items = schema_of_hint(args[0], within)
        schema: Schema = {"type": "array"}
        if items.get("type") != "any":
            schema["items"] = items
        if origin in (set, frozenset):
            schema["uniqueItems"] = True
        return schema
    if origin in _OBJECTS:
        values = schema_of_hint(args[1], within) if len(args) == 2 else {"type": "any"}
        return (
            {"type": "object"} if values.get("type") == "any" else {"type": "object", "additionalProperties": values}
        )
    if type(origin).__name__ == "TypeAliasType":
        return schema_of_hint(origin.__value__, within)
    return schema_of_hint(origin, within) if isinstance(origin, type) else {"type": "any"}


def _of_annotated(args: tuple[Any, ...], within: tuple[Any, ...]) -> Schema:
    schema = schema_of_hint(args[0], within)
    for extra in args[1:]:
        if isinstance(extra, str):
            schema["description"] = extra
            continue
        # typing_extensions.Doc, and pydantic's Field and the bounds of annotated_types
        description = getattr(extra, "documentation", None) or getattr(extra, "description", None)
        if isinstance(description, str):
            schema["description"] = description
        for each in (extra, *(getattr(extra, "metadata", None) or ())):
            for name, key in (
                ("ge", "minimum"),
                ("gt", "exclusiveMinimum"),
                ("le", "maximum"),
                ("lt", "exclusiveMaximum"),
            ):
                bound = getattr(each, name, None)
                if isinstance(bound, (int, float)):
                    schema[key] = bound
    return schema


def _of_tuple(args: tuple[Any, ...], within: tuple[Any, ...]) -> Schema:
    if len(args) == 2 and args[1] is Ellipsis:
        items = schema_of_hint(args[0], within)
        return {"type": "array"} if items.get("type") == "any" else {"type": "array", "items": items}
    members = [nested(schema_of_hint(each, within)) for each in args]
    schema: Schema = {"type": "array", "minItems": len(members), "maxItems": len(members)}
    if members and all(each == members[0] for each in members):
        if members[0]:
            schema["items"] = members[0]
    elif members:
        schema["prefixItems"] = members
    return schema


def _of_values(values: list[Any]) -> Schema:
    values = [value.value if isinstance(value, enum.Enum) else value for value in values]
    names: list[str] = []
    for value in values:
        name = _BY_CLASS.get(type(value), {"type": "string"})["type"]
        if name not in names:
            names.append(name)
    return {"type": names[0] if len(names) == 1 else names, "enum": values}


def _of_class(cls: type, within: tuple[Any, ...]) -> Schema:
    known = _BY_QUALIFIED_NAME.get(f"{cls.__module__}.{cls.__qualname__}")
    if known is not None:
        return dict(known)
    if cls in within:
        return {"type": "object"}
    within = (*within, cls)
    if issubclass(cls, enum.Enum):
        return _of_values([member.value for member in cls])
    if typing_extensions.is_typeddict(cls):
        hints = typing_extensions.get_type_hints(cls, include_extras=True)
        keys: frozenset[str] = cls.__required_keys__  # type: ignore[attr-defined]
        required = [name for name, each in hints.items() if _is_required(each, name in keys)]
        return _of_fields(hints, required, within)
    if dataclasses.is_dataclass(cls):
        hints = typing_extensions.get_type_hints(cls, include_extras=True)
        fields = [field for field in dataclasses.fields(cls) if field.init]
        required = [
            field.name
            for field in fields
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]
        return _of_fields({field.name: hints[field.name] for field in fields}, required, within)
    if "pydantic" in sys.modules and issubclass(cls, sys.modules["pydantic"].BaseModel):
        from smolagents.tools.plain_schema import plain_schema

        return plain_schema(cls.model_json_schema())  # type: ignore[attr-defined]
    for base in cls.__mro__[1:]:
        if base is not object:
            inherited = _BY_CLASS.get(base) or _BY_QUALIFIED_NAME.get(f"{base.__module__}.{base.__qualname__}")
            if inherited is not None:
                return dict(inherited)
    if cls in _ARRAYS:
        return {"type": "array"}
    return {"type": "object"} if cls in _OBJECTS else {"type": "any"}


def _is_required(hint: Any, otherwise: bool) -> bool:
    """Whether a key must be given. The class does not know it of hints that were written as strings."""
    name = getattr(typing.get_origin(hint), "__name__", None) or getattr(typing.get_origin(hint), "_name", None)
    return {"Required": True, "NotRequired": False}.get(str(name), otherwise)


def _of_fields(hints: dict[str, Any], required: list[str], within: tuple[Any, ...]) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {name: nested(schema_of_hint(hint, within)) for name, hint in hints.items()},
    }
    if required:
        schema["required"] = required
    return schema


def nested(schema: Schema) -> Schema:
    """A schema for a place inside another one, where "any" is said by saying no type."""
    return {key: value for key, value in schema.items() if key != "type"} if schema.get("type") == "any" else schema
