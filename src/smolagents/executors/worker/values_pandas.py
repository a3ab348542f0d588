"""pandas frames, series, indexes and scalars, as tagged JSON: each column as its array and its type.

`attrs` do not cross.
"""
# ruff: noqa: ARG001 - encoders and decoders have one signature

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .values_base import TAG, Trouble, expect, key_segment
from .values_numpy import numpy
from .values_time import read_zone, zone

if TYPE_CHECKING:
    from .values import Decoder, Encoder

_LONGEST_LEVEL = 10**6
"""A range takes no memory by itself, but as categories, as a level or as the ends of intervals it is written out."""

_UNITS = ("s", "ms", "us", "ns")
_MASKED = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "boolean")


def pandas() -> Any:
    """The library.

    Raises:
        Trouble: it is not installed here.
    """
    try:
        import pandas as pd  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise Trouble(
            "pandas is not there where the code runs, so that its values cannot arrive: it comes with "
            "additional_authorized_imports=['pandas'] where pandas is installed or can be"
        ) from None
    return pd


def encoder_of(value: Any) -> Any:
    """The encoder, if the value is one of pandas'."""
    pd = sys.modules.get("pandas")
    if pd is None or not hasattr(pd, "api"):  # not imported, so that there are no instances; or being imported
        return None
    if value is pd.NaT or value is pd.NA:
        return _missing
    for kind, encode in (
        (pd.DataFrame, _frame),
        (pd.Series, _series),
        (pd.Index, _index),
        (pd.Timestamp, _timestamp),
        (pd.Timedelta, _timedelta),
        (pd.Period, _period),
        (pd.Interval, _interval),
        (pd.api.extensions.ExtensionArray, _array),
    ):
        if isinstance(value, kind):
            return encode
    return None


# Scalars


def _missing(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "pandas.missing", "v": "NA" if value is pandas().NA else "NaT"}


def _read_missing(decoder: Decoder, data: Any, depth: int) -> Any:
    if data["v"] not in ("NA", "NaT"):
        raise Trouble("an unknown missing value")
    return getattr(pandas(), data["v"])


def _timestamp(encoder: Encoder, value: Any, depth: int) -> Any:
    moment = value.to_datetime64()
    written = {TAG: "pandas.timestamp", "v": int(moment.astype("i8")), "unit": _unit(moment.dtype)}
    if value.tzinfo is not None:
        written["tz"] = zone(value.tzinfo, value)
    return written


def _read_timestamp(decoder: Decoder, data: Any, depth: int) -> Any:
    value = pandas().Timestamp(_moment(data, "datetime64"))
    if "tz" in data:
        value = value.tz_localize("UTC").tz_convert(read_zone(decoder, data["tz"], depth + 1, None))
    return value


def _timedelta(encoder: Encoder, value: Any, depth: int) -> Any:
    span = value.to_timedelta64()
    return {TAG: "pandas.timedelta", "v": int(span.astype("i8")), "unit": _unit(span.dtype)}


def _read_timedelta(decoder: Decoder, data: Any, depth: int) -> Any:
    return pandas().Timedelta(_moment(data, "timedelta64"))


def _unit(dtype: Any) -> str:
    return str(numpy().datetime_data(dtype)[0])


def _moment(data: Any, kind: str) -> Any:
    value = expect(data["v"], int, "a moment or a duration")
    if data["unit"] not in _UNITS or not -(2**63) < value < 2**63:
        raise Trouble("a moment or a duration must be a number of s, ms, us or ns")
    return getattr(numpy(), kind)(value, data["unit"])


def _period(encoder: Encoder, value: Any, depth: int) -> Any:
    return {TAG: "pandas.period", "v": value.ordinal, "freq": value.freqstr}


def _read_period(decoder: Decoder, data: Any, depth: int) -> Any:
    ordinal = expect(data["v"], int, "a period")
    return pandas().Period(ordinal=ordinal, freq=_frequency(data["freq"]))


def _frequency(text: Any) -> str:
    if len(expect(text, str, "a frequency")) > 40:
        raise Trouble("a frequency is too long")
    return str(text)


def _interval(encoder: Encoder, value: Any, depth: int) -> Any:
    ends = encoder.items([value.left, value.right], depth)
    return {TAG: "pandas.interval", "v": ends, "closed": value.closed}


def _read_interval(decoder: Decoder, data: Any, depth: int) -> Any:
    ends = decoder.items(data["v"], depth)
    if len(ends) != 2:
        raise Trouble("an interval must have two ends")
    return pandas().Interval(*ends, closed=expect(data["closed"], str, "how an interval is closed"))


