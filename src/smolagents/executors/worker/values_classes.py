"""Dataclasses, enums, named tuples and pydantic models: values whose class has a name that crosses with the fields."""

from __future__ import annotations

import json
import keyword
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .values_base import TAG, Trouble, encode_text, expect, key_segment, shorten

if TYPE_CHECKING:
    from .values import Decoder, Encoder

_MOST_REMEMBERED = 4096
_MOST_GENERATED = 256
_MOST_FIELDS = 1000
_MOST_MEMBERS = 500
# Making a class takes about 1 ms, and 20 µs for each of its fields: these bound what hostile data can make it take.
_MOST_NEW_CLASSES = 256
_MOST_NEW_FIELDS = 5000
_MOST_FLAG_BITS = 1024

_IDENTITY = "_crossed_identity"
"""Attribute of a generated class: the kind and the name of the class that it stands for."""


class KnownClasses:
    """The classes that data may name: those of values that were encoded, and those generated for others."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[str, type] = OrderedDict()
        self._generated: OrderedDict[Any, type] = OrderedDict()

    def remember(self, cls: type) -> str:
        """The name of a class, under which it is found again from now on."""
        generated = cls.__dict__.get(_IDENTITY)
        if generated is not None:
            return str(generated[1])
        name = f"{cls.__module__}:{cls.__qualname__}"
        if self._remembered.get(name) is not cls:
            self._remembered[name] = cls
            self._remembered.move_to_end(name)
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return name

    def find(self, name: str) -> Any:
        return self._remembered.get(name)

    def generate(
        self, decoder: Decoder, kind: str, name: str, parts: Any, size: int, make: Callable[[str], type]
    ) -> type:
        """The class that stands for a class of the other side; made if it has not been made before.

        Args:
            decoder: The call that needs it.
            kind: What it is: "dataclass", "pydantic", "enum" or "namedtuple".
            name: Its module and qualified name.
            parts: What distinguishes it from others of that name: its fields and settings. Hashable.
            size: How many fields or members it has.
            make: Makes it, given the last part of its name.
        """
        key = (kind, name, parts)
        found = self._generated.get(key)
        if found is None:
            if not decoder.trusted:
                decoder.new_classes += 1
                decoder.new_fields += size
                if decoder.new_classes > _MOST_NEW_CLASSES or decoder.new_fields > _MOST_NEW_FIELDS:
                    raise Trouble("too many different classes")
            found = make(_class_name(name))
            found.__qualname__ = name.partition(":")[2]
            setattr(found, _IDENTITY, (kind, name))
            self._generated[key] = found
            if len(self._generated) > _MOST_GENERATED:
                self._generated.popitem(last=False)
        else:
            self._generated.move_to_end(key)
        return found


def _class_name(name: str) -> str:
    _, colon, qualname = name.partition(":")
    last = qualname.partition("[")[0].rpartition(".")[2]  # a generic model is called "Box[int]"
    if not colon or len(name) > 500 or not last.isidentifier() or keyword.iskeyword(last):
        raise Trouble(f"not the name of a class: {shorten(repr(name))}")
    return last


def _field_names(names: Any) -> tuple[str, ...]:
    """Check names that become parameters and attributes of a generated class."""
    if len(names) > _MOST_FIELDS:
        raise Trouble(f"a class with more than {_MOST_FIELDS} fields")
    for name in names:
        if type(name) is not str or len(name) > 200 or not name.isidentifier() or keyword.iskeyword(name):
            raise Trouble(f"not the name of a field: {shorten(repr(name))}")
        if (name.startswith("__") and name.endswith("__")) or name == _IDENTITY:
            raise Trouble(f"{name!r} cannot be the name of a field")
    return tuple(names)


def encoder_of(value: Any) -> Any:
    """The encoder, if the value's class has a name that crosses."""
    cls = type(value)
    if hasattr(cls, "__dataclass_fields__"):
        return _dataclass
    enum = sys.modules.get("enum")
    if enum is not None and isinstance(value, enum.Enum):
        return _enum
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and isinstance(value, getattr(pydantic, "BaseModel", ())):
        return _pydantic
    if _is_named_tuple(cls):
        return _named_tuple
    return None


