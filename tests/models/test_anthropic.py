"""Anthropic's own SDK against a local server that speaks the Messages API.

The answers have the shapes of https://platform.claude.com/docs/en/api/messages and, for streams, of
https://platform.claude.com/docs/en/build-with-claude/streaming; errors those of https://platform.claude.com/docs/en/api/errors.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from smolagents.models import AnthropicModel, ChatMessage, Model, agglomerate_stream_deltas
from smolagents.models.retrying import Retrying
from smolagents.types.errors import AgentGenerationError
from smolagents.types.usage import TokenUsage
from support.model_helpers import FakeTool, user
from support.raw_wire import RawAnswer, serve_raw

pytest.importorskip("anthropic")

SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"
THOUGHT = {"type": "thinking", "thinking": "Let me see.", "signature": SIGNATURE}
REDACTED = {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"}


def reply(*content, stop_reason="end_turn", **usage):
    return RawAnswer(
        {
            "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-4-8",
            "content": list(content),
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": {"input_tokens": 25, "output_tokens": 15, **usage},
        }
    )


def text(words):
    return {"type": "text", "text": words}


def call(id, **arguments):
    return {"type": "tool_use", "id": id, "name": "get_weather", "input": arguments}


def events(*given, stop_reason="end_turn", **usage):
    """A stream: what is given stands between the events that every stream begins and ends with."""
    start = {**reply(**usage).body, "stop_reason": None}
    start["usage"] = {**start["usage"], "output_tokens": 1}
    whole = [
        {"type": "message_start", "message": start},
        {"type": "ping"},
        *given,
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": None},
            "usage": {"output_tokens": 15},
        },
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in whole]


def block(index, start, *deltas):
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text_block(index, *pieces):
    return block(index, text(""), *({"type": "text_delta", "text": piece} for piece in pieces))


def call_block(index, id, *pieces):
    return block(index, call(id), *({"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)))


def stream(*given, **more):
    return RawAnswer(pieces=events(*given, **more), headers={"Content-Type": "text/event-stream"})


def error(status, kind, message, **headers):
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}
    return RawAnswer(body, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def model(url, **kwargs):
    return AnthropicModel(kwargs.pop("model_id", "claude-opus-4-8"), api_base=url, api_key="k", **kwargs)


def hasty(model):
    model.retryer = Retrying(3, 0.01, retry_predicate=model.retryer.retry_predicate)
    return model


async def gathered(deltas):
    return agglomerate_stream_deltas([delta async for delta in deltas])


def all_four_ways(model, *args, **kwargs):
    return [
        model.generate(*args, **kwargs),
        asyncio.run(model.agenerate(*args, **kwargs)),
        agglomerate_stream_deltas(model.generate_stream(*args, **kwargs)),
        asyncio.run(gathered(model.agenerate_stream(*args, **kwargs))),
    ]


def test_all_four_ways_give_one_reply():
    usage = {"cache_read_input_tokens": 100, "cache_creation_input_tokens": 10}
    whole = reply(text("Hello!"), **usage)
    pieces = stream(*text_block(0, "Hel", "lo!"), **usage)
    with serve_raw(whole, whole, pieces, pieces) as wire:
        replies = all_four_ways(model(wire.url), user("Hello"))
        requests = wire.requests
    for message in replies:
        assert message.content == "Hello!"
        assert message.finish_reason == "stop"
        assert message.model_id == "claude-opus-4-8"
        counts = message.token_usage
        assert (counts.input_tokens, counts.output_tokens) == (135, 15)
        assert (counts.cached_input_tokens, counts.cache_write_tokens) == (100, 10)
    assert [request.path for request in requests] == ["/v1/messages"] * 4
    assert [request.body.get("stream", False) for request in requests] == [False, False, True, True]
    headers = requests[0].headers
    assert "k" in (headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer "))
    assert requests[0].body["max_tokens"] == 16_000


def test_tools_are_sent_and_parallel_calls_come_back(weather):
    whole = reply(text("I look."), call("toolu_1", city="Paris"), call("toolu_2", city="Rome"), stop_reason="tool_use")
    pieces = stream(
        *text_block(0, "I look."),
        *call_block(1, "toolu_1", '{"city":', ' "Pa', 'ris"}'),
        *call_block(2, "toolu_2", '{"city": "Rome"}'),
        stop_reason="tool_use",
    )
    with serve_raw(whole, whole, pieces, pieces) as wire:
        m = model(wire.url)
        replies = all_four_ways(m, user("x"), tools_to_call_from=[weather])
        sent = [request.body for request in wire.requests]
    for message in replies:
        m.parse_tool_calls(message)
        assert message.content == "I look."
        assert message.finish_reason == "tool_calls"
        assert [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls] == [
            ("toolu_1", "get_weather", {"city": "Paris"}),
            ("toolu_2", "get_weather", {"city": "Rome"}),
        ]
    (tool,) = sent[0]["tools"]
    assert (tool["name"], tool["description"]) == ("get_weather", "The weather of a city.")
    assert tool["input_schema"]["required"] == ["city"]
    assert sent[0]["tool_choice"] == {"type": "any"}
    assert sent[3] == {**sent[0], "stream": True}


def test_a_call_without_arguments_has_none():
    tool = FakeTool("now", "The time.")
    with serve_raw(stream(*call_block(0, "toolu_1"), stop_reason="tool_use")) as wire:
        m = model(wire.url)
        message = agglomerate_stream_deltas(m.generate_stream(user("x"), tools_to_call_from=[tool]))
    assert m.parse_tool_calls(message).tool_calls[0].function.arguments == {}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "get_weather"}}, {"type": "tool", "name": "get_weather"}),
        ({"type": "auto", "disable_parallel_tool_use": True}, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
def test_tool_choice_is_translated(choice, sent, weather):
    with serve_raw(reply(text("ok"))) as wire:
        model(wire.url).generate(user("x"), tools_to_call_from=[weather], tool_choice=choice)
        assert wire.sent["tool_choice"] == sent


def test_thinking_comes_apart_and_is_sent_back_as_it_was(weather):
    whole = reply(THOUGHT, REDACTED, text("Four."), output_tokens_details={"thinking_tokens": 9})
    pieces = stream(
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Let me"},
            {"type": "thinking_delta", "thinking": " see."},
            {"type": "signature_delta", "signature": SIGNATURE},
        ),
        *block(1, REDACTED),
        *text_block(2, "Four."),
    )
    with serve_raw(whole, whole, pieces, pieces, reply(text("ok"))) as wire:
        m = model(wire.url, thinking=2048, temperature=0.5)
        replies = all_four_ways(m, user("2 + 2?"), tools_to_call_from=[weather])
        asked = wire.requests[0].body
        for message in replies:
            assert message.reasoning_content == "Let me see."
            assert message.content == "Four."
            assert message.provider_items == [
                {"provider": "anthropic", "item": THOUGHT},
                {"provider": "anthropic", "item": REDACTED},
            ]
        assert replies[0].token_usage.reasoning_tokens == 9
        saved = ChatMessage.from_dict(json.loads(replies[3].model_dump_json()))
        foreign = {"provider": "openai-responses", "item": {"type": "reasoning"}}
        saved.provider_items.append(foreign)
        m.generate([*user("2 + 2?"), saved, *user("Sure?")])
        again = wire.sent
    assert asked["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert asked["tool_choice"] == {"type": "auto"}  # thinking does not go with a forced call
    assert "temperature" not in asked
    assert again["messages"][1] == {"role": "assistant", "content": [THOUGHT, REDACTED, text("Four.")]}


def test_system_images_and_parameters_are_sent(tmp_path):
    from PIL import Image

    path = tmp_path / "a.png"
    Image.new("RGB", (1, 1)).save(path)
    messages = [
        {"role": "system", "content": "Be short."},
        {
            "role": "user",
            "content": [
                text("What is it?"),
                {"type": "image", "image": str(path)},
                {"type": "image", "image": "https://example.org/a.jpg"},
                text("  "),
            ],
        },
        {"role": "assistant", "content": ""},
        {"role": "tool-response", "content": "seen"},
    ]
    with serve_raw(reply(text("ok"))) as wire:
        m = model(wire.url, cache=False, temperature=0.2, metadata={"user_id": "7"})
        m.generate(messages, max_tokens=50, top_k=3)
        asyncio.run(m.agenerate(messages, max_tokens=50, top_k=3))
        sent, again = (request.body for request in wire.requests)
    assert sent == again
    assert sent["system"] == [text("Be short.")]
    (message,) = sent["messages"]
    words, own, remote, seen = message["content"]
    assert (words, seen) == (text("What is it?"), text("seen"))
    assert (own["source"]["type"], own["source"]["media_type"]) == ("base64", "image/png")
    assert remote["source"] == {"type": "url", "url": "https://example.org/a.jpg"}
    assert (sent["max_tokens"], sent["temperature"], sent["top_k"]) == (50, 0.2, 3)
    assert sent["metadata"] == {"user_id": "7"}


def test_calls_and_their_results_go_back_as_such(weather):
    whole = reply(call("toolu_1", city="Paris"), call("toolu_2", city="Rome"), stop_reason="tool_use")
    with serve_raw(whole, reply(text("ok"))) as wire:
        m = model(wire.url, cache=False)
        asked = m.generate(user("x"), tools_to_call_from=[weather])
        told = [ChatMessage("tool-response", "sun"), ChatMessage("tool-response", "rain")]
        m.generate([*user("x"), asked, *told], tools_to_call_from=[weather])
        answered = wire.sent["messages"]
        m.generate([*user("x"), asked, told[0]], tools_to_call_from=[weather])
        unanswered = wire.sent["messages"]
        m.generate([*user("x"), asked, *told])
        without_tools = wire.sent["messages"]
    assert answered[1]["content"] == whole.body["content"]
    assert answered[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [text("sun")]},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": [text("rain")]},
    ]
    # A call without its result, or any of them without tools, would be refused.
    for told_in_words in (unanswered, without_tools):
        assert told_in_words[1]["content"][0]["text"].startswith('Calling tools:\n[{"id": "toolu_1"')
        assert told_in_words[2]["content"][0]["text"].startswith("sun")


def marks(sent):
    found = []
    for place in ("tools", "system"):
        found += [(place, i) for i, b in enumerate(sent.get(place) or []) if "cache_control" in b]
    for position, message in enumerate(sent["messages"]):
        found += [(position, i) for i, b in enumerate(message["content"]) if "cache_control" in b]
    return found


def test_the_prompt_cache_is_marked(weather, final_answer):
    system = {"role": "system", "content": "s"}
    first = [system, *user("a")]
    longer = [*first, {"role": "assistant", "content": "b"}, *user("c")]
    longest = [*longer, {"role": "assistant", "content": "d"}, *user("e")]
    with serve_raw(reply(text("ok"))) as wire:
        for messages in (first, longer, longest):
            model(wire.url).generate(messages, tools_to_call_from=[weather, final_answer])
        sent = [request.body for request in wire.requests]
        assert [marks(body) for body in sent] == [
            [("tools", 1), ("system", 0), (0, 0)],
            [("tools", 1), ("system", 0), (0, 0), (2, 0)],
            [("tools", 1), ("system", 0), (2, 0), (4, 0)],
        ]
        assert sent[0]["system"][0]["cache_control"] == {"type": "ephemeral"}
        # Marks of the user's own count, as the API takes four.
        own = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
        model(wire.url).generate([system, {"role": "user", "content": [own, own, own]}], tools_to_call_from=[weather])
        assert len(marks(wire.sent)) == 4
        model(wire.url, cache="1h").generate(first)
        assert wire.sent["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
        model(wire.url, cache=False).generate(longest)
        assert marks(wire.sent) == []
    with pytest.raises(ValueError, match="cache is '2h'"):
        model("http://127.0.0.1:9", cache="2h")


def test_structured_output():
    form = {
        "type": "json_schema",
        "json_schema": {
            "name": "fruit",
            "schema": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]},
        },
    }
    with serve_raw(reply(text('{"n": 3}'))) as wire:
        m = model(wire.url, output_config={"effort": "low"})
        assert json.loads(m.generate(user("x"), response_format=form).content) == {"n": 3}
        sent = wire.sent["output_config"]
        with pytest.raises(ValueError, match="takes a schema only"):
            m.generate(user("x"), response_format={"type": "json_object"})
    assert sent["effort"] == "low"
    assert sent["format"]["type"] == "json_schema"
    schema = sent["format"]["schema"]
    assert schema["additionalProperties"] is False  # which the API wants of every object
    assert "minimum" not in schema["properties"]["n"]  # which it does not take


def test_stop_sequences_of_white_space_are_cut_here():
    whole = reply(text("a b\n\nc"))
    pieces = stream(*text_block(0, "a b\n", "\nc"))
    with serve_raw(whole, whole, pieces, pieces, whole) as wire:
        replies = all_four_ways(model(wire.url), user("x"), stop_sequences=["</code>", "\n\n"])
        assert {message.content for message in replies} == {"a b"}
        assert [request.body["stop_sequences"] for request in wire.requests] == [["</code>"]] * 4
        model(wire.url).generate(user("x"), stop_sequences=["\n\n"])
        assert "stop_sequences" not in wire.sent


@pytest.mark.parametrize("asynchronous", [False, True])
def test_closing_a_stream_hangs_up(asynchronous):
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 1000}}
    pieces = [*events(*text_block(0))[:3], f"event: content_block_delta\ndata: {json.dumps(delta)}\n\n".encode()]
    answer = RawAnswer(pieces=pieces, endless=True, headers={"Content-Type": "text/event-stream"})
    with serve_raw(answer) as wire:
        m = model(wire.url)
        if asynchronous:

            async def main():
                began = asyncio.Event()

                async def consume():
                    async for _ in m.agenerate_stream(user("x")):
                        began.set()

                task = asyncio.create_task(consume())
                await began.wait()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

            asyncio.run(main())
        else:
            deltas = m.generate_stream(user("x"))
            assert next(deltas).content
            deltas.close()
        assert wire.hung_up.wait(5)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (error(401, "authentication_error", "invalid x-api-key"), "401: invalid x-api-key; .*ANTHROPIC_API_KEY"),
        (error(403, "permission_error", "no"), "403: no; this key may not use"),
        (
            error(404, "not_found_error", "model: claude-x"),
            r"404: model: claude-x; check model_id \('claude-opus-4-8'\)",
        ),
        (
            error(400, "invalid_request_error", "prompt is too long: 203456 tokens > 200000 maximum"),
            "400: prompt is too long.*longer than the model can read",
        ),
        (error(400, "invalid_request_error", "Your credit balance is too low"), "add credit"),
        (error(413, "request_too_large", "Request exceeds the maximum size"), "413.*send less"),
    ],
)
def test_what_will_not_pass_fails_at_once_with_a_remedy(answer, says):
    with serve_raw(answer) as wire:
        m = model(wire.url)

        async def consume():
            async for _ in m.agenerate_stream(user("x")):
                pass

        for attempt in (
            lambda: m.generate(user("x")),
            lambda: list(m.generate_stream(user("x"))),
            lambda: asyncio.run(m.agenerate(user("x"))),
            lambda: asyncio.run(consume()),
        ):
            with pytest.raises(AgentGenerationError, match=says) as caught:
                attempt()
            assert caught.value.__cause__ is not None
        assert len(wire.requests) == 4


def test_what_may_pass_is_tried_again():
    busy = error(529, "overloaded_error", "Overloaded")
    limited = error(429, "rate_limit_error", "This request would exceed your rate limit", retry_after="0.02")
    with serve_raw(busy, limited, reply(text("ok"))) as wire:
        assert hasty(model(wire.url)).generate(user("x")).content == "ok"
        assert len(wire.requests) == 3
    with serve_raw(busy, limited, stream(*text_block(0, "ok"))) as wire:
        message = asyncio.run(gathered(hasty(model(wire.url)).agenerate_stream(user("x"))))
        assert message.content == "ok"
        assert len(wire.requests) == 3
    with serve_raw(busy) as wire:
        with pytest.raises(AgentGenerationError, match="529: Overloaded; the API is overloaded"):
            model(wire.url, retry=False).generate(user("x"))
        assert len(wire.requests) == 1
    with pytest.raises(AgentGenerationError, match="cannot be reached"):
        hasty(model("http://127.0.0.1:9")).generate(user("x"))


def test_retry_after_is_honoured():
    import time

    limited = error(429, "rate_limit_error", "slow down", retry_after="0.3")
    with serve_raw(limited, reply(text("ok"))) as wire:
        start = time.monotonic()
        hasty(model(wire.url)).generate(user("x"))
        assert time.monotonic() - start >= 0.3


def test_an_error_in_the_middle_of_a_stream():
    broken = error(200, "overloaded_error", "Overloaded").body
    pieces = [*events(*text_block(0, "a"))[:4], f"event: error\ndata: {json.dumps(broken)}\n\n".encode()]
    with serve_raw(RawAnswer(pieces=pieces, headers={"Content-Type": "text/event-stream"})) as wire:
        deltas = model(wire.url).generate_stream(user("x"))
        assert next(deltas).content == "a"
        with pytest.raises(AgentGenerationError, match="Overloaded; the API is overloaded") as caught:
            list(deltas)
    assert caught.value.kind == "server_error"


def test_a_refused_parameter_is_left_out_and_remembered():
    refusal = error(400, "invalid_request_error", "`temperature` is deprecated for this model.")
    with serve_raw(refusal, reply(text("ok"))) as wire:
        m = model(wire.url, temperature=0.5)
        assert m.generate(user("x")).content == "ok"
        m.generate(user("x"))
        assert ["temperature" in request.body for request in wire.requests] == [True, False, False]


def test_a_refused_forced_call_becomes_a_free_one(weather):
    message = "Thinking may not be enabled when tool_choice forces tool use."
    with serve_raw(error(400, "invalid_request_error", message), reply(text("ok"))) as wire:
        model(wire.url).generate(user("x"), tools_to_call_from=[weather])
        assert [request.body["tool_choice"]["type"] for request in wire.requests] == ["any", "auto"]


def test_long_replies_are_streamed_underneath():
    with serve_raw(stream(*text_block(0, "ok"))) as wire:
        m = model(wire.url, max_tokens=64_000)
        assert m.generate(user("x")).content == "ok"
        assert asyncio.run(m.agenerate(user("x"))).token_usage == TokenUsage(25, 15)
        assert wire.sent["stream"] is True


def test_a_refusal_and_a_cut_are_told():
    with serve_raw(reply(stop_reason="refusal"), reply(text("a"), stop_reason="max_tokens")) as wire:
        m = model(wire.url)
        assert [m.generate(user("x")).finish_reason for _ in range(2)] == ["content_filter", "length"]


def test_a_missing_key_names_its_variable(monkeypatch, tmp_path):
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ValueError, match="ANTHROPIC_API_KEY"):
        AnthropicModel("claude-opus-4-8")
    with monkeypatch.context() as patch:
        patch.setenv("ANTHROPIC_PROFILE", "missing")
        with pytest.raises(ValueError, match=r"cannot sign in.*ANTHROPIC_API_KEY"):
            AnthropicModel("claude-opus-4-8")
    with pytest.raises(ValueError, match=r"for https://example.org: .*ANTHROPIC_API_KEY"):
        AnthropicModel("claude-opus-4-8", api_base="https://example.org")
    with serve_raw(reply(text("ok"))) as wire:
        m = AnthropicModel("claude-opus-4-8", api_base=wire.url)
        assert m.generate(user("x")).content == "ok"
        assert asyncio.run(m.agenerate(user("x"))).content == "ok"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "from the environment")
    assert AnthropicModel("claude-opus-4-8").client.api_key == "from the environment"


def test_bad_input_is_told_before_the_network():
    m = model("http://127.0.0.1:9")
    with pytest.raises(ValueError, match="no messages"):
        m.generate([])
    with pytest.raises(ValueError, match="every message is empty"):
        m.generate(user(" "))
    with pytest.raises(ValueError, match="sound"):
        m.generate([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}])
    with pytest.raises(ValueError, match="tool_choice is 'maybe'"):
        m.generate(user("x"), tools_to_call_from=[FakeTool("a")], tool_choice="maybe")
    with pytest.raises(ValueError, match="thinking is 'hard'"):
        m.generate(user("x"), thinking="hard")
    with pytest.raises(ValueError, match="max_tokens is 'many'"):
        model("http://127.0.0.1:9", max_tokens="many")


def test_a_conversation_of_instructions_alone_is_asked_as_the_user():
    with serve_raw(reply(text("ok"))) as wire:
        model(wire.url, cache=False).generate([{"role": "system", "content": "s"}])
        assert wire.sent["messages"] == [{"role": "user", "content": [text("s")]}]
        assert "system" not in wire.sent


def test_a_model_is_saved_without_its_secrets():
    m = model(
        "http://localhost:8080",
        thinking={"type": "adaptive"},
        cache="1h",
        max_tokens=99,
        temperature=0.1,
        client_kwargs={"timeout": 9, "default_headers": {"x-api-key": "sesame"}},
    )
    saved = m.to_dict()
    assert "sesame" not in str(saved)
    assert "api_key" not in saved
    again = AnthropicModel.from_dict(saved)
    assert isinstance(again, Model)
    assert again.to_dict() == saved
    for name in ("model_id", "api_base", "thinking", "cache", "max_tokens"):
        assert getattr(again, name) == getattr(m, name)
    assert again.kwargs == {"temperature": 0.1}


def test_the_missing_sdk_names_its_extra(monkeypatch):
    import sys

    from smolagents.types.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "anthropic", None)
    with pytest.raises(MissingExtraError, match=r"smolagents\[anthropic\]"):
        AnthropicModel("claude-opus-4-8", api_key="k")
