"""Which servers to talk to: what users write, and the transports that it stands for."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Diagnosis", "Server", "read_servers"]

_TRANSPORTS = {
    "stdio": "stdio",
    "sse": "sse",
    "http": "streamable-http",
    "streamable-http": "streamable-http",
    "streamable_http": "streamable-http",
}
_STDIO_KEYS = frozenset({"command", "args", "env", "cwd", "encoding", "encoding_error_handler"})
_HTTP_KEYS = frozenset({"url", "headers", "auth", "sse_read_timeout"})
_COMMON_KEYS = frozenset({"name", "transport", "type", "timeout", "connect_timeout", "protocol"})
_STDERR_LINES = 15


@dataclass
class Server:
    """One server: how to reach it, and what is special about it."""

    transport: str
    """"stdio", "streamable-http" or "sse"."""
    parameters: Any = None
    """`mcp.StdioServerParameters` of a server that is started as a program."""
    url: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    auth: Any = None
    sse_read_timeout: float = 300.0
    name: str | None = None
    """The name its user gave it."""
    timeout: float | None = None
    connect_timeout: float | None = None
    protocol: str = "auto"
    """"auto" to agree on the newest version; "legacy" to begin as servers from before 2026 expect it."""

    @property
    def address(self) -> str:
        """Where it is, for messages: the command line, or the address without credentials."""
        if self.url is not None:
            parts = urlsplit(self.url)
            host = parts.netloc.rpartition("@")[2]
            return parts._replace(netloc=host, query="", fragment="").geturl()
        return " ".join([self.parameters.command, *self.parameters.args])

    @property
    def label(self) -> str:
        """A short name, before the server has said its own."""
        if self.name:
            return self.name
        if self.url is not None:
            return urlsplit(self.url).netloc.rpartition("@")[2]
        # Of "python server.py" or "npx -y @scope/server-x dir" the word that names the server.
        words = [self.parameters.command, *(word for word in self.parameters.args if not word.startswith("-"))]
        chosen = words[1] if len(words) > 1 and _LAUNCHER.match(PurePath(words[0]).name) else words[0]
        return PurePath(chosen).name.removesuffix(".py") or chosen


_LAUNCHER = re.compile(r"^(python[\d.]*|py|node|npx|uvx|uv|bunx?|deno|docker)(\.exe|\.cmd)?$", re.IGNORECASE)


def read_servers(given: Any) -> list[Server]:
    """The servers that a user's parameters name.

    Args:
        given: One server or a list of them, each `mcp.StdioServerParameters`, an address, or a dictionary with "url" or
            "command"; or a dictionary {"mcpServers": {name: dictionary}}, as configuration files have it.

    Raises:
        ValueError: it names no server, or has keys that mean nothing.
        TypeError: it is something else.
    """
    if isinstance(given, Mapping) and "mcpServers" in given:
        named = given["mcpServers"]
        if not isinstance(named, Mapping):
            raise TypeError(f'"mcpServers" must be a dictionary of servers by name, not {type(named).__name__}')
        servers = [_read_server({"name": name, **each}) for name, each in named.items()]
    elif isinstance(given, (str, Mapping)) or not isinstance(given, Sequence):
        servers = [_read_server(given)]
    else:
        servers = [_read_server(each) for each in given]
    if not servers:
        raise ValueError('no MCP server was given; give its parameters, such as {"url": "http://127.0.0.1:8000/mcp"}')
    return servers


def _read_server(given: Any) -> Server:
    if isinstance(given, str):
        given = {"url": given}
    if isinstance(given, Mapping):
        return _of_mapping(dict(given))
    if hasattr(given, "command") and hasattr(given, "args"):
        return Server("stdio", parameters=given)
    raise TypeError(
        f"an MCP server is given as mcp.StdioServerParameters, as an address, or as a dictionary with 'url' or 'command'; "
        f"not as {type(given).__name__} ({given!r:.80})"
    )


def _of_mapping(given: dict[str, Any]) -> Server:
    named = given.get("transport") or given.get("type")
    if named is not None and named not in _TRANSPORTS:
        raise ValueError(f'{named!r} is no transport of MCP that is known; use "stdio", "streamable-http" or "sse"')
    by_command = "command" in given
    if by_command == ("url" in given):
        raise ValueError(f"an MCP server needs either 'url' or 'command'; given were: {', '.join(given) or 'no keys'}")
    transport = _TRANSPORTS[named] if named else "stdio" if by_command else "streamable-http"
    if (transport == "stdio") != by_command:
        raise ValueError(f"the transport {named!r} does not go with {'a command' if by_command else 'an address'}")
    allowed = _COMMON_KEYS | (_STDIO_KEYS if by_command else _HTTP_KEYS)
    unknown = [key for key in given if key not in allowed]
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r} of an MCP server; there are: {', '.join(sorted(allowed))}")
    common: dict[str, Any] = {key: given.get(key) for key in ("name", "timeout", "connect_timeout")}
    for key in ("timeout", "connect_timeout"):
        check_seconds(key, common[key])
    common["protocol"] = given.get("protocol", "auto")
    if common["protocol"] not in ("auto", "legacy"):
        raise ValueError(f'protocol must be "auto" or "legacy", not {common["protocol"]!r}')
    if by_command:
        import mcp

        values = {key: value for key, value in given.items() if key in _STDIO_KEYS}
        return Server("stdio", parameters=mcp.StdioServerParameters(**values), **common)
    url = given["url"]
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise ValueError(f"the address of an MCP server must begin with http:// or https://, not {url!r}")
    return Server(
        transport,
        url=url,
        headers={str(key): str(value) for key, value in (given.get("headers") or {}).items()},
        auth=given.get("auth"),
        sse_read_timeout=given.get("sse_read_timeout") or 300.0,
        **common,
    )


def check_seconds(name: str, value: Any) -> None:
    """Raise `ValueError` unless `value` is a positive number of seconds, or None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0):
        raise ValueError(f"{name} must be a positive number of seconds, or None; not {value!r}")


