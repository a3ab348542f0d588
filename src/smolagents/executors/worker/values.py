"""The values that cross a boundary, as typed, tagged JSON.

None, booleans, text, finite floats, integers up to 2**63 in magnitude, lists, and dicts with text keys are written as
themselves. Everything else is an object with the reserved key "$" that names its type, such as
`{"$": "tuple", "v": [1, 2]}`. The caller turns the structures into text with `json.dumps` and back with `json.loads`.

    values.py         Codec, and the walk through lists and dicts
    values_base.py    errors, paths, text and bytes
    values_standard.py, values_time.py   types of the standard library
    values_classes.py dataclasses, enums, named tuples and pydantic models
    values_numpy.py, values_pandas.py, values_media.py   arrays, frames, images and the agent types

Nothing is unpickled, and no module is imported because data name it. With `trusted=False` the data are taken as
hostile: what is built is bounded by the size of the data.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from math import isfinite
from typing import Any, NamedTuple

from . import values_classes, values_media, values_numpy, values_pandas, values_standard, values_time
from .values_base import (
    LARGEST_PLAIN_INT,
    TAG,
    CannotCrossError,
    MalformedValueError,
    RemoteException,
    Trouble,
    encode_text,
    expect,
    is_plain_text,
    json_kind,
    key_segment,
    shorten,
)

__all__ = ["CannotCrossError", "Codec", "MalformedValueError", "RemoteException", "preload"]

_SCALARS = frozenset({str, int, float, bool, type(None)})
_NUMBERS = frozenset({int, float, bool})
_TEXT = frozenset({str})
_UNCHECKED = frozenset({bool, type(None)})

# Some values take a level more in writing than they do in memory (an infinite float, an aware datetime).
_EXTRA_DEPTH = 8
_MOST_CACHED_TYPES = 2000
_MOST_ALIKE = 100


def preload() -> None:
    """Import now what values of the standard library need when they arrive.

    For a process that will be forked, or that will not be able to read the standard library later.
    """
    for name in ("dataclasses", "decimal", "enum", "fractions", "pathlib", "types", "uuid", "zoneinfo"):
        import_module(name)


class Codec:
    """Encodes values for the other side of a boundary, and decodes what that side says.

    A codec remembers the classes of the dataclasses, enums, named tuples and pydantic models that it encoded. Data
    that name one of these become instances of it again; data that name another class become instances of a generated
    class with the same name and fields, which keeps the name of the original.

    Args:
        trusted: Whether the other side is believed. If not, data are taken as hostile, and remembered classes are
            built by calling them, so that their own validation runs.
        max_depth: How many containers may be nested in each other.
        handle: Asked for values that cannot cross, such as functions; returns the name under which the other side
            finds the value, or None.
        tool: Gives what stands here for such a name of the other side.
    """

    def __init__(
        self,
        *,
        trusted: bool,
        max_depth: int = 100,
        handle: Callable[[Any], str | None] | None = None,
        tool: Callable[[str], Any] | None = None,
    ) -> None:
        self.trusted = trusted
        self.max_depth = max_depth
        self.handle = handle
        self.tool = tool
        self.classes = values_classes.KnownClasses()
        self.encoders: dict[type, Encode] = {}

    def register(self, cls: type) -> None:
        """Let data that name this dataclass, enum, named tuple or pydantic model become instances of it."""
        self.classes.remember(cls)

    def encode(self, value: Any, where: str = "value") -> Any:
        """Write a value as a structure for `json.dumps`.

        Args:
            value: Any value.
            where: What the value is called in errors.

        Raises:
            CannotCrossError: the value, or something in it, cannot cross.
        """
        try:
            return Encoder(self).item(value, 1)
        except Trouble as trouble:
            raise CannotCrossError(trouble.text(where)) from None
        except RecursionError:
            raise CannotCrossError(f"{where}: nested too deeply; pass a flatter value") from None

    def decode(self, data: Any, where: str = "value") -> Any:
        """Rebuild a value from a structure that `json.loads` returned.

        Args:
            data: The structure.
            where: What the value is called in errors.

        Raises:
            MalformedValueError: it is not what `encode` writes.
        """
        try:
            return Decoder(self).item(data, 1)
        except Trouble as trouble:
            raise MalformedValueError(trouble.text(where)) from None
        except RecursionError:
            raise MalformedValueError(f"{where}: nested too deeply") from None


class Encoder:
    """One call of `Codec.encode`."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.max_depth = codec.max_depth
        self.encoders = codec.encoders
        self.active: set[int] = set()
        """The containers that are being written, by id: meeting one again is a cycle."""
        self.defined: dict[str, set[str]] = {}
        """The enums that have been defined in these data, and which members; later instances refer to them."""

    def state(self) -> Any:
        """What `restore` needs to take back what has been written from here on."""
        return set(self.active), {name: set(members) for name, members in self.defined.items()}

    def restore(self, state: Any) -> None:
        self.active, self.defined = state

    def item(self, value: Any, depth: int) -> Any:
        """Write one value that is nested `depth - 1` containers deep."""
        kind = type(value)
        if kind is str:
            return encode_text(value)
        if kind is int:
            return value if -LARGEST_PLAIN_INT <= value <= LARGEST_PLAIN_INT else values_standard.big_int(value)
        if kind is float:
            return value if isfinite(value) else values_standard.special_float(value)
        if kind in _UNCHECKED:
            return value
        if depth > self.max_depth:
            raise Trouble(f"nested more than {self.max_depth} levels deep; pass a flatter value")
        if kind is list and _is_flat(value):
            return list(value)
        if id(value) in self.active:
            raise Trouble("it contains itself; a cycle cannot cross, pass a copy without it")
        self.active.add(id(value))
        if kind is list:
            data = self.items(value, depth)
        elif kind is dict:
            data = self.dict(value, depth)
        else:
            data = self.other(value, depth)
        self.active.discard(id(value))
        return data

    def other(self, value: Any, depth: int) -> Any:
        """Write a value that is neither plain JSON nor a list or a dict."""
        encoder = self.encoders.get(type(value))
        if encoder is None:
            encoder = _encoder_of(value)
            if len(self.encoders) >= _MOST_CACHED_TYPES:
                self.encoders.clear()
            self.encoders[type(value)] = encoder
        try:
            return encoder(self, value, depth)
        except (Trouble, RecursionError, MemoryError):
            raise
        except Exception as error:
            name = type(error).__name__
            raise Trouble(f"{_described(value)} could not be read ({name}: {shorten(str(error), 200)})") from None

    def part(self, value: Any, depth: int, segment: str) -> Any:
        """Write a part of a value, whose path is the value's with `segment` appended."""
        try:
            return self.item(value, depth)
        except Trouble as trouble:
            trouble.segments.append(segment)
            raise

    def items(self, values: Any, depth: int) -> list[Any]:
        """Write the items of a list, a tuple or another iterable that lies at `depth`."""
        written: list[Any] = []
        append, item, depth = written.append, self.item, depth + 1
        try:
            for value in values:
                kind = type(value)
                if kind is str:
                    append(value if value.isascii() else encode_text(value))
                elif (kind is int and -LARGEST_PLAIN_INT <= value <= LARGEST_PLAIN_INT) or (
                    kind is float and isfinite(value)
                ):
                    append(value)
                else:
                    append(item(value, depth))
        except Trouble as trouble:
            trouble.segments.append(f"[{len(written)}]")
            raise
        return written

    def dict(self, value: Any, depth: int) -> Any:
        """Write a dict: as itself, or as pairs if it has other keys than text, or the reserved key."""
        for key in value:
            if type(key) is not str or not (key.isascii() or is_plain_text(key)):
                return {TAG: "dict", "v": self.pairs(value, depth)}
        if TAG in value:
            return {TAG: "dict", "v": self.pairs(value, depth)}
        written: dict[str, Any] = {}
        item, depth = self.item, depth + 1
        key = ""
        try:
            for key, part in value.items():
                kind = type(part)
                if kind is str:
                    written[key] = part if part.isascii() else encode_text(part)
                elif (kind is int and -LARGEST_PLAIN_INT <= part <= LARGEST_PLAIN_INT) or (
                    kind is float and isfinite(part)
                ):
                    written[key] = part
                else:
                    written[key] = item(part, depth)
        except Trouble as trouble:
            trouble.segments.append(key_segment(key))
            raise
        return written

    def pairs(self, value: Any, depth: int) -> Any:
        """Write the items of a dict as a list of pairs."""
        written: list[Any] = []
        for key, part in dict.items(value):
            written.append(
                [
                    self.part(key, depth + 1, f".keys()[{len(written)}]"),
                    self.part(part, depth + 1, key_segment(key)),
                ]
            )
        return written


