"""A real Kernel Gateway on this machine, a wire to it that can be cut, and a server that does not keep the protocol."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

TOKEN = "a-token"


@contextlib.contextmanager
def gateway(folder: Path, *command: str, **environment: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A gateway of its own: its URL and its process. Killed, with its kernels, at the end."""
    port = free_port()
    settings = {"KG_AUTH_TOKEN": TOKEN, "KG_PORT": str(port), "KG_PORT_RETRIES": "0", "HOME": str(folder)}
    log = (folder / "gateway.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, *(command or ("-m", "kernel_gateway")), *([f"--port={port}"] if command else [])],
        env={**os.environ, **settings, **environment},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=folder,
        start_new_session=True,
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
        log.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Wire:
    """Passes connections on to a server until it is cut."""

    def __init__(self, url: str) -> None:
        host, _, port = url.rpartition("/")[2].partition(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self.connections = 0
        self.refuses = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut all connections of now."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                far = None if self.refuses else socket.create_connection(self._server)
            except ConnectionRefusedError:
                far = None
            if far is None:
                near.close()
                continue
            self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError), source, target:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


class StrangeServer:
    """Answers each HTTP request with what `answer(method, path, headers)` gives, then closes.

    For a websocket, `frames` are sent after the handshake.
    """

    def __init__(self, answer: Callable[[str, str, dict[str, str]], bytes | None], frames: list[bytes]) -> None:
        self._answer = answer
        self._frames = frames
        self.received = b""
        """What came over websockets."""
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data:
                data += near.recv(65536)
            first, *lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            self.requests.append((method, path, headers))
            if headers.get("upgrade", "").lower() == "websocket":
                key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
                near.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
                )
                for frame in self._frames:
                    near.sendall(frame)
                near.settimeout(10)
                while data := near.recv(65536):
                    self.received += data
                return
            reply = self._answer(method, path, headers)
            if reply is not None:
                near.sendall(reply)


def wait_until(true: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
