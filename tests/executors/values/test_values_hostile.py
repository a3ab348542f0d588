"""What a hostile far side says becomes a value or an error, within time and memory; nothing else happens."""

from __future__ import annotations

import base64
import collections
import copy
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import pathlib
import resource
import sys
import time
import tracemalloc
import uuid
import warnings
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from smolagents.executors.worker import (
    values_classes,
    values_media,
    values_numpy,
    values_pandas,
    values_standard,
    values_time,
)
from smolagents.executors.worker.values import CannotCrossError, Codec, MalformedValueError
from smolagents.types.agent_types import AgentAudio, AgentImage, AgentText


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclasses.dataclass
class Item:
    a: int
    b: object = None


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


Pair = collections.namedtuple("Pair", "left right")

VALUES = [
    [1, "a", None, 1.5, {"b": [True]}],
    2**70,
    float("inf"),
    "\ud83d\ude00",
    b"abc",
    bytearray(b"x"),
    (1, (2,)),
    {1, "a"},
    frozenset([1]),
    1j,
    {1: 2, "$": 3},
    collections.deque([1], 3),
    collections.OrderedDict(a=1),
    collections.Counter("aab"),
    collections.defaultdict(list, a=[1]),
    range(3),
    slice(1, None),
    Ellipsis,
    dt.datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Paris")),
    dt.date(2024, 1, 1),
    dt.time(1, fold=1),
    dt.timedelta(1, 2, 3),
    dt.timezone(dt.timedelta(hours=1), "x"),
    decimal.Decimal("1.5"),
    fractions.Fraction(1, 3),
    uuid.UUID(int=5),
    pathlib.Path("a/b"),
    ValueError("x"),
    FileNotFoundError(2, "no", "f"),
    Item(1, [Colour.RED, Colour.BLUE]),
    Access.READ | Access.WRITE,
    Pair(1, 2),
    np.arange(6).reshape(2, 3),
    np.array(["a", "é"]),
    np.array([True]),
    np.zeros(2, [("a", "i4"), ("b", "U2", (2,)), ("c", "?")]),
    np.array([1, "a", [2]], dtype=object),
    np.float32(1),
    np.str_("a"),
    np.ma.array([1, 2], mask=[0, 1]),
    np.arange(2, dtype=np.longdouble),
    pd.DataFrame(
        {
            "a": [1, 2],
            "s": ["x", None],
            "c": pd.Categorical(["u", "v"]),
            "n": pd.array([1, None], dtype="Int64"),
            "z": pd.date_range("2024", periods=2, tz="UTC"),
            "p": pd.period_range("2024", periods=2, freq="M"),
            "i": pd.interval_range(0, 2),
        }
    ),
    pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([(1, "x")])),
    pd.Series([1, 2], index=pd.date_range("2024", periods=2)),
    pd.RangeIndex(3),
    pd.Timestamp("2024-01-01", tz="UTC"),
    pd.Timedelta(1),
    pd.Period("2024-01", "M"),
    pd.Interval(0, 1),
    pd.NaT,
    Image.new("RGB", (2, 2)),
    Image.effect_noise((4, 4), 9).convert("P"),
    AgentText("a"),
    AgentImage(Image.new("L", (2, 2))),
    AgentAudio([0.5], samplerate=8000),
]
MODULES = (values_standard, values_time, values_classes, values_numpy, values_pandas, values_media)
TAGS = {
    tag: [*required.split(), *optional.split()]
    for module in MODULES
    for tag, (_, required, optional) in module.DECODERS.items()
}
NAMES = [f"{__name__}:{cls.__qualname__}" for cls in (Item, Colour, Access, Pair)]
NASTY = [
    *[0, -1, 1, 255, 2**31, 2**63, -(2**63), 10**18, 2**200, 1.5, 1e308, None, True, False, "", "a", "\ud800"],
    *["0x1", "nan", "inf", "AAAA", "AAECAwQFBgcICQoLDA0ODw==", "<f8", "<i8", "|b1", "<U3", "|S5", "|V0", "|O"],
    *["<M8[ns]", "<m8[D]", "RGB", "P", "ns", "D", "M", "0D", "99999999999D", "YS", "both", "1E+99", "1e" + "9" * 30],
    *["2024-01-01", "2024-01-01T00:00:00+01:00", "Europe/Paris", "../../etc/passwd", "Europe", "a:b", *NAMES],
    *["frozen", "eq", "hash", "int", "Flag", "IntFlag", "ValueError", "ExceptionGroup", "OSError", "object"],
    *["text", "longdouble", "posix", "NA", "__class__", [], {}, [[]], [0, 0], [1, 2, 3], [10**9, 10**9]],
]


def make_host() -> Codec:
    host = Codec(trusted=False, tool=lambda name: len)
    for cls in (Item, Colour, Access, Pair):
        host.register(cls)
    return host


