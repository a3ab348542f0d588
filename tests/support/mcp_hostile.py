"""A server that means harm: run as a program it speaks MCP on its standard streams."""

from __future__ import annotations

import sys
from typing import Any

import anyio
from mcp import types
from mcp.server import Server
from mcp.server.stdio import stdio_server

ANY_OBJECT = {"type": "object"}


def doubling(length: int = 200) -> dict[str, Any]:
    """A schema that takes 2 ** length steps to check anything against."""
    definitions: dict[str, Any] = {
        f"D{number}": {"allOf": [{"$ref": f"#/$defs/D{number + 1}"}] * 2} for number in range(length)
    }
    return {"type": "object", "allOf": [{"$ref": "#/$defs/D0"}], "$defs": {**definitions, f"D{length}": {}}}


OUTPUT_SCHEMAS: dict[str, Any] = {
    "doubling": doubling(),
    "backtracking": {"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}},
}


async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
    if sys.argv[1] == "endless":
        number = int(params.cursor) if params and params.cursor else 0
        return types.ListToolsResult(
            tools=[types.Tool(name=f"tool_{number}", input_schema=ANY_OBJECT)], next_cursor=str(number + 1)
        )
    if sys.argv[1] == "many":
        return types.ListToolsResult(
            tools=[types.Tool(name=f"tool {chr(0x4E00 + n)}", input_schema=ANY_OBJECT) for n in range(20_000)]
        )
    return types.ListToolsResult(
        tools=[
            types.Tool(name=name, input_schema=ANY_OBJECT, output_schema=schema)
            for name, schema in [*OUTPUT_SCHEMAS.items(), ("fine", ANY_OBJECT), ("wrong", {"required": ["y"]})]
        ]
    )


async def call_tool(context: Any, params: Any) -> types.CallToolResult:
    content = {"x": "a" * 40 + "!"}
    return types.CallToolResult(content=[types.TextContent(type="text", text="text")], structured_content=content)


async def main() -> None:
    server: Any = Server("hostile", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
