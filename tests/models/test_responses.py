"""OpenAI's Responses API: the real SDK against shapes from its published reference."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from smolagents import CodeAgent, TokenUsage, ToolCallingAgent, tool
from smolagents.models import OpenAIModel, agglomerate_stream_deltas
from smolagents.types.errors import AgentGenerationError
from support.model_helpers import user
from support.wire import Answer, serve_answers

USAGE = {
    "input_tokens": 50, "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 4},
    "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 12}, "total_tokens": 70,
}  # fmt: skip
REASONING = {
    "type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAA", "summary": [{"type": "summary_text", "text": "Hm."}],
}  # fmt: skip


def said(text, id="msg_1"):
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": id, "role": "assistant", "status": "completed", "content": [part]}


def called(name, arguments, call_id="call_1"):
    more = {"id": f"fc_{call_id}", "call_id": call_id, "status": "completed"}
    return {"type": "function_call", "name": name, "arguments": json.dumps(arguments), **more}


def response(*output, status="completed", **more):
    return {
        "id": "resp_1", "object": "response", "created_at": 0, "status": status, "model": "gpt-5", "output": list(output),
        "usage": USAGE, "error": None, "incomplete_details": None, "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": [], **more,
    }  # fmt: skip


def events(*output, **more):
    """The events of a response, its text and arguments in pieces of four characters."""
    yield {"type": "response.created", "response": response(status="in_progress")}
    for index, item in enumerate(output):
        place = {"output_index": index, "item_id": item["id"]}
        started = {**item, **({"arguments": ""} if item["type"] == "function_call" else {})}
        yield {"type": "response.output_item.added", "output_index": index, "item": started}
        if item["type"] == "message":
            text, kind = item["content"][0]["text"], "response.output_text.delta"
        elif item["type"] == "function_call":
            text, kind = item["arguments"], "response.function_call_arguments.delta"
        else:
            text, kind = item["summary"][0]["text"], "response.reasoning_summary_text.delta"
        for start in range(0, len(text), 4):
            yield {"type": kind, "delta": text[start : start + 4], "content_index": 0, "summary_index": 0, **place}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    whole = response(*output, **more)
    yield {"type": f"response.{whole['status']}", "response": whole}


def numbered(*output, **more):
    return Answer(events=[{**event, "sequence_number": n} for n, event in enumerate(events(*output, **more))])


def model(url, model_id="gpt-5", **kwargs):
    return OpenAIModel(model_id, api_base=url, api_key="k", api="responses", **kwargs)


def call(made, way, **kwargs):
    async def streamed():
        return agglomerate_stream_deltas([d async for d in made.agenerate_stream(user("x"), **kwargs)])

    if way == "whole":
        return made.generate(user("x"), **kwargs)
    if way == "stream":
        return agglomerate_stream_deltas(made.generate_stream(user("x"), **kwargs))
    return asyncio.run(made.agenerate(user("x"), **kwargs) if way == "async" else streamed())


every_way = pytest.mark.parametrize("way", ["whole", "stream", "async", "async stream"])


def answer(way, *output, **more):
    return numbered(*output, **more) if "stream" in way else Answer(response(*output, **more))


@every_way
def test_text_reasoning_usage_and_items_come_back(way):
    with serve_answers(answer(way, REASONING, said("one STOP two"))) as wire:
        message = call(model(wire.url), way, stop_sequences=["STOP"])
        (sent,) = wire.requests
    assert (message.content, message.reasoning_content, message.finish_reason) == ("one ", "Hm.", "stop")
    assert message.token_usage == TokenUsage(
        50, 20, cached_input_tokens=40, cache_write_tokens=4, reasoning_tokens=12, cost=message.token_usage.cost
    )
    assert [item["provider"] for item in message.provider_items] == ["openai-responses"] * 2
    assert message.provider_items[0]["item"] == REASONING
    assert "stop" not in sent
    assert (sent["store"], sent["include"]) == (False, ["reasoning.encrypted_content"])
    assert sent["input"] == [{"role": "user", "content": "x"}]


@every_way
def test_tool_calls(way, weather):
    calls = [called("get_weather", {"city": "Paris"}), called("get_weather", {"city": "Rome"}, "call_2")]
    with serve_answers(answer(way, REASONING, *calls)) as wire:
        made = model(wire.url)
        message = made.parse_tool_calls(call(made, way, tools_to_call_from=[weather]))
        (sent,) = wire.requests
    assert [(c.id, c.function.arguments["city"]) for c in message.tool_calls] == [
        ("call_1", "Paris"),
        ("call_2", "Rome"),
    ]
    assert message.finish_reason == "tool_calls"
    assert sent["tool_choice"] == "required"
    (told,) = sent["tools"]
    assert (told["type"], told["name"], told["strict"]) == ("function", "get_weather", False)
    assert told["parameters"]["required"] == ["city"]


def test_parameters_under_the_names_of_this_api(weather):
    form = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": {"type": "object"}}}
    with serve_answers(Answer(response(said("{}")))) as wire:
        model(wire.url, max_tokens=9, reasoning_effort="low", verbosity="low", temperature=0.2).generate(
            user("x"),
            response_format=form,
            tools_to_call_from=[weather],
            tool_choice={"type": "function", "function": {"name": "f"}},
        )
        model(wire.url, "gpt-4.1", max_completion_tokens=9, store=True).generate(user("x"))
        first, second = wire.requests
    assert {name: first[name] for name in ("max_output_tokens", "reasoning", "tool_choice", "text")} == {
        "max_output_tokens": 9,
        "reasoning": {"effort": "low"},
        "tool_choice": {"type": "function", "name": "f"},
        "text": {
            "format": {"type": "json_schema", "name": "a", "strict": True, "schema": {"type": "object"}},
            "verbosity": "low",
        },
    }
    assert "temperature" not in first
    assert {name for name in second if name not in ("model", "input")} == {"max_output_tokens", "store"}
    assert second["store"] is True


def test_images_and_roles():
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "s"}]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "u"}, {"type": "image", "image": b"\x89PNG\r\n\x1a\n"}],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "a"}]},
        {"role": "tool-response", "content": [{"type": "text", "text": "o"}]},
    ]
    with serve_answers(Answer(response(said("ok")))) as wire:
        model(wire.url).generate(messages)
        sent = wire.requests[0]["input"]
    assert sent == [
        {"role": "system", "content": [{"type": "input_text", "text": "s"}]},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "u"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{png}"},
            ],
        },
        {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "o"}]},
    ]


@tool
def weather_in(city: str) -> str:
    """The weather of a city.

    Args:
        city: Which city.
    """
    return f"sunny in {city}"


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_calling_agent_sends_thoughts_back_with_their_calls(stream):
    way = "stream" if stream else "whole"
    calls = [called("weather_in", {"city": "Paris"}), called("weather_in", {"city": "Rome"}, "call_2")]
    last = called("final_answer", {"answer": "sunny"}, "call_3")
    with serve_answers(answer(way, REASONING, *calls), answer(way, last)) as wire:
        agent = ToolCallingAgent(tools=[weather_in], model=model(wire.url), stream_outputs=stream, verbosity_level=-1)
        assert agent.run("weather?") == "sunny"
        sent = wire.requests[1]["input"]
    assert [item.get("type", item.get("role")) for item in sent] == [
        "system", "user", "reasoning", "function_call", "function_call", "function_call_output", "function_call_output",
    ]  # fmt: skip
    assert sent[2] == REASONING
    assert sent[3] == calls[0]
    assert [item["call_id"] for item in sent[5:]] == ["call_1", "call_2"]
    assert "sunny in Paris" in sent[5]["output"]
    assert "sunny in Rome" in sent[5]["output"]
    assert "Calling tools" not in json.dumps(sent[2:])


def test_a_task_that_goes_on_after_a_call_is_not_taken_for_its_output():
    last = called("final_answer", {"answer": "one"}, "call_3")
    with serve_answers(Answer(response(REASONING, last))) as wire:
        agent = ToolCallingAgent(tools=[], model=model(wire.url), verbosity_level=-1)
        agent.run("first")
        agent.run("second", reset=False)
        sent = wire.requests[1]["input"]
    assert [item.get("type", item.get("role")) for item in sent[2:]] == [
        "reasoning", "function_call", "function_call_output", "user",
    ]  # fmt: skip
    assert "second" in json.dumps(sent[-1])


def test_a_code_agent_sends_back_what_it_said_and_thought():
    first = said("Thought: x\n<code>\nprint(1)\n</code>\nObservation: imagined")
    with serve_answers(
        Answer(response(REASONING, first)), Answer(response(said("<code>\nfinal_answer(2)\n</code>", "msg_2")))
    ) as wire:
        assert CodeAgent(tools=[], model=model(wire.url), verbosity_level=-1).run("x") == 2
        thought, message, observed = wire.requests[1]["input"][2:]
    assert thought == REASONING
    assert (message["id"], message["content"][0]["text"]) == ("msg_1", "Thought: x\n<code>\nprint(1)\n</code>")
    assert observed["role"] == "user"


def test_a_thought_that_cannot_be_sent_back_is_not():
    sealed = {name: value for name, value in REASONING.items() if name != "encrypted_content"}
    with serve_answers(Answer(response(sealed, said("ok")))) as wire:
        message = model(wire.url).generate(user("x"))
        assert (message.reasoning_content, message.provider_items) == ("Hm.", None)
        assert model(wire.url, store=True).generate(user("x")).provider_items is not None


def test_a_refused_inclusion_is_learned():
    refusal = {"error": {"message": "Encrypted content is not supported with this model.", "param": "include"}}
    with serve_answers(Answer(refusal, status=400), Answer(response(said("ok")))) as wire:
        assert model(wire.url).generate(user("x")).content == "ok"
        assert "include" not in wire.requests[1]


@every_way
def test_a_reply_that_was_cut(way):
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    with serve_answers(answer(way, said("one"), **cut)) as wire:
        assert call(model(wire.url), way).finish_reason == "length"


@every_way
def test_a_response_that_failed(way):
    failed = {"status": "failed", "error": {"code": "server_error", "message": "it broke"}}
    with serve_answers(answer(way, **failed)) as wire:
        with pytest.raises(AgentGenerationError, match="it broke") as caught:
            call(model(wire.url, retry=False), way)
    assert caught.value.kind == "server_error"


def test_the_api_is_saved_and_checked():
    made = model("http://localhost:1")
    assert OpenAIModel.from_dict(made.to_dict()).api == "responses"
    with pytest.raises(ValueError, match=r'use "chat" or "responses"'):
        OpenAIModel("m", api="response")
