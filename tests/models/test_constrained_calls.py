"""Tool calls held to a schema: the schema, and the reader of what was written under it."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from smolagents.models import ChatMessageStreamDelta, TokenUsage, agglomerate_stream_deltas
from smolagents.models.constrained_calls import read_constrained_call, tool_call_schema, tool_list_prompt
from support.model_helpers import FakeTool

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet="a}{\"' \\é\n", max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@given(
    st.text(min_size=1, max_size=8),
    st.dictionaries(st.text(max_size=3), json_values, max_size=3),
    st.lists(st.integers(0, 200), max_size=10),
    st.sampled_from([None, 2]),
)
def test_a_call_is_read_however_it_is_cut_into_pieces(name, arguments, cuts, indent):
    written = {"name": name, "arguments": arguments}
    # What else the schema asks for, such as a thought before the call, is text.
    asked = tool_call_schema([FakeTool(name)])["anyOf"][0]["properties"]
    text = json.dumps({key: written.get(key, 'I } "think".') for key in asked}, indent=indent)
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    deltas = [ChatMessageStreamDelta(content=text[a:b]) for a, b in pairwise(places)]
    deltas.append(ChatMessageStreamDelta(finish_reason="stop"))
    deltas.append(ChatMessageStreamDelta(token_usage=TokenUsage(1, 2)))
    read = list(read_constrained_call(deltas))
    message = agglomerate_stream_deltas(read)
    (call,) = message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (name, arguments)
    assert message.content == ("" if set(asked) == set(written) else 'I } "think".')
    assert (message.finish_reason, message.token_usage) == ("tool_calls", TokenUsage(1, 2))
    assert read[-1].token_usage is not None


@given(st.integers(0, 60))
def test_a_call_that_was_cut_short_says_so_and_loses_nothing(length):
    asked = tool_call_schema([FakeTool("f")])["anyOf"][0]["properties"]
    text = json.dumps({key: {"name": "f", "arguments": {"a": "xyz"}}.get(key, "so") for key in asked})[:length]
    deltas = [ChatMessageStreamDelta(content=text), ChatMessageStreamDelta(finish_reason="length")]
    message = agglomerate_stream_deltas(read_constrained_call(deltas))
    assert message.finish_reason == "length"
    if message.tool_calls:
        assert '{"a": "xyz"}'.startswith(message.tool_calls[0].function.arguments)
    else:
        assert message.content == text.rstrip()


def test_schema_has_a_branch_for_each_tool(weather, final_answer):
    weather.inputs["note"] = {"type": "any", "description": "x"}
    weather.inputs["photo"] = {"type": "image", "description": "x", "default": None}
    schema = tool_call_schema([weather, final_answer], "tool", "args")
    first, second = schema["anyOf"]
    assert first["properties"]["tool"] == {"const": "get_weather"}
    assert second["properties"]["tool"] == {"const": "final_answer"}
    assert first["required"] == list(first["properties"])
    arguments = first["properties"]["args"]
    assert arguments["required"] == ["city", "note"]
    assert arguments["properties"] == {
        "city": {"type": "string", "enum": ["Paris", "Rome"]},
        "days": {"anyOf": [{"type": "integer", "enum": [1, 2]}, {"type": "null"}]},
        "note": {},
        "photo": {"type": "string"},
    }
    assert arguments["additionalProperties"] is False


def test_tools_in_words():
    tool = FakeTool(
        "f", "Does f.", {"a": {"type": "string", "description": "An a."}, "b": {"type": "integer", "nullable": True}}
    )
    assert tool_list_prompt([tool]).endswith("- f(a: string, b?: integer): Does f.\n    a: An a.")
