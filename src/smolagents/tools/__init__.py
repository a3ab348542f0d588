"""Tools: what agents can call."""

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports

if TYPE_CHECKING:
    from smolagents.tools.api_web_search import ApiWebSearchTool
    from smolagents.tools.arguments import prepare_tool_arguments, validate_tool_arguments
    from smolagents.tools.base import BaseTool, Tool
    from smolagents.tools.collection import ToolCollection
    from smolagents.tools.decorator import tool
    from smolagents.tools.duckduckgo import DuckDuckGoSearchTool
    from smolagents.tools.errors import ToolDefinitionError, ToolTimeoutError
    from smolagents.tools.fetching import FetchError
    from smolagents.tools.final_answer import FinalAnswerTool
    from smolagents.tools.google_search import GoogleSearchTool
    from smolagents.tools.gradio_demo import launch_gradio_demo
    from smolagents.tools.hub import load_tool
    from smolagents.tools.pipeline import PipelineTool
    from smolagents.tools.progress import ToolProgress, on_progress, report_progress
    from smolagents.tools.sharing import get_tools_definition_code
    from smolagents.tools.speech_to_text import SpeechToTextTool
    from smolagents.tools.types import AUTHORIZED_TYPES
    from smolagents.tools.user_input import UserInputTool
    from smolagents.tools.visit_webpage import VisitWebpageTool
    from smolagents.tools.web_search import WebSearchTool
    from smolagents.tools.wikipedia import WikipediaSearchTool

__all__ = [
    "AUTHORIZED_TYPES",
    "ApiWebSearchTool",
    "BaseTool",
    "DuckDuckGoSearchTool",
    "FetchError",
    "FinalAnswerTool",
    "GoogleSearchTool",
    "PipelineTool",
    "SpeechToTextTool",
    "Tool",
    "ToolCollection",
    "ToolDefinitionError",
    "ToolProgress",
    "ToolTimeoutError",
    "UserInputTool",
    "VisitWebpageTool",
    "WebSearchTool",
    "WikipediaSearchTool",
    "get_tools_definition_code",
    "launch_gradio_demo",
    "load_tool",
    "on_progress",
    "prepare_tool_arguments",
    "report_progress",
    "tool",
    "validate_tool_arguments",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "AUTHORIZED_TYPES": "smolagents.tools.types",
        "ApiWebSearchTool": "smolagents.tools.api_web_search",
        "BaseTool": "smolagents.tools.base",
        "DuckDuckGoSearchTool": "smolagents.tools.duckduckgo",
        "FetchError": "smolagents.tools.fetching",
        "FinalAnswerTool": "smolagents.tools.final_answer",
        "GoogleSearchTool": "smolagents.tools.google_search",
        "PipelineTool": "smolagents.tools.pipeline",
        "SpeechToTextTool": "smolagents.tools.speech_to_text",
        "Tool": "smolagents.tools.base",
        "ToolCollection": "smolagents.tools.collection",
        "ToolDefinitionError": "smolagents.tools.errors",
        "ToolProgress": "smolagents.tools.progress",
        "ToolTimeoutError": "smolagents.tools.errors",
        "UserInputTool": "smolagents.tools.user_input",
        "VisitWebpageTool": "smolagents.tools.visit_webpage",
        "WebSearchTool": "smolagents.tools.web_search",
        "WikipediaSearchTool": "smolagents.tools.wikipedia",
        "get_tools_definition_code": "smolagents.tools.sharing",
        "launch_gradio_demo": "smolagents.tools.gradio_demo",
        "load_tool": "smolagents.tools.hub",
        "on_progress": "smolagents.tools.progress",
        "prepare_tool_arguments": "smolagents.tools.arguments",
        "report_progress": "smolagents.tools.progress",
        "tool": "smolagents.tools.decorator",
        "validate_tool_arguments": "smolagents.tools.arguments",
    },
)