class Decoder:
    """One call of `Codec.decode`."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.trusted = codec.trusted
        self.max_depth = codec.max_depth + _EXTRA_DEPTH
        self.defined: dict[str, type] = {}
        """The enums whose members came with these data."""
        self.new_classes = self.new_fields = 0
        """How much these data made necessary to generate."""
        self.zones: dict[str, Any] = {}

    def item(self, data: Any, depth: int) -> Any:
        """Rebuild one value that is nested `depth - 1` containers deep."""
        kind = type(data)
        if kind in _SCALARS:
            return data
        if depth > self.max_depth:
            raise Trouble(f"nested more than {self.codec.max_depth} levels deep")
        if kind is list:
            return self.items(data, depth)
        if kind is not dict:
            raise Trouble(f"{json_kind(data)} is not JSON")
        if TAG not in data:
            return self.fields(data, depth)
        tag = data[TAG]
        rule = _rule(tag) if type(tag) is str else None
        if rule is None:
            raise Trouble(f"unknown type {shorten(repr(tag)) if type(tag) is str else json_kind(tag)}")
        if data.keys() != rule.keys:
            for key in rule.keys:
                if key not in data:
                    raise Trouble(f"a {tag} needs {key!r}")
            for key in data:
                if key not in rule.keys and key not in rule.optional:
                    raise Trouble(f"a {tag} does not have {shorten(repr(key))}")
        try:
            return rule.decode(self, data, depth)
        except (Trouble, RecursionError, MemoryError):
            raise
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            raise Trouble(f"not a valid {tag} ({shorten(text, 200)})") from None

    def part(self, data: Any, depth: int, segment: str) -> Any:
        """Rebuild a part of a value, whose path is the value's with `segment` appended."""
        try:
            return self.item(data, depth)
        except Trouble as trouble:
            trouble.segments.append(segment)
            raise

    def items(self, data: Any, depth: int) -> list[Any]:
        """Rebuild the items of a list that lies at `depth`."""
        if type(data) is not list:
            raise Trouble(f"an array is expected, not {json_kind(data)}")
        if _SCALARS.issuperset(map(type, data)):
            return data[:]
        built: list[Any] = []
        append, item, depth = built.append, self.item, depth + 1
        try:
            for part in data:
                append(part if type(part) in _SCALARS else item(part, depth))
        except Trouble as trouble:
            trouble.segments.append(f"[{len(built)}]")
            raise
        return built

    def fields(self, data: Any, depth: int) -> dict[str, Any]:
        """Rebuild the values of an object, whatever its keys."""
        expect(data, dict, "a set of named values")
        if _SCALARS.issuperset(map(type, data.values())):
            return dict(data)
        built = {}
        item, depth = self.item, depth + 1
        key = ""
        try:
            for key, part in data.items():
                built[key] = part if type(part) in _SCALARS else item(part, depth)
        except Trouble as trouble:
            trouble.segments.append(key_segment(key))
            raise
        return built

    def pairs(self, data: Any, depth: int) -> list[tuple[Any, Any]]:
        """Rebuild the pairs of a dict, fit to be put into one."""
        expect(data, list, "the pairs of a dict")
        built: list[tuple[Any, Any]] = []
        for pair in data:
            if type(pair) is not list or len(pair) != 2:
                raise Trouble("a pair of key and value is expected", f".items()[{len(built)}]")
            key = self.part(pair[0], depth + 1, f".keys()[{len(built)}]")
            built.append((key, self.part(pair[1], depth + 1, key_segment(key))))
        self.check_hashes([key for key, _ in built])
        return built

    def check_hashes(self, keys: Any) -> None:
        """Refuse keys chosen to have one hash: putting them into a dict takes time in the square of their number.

        Raises:
            Trouble: too many keys have the same hash, or a key cannot be hashed.
        """
        try:
            hashes = [hash(key) for key in keys]
        except Exception as error:
            raise Trouble(f"a key or an element cannot be hashed ({shorten(str(error), 100)})") from None
        if self.trusted or len(hashes) <= _MOST_ALIKE:
            return
        counts: dict[int, int] = {}
        for value in hashes:
            counts[value] = counts.get(value, 0) + 1
        if max(counts.values()) > _MOST_ALIKE:
            raise Trouble(f"more than {_MOST_ALIKE} keys or elements have the same hash")


