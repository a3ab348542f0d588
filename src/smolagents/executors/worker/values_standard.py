"""The types of the standard library, as tagged JSON."""
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
    json_kind,
    shorten,
    text_to_bytes,
)

if TYPE_CHECKING:
    from .values import Decoder, Encoder

# Modules such as decimal and uuid are imported when one of their values arrives: a worker starts without them.

# A fraction is reduced when it is built, in time quadratic in its length: 20 ms at this length.
_MOST_FRACTION_BITS = 2**18
_MOST_ZONES = 500
_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}")
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
    return {TAG: "slice", "v": encoder.items([value.start, value.stop, value.step], depth)}


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


# Dates and times


def _datetime(encoder: Encoder, value: Any, depth: int) -> Any:
    import datetime as dt

    written: dict[str, Any] = {TAG: "datetime", "v": dt.datetime.isoformat(value.replace(tzinfo=None))}
    if value.fold:
        written["fold"] = 1
    if value.tzinfo is not None:
        written["tz"] = zone(value.tzinfo, value)
        if written["tz"][TAG] == "zoneinfo":
            # For a side that does not know the zone.
            written["offset"] = int(value.utcoffset().total_seconds())
    return written


def _read_datetime(decoder: Decoder, data: Any, depth: int) -> Any:
    import datetime as dt

    value = dt.datetime.fromisoformat(expect(data["v"], str, "a date and time"))
    if value.tzinfo is not None:
        raise Trouble("a time zone inside the text of a date and time")
    if "tz" in data:
        value = value.replace(tzinfo=read_zone(decoder, data["tz"], depth + 1, data.get("offset")))
    return value.replace(fold=_read_fold(data))


def _time(encoder: Encoder, value: Any, depth: int) -> Any:
    import datetime as dt

    written: dict[str, Any] = {TAG: "time", "v": dt.time.isoformat(value.replace(tzinfo=None))}
    if value.fold:
        written["fold"] = 1
    if value.tzinfo is not None:
        written["tz"] = zone(value.tzinfo, None)
    return written


def _read_time(decoder: Decoder, data: Any, depth: int) -> Any:
    import datetime as dt

    value = dt.time.fromisoformat(expect(data["v"], str, "a time"))
    if value.tzinfo is not None:
        raise Trouble("a time zone inside the text of a time")
    if "tz" in data:
        value = value.replace(tzinfo=read_zone(decoder, data["tz"], depth + 1, None))
    return value.replace(fold=_read_fold(data))


def _read_fold(data: Any) -> int:
    fold = data.get("fold", 0)
    if type(fold) is not int or fold not in (0, 1):
        raise Trouble("the fold of a time must be 0 or 1")
    return fold


def _date(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "date", "v": [value.year, value.month, value.day]}


def _read_date(decoder: Decoder, data: Any, depth: int) -> Any:
    import datetime as dt

    return dt.date(*_integers(data["v"], 3, "a date"))


def _timedelta(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "timedelta", "v": [value.days, value.seconds, value.microseconds]}


def _read_timedelta(decoder: Decoder, data: Any, depth: int) -> Any:
    import datetime as dt

    return dt.timedelta(*_integers(data["v"], 3, "a duration"))


def _integers(data: Any, count: int, what: str) -> list[int]:
    if type(data) is not list or len(data) != count or any(type(part) is not int for part in data):
        raise Trouble(f"{what} must be {count} integers")
    return data


def _zone(encoder: Encoder, value: Any, depth: int) -> Any:
    return zone(value, None)


def zone(tz: Any, when: Any) -> Any:
    """Write a time zone: by name if it has one that is known everywhere, else by its offset at `when`."""
    import datetime as dt

    if type(tz) is dt.timezone:
        offset = tz.utcoffset(None)
        written: dict[str, Any] = {TAG: "timezone", "v": [offset.days, offset.seconds, offset.microseconds]}
        if tz != dt.timezone.utc and tz.tzname(None) != dt.timezone(offset).tzname(None):
            written["name"] = encode_text(tz.tzname(None))
        return written
    name = getattr(tz, "key", None) or getattr(tz, "zone", None)  # zoneinfo, pytz
    if type(name) is str and _ZONE_NAME.fullmatch(name):
        return {TAG: "zoneinfo", "v": name}
    offset = tz.utcoffset(when)
    if offset is None:
        raise Trouble(f"the time zone {shorten(str(tz))} has no name and no fixed offset; pass a zoneinfo.ZoneInfo")
    return zone(dt.timezone(offset), None)


def read_zone(decoder: Decoder, data: Any, depth: int, offset: Any) -> Any:
    """Read a time zone; one that is not known here becomes its offset, in seconds, if that is given."""
    import datetime as dt

    expect(data, dict, "a time zone")
    if offset is not None:
        expect(offset, int, "the offset of a time zone")
    if offset is not None and data.get(TAG) == "zoneinfo" and _known_zone(decoder, data.get("v")) is None:
        return dt.timezone(dt.timedelta(seconds=offset), data["v"])
    value = decoder.part(data, depth, ".tzinfo")
    if not isinstance(value, dt.tzinfo):
        raise Trouble("a time zone is expected")
    return value


def _read_timezone(decoder: Decoder, data: Any, depth: int) -> Any:
    import datetime as dt

    days, seconds, microseconds = _integers(data["v"], 3, "the offset of a time zone")
    offset = dt.timedelta(days, seconds, microseconds)
    if "name" in data:
        return dt.timezone(offset, expect(decoder.item(data["name"], depth + 1), str, "the name of a time zone"))
    return dt.timezone(offset) if offset else dt.timezone.utc


def _read_zoneinfo(decoder: Decoder, data: Any, depth: int) -> Any:
    found = _known_zone(decoder, data["v"])
    if found is None:
        raise Trouble(f"the time zone {data['v']!r} is not known here; install the package tzdata")
    return found


def _known_zone(decoder: Decoder, name: Any) -> Any:
    # The name becomes a path below the time zone database, hence the pattern; each new name costs reading a file.
    if type(name) is not str or not _ZONE_NAME.fullmatch(name):
        raise Trouble(f"not the name of a time zone: {shorten(repr(name)) if type(name) is str else json_kind(name)}")
    if name not in decoder.zones:
        from zoneinfo import ZoneInfo

        if len(decoder.zones) >= _MOST_ZONES:
            raise Trouble(f"more than {_MOST_ZONES} time zones")
        try:
            decoder.zones[name] = ZoneInfo(name)
        except (LookupError, OSError, ValueError, ImportError):
            decoder.zones[name] = None
    return decoder.zones[name]


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
        active, defined = set(encoder.active), set(encoder.defined)
        try:
            written["args"] = encoder.items(_arguments(value), depth)
        except Trouble:  # then the message stands for the arguments
            encoder.active, encoder.defined = active, defined
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
    "datetime.datetime": _datetime,
    "datetime.date": _date,
    "datetime.time": _time,
    "datetime.timedelta": _timedelta,
    "datetime.tzinfo": _zone,
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
    "datetime": (_read_datetime, "v", "fold tz offset"),
    "date": (_read_date, "v", ""),
    "time": (_read_time, "v", "fold tz"),
    "timedelta": (_read_timedelta, "v", ""),
    "timezone": (_read_timezone, "v", "name"),
    "zoneinfo": (_read_zoneinfo, "v", ""),
    "path": (_read_path, "v of", "pure"),
    "exception": (_read_exception, "type message", "args"),
    "tool": (_read_tool, "v", ""),
}
"""By tag: the decoder, the keys that its object has, and those it may have."""
