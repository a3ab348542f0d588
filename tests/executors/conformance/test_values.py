"""Values of every type cross in both directions: as arguments, results, variables and outputs."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import math
import pathlib
import uuid
from dataclasses import dataclass

import pytest

from smolagents.executors.errors import InterpreterError
from smolagents.executors.worker.values import CannotCrossError

SUBJECT = "values"


@dataclass
class Order:
    item: str
    count: int
    tags: tuple[str, ...] = ()


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


PLAIN = {
    "none": None,
    "booleans": [True, False],
    "text": 'ü ☃ \U0001f600 \x00 "quoted" \\ \n',
    "integers": [0, -1, 2**31, 2**63, 10**30],
    "floats": [0.1, -0.0, 1e300],
    "tuple": (1, (2, ()), [3]),
    "dict": {"a": {"b": [1]}},
    "keys": {1: "a", (1, 2): "b", None: "c"},
    "bytes": b"\x00\xff",
}
RICH = {
    "infinities": [math.inf, -math.inf],
    "sets": [{1, 2}, frozenset("ab")],
    "complex": 1 + 2j,
    "datetime": dt.datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=dt.timezone.utc),
    "date": [dt.date(2026, 2, 3), dt.timedelta(days=1, microseconds=3)],
    "decimal": decimal.Decimal("1.10"),
    "fraction": fractions.Fraction(1, 3),
    "uuid": uuid.UUID(int=5),
    "path": pathlib.Path("/tmp/x y"),
    "huge": 7**5000,
    "dataclass": Order("pen", 3, ("a",)),
    "enum": [Colour.RED],
    "nested": {"orders": [Order("pen", 1), {"when": dt.date(2026, 1, 1), "raw": (b"x", {Colour.BLUE})}]},
}


def both_ways(executor, value):
    seen = []
    executor.send_tools({"show": lambda given: seen.append(given) or given})
    executor.send_variables({"sent": value})
    output = executor("back = show(sent)\nback").output
    return seen[0], output


@pytest.mark.parametrize("name", PLAIN)
def test_plain_values(executor, name):
    value = PLAIN[name]
    for back in both_ways(executor, value):
        assert back == value
        assert type(back) is type(value)


@pytest.mark.needs("rich_values")
@pytest.mark.parametrize("name", RICH)
def test_rich_values(executor, name):
    value = RICH[name]
    for back in both_ways(executor, value):
        assert back == value
        assert type(back) is type(value)


@pytest.mark.needs("rich_values")
def test_not_a_number(executor):
    for back in both_ways(executor, [math.nan]):
        assert math.isnan(back[0])


@pytest.mark.needs("rich_values", "numpy")
def test_arrays_and_frames(make):
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    executor = make(imports=["numpy", "pandas"])
    array = np.arange(12, dtype="float32").reshape(3, 4)[:, ::2]
    for back in both_ways(executor, array):
        np.testing.assert_array_equal(back, array)
        assert back.dtype == array.dtype
    for back in both_ways(executor, np.float64(1.5)):
        assert back == 1.5
        assert type(back) is np.float64
    frame = pd.DataFrame({"n": [1, 2], "t": ["a", None], "d": pd.to_datetime(["2026-01-01", None])}, index=["x", "y"])
    for back in both_ways(executor, frame):
        pd.testing.assert_frame_equal(back, frame)
    assert executor("import numpy as np\nnp.array([1, 2]) * 3").output.tolist() == [3, 6]
    assert executor("import pandas as pd\npd.DataFrame({'a': [1, 2]}).a.sum()").output == 3


@pytest.mark.needs("rich_values", "pillow")
def test_images(make):
    image_module = pytest.importorskip("PIL.Image")
    executor = make(imports=["PIL"])
    image = image_module.new("RGB", (5, 4), (1, 2, 3))
    for back in both_ways(executor, image):
        assert back.size == (5, 4)
        assert back.getpixel((2, 2)) == (1, 2, 3)


def test_two_megabytes(executor):
    text = "äb" * 1_000_000
    for back in both_ways(executor, text):
        assert back == text
    data = bytes(range(256)) * 8192
    for back in both_ways(executor, data):
        assert back == data


@pytest.mark.needs("boundary")
def test_what_cannot_cross_is_named(executor):
    with pytest.raises(CannotCrossError, match=r"data\['rows'\]\[1\]|data\[\"rows\"\]\[1\]"):
        executor.send_variables({"data": {"rows": [1, (n for n in [])]}})
    executor.send_tools({"bad": lambda: {"rows": [1, open]}})
    with pytest.raises(InterpreterError, match=r"result of bad\(\)"):
        executor("bad()")
    executor.send_tools({"take": lambda value: value})
    with pytest.raises(InterpreterError, match=r"argument 1 of take\(\)"):
        executor("take([1, lambda: 2])")


@pytest.mark.needs("generators")
def test_an_output_that_cannot_cross_is_told_as_text(executor):
    output = executor("values = (n for n in [1, 2])\nvalues").output
    assert "generator" in str(output)
    assert executor("next(values)").output == 1
