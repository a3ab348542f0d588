"""Where the tests' MCP servers run: in processes of their own, or behind a port of this machine."""

from __future__ import annotations

import socket
import subprocess
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
    """An ASGI application behind a port of this machine.

    Args:
        make_app: Makes it; called with its address if `with_url`.
        path: Path that the application answers at.
        with_url: Whether the application has to know its address.
    """

    def __init__(self, make_app: Callable[..., Any], path: str, with_url: bool = False) -> None:
        import uvicorn

        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
        app = make_app(self.url) if with_url else make_app()
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        until(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


class ProgramServer:
    """The server that does everything, over HTTP in a process of its own, which can be killed and started again."""

    def __init__(self, transport: str) -> None:
        self._transport = transport
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}{'/sse' if transport == 'sse' else '/mcp'}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, SERVER, "everything", "", self._transport, str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(self._answers, 30)
        except BaseException:
            self.stop()
            raise

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the server ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait for a condition; fail when it does not come true."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
