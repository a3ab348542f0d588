"""Agents to save: tools of several makes, and a team three deep."""

from __future__ import annotations

import math
from typing import Any

from smolagents import CodeAgent, Tool, ToolCallingAgent, tool
from smolagents.testing import ScriptedModel

PLANETS = {"earth": 1.0, "mars": 1.52}
_SCALE = 10


def _scaled(value: float) -> float:
    return math.floor(value * _SCALE) / _SCALE


@tool
def distance(planet: str) -> float:
    """Tells how far a planet is from the sun.

    Args:
        planet: Name of the planet, in English.
    """
    return _scaled(PLANETS[planet])


@tool
def count_letters(word: str, letter: str = "r") -> int:
    """Counts how often a letter is in a word.

    Args:
        word: The word to look at.
        letter: The letter to count.
    """
    return word.count(letter)


class Greeter(Tool):
    """Greets, as politely as it was made to."""

    name = "greeter"
    description = "Greets a person."
    inputs = {"who": {"type": "string", "description": "Name of the person."}}
    output_type = "string"

    def __init__(self, greeting: str = "Hello", marks: int = 0) -> None:
        self.greeting = greeting
        self.marks = marks
        super().__init__()

    def forward(self, who: str) -> str:
        return f"{self.greeting} {who}{'!' * self.marks}"


class Weather(Tool):
    """Needs a key."""

    name = "weather"
    description = "Tells the weather."
    inputs = {"place": {"type": "string", "description": "A place."}}
    output_type = "string"

    def __init__(self, api_key: str | None = None, unit: str = "C") -> None:
        self.api_key = api_key
        self.unit = unit
        super().__init__()

    def forward(self, place: str) -> str:
        return f"{place}: 20 {self.unit}, by {self.api_key}"


def code(text: str) -> str:
    return f"Thought: go on.\n<code>\n{text}\n</code>"


def scripted(*replies: str) -> ScriptedModel:
    return ScriptedModel(list(replies) or [code("final_answer(1)")])


def team(**kwargs: Any) -> CodeAgent:
    """A manager of an agent that manages an agent."""
    deep = ToolCallingAgent(
        tools=[Greeter("Good day", marks=2)],
        model=scripted(),
        name="deep",
        description="greets",
        max_steps=4,
        planning_interval=2,
        max_tool_threads=3,
        provide_run_summary=True,
    )
    middle = CodeAgent(
        tools=[distance],
        model=scripted(),
        name="middle",
        description="measures",
        managed_agents=[deep],
        additional_authorized_imports=["queue", "numpy.*"],
        instructions="Round nothing.",
        executor_kwargs={"timeout_seconds": 7},
    )
    return CodeAgent(
        **{
            "tools": [count_letters],
            "model": scripted(code("final_answer(count_letters('raspberry'))")),
            "managed_agents": [middle],
            "max_steps": 7,
            "verbosity_level": 0,
            "code_block_tags": ("<code>", "</code>"),
            "max_print_outputs_length": 1234,
            "stream_outputs": True,
            "return_full_result": False,
            **kwargs,
        }
    )
