"""The types of the standard library but dates and times, as tagged JSON."""
# ruff: noqa: ARG001 - encoders and decoders have one signature

from __future__ import annotations

import builtins
import math
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .values_base import (
    LARGEST_PLAIN_INT,
    TAG,
    RemoteException,
    Trouble,
    bytes_to_text,
    encode_text,
    expect,
    shorten,
    text_to_bytes,
)

if TYPE_CHECKING:
    from .values import Decoder, Encoder

# Modules such as decimal and uuid are imported when one of their values arrives: a worker starts without them.

# A fraction is reduced when it is built, in time quadratic in its length: 3 ms at this length.
_MOST_FRACTION_BITS = 2**16
_FACTORIES = ("int", "float", "complex", "bool", "str", "bytes", "list", "dict", "set", "tuple")


# Numbers and text


def big_int(value: int) -> Any:
    # Hexadecimal, because Python refuses to write or read more than 4300 decimal digits.
    return {TAG: "int", "v": hex(value)}


def special_float(value: float) -> Any:
    return {TAG: "float", "v": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}


def _plain_int(encoder: Encoder, value: Any, depth: int) -> Any:
    value = int.__index__(value)
    return value if -LARGEST_PLAIN_INT <= value <= LARGEST_PLAIN_INT else big_int(value)


def _plain_float(encoder: Encoder, value: Any, depth: int) -> Any:
    return encoder.item(float.__float__(value), depth)


def _text(encoder: Encoder, value: Any, depth: int) -> Any:
    return encode_text(value)


def _read_text(decoder: Decoder, data: Any, depth: int) -> str:
    parts = expect(data["v"], list, "the parts of a text")
    return "".join([expect(part, str, "a part of a text") for part in parts])


_HEX = re.compile("-?0x[0-9a-f]+")


def _read_int(decoder: Decoder, data: Any, depth: int) -> int:
    text = expect(data["v"], str, "a big integer")
    if not _HEX.fullmatch(text):
        raise Trouble("a big integer must be hexadecimal text such as '-0x1f'")
    return int(text, 16)


def _read_float(decoder: Decoder, data: Any, depth: int) -> float:
    text = data["v"]
    if text not in ("nan", "inf", "-inf"):
        raise Trouble("a special float must be 'nan', 'inf' or '-inf'")
    return float(text)


def _complex(encoder: Encoder, value: complex, depth: int) -> Any:
    return {TAG: "complex", "v": [repr(value.real), repr(value.imag)]}


def _read_complex(decoder: Decoder, data: Any, depth: int) -> complex:
    parts = expect(data["v"], list, "a complex number")
    if len(parts) != 2 or any(type(part) is not str or len(part) > 40 for part in parts):
        raise Trouble("a complex number must be two numbers as text")
    return complex(float(parts[0]), float(parts[1]))


def _decimal(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "decimal", "v": str(value)}


def _read_decimal(decoder: Decoder, data: Any, depth: int) -> Any:
    from decimal import Decimal

    return Decimal(expect(data["v"], str, "a decimal"))


def _fraction(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "fraction", "v": [_plain_int(encoder, n, depth) for n in (value.numerator, value.denominator)]}


def _read_fraction(decoder: Decoder, data: Any, depth: int) -> Any:
    from fractions import Fraction

    parts = decoder.items(data["v"], depth)
    if [type(part) for part in parts] != [int, int]:
        raise Trouble("a fraction must be two integers")
    if not decoder.trusted and max(part.bit_length() for part in parts) > _MOST_FRACTION_BITS:
        raise Trouble(f"a fraction of more than {_MOST_FRACTION_BITS} bits")
    return Fraction(*parts)


def _uuid(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "uuid", "v": f"{value.int:032x}"}


def _read_uuid(decoder: Decoder, data: Any, depth: int) -> Any:
    from uuid import UUID

    return UUID(hex=expect(data["v"], str, "a UUID"))


# Bytes


def _bytes(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "bytes", "v": bytes_to_text(value)}


def _memoryview(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "bytes", "v": bytes_to_text(value.tobytes())}


def _bytearray(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "bytearray", "v": bytes_to_text(value)}


def _read_bytes(decoder: Decoder, data: Any, depth: int) -> bytes:
    return text_to_bytes(data["v"])


def _read_bytearray(decoder: Decoder, data: Any, depth: int) -> bytearray:
    return bytearray(text_to_bytes(data["v"]))


# Collections


def _list(encoder: Encoder, value: Any, depth: int) -> Any:
    return encoder.items(list.__iter__(value), depth)


def _tuple(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "tuple", "v": encoder.items(tuple.__iter__(value), depth)}


def _read_tuple(decoder: Decoder, data: Any, depth: int) -> Any:
    return tuple(decoder.items(data["v"], depth))


def _elements(encoder: Encoder, tag: str, value: Any, depth: int) -> Any:
    written = []
    for element in value:
        written.append(encoder.part(element, depth + 1, "{…}"))
    return {TAG: tag, "v": written}


def _set(encoder: Encoder, value: Any, depth: int) -> Any:
    return _elements(encoder, "set", set.__iter__(value), depth)


