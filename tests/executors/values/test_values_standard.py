"""Values of the standard library cross in both directions and stay what they are."""

from __future__ import annotations

import array
import collections
import datetime as dt
import json
import math
import os
import pathlib
import types
import uuid
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolagents.executors.worker.values import Codec

PARIS = ZoneInfo("Europe/Paris")
VALUES = {
    "none": None,
    "booleans": [True, False],
    "small integers": [0, -1, 2**53 + 1, 2**63, -(2**63)],
    "big integers": [2**63 + 1, -(2**63) - 1, 10**5000, -(7**6000)],
    "floats": [0.1, 1e308, 5e-324, 3.0],
    "infinities": [math.inf, -math.inf],
    "text": 'ü ☃ \U0001f600 \x00 "quoted" \\ \n \u2028',
    "lone surrogates": ["\ud800", "a\udfff", "\ud83d"],
    "surrogates that JSON would join": ["\ud83d\ude00", "x\ud83d\ude00y\ud83d\ude00"],
    "bytes": [b"", b"\x00\xff" * 5],
    "bytearray": bytearray(b"ab"),
    "tuples": [(), (1,), (1, (2, [3]))],
    "sets": [set(), {1, "a", (2, 3)}, frozenset({frozenset({1})})],
    "complex": [1 + 2j, complex(math.inf, -0.5)],
    "nested lists": [[], [[]], [[1, [2.5, ["a", None]]]]],
    "dicts": [{}, {"a": {"b": [1]}}, {"": 0, "ü": 1}],
    "keys of other types": {1: "a", (1, 2): "b", None: "c", 1.5: "d", b"x": "e", True and "t": "f"},
    "keys that JSON would join": {"\ud83d\ude00": 1},
    "the reserved key": [{"$": 1}, {"$": "tuple", "v": [1]}, {"$": {"$": "int", "v": "0x1"}}],
    "range": [range(3), range(5, -1, -2), range(10**30)],
    "slice": [slice(None), slice(1, 2.5, "a")],
    "constants": [Ellipsis, NotImplemented],
    "datetime": [dt.datetime(1, 1, 1), dt.datetime(2026, 2, 3, 4, 5, 6, 7, fold=1)],
    "datetime with a zone": [
        dt.datetime(2026, 7, 1, tzinfo=dt.timezone.utc),
        dt.datetime(2026, 7, 1, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
        dt.datetime(2026, 7, 1, tzinfo=dt.timezone(dt.timedelta(seconds=-1, microseconds=5), "odd")),
        dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=PARIS),
    ],
    "date": [dt.date.min, dt.date.max],
    "time": [dt.time(1, 2, 3, 4), dt.time(1, fold=1), dt.time(1, tzinfo=dt.timezone.utc), dt.time(1, tzinfo=PARIS)],
    "timedelta": [dt.timedelta(-1, 2, 3), dt.timedelta.max],
    "zones": [dt.timezone.utc, dt.timezone(dt.timedelta(hours=-3)), PARIS, ZoneInfo("UTC")],
    "decimal": [Decimal("1.10"), Decimal("-0"), Decimal("Infinity"), Decimal("1E+999999"), Decimal("1" * 50)],
    "fraction": [Fraction(1, 3), Fraction(-(10**30), 7)],
    "uuid": uuid.UUID("12345678123456781234567812345678"),
    "path": [pathlib.Path("/tmp/x y"), pathlib.Path("a\udc80b")],
    "pure paths": [pathlib.PurePosixPath("a/b"), pathlib.PureWindowsPath(r"c:\x\y")],
    "deque": [collections.deque([1, (2,)]), collections.deque([1], maxlen=3)],
    "ordered dict": collections.OrderedDict([("b", 1), ("a", {2})]),
    "counter": collections.Counter("abca"),
    "namespace": types.SimpleNamespace(a=1, b=types.SimpleNamespace(c=(1,))),
    "default dict": collections.defaultdict(list, {"a": [1], 2: [(3,)]}),
    "nested mixture": {"rows": [{"when": dt.date(2026, 1, 1), "raw": (b"x", {Decimal(1): [Fraction(1, 2), {1}]})}]},
}


