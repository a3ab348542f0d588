"""The Blaxel service on this machine, for driving the real SDK: control plane, and sandboxes with a Jupyter server.

What it speaks was taken from the source of the SDK (package `blaxel`: requests, headers, models, how answers and
errors are read), from the public documentation (docs.blaxel.ai: names, `/port/{port}/…` at the sandbox's own address,
records kept as TERMINATED after deletion) and from the public image (hub/jupyter-notebook in
github.com/blaxel-ai/sandbox: Jupyter Kernel Gateway on port 8888, without a token, with its default settings).

- Control plane under `/v0`: create, read, list, delete sandboxes; `X-Blaxel-Authorization` and `X-Blaxel-Workspace`.
- Data plane under `/sbx/{name}`, the address that a sandbox's record holds: `/port/8888/…` is passed on to a real
  Kernel Gateway; websockets too. The same headers are asked for.

A sandbox is its kernels, which are real, and confines nothing. Plain HTTP on the loopback interface.
"""

from __future__ import annotations

import atexit
import http.client
import importlib.util
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "bl_aaaa0123456789"
WORKSPACE = "testers"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host", "accept-encoding"}


@dataclass
class Gateway:
    """A Jupyter Kernel Gateway, started as the image does it."""

    variables: dict[str, str]
    directory: str = field(default_factory=lambda: tempfile.mkdtemp(prefix="blaxel-sandbox-"))
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = {"ip": "127.0.0.1", "port": self.port, "port_retries": 0, "allow_origin": "*"}
        options = [f"--KernelGatewayApp.{name}={value}" for name, value in settings.items()]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kernel_gateway", *options, "--KernelManager.transport=ipc"],
            cwd=self.directory,
            env={**os.environ, "JUPYTER_RUNTIME_DIR": self.directory, **self.variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def connect(self) -> socket.socket:
        """It takes a moment to start; the service itself says that a sandbox is deployed when it has."""
        end = time.monotonic() + 60
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=60)
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Any:
        """The response, and what it holds."""
        with self.connect() as link:
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            connection.sock = link
            connection.request(method, path, body or None, dict(headers or {}))
            response = connection.getresponse()
            return response, response.read()

    def stop(self) -> None:
        import psutil

        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.terminate()
            psutil.wait_procs(family, timeout=5)
            for each in family:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


@dataclass
class Sandbox:
    """One sandbox: its record, and its kernels. One that has no variables of its own shares its Gateway with others."""

    name: str
    asked: dict[str, Any]
    """The body of the request that created it."""
    url: str
    shared: Callable[[], Gateway]
    status: str = "DEPLOYED"
    kernels: set[str] = field(default_factory=set)

    @property
    def runtime(self) -> dict[str, Any]:
        return self.asked.get("spec", {}).get("runtime", {})

    @cached_property
    def gateway(self) -> Gateway:
        given = {each["name"]: each["value"] for each in self.runtime.get("envs") or []}
        return Gateway(given) if given else self.shared()

    def stop(self) -> None:
        self.status = "TERMINATED"
        if self.gateway.variables:
            self.gateway.stop()
        while self.kernels:
            with suppress(OSError, http.client.HTTPException):
                self.gateway.ask("DELETE", f"/api/kernels/{self.kernels.pop()}")

    def record(self) -> dict[str, Any]:
        spec = self.asked.get("spec", {})
        metadata = {**self.asked.get("metadata", {}), "name": self.name, "url": self.url, "workspace": WORKSPACE}
        return {"metadata": metadata, "spec": spec, "status": self.status}