def _is_named_tuple(cls: type) -> bool:
    fields = getattr(cls, "_fields", None)
    return (
        issubclass(cls, tuple)
        and type(fields) is tuple
        and hasattr(cls, "_make")
        and all(type(name) is str for name in fields)
    )


def _named(decoder: Decoder, data: Any, depth: int) -> tuple[str, Any]:
    """The name of a class, and the class if it is known."""
    name = expect(decoder.item(data["type"], depth + 1), str, "the name of a class")
    return name, decoder.codec.classes.find(name)


def _check_kind(fits: bool, name: str, kind: str) -> None:
    if not fits:
        raise Trouble(f"{shorten(name)} is not a {kind}")


def _call(cls: type, name: str, fields: dict[str, Any]) -> Any:
    try:
        return cls(**fields)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        raise Trouble(f"{shorten(name)} does not accept these fields ({shorten(text, 300)})") from None


# Dataclasses


def _dataclass(encoder: Encoder, value: Any, depth: int) -> Any:
    cls = type(value)
    stands_for = cls.__dict__.get(_IDENTITY)
    fields: dict[str, Any] = {}
    for name, field in cls.__dataclass_fields__.items():
        if field._field_type.name != "_FIELD":  # a ClassVar or an InitVar
            continue
        try:
            part = getattr(value, name)
        except AttributeError:
            raise Trouble(f"the field {name!r} is not set") from None
        fields[name] = encoder.part(part, depth + 1, f".{name}")
    written = {TAG: "dataclass", "type": encode_text(encoder.codec.classes.remember(cls)), "v": fields}
    if stands_for is not None and stands_for[0] == "pydantic":
        return {**written, TAG: "pydantic"}
    settings = cls.__dataclass_params__
    flags = [flag for flag in ("frozen", "eq", "order") if getattr(settings, flag)]
    if cls.__hash__ is not None:
        flags.append("hash")
    return {**written, "flags": flags}


def _read_fields(decoder: Decoder, data: Any, depth: int) -> dict[str, Any]:
    built = {}
    for name, part in expect(data, dict, "the fields of a class").items():
        built[name] = decoder.part(part, depth + 1, f".{name}" if name.isidentifier() else key_segment(name))
    return built


def _read_dataclass(decoder: Decoder, data: Any, depth: int) -> Any:
    name, cls = _named(decoder, data, depth)
    flags = expect(data["flags"], list, "the settings of a dataclass")
    if any(flag not in ("frozen", "eq", "order", "hash") for flag in flags):
        raise Trouble("an unknown setting of a dataclass")
    fields = _read_fields(decoder, data["v"], depth)
    if cls is None:
        return _generated_dataclass(decoder, "dataclass", name, fields, flags)(**fields)
    _check_kind(hasattr(cls, "__dataclass_fields__"), name, "dataclass")
    own = {key: field for key, field in cls.__dataclass_fields__.items() if field._field_type.name == "_FIELD"}
    for key in fields:
        if key not in own:
            raise Trouble(f"{shorten(name)} has no field {shorten(repr(key))}")
    given = {key: value for key, value in fields.items() if own[key].init}
    if not decoder.trusted:
        return _call(cls, name, given)
    try:
        value = cls(**given)
    except Exception:
        value = object.__new__(cls)
    for key, part in fields.items():  # what __post_init__ computed may have been changed since
        object.__setattr__(value, key, part)
    return value


