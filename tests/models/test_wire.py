"""The official SDKs against recorded shapes: tool calls in pieces, missing usage, refusals, broken streams."""

from __future__ import annotations

import asyncio
import time

import pytest

from smolagents.models import (
    InferenceClientModel,
    OpenAIModel,
    TokenUsage,
    agglomerate_stream_deltas,
    get_tool_json_schema,
)
from smolagents.models.retrying import Retrying
from smolagents.types.errors import AgentGenerationError
from support.model_helpers import user
from support.wire import Answer, chunk, completion, serve_answers


def openai(url, **kwargs):
    return OpenAIModel("gpt-4o", api_base=url, api_key="k", client_kwargs={"max_retries": 0}, **kwargs)


def huggingface(url, **kwargs):
    return InferenceClientModel("some/model", base_url=url, token="hf_k", **kwargs)


both = pytest.mark.parametrize("make", [openai, huggingface])
CALL = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
OK = Answer(completion({"content": "ok"}))


@both
def test_tools_are_sent_and_calls_come_back(make, weather):
    second = {**CALL, "id": "c2", "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'}}
    answer = Answer(completion({"tool_calls": [CALL, second]}, "tool_calls"))
    with serve_answers(answer) as wire:
        model = make(wire.url)
        message = model.parse_tool_calls(model.generate(user("x"), tools_to_call_from=[weather]))
        sent = wire.requests[0]
    assert sent["tools"] == [get_tool_json_schema(weather)]
    assert sent["tool_choice"] == "required"
    assert [(call.id, call.function.arguments) for call in message.tool_calls] == [
        ("c1", {"city": "Paris"}),
        ("c2", {"city": "Rome"}),
    ]
    assert message.content is None
    assert message.token_usage is None
    assert message.finish_reason == "tool_calls"


@both
def test_parallel_calls_in_a_stream_are_put_together(make, weather):
    def piece(index, **function):
        more = {"id": f"c{index}", "type": "function"} if "name" in function else {}
        return chunk({"tool_calls": [{"index": index, "function": function, **more}]})

    events = [
        piece(0, name="get_weather", arguments=""),
        piece(0, arguments='{"city": '),
        piece(1, name="get_weather", arguments=""),
        piece(1, arguments='{"city": "Rome"}'),
        piece(0, arguments='"Paris"}'),
        chunk({}, "tool_calls"),
        {**chunk({}), "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}},
        "[DONE]",
    ]
    with serve_answers(Answer(events=events)) as wire:
        model = make(wire.url)
        message = agglomerate_stream_deltas(model.generate_stream(user("x"), tools_to_call_from=[weather]))
        assert wire.requests[0]["stream_options"] == {"include_usage": True}
    model.parse_tool_calls(message)
    assert [call.function.arguments for call in message.tool_calls] == [{"city": "Paris"}, {"city": "Rome"}]
    assert message.token_usage == TokenUsage(7, 9)


@both
def test_usage_that_a_stream_does_not_report_is_none(make):
    with serve_answers(Answer(events=[chunk({"content": "a"}), chunk({}, "stop"), "[DONE]"])) as wire:
        message = agglomerate_stream_deltas(make(wire.url).generate_stream(user("x")))
    assert (message.content, message.token_usage) == ("a", None)


@both
def test_reasoning_comes_apart_from_the_answer(make):
    with serve_answers(
        Answer(completion({"content": "ok", "reasoning_content": "hm"})),
        Answer(
            events=[
                chunk({"reasoning_content": "h"}),
                chunk({"reasoning_content": "m"}),
                chunk({"content": "ok"}, "stop"),
                "[DONE]",
            ]
        ),
    ) as wire:
        model = make(wire.url)
        for message in (model.generate(user("x")), agglomerate_stream_deltas(model.generate_stream(user("x")))):
            assert (message.content, message.reasoning_content) == ("ok", "hm")


@both
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_stream_that_ends_without_a_reason_was_broken_off_if_the_server_gives_reasons(make, asynchronous):
    whole = Answer(events=[chunk({"content": "all of it"}, "stop"), "[DONE]"])
    part = Answer(events=[chunk({"content": "half of"})])

    def streamed(model):
        async def gathered():
            return [delta async for delta in model.agenerate_stream(user("x"))]

        deltas = asyncio.run(gathered()) if asynchronous else model.generate_stream(user("x"))
        return agglomerate_stream_deltas(list(deltas)).content

    with serve_answers(part, whole, part) as wire:
        model = make(wire.url)
        assert streamed(model) == "half of"  # from a server of which nothing is known yet
        assert streamed(model) == "all of it"
        with pytest.raises(AgentGenerationError, match="before the end of the reply") as caught:
            streamed(model)
        assert caught.value.kind == "connection"


def test_cached_and_reasoning_tokens():
    usage = {
        "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 8}, "completion_tokens_details": {"reasoning_tokens": 3},
    }  # fmt: skip
    with serve_answers(Answer(completion({"content": "ok"}, usage=usage))) as wire:
        message = openai(wire.url).generate(user("x"))
    assert message.token_usage == TokenUsage(10, 5, cached_input_tokens=8, reasoning_tokens=3)


def test_images_roles_and_constructor_parameters_are_sent(tmp_path):
    from PIL import Image

    path = tmp_path / "a.png"
    Image.new("RGB", (1, 1)).save(path)
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "t"}, {"type": "image", "image": str(path)}]},
        {"role": "tool-response", "content": "seen"},
    ]
    with serve_answers(OK) as wire:
        model = openai(wire.url, custom_role_conversions={"system": "user"}, seed=3)
        model.generate(messages, temperature=0.2)
        asyncio.run(model.agenerate(messages, temperature=0.2))
    sent, again = wire.requests
    assert sent == again
    assert (sent["model"], sent["seed"], sent["temperature"]) == ("gpt-4o", 3, 0.2)
    (message,) = sent["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url", "text"]
    assert message["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")