def _frozenset(encoder: Encoder, value: Any, depth: int) -> Any:
    return _elements(encoder, "frozenset", frozenset.__iter__(value), depth)


def _read_set(decoder: Decoder, data: Any, depth: int) -> Any:
    elements = decoder.items(data["v"], depth)
    decoder.check_hashes(elements)
    return set(elements)


def _read_frozenset(decoder: Decoder, data: Any, depth: int) -> Any:
    elements = decoder.items(data["v"], depth)
    decoder.check_hashes(elements)
    return frozenset(elements)


def _deque(encoder: Encoder, value: Any, depth: int) -> Any:
    written: dict[str, Any] = {TAG: "deque", "v": encoder.items(value, depth)}
    if value.maxlen is not None:
        written["maxlen"] = value.maxlen
    return written


def _read_deque(decoder: Decoder, data: Any, depth: int) -> Any:
    from collections import deque

    items = decoder.items(data["v"], depth)
    if "maxlen" not in data:
        return deque(items)
    length = expect(data["maxlen"], int, "the length of a deque")
    if length < len(items):
        raise Trouble("a deque is longer than its greatest length")
    return deque(items, length)


def _dict(encoder: Encoder, value: Any, depth: int) -> Any:
    return encoder.dict(value, depth)


def _mappingproxy(encoder: Encoder, value: Any, depth: int) -> Any:
    return encoder.dict(dict(value), depth)


def _read_dict(decoder: Decoder, data: Any, depth: int) -> Any:
    return dict(decoder.pairs(data["v"], depth))


def _ordered_dict(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "ordereddict", "v": encoder.pairs(value, depth)}


def _read_ordered_dict(decoder: Decoder, data: Any, depth: int) -> Any:
    from collections import OrderedDict

    return OrderedDict(decoder.pairs(data["v"], depth))


def _default_dict(encoder: Encoder, value: Any, depth: int) -> Any:
    written: dict[str, Any] = {TAG: "defaultdict", "v": encoder.pairs(value, depth)}
    for name in _FACTORIES:
        if value.default_factory is getattr(builtins, name):
            written["factory"] = name
    return written


def _read_default_dict(decoder: Decoder, data: Any, depth: int) -> Any:
    from collections import defaultdict

    # Another factory than one of the built-in types is code and stays where it is.
    factory = data.get("factory")
    if factory is not None and factory not in _FACTORIES:
        raise Trouble("an unknown factory of a defaultdict")
    return defaultdict(getattr(builtins, factory) if factory else None, decoder.pairs(data["v"], depth))


def _counter(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "counter", "v": encoder.pairs(value, depth)}


def _read_counter(decoder: Decoder, data: Any, depth: int) -> Any:
    from collections import Counter

    return Counter(dict(decoder.pairs(data["v"], depth)))


def _namespace(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "namespace", "v": encoder.pairs(vars(value), depth)}


def _read_namespace(decoder: Decoder, data: Any, depth: int) -> Any:
    from types import SimpleNamespace

    pairs = decoder.pairs(data["v"], depth)
    return SimpleNamespace(**{expect(name, str, "a name"): value for name, value in pairs})


def _range(encoder: Encoder, value: range, depth: int) -> Any:
    return {TAG: "range", "v": [_plain_int(encoder, n, depth) for n in (value.start, value.stop, value.step)]}


def _read_range(decoder: Decoder, data: Any, depth: int) -> range:
    parts = decoder.items(data["v"], depth)
    if [type(part) for part in parts] != [int, int, int]:
        raise Trouble("a range must be three integers")
    return range(*parts)


def _slice(encoder: Encoder, value: slice, depth: int) -> Any:
    return {
        TAG: "slice",
        "v": [encoder.part(getattr(value, n), depth + 1, f".{n}") for n in ("start", "stop", "step")],
    }


def _read_slice(decoder: Decoder, data: Any, depth: int) -> slice:
    parts = decoder.items(data["v"], depth)
    if len(parts) != 3:
        raise Trouble("a slice must be three values")
    return slice(*parts)


def _constant(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "constant", "v": "Ellipsis" if value is Ellipsis else "NotImplemented"}


def _read_constant(decoder: Decoder, data: Any, depth: int) -> Any:
    if data["v"] not in ("Ellipsis", "NotImplemented"):
        raise Trouble("an unknown constant")
    return Ellipsis if data["v"] == "Ellipsis" else NotImplemented


# Paths


def _pure_posix(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "path", "v": encode_text(str(value)), "of": "posix", "pure": True}


def _pure_windows(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "path", "v": encode_text(str(value)), "of": "windows", "pure": True}


def _posix(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "path", "v": encode_text(str(value)), "of": "posix"}


def _windows(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "path", "v": encode_text(str(value)), "of": "windows"}