def _generated_dataclass(decoder: Decoder, kind: str, name: str, fields: Any, flags: Any) -> type:
    names = _field_names(fields)
    settings = tuple(sorted(set(flags)))

    def make(last: str) -> type:
        from dataclasses import make_dataclass

        frozen, eq = "frozen" in settings, "eq" in settings
        cls = make_dataclass(
            last,
            names,
            frozen=frozen,
            eq=eq,
            order=eq and "order" in settings,
            unsafe_hash=eq and not frozen and "hash" in settings,
        )
        cls.__module__ = __name__
        if eq and frozen and "hash" not in settings:
            cls.__hash__ = None  # type: ignore[assignment]
        return cls

    return decoder.codec.classes.generate(decoder, kind, name, (names, settings), len(names), make)


# Pydantic models


def _pydantic(encoder: Encoder, value: Any, depth: int) -> Any:
    held = {**vars(value), **(getattr(value, "__pydantic_extra__", None) or {})}
    fields = {name: encoder.part(part, depth + 1, f".{name}") for name, part in held.items()}
    return {TAG: "pydantic", "type": encode_text(encoder.codec.classes.remember(type(value))), "v": fields}


def _read_pydantic(decoder: Decoder, data: Any, depth: int) -> Any:
    name, cls = _named(decoder, data, depth)
    fields = _read_fields(decoder, data["v"], depth)
    if cls is None:
        return _generated_dataclass(decoder, "pydantic", name, fields, ("eq",))(**fields)
    model = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    _check_kind(model is not None and issubclass(cls, model), name, "pydantic model")
    own = getattr(cls, "model_fields", None) or getattr(cls, "__fields__", {})
    given = {}
    for key, part in fields.items():
        alias = getattr(own.get(key), "validation_alias", None) or getattr(own.get(key), "alias", None)
        given[alias if type(alias) is str else key] = part
    return _call(cls, name, given)


# Named tuples


def _named_tuple(encoder: Encoder, value: Any, depth: int) -> Any:
    cls = type(value)
    if len(value) != len(cls._fields):
        raise Trouble(f"the named tuple {cls.__name__} does not have one item for each field; pass a plain tuple")
    fields = {
        name: encoder.part(tuple.__getitem__(value, n), depth + 1, f".{name}") for n, name in enumerate(cls._fields)
    }
    return {TAG: "namedtuple", "type": encode_text(encoder.codec.classes.remember(cls)), "v": fields}


def _read_named_tuple(decoder: Decoder, data: Any, depth: int) -> Any:
    name, cls = _named(decoder, data, depth)
    fields = _read_fields(decoder, data["v"], depth)
    if cls is None:
        names = _field_names(fields)

        def make(last: str) -> type:
            from collections import namedtuple

            return namedtuple(last, names, module=__name__)

        return decoder.codec.classes.generate(decoder, "namedtuple", name, names, len(names), make)(**fields)
    _check_kind(_is_named_tuple(cls), name, "named tuple")
    return _call(cls, name, fields)


# Enums


def _enum(encoder: Encoder, value: Any, depth: int) -> Any:
    import enum

    cls = type(value)
    name = encoder.codec.classes.remember(cls)
    written: dict[str, Any] = {TAG: "enum", "type": encode_text(name)}
    if name not in encoder.defined:
        # Once in a message: the members, for a side that does not know the class.
        encoder.defined[name] = set()
        written["base"] = _base_of(cls)
        written["members"] = _members(encoder, cls, name, depth)
    if isinstance(value, enum.Flag):
        written["v"] = encoder.item(int(value.value), depth + 1)
        return written
    if value.name not in encoder.defined[name]:
        if len(cls.__members__) > _MOST_MEMBERS:
            raise Trouble(f"an enum of more than {_MOST_MEMBERS} members cannot cross; pass the value of the member")
        encoder.part(_value_of(value), depth + 1, ".value")  # says what cannot cross
    written["v"] = encode_text(value.name)
    return written


def _members(encoder: Encoder, cls: Any, name: str, depth: int) -> list[Any]:
    """Write the members of an enum, but those whose value cannot cross."""
    written = []
    for member_name, member in list(cls.__members__.items())[:_MOST_MEMBERS]:
        state = encoder.state()
        try:
            written.append([encode_text(member_name), encoder.item(_value_of(member), depth + 1)])
        except Trouble:
            encoder.restore(state)
        else:
            encoder.defined[name].add(member_name)
    return written


