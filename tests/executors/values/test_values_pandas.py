"""pandas frames, series, indexes and scalars cross in both directions."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from smolagents.executors.worker.values import CannotCrossError

PARIS = ZoneInfo("Europe/Paris")


def mixed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "integers": [1, 2, 3],
            "bytes": np.array([1, 2, 3], "u1"),
            "floats": [1.5, np.nan, 3],
            "booleans": [True, False, True],
            "complex": [1j, 2, 3],
            "text": ["a", None, "é"],
            "objects": np.array(["a", 2, (3, {"x": b"y"})], dtype=object),
            "text as objects": np.array(["a", "b", None], dtype=object),
            "dates": pd.date_range("2024-01-01", periods=3),
            "dates in seconds": pd.date_range("2024-01-01", periods=3).as_unit("s"),
            "dates with a zone": pd.date_range("2024-10-26", periods=3, tz=PARIS),
            "dates in UTC": pd.to_datetime(["2024-01-01", None, "2024-01-02"]).tz_localize("UTC"),
            "dates with an offset": pd.date_range("2024-01-01", periods=3, tz="+02:00"),
            "durations": pd.to_timedelta([1, None, 2], unit="s"),
            "categories": pd.Categorical(["a", "b", None], categories=["b", "a", "c"], ordered=True),
            "categories of numbers": pd.Categorical([3, 1, 3]),
            "nullable integers": pd.array([1, None, 2**62 + 1], dtype="Int64"),
            "nullable small": pd.array([1, None, 3], dtype="UInt8"),
            "nullable floats": pd.array([1, None, 3.5], dtype="Float32"),
            "nullable booleans": pd.array([True, None, False], dtype="boolean"),
            "nullable text": pd.array(["a", None, "b"], dtype="string"),
            "months": pd.PeriodIndex(["2024-01", None, "2024-03"], freq="M"),
            "quarters": pd.period_range("2024Q1", periods=3, freq="Q-NOV"),
            "intervals": pd.interval_range(0, 3, closed="left"),
        }
    )


FRAMES = {
    "every kind of column": mixed(),
    "empty": pd.DataFrame(),
    "rows only": pd.DataFrame(index=[1, 2]),
    "columns only": pd.DataFrame(columns=["a", "b"]),
    "columns of one name": pd.DataFrame([[1, "a"], [2, "b"]], columns=["x", "x"], index=[5, 5]),
    "several levels of rows": mixed().set_index(["integers", "categories"]),
    "several levels of columns": mixed().groupby("booleans").agg({"integers": ["sum", "mean"], "floats": "max"}),
    "transposed": mixed()[["integers", "text"]].T,
    "described": mixed().drop(columns="complex").describe(),
    "names that are not text": pd.DataFrame({(1, 2): [1], 1.5: [2], None: [3]}),
    "dates as rows": pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2024-01-01", periods=2, tz=PARIS, freq="h")),
}
SERIES = {
    "integers": pd.Series([1, 2]),
    "named": pd.Series([1.5], index=["x"], name=("a", 1)),
    "empty": pd.Series([], dtype=object),
    "objects": pd.Series([[1], {"a": 2}, dt.date(2024, 1, 1)]),
    "missing": pd.Series([pd.NaT, None, pd.NA, np.nan], dtype=object),
    "categories": pd.Series(pd.Categorical(["a", None])),
}
INDEXES = {
    "range": pd.RangeIndex(2, 10, 3, name="q"),
    "long range": pd.RangeIndex(10**12),
    "integers": pd.Index([1, 2], dtype="int8", name=(1, "a")),
    "text": pd.Index(["a", None]),
    "objects": pd.Index([1, "a", (2, 3)], dtype=object),
    "levels": pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["x", None]),
    "levels with missing": pd.MultiIndex.from_tuples([(1, np.nan), (2, "a")]),
    "dates": pd.date_range("2024", periods=3, freq="2h30min"),
    "dates of business": pd.date_range("2024", periods=3, freq=pd.offsets.BusinessMonthEnd()),
    "dates without frequency": pd.DatetimeIndex(["2024-01-01", "2024-01-05", None]),
    "durations": pd.timedelta_range("1s", periods=2),
    "categories": pd.CategoricalIndex(["a", "b"], name="c"),
    "intervals": pd.IntervalIndex.from_tuples([(0, 1), np.nan]),
    "intervals of dates": pd.interval_range(pd.Timestamp("2024-01-01"), periods=2),
    "periods": pd.PeriodIndex(["2024-01-01", None], freq="D"),
}
SCALARS = [
    pd.Timestamp("2024-01-01"),
    pd.Timestamp("2024-01-01 12:00:00.123456789"),
    pd.Timestamp("2024-01-01", tz=PARIS),
    pd.Timestamp(dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=PARIS)),
    pd.Timestamp("2024-01-01", tz="-03:00"),
    pd.Timestamp(1, unit="s"),
    pd.Timedelta(3, "s"),
    pd.Timedelta(-1, "ns"),
    pd.Period("2024-01", "M"),
    pd.Period("2024-01-01", "W-WED"),
    pd.Interval(0, 1.5, closed="both"),
    pd.Interval(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")),
]


@pytest.mark.parametrize("name", FRAMES)
def test_frames(boundary, name):
    for arrived in boundary.both(FRAMES[name]):
        pd.testing.assert_frame_equal(arrived, FRAMES[name])


def test_a_frame_that_arrived_can_be_changed(boundary):
    for arrived in boundary.both(mixed().drop(columns="objects")):
        for place in range(arrived.shape[1]):
            arrived.iloc[0, place] = arrived.iloc[2, place]
        arrived["new"] = 1
        pd.testing.assert_series_equal(arrived.iloc[0], arrived.iloc[2], check_names=False)


@pytest.mark.parametrize("name", SERIES)
def test_series(boundary, name):
    for arrived in boundary.both(SERIES[name]):
        pd.testing.assert_series_equal(arrived, SERIES[name])


@pytest.mark.parametrize("name", INDEXES)
def test_indexes(boundary, name):
    for arrived in boundary.both(INDEXES[name]):
        pd.testing.assert_index_equal(arrived, INDEXES[name], exact=True)
        assert getattr(arrived, "freq", None) == getattr(INDEXES[name], "freq", None)


@pytest.mark.parametrize("scalar", SCALARS, ids=repr)
def test_scalars(boundary, scalar):
    for arrived in boundary.both(scalar):
        assert type(arrived) is type(scalar)
        assert repr(arrived) == repr(scalar)
        assert arrived == scalar
        assert getattr(arrived, "unit", None) == getattr(scalar, "unit", None)


def test_missing_values(boundary):
    for arrived in boundary.both([pd.NaT, pd.NA]):
        assert arrived[0] is pd.NaT
        assert arrived[1] is pd.NA


def test_arrays(boundary):
    for arrived in boundary.both([pd.array([1, None], dtype="Int64"), pd.Categorical(["a"])]):
        assert arrived[0].tolist() == [1, pd.NA]
        assert arrived[1].tolist() == ["a"]


def test_in_other_values(boundary):
    for arrived in boundary.both({"frames": [FRAMES["empty"], (SERIES["named"],)]}):
        pd.testing.assert_series_equal(arrived["frames"][1][0], SERIES["named"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (pd.DataFrame({"a": [1, 2], "g": [1, print]}), r"value\[\"g\"\]\[1\]: the function 'print' cannot cross"),
        (
            pd.DataFrame({"s": pd.arrays.SparseArray([0, 1])}),
            r"value\[\"s\"\]: values of the type Sparse.* cannot cross; convert them with .astype",
        ),
        (pd.Series([1], name=frozenset([1])).groupby([0]), "value: an object of class 'SeriesGroupBy' cannot cross"),
    ],
    ids=["element", "sparse", "groups"],
)
def test_what_cannot_cross(boundary, value, message):
    with pytest.raises(CannotCrossError, match=message):
        boundary.host.encode(value)