@both
@pytest.mark.parametrize("asynchronous", [False, True])
def test_closing_a_stream_hangs_up(make, asynchronous):
    with serve_answers(Answer(events=[chunk({"content": "x" * 1000})], endless=True)) as wire:
        model = make(wire.url)
        if asynchronous:

            async def main():
                stream = model.agenerate_stream(user("x"))
                assert (await stream.__anext__()).content
                await stream.aclose()

            asyncio.run(main())
        else:
            stream = model.generate_stream(user("x"))
            assert next(stream).content
            stream.close()
        assert wire.hung_up.wait(5)


def test_cancelling_a_task_hangs_up():
    with serve_answers(Answer(events=[chunk({"content": "x" * 1000})], endless=True)) as wire:

        async def main():
            began = asyncio.Event()

            async def consume():
                async for _ in openai(wire.url).agenerate_stream(user("x")):
                    began.set()

            task = asyncio.create_task(consume())
            await began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(wire.hung_up.wait, 5)

        asyncio.run(main())


@both
def test_a_refusal_for_haste_is_tried_again(make):
    refusal = Answer({"error": {"message": "slow down"}}, status=429)
    with serve_answers(refusal, refusal, OK) as wire:
        model = make(wire.url)
        model.retryer = Retrying(3, 0.01, retry_predicate=model.retryer.retry_predicate)
        assert model.generate(user("x")).content == "ok"
        assert len(wire.requests) == 3
    with serve_answers(refusal, refusal, OK) as wire:
        model = make(wire.url)
        model.retryer = Retrying(3, 0.01, retry_predicate=model.retryer.retry_predicate)
        assert asyncio.run(model.agenerate(user("x"))).content == "ok"
    with serve_answers(refusal) as wire:
        with pytest.raises(AgentGenerationError, match=r"429.*requests_per_minute"):
            make(wire.url, retry=False).generate(user("x"))
        assert len(wire.requests) == 1


@both
def test_an_answer_without_a_message_is_an_error(make):
    with serve_answers(Answer({"id": "1", "object": "x", "created": 0, "model": "m", "choices": []})) as wire:
        with pytest.raises(AgentGenerationError, match="holds no message"):
            make(wire.url).generate(user("x"))


def test_an_error_in_the_middle_of_a_stream():
    events = [chunk({"content": "a"}), {"error": {"message": "out of memory", "code": 500}}]
    with serve_answers(Answer(events=events)) as wire:
        stream = openai(wire.url).generate_stream(user("x"))
        assert next(stream).content == "a"
        with pytest.raises(AgentGenerationError, match="out of memory"):
            next(stream)


def test_requests_per_minute_hold():
    with serve_answers(OK) as wire:
        model = openai(wire.url, requests_per_minute=600)
        start = time.monotonic()
        for _ in range(3):
            model.generate(user("x"))
        assert time.monotonic() - start >= 0.19


def test_a_client_of_the_users_own():
    import openai as sdk

    with serve_answers(OK) as wire:
        model = OpenAIModel("gpt-4o", client=sdk.OpenAI(base_url=wire.url, api_key="k"))
        assert model.generate(user("x")).content == "ok"
        assert asyncio.run(model.agenerate(user("x"))).content == "ok"
