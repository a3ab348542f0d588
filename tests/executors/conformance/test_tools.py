"""Tools, managed agents and the final answer: they run here, the code calls them."""

from __future__ import annotations

import os

import pytest

from smolagents import CodeAgent, FinalAnswerTool, tool
from smolagents.executors.errors import InterpreterError
from smolagents.testing import ScriptedModel

SUBJECT = "tools, managed agents, final answer"


@tool
def convert(amount: float, currency: str = "EUR") -> str:
    """Converts an amount.

    Args:
        amount: How much.
        currency: To what.
    """
    return f"{amount} {currency} by {os.getpid()}"


def test_tools_run_in_this_process(executor):
    executor.send_tools({"convert": convert})
    assert executor("convert(2.5)").output == f"2.5 EUR by {os.getpid()}"
    assert executor("convert(amount=3, currency='USD')").output == f"3 USD by {os.getpid()}"
    assert executor("[convert(i, currency='X')[:3] for i in range(3)]").output == ["0 X", "1 X", "2 X"]


@pytest.mark.needs("tools_are_values")
def test_a_tool_is_a_function_like_others(executor):
    executor.send_tools({"convert": convert})
    result = executor("functions = {'c': convert}\ndef use(f, *args):\n    return f(*args)\nuse(functions['c'], 1)")
    assert result.output == f"1 EUR by {os.getpid()}"


def test_what_a_tool_raises_can_be_handled_by_the_code(executor):
    def failing(kind):
        raise {"key": KeyError("no such city"), "own": Unavailable("try later")}[kind]

    class Unavailable(Exception):
        pass

    executor.send_tools({"failing": failing})
    assert (
        "no such city"
        in executor("try:\n    failing('key')\nexcept KeyError as error:\n    text = str(error)\ntext").output
    )
    assert (
        executor("try:\n    failing('own')\nexcept Exception as error:\n    text = str(error)\ntext").output
        == "try later"
    )
    with pytest.raises(InterpreterError) as caught:
        executor("value = 1\nfailing('own')")
    assert "Unavailable: try later" in str(caught.value)
    assert "failing('own')" in str(caught.value)


def test_the_final_answer_ends_the_code(executor):
    executor.send_tools({"final_answer": FinalAnswerTool()})
    result = executor("print('thinking')\nreached = 1\nfinal_answer({'n': [1, 2]})\nreached = 2")
    assert result.is_final_answer
    assert result.output == {"n": [1, 2]}
    assert result.logs == "thinking\n"
    assert executor("reached").output == 1


def test_the_final_answer_is_what_the_tool_returns(executor):
    class Verdict:
        pass

    verdict = Verdict()
    executor.send_tools({"final_answer": lambda answer: verdict})
    result = executor("final_answer('guilty')")
    assert result.is_final_answer
    assert result.output is verdict


def test_the_final_answer_is_not_caught_by_mistake(executor):
    executor.send_tools({"final_answer": FinalAnswerTool()})
    result = executor("try:\n    final_answer(1)\nexcept Exception:\n    final_answer(2)")
    assert (result.is_final_answer, result.output) == (True, 1)


@pytest.mark.needs("sent_tools")
def test_tools_among_variables_can_be_called(executor):
    executor.send_variables({"helpers": [convert]})
    assert executor("helpers[0](1)").output == f"1 EUR by {os.getpid()}"


def test_an_agent_with_a_team_works(make):
    helper = CodeAgent(
        tools=[],
        model=ScriptedModel(["<code>\nfinal_answer('Paris has ' + str(2_100_000) + ' people')\n</code>"]),
        name="researcher",
        description="Finds facts.",
        executor=make(),
    )
    agent = CodeAgent(
        tools=[convert],
        model=ScriptedModel(
            [
                "<code>\nfact = researcher('How many people live in Paris?')\nprint(fact)\n</code>",
                "<code>\nfinal_answer(('2_100_000' in fact or '2100000' in fact, convert(1)[:5], seed))\n</code>",
            ]
        ),
        managed_agents=[helper],
        executor=make(),
    )
    assert agent.run("Ask the researcher.", additional_args={"seed": {"a": (1, 2)}}) == (True, "1 EUR", {"a": (1, 2)})
