"""Tools: what agents can call."""

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports

if TYPE_CHECKING:
    from smolagents.tools.arguments import prepare_tool_arguments, validate_tool_arguments
    from smolagents.tools.base import BaseTool, Tool
    from smolagents.tools.decorator import tool
    from smolagents.tools.errors import ToolDefinitionError
    from smolagents.tools.final_answer import FinalAnswerTool
    from smolagents.tools.sharing import get_tools_definition_code
    from smolagents.tools.types import AUTHORIZED_TYPES
    from smolagents.tools.user_input import UserInputTool

__all__ = [
    "AUTHORIZED_TYPES",
    "BaseTool",
    "FinalAnswerTool",
    "Tool",
    "ToolDefinitionError",
    "UserInputTool",
    "get_tools_definition_code",
    "prepare_tool_arguments",
    "tool",
    "validate_tool_arguments",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "AUTHORIZED_TYPES": "smolagents.tools.types",
        "BaseTool": "smolagents.tools.base",
        "FinalAnswerTool": "smolagents.tools.final_answer",
        "Tool": "smolagents.tools.base",
        "ToolDefinitionError": "smolagents.tools.errors",
        "UserInputTool": "smolagents.tools.user_input",
        "get_tools_definition_code": "smolagents.tools.sharing",
        "prepare_tool_arguments": "smolagents.tools.arguments",
        "tool": "smolagents.tools.decorator",
        "validate_tool_arguments": "smolagents.tools.arguments",
    },
)
