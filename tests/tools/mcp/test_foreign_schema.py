"""Schemas that others wrote become inputs that the library, and providers of models, can work with."""

from __future__ import annotations

import contextlib
import json
import keyword
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolagents import Tool
from smolagents.tools import AUTHORIZED_TYPES, prepare_tool_arguments
from smolagents.tools.foreign_schema import identifier, inputs_of_json_schema, type_of_schema
from smolagents.tools.plain_schema import plain_schema

DESCRIPTION = "See the description of the tool."


def one(spec: Any, required: bool = True, **root: Any) -> dict[str, Any]:
    inputs, _ = inputs_of_json_schema({"properties": {"x": spec}, "required": ["x"] if required else [], **root})
    return {key: value for key, value in inputs["x"].items() if value != DESCRIPTION}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "string"}, {"type": "string"}),
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"type": "integer", "nullable": True}),
        ({"type": "string", "nullable": True}, {"type": "string", "nullable": True}),
        (
            {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}]},
            {"type": ["integer", "string"], "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}]},
        ),
        ({}, {"type": "any"}),
        (True, {"type": "any"}),
        ({"type": "any"}, {"type": "any"}),
        ({"type": "file"}, {"type": "any"}),
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"enum": ["a", None]}, {"type": "string", "enum": ["a"], "nullable": True}),
        ({"const": 3}, {"type": "integer", "enum": [3]}),
        ({"properties": {"a": True}}, {"type": "object", "properties": {"a": {}}}),
        ({"type": "string", "format": "of-my-own"}, {"type": "string", "format": "of-my-own"}),
        ({"type": "number", "exclusiveMinimum": True}, {"type": "number"}),
        ({"type": "array", "items": True}, {"type": "array"}),
        (
            {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"properties": {"b": {}}}]},
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}},
        ),
        ({"type": "string", "description": "Said.", "title": "X"}, {"type": "string", "description": "Said."}),
        ({"type": "string", "title": "The X"}, {"type": "string", "description": "The X"}),
    ],
)
def test_what_a_property_becomes(spec: Any, expected: dict[str, Any]) -> None:
    assert one(spec) == expected


def test_what_is_not_required_may_be_left_out() -> None:
    assert one({"type": "string"}, required=False) == {"type": "string", "nullable": True}


def test_references_are_put_in_place() -> None:
    definitions = {"Place": {"type": "object", "title": "Place", "properties": {"city": {"type": "string"}}}}
    expected = {"type": "object", "properties": {"city": {"type": "string"}}}
    for root, pointer in (("$defs", "#/$defs/Place"), ("definitions", "#/definitions/Place")):
        assert one({"$ref": pointer}, **{root: definitions}) == {"description": "Place", **expected}
    assert one({"type": "array", "items": {"$ref": "#/$defs/Place"}}, **{"$defs": definitions})["items"] == expected
    assert one({"$ref": "https://example.com/schema"}) == {"type": "any"}
    assert one({"$ref": "#/$defs/Missing"}) == {"type": "any"}
    assert one({"$ref": "#/$defs/a~1b"}, **{"$defs": {"a/b": {"type": "integer"}}}) == {"type": "integer"}


def test_what_holds_itself_is_an_object_inside_itself() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}, "value": {"type": "integer"}}}
    found = one({"$ref": "#/$defs/Tree"}, **{"$defs": {"Tree": tree}})
    assert found["properties"]["left"] == {"type": "object"}
    assert found["properties"]["value"] == {"type": "integer"}


def test_a_property_may_be_called_like_a_keyword() -> None:
    spec = {"type": "object", "properties": {"title": {"type": "string"}, "$ref": {"type": "string"}}}
    assert one(spec)["properties"] == spec["properties"]


def test_names_are_identifiers_and_can_be_found_again() -> None:
    inputs, names = inputs_of_json_schema(
        {"properties": {"max-results": {}, "max.results": {}, "from": {}, "2nd": {}}}
    )
    assert names == {"max_results": "max-results", "max_results_2": "max.results", "from_": "from", "_2nd": "2nd"}
    assert list(inputs) == list(names)


@pytest.mark.parametrize("schema", [None, 5, [], {}, {"properties": []}, {"properties": {"x": {}}, "required": "x"}])
def test_what_is_no_schema_has_no_inputs_or_any(schema: Any) -> None:
    inputs, _ = inputs_of_json_schema(schema)
    assert all(spec["type"] == "any" for spec in inputs.values())