def text_of(value) -> str:
    """The repr, but with the elements of sets in order."""
    if isinstance(value, (tuple, set, frozenset)):
        parts = [text_of(part) for part in value]
        return f"{type(value).__name__}({parts if isinstance(value, tuple) else sorted(parts)})"
    return repr(value)


def same(first, second) -> bool:
    """Whether two values are equal and of the same types throughout; NaN equals NaN."""
    if type(first) is not type(second):
        return False
    if isinstance(first, float):
        return first == second or (math.isnan(first) and math.isnan(second))
    if isinstance(first, complex):
        return same(first.real, second.real) and same(first.imag, second.imag)
    if isinstance(first, Decimal):
        return str(first) == str(second)
    if isinstance(first, dict):
        return same(list(first.items()), list(second.items()))
    if isinstance(first, (list, tuple, collections.deque)):
        return (
            len(first) == len(second)
            and all(map(same, first, second))
            and getattr(first, "maxlen", None) == getattr(second, "maxlen", None)
        )
    if isinstance(first, (set, frozenset)):
        return text_of(first) == text_of(second)
    if isinstance(first, dt.datetime):
        return (
            first.replace(tzinfo=None) == second.replace(tzinfo=None)
            and same(first.tzinfo, second.tzinfo)
            and first.fold == second.fold
        )
    return bool(first == second)


@pytest.mark.parametrize("name", VALUES)
def test_both_ways(boundary, name):
    value = VALUES[name]
    for arrived in boundary.both(value):
        assert same(arrived, value)


def test_nan(boundary):
    for arrived in boundary.both([math.nan, complex(math.nan, 1), Decimal("NaN"), Decimal("sNaN")]):
        assert repr(arrived) == "[nan, (nan+1j), Decimal('NaN'), Decimal('sNaN')]"


def test_plain_values_are_written_as_themselves():
    plain = {"a": [1, "b", None, True, 1.5, {"c": []}]}
    written = Codec(trusted=True).encode(plain)
    assert written == plain
    assert written is not plain
    assert written["a"] is not plain["a"]


def test_what_was_encoded_does_not_change_with_the_value():
    value = [1, 2, 3]
    written = Codec(trusted=True).encode(value)
    value.append(4)
    assert written == [1, 2, 3]


def test_the_factory_of_a_default_dict_crosses_if_it_is_a_built_in_type(boundary):
    arrived, back = boundary.both(collections.defaultdict(list, a=[1]))
    arrived["new"].append(1)
    back["new"].append(1)
    assert arrived == back == {"a": [1], "new": [1]}
    arrived = boundary.there(collections.defaultdict(lambda: 5, a=1))
    assert type(arrived) is collections.defaultdict
    assert arrived.default_factory is None


class Text(str):
    pass


class Number(int):
    pass


class Real(float):
    pass


class Items(list):
    pass


class Table(dict):
    pass


class Raw(bytes):
    pass


class Day(dt.date):
    pass


