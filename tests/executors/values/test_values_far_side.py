"""The codec runs from its source text alone, in an interpreter that does not have the package."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import pathlib
import shutil
import subprocess
import sys
import uuid
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from smolagents.executors.worker.values import Codec
from smolagents.types.agent_types import AgentAudio, AgentImage, AgentText

# Reads the source texts, then messages; answers each with what its value is there, and the value again.
FAR = """
import json, sys
from importlib.machinery import ModuleSpec
sources = json.loads(sys.stdin.readline())
sys.modules["smolagents"] = None
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        short = name.partition(".")[2]
        if name == "far" or (name.startswith("far.") and short in sources):
            return ModuleSpec(name, Finder, is_package=name == "far")
    @staticmethod
    def create_module(spec):
        return None
    @staticmethod
    def exec_module(module):
        exec(sources.get(module.__name__.partition(".")[2], ""), module.__dict__)
sys.meta_path.insert(0, Finder)
sys.path += json.loads(sys.stdin.readline())
before = set(sys.modules)
from far.values import Codec
loaded = sorted(set(sys.modules) - before)
codec = Codec(trusted=True)
print(json.dumps(loaded), flush=True)
for line in sys.stdin:
    value = codec.decode(json.loads(line))
    print(json.dumps([type(value).__name__, codec.encode(value)]), flush=True)
"""


@dataclasses.dataclass(frozen=True)
class Order:
    name: str
    when: dt.date


class Colour(enum.Enum):
    RED = "red"


Pair = collections.namedtuple("Pair", "left right")

VALUES = [
    {"a": [1, 2**70, 1.5, float("inf"), None, True, "é\ud800"]},
    (b"x", bytearray(b"y"), {1, (2,)}, frozenset({1}), 1j, range(3), slice(1), Ellipsis),
    [dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc), dt.time(1), dt.timedelta(1)],
    [decimal.Decimal("1.10"), uuid.UUID(int=3), pathlib.Path("/a/b")],
    [collections.deque([1], 2), collections.OrderedDict(a=1), collections.Counter("aa")],
    {Colour.RED: {Order("pen", dt.date(2026, 1, 1))}, 5: [Pair(1, Colour.RED)]},
]


class Far:
    """An interpreter on the other side of two pipes."""

    def __init__(self, python):
        self.host = Codec(trusted=False)
        self.process = subprocess.Popen(
            [python, "-I", "-S", "-c", FAR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def start(self, paths):
        folder = resources.files("smolagents.executors.worker")
        sources = {
            entry.name.removesuffix(".py"): entry.read_text("utf-8")
            for entry in folder.iterdir()
            if entry.name.startswith("values")
        }
        self._write(json.dumps(sources))
        self.loaded = self._ask(json.dumps(paths))

    def _write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _ask(self, line):
        self._write(line)
        return json.loads(self.process.stdout.readline())

    def both(self, value):
        """The name of the value's type there, and what came back."""
        name, data = self._ask(json.dumps(self.host.encode(value)))
        return name, self.host.decode(data)

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture
def far(request):
    python, paths = getattr(request, "param", (sys.executable, []))
    side = Far(python)
    try:
        side.start(paths)
        yield side
    finally:
        side.close()


def oldest_python():
    """An interpreter of the oldest version that the far side may have: on the path, or installed beside this one."""
    siblings = sorted(pathlib.Path(sys.base_prefix).parent.glob("3.9.*/bin/python"))
    for path in [shutil.which("python3.9"), *map(str, siblings)]:
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


OLDEST = oldest_python()


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_standard_values(far, value):
    assert far.both(value)[1] == value


@pytest.mark.skipif(OLDEST is None, reason="there is no Python 3.9 here")
@pytest.mark.parametrize("far", [(OLDEST, [])], indirect=True)
def test_the_oldest_python(far):
    for value in VALUES:
        assert far.both(value)[1] == value


def test_little_is_loaded_before_a_value_needs_it(far):
    assert not {"dataclasses", "inspect", "decimal", "zoneinfo", "pathlib", "uuid", "asyncio"} & set(far.loaded)


@pytest.mark.parametrize("far", [(sys.executable, [str(pathlib.Path(np.__file__).parent.parent)])], indirect=True)
def test_libraries_and_agent_types(far):
    frame = pd.DataFrame({"a": [1, 2], "s": ["x", None], "z": pd.date_range("2024", periods=2, tz="UTC")})
    name, back = far.both(frame)
    assert name == "DataFrame"
    pd.testing.assert_frame_equal(back, frame)
    name, back = far.both(np.arange(6).reshape(2, 3))
    assert name == "ndarray"
    assert back.tolist() == [[0, 1, 2], [3, 4, 5]]
    image = Image.effect_noise((5, 4), 9)
    assert far.both(image) == ("Image", image)
    assert far.both(AgentText("a")) == ("str", "a")
    assert far.both(AgentImage(image)) == ("Image", image)
    assert far.both(AgentAudio([0.5], samplerate=8000)) == ("tuple", (8000, [0.5]))
    assert far.both({"deep": [VALUES[5], (frame.iloc[0, 0],)]})[1]["deep"][0] == VALUES[5]


PRELOADED = """
import builtins, sys
sys.path.insert(0, sys.argv[1])
from worker.values import Codec, preload
preload()
sys.path.clear()
codec = Codec(trusted=True)
for data in (
    {"$": "decimal", "v": "1"},
    {"$": "fraction", "v": [1, 2]},
    {"$": "uuid", "v": "0" * 32},
    {"$": "path", "v": "a", "of": "posix"},
    {"$": "timezone", "v": [0, 0, 0]},
    {"$": "deque", "v": []},
    {"$": "namespace", "v": []},
    {"$": "dataclass", "type": "a:B", "v": {"x": 1}, "flags": []},
    {"$": "enum", "type": "a:C", "base": "Enum", "members": [["A", 1]], "v": "A"},
    {"$": "namedtuple", "type": "a:D", "v": {"x": 1}},
):
    assert codec.decode(codec.encode(codec.decode(data))) is not None
"""


def test_values_arrive_where_the_library_cannot_be_read_any_more():
    folder = pathlib.Path(str(resources.files("smolagents.executors.worker"))).parent
    subprocess.run([sys.executable, "-I", "-S", "-c", PRELOADED, str(folder)], check=True, timeout=60)