Encode = Callable[[Encoder, Any, int], Any]


class Rule(NamedTuple):
    """How a tagged object is read."""

    decode: Callable[[Decoder, Any, int], Any]
    keys: frozenset[str]
    optional: frozenset[str]


_MODULES: tuple[Any, ...] = (values_standard, values_time, values_classes, values_numpy, values_pandas, values_media)
_rules: dict[str, Rule] = {}


def _rule(tag: str) -> Rule | None:
    rule = _rules.get(tag)
    if rule is None:
        for module in _MODULES:
            if tag in module.DECODERS:
                decode, keys, optional = module.DECODERS[tag]
                rule = _rules[tag] = Rule(decode, frozenset({TAG, *keys.split()}), frozenset(optional.split()))
    return rule


def _is_flat(values: Any) -> bool:
    """Whether JSON carries all items as they are."""
    kinds = set(map(type, values))
    if kinds <= _UNCHECKED:
        return True
    if kinds == _TEXT:
        return all(map(str.isascii, values))
    if kinds <= _NUMBERS:
        try:
            if float in kinds and not all(map(isfinite, values)):
                return False
        except OverflowError:
            return False
        return bool(min(values) >= -LARGEST_PLAIN_INT and max(values) <= LARGEST_PLAIN_INT) or kinds == {float}
    return False


