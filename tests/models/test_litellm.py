"""LiteLLM against llama.cpp's own server with a tiny random model, and against local servers that play given answers.

Those have the shapes of https://docs.anthropic.com/en/api/messages and https://github.com/ollama/ollama/blob/main/docs/api.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pytest

from smolagents.models import ChatMessage, LiteLLMModel, LiteLLMRouterModel, agglomerate_stream_deltas
from smolagents.models.retrying import Retrying
from smolagents.types.errors import AgentGenerationError, MissingExtraError
from support.model_helpers import KEY, user
from support.raw_wire import RawAnswer, serve_raw
from support.wire import Answer, chunk, completion, serve_answers

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would be fetched on import
pytest.importorskip("litellm")

# The library's own: what it does with pydantic, and connections and tasks that it leaves to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "fruit",
        "schema": {
            "type": "object",
            "properties": {"ripe": {"type": "boolean"}},
            "required": ["ripe"],
            "additionalProperties": False,
        },
    },
}
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
OK = Answer(completion({"content": "ok"}, usage=USAGE))


def local(base, key=KEY, **kwargs):
    return LiteLLMModel("openai/tiny", api_base=base, api_key=key, temperature=0, max_tokens=30, **kwargs)


def model(url, model_id="openai/gpt-4o", **kwargs):
    return LiteLLMModel(model_id, api_base=url, api_key="k", **kwargs)


def router(*urls, **kwargs):
    deployments = [
        {"model_name": "group", "litellm_params": {"model": "openai/gpt-4o", "api_base": url, "api_key": "sesame"}}
        for url in urls
    ]
    return LiteLLMRouterModel("group", deployments, **kwargs)


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


def test_all_four_ways_give_one_reply_of_a_real_server(tiny_server):
    replies = all_four_ways(local(tiny_server), user("hello"))
    assert replies[0].content
    for message in replies:
        assert message.content == replies[0].content
        assert message.token_usage.output_tokens == replies[0].token_usage.output_tokens
        assert message.finish_reason == replies[0].finish_reason


def test_stops_and_formats_reach_a_real_server(tiny_server):
    m = local(tiny_server)
    content = m.generate(user("hello")).content
    stop = next(letter for letter in content[3:] if letter.isascii())
    assert m.generate(user("hello"), stop_sequences=[stop]).content == content[: content.index(stop)]
    assert isinstance(json.loads(m.generate(user("x"), response_format=FORMAT).content)["ripe"], bool)


def test_a_real_server_that_refuses(tiny_server):
    for attempt in (
        lambda: local(tiny_server, key="wrong").generate(user("x")),
        lambda: list(local(tiny_server, key="wrong").generate_stream(user("x"))),
        lambda: asyncio.run(local(tiny_server, key="wrong").agenerate(user("x"))),
    ):
        with pytest.raises(AgentGenerationError, match=r"status 401: .*Invalid API Key.*check the key") as caught:
            attempt()
        assert caught.value.kind == "authentication"
    with pytest.raises(AgentGenerationError, match=r"exceeds the available context size"):
        local(tiny_server).generate(user("x" * 5000))


def test_a_server_that_is_not_there_is_not_waited_for():
    for attempt in (
        lambda: model("http://127.0.0.1:9/v1").generate(user("x")),
        lambda: asyncio.run(model("http://127.0.0.1:9/v1").agenerate(user("x"))),
    ):
        with pytest.raises(AgentGenerationError, match=r"http://127.0.0.1:9/v1 cannot be reached") as caught:
            attempt()
        assert caught.value.kind == "unreachable"


def test_one_model_serves_several_loops(tiny_server):
    m = local(tiny_server)

    async def main():
        return await asyncio.gather(*(m.agenerate(user("hello")) for _ in range(4)))

    replies = asyncio.run(main()) + asyncio.run(main())
    assert len({reply.content for reply in replies}) == 1


def test_tools_without_what_the_library_imports_for_them(monkeypatch, weather):
    monkeypatch.setitem(sys.modules, "mcp", None)
    for name in [name for name in sys.modules if name.startswith(("litellm.responses.mcp", "litellm.proxy"))]:
        monkeypatch.delitem(sys.modules, name)
    with serve_answers(OK) as wire:
        try:
            asyncio.run(model(wire.url).agenerate(user("x"), tools_to_call_from=[weather]))
            said = "smolagents[litellm]"  # a version that needs nothing
        except MissingExtraError as error:
            said = str(error)
    assert "smolagents[litellm]" in said


def test_tools_are_sent_and_parallel_calls_come_back(weather):
    calls = [
        {"id": f"c{i}", "type": "function", "function": {"name": "get_weather", "arguments": f'{{"city": "{city}"}}'}}
        for i, city in enumerate(("Paris", "Rome"))
    ]
    pieces = [chunk({"tool_calls": [{"index": i, **call}]}) for i, call in enumerate(calls)]
    whole = Answer(completion({"tool_calls": calls}, "tool_calls"))
    streamed = Answer(events=[*pieces, chunk({}, "tool_calls"), "[DONE]"])
    with serve_answers(whole, whole, streamed, streamed) as wire:
        m = model(wire.url)
        for message in all_four_ways(m, user("x"), tools_to_call_from=[weather]):
            m.parse_tool_calls(message)
            assert [(c.id, c.function.arguments) for c in message.tool_calls] == [
                ("c0", {"city": "Paris"}),
                ("c1", {"city": "Rome"}),
            ]
            assert message.finish_reason == "tool_calls"
        assert wire.requests[0]["tool_choice"] == "required"
        assert wire.requests[0]["tools"][0]["function"]["name"] == "get_weather"


def test_reasoning_usage_and_cost():
    details = {"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}
    usage = {**USAGE, **details}
    whole = Answer(completion({"content": "ok", "reasoning_content": "hm"}, usage=usage))
    last = {**chunk({}), "choices": [], "usage": usage}
    streamed = Answer(
        events=[chunk({"reasoning_content": "hm"}), chunk({"content": "ok"}), chunk({}, "stop"), last, "[DONE]"]
    )
    with serve_answers(whole, whole, streamed, streamed) as wire:
        replies = all_four_ways(model(wire.url), user("x"))
    for message in replies:
        assert (message.content, message.reasoning_content) == ("ok", "hm")
        counts = message.token_usage
        assert (counts.input_tokens, counts.output_tokens) == (10, 5)
        assert (counts.cached_input_tokens, counts.reasoning_tokens) == (4, 2)
        assert 0 < counts.cost < 0.001
    with serve_answers(Answer(completion({"content": "ok"}))) as wire:
        assert model(wire.url).generate(user("x")).token_usage is None
    with serve_answers(OK) as wire:
        assert model(wire.url, "openai/of-my-own").generate(user("x")).token_usage.cost is None


def test_images_roles_and_parameters_are_sent(tmp_path):
    from PIL import Image

    Image.new("RGB", (1, 1)).save(tmp_path / "a.png")
    parts = [{"type": "text", "text": "t"}, {"type": "image", "image": str(tmp_path / "a.png")}]
    with serve_answers(OK) as wire:
        m = model(wire.url, custom_role_conversions={"system": "user"}, seed=3)
        m.generate([{"role": "system", "content": "s"}, {"role": "user", "content": parts}], temperature=0.2)
        sent = wire.requests[0]
    (message,) = sent["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url"]
    assert (sent["model"], sent["seed"], sent["temperature"]) == ("gpt-4o", 3, 0.2)


def test_contents_are_text_for_providers_that_take_nothing_else():
    parts = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    reply = {"model": "llama3", "created_at": "2023-08-04T19:22:45.499127Z", "done": True, "done_reason": "stop"}
    counts = {"prompt_eval_count": 10, "eval_count": 5}
    with serve_raw(RawAnswer({**reply, "message": {"role": "assistant", "content": "ok"}, **counts})) as wire:
        message = model(wire.url, "ollama_chat/llama3").generate(parts)
        assert wire.requests[0].path == "/api/chat"
        assert wire.sent["messages"][0]["content"] == "a\nb"
    assert (message.content, message.token_usage.input_tokens) == ("ok", 10)
    assert [LiteLLMModel(name).flatten_messages_as_text for name in ("groq/x", "cerebras/x", "openai/x")] == [
        True,
        True,
        False,
    ]
    assert LiteLLMModel("groq/x", flatten_messages_as_text=False).flatten_messages_as_text is False


def test_thinking_is_sent_back_as_it_was():
    thought = {"type": "thinking", "thinking": "Let me see.", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}
    reply = {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [thought, {"type": "text", "text": "Four."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 25, "output_tokens": 15},
    }
    with serve_raw(RawAnswer(reply)) as wire:
        m = model(wire.url, "anthropic/claude-sonnet-4-5", thinking={"type": "enabled", "budget_tokens": 1024})
        message = m.generate(user("2 + 2?"))
        assert (message.reasoning_content, message.content) == ("Let me see.", "Four.")
        saved = ChatMessage.from_dict(json.loads(message.model_dump_json()))
        m.generate([*user("2 + 2?"), saved, *user("Sure?")])
        assert wire.sent["messages"][1]["content"][0] == thought


@pytest.mark.parametrize("asynchronous", [False, True])
def test_closing_a_stream_hangs_up(asynchronous):
    with serve_answers(Answer(events=[chunk({"content": "x" * 1000})], endless=True)) as wire:
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
                assert await asyncio.to_thread(wire.hung_up.wait, 5)

            asyncio.run(main())
        else:
            deltas = m.generate_stream(user("x"))
            assert next(deltas).content
            deltas.close()
            assert wire.hung_up.wait(5)


def test_what_may_pass_is_tried_again_and_what_will_not_is_told():
    import time

    busy = Answer({"error": {"message": "slow down"}}, status=429, headers={"retry-after": "0.3"})
    with serve_answers(busy, Answer({"error": {"message": "oops"}}, status=500), OK) as wire:
        start = time.monotonic()
        assert hasty(model(wire.url)).generate(user("x")).content == "ok"
        assert time.monotonic() - start >= 0.3
        assert len(wire.requests) == 3
    with serve_answers(busy, OK) as wire:
        assert asyncio.run(hasty(model(wire.url)).agenerate(user("x"))).content == "ok"
    with serve_answers(busy) as wire:
        with pytest.raises(AgentGenerationError, match=r"429.*slow down.*requests_per_minute"):
            model(wire.url, retry=False).generate(user("x"))
        assert len(wire.requests) == 1
    with serve_answers(Answer({"error": {"message": "no such model"}}, status=404)) as wire:
        with pytest.raises(AgentGenerationError, match=r"404.*check model_id \('openai/gpt-4o'\)"):
            model(wire.url).generate(user("x"))
        assert len(wire.requests) == 1


def test_a_refused_parameter_is_left_out_and_remembered():
    refusal = Answer(
        {"error": {"message": "Unsupported parameter: 'seed' is not supported with this model.", "param": "seed"}},
        status=400,
    )
    with serve_answers(refusal, OK) as wire:
        m = model(wire.url, seed=3)
        assert m.generate(user("x")).content == "ok"
        m.generate(user("x"))
        assert ["seed" in request for request in wire.requests] == [True, False, False]


def test_what_is_missing_is_named(monkeypatch):
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="LiteLLMModel needs a model"):
        LiteLLMModel()
    with pytest.raises(AgentGenerationError, match="ANTHROPIC_API_KEY"):
        LiteLLMModel("anthropic/claude-sonnet-4-5", retry=False).generate(user("x"))
    with pytest.raises(AgentGenerationError, match="OPENAI_API_KEY"):
        LiteLLMModel("openai/gpt-4o", retry=False).generate(user("x"))
    with pytest.raises(AgentGenerationError, match=r"write model_id as <provider>/<model>, such as 'openai/of-mine'"):
        LiteLLMModel("of-mine").generate(user("x"))
    with serve_answers(OK) as wire:  # a server on this machine needs no key
        assert LiteLLMModel("openai/gpt-4o", api_base=wire.url).generate(user("x")).content == "ok"


def test_the_router_goes_on_to_the_next_deployment():
    broken = Answer({"error": {"message": "oops"}}, status=500)
    with serve_answers(broken) as bad, serve_answers(OK) as good:
        m = router(bad.url, good.url, client_kwargs={"num_retries": 5, "retry_after": 0, "disable_cooldowns": True})
        assert [m.generate(user("x")).content for _ in range(3)] == ["ok"] * 3
        assert asyncio.run(m.agenerate(user("x"))).content == "ok"
    streamed = Answer(events=[chunk({"content": "o"}), chunk({"content": "k"}), chunk({}, "stop"), "[DONE]"])
    with serve_answers(streamed) as wire:
        m = router(wire.url)
        assert agglomerate_stream_deltas(m.generate_stream(user("x"))).content == "ok"
        assert asyncio.run(gathered(m.agenerate_stream(user("x")))).content == "ok"
    with pytest.raises(ValueError, match="model_list has no group 'groop', only group"):
        LiteLLMRouterModel("groop", [{"model_name": "group", "litellm_params": {"model": "openai/x"}}])


def test_models_are_saved_without_their_secrets():
    saved = model("http://localhost:8080/v1", temperature=0.1).to_dict()
    assert saved == {
        "model_id": "openai/gpt-4o",
        "api_base": "http://localhost:8080/v1",
        "flatten_messages_as_text": False,
        "temperature": 0.1,
    }
    assert LiteLLMModel.from_dict(saved).to_dict() == saved
    saved = router("http://localhost:8080/v1").to_dict()
    assert "sesame" not in str(saved)
    assert LiteLLMRouterModel.from_dict(saved).to_dict() == saved


def test_the_library_is_quiet():
    code = (
        "from smolagents import LiteLLMModel\n"
        "m = LiteLLMModel('openai/x', api_base='http://127.0.0.1:9', api_key='k')\n"
        "try: m.generate([{'role': 'user', 'content': 'x'}])\n"
        "except Exception as error: print(type(error).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("AgentGenerationError\n", "")
