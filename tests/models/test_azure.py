"""OpenAI's SDK for Azure against a local server with Azure's paths and answers.

Their shapes are those of https://learn.microsoft.com/en-us/azure/ai-services/openai/reference, with the content filter's
results of https://learn.microsoft.com/en-us/azure/ai-services/openai/concepts/content-filter.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from smolagents.models import AzureOpenAIModel, AzureOpenAIServerModel, agglomerate_stream_deltas
from smolagents.models.retrying import Retrying
from smolagents.types.errors import AgentGenerationError
from smolagents.types.usage import TokenUsage
from support.model_helpers import user
from support.raw_wire import RawAnswer, serve_raw
from support.wire import chunk, completion

VERSION = "2024-10-21"
USAGE = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
SAFE = {"hate": {"filtered": False, "severity": "safe"}}
VARIABLES = (
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_AD_TOKEN",
    "OPENAI_API_VERSION",
    "OPENAI_API_KEY",
)


def model(url, **kwargs):
    return AzureOpenAIModel("my-gpt", azure_endpoint=url, api_key="k", api_version=VERSION, **kwargs)


def whole(**message):
    more = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}], "usage": USAGE}
    return RawAnswer(completion(message, **more))


def stream(*chunks):
    filtered = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
    first = {**filtered, "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}]}
    events = [first, *chunks, {**chunk({}, "stop")}, {**filtered, "usage": USAGE}]
    pieces = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return RawAnswer(pieces=[*pieces, b"data: [DONE]\n\n"], headers={"Content-Type": "text/event-stream"})


def refusal(status, code, message, **headers):
    return RawAnswer({"error": {"code": code, "message": message}}, status=status, headers=headers)


async def gathered(deltas):
    return agglomerate_stream_deltas([delta async for delta in deltas])


def test_all_four_ways_give_one_reply():
    pieces = stream(chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo"}))
    with serve_raw(whole(content="Hello"), whole(content="Hello"), pieces, pieces) as wire:
        m = model(wire.url)
        replies = [
            m.generate(user("x")),
            asyncio.run(m.agenerate(user("x"))),
            agglomerate_stream_deltas(m.generate_stream(user("x"))),
            asyncio.run(gathered(m.agenerate_stream(user("x")))),
        ]
        requests = wire.requests
    for message in replies:
        assert (message.content, message.finish_reason) == ("Hello", "stop")
        assert (message.token_usage.input_tokens, message.token_usage.output_tokens) == (7, 9)
    for request in requests:
        assert request.path == f"/openai/deployments/my-gpt/chat/completions?api-version={VERSION}"
        assert request.headers["api-key"] == "k"


def test_tools_formats_stops_and_images_are_sent(weather, tmp_path):
    from PIL import Image

    Image.new("RGB", (1, 1)).save(tmp_path / "a.png")
    calls = [
        {"id": f"c{i}", "type": "function", "function": {"name": "get_weather", "arguments": f'{{"city": "{city}"}}'}}
        for i, city in enumerate(("Paris", "Rome"))
    ]
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    image = {"type": "image", "image": str(tmp_path / "a.png")}
    with serve_raw(whole(tool_calls=calls)) as wire:
        m = model(wire.url, temperature=0.1)
        message = m.generate(
            [{"role": "user", "content": [image]}],
            stop_sequences=["</code>"],
            response_format=form,
            tools_to_call_from=[weather],
        )
        sent = wire.sent
    m.parse_tool_calls(message)
    assert [call.function.arguments for call in message.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert (sent["stop"], sent["response_format"], sent["temperature"]) == (["</code>"], form, 0.1)
    assert sent["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")


def test_cancelling_a_stream_hangs_up():
    piece = f"data: {json.dumps(chunk({'content': 'x' * 1000}))}\n\n".encode()
    with serve_raw(RawAnswer(pieces=[piece], endless=True, headers={"Content-Type": "text/event-stream"})) as wire:

        async def main():
            began = asyncio.Event()

            async def consume():
                async for _ in model(wire.url).agenerate_stream(user("x")):
                    began.set()

            task = asyncio.create_task(consume())
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert wire.hung_up.wait(5)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (refusal(401, "401", "Access denied due to invalid subscription key"), "401: .*AZURE_OPENAI_API_KEY"),
        (
            refusal(404, "DeploymentNotFound", "The API deployment for this resource does not exist."),
            r"404: .*deployment named 'my-gpt'.*2024-10-21",
        ),
        (refusal(400, "content_filter", "The response was filtered"), "content filter stopped the prompt"),
    ],
)
def test_what_will_not_pass_fails_at_once_with_a_remedy(answer, says):
    with serve_raw(answer) as wire:
        with pytest.raises(AgentGenerationError, match=says):
            model(wire.url).generate(user("x"))
        with pytest.raises(AgentGenerationError, match=says):
            asyncio.run(model(wire.url).agenerate(user("x")))
        assert len(wire.requests) == 2


def test_a_quota_that_is_used_up_is_waited_for():
    busy = refusal(429, "429", "Requests have exceeded the call rate limit", **{"Retry-After": "0.02"})
    with serve_raw(busy, busy, whole(content="ok")) as wire:
        m = model(wire.url)
        m.retryer = Retrying(3, 0.01, retry_predicate=m.retryer.retry_predicate)
        assert m.generate(user("x")).token_usage == TokenUsage(7, 9)
        assert len(wire.requests) == 3
    with pytest.raises(AgentGenerationError, match="cannot be reached"):
        model("http://127.0.0.1:9", retry=False).generate(user("x"))


def test_what_is_missing_is_named(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=r"AZURE_OPENAI_ENDPOINT.*AZURE_OPENAI_API_KEY.*OPENAI_API_VERSION"):
        AzureOpenAIModel("my-gpt")
    with pytest.raises(ValueError, match=r"lacks an API key \(the environment variable AZURE_OPENAI_API_KEY"):
        AzureOpenAIModel("my-gpt", azure_endpoint="https://example.org", api_version=VERSION)
    with serve_raw(whole(content="ok")) as wire:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", wire.url)
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "from the environment")
        monkeypatch.setenv("OPENAI_API_VERSION", VERSION)
        m = AzureOpenAIModel("my-gpt")
        assert m.generate(user("x")).content == "ok"
        assert asyncio.run(m.agenerate(user("x"))).content == "ok"
        assert wire.requests[1].headers["api-key"] == "from the environment"


def test_a_token_provider_signs_in(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with serve_raw(whole(content="ok")) as wire:
        m = AzureOpenAIModel(
            "my-gpt", wire.url, api_version=VERSION, client_kwargs={"azure_ad_token_provider": lambda: "a token"}
        )
        m.generate(user("x"))
        asyncio.run(m.agenerate(user("x")))
        assert [request.headers["authorization"] for request in wire.requests] == ["Bearer a token"] * 2


def test_a_model_is_saved_without_its_secrets():
    m = AzureOpenAIModel(
        "my-gpt",
        "https://example.org",
        api_version=VERSION,
        client_kwargs={"timeout": 9, "azure_ad_token": "sesame"},
        temperature=0.1,
    )
    saved = m.to_dict()
    assert saved == {
        "model_id": "my-gpt",
        "azure_endpoint": "https://example.org",
        "api_version": VERSION,
        "client_kwargs": {"timeout": 9},
        "temperature": 0.1,
    }
    again = AzureOpenAIModel.from_dict({**saved, "api_key": "k"})
    assert again.to_dict() == saved


def test_the_older_name_is_the_same_class():
    assert AzureOpenAIServerModel is AzureOpenAIModel
