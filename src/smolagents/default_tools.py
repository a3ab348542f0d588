"""The built-in tools: re-exports of `smolagents.tools` and of the tool that runs Python code."""

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports

if TYPE_CHECKING:
    from smolagents.agents.base_tools import TOOL_MAPPING
    from smolagents.agents.interpreter_tool import PythonInterpreterTool
    from smolagents.tools.api_web_search import ApiWebSearchTool
    from smolagents.tools.duckduckgo import DuckDuckGoSearchTool
    from smolagents.tools.final_answer import FinalAnswerTool
    from smolagents.tools.google_search import GoogleSearchTool
    from smolagents.tools.pipeline import PreTool
    from smolagents.tools.speech_to_text import SpeechToTextTool
    from smolagents.tools.user_input import UserInputTool
    from smolagents.tools.visit_webpage import VisitWebpageTool
    from smolagents.tools.web_search import WebSearchTool
    from smolagents.tools.wikipedia import WikipediaSearchTool

__all__ = [
    "TOOL_MAPPING",
    "ApiWebSearchTool",
    "DuckDuckGoSearchTool",
    "FinalAnswerTool",
    "GoogleSearchTool",
    "PreTool",
    "PythonInterpreterTool",
    "SpeechToTextTool",
    "UserInputTool",
    "VisitWebpageTool",
    "WebSearchTool",
    "WikipediaSearchTool",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "TOOL_MAPPING": "smolagents.agents.base_tools",
        "ApiWebSearchTool": "smolagents.tools.api_web_search",
        "DuckDuckGoSearchTool": "smolagents.tools.duckduckgo",
        "FinalAnswerTool": "smolagents.tools.final_answer",
        "GoogleSearchTool": "smolagents.tools.google_search",
        "PreTool": "smolagents.tools.pipeline",
        "PythonInterpreterTool": "smolagents.agents.interpreter_tool",
        "SpeechToTextTool": "smolagents.tools.speech_to_text",
        "UserInputTool": "smolagents.tools.user_input",
        "VisitWebpageTool": "smolagents.tools.visit_webpage",
        "WebSearchTool": "smolagents.tools.web_search",
        "WikipediaSearchTool": "smolagents.tools.wikipedia",
    },
)
