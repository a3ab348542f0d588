"""Cancelling a task hangs up: the server is not left to work for nobody."""

from __future__ import annotations

import asyncio

import pytest

from smolagents import CodeAgent
from smolagents.models import FallbackModel, InferenceClientModel, OpenAIModel
from support.model_helpers import user
from support.wire import Answer, chunk, serve_answers

SILENCE = Answer(silent=True)
ENDLESS = Answer(events=[chunk({"content": "x" * 1000})], endless=True)


def make(kind, url):
    if kind == "huggingface":
        return InferenceClientModel("m", base_url=url, token="t")
    if kind == "fallback":
        return FallbackModel([make("chat", url), make("chat", url)])
    return OpenAIModel("m", api_base=url, api_key="k", api=kind)


every_kind = pytest.mark.parametrize("kind", ["chat", "responses", "huggingface", "fallback"])


async def cancelled(work, wire, ready):
    """Cancel `work` when the server, or a piece of a stream, says that it is under way."""
    task = asyncio.ensure_future(work)
    assert await asyncio.to_thread(ready.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(wire.hung_up.wait, 10)


async def consume(model, began=None):
    async for _ in model.agenerate_stream(user("x")):
        if began is not None:
            began.set()


@every_kind
@pytest.mark.parametrize("streamed", [False, True])
def test_while_the_server_has_not_answered(kind, streamed):
    with serve_answers(SILENCE) as wire:
        model = make(kind, wire.url)
        asyncio.run(cancelled(consume(model) if streamed else model.agenerate(user("x")), wire, wire.asked))
        assert len(wire.requests) == 1


@pytest.mark.parametrize("kind", ["chat", "huggingface", "fallback"])
def test_in_the_middle_of_a_stream(kind):
    async def main():
        began = asyncio.Event()
        task = asyncio.ensure_future(consume(make(kind, wire.url), began))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(wire.hung_up.wait, 10)

    with serve_answers(ENDLESS) as wire:
        asyncio.run(main())


def test_a_timeout_around_a_call_hangs_up_and_gives_its_place_back():
    async def main():
        model = OpenAIModel("m", api_base=wire.url, api_key="k", max_concurrency=1)
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(model.agenerate(user("x")), 0.2)
        assert await asyncio.to_thread(wire.hung_up.wait, 10)

    with serve_answers(SILENCE) as wire:
        asyncio.run(main())
        assert len(wire.requests) == 3


@pytest.mark.parametrize("streamed", [False, True])
def test_cancelling_an_agents_run_hangs_up(streamed):
    with serve_answers(SILENCE) as wire:
        agent = CodeAgent(tools=[], model=make("chat", wire.url), stream_outputs=streamed, verbosity_level=-1)
        asyncio.run(cancelled(agent.arun("x"), wire, wire.asked))


def test_waiting_between_two_tries_can_be_cancelled():
    async def main():
        model = OpenAIModel("m", api_base=wire.url, api_key="k")
        model.retryer.wait_seconds = 60
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(model.agenerate(user("x")), 0.5)

    with serve_answers(Answer({"error": {"message": "later"}}, status=503)) as wire:
        asyncio.run(main())
        assert len(wire.requests) == 1
