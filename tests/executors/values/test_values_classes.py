"""Dataclasses, enums, named tuples and pydantic models cross with their names and become themselves again."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections import namedtuple
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import pytest

from smolagents.executors.worker.values import CannotCrossError, Codec, MalformedValueError


@dataclass
class Order:
    name: str
    count: int = 1
    tags: tuple[str, ...] = ()
    unit: ClassVar[str] = "piece"

    def __post_init__(self):
        if not isinstance(self.count, int) or self.count < 0:
            raise ValueError("count must not be negative")


@dataclass(frozen=True, order=True)
class Point:
    x: float
    y: float
    norm: float = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "norm", (self.x**2 + self.y**2) ** 0.5)


@dataclass
class Slotted:
    __slots__ = ("cls", "name", "self_")
    cls: int
    self_: int
    name: int


class Colour(enum.Enum):
    RED = "red"
    BLUE = ("b", 1)
    ROUGE = "red"  # noqa: PIE796 - a second name
    MUTABLE = [1, 2]


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Size(str, enum.Enum):
    SMALL = "s"


class Access(enum.Flag):
    READ = 1
    WRITE = 2
    BOTH = 3


class Mode(enum.IntFlag):
    A = 1
    B = 4


class Outer:
    class Inner(enum.Enum):
        ONE = Colour.RED


Pair = namedtuple("Pair", "left right")


class Named(NamedTuple):
    name: str
    cls: int = 0


VALUES = [
    Order("pen", 3, ("a",)),
    Point(3.0, 4.0),
    Slotted(1, 2, 3),
    Pair(1, [2]),
    Named("n", 2),
    Colour.RED,
    Colour.BLUE,
    Colour.ROUGE,
    Colour.MUTABLE,
    Level.HIGH,
    Size.SMALL,
    Access.READ,
    Access.READ | Access.WRITE,
    Access(0),
    Mode.A | Mode.B,
    Mode.A | 8,
    Outer.Inner.ONE,
    [Colour.RED, Colour.BLUE, Colour.RED],
    {Colour.RED: Order("x"), Point(1, 2): {Size.SMALL}, "deep": [{"p": (Pair(Named("a"), Level.LOW),)}]},
    {Point(0, 0), Point(0, 1)},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_comes_back_as_itself(boundary, value):
    back = boundary.both(value)[1]
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", [value for value in VALUES if isinstance(value, enum.Enum)], ids=repr)
def test_enum_members_come_back_as_the_same_object(boundary, value):
    assert boundary.both(value)[1] is value or isinstance(value, enum.Flag)


def test_the_far_side_gets_a_dataclass_of_that_name_and_its_fields(boundary):
    arrived = boundary.there(Order("pen", 3))
    assert type(arrived) is not Order
    assert dataclasses.is_dataclass(arrived)
    assert type(arrived).__name__ == "Order"
    assert dataclasses.asdict(arrived) == {"name": "pen", "count": 3, "tags": ()}
    assert repr(arrived) == "Order(name='pen', count=3, tags=())"
    assert arrived == boundary.there(Order("pen", 3))
    assert type(arrived) is type(boundary.there(Order("other")))


def test_what_the_far_side_changed_comes_back(boundary):
    arrived = boundary.there([Order("pen")])
    arrived[0].count = 7
    arrived.append(dataclasses.replace(arrived[0], name="cup"))
    assert boundary.back(arrived) == [Order("pen", 7), Order("cup", 7)]


def test_a_frozen_and_ordered_dataclass_is_that_on_the_far_side(boundary):
    arrived = boundary.there(Point(3.0, 4.0))
    assert arrived.norm == 5.0
    assert arrived < boundary.there(Point(4.0, 0.0))
    assert len({arrived, boundary.there(Point(3.0, 4.0))}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        arrived.x = 1


def test_the_classes_own_validation_runs_for_what_an_untrusted_side_says(boundary):
    arrived = boundary.there({"order": Order("pen", 3)})
    arrived["order"].count = -1
    with pytest.raises(
        MalformedValueError, match=r'value\["order"\]: .*Order does not accept .* count must not be negative'
    ):
        boundary.back(arrived)


def test_fields_that_are_computed_are_computed_again_for_an_untrusted_side(boundary):
    data = boundary.host.encode(Point(3.0, 4.0))
    data["v"]["norm"] = 1e9
    assert boundary.host.decode(data).norm == 5.0


def test_a_trusted_side_gives_every_field_back_as_it_was(boundary):
    data = boundary.far.encode(Point(3.0, 4.0))
    data["v"]["norm"] = 1e9
    assert boundary.far.decode(data).norm == 1e9


def test_fields_that_the_class_does_not_have_are_refused(boundary):
    data = boundary.host.encode(Order("pen"))
    data["v"]["__class__"] = 1
    with pytest.raises(MalformedValueError, match="Order has no field '__class__'"):
        boundary.host.decode(data)


def test_the_far_side_gets_an_enum_of_that_name_and_its_members(boundary):
    arrived = boundary.there(Colour.BLUE)
    assert type(arrived).__name__ == "Colour"
    assert arrived.name == "BLUE"
    assert arrived.value == ("b", 1)
    assert type(arrived).RED.value == "red"
    assert type(arrived).ROUGE is type(arrived).RED
    assert type(arrived)("red") is type(arrived).RED
    assert boundary.back(type(arrived).RED) is Colour.RED


def test_enums_keep_their_base(boundary):
    assert boundary.there(Level.HIGH) == 2
    assert boundary.there(Size.SMALL) == "s"
    arrived = boundary.there(Access.READ)
    assert arrived | type(arrived).WRITE == boundary.there(Access.BOTH)
    assert boundary.back(~arrived) == Access.WRITE


@pytest.mark.skipif(not hasattr(enum, "StrEnum"), reason="Python 3.11 has them")
def test_text_enums(boundary):
    Kind = enum.StrEnum("Kind", ["ONE", "TWO"], module=__name__)
    arrived, back = boundary.both(Kind.TWO)
    assert str(arrived) == "two"
    assert back is Kind.TWO


def test_members_are_written_once_in_a_message(boundary):
    written = boundary.host.encode([Colour.RED] * 3)
    assert ["members" in part for part in written] == [True, False, False]
    assert boundary.far.decode(written) == [boundary.there(Colour.RED)] * 3


def test_the_far_side_gets_a_named_tuple(boundary):
    arrived = boundary.there(Named("n", 2))
    assert arrived == ("n", 2)
    assert (arrived.name, arrived.cls) == ("n", 2)
    assert arrived._asdict() == {"name": "n", "cls": 2}


def test_classes_of_the_far_side_come_to_the_host_and_back_again(boundary):
    @dataclass
    class Mine:
        a: int

    class Choice(enum.Enum):
        YES = 1

    value = [Mine(1), Choice.YES]
    arrived = boundary.back(value)
    assert arrived[0].a == 1
    assert type(arrived[0]).__name__ == "Mine"
    back = boundary.there(arrived)
    assert back == value
    assert type(back[0]) is Mine
    assert back[1] is Choice.YES


def test_a_class_made_for_one_session_keeps_its_name_in_another(boundary):
    arrived = Codec(trusted=True).decode(boundary.host.encode(Order("pen")))
    third = Codec(trusted=True)
    assert boundary.host.decode(third.encode(arrived)) == Order("pen")


def test_only_classes_that_were_sent_or_registered_are_rebuilt(boundary):
    data = boundary.far.encode([Order("pen"), Colour.RED, Pair(1, 2)])
    arrived = boundary.host.decode(data)
    assert [type(part) in (Order, Colour, Pair) for part in arrived] == [False] * 3
    for cls in (Order, Colour, Pair):
        boundary.host.register(cls)
    assert boundary.host.decode(data) == [Order("pen"), Colour.RED, Pair(1, 2)]


def test_a_class_is_not_taken_for_one_of_another_kind(boundary):
    boundary.host.register(Order)
    name = f"{Order.__module__}:{Order.__qualname__}"
    for data in (
        {"$": "enum", "type": name, "v": "RED", "base": "Enum", "members": [["RED", 1]]},
        {"$": "namedtuple", "type": name, "v": {"name": "x"}},
        {"$": "pydantic", "type": name, "v": {"name": "x"}},
    ):
        with pytest.raises(MalformedValueError, match="is not a"):
            boundary.host.decode(data)


def test_a_class_whose_definition_changed_is_a_new_one(boundary):
    def make(*names):
        return dataclasses.make_dataclass("Local", names, namespace={"__module__": __name__})

    first = boundary.there(make("a")(1))
    second = boundary.there(make("a", "b")(1, 2))
    assert dataclasses.asdict(first) == {"a": 1}
    assert dataclasses.asdict(second) == {"a": 1, "b": 2}


def test_a_field_that_is_not_set_is_named(boundary):
    order = Order("pen")
    del order.name
    with pytest.raises(CannotCrossError, match=r"result\[0\]: the field 'name' is not set"):
        boundary.host.encode([order], "result")


class Task(enum.Enum):
    NAME = "name"
    RUN = (1, len)


def test_only_the_members_of_an_enum_that_can_cross_do(boundary):
    arrived, back = boundary.both([Task.NAME, Task.NAME])
    assert [member.name for member in type(arrived[0])] == ["NAME"]
    assert back == [Task.NAME, Task.NAME]
    with pytest.raises(CannotCrossError, match=r"value\[1\].value\[1\]: the function 'len' cannot cross"):
        boundary.host.encode([Task.NAME, Task.RUN])


def test_large_enums(boundary):
    Big = enum.Enum("Big", [f"X{n}" for n in range(501)], module=__name__)
    assert boundary.both(Big.X3)[1] is Big.X3
    with pytest.raises(CannotCrossError, match="more than 500 members cannot cross; pass the value of the member"):
        boundary.host.encode(Big.X500)


def test_a_generated_class_cannot_be_pickled_as_the_original(boundary):
    import pickle

    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(boundary.there(Order("pen")))


class TestPydantic:
    @pytest.fixture
    def models(self):
        pydantic = pytest.importorskip("pydantic")

        class Item(pydantic.BaseModel):
            name: str
            price: float = pydantic.Field(1.0, ge=0, alias="cost")

        class Cart(pydantic.BaseModel):
            model_config = pydantic.ConfigDict(extra="allow")
            items: list[Item]
            colour: Colour = Colour.RED

        return Item, Cart

    def test_comes_back_validated(self, boundary, models):
        item, cart = models
        value = cart(items=[item(name="pen", cost=2)], note="extra")
        arrived, back = boundary.both(value)
        assert arrived.items[0].name == "pen"
        assert arrived.colour.value == "red"
        assert arrived.note == "extra"
        assert back == value
        assert type(back) is cart
        assert type(back.items[0]) is item

    def test_generic_models(self, boundary):
        pydantic = pytest.importorskip("pydantic")
        from typing import Generic, TypeVar

        Content = TypeVar("Content")

        class Box(pydantic.BaseModel, Generic[Content]):
            content: Content

        arrived, back = boundary.both(Box[int](content=3))
        assert type(arrived).__name__ == "Box"
        assert back == Box[int](content=3)

    def test_wrong_fields_are_refused(self, boundary, models):
        item, _ = models
        arrived = boundary.there(item(name="pen", cost=2))
        arrived.price = -1
        with pytest.raises(MalformedValueError, match=r"(?s)Item does not accept these fields.*greater than or equal"):
            boundary.back(arrived)


def test_structures_survive_json(boundary):
    for value in VALUES:
        text = json.dumps(boundary.host.encode(value))
        assert text.isascii()
        assert json.dumps(boundary.host.encode(boundary.host.decode(json.loads(text)))) == text