# Arrays: what a column or an index holds


def _array(encoder: Encoder, value: Any, depth: int) -> Any:
    """Write an array of pandas, or of NumPy as pandas holds it."""
    pd, np = pandas(), numpy()
    dtype = value.dtype
    if isinstance(dtype, np.dtype) or type(value).__name__ in ("NumpyExtensionArray", "PandasArray"):
        return encoder.item(np.asarray(value), depth)
    if isinstance(dtype, pd.CategoricalDtype):
        return {
            TAG: "pandas.categorical",
            "categories": encoder.item(dtype.categories, depth + 1),
            "v": encoder.item(np.asarray(value.codes), depth + 1),
            "ordered": bool(dtype.ordered),
        }
    if isinstance(dtype, pd.DatetimeTZDtype):
        moments = value.astype(f"datetime64[{dtype.unit}, UTC]")
        return {
            TAG: "pandas.moments",
            "v": encoder.item(np.asarray(moments, dtype=f"M8[{dtype.unit}]"), depth + 1),
            "tz": zone(dtype.tz, next((moment for moment in value if moment is not pd.NaT), None)),
        }
    if isinstance(dtype, pd.StringDtype):
        texts = [None if missing else text for text, missing in _zip(value, value.isna())]
        return {
            TAG: "pandas.text",
            "v": encoder.items(texts, depth),
            "missing": "NA" if getattr(dtype, "na_value", pd.NA) is pd.NA else "nan",
        }
    if str(dtype) in _MASKED:
        plain = np.bool_ if str(dtype) == "boolean" else np.dtype(str(dtype).lower())
        return {
            TAG: "pandas.masked",
            "v": encoder.item(value.to_numpy(dtype=plain, na_value=plain(0) if plain is np.bool_ else 0), depth + 1),
            "mask": encoder.item(np.asarray(value.isna()), depth + 1),
        }
    if isinstance(dtype, pd.PeriodDtype):
        ordinals = np.array([0 if missing else period.ordinal for period, missing in _zip(value, value.isna())], "i8")
        return {
            TAG: "pandas.periods",
            "v": encoder.item(ordinals, depth + 1),
            "mask": encoder.item(np.asarray(value.isna()), depth + 1),
            "freq": str(dtype)[len("period[") : -1],
        }
    if isinstance(dtype, pd.IntervalDtype):
        return {
            TAG: "pandas.intervals",
            "left": encoder.item(pd.Index(value.left), depth + 1),
            "right": encoder.item(pd.Index(value.right), depth + 1),
            "closed": dtype.closed,
        }
    raise Trouble(f"values of the type {dtype} cannot cross; convert them with .astype(object) or .astype(str)")


def _zip(values: Any, missing: Any) -> Any:
    return [(value, missing[place]) for place, value in enumerate(values)]


def _is_array(value: Any) -> bool:
    """Whether it is what `_array` writes: an array of one dimension that a column can hold."""
    if isinstance(value, pandas().api.extensions.ExtensionArray):
        return True
    return type(value) is numpy().ndarray and value.ndim == 1


def _vector(decoder: Decoder, data: Any, depth: int, segment: str, kinds: str) -> Any:
    """Read an array of one dimension with elements of the given kinds."""
    value = decoder.part(data, depth, segment)
    if type(value) is not numpy().ndarray or value.ndim != 1 or value.dtype.kind not in kinds:
        raise Trouble("an array of one dimension and the right type is expected", segment)
    return value


def _level(value: Any) -> Any:
    """Check categories, a level or the ends of intervals."""
    pd = pandas()
    if not isinstance(value, pd.Index):
        raise Trouble("an index is expected")
    if isinstance(value, pd.RangeIndex) and len(value) > _LONGEST_LEVEL:
        raise Trouble(f"a range of more than {_LONGEST_LEVEL} values cannot be used here")
    return value


def _read_categorical(decoder: Decoder, data: Any, depth: int) -> Any:
    pd = pandas()
    categories = _level(decoder.part(data["categories"], depth + 1, ".categories"))
    codes = _vector(decoder, data["v"], depth + 1, ".codes", "i")
    ordered = expect(data["ordered"], bool, "whether categories are ordered")
    return pd.Categorical.from_codes(codes, categories=categories, ordered=ordered)


def _read_moments(decoder: Decoder, data: Any, depth: int) -> Any:
    moments = _vector(decoder, data["v"], depth + 1, "", "M")
    tz = read_zone(decoder, data["tz"], depth + 1, None)
    return pandas().DatetimeIndex(moments).tz_localize("UTC").tz_convert(tz).array.copy()