def _read_path(decoder: Decoder, data: Any, depth: int) -> Any:
    import pathlib

    text = expect(decoder.item(data["v"], depth + 1), str, "a path")
    if data["of"] not in ("posix", "windows"):
        raise Trouble("a path must be of 'posix' or 'windows'")
    if data.get("pure") is not True and data["of"] == ("windows" if sys.platform == "win32" else "posix"):
        return pathlib.Path(text)
    return (pathlib.PurePosixPath if data["of"] == "posix" else pathlib.PureWindowsPath)(text)


# Exceptions and tools


def exception(encoder: Encoder, value: BaseException, depth: int) -> Any:
    if isinstance(value, RemoteException):
        return {TAG: "exception", "type": encode_text(value.name), "message": encode_text(value.message)}
    cls = type(value)
    try:
        message = str(value)
    except Exception:
        message = ""
    written = {TAG: "exception", "type": encode_text(cls.__name__), "message": encode_text(message)}
    if getattr(builtins, cls.__name__, None) is cls:
        state = encoder.state()
        try:
            written["args"] = encoder.items(_arguments(value), depth)
        except Trouble:  # then the message stands for the arguments
            encoder.restore(state)
    return written


def _arguments(value: BaseException) -> Any:
    if isinstance(value, OSError) and value.filename is not None:
        second = () if value.filename2 is None else (None, value.filename2)
        return (*value.args[:2], value.filename, *second)
    return value.args


def _read_exception(decoder: Decoder, data: Any, depth: int) -> BaseException:
    name = expect(decoder.item(data["type"], depth + 1), str, "the name of an exception")
    message = expect(decoder.item(data["message"], depth + 1), str, "the message of an exception")
    args = (message,)
    if "args" in data:
        args = tuple(decoder.items(data["args"], depth))
    cls = getattr(builtins, name, None)
    if isinstance(cls, type) and issubclass(cls, BaseException):
        try:
            return cls(*args)
        except Exception:  # such as UnicodeDecodeError, which needs five arguments
            pass
    return RemoteException(name, message)


def _read_tool(decoder: Decoder, data: Any, depth: int) -> Any:
    name = expect(decoder.item(data["v"], depth + 1), str, "the name of a tool")
    find = decoder.codec.tool
    if find is None:
        raise Trouble(f"there is no tool {shorten(repr(name))} here")
    return find(name)


ENCODERS: dict[str, Callable[[Any, Any, int], Any]] = {
    "builtins.int": _plain_int,
    "builtins.float": _plain_float,
    "builtins.str": _text,
    "builtins.complex": _complex,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytearray,
    "builtins.memoryview": _memoryview,
    "builtins.list": _list,
    "builtins.tuple": _tuple,
    "builtins.set": _set,
    "builtins.frozenset": _frozenset,
    "builtins.dict": _dict,
    "builtins.mappingproxy": _mappingproxy,
    "builtins.range": _range,
    "builtins.slice": _slice,
    "builtins.ellipsis": _constant,
    "builtins.NotImplementedType": _constant,
    "collections.deque": _deque,
    "collections.OrderedDict": _ordered_dict,
    "collections.defaultdict": _default_dict,
    "collections.Counter": _counter,
    "types.SimpleNamespace": _namespace,
    "decimal.Decimal": _decimal,
    "fractions.Fraction": _fraction,
    "uuid.UUID": _uuid,
    **{
        f"{module}.{name}": encode
        for module in ("pathlib", "pathlib._local")  # Python 3.13 has them in the second
        for name, encode in {
            "PosixPath": _posix,
            "WindowsPath": _windows,
            "PurePosixPath": _pure_posix,
            "PureWindowsPath": _pure_windows,
            "Path": _windows if sys.platform == "win32" else _posix,  # subclasses made by others
            "PurePath": _pure_windows if sys.platform == "win32" else _pure_posix,
        }.items()
    },
}
"""Encoders by the module and name of a type, so that its module need not be imported."""

DECODERS: dict[str, tuple[Callable[[Any, Any, int], Any], str, str]] = {
    "str": (_read_text, "v", ""),
    "int": (_read_int, "v", ""),
    "float": (_read_float, "v", ""),
    "complex": (_read_complex, "v", ""),
    "decimal": (_read_decimal, "v", ""),
    "fraction": (_read_fraction, "v", ""),
    "uuid": (_read_uuid, "v", ""),
    "bytes": (_read_bytes, "v", ""),
    "bytearray": (_read_bytearray, "v", ""),
    "tuple": (_read_tuple, "v", ""),
    "set": (_read_set, "v", ""),
    "frozenset": (_read_frozenset, "v", ""),
    "deque": (_read_deque, "v", "maxlen"),
    "dict": (_read_dict, "v", ""),
    "ordereddict": (_read_ordered_dict, "v", ""),
    "defaultdict": (_read_default_dict, "v", "factory"),
    "counter": (_read_counter, "v", ""),
    "namespace": (_read_namespace, "v", ""),
    "range": (_read_range, "v", ""),
    "slice": (_read_slice, "v", ""),
    "constant": (_read_constant, "v", ""),
    "path": (_read_path, "v of", "pure"),
    "exception": (_read_exception, "type message", "args"),
    "tool": (_read_tool, "v", ""),
}
"""By tag: the decoder, the keys that its object has, and those it may have."""
