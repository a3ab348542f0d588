"""`MCPClient`: the tools of MCP servers."""

from __future__ import annotations

import inspect
import threading
import warnings
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from smolagents._imports import require
from smolagents.tools.foreign_schema import identifier
from smolagents.tools.mcp.background import BackgroundLoop
from smolagents.tools.mcp.elicitation import ElicitationRequest, ask_on_console
from smolagents.tools.mcp.errors import MCPConnectionError
from smolagents.tools.mcp.servers import check_seconds, read_servers
from smolagents.tools.mcp.tool import ListResourcesTool, MCPTool, PromptTool, ReadResourceTool, RemoteTool

if TYPE_CHECKING:
    from smolagents.tools.base import Tool
    from smolagents.tools.mcp.connection import Connection, MCPProgress

__all__ = ["MCPClient"]


class MCPClient:
    """The tools of one or several MCP servers. It connects when it is made.

        with MCPClient({"url": "http://127.0.0.1:8000/mcp"}) as tools:
            agent = CodeAgent(tools=tools, model=model)
            agent.run("…")

    Without `with`, call `disconnect` in the end. The tools can be called as long as it is connected, from any thread
    and from any event loop. All talk with servers happens in one background thread.

    Several servers are connected to at the same time. One that fails does not hinder the others: a warning says why,
    and `errors` keeps it. A connection that is lost is made again, with growing delays; calls wait for that.

    Args:
        server_parameters: One server or a list of them, each one of: `mcp.StdioServerParameters`; an address; a
            dictionary with "url" and, if wanted, "transport" ("streamable-http", which is the default, or "sse"),
            "headers", "auth" (a token, or an `httpx2.Auth` such as the SDK's OAuth providers); a dictionary with
            "command", "args", "env", "cwd". Dictionaries may have "name", "timeout" and "connect_timeout" too, and
            "protocol": "legacy" for a server that stumbles over the question which versions it speaks. Or a dictionary
            {"mcpServers": {name: dictionary}}.
        adapter_kwargs: More arguments of this constructor as a dictionary; also "client_session_timeout_seconds",
            another name of `timeout`.
        structured_output: Whether a tool that declares the schema of its output has it as `output_schema` and returns
            the structured content; else its text is returned. None means yes.
        timeout: Seconds that a call may take without a sign of life. Progress is one; time in which the user is asked
            something does not count. None for no limit.
        connect_timeout: Seconds that a connection may take to be made, or a call may wait until it is made again.
        reconnect_attempts: Attempts to make a lost connection again before calls fail; each further call is then an
            attempt.
        resources: Whether to add tools that list and read the resources of servers that have them.
        prompts: Whether to add a tool for each prompt of the servers, named prompt_… .
        on_elicitation: Called with an `ElicitationRequest` when a server asks the user something. It returns the fields
            as a dictionary, True where there are none, None to decline; it may be `async`. By default the user is asked
            in the terminal, if there is one. False to tell servers that they cannot ask.
        on_progress: Called with an `MCPProgress` when a server reports progress; in the background thread, so it should
            be quick.
        on_tools_changed: Called with the list of tools when a server has changed what it offers. Tools that an agent
            has are updated by themselves; new ones are added by this function, if it does so.
        connect: False to connect later, with `connect`, `with` or `async with`.

    Raises:
        MCPConnectionError: no server could be connected to; the message says of each why.
        MissingExtraError: the extra `mcp` is not installed.
        ValueError, TypeError: the parameters are wrong.
    """

    errors: dict[str, Exception]
    """Why servers could not be connected to, by name; empty if all could."""

    def __init__(
        self,
        server_parameters: Any,
        adapter_kwargs: dict[str, Any] | None = None,
        structured_output: bool | None = None,
        *,
        timeout: float | None = 60.0,
        connect_timeout: float = 30.0,
        reconnect_attempts: int = 5,
        resources: bool = False,
        prompts: bool = False,
        on_elicitation: Callable[[ElicitationRequest], Any] | bool | None = None,
        on_progress: Callable[[MCPProgress], Any] | None = None,
        on_tools_changed: Callable[[list[Tool]], Any] | None = None,
        connect: bool = True,
    ) -> None:
        require("mcp", extra="mcp", needed_for="MCPClient")
        from smolagents.tools.mcp.connection import Connection, Options

        options: dict[str, Any] = {
            "timeout": timeout,
            "connect_timeout": connect_timeout,
            "reconnect_attempts": reconnect_attempts,
            "resources": resources,
            "prompts": prompts,
            "on_elicitation": on_elicitation,
            "on_progress": on_progress,
        }
        options.update(_adapter_options(adapter_kwargs, options))
        check_seconds("timeout", options["timeout"])
        check_seconds("connect_timeout", options["connect_timeout"])
        asks = options["on_elicitation"]
        options["on_elicitation"] = None if asks is False else ask_on_console if asks in (None, True) else asks
        self._structured = structured_output is not False
        self._on_tools_changed = on_tools_changed
        self._on_progress = options["on_progress"]
        self._lock = threading.RLock()
        self._tools: dict[tuple[int, str, str], RemoteTool] = {}
        self._background: BackgroundLoop | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None
        self.errors = {}
        servers = read_servers(server_parameters)
        given = [server.name for server in servers if server.name]
        twice = next((name for name in given if given.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two MCP servers are named {twice!r}; give each a name of its own")
        me = weakref.ref(self)
        self._connections: list[Connection] = [
            Connection(server, Options(**options), _refresher(me, index)) for index, server in enumerate(servers)
        ]
        if connect:
            self.connect()

    # Connecting

    def connect(self) -> None:
        """Connect to the servers that are not connected.

        Raises:
            MCPConnectionError: none could be connected to.
        """
        with self._lock:
            if self._background is None:
                self._background = BackgroundLoop("smolagents-mcp")
                self._finalizer = weakref.finalize(self, self._background.close)
                for connection in self._connections:
                    connection.background = self._background
                    self._background.before_end(connection.stop)
            background = self._background
            missing = [each for each in self._connections if not each.is_connected]
        try:
            failed = background.wait(_start_all(missing))
        except BaseException:
            self.disconnect()
            raise
        self.errors = {_unique(connection.name, failed, connection): error for connection, error in failed.items()}
        if len(failed) == len(self._connections):
            self.disconnect()
            raise MCPConnectionError(_all_failed(self.errors), self.errors)
        for name, error in self.errors.items():
            warnings.warn(f"the MCP server '{name}' is left out: {error}", UserWarning, stacklevel=2)
        with self._lock:
            self._take_over(range(len(self._connections)))

    def disconnect(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        exc_traceback: TracebackType | None = None,
    ) -> None:
        """End all connections, and the servers that were started. May be called again."""
        with self._lock:
            background, self._background = self._background, None
            if self._finalizer is not None:
                self._finalizer.detach()
        if background is not None:
            background.close()

    def __enter__(self) -> list[Tool]:
        if self._background is None:
            self.connect()
        return self.get_tools()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        exc_traceback: TracebackType | None,
    ) -> None:
        self.disconnect(exc_type, exc_value, exc_traceback)

    async def __aenter__(self) -> list[Tool]:
        import asyncio

        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        exc_traceback: TracebackType | None,
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.disconnect)

    @property
    def servers(self) -> dict[str, bool]:
        """The names of the servers, and whether each is connected."""
        return {connection.name: connection.is_connected for connection in self._connections}

    # Tools

    def get_tools(self) -> list[Tool]:
        """The tools of all servers, as they are now.

        A name that is no Python identifier is made one. Where two servers have a tool of the same name, the names of
        both are put behind those of their servers: server_tool.

        Raises:
            ValueError: there is no connection.
        """
        with self._lock:
            if self._background is None:
                raise ValueError("The MCP client is not connected, so it has no tools. Call connect() first.")
            return list(self._tools.values())

    def progress_of(self, tool: RemoteTool) -> Callable[[float, float | None, str | None], Any] | None:
        """What to call when a call of a tool makes progress."""
        handler = self._on_progress
        if handler is None:
            return None
        from smolagents.tools.mcp.connection import MCPProgress

        return lambda progress, total, message: handler(MCPProgress(tool.server, tool.name, progress, total, message))

    def _changed(self, index: int) -> None:
        """Take over what a server offers now. Called in the background thread."""
        with self._lock:
            if self._background is None:
                return
            self._take_over([index])
            tools: list[Tool] = list(self._tools.values())
        if self._on_tools_changed is not None:
            self._background.loop.run_in_executor(None, self._on_tools_changed, tools)

    def _take_over(self, indices: Any) -> None:
        wanted: dict[tuple[int, str, str], Any] = {}
        for index in indices:
            listing = self._connections[index].listing
            wanted.update({(index, "tool", each.name): each for each in listing.tools})
            wanted.update({(index, "prompt", each.name): each for each in listing.prompts})
            if listing.resources:
                wanted.update({(index, "resources", name): None for name in ("list_resources", "read_resource")})
        for key, tool in list(self._tools.items()):
            if key[0] in indices and key not in wanted:
                tool.withdraw()
                del self._tools[key]
        names = self._names_for([key for key in wanted if key not in self._tools])
        for key, definition in wanted.items():
            known = self._tools.get(key)
            if known is None:
                self._tools[key] = self._make(key, names, definition)
            elif isinstance(known, (MCPTool, PromptTool)):
                known.update(definition)

    def _names_for(self, keys: list[tuple[int, str, str]]) -> dict[tuple[int, str, str], str]:
        stems = {
            key: identifier(f"prompt_{key[2]}" if key[1] == "prompt" else key[2], fallback="tool") for key in keys
        }
        servers: dict[str, set[int]] = {}
        for key, stem in stems.items():
            servers.setdefault(stem, set()).add(key[0])
        taken = {tool.name for tool in self._tools.values()}
        known = frozenset(taken)
        names: dict[tuple[int, str, str], str] = {}
        for key, stem in stems.items():
            is_shared = len(servers[stem]) > 1 or stem in known
            names[key] = identifier(f"{self._connections[key[0]].name}_{stem}" if is_shared else stem, taken)
            taken.add(names[key])
        return names

    def _make(
        self, key: tuple[int, str, str], names: Mapping[tuple[int, str, str], str], definition: Any
    ) -> RemoteTool:
        index, kind, mcp_name = key
        connection, name = self._connections[index], names[key]
        if kind == "tool":
            return MCPTool(self, connection, name, definition, self._structured)
        if kind == "prompt":
            return PromptTool(self, connection, name, definition)
        if mcp_name == "list_resources":
            return ListResourcesTool(self, connection, name)
        return ReadResourceTool(self, connection, name, names[index, kind, "list_resources"])

    def __repr__(self) -> str:
        return f"<MCPClient of {', '.join(self.servers)}>"


