"""What every model can do once it has `generate`."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest

from smolagents.models import (
    REMOVE_PARAMETER,
    ChatMessage,
    ChatMessageStreamDelta,
    MessageRole,
    Model,
    OpenAIModel,
    as_model,
    get_tool_json_schema,
)
from support.model_helpers import user


def reply(text="ok"):
    return ChatMessage(MessageRole.ASSISTANT, text)


class Slow(Model):
    """Blocks as a model without an async client does."""

    def __init__(self, seconds=0.1):
        super().__init__()
        self.seconds = seconds
        self.closed = threading.Event()

    def generate(self, messages, stop_sequences=None, response_format=None, tools_to_call_from=None, **kwargs):
        time.sleep(self.seconds)
        return reply(messages[0]["content"])

    def generate_stream(self, messages, stop_sequences=None, response_format=None, tools_to_call_from=None, **kwargs):
        try:
            for letter in messages[0]["content"]:
                time.sleep(self.seconds)
                yield ChatMessageStreamDelta(content=letter)
        finally:
            self.closed.set()


def test_blocking_models_do_not_block_the_loop_or_each_other():
    async def main():
        return await asyncio.gather(*(Slow(0.2).agenerate(user(str(number))) for number in range(50)))

    start = time.monotonic()
    replies = asyncio.run(main())
    assert [message.content for message in replies] == [str(number) for number in range(50)]
    assert time.monotonic() - start < 5  # one after the other they would take 10


def test_the_async_stream_is_the_blocking_one_and_passes_its_errors_on():
    class Broken(Slow):
        def generate_stream(self, messages, **kwargs):
            yield ChatMessageStreamDelta(content="a")
            raise ConnectionError("gone")

    async def main(model):
        seen = []
        try:
            async for delta in model.agenerate_stream(user("abc")):
                seen.append(delta.content)
        except ConnectionError as error:
            seen.append(str(error))
        return seen

    assert asyncio.run(main(Slow(0.0))) == ["a", "b", "c"]
    assert asyncio.run(main(Broken())) == ["a", "gone"]


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_leaving_the_async_stream_closes_the_blocking_one(how):
    model = Slow(0.01)

    async def main():
        stream = model.agenerate_stream(user("x" * 10_000))
        if how == "close":
            assert (await stream.__anext__()).content == "x"
            await stream.aclose()
        else:

            async def consume():
                async for _ in stream:
                    pass

            task = asyncio.create_task(consume())
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await asyncio.to_thread(model.closed.wait, 5)

    asyncio.run(main())


def test_a_model_that_cannot_stream_says_so():
    with pytest.raises(NotImplementedError, match="cannot stream"):
        Model().agenerate_stream(user("x"))


def test_parameters_of_a_call(weather):
    model = Model(model_id="gpt-4o", temperature=0.5, top_p=REMOVE_PARAMETER, stop=REMOVE_PARAMETER)
    prepared = model._prepare_completion_kwargs(
        user("x"), stop_sequences=["END"], tools_to_call_from=[weather], seed=1, temperature=0.1
    )
    assert prepared == {
        "messages": user("x"),
        "temperature": 0.1,
        "seed": 1,
        "tools": [get_tool_json_schema(weather)],
        "tool_choice": "required",
    }
    chosen = Model(tool_choice="auto")
    assert chosen._prepare_completion_kwargs(user("x"), tools_to_call_from=[weather])["tool_choice"] == "auto"
    assert "tool_choice" not in chosen._prepare_completion_kwargs(user("x"))
    assert Model()._prepare_completion_kwargs(user("x"), stop_sequences=["END"])["stop"] == ["END"]
    with pytest.raises(ValueError, match="no messages"):
        Model()._prepare_completion_kwargs([])


@pytest.mark.parametrize(
    ("model_id", "takes_stop"),
    [
        ("gpt-4o", True),
        ("openai/gpt-4.1-mini", True),
        ("o3", False),
        ("o4-mini", False),
        ("openai/o3-2025-04-16", False),
        ("gpt-5-mini", False),
        ("openai/gpt-5.2", False),
        ("xai/grok-4", False),
        ("Qwen/Qwen3-32B", True),
        ("gpt-oss-120b", True),
        ("olmo-3", True),
    ],
)
def test_stop_is_sent_only_to_models_that_take_it(model_id, takes_stop):
    assert Model(model_id=model_id).supports_stop_parameter is takes_stop


def test_tool_schema(weather):
    weather.inputs["note"] = {"type": "any", "description": "Anything."}
    schema = get_tool_json_schema(weather)["function"]
    assert schema["parameters"]["required"] == ["city", "note"]
    assert schema["parameters"]["properties"]["note"] == {"type": "string", "description": "Anything."}
    assert weather.inputs["note"]["type"] == "any"


def test_a_model_is_made_again_from_its_dictionary_and_secrets_are_not_written():
    model = OpenAIModel(
        "gpt-4o",
        api_base="https://me:hunter2@example.org/v1?api_key=hunter2",
        api_key="hunter2",
        organization="org",
        client_kwargs={"timeout": 7, "default_headers": {"X-Auth": "hunter2"}, "api_key": "hunter2"},
        custom_role_conversions={"system": "user"},
        requests_per_minute=30,
        retry=False,
        temperature=0.3,
        max_tokens=5,
        extra_headers={"Authorization": "Bearer hunter2"},
        extra_body={"hf_token": "hunter2", "top_k": 1},
        tool_name_key="tool",
    )
    saved = json.dumps(model.to_dict())
    assert "hunter2" not in saved
    assert json.loads(saved) == {
        "model_id": "gpt-4o",
        "api_base": "https://example.org/v1?api_key=",
        "organization": "org",
        "client_kwargs": {"timeout": 7},
        "custom_role_conversions": {"system": "user"},
        "requests_per_minute": 30,
        "retry": False,
        "temperature": 0.3,
        "max_tokens": 5,
        "extra_body": {"top_k": 1},
        "tool_name_key": "tool",
    }
    again = OpenAIModel.from_dict({**json.loads(saved), "api_key": "x"})
    assert again.to_dict() == model.to_dict()
    assert again.client.timeout == 7


def test_as_model_leaves_models_alone_and_wraps_all_else():
    model = Slow()
    assert as_model(model) is model

    class Duck:
        model_id = "duck"
        calls = 0

        def generate(self, messages, stop_sequences=None):
            self.calls += 1
            return {"content": f"{messages[0]['content']} {stop_sequences}"}

    duck = Duck()
    wrapped = as_model(duck)
    assert wrapped.generate(user("a"), stop_sequences=["b"], tools_to_call_from=[], x=1).content == "a ['b']"
    assert asyncio.run(wrapped.agenerate(user("a"))).content == "a None"
    assert (wrapped.model_id, wrapped.calls, hasattr(wrapped, "generate_stream")) == ("duck", 2, False)
    assert wrapped.parse_tool_calls(reply('{"name": "f", "arguments": {}}')).tool_calls[0].function.name == "f"


def test_plain_and_async_callables_are_models():
    def plain(messages):
        return "one STOP two"

    async def later(messages, **kwargs):
        await asyncio.sleep(0)
        return reply(str(sorted(kwargs)))

    assert as_model(plain).generate(user("x"), stop_sequences=["STOP"]).content == "one "
    assert (
        as_model(later).generate(user("x"), tools_to_call_from=["t"]).content
        == "['stop_sequences', 'tools_to_call_from']"
    )
    assert asyncio.run(as_model(plain).agenerate(user("x"))).content == "one STOP two"
    assert asyncio.run(as_model(later).agenerate(user("x"))).content == "['stop_sequences']"

    async def inside():
        with pytest.raises(TypeError, match="await agenerate"):
            as_model(later).generate(user("x"))

    asyncio.run(inside())


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="class Slow itself; make an instance"):
        as_model(Slow)
    with pytest.raises(TypeError, match="this is 'gpt-4o'"):
        as_model("gpt-4o")
    with pytest.raises(TypeError, match="returned int"):
        as_model(lambda messages: 3).generate(user("x"))


def test_a_subclass_need_not_call_our_constructor():
    class Own(Model):
        def __init__(self):
            pass

        def generate(self, messages, **kwargs):
            return reply('{"name": "f", "arguments": "{\\"a\\": 1}"}')

    message = Own()(user("x"))
    assert Own().parse_tool_calls(message).tool_calls[0].function.arguments == {"a": 1}
    assert Own().to_dict() == {}
