"""A small proxy before a real server, which does to answers what networks and overloaded servers do."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Fault:
    """What is done to one request; nothing by default."""

    status: int | None = None
    """Answer with this status, and never ask the server."""
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False
    """Break the connection, with nothing sent."""
    kill_after: int | None = None
    """Break the connection after so many bytes of the body."""
    first_byte: threading.Event | None = None
    """Send nothing before this is set."""


@dataclass
class Proxy:
    url: str
    faults: list[Fault]
    requests: int = 0


@contextmanager
def faulty_proxy(server: str, *faults: Fault) -> Iterator[Proxy]:
    """A proxy before `server` that commits the faults, one for each request, and then none.

    Args:
        server: URL of the server, with its path.
        *faults: The faults in their order.
    """
    target = urlsplit(server)
    proxy = Proxy("", list(faults))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            proxy.requests += 1
            fault = proxy.faults.pop(0) if proxy.faults else Fault()
            self.close_connection = True
            if fault.reset:
                self._break()
            elif fault.status is not None:
                self._refuse(fault)
            else:
                self._pass_on(body, fault)

        def _break(self) -> None:
            # With no time to linger, closing sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

        def _refuse(self, fault: Fault) -> None:
            payload = json.dumps({"error": {"message": "not now", "code": fault.status}}).encode()
            self.send_response(fault.status or 500)
            for name, value in {**fault.headers, "Content-Length": str(len(payload)), "Connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        def _pass_on(self, body: bytes, fault: Fault) -> None:
            upstream = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
            try:
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "accept-encoding")}
                upstream.request("POST", self.path, body, headers)
                answer = upstream.getresponse()
                if fault.first_byte is not None:
                    fault.first_byte.wait(20)
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.send_header("Transfer-Encoding", "chunked")
                self.send_header("Connection", "close")
                self.end_headers()
                left = fault.kill_after
                while data := answer.read1(65536):
                    if left is not None:
                        data = data[:left]
                        left -= len(data)
                    if data:
                        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                        self.wfile.flush()
                    if left == 0:
                        self._break()
                        return
                self.wfile.write(b"0\r\n\r\n")
            except OSError:  # the client has gone
                pass
            finally:
                upstream.close()

        def log_message(self, *args: Any) -> None:
            pass

        def finish(self) -> None:
            try:
                super().finish()
            except (OSError, ValueError):
                pass

    server_ = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{server_.server_address[1]}{target.path}"
    thread = threading.Thread(target=server_.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server_.shutdown()
        thread.join()
        server_.server_close()
