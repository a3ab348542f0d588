"""Tools of LangChain, made with its own functions."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import pytest

pytest.importorskip("langchain_core", reason="LangChain is not installed: pip install langchain-core")

from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool, ToolException
from langchain_core.tools import Tool as PlainTool
from langchain_core.tools import tool as langchain_tool
from pydantic import BaseModel, Field

from smolagents import CodeAgent, Tool, ToolCallingAgent
from smolagents.testing import ScriptedModel


@langchain_tool
def add(first: int, second: int = 2) -> int:
    """Adds two numbers.

    Args:
        first: The first number.
        second: The other one.
    """
    return first + second


class Place(BaseModel):
    city: str = Field(description="Where.")
    unit: Literal["C", "F"] = "C"
    days: list[int] | None = None


async def weather(city: str, unit: str = "C", days: list[int] | None = None) -> str:
    await asyncio.sleep(0)
    return f"{city} {unit} {days}"


def test_a_function_under_its_decorator() -> None:
    adds = Tool.from_langchain(add)
    assert adds.name == "add"
    assert adds.description.startswith("Adds two numbers.")
    assert adds.inputs["first"] == {"type": "integer", "description": "The first number."}
    assert adds.inputs["second"]["nullable"]
    assert adds(1) == 3
    assert adds(1, second=5) == adds({"first": 1, "second": 5}) == 6
    assert not adds.is_async
    with pytest.raises(TypeError, match="has no argument 'third'"):
        adds(1, third=1)


def test_both_kinds_of_agent_call_it() -> None:
    adds = Tool.from_langchain(add)
    coder = CodeAgent([adds], ScriptedModel(["<code>final_answer(add(1, second=4))</code>"]), verbosity_level=-1)
    assert coder.run("Add.") == 5
    replies = [
        '{"name": "add", "arguments": {"first": "40"}}',
        '{"name": "final_answer", "arguments": {"answer": 1}}',
    ]
    caller = ToolCallingAgent([adds], ScriptedModel(replies), verbosity_level=-1)
    caller.run("Add.")
    assert caller.memory.steps[1].observations == "42"


def test_a_schema_of_its_own_and_only_asynchronous() -> None:
    made = StructuredTool.from_function(
        coroutine=weather, name="get-weather", description="Tells the weather.", args_schema=Place
    )
    tells = Tool.from_langchain(made)
    assert tells.name == "get_weather"
    assert tells.inputs["city"] == {"type": "string", "description": "Where."}
    assert tells.inputs["unit"]["enum"] == ["C", "F"]
    assert tells.inputs["days"]["items"] == {"type": "integer"}
    assert tells.is_async
    assert tells("Oslo") == "Oslo C None"
    assert asyncio.run(tells.acall("Oslo", days=[1])) == "Oslo C [1]"


def test_one_that_is_both_is_called_as_it_is_needed() -> None:
    def both(city: str) -> str:
        return f"sync {city}"

    made = StructuredTool.from_function(func=both, coroutine=weather, name="both", description="Tells.")
    tells = Tool.from_langchain(made)
    assert tells("Oslo") == "sync Oslo"
    assert asyncio.run(tells.acall("Oslo")) == "sync Oslo"


def test_what_the_program_puts_in_is_not_the_model_s() -> None:
    @langchain_tool
    def look_up(query: str, user: Annotated[str, InjectedToolArg] = "nobody") -> str:
        """Looks something up."""
        return f"{query} for {user}"

    found = Tool.from_langchain(look_up)
    assert list(found.inputs) == ["query"]
    assert found("x") == "x for nobody"


def test_a_subclass_a_plain_one_and_one_with_an_artifact() -> None:
    class Shouting(BaseTool):
        name: str = "shouting"
        description: str = "Shouts."

        def _run(self, text: str) -> str:
            return text.upper()

    assert Tool.from_langchain(Shouting())(text="hey") == "HEY"
    plain = PlainTool("plain", lambda text: f"{text}!", "Adds a mark.")
    assert Tool.from_langchain(plain)("hey") == "hey!"

    @langchain_tool(response_format="content_and_artifact")
    def draw(what: str) -> tuple[str, list[int]]:
        """Draws."""
        return f"drew {what}", [1]

    assert Tool.from_langchain(draw)("a cat") == "drew a cat"


def test_what_goes_wrong_is_said() -> None:
    @langchain_tool
    def fails(text: str) -> str:
        """Fails."""
        raise ToolException("not today")

    with pytest.raises(ToolException, match="not today"):
        Tool.from_langchain(fails)("x")
    with pytest.raises(ValueError, match="from_langchain takes a LangChain tool"):
        Tool.from_langchain(lambda: 1)
    with pytest.raises(ValueError, match=r"cannot be saved as code.*Tool.from_langchain"):
        Tool.from_langchain(add).to_dict()
