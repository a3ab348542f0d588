"""Servers to test with: real ones, in processes of their own or behind a port of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

SERVER = str(HERE / "everything_server.py")


def program(*args: str) -> dict[str, Any]:
    """Parameters of the server that does everything, as a program."""
    return {"command": sys.executable, "args": [SERVER, *args]}


class HttpServer:
    """An ASGI application behind a port of this machine. It can be stopped and started again at the same port."""

    def __init__(self, make_app: Callable[[], Any], path: str) -> None:
        self._make_app = make_app
        self._path = path
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self._path}"

    def start(self) -> None:
        import uvicorn

        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(self._make_app(), log_level="error", timeout_graceful_shutdown=0)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        until(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait for a condition; fail when it does not come true."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


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
