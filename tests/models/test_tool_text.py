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
        "```\n{'name': 'search', 'arguments': {'query': \"cats\",},}\n```",
        "{name: 'search', arguments: {query: 'cats'}}",
        '{"name": "search", // the tool\n "arguments": {"query": "cats" /* animals */}}',
        "<tool_call>{'name': 'search', 'arguments': {'query': 'cats'}}</tool_call>",
        '<function=search>{"query": "cats"}</function>',
        "<tool_call>\n<function=search>\n<parameter=query>\ncats\n</parameter>\n</function>\n</tool_call>",
        '<invoke name="search"><parameter name="query">cats</parameter></invoke>',
        "<tool_call>search\n<arg_key>query</arg_key>\n<arg_value>cats</arg_value>\n</tool_call>",
        '[TOOL_CALLS][{"name": "search", "arguments": {"query": "cats"}}]',
        '[TOOL_CALLS]search[ARGS]{"query": "cats"}',
        '<|tool_calls_section_begin|><|tool_call_begin|>functions.search:0<|tool_call_argument_begin|>{"query": "cats"}<|tool_call_end|>',
        '<\uff5ctool\u2581call\u2581begin\uff5c>function<\uff5ctool\u2581sep\uff5c>search\n```json\n{"query": "cats"}\n```',
        '<|channel|>commentary to=functions.search <|constrain|>json<|message|>{"query": "cats"}<|call|>',
        '<|python_tag|>{"name": "search", "parameters": {"query": "cats"}}',
        '[search(query="cats")]',
        '```python\nsearch(query="cats")\n```',
    ],
)
def test_the_ways_in_which_models_write_calls(reply):
    message = Model().parse_tool_calls(ChatMessage(MessageRole.ASSISTANT, reply))
    (call,) = message.tool_calls
    assert (call.function.name, call.function.arguments) == ("search", {"query": "cats"})
    assert call.id


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'a': \"it's\"}", {"a": "it's"}),
        ("{'a': 'it's here'}", {"a": "it's here"}),
        ('{"code": "print("hi")"}', {"code": 'print("hi")'}),
        ('{"code": """print("hi")"""}', {"code": 'print("hi")'}),
        ('{"a": "one\ntwo"}', {"a": "one\ntwo"}),
        ('{"a": "}{", "b": ["]"]}', {"a": "}{", "b": ["]"]}),
        ("{'a': '}{\\'', 'b': {'c': \"[\"}}", {"a": "}{'", "b": {"c": "["}}),
        ("{'a': True, 'b': False, 'c': None}", {"a": True, "b": False, "c": None}),
        ("{'a': true, 'b': false, 'c': null, 'd': undefined}", {"a": True, "b": False, "c": None, "d": None}),
        ("{a: 1, 'b': .5, c: 0x10, d: 1_000, e: -2e3,}", {"a": 1, "b": 0.5, "c": 16, "d": 1000, "e": -2000.0}),
        ("{'a': (1, 2), 'b': [1, 2,],}", {"a": [1, 2], "b": [1, 2]}),
        (r"{'a': '\ud83d\ude00 \u00e9 \x41 \d \\d'}", {"a": "\U0001f600 \u00e9 A \\d \\d"}),
        (r"{'a': r'\d+'}", {"a": r"\d+"}),
        ("{\u201ca\u201d: \u201cb\u201d}", {"a": "b"}),
        ("{1: 'one'}", {"1": "one"}),
        ("{}", {}),
    ],
)
def test_json_as_models_write_it(text, value):
    assert parse_json_blob(f"Action: {text} and so on") == (value, "Action: ")


def written(value, draw):
    """A value as some model may write it."""
    if isinstance(value, dict):
        items = [f"{written(str(key), draw)}: {written(item, draw)}" for key, item in value.items()]
        return (
            "{"
            + ", ".join(items)
            + ("," if items and draw(st.booleans()) else "")
            + draw(st.sampled_from(["}", "\n}"]))
        )
    if isinstance(value, list):
        items = [written(item, draw) for item in value]
        return "[" + ", ".join(items) + ("," if items and draw(st.booleans()) else "") + "]"
    if isinstance(value, str):
        return draw(st.sampled_from([json.dumps, repr, lambda text: json.dumps(text, ensure_ascii=False)]))(value)
    return draw(st.sampled_from([json.dumps, repr]))(value)


@given(st.data(), arguments)
def test_any_arguments_survive_in_any_style(data, values):
    text = "so: " + written({"name": "search", "arguments": values}, data.draw)
    call = get_tool_call_from_text(text, "name", "arguments")
    assert (call.function.name, call.function.arguments) == ("search", values)


def test_several_calls_in_markup():
    text = "".join(
        f"<function=f{n}><parameter=a>{n}</parameter><parameter=b>x {n}</parameter></function>" for n in (1, 2)
    )
    calls = get_tool_calls_from_text(text, "name", "arguments")
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("f1", {"a": 1, "b": "x 1"}),
        ("f2", {"a": 2, "b": "x 2"}),
    ]


def test_python_calls_are_read_and_never_run():
    calls = get_tool_calls_from_text("[f(a=[1, {'b': None}]), g()]", "name", "arguments")
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("f", {"a": [1, {"b": None}]}),
        ("g", {}),
    ]
    for text in ("f(a=open('x'))", "f(1)", "f(**x)", "f(a=1) + 1", "Ask f(a=1) please"):
        with pytest.raises(ValueError):
            get_tool_calls_from_text(text, "name", "arguments")


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


MARKUP = [
    "<tool_call>", "</tool_call>", "<function=f>", "</function>", "<parameter=a>", "</parameter>", "<invoke name=", ">", "{", "}",
    "<arg_key>", "</arg_key>", "<arg_value>", "[TOOL_CALLS]", "[ARGS]", "f(", "a=", ")", "[", "]", ",", ":", "'", '"', "\\", "\\u12",
    "name", "arguments", "1", "x", "```", "\n", " ", '"""', "//", "/*", "#", "to=functions.f", "<|message|>", "\ud800", "\0", "-", ".",
]  # fmt: skip


@given(st.lists(st.sampled_from(MARKUP), max_size=25).map("".join))
def test_no_markup_crashes_the_parser(reply):
    try:
        calls = get_tool_calls_from_text(reply, "name", "arguments")
    except ValueError:
        return
    assert all(call.function.name for call in calls)


@given(st.text(alphabet="{}'\"\\:,x1[]", max_size=40))
def test_arguments_never_crash(text):
    parse_json_if_needed(text)
    parse_json_if_needed("{" + text + "}")


def test_a_reply_of_braces_is_refused_quickly():
    for reply in (
        "{" * 20_000,
        "[" * 20_000,
        '{"a":' * 20_000,
        "{'" * 20_000,
        '{"a": "' + "\\" * 20_000,
        "f(" * 5_000,
        "<function=f>" * 5_000,
        "{" + "9" * 20_000,
    ):
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
