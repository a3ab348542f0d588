"""What cannot cross is refused with its path and what to pass instead."""

from __future__ import annotations

import io
import json
import os
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from smolagents.executors.worker.values import CannotCrossError, Codec


@dataclass
class Job:
    handle: Any


class Own:
    pass


class Broken:
    __module__ = "numpy"


async def coroutine():
    pass


def codec(**options):
    return Codec(trusted=True, **options)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"rows": [1, 2, 3, Job(n for n in [1])]},
            'result["rows"][3].handle: a generator cannot cross; pass a list, text, numbers, …',
        ),
        (len, "result: the function 'len' cannot cross; call it and pass the result"),
        ([lambda: 0], "result[0]: the function '<lambda>' cannot cross; call it and pass the result"),
        ([].append, "result: the function 'append' cannot cross; call it and pass the result"),
        (json, "result: the module 'json' cannot cross; import it on the other side"),
        ({"a": Own}, "result[\"a\"]: the class 'Own' cannot cross; pass an instance of a dataclass, or text, "),
        (Own(), "result: an object of class 'Own' cannot cross; pass its content as a dict, a list, text, numbers, "),
        (object(), "result: an object cannot cross; pass its content as a dict"),
        ((1, threading.Lock()), "result[1]: a lock cannot cross; pass its content"),
        (io.StringIO(), "result: an open file (StringIO) cannot cross; pass its content, or its path"),
        ({"é": {1: {2: [Own()]}}}, 'result["é"][1][2][0]: an object of class'),
        ({print: 1}, "result.keys()[0]: the function 'print' cannot cross"),
        ({1: 2, (3, Own()): 4}, "result.keys()[1][1]: an object of class"),
        ({(3, "a"): Own()}, "result[(3, 'a')]: an object of class"),
        ({1, Own()}, "result{…}: an object of class"),
        (slice(Own()), "result.stop: an object of class"),
        ({}.keys(), "result: a view of a dict (dict_keys) cannot cross; pass a list, text, numbers, …"),
        (iter([1]), "result: a list iterator cannot cross; pass a list, text, numbers, …"),
        ({"k" * 100: Own()}, 'result["' + "k" * 59 + '…"]: an object of class'),
        ({2**20000: Own()}, "result[<int>]: an object of class"),
        (Broken(), "result: an object of class 'Broken' cannot cross"),
    ],
    ids=lambda part: part[:40] if isinstance(part, str) else "",
)
def test_the_path_and_the_remedy_are_named(value, message):
    with pytest.raises(CannotCrossError) as caught:
        codec().encode(value, "result")
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, TypeError)


def test_coroutines():
    value = coroutine()
    with pytest.raises(CannotCrossError, match="value: a coroutine cannot cross; await it and pass the result"):
        codec().encode(value)
    value.close()


def test_open_files(tmp_path):
    with (
        open(tmp_path / "x", "w") as file,
        pytest.raises(CannotCrossError, match=r"value: an open file \(TextIOWrapper\) cannot cross; pass its content"),
    ):
        codec().encode(file)


def cyclic_list():
    value: list = [0]
    value.append({"me": value})
    return value, r'value\[1\]\["me"\]'


def cyclic_dict():
    value: dict = {}
    value["a"] = (1, value)
    return value, r'value\["a"\]\[1\]'


def cyclic_dataclass():
    value = Job(None)
    value.handle = [value]
    return value, r"value\.handle\[0\]"


def wide_cycle():
    value: list = [[n] for n in range(20_000)]
    value.append(value)
    return value, r"value\[20000\]"


@pytest.mark.parametrize(
    "make", [cyclic_list, cyclic_dict, cyclic_dataclass, wide_cycle], ids=lambda make: make.__name__
)
def test_cycles(make):
    value, path = make()
    with pytest.raises(CannotCrossError, match=path + ": it contains itself; a cycle cannot cross"):
        codec().encode(value)


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"a": v}, lambda v: (v,), Job, lambda v: {1: v}])
def test_depth(wrap):
    value: Any = 1.5
    for _ in range(100):
        value = wrap(value)
    far = codec()
    host = Codec(trusted=False)
    host.register(Job)
    assert host.decode(json.loads(json.dumps(far.encode(value)))) == value
    with pytest.raises(CannotCrossError, match=r"nested more than 100 levels deep; pass a flatter value$"):
        far.encode(wrap(value))
    with pytest.raises(CannotCrossError, match="nested more than 3 levels deep"):
        codec(max_depth=3).encode(value)


def test_far_too_deep():
    value: list = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(CannotCrossError, match="nested more than 100 levels deep"):
        codec().encode(value)


def test_a_property_that_raises_is_reported_with_the_path():
    class Wrong(os.PathLike, dict):
        def __fspath__(self):
            return ""

        def items(self):
            raise RuntimeError("no items today")

        def __iter__(self):
            return iter(["a"])

    with pytest.raises(CannotCrossError, match=r"value\[1\]: .* could not be read \(RuntimeError: no items today\)"):
        codec().encode([0, Wrong(a=1)])


def test_an_error_leaves_the_codec_usable():
    far = codec()
    shared = [1, (2,)]
    with pytest.raises(CannotCrossError):
        far.encode([shared, print])
    assert far.encode(shared) == [1, {"$": "tuple", "v": [2]}]


class TestTools:
    """Functions of one side that stand under a name on the other."""

    def test_a_named_function_crosses_as_its_name(self):
        tools = {"search": print}
        far = codec(handle=lambda value: "search" if value is print else None)
        host = Codec(trusted=False, tool=tools.__getitem__)
        written = far.encode({"use": [print]})
        assert written == {"use": [{"$": "tool", "v": "search"}]}
        assert host.decode(json.loads(json.dumps(written)))["use"][0] is print

    def test_others_are_still_refused(self):
        far = codec(handle=lambda value: None)
        with pytest.raises(CannotCrossError, match=r"value\[0\]: the function 'len' cannot cross"):
            far.encode([len])

    def test_only_what_cannot_cross_is_asked_for(self):
        asked = []
        codec(handle=asked.append).encode([1, "a", (2,), {"b": Job(1)}, ValueError("x")])
        assert asked == []

    def test_a_name_that_is_not_known_is_malformed(self):
        for host in (Codec(trusted=False), Codec(trusted=False, tool={}.__getitem__)):
            with pytest.raises(ValueError, match=r"value\[0\]: .*tool"):
                host.decode([{"$": "tool", "v": "search"}])
