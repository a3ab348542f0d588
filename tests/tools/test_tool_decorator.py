"""Tools made of functions: schemas from hints and docstrings."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import datetime as dt
import enum
import pickle
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolagents.tools import Tool, tool, validate_tool_arguments
from smolagents.tools.types import schema_of_hint


@tool
def convert(amount: float, unit: Literal["C", "F"] = "C", *, note: str | None = None) -> str:
    """Converts a temperature.

    It is exact.

    Args:
        amount (`float`): How much,
            in degrees.
        unit: The unit.
        note: What to add.

    Returns:
        The text.
    """
    return f"{amount} {unit} {note}"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Person(TypedDict):
    name: str
    age: Optional[int]  # noqa: UP045


@dataclasses.dataclass
class Place:
    city: str
    at: tuple[float, float] = (0.0, 0.0)
    parent: Place | None = None


def test_hints_and_docstring_make_the_schema():
    assert isinstance(convert, Tool)
    assert (convert.name, convert.description, convert.output_type) == (
        "convert",
        "Converts a temperature.\n\nIt is exact.",
        "string",
    )
    assert convert.inputs == {
        "amount": {"type": "number", "description": "How much, in degrees."},
        "unit": {"type": "string", "description": "The unit.", "enum": ["C", "F"], "nullable": True},
        "note": {"type": "string", "description": "What to add.", "nullable": True},
    }


def test_it_is_called_as_the_function_was():
    assert convert(1.5) == "1.5 C None"
    assert convert(1.5, "F", note="x") == "1.5 F x"
    assert convert.__name__ == "convert"
    assert convert.__doc__.startswith("Converts")

    @tool
    def count(items: dict) -> int:
        """Counts.

        Args:
            items: What to count.
        """
        return len(items)

    assert count({"items": 1}) == 1


def test_the_code_prompt_shows_types_defaults_and_what_is_returned():
    assert convert.to_code_prompt() == (
        "def convert(amount: float, unit: Literal['C', 'F'] = 'C', note: str | None = None) -> str:\n"
        '    """Converts a temperature.\n\n    It is exact.\n\n    Args:\n        amount: How much, in degrees.\n'
        "        unit: The unit.\n        note: What to add.\n\n    Returns:\n        The text.\n"
        '    """'
    )


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (Any, {"type": "any"}),
        (None, {"type": "null"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (list, {"type": "array"}),
        (list[Any], {"type": "array"}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (dict[str, Any], {"type": "object"}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (
            tuple[int, str],
            {"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": [{"type": "integer"}, {"type": "string"}]},
        ),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (Union[int, str], {"type": ["integer", "string"]}),  # noqa: UP007
        (int | float, {"type": "number"}),
        (int | Any, {"type": "any"}),
        (Literal[1, "a"], {"type": ["integer", "string"], "enum": [1, "a"]}),
        (Color, {"type": "string", "enum": ["red", "blue"]}),
        (Path, {"type": "string"}),
        (Annotated[int, "How many"], {"type": "integer", "description": "How many"}),
        (
            Person,
            {
                "type": "object",
                "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
                "required": ["name", "age"],
            },
        ),
        (
            Place,
            {
                "type": "object",
                "properties": {
                    "city": {"type": "string"},
                    "at": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}},
                    "parent": {"type": ["object", "null"]},
                },
                "required": ["city"],
            },
        ),
        (object(), {"type": "any"}),
    ],
)
def test_type_hints_become_json_schema(hint, schema):
    assert schema_of_hint(hint) == schema


def test_images_and_pydantic_models():
    import PIL.Image
    import pydantic

    class Inner(pydantic.BaseModel):
        n: int

    class Outer(pydantic.BaseModel):
        inner: Inner
        title: str = "x"

    assert schema_of_hint(PIL.Image.Image) == {"type": "image"}
    schema = schema_of_hint(Outer)
    assert schema["properties"]["inner"] == {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
    }
    assert "title" in schema["properties"]


