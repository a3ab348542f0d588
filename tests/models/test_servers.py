"""API models against a real server, llama.cpp's own, that answers with a tiny random model."""

from __future__ import annotations

import asyncio
import json

import pytest

from smolagents.models import InferenceClientModel, OpenAIModel, agglomerate_stream_deltas
from smolagents.types.errors import AgentGenerationError
from support.model_helpers import KEY, user

FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "fruit",
        "schema": {"type": "object", "properties": {"ripe": {"type": "boolean"}}, "required": ["ripe"], "additionalProperties": False},
    },
}  # fmt: skip


def openai(base, key=KEY, **kwargs):
    return OpenAIModel(
        "tiny", api_base=base, api_key=key, temperature=0, max_tokens=30, client_kwargs={"max_retries": 0}, **kwargs
    )


def huggingface(base, key=KEY, **kwargs):
    return InferenceClientModel("tiny", base_url=base, token=key, temperature=0, max_tokens=30, **kwargs)


both = pytest.mark.parametrize("make", [openai, huggingface])


async def listed(stream):
    return [delta async for delta in stream]


@both
def test_all_four_ways_give_one_reply(make, tiny_server):
    model = make(tiny_server)
    whole = model.generate(user("hello"))
    streamed = list(model.generate_stream(user("hello")))
    awaited = asyncio.run(model.agenerate(user("hello")))
    awaited_stream = asyncio.run(listed(model.agenerate_stream(user("hello"))))
    assert whole.content
    assert whole.token_usage.output_tokens <= 30
    assert whole.finish_reason in ("stop", "length")
    assert [delta.token_usage is not None for delta in streamed].count(True) == 1
    for message in (awaited, agglomerate_stream_deltas(streamed), agglomerate_stream_deltas(awaited_stream)):
        assert message.content == whole.content
        assert message.token_usage.output_tokens == whole.token_usage.output_tokens
        assert message.finish_reason == whole.finish_reason


@both
def test_stops_and_formats_are_sent(make, tiny_server):
    model = make(tiny_server)
    content = model.generate(user("hello")).content
    stop = next(letter for letter in content[3:] if letter.isascii())
    assert model.generate(user("hello"), stop_sequences=[stop]).content == content[: content.index(stop)]
    assert isinstance(json.loads(model.generate(user("x"), response_format=FORMAT).content)["ripe"], bool)


@both
def test_stops_are_cut_here_for_models_that_do_not_take_them(make, tiny_server):
    model = make(tiny_server, facts={"accepts_stop": False})
    content = model.generate(user("hello")).content
    stop = next(letter for letter in content[3:] if letter.isascii())
    expected = content[: content.index(stop)]
    assert model.generate(user("hello"), stop_sequences=[stop]).content == expected
    deltas = list(model.generate_stream(user("hello"), stop_sequences=[stop]))
    assert agglomerate_stream_deltas(deltas).content == expected
    assert deltas[-1].token_usage is not None
    deltas = asyncio.run(listed(model.agenerate_stream(user("hello"), stop_sequences=[stop])))
    assert agglomerate_stream_deltas(deltas).content == expected


@both
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda make, base: make(base, key="wrong"),
            "answered with status 401: .*Invalid API Key.*check the (key|token)",
        ),
        (lambda make, base: make(base.replace("/v1", "/v7")), "answered with status 404.*check model_id"),
        (lambda make, base: make("http://127.0.0.1:9/v1"), "http://127.0.0.1:9/v1 cannot be reached"),
    ],
    ids=["wrong key", "wrong path", "no server"],
)
def test_what_goes_wrong_names_the_server_and_the_remedy(make, change, says, tiny_server):
    model = change(make, tiny_server)

    async def consume():
        async for _ in model.agenerate_stream(user("x")):
            pass

    for call in (
        lambda: model.generate(user("x")),
        lambda: list(model.generate_stream(user("x"))),
        lambda: asyncio.run(model.agenerate(user("x"))),
        lambda: asyncio.run(consume()),
    ):
        with pytest.raises(AgentGenerationError, match=says) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert caught.value.__cause__ is not None


@both
def test_a_request_that_the_server_refuses(make, tiny_server):
    with pytest.raises(AgentGenerationError, match=r"status 400: .*exceeds the available context size"):
        make(tiny_server).generate(user("x" * 5000))
    with pytest.raises(ValueError, match="no messages"):
        make(tiny_server).generate([])


@both
def test_one_model_serves_many_tasks_and_several_loops(make, tiny_server):
    model = make(tiny_server)

    async def main():
        return await asyncio.gather(*(model.agenerate(user("hello")) for _ in range(8)))

    replies = asyncio.run(main()) + asyncio.run(main())
    assert len({reply.content for reply in replies}) == 1


def test_a_missing_key_names_its_variable(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        OpenAIModel("gpt-4o")
    with pytest.raises(ValueError, match=r"for https://example.org/v1: .*OPENAI_API_KEY"):
        OpenAIModel("gpt-4o", api_base="https://example.org/v1")
    assert OpenAIModel("qwen", api_base="http://localhost:8080/v1").client.api_key == "none"
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert OpenAIModel("gpt-4o").client.api_key == "k"


def test_a_missing_token_names_its_variable(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(ValueError, match="HF_TOKEN"):
        InferenceClientModel().generate(user("x"))
    with pytest.raises(ValueError, match="two names of one thing"):
        InferenceClientModel(token="a", api_key="b")


def test_the_older_name_is_the_same_class():
    from smolagents.models import OpenAIServerModel

    assert OpenAIServerModel is OpenAIModel
