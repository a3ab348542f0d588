"""The small real model: in process, and behind a real OpenAI-compatible server with the official client."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from smolagents import CodeAgent
from smolagents.models import InferenceClientModel, LlamaCppModel, OpenAIModel, agglomerate_stream_deltas
from smolagents.types.errors import AgentGenerationError
from support.model_helpers import KEY, FakeTool, serve, user

pytestmark = pytest.mark.model

WEATHER = FakeTool(
    "get_weather", "The weather of a city.", {"city": {"type": "string", "description": "Name of the city."}}
)
FORMAT = {
    "type": "json_schema",
    "json_schema": {
        "name": "capital",
        "schema": {
            "type": "object",
            "properties": {"country": {"type": "string"}, "capital": {"type": "string"}},
            "required": ["country", "capital"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture(scope="module")
def server(small_model_path):
    running = serve(small_model_path, n_threads=min(2, os.cpu_count() or 1))
    yield running.listening_address + "/v1"
    del running


@pytest.fixture(scope="module")
def client(server):
    return OpenAIModel("local", api_base=server, api_key=KEY, temperature=0, max_tokens=120)


@pytest.fixture(scope="module")
def local(small_model_path):
    model = LlamaCppModel(small_model_path, n_ctx=2048, max_tokens=120)
    yield model
    model.close()


@pytest.fixture(scope="module")
def huggingface(server):
    return InferenceClientModel("local", base_url=server, token=KEY, temperature=0, max_tokens=120)


@pytest.fixture(params=["client", "huggingface", "local"])
def model(request):
    return request.getfixturevalue(request.param)


def test_it_answers_in_pieces_and_as_a_whole(model):
    question = user("What is the capital of France? Answer with one word.")
    whole = model.generate(question)
    deltas = list(model.generate_stream(question))
    assert "Paris" in whole.content
    assert "Paris" in asyncio.run(model.agenerate(question)).content
    assert agglomerate_stream_deltas(deltas).content == whole.content
    assert deltas[-1].token_usage.output_tokens == whole.token_usage.output_tokens > 0


def test_it_stops(model):
    content = model.generate(user("Count 1 to 10"), stop_sequences=["5"]).content
    assert "4" in content
    assert "5" not in content


def test_it_follows_a_schema(model):
    value = json.loads(model.generate(user("The capital of Italy, as JSON"), response_format=FORMAT).content)
    assert value["capital"] == "Rome"


@pytest.mark.parametrize("streamed", [False, True])
def test_it_calls_a_tool(model, streamed):
    question = user("What is the weather in Paris? Call the tool.")
    if streamed:
        message = agglomerate_stream_deltas(model.generate_stream(question, tools_to_call_from=[WEATHER]))
    else:
        message = model.generate(question, tools_to_call_from=[WEATHER])
    (call, *_) = model.parse_tool_calls(message).tool_calls
    assert call.function.name == "get_weather"
    assert "Paris" in call.function.arguments["city"]


def test_errors_of_the_server(client, server):
    with pytest.raises(AgentGenerationError, match=r"400: .*exceeds the available context size"):
        client.generate(user("word " * 4000))
    with pytest.raises(AgentGenerationError, match=r"401: .*OPENAI_API_KEY"):
        OpenAIModel("local", api_base=server, api_key="wrong").generate(user("x"))


def test_the_next_step_of_a_conversation_uses_what_was_computed(local):
    system = {"role": "system", "content": "You are brief. " * 40}
    local.generate([system, *user("hi")])
    again = local.generate([system, *user("hi"), {"role": "assistant", "content": "Hello"}, *user("bye")])
    assert again.token_usage.cached_input_tokens > 100


@pytest.mark.parametrize("way", ["sync", "async", "stream"])
def test_a_refusal_that_is_no_lesson_is_told_in_the_servers_words(server, way):
    model = OpenAIModel("local", api_base=server, api_key=KEY, max_tokens=8, extra_body={"tool_choice": "sometimes"})
    calls = {
        "sync": lambda: model.generate(user("Hi")),
        "async": lambda: asyncio.run(model.agenerate(user("Hi"))),
        "stream": lambda: list(model.generate_stream(user("Hi"))),
    }
    with pytest.raises(AgentGenerationError, match="tool_choice") as caught:
        calls[way]()
    assert caught.value.kind in ("bad_request", "server_error")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["client", "huggingface"])
def test_an_agent_runs_on_a_server(kind, request):
    model = request.getfixturevalue(kind)
    agent = CodeAgent(tools=[], model=model, max_steps=1, stream_outputs=True, verbosity_level=-1)
    result = agent.run("Say 4 with final_answer.", return_full_result=True)
    assert result.token_usage.output_tokens > 0
    assert result.cost is None
    assert result.steps[1]["model_output_message"]["model_id"] == "local"
