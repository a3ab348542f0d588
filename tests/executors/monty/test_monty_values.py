"""Values of tools and variables: plain ones cross as copies, the others stay outside and come back as they are."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import fractions
import math
import pathlib
import time
import types
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smolagents.executors.errors import InterpreterError
from smolagents.executors.worker.values import CannotCrossError

texts = st.text(st.characters(codec="utf-8"), max_size=20)
zones = st.none() | st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)).map(
    lambda delta: dt.timezone(dt.timedelta(minutes=delta // dt.timedelta(minutes=1)))
)
keys = st.one_of(texts, st.integers(), st.none(), st.tuples(st.integers(), texts), st.binary(max_size=5))
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts, st.binary(max_size=20),
    st.complex_numbers(allow_nan=False), st.dates(), st.datetimes(timezones=zones), st.timedeltas(),
    st.decimals(allow_nan=False, places=3), st.sampled_from([..., 10**400]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
    ),
    max_leaves=15,
)


def same(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict):
        return list(map(repr, one)) == list(map(repr, two)) and all(map(same, one.values(), two.values()))
    return bool(one == two)


def both_ways(executor, value):
    seen = []
    executor.send_tools({"show": lambda given: seen.append(given) or given})
    executor.send_variables({"sent": value})
    output = executor("back = show(sent)\nback").output
    return seen[0], output


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values)
def test_plain_values_are_the_same_after_both_ways(shared, value):
    for back in both_ways(shared, value):
        assert same(back, value)


def test_not_a_number_and_signed_zero(shared):
    for back in both_ways(shared, [math.nan, -0.0, decimal.Decimal("NaN")]):
        assert math.isnan(back[0])
        assert math.copysign(1, back[1]) == -1
        assert back[2].is_nan()


Point = collections.namedtuple("Point", "x y")


class Level(enum.IntEnum):
    LOW = 1


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Order:
    item: str
    count: int = 1
    tags: list[str] = field(default_factory=list)
    _secret: str = "key"


@dataclass(frozen=True)
class Line:
    order: Order
    colour: Colour


def test_close_relatives_of_plain_values_enter_as_these(shared):
    for value, plain in {
        Level.LOW: 1,
        bytes(bytearray(b"ab")): b"ab",
    }.items():
        assert both_ways(shared, value)[0] == plain
    for value, plain in [
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (collections.deque([1, 2], maxlen=3), [1, 2]),
        (range(3), [0, 1, 2]),
        ({"a": 1}.values(), [1]),
        ({"a": 1}.items(), [("a", 1)]),
    ]:
        for back in both_ways(shared, value):
            assert same(back, plain)


def test_paths_and_named_tuples_keep_their_types(shared):
    for back in both_ways(shared, {"p": pathlib.Path("/data/a b"), "t": [Point(1, [2])]}):
        assert same(back, {"p": pathlib.Path("/data/a b"), "t": [Point(1, [2])]})
        assert type(back["t"][0]) is Point
    assert shared("(sent['p'].name, sent['t'][0].y)").output == ("a b", [2])


# -- what stays outside ------------------------------------------------------------------------------------------


def test_data_classes_enums_and_the_like_show_their_fields_and_come_back_as_they_are(shared):
    order = Order("pen", 3, ["a"])
    value = {
        "order": order,
        "line": Line(order, Colour.RED),
        "id": uuid.UUID(int=5),
        "third": fractions.Fraction(1, 3),
        "space": types.SimpleNamespace(a=1, _b=2),
    }
    for back in both_ways(shared, value):
        for name, sent in value.items():
            assert back[name] is sent
    assert shared("(sent['order'].item, sent['order'].tags, sent['line'].order.count)").output == ("pen", ["a"], 3)
    assert shared("(sent['line'].colour.name, sent['line'].colour.value)").output == ("RED", "red")
    assert shared("sent['id'].text").output == str(value["id"])
    assert shared("(sent['third'].numerator, sent['third'].denominator)").output == (1, 3)
    assert shared("sent['space'].a").output == 1
    assert shared("str(sent['order'])").output == "Order(item='pen', count=3, tags=['a'])"


def test_fields_are_those_of_when_the_value_crossed_last(shared):
    order = Order("pen")

    def add(given):
        given.count += 1
        return given

    shared.send_tools({"get": lambda: order, "add": add})
    assert shared("one = get()\ntwo = add(one)\n(two.count, add(one).count, get().count)").output == (2, 3, 3)
    shared("two.count = 50")
    assert shared("add(two)").output is order
    assert order.count == 4


def test_private_fields_and_methods_cannot_be_reached(shared, failure):
    shared.send_variables({"order": Order("pen")})
    for source in (
        "order._secret",
        "order.__dict__",
        "type(order)()",
        "order.__class__.__init__",
        "order.__init__('x')",
    ):
        failure(shared, source)


class Session:
    api_key = "secret"

    def __call__(self):
        return "called"

    def post(self):
        return "posted"


def test_other_objects_are_opaque(shared, failure):
    session = Session()
    shared.send_tools({"connect": lambda: session, "use": lambda given: given is session})
    assert shared("s = connect()\n(use(s), use(given=s), use([s]))").output == (True, True, False)
    assert shared("[s]").output[0] is session
    for source in ("s.api_key", "s.post()", "s()", "s[0]", "len(s)", "for x in s: pass"):
        text = str(failure(shared, source))
        assert "secret" not in text
        assert "post" not in text.rpartition("\n")[2]
    assert "give it to tools as it is" in str(failure(shared, "s.api_key"))


def test_sets_and_keys_that_the_interpreter_cannot_hash_come_back_too(shared):
    value = {"colours": {Colour.RED}, "by": {Colour.RED: 1}, "frozen": frozenset([(Colour.RED, 1)])}
    for back in both_ways(shared, value):
        assert back == value
    assert shared("[c.value for c in sent['colours'].items]").output == ["red"]
    assert shared("[(k.name, v) for k, v in sent['by'].pairs]").output == [("RED", 1)]


def test_arrays_and_frames_tell_their_shape_and_can_be_read(shared, failure):
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    array = np.arange(6).reshape(2, 3)
    frame = pd.DataFrame({"n": [1, 2], "t": ["a", None]})
    shared.send_tools({"load": lambda: {"array": array, "frame": frame, "one": np.float32(1.5), "when": pd.NaT}})
    data = shared("data = load()\ndata").output
    assert data["array"] is array
    assert data["frame"] is frame
    assert (data["one"], type(data["one"]), data["when"]) == (1.5, float, None)
    assert shared("a = data['array']\n(a.shape, a.dtype, a.tolist())").output == ((2, 3), "int64", array.tolist())
    assert shared("f = data['frame']\n(f.columns, f.shape, f.records()[0])").output == (
        ["n", "t"],
        (2, 2),
        {"n": 1, "t": "a"},
    )
    assert "A ndarray stays outside" in str(failure(shared, "a.mean()"))
    assert ".tolist()" in str(failure(shared, "a + 1"))
    failure(shared, "f.to_pickle('x')")


def test_images_go_from_tool_to_tool(shared):
    image_module = pytest.importorskip("PIL.Image")
    image = image_module.new("RGB", (5, 4))
    shared.send_tools({"draw": lambda: image, "width": lambda given: given.size[0]})
    assert shared("picture = draw()\n(width(picture), picture.size, picture.mode)").output == (5, (5, 4), "RGB")
    assert shared("picture").output is image


def test_handles_survive_that_the_session_is_put_back(make, failure):
    np = pytest.importorskip("numpy")
    executor = make(timeout_seconds=0.3)
    order, array = Order("pen"), np.arange(3)
    executor.send_tools({"load": lambda: (order, array), "same": lambda one, two: one is order and two is array})
    executor("order, array = load()")
    failure(executor, "while True: pass")
    assert executor("same(order, array)").output is True
    assert executor("(order.item, array.tolist())").output == ("pen", [0, 1, 2])


# -- what is refused ---------------------------------------------------------------------------------------------


def test_what_cannot_enter_is_named(shared):
    cyclic: list[Any] = []
    cyclic.append({"again": cyclic})
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    for value, message in [
        ({"rows": [1, (n for n in [])]}, r'data\["rows"\]\[1\]: a generator cannot cross'),
        ([["\ud800"]], r"data\[0\]\[0\]: the text holds half of a surrogate pair"),
        (cyclic, "it contains itself"),
        (deep, "nested too deeply"),
    ]:
        with pytest.raises(CannotCrossError, match=message):
            shared.send_variables({"data": value})


def test_a_result_that_cannot_enter_is_an_error_of_the_code(shared, failure):
    shared.send_tools({"bad": lambda: {"f": [len]}})
    assert 'TypeError: the result of bad()["f"][0]: the function len cannot cross' in str(failure(shared, "bad()"))
    assert shared("try:\n    bad()\nexcept TypeError:\n    'caught'").output == "caught"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("[1, lambda: 2]", "argument 1 of take()[1]: <function '<lambda>'"),
        ("{'f': (print, 1)}", "argument 1 of take()['f'][0]: <built-in function print>"),
        ("Item([{Plain()}])", "argument 1 of take().name[0][0]: an object of class Plain"),
        ("iter([1])", "pass list(...) of it"),
        ("Plain()", "an object of class Plain cannot leave the code; pass a dict or a dataclass"),
        ("Plain", "<class 'Plain'>"),
        ("later()", "await it first"),
        ("math", "<module 'math'>"),
        ("take", "argument 1 of take(): <function 'call'"),
        ("nested(200)", "nested more than"),
        ("nested(5000)", "it contains itself or is nested too deeply"),
        ("circle", "it contains itself or is nested too deeply"),
        ("{i * (2**61 - 1): 0 for i in range(200_000)}", "keys or elements have the same hash"),
        ("{(i * (2**61 - 1),) for i in range(20_000)}", "keys or elements have the same hash"),
    ],
)
def test_what_cannot_leave_is_named(shared, failure, argument, message):
    shared.send_tools({"take": lambda value=None: value})
    shared(
        "import math\nfrom dataclasses import dataclass\nclass Plain: pass\nasync def later(): pass\n"
        "@dataclass\nclass Item:\n    name: list\n"
        "def nested(depth):\n    x = []\n    for _ in range(depth): x = [x]\n    return x\n"
        "circle = []\ncircle.append(circle)"
    )
    started = time.monotonic()
    assert message in str(failure(shared, f"take({argument})"))
    assert message.replace("argument 1", "argument value") in str(failure(shared, f"take(value={argument})"))
    assert time.monotonic() - started < 10


def test_relatives_of_containers_leave_as_what_they_are(shared):
    seen = []
    shared.send_tools({"take": lambda *values: seen.extend(values)})
    shared(
        "from collections import Counter, defaultdict, deque, namedtuple\nPair = namedtuple('Pair', 'a b')\n"
        "take(range(2, 9, 3), range(0), deque([1], maxlen=2), Counter('aab'), defaultdict(list, a=[1]), Pair(1, [2]),"
        " {'a': 1}.keys(), {'a': 1}.values(), {'a': 1}.items(), KeyError('k'), {'$': 1})"
    )
    expected = [
        range(2, 9, 3), range(0), collections.deque([1], maxlen=2), collections.Counter("aab"),
        collections.defaultdict(list, a=[1]),
    ]  # fmt: skip
    for one, two in zip(seen, expected, strict=False):
        assert (type(one), one) == (type(two), two)
    assert (seen[5], seen[5].b, type(seen[5]).__name__) == ((1, [2]), [2], "Pair")
    assert seen[6:9] == [["a"], [1], [("a", 1)]]
    assert isinstance(seen[9], KeyError)
    assert seen[10] == {"$": 1}


def test_data_classes_of_the_code_leave_as_classes_of_their_name(shared):
    seen = []
    shared.send_tools({"take": seen.append})
    shared("from dataclasses import dataclass\n@dataclass\nclass Item:\n    name: str\n    parts: list")
    output = shared("item = Item('a', [Item('b', [])])\ntake(item)\nitem").output
    for item in (seen[0], output):
        assert (type(item).__name__, item.name, item.parts[0].name) == ("Item", "a", "b")


def test_outputs_without_a_form_outside_are_told_as_text(shared):
    assert repr(shared("class Car:\n    def __repr__(self): return 'a car'\nCar()").output) == "a car"
    assert str(shared("[print]").output) == "[<built-in function print>]"
    assert str(shared("x = []\nx.append(x)\nx").output) == "[[...]]"
    assert "length 2000000, too large" in str(shared("[0] * 2_000_000").output)
    assert "same hash" in str(shared("{i * (2**61 - 1): 0 for i in range(200_000)}").output)
    assert str(shared("len").output) == "<built-in function len>"


def test_what_a_tool_raises_has_its_type_and_text(shared, failure):
    class Missing(KeyError):
        pass

    def fail(name):
        raise {
            "key": KeyError("city"),
            "own": Missing("city"),
            "file": FileNotFoundError(2, "no such file", "a.txt"),
            "unicode": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
            "text": ValueError("\ud800"),
        }[name]

    shared.send_tools({"fail": fail})
    for name, kind, text in [
        ("key", "KeyError", "'city'"),
        ("own", "KeyError", "'city'"),
        ("file", "FileNotFoundError", "[Errno 2] no such file: 'a.txt'"),
        ("unicode", "UnicodeDecodeError", "'utf-8' codec can't decode byte 0xff in position 0: invalid"),
        ("text", "ValueError", "?"),
    ]:
        code = f"try:\n    fail({name!r})\nexcept Exception as error:\n    (type(error).__name__, str(error))"
        assert shared(code).output == (kind, text)
    error = failure(shared, "fail('own')")
    assert isinstance(error.__cause__, Missing)
    assert str(error).endswith("Missing: 'city'")


def test_variables_must_have_names(shared):
    for name in ("not a name", "", "__name__", 5):
        with pytest.raises(ValueError, match="cannot be the name of a variable"):
            shared.send_variables({name: 1})


def test_functions_among_variables_can_be_called(executor):
    executor.send_variables({"helpers": {"double": lambda n: 2 * n, "triple": lambda n: 3 * n}, "plain": max})
    assert executor("[helpers['double'](4), helpers['triple'](4), plain(1, 5)]").output == [8, 12, 5]


def test_results_of_tools_do_not_bring_functions_that_can_be_called(executor, failure):
    called = []
    executor.send_tools({"get": lambda: Session(), "bring": lambda: called.append})
    failure(executor, "get()()")
    assert isinstance(failure(executor, "bring()(1)"), InterpreterError)
    assert called == []