def _refresher(client: weakref.ref[MCPClient], index: int) -> Callable[[], None]:
    """What a connection calls when its server has changed. It must not keep the client from being garbage."""

    def refresh() -> None:
        found = client()
        if found is not None:
            found._changed(index)

    return refresh


async def _start_all(connections: list[Connection]) -> dict[Connection, Exception]:
    import asyncio

    outcomes = await asyncio.gather(*(each.start() for each in connections), return_exceptions=True)
    failed: dict[Connection, Exception] = {}
    for connection, outcome in zip(connections, outcomes, strict=True):
        if isinstance(outcome, Exception):
            failed[connection] = outcome
        elif outcome is not None:
            raise outcome
    return failed


def _unique(name: str, failed: Mapping[Connection, Any], own: Connection) -> str:
    same = [each for each in failed if each.name == name]
    return name if len(same) == 1 else f"{name}#{same.index(own) + 1}"


def _all_failed(errors: Mapping[str, Exception]) -> str:
    if len(errors) == 1:
        ((name, error),) = errors.items()
        return f"The MCP server '{name}' cannot be used: {error}"
    return "None of the MCP servers can be used:" + "".join(f"\n- {name}: {error}" for name, error in errors.items())


def _adapter_options(given: Mapping[str, Any] | None, known: Mapping[str, Any]) -> dict[str, Any]:
    options = dict(given or {})
    if "client_session_timeout_seconds" in options:
        seconds = options.pop("client_session_timeout_seconds")
        options["timeout"] = getattr(seconds, "total_seconds", lambda: seconds)()
    unknown = [name for name in options if name not in known]
    if unknown:
        there = [name for name in inspect.signature(MCPClient).parameters if name in known]
        raise TypeError(
            f"adapter_kwargs has the unknown key {unknown[0]!r}; "
            f"there are: {', '.join(there)}, client_session_timeout_seconds"
        )
    return options
