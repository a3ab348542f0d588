"""A local HTTP server that plays given answers byte for byte, for providers whose wire is not that of OpenAI's API.

It records what it was asked, and notices when a client hangs up in the middle of a stream.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class RawAnswer:
    """One HTTP answer: a JSON body, or the pieces of a stream."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] | None = None
    endless: bool = False
    """Repeat the last piece until the client hangs up."""


@dataclass
class Asked:
    """One request."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class RawWire:
    """A running server."""

    url: str
    answers: list[RawAnswer]
    requests: list[Asked] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)

    @property
    def sent(self) -> dict[str, Any]:
        """The body of the last request."""
        return self.requests[-1].body


@contextmanager
def serve_raw(*answers: RawAnswer) -> Iterator[RawWire]:
    """Serve the answers, one for each request, the last one again and again."""
    wire = RawWire("", list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            wire.requests.append(Asked(self.path, headers, body))
            answer = wire.answers.pop(0) if len(wire.answers) > 1 else wire.answers[0]
            self.send_response(answer.status)
            if answer.pieces is None:
                payload = json.dumps(answer.body).encode()
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)
                return
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            try:
                for piece in answer.pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
                while answer.endless:
                    self.wfile.write(answer.pieces[-1])
                    self.wfile.flush()
            except OSError:
                wire.hung_up.set()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    wire.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
