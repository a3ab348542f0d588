"""What is wrong with a call is said before the network is touched."""

from __future__ import annotations

import asyncio

import pytest

from smolagents.models import InferenceClientModel, OpenAIModel
from support.model_helpers import user
from support.wire import Answer, completion, serve_answers

BAD = [
    ([], ValueError, "no messages"),
    ([{"role": "robot", "content": "x"}], ValueError, "unknown role 'robot'; use one of user, assistant"),
    ([{"role": "user", "content": {"text": "x"}}], TypeError, "content of message 0 is of type dict"),
    ([{"role": "user", "content": [{"type": "text", "text": None}]}], TypeError, "text part"),
    ([{"role": "user", "content": [{"type": "image", "image": "/no/such.png"}]}], ValueError, "/no/such.png"),
    ([{"role": "user", "content": [{"type": "image", "image": b"no image"}]}], ValueError, "is no PNG"),
    ("hello", TypeError, "message 0 is of type str"),
]


@pytest.mark.parametrize(("messages", "error", "says"), BAD)
@pytest.mark.parametrize("kind", ["chat", "responses", "huggingface"])
def test_bad_messages_never_leave(kind, messages, error, says):
    async def consume(model):
        async for _ in model.agenerate_stream(messages):
            pass

    with serve_answers(Answer(completion({"content": "ok"}))) as wire:
        if kind == "huggingface":
            model = InferenceClientModel("m", base_url=wire.url, token="t")
        else:
            model = OpenAIModel("m", api_base=wire.url, api_key="k", api=kind)
        for call in (
            lambda: model.generate(messages),
            lambda: list(model.generate_stream(messages)),
            lambda: asyncio.run(model.agenerate(messages)),
            lambda: asyncio.run(consume(model)),
        ):
            with pytest.raises(error, match=says):
                call()
        assert wire.requests == []


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_missing_key_names_its_variable(api, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        OpenAIModel("gpt-5", api=api)


def test_a_tool_schema_that_the_provider_refuses_is_told_in_its_words(weather):
    message = "Invalid schema for function 'get_weather': 'nul' is not valid under any of the given schemas."
    refusal = Answer({"error": {"message": message, "param": "tools[0].function.parameters"}}, status=400)
    with serve_answers(refusal) as wire:
        with pytest.raises(Exception, match="Invalid schema for function 'get_weather'"):
            OpenAIModel("m", api_base=wire.url, api_key="k").generate(user("x"), tools_to_call_from=[weather])
        assert len(wire.requests) == 1
