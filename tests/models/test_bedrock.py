"""boto3 against a local server that speaks the wire format of the Converse API, its binary event streams included.

The answers have the shapes of https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and
API_runtime_ConverseStream.html; errors those of
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html.
"""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from smolagents.models import AmazonBedrockModel, AmazonBedrockServerModel, ChatMessage, agglomerate_stream_deltas
from smolagents.models.retrying import Retrying
from smolagents.types.errors import AgentGenerationError
from support.event_stream import event, exception
from support.model_helpers import FakeTool, user
from support.raw_wire import RawAnswer, serve_raw

pytest.importorskip("boto3")

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
USAGE = {"inputTokens": 25, "outputTokens": 15, "totalTokens": 40}
KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "sesame"}
SIGNED = {"reasoningText": {"text": "Let me see.", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}}
SEALED = base64.b64encode(b"\x00sealed").decode()


@pytest.fixture(autouse=True)
def _no_other_credentials(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def model(url, model_id=CLAUDE, **kwargs):
    reach = {"region_name": "us-east-1", "endpoint_url": url, **KEYS}
    return AmazonBedrockModel(model_id, client_kwargs=reach, **kwargs)


def hasty(model):
    model.retryer = Retrying(3, 0.01, retry_predicate=model.retryer.retry_predicate)
    return model


def reply(*content, stop_reason="end_turn", **usage):
    return RawAnswer(
        {
            "output": {"message": {"role": "assistant", "content": list(content)}},
            "stopReason": stop_reason,
            "usage": {**USAGE, **usage},
            "metrics": {"latencyMs": 1275},
        }
    )


def use(id, **arguments):
    return {"toolUse": {"toolUseId": id, "name": "get_weather", "input": arguments}}


def stream(*events, stop_reason="end_turn", **usage):
    whole = [
        ("messageStart", {"role": "assistant"}),
        *events,
        ("messageStop", {"stopReason": stop_reason}),
        ("metadata", {"usage": {**USAGE, **usage}, "metrics": {"latencyMs": 1275}}),
    ]
    return RawAnswer(
        pieces=[event(kind, content) for kind, content in whole],
        headers={"Content-Type": "application/vnd.amazon.eventstream"},
    )


def block(index, *deltas, start=None):
    begin = [("contentBlockStart", {"start": start, "contentBlockIndex": index})] if start else []
    pieces = [("contentBlockDelta", {"delta": delta, "contentBlockIndex": index}) for delta in deltas]
    return [*begin, *pieces, ("contentBlockStop", {"contentBlockIndex": index})]


def use_block(index, id, *pieces):
    start = {"toolUse": {"toolUseId": id, "name": "get_weather"}}
    return block(index, *({"toolUse": {"input": piece}} for piece in pieces), start=start)


def error(status, code, message, **headers):
    headers = {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/", **headers}
    return RawAnswer({"message": message}, status=status, headers=headers)


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
    usage = {"cacheReadInputTokens": 100, "cacheWriteInputTokens": 10, "totalTokens": 150}
    whole = reply({"text": "Hello!"}, **usage)
    pieces = stream(*block(0, {"text": "Hel"}, {"text": "lo!"}), **usage)
    with serve_raw(whole, whole, pieces, pieces) as wire:
        replies = all_four_ways(model(wire.url), user("Hello"))
        requests = wire.requests
    for message in replies:
        assert (message.content, message.finish_reason) == ("Hello!", "stop")
        counts = message.token_usage
        assert (counts.input_tokens, counts.output_tokens) == (135, 15)
        assert (counts.cached_input_tokens, counts.cache_write_tokens) == (100, 10)
        assert message.model_id == CLAUDE
    paths = [request.path.rpartition("/")[2] for request in requests]
    assert paths == ["converse", "converse", "converse-stream", "converse-stream"]
    assert requests[0].headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE")


def test_tools_are_sent_and_parallel_calls_come_back(weather):
    whole = reply({"text": "I look."}, use("t1", city="Paris"), use("t2", city="Rome"), stop_reason="tool_use")
    pieces = stream(
        *block(0, {"text": "I look."}),
        *use_block(1, "t1", '{"city":', ' "Paris"}'),
        *use_block(2, "t2", '{"city": "Rome"}'),
        stop_reason="tool_use",
    )
    with serve_raw(whole, whole, pieces, pieces) as wire:
        m = model(wire.url)
        replies = all_four_ways(m, user("x"), tools_to_call_from=[weather])
        sent = [request.body for request in wire.requests]
    for message in replies:
        m.parse_tool_calls(message)
        assert (message.content, message.finish_reason) == ("I look.", "tool_calls")
        assert [(c.id, c.function.name, c.function.arguments) for c in message.tool_calls] == [
            ("t1", "get_weather", {"city": "Paris"}),
            ("t2", "get_weather", {"city": "Rome"}),
        ]
    (tool,) = sent[0]["toolConfig"]["tools"]
    assert tool["toolSpec"]["description"] == "The weather of a city."
    assert tool["toolSpec"]["inputSchema"]["json"]["required"] == ["city"]
    assert sent[0]["toolConfig"]["toolChoice"] == {"any": {}}
    assert all(body == sent[0] for body in sent)


def test_a_call_without_arguments_has_none():
    tool = FakeTool("get_weather", "")
    with serve_raw(stream(*use_block(0, "t1"), stop_reason="tool_use")) as wire:
        m = model(wire.url)
        message = agglomerate_stream_deltas(m.generate_stream(user("x"), tools_to_call_from=[tool]))
        assert wire.sent["toolConfig"]["tools"][0]["toolSpec"]["description"] == "get_weather"
    assert m.parse_tool_calls(message).tool_calls[0].function.arguments == {}


def test_thinking_comes_apart_and_is_sent_back_as_it_was(weather):
    whole = reply({"reasoningContent": SIGNED}, {"reasoningContent": {"redactedContent": SEALED}}, {"text": "Four."})
    pieces = stream(
        *block(
            0,
            {"reasoningContent": {"text": "Let me"}},
            {"reasoningContent": {"text": " see."}},
            {"reasoningContent": {"signature": SIGNED["reasoningText"]["signature"]}},
        ),
        *block(1, {"reasoningContent": {"redactedContent": SEALED}}),
        *block(2, {"text": "Four."}),
    )
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    with serve_raw(whole, whole, pieces, pieces, reply({"text": "ok"})) as wire:
        m = model(wire.url, additionalModelRequestFields=thinking, temperature=0.5)
        replies = all_four_ways(m, user("2 + 2?"), tools_to_call_from=[weather])
        asked = wire.requests[0].body
        for message in replies:
            assert (message.reasoning_content, message.content) == ("Let me see.", "Four.")
            assert message.provider_items == [
                {"provider": "bedrock", "item": SIGNED},
                {"provider": "bedrock", "item": {"redactedContent": SEALED}},
            ]
        saved = ChatMessage.from_dict(json.loads(replies[3].model_dump_json()))
        m.generate([*user("2 + 2?"), saved, *user("Sure?")])
        again = wire.sent
    assert asked["additionalModelRequestFields"] == thinking
    assert asked["toolConfig"]["toolChoice"] == {"auto": {}}
    assert "inferenceConfig" not in asked
    assert again["messages"][1]["content"] == [
        {"reasoningContent": SIGNED},
        {"reasoningContent": {"redactedContent": SEALED}},
        {"text": "Four."},
    ]


def test_system_images_and_parameters_are_sent(tmp_path):
    from PIL import Image

    Image.new("RGB", (1, 1)).save(tmp_path / "a.jpg")
    guardrail = {"guardrailIdentifier": "g-1", "guardrailVersion": "1"}
    document = {"format": "txt", "name": "notes", "source": {"bytes": b"hello"}}
    messages = [
        {"role": "system", "content": "Be short."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image", "image": str(tmp_path / "a.jpg")},
                {"type": "document", "document": document},
                {"type": "text", "text": "  "},
            ],
        },
    ]
    with serve_raw(reply({"text": "ok"})) as wire:
        m = model(wire.url, inferenceConfig={"maxTokens": 3000}, guardrailConfig=guardrail, temperature=0.2)
        m.generate(messages, top_p=0.9, stop_sequences=["</code>", "\n"])
        sent = wire.sent
    assert sent["system"] == [{"text": "Be short."}]
    (message,) = sent["messages"]
    words, image, notes = message["content"]
    assert words == {"text": "What is it?"}
    assert image["image"]["format"] == "jpeg"
    assert base64.b64decode(image["image"]["source"]["bytes"]) == (tmp_path / "a.jpg").read_bytes()
    assert base64.b64decode(notes["document"]["source"]["bytes"]) == b"hello"
    assert sent["inferenceConfig"] == {
        "maxTokens": 3000,
        "temperature": 0.2,
        "topP": 0.9,
        "stopSequences": ["</code>"],
    }
    assert sent["guardrailConfig"] == guardrail


def test_stop_sequences_of_white_space_are_cut_here():
    whole, pieces = reply({"text": "a b\n\nc"}), stream(*block(0, {"text": "a b\n"}, {"text": "\nc"}))
    with serve_raw(whole, whole, pieces, pieces) as wire:
        replies = all_four_ways(model(wire.url), user("x"), stop_sequences=["\n\n"])
        assert {message.content for message in replies} == {"a b"}
        assert "inferenceConfig" not in wire.sent


def test_calls_and_their_results_go_back_as_such(weather):
    whole = reply(use("t1", city="Paris"), stop_reason="tool_use")
    with serve_raw(whole, reply({"text": "ok"})) as wire:
        m = model(wire.url)
        asked = m.generate(user("x"), tools_to_call_from=[weather])
        m.generate([*user("x"), asked, ChatMessage("tool-response", "sun")], tools_to_call_from=[weather])
        assert wire.sent["messages"][1:] == [
            {"role": "assistant", "content": [use("t1", city="Paris")]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "sun"}]}}]},
        ]
        m.generate([*user("x"), asked, ChatMessage("tool-response", "sun")])
        assert wire.sent["messages"][1]["content"][0]["text"].startswith("Calling tools:")


