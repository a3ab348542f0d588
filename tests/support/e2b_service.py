"""The E2B service on this machine, for driving the real SDK: REST API, sandboxes, code interpreter.

What it speaks was taken from the source of the SDK (packages `e2b` and `e2b-code-interpreter`: requests, headers,
how answers and errors are read) and from the code interpreter's own server, which is public (template/server in
github.com/e2b-dev/code-interpreter: the lines that /execute streams, contexts, what a dying kernel gives).

- REST API: create (`POST /v2/sandboxes`, `/sandboxes` in earlier SDKs), read, kill, set the lifetime; key in `X-API-KEY`.
- In a sandbox, told by the header `E2b-Sandbox-Id` or, as the SDK sends that not everywhere, the only one running:
  envd's `/health`; the interpreter's `/execute` and `/contexts`. A sandbox that is gone answers 502, as the proxy does.

Every context is a real IPython kernel in a process of its own; a sandbox is a directory and an environment, and
confines nothing. Plain HTTP on the loopback interface.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty
from typing import Any

KEY = "e2b_0123456789abcdef0123456789abcdef01234567"


class Loop:
    """An event loop in a thread of its own, for the kernels."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def __call__(self, awaitable: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, self.loop).result(timeout=90)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@dataclass
class Context:
    """One IPython kernel."""

    id: str
    cwd: str
    manager: Any
    client: Any
    wait_for: Loop
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, code: str, gone: Any) -> Iterator[dict[str, Any]]:
        """Run a cell and give what the interpreter streams; `gone()` tells that nobody listens any more."""
        with self.lock:
            interrupted = False
            message = self.wait_for(self._execute(code))
            while True:
                try:
                    reply = self.wait_for(self.client.get_iopub_msg(timeout=0.1))
                except Empty:
                    if not self.wait_for(self.manager.is_alive()):
                        yield {
                            "type": "error",
                            "name": "ContextRestarting",
                            "value": "Context was restarted",
                            "traceback": "",
                        }
                        with suppress(Exception):
                            self.restart()
                        return
                    if not interrupted and gone():
                        self.wait_for(self.manager.interrupt_kernel())
                        interrupted = True
                    continue
                if reply["parent_header"].get("msg_id") != message:
                    continue
                kind, content = reply["msg_type"], reply["content"]
                if kind == "stream":
                    at = reply["header"]["date"].isoformat()
                    yield {"type": content["name"], "text": content["text"], "timestamp": at}
                elif kind in {"execute_result", "display_data"}:
                    yield {
                        "type": "result",
                        "text": content["data"].get("text/plain"),
                        "is_main_result": kind == "execute_result",
                    }
                elif kind == "error":
                    trace = "".join(content["traceback"])
                    yield {"type": "error", "name": content["ename"], "value": content["evalue"], "traceback": trace}
                elif kind == "execute_input":
                    yield {"type": "number_of_executions", "execution_count": content["execution_count"]}
                elif kind == "status" and content["execution_state"] == "idle":
                    self.wait_for(self._done(message))
                    return

    async def _execute(self, code: str) -> str:
        return self.client.execute(code, store_history=True, allow_stdin=False)

    async def _done(self, message: str) -> None:
        """Take the reply too: a kernel that is sent the next cell before has been seen not to notice it."""
        with suppress(Empty):
            while (await self.client.get_shell_msg(timeout=5))["parent_header"].get("msg_id") != message:
                pass

    def restart(self) -> None:
        self.wait_for(self.manager.restart_kernel(now=True))
        self.wait_for(self.client.wait_for_ready(timeout=60))

    def stop(self) -> None:
        self.wait_for(self._stop())

    async def _stop(self) -> None:
        self.client.stop_channels()
        with suppress(Exception):
            await self.manager.shutdown_kernel(now=True)
        self.client.context.term()


