"""Tools of MCP servers."""

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports

if TYPE_CHECKING:
    from smolagents.tools.mcp.client import MCPClient
    from smolagents.tools.mcp.connection import MCPProgress
    from smolagents.tools.mcp.elicitation import ElicitationRequest
    from smolagents.tools.mcp.errors import MCPConnectionError, MCPTimeoutError, MCPToolError
    from smolagents.tools.mcp.tool import MCPTool

__all__ = [
    "ElicitationRequest",
    "MCPClient",
    "MCPConnectionError",
    "MCPProgress",
    "MCPTimeoutError",
    "MCPTool",
    "MCPToolError",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ElicitationRequest": "smolagents.tools.mcp.elicitation",
        "MCPClient": "smolagents.tools.mcp.client",
        "MCPConnectionError": "smolagents.tools.mcp.errors",
        "MCPProgress": "smolagents.tools.mcp.connection",
        "MCPTimeoutError": "smolagents.tools.mcp.errors",
        "MCPTool": "smolagents.tools.mcp.tool",
        "MCPToolError": "smolagents.tools.mcp.errors",
    },
)