def test_structured_output():
    schema = {"type": "object", "properties": {"default": {"type": "object", "properties": {}}}}
    form = {"type": "json_schema", "json_schema": {"name": "fruit", "schema": schema}}
    with serve_raw(reply({"text": "{}"})) as wire:
        model(wire.url).generate(user("x"), response_format=form)
        definition = wire.sent["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert definition["name"] == "fruit"
    sent = json.loads(definition["schema"])
    assert sent["additionalProperties"] is False
    assert sent["properties"]["default"]["additionalProperties"] is False
    assert "additionalProperties" not in schema


def points(sent):
    return [
        *("tools" for block in sent.get("toolConfig", {}).get("tools", ()) if "cachePoint" in block),
        *("system" for block in sent.get("system", ()) if "cachePoint" in block),
        *(i for i, turn in enumerate(sent["messages"]) for block in turn["content"] if "cachePoint" in block),
    ]


def test_cache_points_are_put_where_they_are_wanted(weather):
    conversation = [{"role": "system", "content": "s"}, *user("a"), {"role": "assistant", "content": "b"}, *user("c")]
    with serve_raw(reply({"text": "ok"})) as wire:
        model(wire.url, cache=True).generate(conversation, tools_to_call_from=[weather])
        assert points(wire.sent) == ["tools", "system", 0, 2]
        assert wire.sent["system"][1] == {"cachePoint": {"type": "default"}}
        model(wire.url, "us.amazon.nova-pro-v1:0", cache="1h").generate(conversation, tools_to_call_from=[weather])
        assert points(wire.sent) == ["system", 0, 2]
        assert wire.sent["system"][1] == {"cachePoint": {"type": "default", "ttl": "1h"}}
        model(wire.url).generate(conversation, tools_to_call_from=[weather])
        assert points(wire.sent) == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_closing_a_stream_hangs_up(asynchronous):
    delta = event("contentBlockDelta", {"delta": {"text": "x" * 1000}, "contentBlockIndex": 0})
    pieces = [event("messageStart", {"role": "assistant"}), delta]
    answer = RawAnswer(pieces=pieces, endless=True, headers={"Content-Type": "application/vnd.amazon.eventstream"})
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
        (
            error(403, "AccessDeniedException", "You don't have access to the model with the specified model ID."),
            "403: AccessDeniedException: You don't have access.*bedrock:InvokeModel",
        ),
        (error(403, "UnrecognizedClientException", "The security token is invalid"), "check the credentials"),
        (error(403, "ExpiredTokenException", "expired"), "sign in again"),
        (error(404, "ResourceNotFoundException", "Could not resolve the model"), "404: .*there in this region"),
        (
            error(400, "ValidationException", "Invocation with on-demand throughput is not supported."),
            "400: ValidationException: .*inference profile",
        ),
        (error(400, "ValidationException", "Input is too long for requested model."), "shorten it"),
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
    throttled = error(429, "ThrottlingException", "Too many requests, please wait before trying again.")
    away = error(503, "ServiceUnavailableException", "Bedrock is unable to process your request.")
    with serve_raw(throttled, away, reply({"text": "ok"})) as wire:
        assert hasty(model(wire.url)).generate(user("x")).content == "ok"
        assert len(wire.requests) == 3
    with serve_raw(throttled, away, stream(*block(0, {"text": "ok"}))) as wire:
        assert asyncio.run(gathered(hasty(model(wire.url)).agenerate_stream(user("x")))).content == "ok"
        assert len(wire.requests) == 3
    with serve_raw(throttled) as wire:
        with pytest.raises(AgentGenerationError, match=r"429: ThrottlingException.*requests_per_minute") as caught:
            model(wire.url, retry=False).generate(user("x"))
        assert caught.value.kind == "rate_limit"
        assert len(wire.requests) == 1
    with pytest.raises(AgentGenerationError, match=r"was not called.*check the region"):
        hasty(model("http://127.0.0.1:9")).generate(user("x"))


def test_an_error_in_the_middle_of_a_stream():
    start = [event("messageStart", {"role": "assistant"})]
    words = event("contentBlockDelta", {"delta": {"text": "a"}, "contentBlockIndex": 0})
    broken = exception("modelStreamErrorException", {"message": "The model broke.", "originalStatusCode": 500})
    busy = exception("throttlingException", {"message": "Too many tokens"})
    headers = {"Content-Type": "application/vnd.amazon.eventstream"}
    with serve_raw(RawAnswer(pieces=[*start, words, broken], headers=headers)) as wire:
        deltas = model(wire.url).generate_stream(user("x"))
        assert next(deltas).content == "a"
        with pytest.raises(AgentGenerationError, match="modelStreamErrorException: The model broke") as caught:
            list(deltas)
    assert caught.value.kind == "server_error"
    # Before the first word, the call is made again.
    with serve_raw(RawAnswer(pieces=[*start, busy], headers=headers), stream(*block(0, {"text": "ok"}))) as wire:
        assert agglomerate_stream_deltas(hasty(model(wire.url)).generate_stream(user("x"))).content == "ok"


def test_a_refused_parameter_is_left_out_and_remembered(weather):
    refusal = error(
        400,
        "ValidationException",
        "This model doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again.",
    )
    with serve_raw(refusal, reply({"text": "ok"})) as wire:
        m = model(wire.url, "us.meta.llama4-scout-17b-instruct-v1:0")
        m.generate(user("x"), tools_to_call_from=[weather])
        m.generate(user("x"), tools_to_call_from=[weather])
        choices = [request.body["toolConfig"]["toolChoice"] for request in wire.requests]
        assert choices == [{"any": {}}, {"auto": {}}, {"auto": {}}]


def test_a_model_without_system_messages_gets_them_as_the_users():
    refusal = error(400, "ValidationException", "This model doesn't support system messages. Try again without them.")
    with serve_raw(refusal, reply({"text": "ok"})) as wire:
        model(wire.url, "amazon.titan-text-lite-v1").generate([{"role": "system", "content": "s"}, *user("x")])
        assert "system" not in wire.sent
        assert wire.sent["messages"][0]["content"][0]["text"].startswith("s")


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it keeps the credentials that it finds
    with pytest.raises(ValueError, match="AWS_REGION"):
        AmazonBedrockModel(CLAUDE)
    with pytest.raises(AgentGenerationError, match="AWS_ACCESS_KEY_ID"):
        AmazonBedrockModel(CLAUDE, client_kwargs={"region_name": "us-east-1"}).generate(user("x"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sesame")
    with serve_raw(reply({"text": "ok"})) as wire:
        m = AmazonBedrockModel(CLAUDE, client_kwargs={"endpoint_url": wire.url})
        assert m.generate(user("x")).content == "ok"
        assert "Credential=AKIDENVIRONMENT/" in wire.requests[0].headers["authorization"]


def test_a_client_of_the_users_own():
    import boto3

    with serve_raw(reply({"text": "ok"})) as wire:
        client = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=wire.url, **KEYS)
        m = AmazonBedrockModel(CLAUDE, client=client, custom_role_conversions={"system": "user"})
        assert m.generate([{"role": "system", "content": "s"}, *user("x")]).content == "ok"
        assert wire.sent["messages"][0]["content"] == [{"text": "s\nx"}]


def test_bad_input_is_told_before_the_network():
    m = model("http://127.0.0.1:9", retry=False)
    with pytest.raises(ValueError, match="no messages"):
        m.generate([])
    image = {"type": "image", "image": "https://example.org/a.png"}
    with pytest.raises(ValueError, match="takes no URLs of images"):
        m.generate([{"role": "user", "content": [image]}])
    with pytest.raises(ValueError, match="part of type 'riddle'"):
        m.generate([{"role": "user", "content": [{"type": "riddle"}]}])
    with pytest.raises(ValueError, match="tool_choice is 'maybe'"):
        m.generate(user("x"), tools_to_call_from=[FakeTool("a")], tool_choice="maybe")
    with pytest.raises(AgentGenerationError, match=r"was not called.*Invalid type for parameter guardrailConfig"):
        m.generate(user("x"), guardrailConfig="strict")
    with pytest.raises(ValueError, match="cache is '2h'"):
        model("http://127.0.0.1:9", cache="2h")


def test_a_model_is_saved_without_its_secrets():
    m = model("http://localhost:8080", cache="1h", temperature=0.1, requests_per_minute=60)
    saved = m.to_dict()
    assert saved == {
        "model_id": CLAUDE,
        "client_kwargs": {"region_name": "us-east-1", "endpoint_url": "http://localhost:8080"},
        "cache": "1h",
        "requests_per_minute": 60,
        "temperature": 0.1,
    }
    assert AmazonBedrockModel.from_dict(saved).to_dict() == saved


def test_the_older_name_is_the_same_class():
    assert AmazonBedrockServerModel is AmazonBedrockModel
