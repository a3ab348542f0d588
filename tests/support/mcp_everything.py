"""A server that does everything: run as a program it speaks MCP on its standard streams."""

from __future__ import annotations

import base64
import io
import os
import sys
import wave
from pathlib import Path
from typing import Annotated, Literal

import anyio
from mcp.server.mcpserver import AcceptedElicitation, Context, Elicit, ElicitationResult, MCPServer, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import AudioContent, ImageContent, TextContent
from pydantic import BaseModel, Field

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def sound() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * 80)
    return buffer.getvalue()


class Place(BaseModel):
    city: str
    country: str | None = None


class Weather(BaseModel):
    place: str
    degrees: float


class Choice(BaseModel):
    size: Literal["small", "large"] = Field(description="How big.")
    number: int = 1


def ask_for_choice() -> Elicit[Choice]:
    return Elicit("What do you want?", Choice)


def make_server(name: str = "everything", journal: str | None = None) -> MCPServer:
    """Make the server.

    Args:
        name: Its name.
        journal: A file to write to what happened.
    """
    server = MCPServer(name)

    def note(text: str) -> None:
        if journal:
            with Path(journal).open("a") as file:
                file.write(text + "\n")

    @server.tool()
    def add(a: int, b: int = 10) -> int:
        """Adds two numbers."""
        return a + b

    @server.tool(structured_output=False)
    def say(text: Annotated[str, Field(description="What to say.")]) -> str:
        """Says something."""
        return text

    @server.tool()
    def weather(places: list[Place], unit: Literal["C", "F"] = "C") -> Weather:
        """Tells the weather of the first of some places."""
        return Weather(place=places[0].city, degrees=20.5 if unit == "C" else 68.9)

    @server.tool(name="two-words.tool", structured_output=False)
    def oddly_named(value: str | None = None) -> str:
        """A tool with a name that is no identifier."""
        return f"value is {value!r}"

    @server.tool(structured_output=False)
    def fail(reason: str) -> str:
        """Fails."""
        raise ToolError(reason)

    @server.tool(structured_output=False)
    def picture() -> list[ImageContent | TextContent]:
        """Returns a picture."""
        return [ImageContent(type="image", data=base64.b64encode(PIXEL).decode(), mime_type="image/png")]

    @server.tool(structured_output=False)
    def noise() -> list[AudioContent]:
        """Returns a sound."""
        return [AudioContent(type="audio", data=base64.b64encode(sound()).decode(), mime_type="audio/wav")]

    @server.tool(structured_output=False)
    def mixed() -> list[ImageContent | TextContent]:
        """Returns text and a picture."""
        return [
            TextContent(type="text", text="look"),
            ImageContent(type="image", data=base64.b64encode(PIXEL).decode(), mime_type="image/png"),
        ]

    @server.tool(structured_output=False)
    async def slow(seconds: float = 30.0) -> str:
        """Takes long."""
        note("slow started")
        try:
            await anyio.sleep(seconds)
        except anyio.get_cancelled_exc_class():
            note("slow cancelled")
            raise
        note("slow done")
        return "done"

    @server.tool(structured_output=False)
    async def count(ctx: Context, to: int = 3, pause: float = 0.0) -> str:
        """Counts, and reports each number."""
        for number in range(1, to + 1):
            await ctx.report_progress(number, to, f"at {number}")
            await anyio.sleep(pause)
        return "counted"

    @server.tool(structured_output=False)
    def order(answer: Annotated[ElicitationResult[Choice], Resolve(ask_for_choice)]) -> str:
        """Asks the user what to order."""
        if not isinstance(answer, AcceptedElicitation):
            return f"nothing: {answer.action}"
        return f"{answer.data.number} {answer.data.size}"

    @server.tool(structured_output=False)
    def die() -> str:
        """Ends the program."""
        os._exit(3)

    @server.tool(structured_output=False)
    def process_id() -> str:
        """The id of this process."""
        return str(os.getpid())

    @server.tool(structured_output=False)
    async def grow(ctx: Context) -> str:
        """Adds a tool, and changes and removes others."""

        def new_tool(x: int) -> str:
            """Was not there before."""
            return f"new {x}"

        def say(text: str, loudly: bool = False) -> str:
            """Says something, loudly if wanted."""
            return text.upper() if loudly else text

        server.add_tool(new_tool, structured_output=False)
        server.remove_tool("say")
        server.add_tool(say, structured_output=False)
        server.remove_tool("noise")
        await ctx.session.send_tool_list_changed()  # which clients of older versions are told
        await ctx.notify_tools_changed()
        return "grown"

    @server.resource("notes://today")
    def today() -> str:
        """What is to be done today."""
        return "water the plants"

    @server.resource("notes://{day}")
    def on_day(day: str) -> str:
        """What is to be done on a day."""
        return f"nothing on {day}"

    @server.prompt()
    def review(code: str, style: str = "kind") -> str:
        """Reviews code."""
        return f"Review this in a {style} way: {code}"

    return server


if __name__ == "__main__":
    made = make_server(*sys.argv[1:3])
    if len(sys.argv) > 4:
        made.run(sys.argv[3], port=int(sys.argv[4]))  # type: ignore[call-overload]
    else:
        made.run()
