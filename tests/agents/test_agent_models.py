"""Models that are not the library's: one method, or a plain function."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agent_helpers import answer, code, echo

from smolagents import ChatMessage, CodeAgent, MessageRole, Model, ToolCallingAgent

CODE = code("final_answer(6 * 7)")


class Minimal(Model):
    """What the documentation asks of a custom model, and no more."""

    def generate(self, messages, stop_sequences=None, response_format=None, tools_to_call_from=None, **kwargs):
        self.asked = (messages, stop_sequences, response_format, tools_to_call_from, kwargs)
        return ChatMessage(role=MessageRole.ASSISTANT, content=CODE)


class Unrelated:
    """Not even derived from `Model`."""

    def generate(self, messages, stop_sequences=None, response_format=None, tools_to_call_from=None, **kwargs):
        return ChatMessage(role=MessageRole.ASSISTANT, content=CODE)


class Narrow:
    def generate(self, messages, stop_sequences):
        assert stop_sequences
        return ChatMessage(role=MessageRole.ASSISTANT, content=CODE)


class AsyncOnly:
    async def generate(self, messages, **kwargs):
        await asyncio.sleep(0)
        return ChatMessage(role=MessageRole.ASSISTANT, content=CODE)


class Both:
    """Has both, and nothing else of `Model`."""

    def generate(self, messages, **kwargs):
        return ChatMessage(role=MessageRole.ASSISTANT, content=CODE)

    async def agenerate(self, messages, **kwargs):
        await asyncio.sleep(0)
        return ChatMessage(role=MessageRole.ASSISTANT, content=CODE)


def plain(messages):
    return CODE


def with_stop(messages, stop_sequences=None):
    return ChatMessage(role=MessageRole.ASSISTANT, content=CODE)


def with_all(messages, **kwargs):
    return {"role": "assistant", "content": CODE}


async def asynchronous(messages):
    await asyncio.sleep(0)
    return CODE


class Callable_:
    def __call__(self, messages, stop_sequences=None):
        return CODE


MODELS = [Minimal(), Unrelated(), Narrow(), AsyncOnly(), plain, with_stop, with_all, asynchronous, Callable_()]
IDS = [getattr(m, "__name__", type(m).__name__) for m in MODELS]


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_a_code_agent_runs_on_it(model: Any):
    agent = CodeAgent([], model=model, verbosity_level=-1)
    assert agent.run("go") == 42
    assert asyncio.run(agent.arun("go")) == 42
    assert agent.model is model


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_it_streams_nothing_but_works_where_streams_are_asked_for(model: Any):
    agent = CodeAgent([], model=model, stream_outputs=True, verbosity_level=-1)
    assert list(agent.run("go", stream=True))[-1].output == 42

    async def last() -> Any:
        return [event async for event in agent.astream("go")][-1]

    assert asyncio.run(last()).output == 42


@pytest.mark.parametrize("make", [ToolCallingAgent, CodeAgent])
def test_an_object_with_both_ways_to_generate_is_given_the_rest_of_a_model(make: Any):
    if make is CodeAgent:
        assert CodeAgent([], model=Both(), verbosity_level=-1).run("go") == 42
        return

    class Text(Both):
        def generate(self, messages, **kwargs):
            return ChatMessage(
                role=MessageRole.ASSISTANT, content='{"name": "final_answer", "arguments": {"answer": 5}}'
            )

    agent = ToolCallingAgent([], model=Text(), max_steps=1, verbosity_level=-1)
    assert agent.run("go", return_full_result=True).state == "success"


def test_a_custom_model_is_given_all_it_declares():
    model = Minimal()
    CodeAgent([echo], model=model, verbosity_level=-1).run("go")
    messages, stop, response_format, tools, kwargs = model.asked
    assert [m["role"] for m in messages] == ["system", "user"]
    assert "</code>" in stop
    assert (response_format, tools, kwargs) == (None, None, {})


def test_a_function_may_answer_with_tool_calls():
    def model(messages, tools_to_call_from=None):
        assert [tool.name for tool in tools_to_call_from] == ["echo", "final_answer"]
        return answer(5)

    assert ToolCallingAgent([echo], model=model, verbosity_level=-1).run("go") == 5


def test_a_function_may_write_tool_calls_as_text():
    def model(messages):
        return '{"name": "final_answer", "arguments": {"answer": 5}}'

    assert ToolCallingAgent([echo], model=model, verbosity_level=-1).run("go") == 5


def test_text_beyond_a_stop_sequence_is_cut_for_models_that_know_none():
    def model(messages):
        return CODE + "\nObservation: I imagine 7\n<code>\nfinal_answer(7)\n</code>"

    assert CodeAgent([], model=model, verbosity_level=-1).run("go") == 42


def test_a_function_that_fails_is_told_with_its_reason():
    from smolagents import AgentGenerationError

    def model(messages):
        raise KeyError("no key")

    with pytest.raises(AgentGenerationError, match="no key"):
        CodeAgent([], model=model, verbosity_level=-1).run("go")


def test_plans_and_last_questions_work_with_a_function():
    asked: list[str] = []

    def model(messages):
        asked.append(messages[-1].text)
        return "text"

    agent = CodeAgent([], model=model, planning_interval=1, max_steps=1, verbosity_level=-1)
    assert agent.run("go") == "text"
    assert len(asked) == 3