HOST = make_host()
ENCODED = [json.loads(json.dumps(HOST.encode(value))) for value in VALUES]


def decode_or_refuse(data) -> None:
    """Decode on the host; what comes out must be a value that crosses, or an error of the codec."""
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            value = HOST.decode(data)
        except MalformedValueError as error:
            message = str(error)
        else:
            try:
                HOST.encode(value)
            except CannotCrossError:  # the tool, for instance
                pass
            message = "value"
    assert message.startswith("value")
    assert time.perf_counter() - started < 5


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(NASTY)


def tagged(inner):
    return st.sampled_from(sorted(TAGS)).flatmap(
        lambda tag: st.fixed_dictionaries({"$": st.just(tag), **{key: inner for key in TAGS[tag] if key != "name"}})
    )


anything = st.recursive(
    plain | st.sampled_from(ENCODED),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["$", "v", "a", "shape"]), inner, max_size=3),
        tagged(inner),
        tagged(inner),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(anything)
def test_any_json_is_a_value_or_an_error(data):
    decode_or_refuse(copy.deepcopy(data))


def places(data, path=()):
    """The paths of all parts of a structure."""
    yield path
    parts = enumerate(data) if isinstance(data, list) else data.items() if isinstance(data, dict) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_changed_encodings_of_real_values_are_values_or_errors(data):
    changed = [copy.deepcopy(data.draw(st.sampled_from(ENCODED)))]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([path for path in places(changed) if path]))
        parent = changed
        for key in path[:-1]:
            parent = parent[key]
        how = data.draw(st.sampled_from(["replace", "replace", "delete", "add", "edit"]))
        if how == "delete" and len(path) > 1:
            del parent[path[-1]]
        elif how == "add" and isinstance(parent, dict):
            parent[data.draw(st.sampled_from(["freq", "tz", "fold", "v", "offset", "extra"]))] = data.draw(plain)
        elif how == "edit" and isinstance(parent[path[-1]], str):
            parent[path[-1]] += data.draw(st.sampled_from(["A", "=", "\0", "A" * 4]))
        else:
            parent[path[-1]] = copy.deepcopy(data.draw(plain | st.sampled_from(ENCODED)))
    for part in changed:
        decode_or_refuse(part)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"$": "pickle", "v": ""}, "unknown type 'pickle'"),
        ({"$": 5}, "unknown type a number"),
        ({"$": None}, "unknown type null"),
        ({"$": "tuple"}, "a tuple needs 'v'"),
        ({"$": "tuple", "v": [], "extra": 1}, "a tuple does not have 'extra'"),
        ({"$": "tuple", "v": 5}, "an array is expected, not a number"),
        ({"$": "int", "v": "12"}, "hexadecimal"),
        ({"$": "int", "v": 12}, "must be text, not a number"),
        ({"$": "float", "v": "1.5"}, "'nan', 'inf' or '-inf'"),
        ({"$": "bytes", "v": "a$bc"}, "not valid base64"),
        ({"$": "bytes", "v": "abc"}, "not valid base64"),
        ({"$": "bytes", "v": "é"}, "not valid base64"),
        ({"$": "set", "v": [[]]}, "cannot be hashed"),
        ({"$": "dict", "v": [[[], 1]]}, "cannot be hashed"),
        ({"$": "dict", "v": [[1]]}, "a pair of key and value is expected"),
        ({"$": "range", "v": [0, 1, 0]}, r"not a valid range \(ValueError"),
        ({"$": "decimal", "v": "x"}, "not a valid decimal"),
        ({"$": "date", "v": [2024, 13, 1]}, "not a valid date"),
        ({"$": "zoneinfo", "v": "../../etc/passwd"}, "not the name of a time zone"),
        ({"$": "zoneinfo", "v": "/etc/localtime"}, "not the name of a time zone"),
        ({"$": "zoneinfo", "v": "Atlantis/Centre"}, "is not known here"),
        ({"$": "zoneinfo", "v": "Europe"}, "is not known here"),
        ({"$": "deque", "v": [1, 2], "maxlen": 1}, "longer"),
        ({"$": "defaultdict", "v": [], "factory": "eval"}, "unknown factory"),
        ({"$": "constant", "v": "eval"}, "unknown constant"),
        ({"$": "exception", "type": 5, "message": ""}, "must be text"),
        ({"$": "path", "v": 5, "of": "posix"}, "must be text"),
        ({"$": "path", "v": "a", "of": "mac"}, "posix"),
        ({"$": "dataclass", "type": "no colon", "v": {"a": 1}, "flags": []}, "not the name of a class"),
        ({"$": "dataclass", "type": "os:system", "v": {"__init__": 1}, "flags": []}, "cannot be the name of a field"),
        ({"$": "dataclass", "type": "a:B", "v": {"a b": 1}, "flags": []}, "not the name of a field"),
        ({"$": "dataclass", "type": "a:B", "v": {"a=print()": 1}, "flags": []}, "not the name of a field"),
        ({"$": "dataclass", "type": "a:class", "v": {}, "flags": []}, "not the name of a class"),
        ({"$": "dataclass", "type": "a:B", "v": {}, "flags": ["slots"]}, "unknown setting"),
        ({"$": "enum", "type": "a:B", "v": "X"}, "members of the enum a:B are missing"),
        ({"$": "enum", "type": "a:B", "v": "X", "base": "Enum", "members": [["Y", 1]]}, "no such member"),
        ({"$": "enum", "type": "a:B", "v": "X", "base": "type", "members": []}, "unknown kind of enum"),
        ({"$": "enum", "type": "a:B", "v": "_x_", "base": "Enum", "members": [["_x_", 1]]}, "not a valid enum"),
        ({"$": "namedtuple", "type": "a:B", "v": {"_x": 1}}, "not a valid namedtuple"),
        ({"$": "numpy.array", "dtype": "|O", "shape": [1], "v": text(bytes(8))}, "unknown type of elements"),
        ({"$": "numpy.array", "dtype": "|b1", "shape": [1], "v": text(b"\x02")}, "a boolean must be 0 or 1"),
        ({"$": "numpy.array", "dtype": "<U1", "shape": [1], "v": text(b"\xff" * 4)}, "not a character"),
        ({"$": "numpy.array", "dtype": "<f8", "shape": [2], "v": text(bytes(8))}, "cannot have 8 bytes"),
        ({"$": "numpy.array", "dtype": "<f8", "shape": [-1], "v": text(bytes(8))}, "a shape must be"),
        ({"$": "numpy.array", "dtype": "object", "shape": [2], "v": [1]}, "cannot have 1 elements"),
        ({"$": "image", "mode": "RGB", "size": [2, 2], "v": text(bytes(11))}, "cannot have 11 bytes"),
        ({"$": "image", "mode": "PNG", "size": [2, 2], "v": ""}, "unknown mode"),
        ({"$": "pandas.series", "v": [1], "index": 5, "name": None}, "index is expected"),
        (
            {"a": [0, {"$": "tuple", "v": [{"$": "set", "v": 5}]}]},
            r'^reply\["a"\]\[1\]\[0\]: an array is expected',
        ),
        (
            {"$": "dataclass", "type": "a:B", "v": {"x": [{"$": "?"}]}, "flags": []},
            r"^reply\.x\[0\]: unknown type '\?'",
        ),
    ],
    ids=lambda part: json.dumps(part)[:60] if isinstance(part, dict) else "",
)
def test_malformed_data_are_named(data, message):
    with pytest.raises(MalformedValueError, match=message) as caught:
        Codec(trusted=False).decode(data, "reply")
    assert str(caught.value).startswith("reply")


