"""Tool calls written as text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolagents.models import ChatMessage, MessageRole, Model, get_tool_call_from_text, parse_json_if_needed
from smolagents.models.tool_text import get_tool_calls_from_text, parse_json_blob

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
arguments = st.dictionaries(st.text(max_size=5), json_values, max_size=3)

CALL = {"name": "search", "arguments": {"query": "cats"}}


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps(CALL),
        f"Thought: let's see.\nAction:\n{json.dumps(CALL, indent=2)}\nObservation:",
        f"```json\n{json.dumps(CALL)}\n```",
        f"<tool_call>\n{json.dumps(CALL)}\n</tool_call>",
        "{'name': 'search', 'arguments': {'query': 'cats'}}",
        '{"name": "search", "arguments": {"query": "cats",},}',
        '{"tool": "search", "parameters": {"query": "cats"}}',
        '{"action": "search", "action_input": {"query": "cats"}}',
        json.dumps([CALL]),
        json.dumps({"tool_calls": [{"id": "a", "type": "function", "function": CALL}]}),
        json.dumps({"function": {"name": "search", "arguments": json.dumps({"query": "cats"})}}),
        "I use {x} as a set. " + json.dumps(CALL),
    ],
)
def test_the_ways_in_which_models_write_calls(reply):
    message = Model().parse_tool_calls(ChatMessage(MessageRole.ASSISTANT, reply))
    (call,) = message.tool_calls
    assert (call.function.name, call.function.arguments) == ("search", {"query": "cats"})
    assert call.id


def test_several_calls_in_one_reply_have_ids_of_their_own():
    calls = get_tool_calls_from_text(
        json.dumps(CALL) + "\n" + json.dumps(CALL | {"name": "visit"}), "name", "arguments"
    )
    assert [call.function.name for call in calls] == ["search", "visit"]
    assert len({call.id for call in calls}) == 2


def test_own_keys_come_first():
    call = get_tool_call_from_text('{"t": "a", "name": "b", "args": 1, "p": 2}', "t", "p")
    assert (call.function.name, call.function.arguments) == ("a", 2)


@given(st.text(max_size=20), arguments)
def test_any_arguments_survive(name, values):
    text = "so: " + json.dumps({"name": name or "x", "arguments": values})
    call = get_tool_call_from_text(text, "name", "arguments")
    assert (call.function.name, call.function.arguments) == (name or "x", values)


@given(st.text(alphabet="{}[]\"':, \\nameargutsx1", max_size=60) | st.text())
def test_no_reply_crashes_the_parser(reply):
    message = ChatMessage(MessageRole.ASSISTANT, reply)
    try:
        parsed = Model().parse_tool_calls(message)
    except ValueError:
        return
    assert all(call.function.name for call in parsed.tool_calls)


def test_a_reply_of_braces_is_refused_quickly():
    for reply in ("{" * 20_000, "[" * 20_000, '{"a":' * 20_000):
        with pytest.raises(ValueError):
            get_tool_call_from_text(reply, "name", "arguments")


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ("I do not know.", "no JSON object.*A tool call is written as"),
        ('{"answer": 4}', r"keys \['answer'\] and no tool name under 'name'"),
        ('{"name": "search", "arguments": {"query": "ca', "cannot be read"),
        ("   ", "empty"),
    ],
)
def test_what_is_no_call_is_explained(reply, says):
    with pytest.raises(ValueError, match=says):
        Model().parse_tool_calls(ChatMessage(MessageRole.ASSISTANT, reply))


def test_parse_json_blob_gives_the_object_and_what_came_before():
    assert parse_json_blob('so: {"a": "}"} rest') == ({"a": "}"}, "so: ")
    with pytest.raises(ValueError, match="no JSON object"):
        parse_json_blob("nothing")


@given(json_values)
def test_parse_json_if_needed(value):
    assert parse_json_if_needed(json.dumps(value)) == value
    if not isinstance(value, str):
        assert parse_json_if_needed(value) is value


def test_text_that_is_no_json_stays():
    assert parse_json_if_needed("cats and dogs") == "cats and dogs"