@dataclass
class Sandbox:
    id: str
    wait_for: Loop
    asked: dict[str, Any]
    """The body of the request that created it."""
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    directory: str = field(default_factory=lambda: tempfile.mkdtemp(prefix="e2b-sandbox-"))
    contexts: dict[str, Context] = field(default_factory=dict)
    ends: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def context(self, cwd: str | None = None) -> Context:
        from jupyter_client import AsyncKernelManager

        cwd = cwd or self.directory
        identity = uuid.uuid4().hex
        manager = AsyncKernelManager(transport="ipc", ip=os.path.join(self.directory, "." + identity[:8]))

        async def start() -> Any:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            environment = {**os.environ, **self.asked.get("envVars", {})}
            await manager.start_kernel(env=environment, cwd=cwd, **quiet)
            client = manager.client()
            client.start_channels()
            await client.wait_for_ready(timeout=60)
            return client

        context = Context(identity, cwd, manager, self.wait_for(start()), self.wait_for)
        self.contexts[context.id] = context
        return context

    def stop(self) -> None:
        with self.lock:
            while self.contexts:
                self.contexts.popitem()[1].stop()
        shutil.rmtree(self.directory, ignore_errors=True)


@dataclass
class E2BService:
    """The running service, and what the tests look at and change."""

    url: str = ""
    wait_for: Loop = field(default_factory=Loop)
    sandboxes: dict[str, Sandbox] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    """Every request: method and path."""
    refusals: list[tuple[str, int, str]] = field(default_factory=list)

    @property
    def kwargs(self) -> dict[str, Any]:
        """What makes the SDK use this service: arguments of `Sandbox.create`."""
        return {"api_key": KEY, "api_url": self.url, "sandbox_url": self.url}

    def refuse(self, request: str, status: int, message: str = "", times: int = 1) -> None:
        """Answer the next requests that start with `request` (method and path) with an error.

        Status 0: run the cell, and cut the connection before anything is answered.
        """
        self.refusals += [(request, status, message)] * times

    def refusal(self, request: str) -> tuple[int, str] | None:
        for number, (start, status, message) in enumerate(self.refusals):
            if request.startswith(start):
                del self.refusals[number]
                return status, message
        return None

    def only(self) -> Sandbox:
        (sandbox,) = self.sandboxes.values()
        return sandbox

    def running(self, identity: str | None) -> Sandbox | None:
        sandbox = self.sandboxes.get(identity or "")
        if sandbox is None and identity is None and len(self.sandboxes) == 1:
            sandbox = self.only()
        if sandbox is not None and sandbox.ends < time.monotonic():
            self.kill(sandbox.id)
            return None
        return sandbox

    def kill(self, identity: str) -> bool:
        """End a sandbox, as its lifetime, its owner or the service would."""
        sandbox = self.sandboxes.pop(identity, None)
        if sandbox is not None:
            sandbox.stop()
        return sandbox is not None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: E2BService

    def log_message(self, *args: Any) -> None:
        pass

    def body(self) -> dict[str, Any]:
        length = int(self.headers.get("Content-Length") or 0)
        return json.loads(self.rfile.read(length)) if length else {}

    def answer(self, status: int, value: Any = None, *, headers: dict[str, str] | None = None) -> None:
        payload = b"" if value is None else value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        if status != 204:
            self.send_header("Content-Type", "text/plain" if isinstance(value, str) else "application/json")
            self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if status != 204:
            self.wfile.write(payload)

    def handle_request(self) -> None:
        request = f"{self.command} {self.path}"
        self.service.requests.append(request)
        body = self.body()
        parts = self.path.split("?")[0].strip("/").split("/")
        of_api = parts[0] in {"sandboxes", "v2", "v3"}
        if refusal := self.service.refusal(request):
            status, message = refusal
            if status == 0:
                for _ in self.service.only().contexts[body["context_id"]].run(body["code"], lambda: False):
                    pass
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return None
            headers = {"Should-Retry": "false"}
            return self.answer(status, {"code": status, "message": message} if of_api else message, headers=headers)
        if of_api:
            if self.headers.get("X-API-KEY") != KEY:
                return self.answer(401, {"code": 401, "message": "Invalid API key"})
            return self.api([part for part in parts if part not in {"v2", "v3"}], body)
        sandbox = self.service.running(self.headers.get("E2b-Sandbox-Id"))
        if sandbox is None:
            return self.answer(502, {"code": 502, "message": "The sandbox was not found"})
        return self.interpreter(sandbox, parts, body)

    do_GET = do_POST = do_DELETE = handle_request

    def api(self, parts: list[str], body: dict[str, Any]) -> None:
        if self.command == "POST" and parts == ["sandboxes"]:
            sandbox = Sandbox("i" + uuid.uuid4().hex[:19], self.service.wait_for, body)
            sandbox.ends = time.monotonic() + body.get("timeout", 300)
            self.service.sandboxes[sandbox.id] = sandbox
            return self.answer(201, self.record(sandbox))
        sandbox_or_none = self.service.running(parts[1]) if len(parts) > 1 else None
        if sandbox_or_none is None:
            return self.answer(404, {"code": 404, "message": f"Sandbox {parts[-1]} not found"})
        sandbox = sandbox_or_none
        if self.command == "DELETE":
            self.service.kill(sandbox.id)
            return self.answer(204)
        if self.command == "POST" and parts[2:] == ["timeout"]:
            sandbox.ends = time.monotonic() + body["timeout"]
            return self.answer(204)
        if self.command == "GET" and len(parts) == 2:
            now = datetime.now(timezone.utc).isoformat()
            more = {
                "startedAt": now,
                "endAt": now,
                "state": "running",
                "cpuCount": 2,
                "memoryMB": 512,
                "diskSizeMB": 512,
            }
            return self.answer(200, {**self.record(sandbox), **more})
        return self.answer(400, {"code": 400, "message": f"not spoken here: {self.command} {self.path}"})

    @staticmethod
    def record(sandbox: Sandbox) -> dict[str, Any]:
        return {
            "templateID": sandbox.asked.get("templateID"),
            "sandboxID": sandbox.id,
            "clientID": "local",
            "envdVersion": "0.4.0",
            "envdAccessToken": sandbox.token,
        }

    def interpreter(self, sandbox: Sandbox, parts: list[str], body: dict[str, Any]) -> None:
        if parts == ["health"]:
            return self.answer(204)
        if parts == ["contexts"] and self.command == "POST":
            context = sandbox.context(body.get("cwd"))
            return self.answer(200, {"id": context.id, "language": "python", "cwd": context.cwd})
        if parts == ["contexts"]:
            contexts = [{"id": each.id, "language": "python", "cwd": each.cwd} for each in sandbox.contexts.values()]
            return self.answer(200, contexts)
        if parts == ["execute"]:
            if self.headers.get("X-Access-Token") != sandbox.token:
                return self.answer(401, "Unauthorized")
            identity = body.get("context_id") or next(iter(sandbox.contexts), None) or sandbox.context().id
            if identity not in sandbox.contexts:
                return self.answer(404, f"Context {identity} not found")
            return self.stream(sandbox.contexts[identity], body["code"])
        if parts[0] == "contexts" and parts[1] in sandbox.contexts:
            if self.command == "DELETE":
                sandbox.contexts.pop(parts[1]).stop()
            else:
                sandbox.contexts[parts[1]].restart()
            return self.answer(200, "null")
        return self.answer(404, "Context not found")

    def stream(self, context: Context, code: str) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for output in context.run(code, self.gone):
                self.chunk(output)
            self.chunk({"type": "end_of_execution"})
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True
        except Exception:  # the sandbox ended under the cell
            self.close_connection = True

    def chunk(self, output: dict[str, Any]) -> None:
        line = json.dumps(output).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()

    def gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True


@contextmanager
def e2b_service() -> Iterator[E2BService]:
    """Run the service; sandboxes that are still there at the end are stopped."""
    service = E2BService()
    handler = type("ServiceHandler", (Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        for identity in list(service.sandboxes):
            service.kill(identity)
        server.shutdown()
        thread.join()
        server.server_close()
        service.wait_for.close()


def unavailable() -> str | None:
    """Why the tests that need the service cannot run here; None if they can."""
    for module in ("e2b_code_interpreter", "jupyter_client", "ipykernel"):
        if importlib.util.find_spec(module) is None:
            return f"the package that holds {module} is not installed"
    return None


@cache
def service() -> E2BService:
    """One service for the whole run of the tests."""
    context = e2b_service()
    found = context.__enter__()
    atexit.register(context.__exit__, None, None, None)
    return found


def make(imports: Sequence[str] = (), timeout_seconds: float | None = 30.0, **kwargs: Any) -> Any:
    """An executor that uses the service."""
    from smolagents.executors.remote.e2b import E2BExecutor

    return E2BExecutor(list(imports), timeout_seconds=timeout_seconds, **service().kwargs, **kwargs)
