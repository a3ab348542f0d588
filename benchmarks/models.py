"""What a model object adds to its provider's SDK: CPU time of a call, and of each piece of a stream.

    python benchmarks/models.py [--peer PYTHON]

The OpenAI SDK is called bare, and through `OpenAIServerModel`, on the same local server, turn by turn in one process;
the difference is what the library costs. `--peer` names the interpreter of an environment with
`smolagents[openai]==1.26.0` from PyPI, where the same is measured in the same run. A conversation has 20 messages. CPU
time of the client's process, medians over rounds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WORKER = Path(__file__).with_name("models_worker.py")
CALL_LIMIT_MS = 0.3
DELTA_LIMIT_US = 20.0


def completion() -> bytes:
    message = {"role": "assistant", "content": "Thought: done.\n<code>\nfinal_answer(1)\n"}
    usage = {"prompt_tokens": 900, "completion_tokens": 20, "total_tokens": 920}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    reply = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    return json.dumps(reply).encode()


def stream(pieces: int) -> bytes:
    base: dict[str, Any] = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m"}

    def event(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
        return b"data: " + json.dumps({**base, "choices": choices, **more}).encode() + b"\n\n"

    usage = {"prompt_tokens": 900, "completion_tokens": pieces, "total_tokens": 900 + pieces}
    parts = [event({"role": "assistant", "content": ""})]
    parts += [event({"content": f" word{number % 10}"}) for number in range(pieces)]
    parts += [event({}, "stop"), b"data: " + json.dumps({**base, "choices": [], "usage": usage}).encode() + b"\n\n"]
    return b"".join([*parts, b"data: [DONE]\n\n"])


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    whole = completion()
    streams: dict[int, bytes] = {}  # noqa: RUF012

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind, body = "application/json", self.whole
        if asked.get("stream"):
            kind, pieces = "text/event-stream", int(asked["model"].partition("-")[2])
            body = self.streams.setdefault(pieces, b"") or stream(pieces)
            self.streams[pieces] = body
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


def serve() -> None:
    """Serve until the parent goes, in a process of its own so that its work is nobody else's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


def measure(python: str, url: str) -> dict[str, float]:
    done = subprocess.run(
        [python, "-W", "ignore", str(WORKER), url], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise SystemExit(f"{python} {WORKER} failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="interpreter of an environment with smolagents[openai] 1.26.0 from PyPI")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        ours = measure(sys.executable, url)
        peer = measure(options.peer, url) if options.peer else {}
    finally:
        assert server.stdin is not None
        server.stdin.close()
        server.wait(10)
    width = max(map(len, ours))
    print(f"{'':{width}}  {'ours':>10}" + (f"  {'peer':>10}" if peer else ""))
    for name, value in ours.items():
        print(f"{name:{width}}  {value:>10.3f}" + (f"  {peer[name]:>10.3f}" if peer else ""))
    call, delta = ours["added to a call [ms]"], ours["added to a delta, stream of 4,000 [µs]"]
    if call > CALL_LIMIT_MS or delta > DELTA_LIMIT_US:
        raise SystemExit(f"over the limits: {call:.3f} of {CALL_LIMIT_MS} ms, {delta:.1f} of {DELTA_LIMIT_US} µs")


if __name__ == "__main__":
    main()