class Diagnosis:
    """What a transport saw of a server, to explain why it failed."""

    def __init__(self) -> None:
        self.stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        """The last lines that a program wrote on its standard error stream."""
        self.status: str | None = None
        """The last HTTP status that was an error."""
        self.ended = False
        """Whether the stream of messages ended."""
        self._reader: threading.Thread | None = None

    def open_stderr(self) -> Any:
        """A file for the standard error stream of a program; its last lines are kept."""
        reading, writing = os.pipe()

        def read() -> None:
            with open(reading, encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    self.stderr.append(line.rstrip("\n")[:500])

        self._reader = threading.Thread(target=read, name="mcp-stderr", daemon=True)
        self._reader.start()
        return open(writing, "w", encoding="utf-8")

    def last_words(self) -> str:
        """The end of the standard error stream, waiting for what is still on its way."""
        if self._reader is not None:
            self._reader.join(0.5)
        return "\n".join(self.stderr).strip()


class _Watched:
    """A stream of messages that calls `on_end` when it ends."""

    def __init__(self, stream: Any, on_end: Any) -> None:
        self._stream = stream
        self._on_end = on_end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def receive(self) -> Any:
        try:
            return await self._stream.receive()
        except Exception:
            self._on_end()
            raise

    def __aiter__(self) -> _Watched:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except (Exception, StopAsyncIteration):
            self._on_end()
            raise

    async def __aenter__(self) -> _Watched:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> Any:
        return await self._stream.__aexit__(*exc)


@asynccontextmanager
async def open_transport(server: Server, diagnosis: Diagnosis, on_end: Any) -> AsyncIterator[tuple[Any, Any]]:
    """Connect to a server; `on_end` is called when it has said its last."""

    def ended() -> None:
        diagnosis.ended = True
        on_end()

    if server.transport == "stdio":
        from mcp.client.stdio import stdio_client

        with diagnosis.open_stderr() as errlog:
            async with stdio_client(server.parameters, errlog=errlog) as (read, write):
                errlog.close()  # the program has it; our end would keep the pipe open after its death
                yield _Watched(read, ended), write
        return
    headers = dict(server.headers)
    auth = server.auth
    if isinstance(auth, str):
        headers.setdefault("Authorization", f"Bearer {auth}")
        auth = None

    def make_client(headers: Any = None, timeout: Any = None, auth: Any = None) -> Any:
        import httpx2

        # A server may hold a stream open for long between two messages.
        timeout = timeout or httpx2.Timeout(30.0, read=server.sse_read_timeout)
        return httpx2.AsyncClient(headers=headers, timeout=timeout, auth=auth, event_hooks={"response": [note]})

    async def note(response: Any) -> None:
        if response.status_code >= 400:
            diagnosis.status = f"{response.status_code} {response.reason_phrase}".strip()

    if server.transport == "sse":
        from mcp.client.sse import sse_client

        async with sse_client(
            server.url or "",
            headers=headers,
            auth=auth,
            sse_read_timeout=server.sse_read_timeout,
            httpx_client_factory=make_client,
        ) as (read, write):
            yield _Watched(read, ended), write
        return
    from mcp.client.streamable_http import streamable_http_client

    async with (
        make_client(headers=headers, auth=auth) as http_client,
        streamable_http_client(server.url or "", http_client=http_client) as (read, write),
    ):
        yield _Watched(read, ended), write