@given(st.text(), st.sets(st.text(max_size=3), max_size=3))
def test_an_identifier_is_one_and_is_new(name: str, taken: set[str]) -> None:
    found = identifier(name, taken)
    assert found.isidentifier()
    assert not keyword.iskeyword(found)
    assert found not in taken


def chain(length: int, keyword: str) -> dict[str, Any]:
    """Each definition refers to the next one twice: written out, the last is there 2 ** length times."""
    definitions: dict[str, Any] = {}
    for number in range(length):
        following = {"$ref": f"#/$defs/D{number + 1}"}
        definitions[f"D{number}"] = (
            {"type": "object", "properties": {"a": following, "b": following}}
            if keyword == "properties"
            else {keyword: [following, following]}
        )
    return {"properties": {"x": {"$ref": "#/$defs/D0"}}, "$defs": {**definitions, f"D{length}": {"type": "string"}}}


def everyone_refers_to_everyone(count: int) -> dict[str, Any]:
    """Written out, each order of the definitions is a path through them: count! of these."""
    fields = {f"f{number}": {"$ref": f"#/$defs/D{number}"} for number in range(count)}
    definitions = {f"D{number}": {"type": "object", "properties": fields} for number in range(count)}
    return {"properties": {"x": {"$ref": "#/$defs/D0"}, "y": {"type": "integer"}}, "$defs": definitions}


def nested(keyword: str, depth: int) -> dict[str, Any]:
    spec: Any = {"type": "string"}
    for _ in range(depth):
        spec = {"properties": {"a": spec}} if keyword == "properties" else {keyword: spec}
    return {"properties": {"x": spec}}


def deep_value(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


HOSTILE = {
    "doubling fields": chain(200, "properties"),
    "doubling alternatives": chain(200, "anyOf"),
    "doubling parts": chain(200, "allOf"),
    "all to all": everyone_refers_to_everyone(60),
    "each to the other": {
        "properties": {"x": {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}]}},
        "$defs": {"A": {"properties": {"p": {"$ref": "#/properties/x"}, "q": {"$ref": "#"}}}},
    },
    "the same place by many names": {
        "properties": {"x": {"anyOf": [{"$ref": "#" + "/properties/x" * n} for n in range(1, 40)]}},
    },
    "deep fields": nested("properties", 400),
    "deep items": nested("items", 400),
    "deep negation": nested("not", 400),
    "many arguments": {"properties": {f"x{n}": {"type": "string"} for n in range(100_000)}},
    "many arguments of like names": {"properties": {chr(0x4E00 + n): {} for n in range(20_000)}},
    "many alternatives": {"properties": {"x": {"anyOf": [{"const": n} for n in range(100_000)]}}},
    "many values": {"properties": {"x": {"type": "string", "enum": [f"value {n}" for n in range(200_000)]}}},
    "a long value": {"properties": {"x": {"const": "y" * 5_000_000}}},
    "a long text": {"properties": {"x": {"type": "string", "description": "y" * 5_000_000}}},
    "a deep value": {"properties": {"x": {"default": deep_value(900), "enum": [deep_value(900)]}}},
    "something of its own": {"properties": {"x": {"x-tree": deep_value(900), "type": "string"}}},
    "huge numbers": {"properties": {"x": {"minimum": 10**5000, "maximum": float("inf"), "enum": [10**5000, 1]}}},
    "a long pointer": {"properties": {"x": {"anyOf": [{"$ref": "#" + "/x" * 500_000}] * 500}}},
    "many anchors": {
        "properties": {"x": {"anyOf": [{"$ref": "#none"}] * 1000}},
        "$defs": {f"D{n}": {"$anchor": f"a{n}"} for n in range(50_000)},
    },
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_schema_made_to_do_harm_takes_little_time_and_room(kind: str) -> None:
    started = time.process_time()
    inputs, names = inputs_of_json_schema(HOSTILE[kind])
    schema = plain_schema(HOSTILE[kind])
    assert len(json.dumps(inputs)) < 300_000
    assert len(json.dumps(schema)) < 300_000
    assert set(inputs) == set(names)
    assert inputs

    class Remote(Tool):
        name = "remote"
        description = "Somewhere else."
        output_type = "any"
        output_schema = schema
        skip_forward_signature_validation = True

        def forward(self, **arguments: Any) -> Any:
            return arguments

    Remote.inputs = inputs
    tool = Remote()
    tool.to_code_prompt()
    tool.to_tool_calling_prompt()
    if "x" in inputs:
        for value in ("5", [[["a"]]], {"a": {"a": {"b": 1}}}, {"f0": {"f1": {"f2": {}}}}):
            with contextlib.suppress(TypeError, ValueError):
                prepare_tool_arguments(tool, {"x": value, **({"y": 1} if "y" in inputs else {})})
    assert time.process_time() - started < 5