def _read_text(decoder: Decoder, data: Any, depth: int) -> Any:
    pd = pandas()
    texts = decoder.items(data["v"], depth)
    if any(type(text) is not str and text is not None for text in texts):
        raise Trouble("a column of text has a value that is not text")
    if data["missing"] not in ("NA", "nan"):
        raise Trouble("an unknown missing value")
    if data["missing"] == "nan":
        try:
            return pd.array(texts, dtype=pd.StringDtype(na_value=numpy().nan))
        except TypeError:  # before pandas 2.3 such columns hold objects
            built = numpy().array(texts, dtype=object)
            built[pd.isna(built)] = numpy().nan
            return built
    return pd.array(texts, dtype="string")


def _read_masked(decoder: Decoder, data: Any, depth: int) -> Any:
    pd = pandas()
    values = _vector(decoder, data["v"], depth + 1, "", "biuf")
    mask = _vector(decoder, data["mask"], depth + 1, ".mask", "b")
    kinds = {"b": pd.arrays.BooleanArray, "f": pd.arrays.FloatingArray}
    return kinds.get(values.dtype.kind, pd.arrays.IntegerArray)(values, mask)


def _read_periods(decoder: Decoder, data: Any, depth: int) -> Any:
    pd = pandas()
    ordinals = _vector(decoder, data["v"], depth + 1, "", "i")
    mask = _vector(decoder, data["mask"], depth + 1, ".mask", "b")
    if len(ordinals) != len(mask):
        raise Trouble("the mask of periods has another length")
    built = pd.arrays.PeriodArray(ordinals.astype("i8"), dtype=pd.PeriodDtype(_frequency(data["freq"])))
    built[mask] = pd.NaT
    return built


def _read_intervals(decoder: Decoder, data: Any, depth: int) -> Any:
    pd = pandas()
    left = _level(decoder.part(data["left"], depth + 1, ".left"))
    right = _level(decoder.part(data["right"], depth + 1, ".right"))
    closed = expect(data["closed"], str, "how intervals are closed")
    return pd.arrays.IntervalArray.from_arrays(left, right, closed=closed)


# Indexes


def _index(encoder: Encoder, value: Any, depth: int) -> Any:
    pd = pandas()
    if isinstance(value, pd.RangeIndex):
        return {
            TAG: "pandas.range",
            "v": [value.start, value.stop, value.step],
            "name": encoder.part(value.name, depth + 1, ".name"),
        }
    if isinstance(value, pd.MultiIndex):
        return {
            TAG: "pandas.multiindex",
            "levels": [encoder.part(level, depth + 1, f".levels[{n}]") for n, level in enumerate(value.levels)],
            "codes": [encoder.item(numpy().asarray(codes), depth + 1) for codes in value.codes],
            "names": [encoder.part(name, depth + 1, f".names[{n}]") for n, name in enumerate(value.names)],
        }
    written = {
        TAG: "pandas.index",
        "v": encoder.part(value.array, depth + 1, ".array"),
        "name": encoder.part(value.name, depth + 1, ".name"),
    }
    if isinstance(value, (pd.DatetimeIndex, pd.TimedeltaIndex)) and value.freq is not None:
        written["freq"] = value.freqstr
    return written


def _read_range(decoder: Decoder, data: Any, depth: int) -> Any:
    parts = expect(data["v"], list, "a range")
    if len(parts) != 3 or any(type(part) is not int or not -(2**62) < part < 2**62 for part in parts):
        raise Trouble("a range must be three integers")
    return pandas().RangeIndex(*parts, name=_name(decoder, data["name"], depth))


