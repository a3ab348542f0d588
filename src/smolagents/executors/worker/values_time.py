"""Dates, times and time zones, as tagged JSON."""
# ruff: noqa: ARG001 - encoders and decoders have one signature

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .values_base import TAG, Trouble, encode_text, expect, json_kind, shorten

if TYPE_CHECKING:
    from .values import Decoder, Encoder

_MOST_ZONES = 500
_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}")


def _datetime(encoder: Encoder, value: Any, depth: int) -> Any:
    written: dict[str, Any] = {
        TAG: "datetime",
        "v": dt.datetime.isoformat(value.replace(tzinfo=None) if value.tzinfo else value),
    }
    if value.fold:
        written["fold"] = 1
    if value.tzinfo is not None:
        written["tz"] = zone(value.tzinfo, value)
        if written["tz"][TAG] == "zoneinfo":
            # For a side that does not know the zone.
            written["offset"] = int(value.utcoffset().total_seconds())
    return written


def _read_datetime(decoder: Decoder, data: Any, depth: int) -> Any:
    value = dt.datetime.fromisoformat(expect(data["v"], str, "a date and time"))
    if value.tzinfo is not None:
        raise Trouble("a time zone inside the text of a date and time")
    if "tz" in data:
        value = value.replace(tzinfo=read_zone(decoder, data["tz"], depth + 1, data.get("offset")))
    return value.replace(fold=_read_fold(data))


def _time(encoder: Encoder, value: Any, depth: int) -> Any:
    written: dict[str, Any] = {TAG: "time", "v": dt.time.isoformat(value.replace(tzinfo=None))}
    if value.fold:
        written["fold"] = 1
    if value.tzinfo is not None:
        written["tz"] = zone(value.tzinfo, None)
    return written


def _read_time(decoder: Decoder, data: Any, depth: int) -> Any:
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
    return dt.date(*_integers(data["v"], 3, "a date"))


def _timedelta(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "timedelta", "v": [value.days, value.seconds, value.microseconds]}


def _read_timedelta(decoder: Decoder, data: Any, depth: int) -> Any:
    return dt.timedelta(*_integers(data["v"], 3, "a duration"))


def _integers(data: Any, count: int, what: str) -> list[int]:
    if type(data) is not list or len(data) != count or any(type(part) is not int for part in data):
        raise Trouble(f"{what} must be {count} integers")
    return data


def _zone(encoder: Encoder, value: Any, depth: int) -> Any:
    return zone(value, None)


def zone(tz: Any, when: Any) -> Any:
    """Write a time zone: by name if it has one that is known everywhere, else by its offset at `when`."""
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


ENCODERS: dict[str, Callable[[Any, Any, int], Any]] = {
    "datetime.datetime": _datetime,
    "datetime.date": _date,
    "datetime.time": _time,
    "datetime.timedelta": _timedelta,
    "datetime.tzinfo": _zone,
}
"""Encoders by the module and name of a type."""

DECODERS: dict[str, tuple[Callable[[Any, Any, int], Any], str, str]] = {
    "datetime": (_read_datetime, "v", "fold tz offset"),
    "date": (_read_date, "v", ""),
    "time": (_read_time, "v", "fold tz"),
    "timedelta": (_read_timedelta, "v", ""),
    "timezone": (_read_timezone, "v", "name"),
    "zoneinfo": (_read_zoneinfo, "v", ""),
}
"""By tag: the decoder, the keys that its object has, and those it may have."""
