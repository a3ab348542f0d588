"""What models pass to tools: turned where nothing is lost, at any depth, and refused in words that help."""

from __future__ import annotations

import dataclasses as dc
import enum
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from typing_extensions import NotRequired, Required, TypedDict

from smolagents import CodeAgent, Tool, ToolCallingAgent, tool
from smolagents.testing import ScriptedModel
from smolagents.tools import prepare_tool_arguments


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dc.dataclass
class Point:
    x: int
    y: float = 1.0
    color: Color | None = None


class Options(TypedDict, total=False):
    size: Required[int]
    note: str


class Order(TypedDict):
    number: int
    note: NotRequired[str]


class Parcel(BaseModel):
    weight: int
    color: Color = Color.RED


@tool
def everything(
    union: Union[int, str] = "",  # noqa: UP007
    either: int | Point | None = None,
    choice: Literal["a", 2] = "a",
    points: list[Point] | None = None,
    table: dict[str, list[int]] | None = None,
    pair: tuple[int, str] | None = None,
    options: Options | None = None,
    order: Order | None = None,
    parcel: Optional[Parcel] = None,  # noqa: UP045
    ratio: Annotated[float, "From 0 to 1."] = 0.5,
) -> Any:
    """Takes everything.

    Args:
        union: A number or a text.
        either: A number or a point.
        choice: One of two.
        points: Points.
        table: Lists of numbers by name.
        pair: A number and a text.
        options: Options.
        order: An order.
        parcel: A parcel.
    """
    return {name: value for name, value in locals().items() if name in given_names}


given_names: set[str] = set()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"union": 3}, 3),
        ({"union": "3"}, "3"),
        ({"either": "4"}, 4),
        ({"either": {"x": "1"}}, Point(1)),
        ({"choice": "2"}, 2),
        ({"points": [{"x": "1", "color": "blue"}, {"x": 2.0}]}, [Point(1, color=Color.BLUE), Point(2)]),
        ({"points": '[{"x": "1"}]'}, [Point(1)]),
        ({"table": {"a": ["1", 2.0]}}, {"a": [1, 2]}),
        ({"pair": ["1", "1"]}, (1, "1")),
        ({"options": {"size": "1"}}, {"size": 1}),
        ({"order": '{"number": "7", "note": "x"}'}, {"number": 7, "note": "x"}),
        ({"parcel": {"weight": "3", "color": "blue"}}, Parcel(weight=3, color=Color.BLUE)),
        ({"ratio": "0.25"}, 0.25),
    ],
)
def test_what_loses_nothing_is_turned_at_any_depth(given: dict[str, Any], wanted: Any) -> None:
    given_names.clear()
    given_names.update(given)
    ((name, value),) = everything(**prepare_tool_arguments(everything, given)).items()
    assert name in given
    assert (value, type(value)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"either": "x"}, r"Argument 'either' .*has type 'string' but should be 'integer' or 'object'"),
        (
            {"points": [{"x": "one"}]},
            r"'points' .*item 0, field 'x' has type 'string' but should be 'integer': got 'one'",
        ),
        ({"points": '[{"x": "one"}]'}, r"item 0, field 'x' has type 'string' but should be 'integer'"),
        ({"points": [{"y": 1}]}, r"item 0 lacks the field 'x'"),
        ({"table": {"a": [1.5]}}, r"field 'a', item 0 has type 'number' but should be 'integer': got 1\.5"),
        ({"pair": [1]}, r"'pair' .*has 1 items but must have 2"),
        ({"options": {"note": "x"}}, r"'options' .*lacks the field 'size'"),
        ({"order": {"note": "x"}}, r"'order' .*lacks the field 'number'"),
        ({"parcel": {"weight": 1, "color": "green"}}, r"field 'color' is 'green' but must be one of: 'red', 'blue'"),
        ({"choice": "b"}, r"is 'b' but must be one of: 'a', 2"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(given: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        prepare_tool_arguments(everything, given)


def test_keys_of_typed_dictionaries_are_required_as_they_say() -> None:
    assert everything.inputs["options"]["required"] == ["size"]
    assert everything.inputs["order"]["required"] == ["number"]


@given(st.lists(st.integers() | st.floats(allow_nan=False) | st.text() | st.booleans() | st.none()))
def test_values_that_fit_are_never_touched(values: list[Any]) -> None:
    @tool
    def take(values: list[Any]) -> Any:
        """Takes.

        Args:
            values: Values.
        """
        return values

    prepared = prepare_tool_arguments(take, {"values": values})["values"]
    assert prepared is values


def types_in(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(types_in, schema))
    if not isinstance(schema, dict):
        return set()
    kinds = schema.get("type", [])
    own = {kinds} if isinstance(kinds, str) else set(kinds) if isinstance(kinds, list) else set()
    return own.union(*(types_in(value) for key, value in schema.items() if key not in ("enum", "default")))


def test_no_schema_has_a_type_that_providers_refuse() -> None:
    assert types_in(everything.parameters) <= {"string", "integer", "number", "boolean", "array", "object", "null"}


# Bad input


class Named(Tool):
    name = "everything"
    description = "Has a name that another has."
    inputs = {}
    output_type = "string"

    def forward(self) -> str:
        return ""


@pytest.mark.parametrize("kind", [CodeAgent, ToolCallingAgent])
def test_two_tools_of_one_name_are_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"everything.*"):
        kind([everything, Named()], ScriptedModel([]))


def undocumented(number: int) -> int:
    return number


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (undocumented, "'undocumented'.*[Dd]ocstring|'undocumented'.*'number'"),
        (lambda number: number, "A lambda cannot be a tool.*Write a function with 'def'"),
        (3, "@tool takes a function"),
        (Named, "@tool takes a function.*derive it from smolagents.Tool"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_with_the_remedy(bad: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tool(bad)
