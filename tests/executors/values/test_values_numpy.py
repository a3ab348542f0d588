"""NumPy arrays and scalars of every type but code cross in both directions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from smolagents.executors.worker.values import CannotCrossError, Codec

INNER = np.dtype([("flag", "?"), ("text", "U3")])
RECORD = np.dtype(
    {"names": ["a", "b", "ü"], "formats": ["i4", (">f8", (2,)), INNER], "offsets": [4, 16, 40], "itemsize": 64}
)


def record(count):
    made = np.zeros(count, RECORD)
    made["a"] = range(count)
    made["ü"]["flag"] = True
    made["ü"]["text"] = "é☃"
    return made


ARRAYS = {
    "integers": np.arange(6).reshape(2, 3),
    "strided": np.arange(10.0)[::3],
    "columns first": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "transposed": np.arange(6).reshape(2, 3).T,
    "no dimensions": np.array(3.5),
    "empty": np.array([]),
    "empty with columns": np.zeros((0, 5), "i2"),
    "big-endian": np.arange(3, dtype=">i4"),
    "booleans": np.array([[True, False]]),
    "half": np.float16([1.5, np.nan, np.inf]),
    "complex": np.array([1 + 2j, complex(np.nan, 1)]),
    "text": np.array(["a", "bcé", ""]),
    "big-endian text": np.array(["a", "☃"], dtype=">U2"),
    "bytes": np.array([b"x", b"yz"]),
    "void": np.array([b"abc"], dtype="V3"),
    "dates": np.array(["2024-01-01", "NaT"], "M8[ns]"),
    "durations": np.array([1, -5], "m8[25s]"),
    "structured": record(3),
    "part of structured": record(3)["ü"],
    "structured without dimensions": record(1).reshape(()),
    "objects": np.array([1, "a", None, [1, 2], (3,), {"b": b"x"}, 2**70], dtype=object),
    "table of objects": np.array([[1, None], ["x", 2.5]], dtype=object),
    "one object": np.array({"a": 1}, dtype=object),
    "long doubles": np.array([1, np.nan, np.inf, -0.0], dtype=np.longdouble) / 3,
    "complex long doubles": np.arange(3, dtype=np.clongdouble) / np.clongdouble(3j),
    "read-only": np.broadcast_to(np.arange(3), (2, 3)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(boundary, name):
    array = ARRAYS[name]
    for arrived in boundary.both(array):
        assert type(arrived) is np.ndarray
        assert arrived.dtype == array.dtype
        assert arrived.shape == array.shape
        assert arrived.flags.writeable
        np.testing.assert_array_equal(arrived, array)


def test_arrays_in_arrays_of_objects(boundary):
    array = np.empty(2, dtype=object)
    array[0], array[1] = np.arange(3), [np.float32(1.5)]
    for arrived in boundary.both(array):
        np.testing.assert_array_equal(arrived[0], np.arange(3))
        assert type(arrived[1][0]) is np.float32


@pytest.mark.skipif(not hasattr(np, "dtypes") or not hasattr(np.dtypes, "StringDType"), reason="NumPy 2 has it")
def test_arrays_of_text_of_any_length(boundary):
    array = np.array([["a", "é" * 50]], dtype=np.dtypes.StringDType())
    for arrived in boundary.both(array):
        assert arrived.dtype == array.dtype
        assert arrived.tolist() == array.tolist()


def test_masked_arrays(boundary):
    array = np.ma.array([[1, 2], [3, 4]], mask=[[False, True], [False, False]])
    for arrived in boundary.both(array):
        assert type(arrived) is np.ma.MaskedArray
        assert arrived.tolist() == [[1, None], [3, 4]]


def test_subclasses_arrive_as_arrays(boundary):
    arrived = boundary.there([np.rec.array([(1, 2.5)], dtype=[("a", int), ("b", float)])])
    assert type(arrived[0]) is np.ndarray
    assert arrived[0]["b"].tolist() == [2.5]


@pytest.mark.parametrize(
    "scalar",
    [
        np.float64(1.5),
        np.float32("nan"),
        np.int8(-3),
        np.uint64(2**64 - 1),
        np.bool_(True),
        np.complex64(1j),
        np.str_("a\0"),
        np.str_("\ud83d\ude00"),
        np.bytes_(b"a\0"),
        np.bytes_(b""),
        np.datetime64("2024-01-01"),
        np.datetime64("NaT", "s"),
        np.timedelta64(3, "s"),
        np.longdouble(1) / 3,
        np.clongdouble(1j) / 3,
        record(2)[1],
    ],
    ids=lambda scalar: f"{type(scalar).__name__} {scalar}",
)
def test_scalars(boundary, scalar):
    for arrived in boundary.both(scalar):
        assert type(arrived) is type(scalar)
        assert arrived.dtype == scalar.dtype
        assert arrived == scalar or str(arrived) == str(scalar)


def test_types_of_elements(boundary):
    for dtype in (np.dtype("<f4"), np.dtype(object), RECORD, np.dtype("M8[us]")):
        for arrived in boundary.both(dtype):
            assert arrived == dtype


def test_scalars_as_keys(boundary):
    assert boundary.both({np.int64(1): "a", np.str_("b"): 2})[1] == {1: "a", "b": 2}


@settings(max_examples=100, deadline=None)
@given(
    npst.arrays(
        dtype=npst.scalar_dtypes() | npst.nested_dtypes(max_leaves=3) | st.just(np.dtype("U4")),
        shape=npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    )
)
def test_any_array_comes_back_as_it_was(array):
    host, far = Codec(trusted=False), Codec(trusted=True)
    if array.dtype.itemsize == 0 or "O" in str(array.dtype):
        return
    arrived = far.decode(json.loads(json.dumps(host.encode(array))))
    back = host.decode(json.loads(json.dumps(far.encode(arrived))))
    for copy in (arrived, back):
        assert copy.dtype == array.dtype
        assert copy.shape == array.shape
        assert copy.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([[1, print]], dtype=object), r"value\[0, 1\]: the function 'print' cannot cross"),
        (np.array(print, dtype=object), r"value\[\(\)\]: the function 'print' cannot cross"),
        (np.zeros(2, [("a", "O")]), r"value: an array with elements of type object cannot cross; convert it"),
        (np.zeros(2, [("a", np.longdouble)]), r"value: an array with elements of type .* cannot cross; convert it"),
        (np.random.default_rng(0), r"value: an object of class 'Generator' cannot cross"),
    ],
    ids=["element", "only element", "field", "long double in a field", "generator"],
)
def test_what_cannot_cross(value, message):
    with pytest.raises(CannotCrossError, match=message):
        Codec(trusted=True).encode(value)