@dataclass
class BlaxelService:
    """The running service, and what the tests look at and change."""

    url: str = ""
    sandboxes: dict[str, Sandbox] = field(default_factory=dict)
    """All that were ever created; those that run have the status DEPLOYED."""
    requests: list[str] = field(default_factory=list)
    """Every request: method and path, the query left out."""
    refusals: list[tuple[str, int, str, str]] = field(default_factory=list)

    def refuse(self, request: str, status: int, code: str = "", message: str = "", times: int = 1) -> None:
        """Answer the next requests that start with `request` (method and path) with an error."""
        self.refusals += [(request, status, code, message)] * times

    def refusal(self, request: str) -> tuple[int, str, str] | None:
        for number, (start, *rest) in enumerate(self.refusals):
            if request.startswith(start):
                del self.refusals[number]
                status, code, message = rest
                return status, code, message
        return None

    @property
    def running(self) -> list[Sandbox]:
        return [each for each in self.sandboxes.values() if each.status == "DEPLOYED"]

    _tunnels: set[threading.Event] = field(default_factory=set)

    def cut(self) -> None:
        """Cut every websocket, as the service does after 15 minutes."""
        for tunnel in list(self._tunnels):
            tunnel.set()
        while self._tunnels:
            time.sleep(0.01)

    @cached_property
    def gateway(self) -> Gateway:
        return Gateway({})

    def create(self, asked: dict[str, Any]) -> Sandbox:
        name = asked.get("metadata", {}).get("name") or "sandbox-" + uuid.uuid4().hex[:8]
        sandbox = Sandbox(name, asked, f"{self.url}/sbx/{name}", lambda: self.gateway)
        self.sandboxes[name] = sandbox
        return sandbox


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: BlaxelService

    def log_message(self, *args: Any) -> None:
        pass

    def answer(self, status: int, value: Any) -> None:
        payload = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def fail(self, status: int, code: str, message: str) -> None:
        self.answer(status, {"error": code, "code": code, "message": message, "status_code": status})

    def handle_request(self) -> None:
        parts = urlsplit(self.path)
        request = f"{self.command} {parts.path}"
        self.service.requests.append(request)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if refusal := self.service.refusal(request):
            return self.fail(*refusal)
        if self.headers.get("X-Blaxel-Authorization") != f"Bearer {KEY}":
            return self.fail(401, "UNAUTHORIZED", "invalid credentials")
        if self.headers.get("X-Blaxel-Workspace") != WORKSPACE:
            return self.fail(403, "FORBIDDEN", "no access to this workspace")
        room, *rest = parts.path.strip("/").split("/")
        if room == "v0":
            return self.control(rest, parse_qs(parts.query), json.loads(body) if body else {})
        sandbox = self.service.sandboxes.get(rest[0]) if room == "sbx" and rest else None
        if sandbox is None or sandbox.status != "DEPLOYED":
            return self.fail(404, "NOT_FOUND", "sandbox not found")
        exposed = {str(each["target"]) for each in sandbox.runtime.get("ports") or []}
        if rest[1:2] != ["port"] or rest[2] not in exposed:
            return self.fail(404, "NOT_FOUND", f"not spoken here: {request}")
        path = "/" + "/".join(rest[3:]) + (f"?{parts.query}" if parts.query else "")
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.tunnel(sandbox, path)
        return self.pass_on(sandbox, path, body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_request

    def control(self, parts: list[str], query: dict[str, list[str]], body: dict[str, Any]) -> None:
        sandboxes = self.service.sandboxes
        if parts == ["sandboxes"] and self.command == "POST":
            name = body["metadata"].get("name")
            if name and (len(name) > 49 or not _NAME.fullmatch(name)):
                return self.fail(400, "INVALID_NAME", f"name {name!r} is not valid")
            taken = sandboxes.get(name) if name else None
            if taken is not None and taken.status == "DEPLOYED":
                if query.get("createIfNotExist", ["false"])[0].lower() == "true":
                    return self.answer(200, taken.record())
                return self.fail(409, "SANDBOX_ALREADY_EXISTS", f"sandbox {name} already exists")
            return self.answer(200, self.service.create(body).record())
        sandbox = sandboxes.get(parts[1]) if len(parts) == 2 else None
        if sandbox is None:
            return self.answer(404, {"error": "NOT_FOUND", "code": 404, "message": "sandbox not found"})
        if self.command == "DELETE":
            if sandbox.status != "DEPLOYED":
                return self.answer(404, {"error": "NOT_FOUND", "code": 404, "message": "sandbox not found"})
            sandbox.stop()
        return self.answer(200, sandbox.record())

    def passed_headers(self, sandbox: Sandbox) -> dict[str, str]:
        kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        return {**kept, "Host": f"127.0.0.1:{sandbox.gateway.port}"}

    def pass_on(self, sandbox: Sandbox, path: str, body: bytes) -> None:
        parts = path.split("/")
        if len(parts) > 3 and parts[3] not in sandbox.kernels:
            return self.fail(404, "NOT_FOUND", "no such kernel in this sandbox")
        try:
            response, payload = sandbox.gateway.ask(self.command, path, body, self.passed_headers(sandbox))
        except (OSError, http.client.HTTPException):
            return self.fail(502, "BAD_GATEWAY", "nothing answers on this port")
        if self.command == "POST" and path == "/api/kernels" and response.status == 201:
            sandbox.kernels.add(json.loads(payload)["id"])
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        if response.status != 204:
            self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
        return None

    def tunnel(self, sandbox: Sandbox, path: str) -> None:
        """Hand the websocket's bytes on, both ways, until one side is gone."""
        self.close_connection = True
        try:
            gateway = sandbox.gateway.connect()
        except OSError:
            return self.fail(502, "BAD_GATEWAY", "nothing answers on this port")
        headers = {**self.passed_headers(sandbox), "Connection": "Upgrade"}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        gateway.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        cut = threading.Event()
        self.service._tunnels.add(cut)
        with gateway, suppress(OSError):
            gateway.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
            ends = {self.connection: gateway, gateway: self.connection}
            while sandbox.status == "DEPLOYED" and not cut.is_set():
                for end in select.select(list(ends), [], [], 0.1)[0]:
                    data = end.recv(1 << 16)
                    if data:
                        ends[end].sendall(data)
                    else:
                        cut.set()
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
        self.service._tunnels.discard(cut)
        return None


@contextmanager
def blaxel_service() -> Iterator[BlaxelService]:
    """Run the service; sandboxes that are still there at the end are stopped."""
    service = BlaxelService()
    handler = type("ServiceHandler", (Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        for sandbox in service.running:
            sandbox.stop()
        if "gateway" in vars(service):
            service.gateway.stop()
        server.shutdown()
        thread.join()
        server.server_close()


def unavailable() -> str | None:
    """Why the tests that need the service cannot run here; None if they can."""
    for module in ("blaxel", "websocket", "kernel_gateway", "ipykernel", "psutil"):
        if importlib.util.find_spec(module) is None:
            return f"the package that holds {module} is not installed"
    return None


@cache
def service() -> BlaxelService:
    """One service for the whole run of the tests, which the SDK speaks to from then on."""
    context = blaxel_service()
    found = context.__enter__()
    atexit.register(context.__exit__, None, None, None)
    os.environ.update(BL_WORKSPACE=WORKSPACE, BL_API_KEY=KEY, BL_REGION="eu-lon-1", DO_NOT_TRACK="true")
    from blaxel.core import client, settings
    from blaxel.core.authentication import auth

    client.with_base_url(f"{found.url}/v0")  # the SDK's own way: it knows no variable for it
    settings.auth = auth(settings.env, settings.base_url)
    client.with_auth(settings.auth)
    atexit.register(lambda: client.get_httpx_client().close())
    return found


def make(imports: Sequence[str] = (), timeout_seconds: float | None = 30.0, **kwargs: Any) -> Any:
    """An executor that uses the service."""
    service()
    from smolagents.executors.remote.blaxel import BlaxelExecutor

    return BlaxelExecutor(list(imports), timeout_seconds=timeout_seconds, **kwargs)