class Folder(type(pathlib.Path())):
    pass


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (Text("a"), "a"),
        (Number(2**70), 2**70),
        (Real("inf"), math.inf),
        (Items([Number(1)]), [1]),
        (Table(a=Text("b")), {"a": "b"}),
        ({Text("k"): 1}, {"k": 1}),
        (Raw(b"x"), b"x"),
        (Day(2026, 1, 1), dt.date(2026, 1, 1)),
        (Folder("a"), pathlib.Path("a")),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (memoryview(b"abc")[::2], b"ac"),
        (os.stat_result(range(10)), tuple(range(10))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_subclasses_cross_as_what_they_are_based_on(boundary, value, base):
    arrived = boundary.there(value)
    assert same(arrived, base)


def test_a_zone_that_the_other_side_does_not_know_becomes_its_offset(boundary):
    data = boundary.host.encode(dt.datetime(2026, 7, 1, 12, tzinfo=PARIS))
    data["tz"]["v"] = "Atlantis/Centre"
    arrived = boundary.far.decode(data)
    assert arrived == dt.datetime(2026, 7, 1, 12, tzinfo=PARIS)
    assert arrived.tzname() == "Atlantis/Centre"


def test_another_kind_of_zone_becomes_its_offset(boundary):
    class Own(dt.tzinfo):
        def utcoffset(self, when):
            return dt.timedelta(hours=2)

        def dst(self, when):
            return None

    arrived = boundary.there(dt.datetime(2026, 1, 1, tzinfo=Own()))
    assert arrived.utcoffset() == dt.timedelta(hours=2)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("wrong", 3),
        KeyError("a"),
        KeyError((1, b"x")),
        FileNotFoundError(2, "No such file", "/x"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
        StopIteration(5),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_built_in_exceptions_arrive_as_themselves(boundary, error):
    for arrived in boundary.both(error):
        assert type(arrived) is type(error)
        assert str(arrived) == str(error)
        assert arrived.args == error.args


def test_other_exceptions_arrive_with_their_name_and_message(boundary):
    error = json.JSONDecodeError("odd", "{", 0)
    for arrived in boundary.both([error]):
        assert isinstance(arrived[0], Exception)
        assert arrived[0].name == "JSONDecodeError"
        assert str(arrived[0]) == str(error)
        assert repr(arrived[0]) == f"JSONDecodeError({str(error)!r})"


def test_an_exception_with_arguments_that_cannot_cross_arrives_with_its_message(boundary):
    error = ValueError("bad", print)
    arrived = boundary.there([error, error, [1]])
    assert type(arrived[0]) is ValueError
    assert str(arrived[0]) == str(error)


def test_the_same_value_may_occur_twice(boundary):
    part = [1, {"a": (2,)}]
    assert boundary.there([part, part, {"x": part}]) == [part, part, {"x": part}]


def test_large_values(boundary):
    text, raw, numbers = "ab☃" * 700_000, bytes(range(256)) * 8000, list(range(100_000))
    for arrived in boundary.both([text, raw, numbers]):
        assert arrived == [text, raw, numbers]


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    st.text(st.characters(exclude_categories=[])),
    st.binary(),
    st.complex_numbers(),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.datetimes(timezones=st.none() | st.timezones() | st.just(dt.timezone.utc)),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.sampled_from([Ellipsis, range(4), slice(1, 2), pathlib.Path("a/b"), dt.timezone.utc]),
)
hashable = st.recursive(
    scalars.filter(lambda value: type(value) is not slice),
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=5,
)
values = st.recursive(
    scalars | hashable,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(st.text(), inner),
        st.dictionaries(st.sampled_from(["$", "v", "a"]), inner),
        st.dictionaries(hashable, inner),
        st.sets(hashable),
        st.lists(inner).map(collections.deque),
        st.dictionaries(hashable, inner).map(collections.OrderedDict),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(values)
def test_any_mixture_comes_back_as_it_was(value):
    host, far = Codec(trusted=False), Codec(trusted=True)
    arrived = far.decode(json.loads(json.dumps(host.encode(value))))
    assert same(arrived, value)
    assert same(host.decode(json.loads(json.dumps(far.encode(arrived)))), value)


@settings(max_examples=50, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text("abc$é"), st.lists))
def test_lists_of_plain_values_are_not_changed_by_writing(value):
    assert Codec(trusted=True).encode(value) == value


def test_an_array_of_the_standard_library_is_refused_with_the_remedy(boundary):
    with pytest.raises(
        TypeError, match=r"an object of class 'array' cannot cross; pass its content as a dict, a list"
    ):
        boundary.host.encode(array.array("i", [1]))