_simple = st.sampled_from([int, str, float, bool, Any, list, dict, Color, Literal["a"]])
_hints = st.recursive(
    _simple,
    lambda inner: st.one_of(
        inner.map(lambda hint: list[hint]),
        inner.map(lambda hint: dict[str, hint]),
        st.tuples(inner, inner).map(lambda pair: Union[pair]),  # noqa: UP007
        inner.map(lambda hint: Optional[hint]),  # noqa: UP045
        st.tuples(inner, inner).map(lambda pair: tuple[pair]),
    ),
    max_leaves=6,
)


@given(_hints)
def test_every_hint_gives_a_tool_whose_prompt_is_python(hint):
    import ast

    def work(value):
        """Works.

        Args:
            value: Anything.
        """

    work.__annotations__ = {"value": hint, "return": hint}
    made = tool(work)
    ast.parse(made.to_code_prompt())
    assert '"any"' not in str(made.parameters).replace("'", '"')


@pytest.mark.parametrize(
    "docstring",
    [
        "Adds.\n\n:param a: The first.\n:param b: The second.\n:returns: The sum.",
        "Adds.\n\nParameters\n----------\na : int\n    The first.\nb : int\n    The second.\n\nReturns\n-------\nint\n    The sum.",
        "Adds.\n\nArgs:\n  a (int): The first.\n  b (int, optional): The second.\n\nReturns:\n  int: The sum.",
    ],
)
def test_docstrings_in_the_usual_styles(docstring):
    def add(a: int, b: int) -> int:
        return a + b

    add.__doc__ = docstring
    made = tool(add)
    assert made.description == "Adds."
    assert [spec["description"] for spec in made.inputs.values()] == ["The first.", "The second."]
    assert "The sum." in made.to_code_prompt()


def test_choices_in_the_docstring_and_annotated_descriptions():
    @tool
    def pick(unit: str, n: Annotated[int, "How many"]) -> str:
        """Picks.

        Args:
            unit: The unit (choices: ["C", "F"])
        """
        return unit * n

    assert pick.inputs["unit"] == {"type": "string", "description": "The unit", "enum": ["C", "F"]}
    assert pick.inputs["n"]["description"] == "How many"


def _undocumented(a: int) -> int:
    """Does."""
    return a


def _no_doc(a: int) -> int:
    return a


def _no_hint(a) -> int:
    """Does.

    Args:
        a: The a.
    """


def _no_return(a: int):
    """Does.

    Args:
        a: The a.
    """


def _star(*args: int) -> int:
    """Does."""


def _stars(**kwargs: int) -> int:
    """Does."""


def _unresolved(a: Nowhere) -> int:  # noqa: F821
    """Does.

    Args:
        a: The a.
    """


def _positional(a: int, /) -> int:
    """Does.

    Args:
        a: The a.
    """


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_undocumented, "(?s)does not describe the argument 'a'.*Args:.*a: "),
        (_no_doc, "does not describe the argument 'a'"),
        (_no_hint, "'a' has no type hint.*'a: str'"),
        (_no_return, "no return type hint"),
        (_star, r"takes \*args.*by name"),
        (_stars, r"takes \*\*kwargs.*by name"),
        (_unresolved, "'Nowhere' names nothing"),
        (_positional, "positional-only"),
        (lambda x: x, "lambda cannot be a tool"),
        (int, "derive it from smolagents.Tool"),
        (3, "takes a function"),
        (print, "print"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_with_what_to_write(function, message):
    with pytest.raises(TypeError, match=message):
        tool(function)


def test_tools_made_of_functions_travel_by_reference_or_by_source():
    assert pickle.loads(pickle.dumps(convert)) is convert
    factor = 3

    @tool
    def triple(n: int) -> int:
        """Triples.

        Args:
            n: A number.
        """
        return n * factor

    assert pickle.loads(pickle.dumps(triple))(4) == 12
    assert copy.deepcopy([triple])[0] is triple


def check(arguments: Any) -> None:
    validate_tool_arguments(convert, arguments)


def test_right_arguments_pass():
    check({"amount": 1})
    check({"amount": 1.5, "unit": "F", "note": None})


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({}, ValueError, "'amount' of tool 'convert' is required.*It takes: amount, unit, note"),
        ({"amount": 1, "ammount": 2}, ValueError, "'ammount' is not an argument.*It takes: amount, unit, note"),
        ({"amount": "1"}, TypeError, "'amount' of tool 'convert' has type 'string' but should be 'number': got '1'"),
        ({"amount": True}, TypeError, "has type 'boolean' but should be 'number'"),
        ({"amount": None}, TypeError, "has type 'null' but should be 'number'"),
        ({"amount": 1, "unit": "K"}, ValueError, "'unit'.* is 'K' but must be one of: 'C', 'F'"),
        ("1", ValueError, "in place of its arguments by name"),
    ],
)
def test_wrong_arguments_are_named_with_what_is_wanted(arguments, kind, message):
    with pytest.raises(kind, match=message):
        check(arguments)