def _encoder_of(value: Any) -> Any:
    """How a value that is not plain JSON is written; decided by its type alone."""
    if isinstance(value, BaseException):
        return values_standard.exception
    # The agent types come before text, and pandas' moments before those of datetime, which they are too.
    found = None
    for module in (values_media, values_classes, values_numpy, values_pandas):
        found = found or module.encoder_of(value)
    for base in type(value).__mro__:
        name = f"{base.__module__}.{base.__qualname__}"
        found = found or values_standard.ENCODERS.get(name) or values_time.ENCODERS.get(name)
    return found or _by_name


def _by_name(encoder: Encoder, value: Any, depth: int) -> Any:  # noqa: ARG001 - one signature
    handle = encoder.codec.handle
    name = handle(value) if handle is not None else None
    if name is not None:
        return {TAG: "tool", "v": encode_text(name)}
    raise Trouble(f"{_described(value)} cannot cross; {_remedy(value)}")


def _described(value: Any) -> str:
    cls = type(value)
    name = cls.__name__
    if isinstance(value, type):
        return f"the class {value.__name__!r}"
    if name in ("function", "builtin_function_or_method", "method"):
        return f"the function {getattr(value, '__name__', '?')!r}"
    if name == "module":
        return f"the module {value.__name__!r}"
    if hasattr(cls, "read") or hasattr(cls, "write"):
        return f"an open file ({name})"
    if name in ("dict_keys", "dict_values", "dict_items"):
        return f"a view of a dict ({name})"
    if cls.__module__ in ("builtins", "types", "_thread"):
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name.replace('_', ' ')}"
    return f"an object of class {name!r}"


def _remedy(value: Any) -> str:
    cls = type(value)
    if isinstance(value, type):
        return "pass an instance of a dataclass, or text, numbers, lists and dicts"
    if hasattr(cls, "__await__"):
        return "await it and pass the result"
    if hasattr(cls, "read") or hasattr(cls, "write"):
        return "pass its content, or its path"
    if hasattr(cls, "__next__") or cls.__name__ in ("dict_keys", "dict_values", "dict_items"):
        return "pass a list, text, numbers, …"
    if cls.__name__ == "Tensor":
        return "pass its .numpy() or its .tolist()"
    if cls.__name__ == "module":
        return "import it on the other side"
    if callable(value):
        return "call it and pass the result"
    return "pass its content as a dict, a list, text, numbers, or a dataclass"