def test_a_schema_that_grows_is_cut_in_its_depth_and_not_in_its_later_arguments() -> None:
    inputs, _ = inputs_of_json_schema(everyone_refers_to_everyone(30))
    assert inputs["y"]["type"] == "integer"
    assert set(inputs["x"]["properties"]) == {f"f{number}" for number in range(30)}
    assert inputs["x"]["properties"]["f7"]["type"] == "object"


def test_what_is_left_out_is_not_refused() -> None:
    values = [f"value {number}" for number in range(200_000)]
    fields = {f"f{number}": {"type": "string"} for number in range(5_000)}
    spec = {"type": "object", "properties": {**fields, "late": {"enum": values}}, "additionalProperties": False}
    inputs, _ = inputs_of_json_schema({"properties": {"x": spec, "y": {"enum": values}}})

    class Remote(Tool):
        name = "remote"
        description = "Somewhere else."
        output_type = "any"
        skip_forward_signature_validation = True

        def forward(self, **arguments: Any) -> Any:
            return arguments

    Remote.inputs = inputs
    given = {"x": {"f4999": "a", "late": values[-1]}}
    assert prepare_tool_arguments(Remote(), given) == given


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "string", "#/$defs/A", "#/properties/x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "A"]), inner, max_size=2),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    (
        "type properties items anyOf oneOf allOf $ref enum const required nullable minimum exclusiveMinimum minItems "
        "additionalProperties prefixItems title description format $defs default not definitions"
    ).split()
)
_TYPES = st.sampled_from(
    ["string", "integer", "number", "boolean", "array", "object", "null", ["string", "null"], "?"]
)
_SCHEMAS = st.recursive(
    st.booleans() | st.dictionaries(st.just("type"), _TYPES, max_size=1),
    lambda inner: st.one_of(
        st.dictionaries(_KEYS, _VALUES | inner, max_size=4),
        st.builds(lambda kind, inner: {**kind, **inner}, st.fixed_dictionaries({"type": _TYPES}), st.dictionaries(_KEYS, inner, max_size=2)),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        st.dictionaries(st.sampled_from(["x", "A"]), inner, max_size=2).map(lambda fields: {"properties": fields}),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(_SCHEMAS, _SCHEMAS, _VALUES)
def test_any_schema_becomes_inputs_that_tools_and_the_validator_take(spec: Any, definition: Any, value: Any) -> None:
    schema = {"type": "object", "properties": {"x": spec}, "$defs": {"A": definition}}
    found, _ = inputs_of_json_schema(schema)

    class Remote(Tool):
        name = "remote"
        description = "Somewhere else."
        inputs = found
        output_type = type_of_schema(spec)
        output_schema = plain_schema(spec)
        skip_forward_signature_validation = True

        def forward(self, **arguments: Any) -> Any:
            return arguments

    tool = Remote()
    assert tool.output_type in AUTHORIZED_TYPES
    assert "$ref" not in _keys(tool.parameters["properties"]["x"])
    tool.to_code_prompt()
    tool.to_tool_calling_prompt()
    try:
        prepare_tool_arguments(tool, {"x": value})
    except (TypeError, ValueError) as error:
        assert "'x'" in str(error)  # noqa: PT017


def _keys(schema: Any) -> set[str]:
    """The keywords of a schema, without the names of fields and the values of lists of values."""
    if isinstance(schema, list):
        return set().union(*map(_keys, schema))
    if not isinstance(schema, dict):
        return set()
    found = set(schema)
    for key, value in schema.items():
        if key == "properties":
            found |= set().union(*map(_keys, value.values()))
        elif key not in ("enum", "const", "default"):
            found |= _keys(value)
    return found