def test_deep_nesting():
    for wrap in (lambda v: [v], lambda v: {"a": v}, lambda v: {"$": "tuple", "v": [v]}, lambda v: {"$": v, "v": 1}):
        data = 1
        for _ in range(50_000):
            data = wrap(data)
        with pytest.raises(MalformedValueError, match=r"nested|unknown type"):
            Codec(trusted=False).decode(data)


def test_deep_nesting_of_element_types():
    dtype = "<i4"
    for _ in range(50_000):
        dtype = {"base": dtype, "shape": [1]}
    with pytest.raises(MalformedValueError, match="nested too deeply"):
        Codec(trusted=False).decode({"$": "numpy.array", "dtype": dtype, "shape": [1], "v": ""})


def test_what_is_not_json_is_refused():
    for data in (object(), b"x", (1,), {1}):
        with pytest.raises(MalformedValueError, match=r"is not JSON"):
            Codec(trusted=False).decode([data])


BOMBS = {
    "huge shape": {"$": "numpy.array", "dtype": "<f8", "shape": [10**12], "v": ""},
    "huge empty shape": {"$": "numpy.array", "dtype": "<f8", "shape": [0, 10**12], "v": ""},
    "shape of nothing": {"$": "numpy.array", "dtype": "|V0", "shape": [10**9], "v": ""},
    "huge element": {"$": "numpy.array", "dtype": "|S999999999", "shape": [0], "v": ""},
    "huge field": {"$": "numpy.dtype", "v": {"base": "<f8", "shape": [10**9]}},
    "huge record": {"$": "numpy.dtype", "v": {"fields": [], "size": 2**31 - 1}},
    "huge object array": {"$": "numpy.array", "dtype": "object", "shape": [10**10], "v": []},
    "huge image": {"$": "image", "mode": "RGB", "size": [10**6, 10**6], "v": ""},
    "many images of long sides": [{"$": "image", "mode": "L", "size": [0, 60_000], "v": ""}] * 5000,
    "image of long sides": {"$": "image", "mode": "RGB", "size": [0, 10**9], "v": ""},
    "huge range": {"$": "range", "v": [0, 10**15, 1]},
    "huge index": {"$": "pandas.range", "v": [0, 10**15, 1], "name": None},
    "huge categories": {
        "$": "pandas.categorical",
        "v": {"$": "numpy.array", "dtype": "|i1", "shape": [0], "v": ""},
        "categories": {"$": "pandas.range", "v": [0, 10**10, 1], "name": None},
        "ordered": False,
    },
    "huge intervals": {
        "$": "pandas.intervals",
        "left": {"$": "pandas.range", "v": [0, 10**10, 1], "name": None},
        "right": {"$": "pandas.range", "v": [1, 10**10 + 1, 1], "name": None},
        "closed": "left",
    },
    "huge deque": {"$": "deque", "v": [], "maxlen": 2**62},
    "huge exponent": {"$": "decimal", "v": "1E+999999999999999999"},
    "huge flag": {
        "$": "enum",
        "type": "a:B",
        "v": {"$": "int", "v": "0x" + "f" * 100_000},
        "base": "IntFlag",
        "members": [["A", {"$": "int", "v": "0x" + "f" * 100_000}]],
    },
    "huge fraction": {
        "$": "fraction",
        "v": [{"$": "int", "v": "0x" + "f" * 10**6}, {"$": "int", "v": "0x" + "e" * 10**6}],
    },
    "keys of one hash": {"$": "dict", "v": [[{"$": "int", "v": hex((2**61 - 1) * n)}, 1] for n in range(1, 50_000)]},
    "elements of one hash": {
        "$": "set",
        "v": [{"$": "tuple", "v": [{"$": "int", "v": hex((2**61 - 1) * n)}]} for n in range(1, 50_000)],
    },
    "many classes": [{"$": "dataclass", "type": f"a:B{n}", "v": {"x": 1}, "flags": []} for n in range(20_000)],
    "many fields": [{"$": "namedtuple", "type": f"a:B{n}", "v": {f"x{m}": 1 for m in range(900)}} for n in range(100)],
    "many enums": [
        {"$": "enum", "type": f"a:B{n}", "v": "X0", "base": "Enum", "members": [[f"X{m}", [m]] for m in range(400)]}
        for n in range(100)
    ],
    "many zones": [
        {"$": "datetime", "v": "2024-01-01", "tz": {"$": "zoneinfo", "v": f"Z{n}"}, "offset": 0} for n in range(20_000)
    ],
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_data_cannot_take_much_memory_or_time(name):
    host = Codec(trusted=False)
    host.decode([ENCODED[-2], {"$": "pandas.missing", "v": "NA"}])  # imports are not counted
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    started = time.perf_counter()
    try:
        host.decode(BOMBS[name])
    except MalformedValueError:
        pass
    taken = time.perf_counter() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 5
    assert peak < 60e6
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # kB


def test_no_module_is_imported_because_data_name_it():
    host = Codec(trusted=False)
    for tag, name in (("dataclass", "antigravity:geohash"), ("enum", "this:s"), ("namedtuple", "idlelib.run:main")):
        data = {"$": tag, "type": name, "v": {"x": 1}}
        data = {**data, "flags": []} if tag == "dataclass" else data
        try:
            host.decode(data)
        except MalformedValueError:
            pass
    host.decode({"$": "exception", "type": "antigravity.Error", "message": "x"})
    assert not {"antigravity", "this", "idlelib"} & set(sys.modules)


def test_an_exception_is_never_another_thing():
    host = Codec(trusted=False)
    for name in ("print", "object", "type", "int", "__import__", "open", "eval"):
        arrived = host.decode({"$": "exception", "type": name, "message": "x", "args": ["/etc/passwd"]})
        assert isinstance(arrived, Exception)
        assert str(arrived) == "x"


def test_generated_classes_do_not_reach_into_other_modules():
    host = Codec(trusted=False)
    arrived = host.decode({"$": "dataclass", "type": "os:path", "v": {"x": 1}, "flags": ["eq"]})
    assert type(arrived).__module__ != "os"
    assert type(arrived).__name__ == "path"
    members = [["A", 1], ["mro", 2]]
    with pytest.raises(MalformedValueError):
        host.decode({"$": "enum", "type": "os:E", "v": "A", "base": "Enum", "members": members})


def test_the_number_of_remembered_classes_is_bounded():
    host = Codec(trusted=False)
    for n in range(600):
        host.decode({"$": "dataclass", "type": f"a:B{n}", "v": {"x": 1}, "flags": []})
    assert len(host.classes._generated) <= 256
