"""What a server may do to a run: every agent, every way to call it, and how often the server was asked."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import json
import logging
import threading

import pytest

from smolagents import CodeAgent, ToolCallingAgent
from smolagents.models import (
    AmazonBedrockModel,
    AnthropicModel,
    AzureOpenAIModel,
    FallbackModel,
    InferenceClientModel,
    OpenAIModel,
)
from smolagents.types.errors import AgentGenerationError
from support.model_helpers import user
from support.wire import Answer, chunk, completion, serve_answers

SECRET = "hunter2thesecret"
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
WAYS = ["sync", "stream", "async", "async stream"]


def called(arguments):
    function = {"name": "final_answer", "arguments": arguments}
    return {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}]}


REPLIES = {CodeAgent: {"content": "<code>\nfinal_answer(42)\n</code>"}, ToolCallingAgent: called('{"answer": 42}')}


def answer(message, way, finish_reason="stop"):
    if "stream" in way:
        return Answer(events=[chunk(message), chunk({}, finish_reason, usage=USAGE), "[DONE]"])
    return Answer(completion(message, finish_reason, usage=USAGE))


def refusal(status, message, **more):
    return Answer(status=status, body={"error": {"message": message, "type": "error", **more}})


def openai(url, **kwargs):
    return OpenAIModel("m", api_base=url, api_key="k", **kwargs)


def huggingface(url, **kwargs):
    return InferenceClientModel("m", base_url=url, token="t", **kwargs)


def quick(model):
    model.retryer.wait_seconds = 0.01
    return model


def run(agent, way):
    return asyncio.run(agent.arun("q")) if "async" in way else agent.run("q")


def agent_on(cls, model, way):
    return cls(tools=[], model=model, max_steps=3, verbosity_level=-1, stream_outputs="stream" in way)


every_agent = pytest.mark.parametrize("cls", [CodeAgent, ToolCallingAgent])
every_way = pytest.mark.parametrize("way", WAYS)
every_client = pytest.mark.parametrize("make", [openai, huggingface])


@every_client
@every_agent
@every_way
@pytest.mark.parametrize(
    ("refused", "kind", "says"),
    [
        (refusal(401, "Incorrect API key provided"), "authentication", "401: Incorrect.*; check the (key|token)"),
        (refusal(404, "no such model"), "not_found", "404: no such model; check model_id"),
        (
            refusal(429, "You exceeded your current quota", code="insufficient_quota"),
            "quota",
            "429: You exceeded your current quota",
        ),
        (
            refusal(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded"),
            "bad_request",
            "8192 tokens.; the conversation is longer than the model can read",
        ),
    ],
)
def test_what_will_not_pass_ends_the_run_at_once_in_one_line(make, cls, way, refused, kind, says):
    with serve_answers(refused) as wire:
        with pytest.raises(AgentGenerationError, match=says) as caught:
            run(agent_on(cls, quick(make(wire.url)), way), way)
        assert len(wire.requests) == 1
    assert caught.value.kind == kind
    assert "\n" not in str(caught.value)
    assert "mozilla" not in str(caught.value)


def test_a_quota_that_is_spent_is_not_taken_for_haste():
    with serve_answers(refusal(429, "You exceeded your current quota", code="insufficient_quota")) as wire:
        with pytest.raises(AgentGenerationError, match="see its billing") as caught:
            openai(wire.url).generate(user("x"))
    assert "requests_per_minute" not in str(caught.value)


@every_client
@every_agent
@every_way
@pytest.mark.parametrize(
    "empty", [{"content": ""}, {"content": None}, {"content": None, "reasoning_content": "Hm."}], ids=str
)
def test_an_empty_reply_is_told_to_the_model_which_tries_again(make, cls, way, empty):
    with serve_answers(answer(empty, way), answer(REPLIES[cls], way)) as wire:
        agent = agent_on(cls, make(wire.url), way)
        assert run(agent, way) == 42
        assert len(wire.requests) == 2
    assert "empty" in str(agent.memory.steps[1].error)


@every_client
@every_way
def test_arguments_of_a_call_that_are_no_json_are_no_answer(make, way):
    with serve_answers(answer(called('{"answer": "forty-'), way), answer(called('{"answer": 42}'), way)) as wire:
        agent = agent_on(ToolCallingAgent, make(wire.url), way)
        assert run(agent, way) == 42
    assert "no JSON" in str(agent.memory.steps[1].error)


@every_client
@pytest.mark.parametrize("way", ["stream", "async stream"])
def test_a_stream_that_ends_before_it_began_is_asked_for_again(make, way):
    with serve_answers(Answer(events=[]), answer(REPLIES[CodeAgent], way)) as wire:
        agent = agent_on(CodeAgent, quick(make(wire.url)), way)
        assert run(agent, way) == 42
        assert len(wire.requests) == 2
    assert not any(getattr(step, "error", None) for step in agent.memory.steps)


@every_agent
@every_way
def test_a_server_that_speaks_something_else_is_no_empty_reply(cls, way):
    with serve_answers(Answer({"hello": "I am another API"})) as wire:
        says = "application/json in place of a stream" if "stream" in way else "another API.*check that its address"
        with pytest.raises(AgentGenerationError, match=says):
            run(agent_on(cls, quick(openai(wire.url)), way), way)
        assert len(wire.requests) == 1


def secretive(url):
    """Models that were given a secret where it does not belong: in their addresses."""
    host = url.partition("//")[2]
    hidden = f"http://me:{SECRET}@{host}"
    aws = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": SECRET}
    return [
        OpenAIModel("m", api_base=hidden, api_key=SECRET),
        OpenAIModel("m", api_base=f"{url}?key={SECRET}", api_key="k"),
        OpenAIModel("m", api_base=url, api_key="k", client_kwargs={"default_query": {"code": SECRET, "key": SECRET}}),
        InferenceClientModel("m", base_url=hidden, token=SECRET),
        AnthropicModel("m", api_base=hidden, api_key=SECRET),
        AzureOpenAIModel("m", azure_endpoint=hidden, api_version="1", client_kwargs={"azure_ad_token": SECRET}),
        AmazonBedrockModel("m", client_kwargs={**aws, "endpoint_url": hidden}),
        FallbackModel([OpenAIModel("m", api_base=hidden, api_key="k"), openai(f"{hidden}?token={SECRET}")]),
    ]


@pytest.mark.parametrize("status", [401, 500, None])
def test_no_secret_of_an_address_is_told(status, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="smolagents")
    with serve_answers(refusal(status or 200, "no")) as wire:
        models = secretive("http://127.0.0.1:9/v1" if status is None else wire.url)
        for position, model in enumerate(models):
            for single in (model, *getattr(model, "models", ())):
                if hasattr(single, "retryer"):
                    single.retryer.wait_seconds = 0.001
            agent = CodeAgent(tools=[], model=model, max_steps=1, verbosity_level=2)
            shown = io.StringIO()
            with contextlib.redirect_stdout(shown), pytest.raises(AgentGenerationError) as caught:
                agent.run("q")
            agent.save(tmp_path / str(position))
            told = [str(caught.value), shown.getvalue(), repr(model), json.dumps(model.to_dict())]
            told += [repr(agent.memory.steps), json.dumps(agent.memory.get_full_steps(), default=str)]
            told += [record.getMessage() for record in caplog.records if record.name.startswith("smolagents")]
            told += [path.read_text(errors="replace") for path in (tmp_path / str(position)).rglob("*.*")]
            assert not any(SECRET in text for text in told), type(model).__name__


@every_client
def test_one_model_serves_a_hundred_runs_threads_and_one_loop_after_the_other(make):
    with serve_answers(answer(REPLIES[CodeAgent], "async")) as wire:
        model = make(wire.url, max_concurrency=5, requests_per_minute=30_000)
        agent = agent_on(CodeAgent, model, "async")

        async def many():
            return await asyncio.gather(*(agent.arun("q") for _ in range(100)))

        results = []
        threads = [
            threading.Thread(target=lambda: results.append(agent_on(CodeAgent, model, "").run("q"))) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        assert asyncio.run(many()) == [42] * 100
        for thread in threads:
            thread.join()
        for _ in range(5):
            assert asyncio.run(model.agenerate(user("x"))).content
        assert results == [42, 42]
        assert len(wire.requests) == 107
        gc.collect()  # what is left open is told now, and fails the test
