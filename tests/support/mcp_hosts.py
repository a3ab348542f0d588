"""Where the tests' MCP servers run: in processes of their own, or behind a port of this machine."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SERVER = str(Path(__file__).with_name("mcp_everything.py"))


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
