"""The built-in tools by name."""

from __future__ import annotations

from smolagents.agents.interpreter_tool import PythonInterpreterTool
from smolagents.tools.base import Tool
from smolagents.tools.final_answer import FinalAnswerTool
from smolagents.tools.speech_to_text import SpeechToTextTool
from smolagents.tools.user_input import UserInputTool
from smolagents.tools.visit_webpage import VisitWebpageTool
from smolagents.tools.web_search import WebSearchTool
from smolagents.tools.wikipedia import WikipediaSearchTool

__all__ = ["BUILT_IN_TOOLS", "TOOL_MAPPING"]


def _by_name(*classes: type[Tool]) -> dict[str, type[Tool]]:
    return {each.name: each for each in classes}


TOOL_MAPPING: dict[str, type[Tool]] = _by_name(PythonInterpreterTool, WebSearchTool, VisitWebpageTool)
"""The base tools: what `add_base_tools=True` gives an agent."""

BUILT_IN_TOOLS: dict[str, type[Tool]] = {
    **TOOL_MAPPING,
    **_by_name(WikipediaSearchTool, SpeechToTextTool, UserInputTool, FinalAnswerTool),
}
"""Every built-in tool that is made without arguments, by the name a command line calls it by."""
