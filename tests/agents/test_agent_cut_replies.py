"""Replies that their provider cut short: nothing half is run, and the model is told."""

from __future__ import annotations

import pytest

from smolagents import ChatMessage, CodeAgent, MessageRole, ToolCallingAgent
from smolagents.models import ChatMessageToolCall, ChatMessageToolCallFunction
from smolagents.testing import ScriptedModel, tool_call, tool_calls

ANSWER = "<code>\nfinal_answer(6)\n</code>"


def cut(text, reason="length"):
    return ChatMessage(MessageRole.ASSISTANT, text, finish_reason=reason)


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length"])
def test_half_of_some_code_is_not_run(reason):
    model = ScriptedModel([cut("<code>\nfinal_answer(1)\nx = [1, 2", reason), ANSWER])
    agent = CodeAgent(tools=[], model=model, verbosity_level=-1)
    assert agent.run("x") == 6
    assert agent.memory.steps[1].code_action is None
    assert "has no end, and was not run. Your reply was cut off because it was too long" in model.requests[1].text
    assert "x = [1, 2" in model.requests[1].text


@pytest.mark.parametrize("tags", [None, "markdown"])
def test_code_that_has_its_end_is_run_though_the_reply_was_cut_after_it(tags):
    text = ANSWER if tags is None else "```python\nfinal_answer(6)\n```"
    model = ScriptedModel([cut(text + "\nAnd now I will go on to")])
    assert CodeAgent(tools=[], model=model, code_block_tags=tags, verbosity_level=-1).run("x") == 6


def test_half_of_some_code_between_fences_is_not_run():
    model = ScriptedModel([cut("```python\nfinal_answer(1)\nx = ["), "```python\nfinal_answer(6)\n```"])
    assert CodeAgent(tools=[], model=model, code_block_tags="markdown", verbosity_level=-1).run("x") == 6


def test_code_that_was_stopped_at_its_closing_tag_is_run():
    model = ScriptedModel([cut("<code>\nfinal_answer(6)\n", "stop")])
    assert CodeAgent(tools=[], model=model, verbosity_level=-1).run("x") == 6


def test_half_a_json_object_is_told():
    model = ScriptedModel([cut('{"thought": "x", "code": "final_ans'), '{"thought": "x", "code": "final_answer(6)"}'])
    agent = CodeAgent(tools=[], model=model, use_structured_outputs_internally=True, verbosity_level=-1)
    assert agent.run("x") == 6
    assert "cut off because it was too long" in model.requests[1].text


@pytest.mark.parametrize("native", [True, False])
def test_half_a_tool_call_is_not_made(native):
    half = '{"answer": "one tw'
    if native:
        function = ChatMessageToolCallFunction(name="final_answer", arguments=half)
        first = ChatMessage(MessageRole.ASSISTANT, tool_calls=[ChatMessageToolCall(function, "c", "function")])
        first.finish_reason = "length"
    else:
        first = cut('{"name": "final_answer", "arguments": ' + half)
    model = ScriptedModel([first, tool_calls(tool_call("final_answer", {"answer": 6}))])
    assert ToolCallingAgent(tools=[], model=model, verbosity_level=-1).run("x") == 6
    assert "cut off because it was too long" in model.requests[1].text


def test_a_reply_that_a_filter_stopped_is_told():
    model = ScriptedModel([cut("", "content_filter"), ANSWER])
    assert CodeAgent(tools=[], model=model, verbosity_level=-1).run("x") == 6
    assert "content filter" in model.requests[1].text