@tool
def deep(people: list[Person], size: int = 3) -> int:
    """Looks inside.

    Args:
        people: Some people.
        size: The size.
    """
    return len(people) * size


def test_values_are_checked_inside_lists_and_objects():
    validate_tool_arguments(deep, {"people": [{"name": "a", "age": None}]})
    with pytest.raises(TypeError, match=r"item 1, field 'name' has type 'integer' but should be 'string'"):
        validate_tool_arguments(deep, {"people": [{"name": "a", "age": 1}, {"name": 3, "age": 1}]})
    with pytest.raises(ValueError, match=r"item 0 lacks the field 'age'"):
        validate_tool_arguments(deep, {"people": [{"name": "a"}]})


def test_arguments_are_turned_only_where_nothing_is_lost():
    from smolagents.tools import prepare_tool_arguments

    assert prepare_tool_arguments(deep, {"people": '[{"name": "a", "age": 1}]', "size": "3.0"}) == {
        "people": [{"name": "a", "age": 1}],
        "size": 3,
    }
    assert prepare_tool_arguments(deep, {"people": [], "size": None}) == {"people": []}
    with pytest.raises(TypeError, match="'size' of tool 'deep' has type 'string'"):
        prepare_tool_arguments(deep, {"people": [], "size": "3.5"})
    assert prepare_tool_arguments(convert, {"amount": 1, "note": "12"}) == {"amount": 1, "note": "12"}


@tool
def plan(color: Color, place: Place | None, days: list[dt.date], tags: set[str], folder: Path = Path(".")) -> Any:
    """Gives back what it was given.

    Args:
        color: A colour.
        place: A place.
        days: Some days.
        tags: Some tags.
        folder: A folder.
    """
    return color, place, days, tags, folder


def test_the_function_is_given_what_its_hints_say():
    expected = (Color.RED, Place("x", (1.0, 2.0)), [dt.date(2024, 5, 3)], {"a"}, Path("f"))
    plain = ["red", {"city": "x", "at": [1.0, 2.0]}, ["2024-05-03"], ["a", "a"], "f"]
    assert plan(*plain) == expected
    assert plan(**dict(zip(plan.inputs, plain, strict=True))) == expected
    assert plan(*expected) == expected
    assert plan(Color.BLUE, None, [], set())[1] is None
    assert asyncio.run(plan.acall(*plain)) == expected


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, "green", "'color' of tool 'plan' cannot be 'green'"),
        (1, {"town": "x"}, "'place' .* unknown field 'town'; the fields are: at, city, parent"),
        (2, ["soon"], "'days' .* cannot be"),
    ],
)
def test_a_plain_value_that_stands_for_nothing_is_refused(position, value, message):
    arguments = [Color.RED, None, [], set()]
    arguments[position] = value
    with pytest.raises(ValueError, match=message):
        plan(*arguments)


def test_pydantic_models_are_made_of_objects():
    import pydantic

    class Order(pydantic.BaseModel):
        n: int

    def total(orders: list[Order]) -> int:
        """Adds up.

        Args:
            orders: The orders.
        """
        return sum(order.n for order in orders)

    total.__annotations__ = {"orders": list[Order], "return": int}
    assert tool(total)([{"n": 1}, {"n": 2}]) == 3
