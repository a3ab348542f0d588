"""A server that speaks the chat completions API and plays given replies, for a command to talk to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ScriptedServer:
    """Plays replies in order, streamed if asked. A reply is text, a dict with tool calls, or None to hang."""

    def __init__(self):
        self.replies = []
        self.requests = []
        self.hangs = threading.Event()
        self.released = threading.Event()
        script = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                script.requests.append(body)
                reply = script.replies.pop(0)
                if reply is None:
                    script.hangs.set()
                    script.released.wait(30)
                    self.close_connection = True
                    return
                self.send_response(200)
                streamed = body.get("stream")
                self.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
                self.end_headers()
                self.wfile.write(script.render(reply, streamed))

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def render(self, reply, streamed):
        usage = {"prompt_tokens": 1200, "completion_tokens": 34, "total_tokens": 1234}
        message = {"role": "assistant", "content": reply} if isinstance(reply, str) else dict(reply, role="assistant")
        if not streamed:
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return json.dumps(self.chunk([choice], usage, "chat.completion")).encode()
        pieces = [message]
        if isinstance(reply, str):
            pieces = [{"content": reply[at : at + 7]} for at in range(0, len(reply), 7)]
        chunks = [self.chunk([{"index": 0, "delta": piece, "finish_reason": None}]) for piece in pieces]
        chunks.append(self.chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        chunks.append(self.chunk([], usage))
        return ("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n").encode()

    def chunk(self, choices, usage=None, kind="chat.completion.chunk"):
        return {"id": "1", "object": kind, "created": 1, "model": "scripted", "choices": choices, "usage": usage}

    def __enter__(self):
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.released.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
