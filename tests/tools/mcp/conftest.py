"""Servers to test with: real ones."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")

from support.mcp_hosts import HttpServer, ProgramServer, program


@pytest.fixture
def serve() -> Iterator[Callable[..., HttpServer]]:
    """Serve an ASGI application."""
    with contextlib.ExitStack() as stack:

        def start(make_app: Callable[[], Any], path: str = "/mcp") -> HttpServer:
            server = HttpServer(make_app, path)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture(scope="module")
def module_client() -> Iterator[Any]:
    """A client of the server that does everything, shared by tests that leave it as it is."""
    from smolagents import MCPClient

    client = MCPClient(program(), resources=True, prompts=True)
    yield client
    client.disconnect()


@pytest.fixture
def tools(module_client: Any) -> dict[str, Any]:
    """The tools of the server that does everything."""
    return {tool.name: tool for tool in module_client.get_tools()}


@pytest.fixture
def time_server() -> str:
    """A server that others wrote."""
    found = shutil.which(
        "mcp-server-time", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    if found is None:
        reason = "the server of others is not here; install it with: pip install mcp-server-time"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
def serve_program() -> Iterator[Callable[[str], ProgramServer]]:
    """Serve over HTTP from a process of its own, by the name of the transport."""
    with contextlib.ExitStack() as stack:

        def start(transport: str) -> ProgramServer:
            server = ProgramServer(transport)
            stack.callback(server.stop)
            return server

        yield start