def _read_index(decoder: Decoder, data: Any, depth: int) -> Any:
    pd = pandas()
    values = decoder.part(data["v"], depth + 1, ".array")
    if not _is_array(values):
        raise Trouble("an index must be an array of one dimension")
    _check_objects(decoder, values)
    built = pd.Index(values, dtype=values.dtype, name=_name(decoder, data["name"], depth), copy=False)
    if "freq" in data and isinstance(built, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        frequency = _frequency(data["freq"])
        with suppress(ValueError):  # another version of pandas names it otherwise
            built.freq = frequency
    return built


def _read_multi_index(decoder: Decoder, data: Any, depth: int) -> Any:
    pd = pandas()
    levels = [_level(level) for level in decoder.items(data["levels"], depth)]
    codes = decoder.items(data["codes"], depth)
    names = [_name(decoder, name, depth) for name in expect(data["names"], list, "the names of an index")]
    if not len(levels) == len(codes) == len(names):
        raise Trouble("an index of several levels needs codes and a name for each level")
    if any(type(part) is not numpy().ndarray or part.ndim != 1 or part.dtype.kind != "i" for part in codes):
        raise Trouble("the codes of an index must be arrays of integers")
    return pd.MultiIndex(levels=levels, codes=codes, names=names, verify_integrity=True)


def _name(decoder: Decoder, data: Any, depth: int) -> Any:
    name = decoder.part(data, depth + 1, ".name")
    decoder.check_hashes([name])
    return name


def _check_objects(decoder: Decoder, values: Any) -> None:
    if values.dtype == object:
        decoder.check_hashes(values)


# Series and frames


def _series(encoder: Encoder, value: Any, depth: int) -> Any:
    return {
        TAG: "pandas.series",
        "v": encoder.part(value.array, depth + 1, ".array"),
        "index": encoder.part(value.index, depth + 1, ".index"),
        "name": encoder.part(value.name, depth + 1, ".name"),
    }


def _read_series(decoder: Decoder, data: Any, depth: int) -> Any:
    values = decoder.part(data["v"], depth + 1, ".array")
    index = _read_axis(decoder, data["index"], depth + 1, ".index", len(values) if _is_array(values) else -1)
    return _column(values, index, _name(decoder, data["name"], depth))


def _column(values: Any, index: Any, name: Any) -> Any:
    if not _is_array(values):
        raise Trouble("a column must be an array of one dimension")
    return pandas().Series(values, index=index, dtype=values.dtype, name=name, copy=False)


def _read_axis(decoder: Decoder, data: Any, depth: int, segment: str, length: int) -> Any:
    index = decoder.part(data, depth, segment)
    if not isinstance(index, pandas().Index):
        raise Trouble("an index is expected", segment)
    if length not in (len(index), -1):
        raise Trouble(f"an index of {len(index)} does not fit {length} values", segment)
    return index


def _frame(encoder: Encoder, value: Any, depth: int) -> Any:
    columns = []
    for place in range(value.shape[1]):
        column = value.iloc[:, place]
        columns.append(encoder.part(column.array, depth + 1, key_segment(column.name)))
    return {
        TAG: "pandas.frame",
        "columns": encoder.part(value.columns, depth + 1, ".columns"),
        "index": encoder.part(value.index, depth + 1, ".index"),
        "v": columns,
    }


def _read_frame(decoder: Decoder, data: Any, depth: int) -> Any:
    pd = pandas()
    arrays = expect(data["v"], list, "the columns of a frame")
    columns = _read_axis(decoder, data["columns"], depth + 1, ".columns", len(arrays))
    index = _read_axis(decoder, data["index"], depth + 1, ".index", -1)
    series = {}
    for place, array in enumerate(arrays):
        segment = key_segment(columns[place])
        values = decoder.part(array, depth + 1, segment)
        if not _is_array(values) or len(values) != len(index):
            raise Trouble("a column must be an array as long as the index", segment)
        series[place] = _column(values, None, None)
    if not series:
        return pd.DataFrame(index=index, columns=columns)
    built = pd.DataFrame(series, copy=False)
    built.index, built.columns = index, columns
    return built


DECODERS: dict[str, tuple[Callable[[Any, Any, int], Any], str, str]] = {
    "pandas.missing": (_read_missing, "v", ""),
    "pandas.timestamp": (_read_timestamp, "v unit", "tz"),
    "pandas.timedelta": (_read_timedelta, "v unit", ""),
    "pandas.period": (_read_period, "v freq", ""),
    "pandas.interval": (_read_interval, "v closed", ""),
    "pandas.categorical": (_read_categorical, "categories v ordered", ""),
    "pandas.moments": (_read_moments, "v tz", ""),
    "pandas.text": (_read_text, "v missing", ""),
    "pandas.masked": (_read_masked, "v mask", ""),
    "pandas.periods": (_read_periods, "v mask freq", ""),
    "pandas.intervals": (_read_intervals, "left right closed", ""),
    "pandas.range": (_read_range, "v name", ""),
    "pandas.index": (_read_index, "v name", "freq"),
    "pandas.multiindex": (_read_multi_index, "levels codes names", ""),
    "pandas.series": (_read_series, "v index name", ""),
    "pandas.frame": (_read_frame, "columns index v", ""),
}
"""By tag: the decoder, the keys that its object has, and those it may have."""
