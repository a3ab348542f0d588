"""A local HTTP server that plays given answers in the form of OpenAI's API, for what a well-behaved server never sends.

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
class Answer:
    """One HTTP answer: a JSON body, or server-sent events if `events` is given."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    events: list[Any] | None = None
    endless: bool = False
    """Repeat the last event until the client hangs up."""
    silent: bool = False
    """Send nothing, and wait for the client to hang up."""


@dataclass
class Wire:
    """A running server."""

    url: str
    answers: list[Answer]
    requests: list[dict[str, Any]] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    """Set when a request came that is answered with silence."""


@contextmanager
def serve_answers(*answers: Answer) -> Iterator[Wire]:
    """Serve the answers, one for each request, the last one again and again."""
    wire = Wire("", list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            wire.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = wire.answers.pop(0) if len(wire.answers) > 1 else wire.answers[0]
            if answer.silent:
                wire.asked.set()
                if not self.connection.recv(1):
                    wire.hung_up.set()
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            # So that no client keeps a connection which is closed only when it is collected.
            self.send_header("Connection", "close")
            self.close_connection = True
            if answer.events is None:
                payload = json.dumps(answer.body).encode()
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)
                return
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                for event in answer.events:
                    self._send(event)
                while answer.endless:
                    self._send(answer.events[-1])
            except OSError:
                wire.hung_up.set()

        def _send(self, event: Any) -> None:
            text = event if isinstance(event, str) else json.dumps(event)
            self.wfile.write(f"data: {text}\n\n".encode())
            self.wfile.flush()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    wire.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def completion(message: dict[str, Any], finish_reason: str = "stop", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish_reason}
    return {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], **more}


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    return {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": choices, **more}
