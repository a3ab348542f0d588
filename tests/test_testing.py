"""The scripted model that users test their agents with."""

from __future__ import annotations

import asyncio

import pytest

from smolagents import ChatMessage, MessageRole, TokenUsage, ToolCallingAgent, agglomerate_stream_deltas
from smolagents.testing import ScriptedModel, tool_call, tool_calls


def user(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.USER, content=text)


def test_replies_are_played_in_their_order():
    model = ScriptedModel(["one", "two"])
    assert model.remaining == 2
    assert [model.generate([user("a")]).text, model.generate([user("b")]).text] == ["one", "two"]
    model.assert_finished()
    assert model.remaining == 0


def test_what_is_left_over_is_told():
    model = ScriptedModel(["one", "two"])
    model.generate([user("a")])
    with pytest.raises(AssertionError, match="1 of 2 replies of the script were not asked for"):
        model.assert_finished()


def test_asking_too_often_is_told_with_the_last_message():
    model = ScriptedModel(["one"])
    model.generate([user("a")])
    with pytest.raises(AssertionError, match=r"(?s)asked a 2\. time, and has 1 replies.*what now"):
        model.generate([user("what now")])


def test_a_cycle_has_no_end():
    model = ScriptedModel(["one", "two"], cycle=True)
    assert [model.generate([user("a")]).text for _ in range(5)] == ["one", "two", "one", "two", "one"]
    model.assert_finished()


def test_it_records_what_it_was_asked():
    model = ScriptedModel(["one"])
    messages = [ChatMessage(role=MessageRole.SYSTEM, content="be good"), user("a")]
    model.generate(messages, stop_sequences=["x"], response_format={"type": "json_schema"}, temperature=0.5)
    messages.clear()
    (request,) = model.requests
    assert [message.text for message in request.messages] == ["be good", "a"]
    assert request.text == "[system]\nbe good\n\n[user]\na"
    assert request.stop_sequences == ["x"]
    assert request.response_format == {"type": "json_schema"}
    assert request.tools_to_call_from is None
    assert request.arguments["temperature"] == 0.5


def test_a_reply_can_be_an_exception_or_a_function_of_the_messages():
    model = ScriptedModel(
        [ConnectionError("down"), lambda messages: messages[-1].text.upper(), lambda m: KeyError("k")]
    )
    with pytest.raises(ConnectionError, match="down"):
        model.generate([user("a")])
    assert model.generate([user("shout")]).text == "SHOUT"
    with pytest.raises(KeyError):
        model.generate([user("a")])


def test_usage_is_reported_where_a_reply_has_none_of_its_own():
    own = ChatMessage(role=MessageRole.ASSISTANT, content="x", token_usage=TokenUsage(1, 1))
    model = ScriptedModel(["a", own], usage=TokenUsage(5, 6))
    assert model.generate([user("a")]).token_usage == TokenUsage(5, 6)
    assert model.generate([user("a")]).token_usage == TokenUsage(1, 1)
    assert ScriptedModel(["a"]).generate([user("a")]).token_usage is None


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_a_stream_adds_up_to_the_reply(chunk: int):
    reply = tool_calls(tool_call("f", {"x": 1}, "a"), tool_call("g", {"y": 2}, "b"), content="I call")
    model = ScriptedModel([reply], usage=TokenUsage(5, 6), chunk=chunk)
    message = agglomerate_stream_deltas(model.generate_stream([user("a")]))
    assert message.text == "I call"
    assert [(call.function.name, call.function.arguments, call.id) for call in message.tool_calls or ()] == [
        ("f", {"x": 1}, "a"),
        ("g", {"y": 2}, "b"),
    ]
    assert message.token_usage == TokenUsage(5, 6)


def test_it_works_asynchronously():
    model = ScriptedModel(["one", "two words"])

    async def main() -> tuple[str, str]:
        whole = await model.agenerate([user("a")])
        pieces = [delta async for delta in model.agenerate_stream([user("b")])]
        return whole.text, agglomerate_stream_deltas(pieces).text

    assert asyncio.run(main()) == ("one", "two words")


def test_an_agent_runs_on_it():
    model = ScriptedModel([tool_calls(tool_call("final_answer", {"answer": 42}))])
    assert ToolCallingAgent([], model=model, verbosity_level=-1).run("What is 6 times 7?") == 42
    model.assert_finished()
    assert model.requests[0].tools_to_call_from[0].name == "final_answer"