def _value_of(member: Any) -> Any:
    value = member.value
    # A mixed-in dataclass is its own value on some versions of Python.
    return member.name if value is member else value


_BASES = ("StrEnum", "IntFlag", "IntEnum", "Flag")


def _base_of(cls: type) -> str:
    """The kind of enum to generate on a side that does not know the class."""
    import enum

    for base in _BASES:
        if issubclass(cls, getattr(enum, base, ())):
            return base
    return "str" if issubclass(cls, str) else "int" if issubclass(cls, int) else "Enum"


def _read_enum(decoder: Decoder, data: Any, depth: int) -> Any:
    import enum

    name, cls = _named(decoder, data, depth)
    if "members" in data:
        members = _read_members(decoder, data["members"], depth)
        if cls is None:
            cls = _generated_enum(decoder, name, data.get("base"), data["members"], members)
        decoder.defined[name] = cls
    elif cls is None:
        cls = decoder.defined.get(name)
        if cls is None:
            raise Trouble(f"the members of the enum {shorten(name)} are missing")
    _check_kind(issubclass(cls, enum.Enum), name, "enum")
    value = data["v"]
    if issubclass(cls, enum.Flag):
        value = decoder.item(value, depth + 1)
        if type(value) is not int or value.bit_length() > _MOST_FLAG_BITS:
            raise Trouble("the value of a flag must be an integer")
        return cls(value)
    member = cls.__members__.get(expect(decoder.item(value, depth + 1), str, "the name of a member"))
    if member is None:
        raise Trouble(f"{shorten(name)} has no such member")
    return member


def _read_members(decoder: Decoder, data: Any, depth: int) -> list[tuple[str, Any]]:
    members: list[tuple[str, Any]] = []
    for pair in expect(data, list, "the members of an enum"):
        if type(pair) is not list or len(pair) != 2:
            raise Trouble("a member of an enum must be its name and its value")
        member_name = expect(decoder.item(pair[0], depth + 1), str, "the name of a member")
        members.append((member_name, decoder.part(pair[1], depth + 1, f".{shorten(member_name)}")))
    if len(members) > _MOST_MEMBERS:
        raise Trouble(f"an enum with more than {_MOST_MEMBERS} members")
    return members


def _generated_enum(decoder: Decoder, name: str, base: Any, definition: Any, members: list[tuple[str, Any]]) -> type:
    import enum

    _field_names([member for member, _ in members])
    if base not in (*_BASES, "str", "int", "Enum"):
        raise Trouble("an unknown kind of enum")
    wanted = {"StrEnum": str, "str": str, "int": int, "IntEnum": int, "Flag": int, "IntFlag": int}.get(base)
    for member, value in members:
        if wanted is not None and type(value) is not wanted:
            raise Trouble(f"the value of the member {shorten(member)} does not fit its enum")
        if wanted is int and value.bit_length() > _MOST_FLAG_BITS:
            raise Trouble(f"the value of the member {shorten(member)} is too large")

    def make(last: str) -> type:
        mixed_in = {"str": str, "StrEnum": str, "int": int}.get(base)
        factory: Any = enum.Enum
        if hasattr(enum, base):
            factory, mixed_in = getattr(enum, base), None
        cls: type = factory(last, members, module=__name__, type=mixed_in)
        return cls

    # The values need not be hashable, so their definition as it came tells one enum from another.
    parts = (base, json.dumps(definition))
    return decoder.codec.classes.generate(decoder, "enum", name, parts, len(members), make)


DECODERS: dict[str, tuple[Callable[[Any, Any, int], Any], str, str]] = {
    "dataclass": (_read_dataclass, "type v flags", ""),
    "pydantic": (_read_pydantic, "type v", ""),
    "namedtuple": (_read_named_tuple, "type v", ""),
    "enum": (_read_enum, "type v", "base members"),
}
"""By tag: the decoder, the keys that its object has, and those it may have."""
