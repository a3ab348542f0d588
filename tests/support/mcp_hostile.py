"""A server that means harm, or is careless: run as a program it speaks MCP on its standard streams."""

from __future__ import annotations

import base64
import struct
import sys
import zlib
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


def png(width: int, height: int) -> bytes:
    """A PNG file that says it is so large; its pixels are those of a small one."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(2))) + chunk(b"IEND", b"")
    )


def image(data: bytes) -> types.ImageContent:
    return types.ImageContent(type="image", data=base64.b64encode(data).decode(), mime_type="image/png")


PICTURES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "twice": (png(1, 1), {"content": [image(png(1, 1)).model_dump(mode="json")]}),
    "beside": (png(1, 1), {"peak": 5}),
    "broken": (png(1, 1)[:30], {"peak": 5}),
    "huge": (png(100_000, 100_000), {"peak": 5}),
}


async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
    if sys.argv[1] == "endless":
        number = int(params.cursor) if params and params.cursor else 0
        return types.ListToolsResult(
            tools=[types.Tool(name=f"tool_{number}", input_schema=ANY_OBJECT)], next_cursor=str(number + 1)
        )
    if sys.argv[1] == "many":
        return types.ListToolsResult(
            tools=[types.Tool(name=f"tool {chr(0x4E00 + n)}", input_schema=ANY_OBJECT) for n in range(10_000)]
        )
    return types.ListToolsResult(
        tools=[
            types.Tool(name=name, input_schema=ANY_OBJECT, output_schema=schema)
            for name, schema in [*OUTPUT_SCHEMAS.items(), ("fine", ANY_OBJECT), ("wrong", {"required": ["y"]})]
        ]
        + [types.Tool(name=name, input_schema=ANY_OBJECT, output_schema=ANY_OBJECT) for name in PICTURES]
    )


async def call_tool(context: Any, params: Any) -> types.CallToolResult:
    if params.name in PICTURES:
        data, structured = PICTURES[params.name]
        text = types.TextContent(type="text", text="a picture")
        return types.CallToolResult(content=[text, image(data)], structured_content=structured)
    content = {"x": "a" * 40 + "!"}
    return types.CallToolResult(content=[types.TextContent(type="text", text="text")], structured_content=content)


async def main() -> None:
    server: Any = Server("hostile", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
