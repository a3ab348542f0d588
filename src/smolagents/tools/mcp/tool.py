"""Tools that are on a server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from smolagents.tools.errors import ToolDefinitionError
from smolagents.tools.foreign import ForeignTool
from smolagents.tools.foreign_schema import inputs_of_json_schema, properties_that_accept_null, type_of_schema
from smolagents.tools.mcp.errors import MCPConnectionError, MCPToolError
from smolagents.tools.mcp.results import json_arguments, prompt_text, resource_value, tool_output
from smolagents.tools.plain_schema import plain_schema
from smolagents.tools.progress import ToolProgress, current_progress

if TYPE_CHECKING:
    from smolagents.tools.mcp.client import MCPClient
    from smolagents.tools.mcp.connection import Connection

__all__ = ["ListResourcesTool", "MCPTool", "PromptTool", "ReadResourceTool", "RemoteTool"]

T = TypeVar("T")


class RemoteTool(ForeignTool):
    """Something that an MCP server does. It is called from synchronous and from asynchronous code alike.

    `tool(...)` waits for the answer in any thread, one that runs an event loop included; `await tool.acall(...)`
    does not block.
    """

    description = ""
    inputs: dict[str, dict[str, Any]] = {}
    output_type = "string"

    def __init__(self, client: MCPClient, connection: Connection, name: str) -> None:
        super().__init__()
        self._client = client  # as long as there is a tool, the client keeps its connections
        self._connection = connection
        self._withdrawn = False
        self.name = name
        self.inputs = {}
        self.output_type = "string"
        self.is_initialized = True

    @property
    def server(self) -> str:
        """Name of the server."""
        return self._connection.name

    def withdraw(self) -> None:
        """Have further calls fail: the server offers this no more."""
        self._withdrawn = True

    def _request(self, arguments: dict[str, Any]) -> Coroutine[Any, Any, Any]:
        """What a call does, on the event loop of the client."""
        raise NotImplementedError

    async def forward(self, **arguments: Any) -> Any:
        import asyncio

        background = self._loop()
        if background.is_current():
            return await self._request(arguments)
        return await asyncio.wrap_future(background.submit(self._request(arguments)))

    def _wait_for(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        background = self._loop()
        if background.is_current():
            raise RuntimeError(
                f"Tool '{self.name}' was called in the thread that talks to its server, which waiting would stop. "
                f"Write 'await {self.name}.acall(...)' there."
            )
        return background.wait(call())

    def _loop(self) -> Any:
        background = self._connection.background
        if background is None or not background.is_running:
            raise MCPConnectionError(
                f"Tool '{self.name}' cannot be called: its MCP client is disconnected. "
                "Call it within the client's 'with' block, or connect again with client.connect()."
            )
        if self._withdrawn:
            raise MCPToolError(f"The server '{self.server}' no longer offers the tool '{self.name}'.")
        return background

    async def _ask(self, send: Callable[..., Awaitable[T]], what: str) -> T:
        return await self._connection.call(send, what, self._progress())

    def _progress(self) -> Callable[[float, float | None, str | None], None] | None:
        """What to call when this call makes progress: what the client was given, and whoever watches the call."""
        handler = self._client.progress_of(self)
        told = current_progress.get()  # here, since the connection reads what the server says in a context of its own
        if told is None:
            return handler

        def progress(done: float, total: float | None, message: str | None) -> None:
            if handler is not None:
                handler(done, total, message)
            share = f"{done:g}" if total is None else f"{done:g} of {total:g}"
            told(ToolProgress(self.name, f"{message} ({share})" if message else share))

        return progress

    def without_source(self) -> ToolDefinitionError:
        """Why there is no source of this tool: what it does is on its server."""
        return ToolDefinitionError(
            f"Tool '{self.name}' is on the MCP server '{self.server}' and cannot be saved as code. "
            "Save the agent without it, and give it the tools of an MCPClient after loading: tools=[...]."
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"Tool '{self.name}' is on an MCP server and cannot be pickled; connect where it is needed.")


class MCPTool(RemoteTool):
    """A tool of a server."""

    def __init__(
        self, client: MCPClient, connection: Connection, name: str, definition: Any, structured: bool
    ) -> None:
        super().__init__(client, connection, name)
        self._structured = structured
        self.update(definition)

    def update(self, definition: Any) -> None:
        """Take over what the server says of the tool."""
        self._withdrawn = False
        self.mcp_name: str = definition.name
        annotated = getattr(definition.annotations, "title", None)
        self.description = definition.description or definition.title or annotated or f"The tool {definition.name}."
        self.inputs, self._names = inputs_of_json_schema(definition.input_schema)
        self._may_be_null = properties_that_accept_null(definition.input_schema)
        schema = definition.output_schema if self._structured else None
        self.output_schema = plain_schema(schema) if schema else None
        self.output_type = type_of_schema(schema) if schema else "string"

    def _request(self, arguments: dict[str, Any]) -> Coroutine[Any, Any, Any]:
        given = {
            self._names[name]: value
            for name, value in arguments.items()
            # A null for what is optional and cannot be null means that it is left out.
            if value is not None or self._names[name] in self._may_be_null
        }
        plain = json_arguments(given, self.name)

        async def request() -> Any:
            result = await self._ask(
                lambda client, progress: client.call_tool(self.mcp_name, plain, progress_callback=progress),
                f"tool '{self.mcp_name}'",
            )
            return tool_output(result, schema=self.output_schema, tool=self.mcp_name)

        return request()


class ListResourcesTool(RemoteTool):
    """Lists what a server has to read."""

    def __init__(self, client: MCPClient, connection: Connection, name: str) -> None:
        super().__init__(client, connection, name)
        self.description = f"Lists what the server '{connection.name}' has to read: the URI and description of each."

    async def _request(self, arguments: dict[str, Any]) -> str:
        async def listed(client: Any, _: Any) -> str:
            from smolagents.tools.mcp.connection import pages

            lines = [_line(each.uri, each) for each in await pages(client.list_resources, "resources")]
            templates = await pages(client.list_resource_templates, "resource_templates")
            lines += [f"{_line(each.uri_template, each)} (fill in the braces)" for each in templates]
            return "\n".join(lines) or "There is nothing to read."

        return await self._ask(listed, "the list of resources")


def _line(uri: Any, entry: Any) -> str:
    described = f" — {entry.description}" if entry.description else ""
    return f"{uri}: {entry.title or entry.name}{described}"


class ReadResourceTool(RemoteTool):
    """Reads a resource of a server."""

    def __init__(self, client: MCPClient, connection: Connection, name: str, listing: str) -> None:
        super().__init__(client, connection, name)
        self.description = f"Reads a resource of the server '{connection.name}'. The tool {listing} lists them."
        self.inputs = {"uri": {"type": "string", "description": "URI of the resource."}}
        self.output_type = "any"

    async def _request(self, arguments: dict[str, Any]) -> Any:
        uri = str(arguments["uri"])
        return resource_value(await self._ask(lambda client, _: client.read_resource(uri), f"the reading of '{uri}'"))


class PromptTool(RemoteTool):
    """Fills in a prompt of a server."""

    def __init__(self, client: MCPClient, connection: Connection, name: str, definition: Any) -> None:
        super().__init__(client, connection, name)
        self.update(definition)

    def update(self, definition: Any) -> None:
        """Take over what the server says of the prompt."""
        self._withdrawn = False
        self.mcp_name: str = definition.name
        described = definition.description or definition.title or definition.name
        self.description = f"Returns a text that tells how to do this: {described}"
        arguments = definition.arguments or []
        schema = {
            "properties": {
                each.name: {"type": "string", **({"description": each.description} if each.description else {})}
                for each in arguments
            },
            "required": [each.name for each in arguments if each.required],
        }
        self.inputs, self._names = inputs_of_json_schema(schema)

    async def _request(self, arguments: dict[str, Any]) -> Any:
        given = {self._names[name]: str(value) for name, value in arguments.items() if value is not None}
        return prompt_text(
            await self._ask(lambda client, _: client.get_prompt(self.mcp_name, given), f"the prompt '{self.mcp_name}'")
        )
