"""Short ways to write scripts for agents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from smolagents import ActionStep, ChatMessage, PlanningStep, TaskStep, ToolCallingAgent, tool
from smolagents.testing import ScriptedModel, tool_call, tool_calls


def call(name: str, id: Any = None, **arguments: Any) -> ChatMessage:
    """A reply that calls one tool."""
    return tool_calls(tool_call(name, arguments, id))


def calls(*named: tuple[str, dict[str, Any]]) -> ChatMessage:
    """A reply that calls several tools."""
    return tool_calls(*(tool_call(name, arguments, f"id{i}") for i, (name, arguments) in enumerate(named)))


def answer(value: Any) -> ChatMessage:
    """A reply that gives the final answer."""
    return call("final_answer", answer=value)


def code(*lines: str, thought: str = "Thought: I compute.") -> str:
    """A reply with a block of code."""
    body = "\n".join(lines)
    return f"{thought}\n<code>\n{body}\n</code>"


@tool
def echo(text: str) -> str:
    """Gives the text back.

    Args:
        text: The text.
    """
    return text


@tool
def add(a: int, b: int) -> int:
    """Adds.

    Args:
        a: One number.
        b: The other.
    """
    return a + b


@tool
def fail(text: str) -> str:
    """Always fails.

    Args:
        text: What to say.
    """
    raise RuntimeError(f"broken: {text}")


def agent_for(replies: Iterable[Any], tools: Any = (echo, add, fail), **kwargs: Any) -> ToolCallingAgent:
    """A quiet agent with a scripted model, found at `.model`."""
    usage = kwargs.pop("usage", None)
    kwargs.setdefault("verbosity_level", -1)
    return ToolCallingAgent(list(tools), model=ScriptedModel(replies, usage=usage), **kwargs)


def kinds(steps: Iterable[Any]) -> list[str]:
    """The kinds of steps, in short."""
    names = {ActionStep: "act", TaskStep: "task", PlanningStep: "plan"}
    return [names.get(type(step), type(step).__name__) for step in steps]
