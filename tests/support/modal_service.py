"""A local server that speaks the wire protocol of Modal, for the real `modal` package to talk to.

It is built on the definitions of the protocol that the package brings along (`modal_proto`): gRPC over HTTP/2, both
the first and the second set of calls for sandboxes, and the router through which a sandbox's output is read. The
answers' types are those of the protocol; what the service does behind them is inferred from the package's own code.
The package is pointed here by `MODAL_SERVER_URL`. A sandbox is a process of this machine; see `modal_sandbox`.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shlex
import shutil
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import grpclib.server
import trustme
from grpclib import GRPCError, Status
from grpclib.const import Cardinality, Handler
from modal_proto import api_pb2, task_command_router_pb2
from modal_proto.api_grpc import ModalClientBase
from modal_proto.task_command_router_grpc import TaskCommandRouterBase

from support.modal_sandbox import FAILURE, SUCCESS, TERMINATED, TIMEOUT, LocalSandbox

TOKEN = ("ak-local", "as-local")
"""Id and secret of the only account."""


class ModalService:
    """The service, on a thread of its own. Use it as a context manager.

    Args:
        packages: Folder of wheels that can be installed in its sandboxes.
    """

    def __init__(self, packages: Path) -> None:
        self.calls: list[tuple[str, Any]] = []
        """Name and request of every call, in order."""
        self.sandboxes: dict[str, LocalSandbox] = {}
        self.failures: dict[str, list[GRPCError]] = {}
        """Errors that the next calls of a name are answered with."""
        self.command: list[str] | None = None
        """When set, sandboxes run this in place of what they were asked to run."""
        self._packages = packages
        self._numbers = itertools.count(1)
        self._secrets: dict[str, dict[str, str]] = {}
        self.images: dict[str, api_pb2.Image] = {}
        self._installed: dict[str, str] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="modal-images-"))
        self._names: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="modal-service", daemon=True)
        authority = trustme.CA()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._context)
        self._authority = tempfile.NamedTemporaryFile(suffix=".pem")
        usual = ssl.get_default_verify_paths().cafile
        self._authority.write(Path(usual).read_bytes() if usual else b"")
        self._authority.write(authority.cert_pem.bytes())
        self._authority.flush()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point the `modal` package here, and make the tunnels' certificate trusted."""
        return {
            "MODAL_SERVER_URL": self.url,
            "MODAL_TOKEN_ID": TOKEN[0],
            "MODAL_TOKEN_SECRET": TOKEN[1],
            "MODAL_CONFIG_PATH": "/nonexistent/modal.toml",
            "SSL_CERT_FILE": self._authority.name,
        }

    def __enter__(self) -> ModalService:
        self._thread.start()
        self.run(self._start())
        return self

    def __exit__(self, *exception: object) -> None:
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._authority.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine on the service's thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _start(self) -> None:
        self._server = _Server([_Servicer(self), _Router(self)])
        await self._server.start("127.0.0.1", 0)
        self._port = self._server._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        for sandbox in self.sandboxes.values():
            await sandbox.end(api_pb2.GenericResult(status=TERMINATED))
        self._server.close()
        self._server.cut()
        await self._server.wait_closed()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What tests look at and do.

    def requests(self, name: str) -> list[Any]:
        return [request for called, request in self.calls if called == name]

    @property
    def newest(self) -> LocalSandbox:
        return list(self.sandboxes.values())[-1]

    @property
    def running(self) -> list[LocalSandbox]:
        return [sandbox for sandbox in self.sandboxes.values() if sandbox.result is None]

    def terminate(self, sandbox: LocalSandbox) -> None:
        """End a sandbox as if from the dashboard."""
        self.run(sandbox.end(api_pb2.GenericResult(status=TERMINATED)))

    def expire(self, sandbox: LocalSandbox) -> None:
        """End a sandbox as if its time was up."""
        self.run(sandbox.end(api_pb2.GenericResult(status=TIMEOUT)))

    def cut(self, sandbox: LocalSandbox) -> None:
        """Break the connections through a sandbox's tunnel."""
        self.run(sandbox.cut())

    # The calls.

    async def ClientHello(self, _: Any) -> Any:
        return api_pb2.ClientHelloResponse()

    async def AuthTokenGet(self, _: Any) -> Any:
        return api_pb2.AuthTokenGetResponse(token=_web_token())

    async def AppGetOrCreate(self, request: Any) -> Any:
        handle = api_pb2.AppHandleMetadata()
        return api_pb2.AppGetOrCreateResponse(app_id=f"ap-{request.app_name}", handle_metadata=handle)

    async def EnvironmentGetOrCreate(self, request: Any) -> Any:
        settings = api_pb2.EnvironmentSettings(image_builder_version="2025.06")
        described = api_pb2.EnvironmentMetadata(name=request.deployment_name or "main", settings=settings)
        return api_pb2.EnvironmentGetOrCreateResponse(environment_id="en-1", metadata=described)

    async def ImageGetOrCreate(self, request: Any) -> Any:
        """An image is a folder of packages. Those of the gateway are this environment's own."""
        image_id = f"im-{next(self._numbers)}"
        self.images[image_id] = request.image
        paths = [self._installed[base.image_id] for base in request.image.base_images]
        result = api_pb2.GenericResult(status=SUCCESS)
        for command in request.image.dockerfile_commands:
            if command.startswith("RUN python -m pip install") and "ipykernel" not in command:
                folder = self._folder / image_id
                code, printed = await self._pip(shlex.split(command)[5:], folder)
                paths.insert(0, str(folder))
                if code:
                    result = api_pb2.GenericResult(status=FAILURE, exception=printed)
        self._installed[image_id] = ":".join(filter(None, paths))
        return api_pb2.ImageGetOrCreateResponse(image_id=image_id, result=result, metadata=api_pb2.ImageMetadata())

    async def _pip(self, packages: list[str], folder: Path) -> tuple[int, str]:
        """Install what this environment does not hold; the sandboxes see it."""
        packages = [package for package in packages if not _is_installed(package)]
        if not packages:
            return 0, ""
        command = (sys.executable, "-m", "pip", "install", "--no-index", "--quiet", "--disable-pip-version-check")
        where = ("--find-links", str(self._packages), "--target", str(folder))
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *command, *where, *packages, stdin=none, stdout=none, stderr=pipe
        )
        _, printed = await process.communicate()
        return process.returncode or 0, printed.decode()

    async def SecretGetOrCreate(self, request: Any) -> Any:
        secret_id = f"st-{len(self._secrets) + 1}"
        self._secrets[secret_id] = dict(request.env_dict)
        return api_pb2.SecretGetOrCreateResponse(secret_id=secret_id, metadata=api_pb2.SecretMetadata())

    async def SandboxCreate(self, request: Any) -> Any:
        sandbox = await self._create(request.definition, {}, f"sb-{next(self._numbers):022d}")
        return api_pb2.SandboxCreateResponse(
            sandbox_id=sandbox.sandbox_id, metadata=api_pb2.SandboxHandleMetadata(app_id=request.app_id)
        )

    async def SandboxCreateV2(self, request: Any) -> Any:
        environment: dict[str, str] = {}
        for source in request.secret_sources:
            environment |= source.env.contents if source.HasField("env") else self._secrets[source.secret_id]
        sandbox = await self._create(request.definition, environment, f"sb-local-{next(self._numbers)}")
        return api_pb2.SandboxCreateV2Response(
            sandbox_id=sandbox.sandbox_id,
            task_id=_task_id(sandbox.sandbox_id),
            metadata=api_pb2.SandboxHandleMetadata(app_id=request.app_id),
        )

    async def _create(self, definition: Any, environment: dict[str, str], sandbox_id: str) -> LocalSandbox:
        holder = self.sandboxes.get(self._names.get(definition.name, ""))
        if holder is not None and holder.result is None:
            raise GRPCError(Status.ALREADY_EXISTS, f"Sandbox with name '{definition.name}' already exists")
        for secret_id in definition.secret_ids:
            environment = self._secrets[secret_id] | environment
        if self.command is not None:
            del definition.entrypoint_args[:]
            definition.entrypoint_args.extend(self.command)
        sandbox = LocalSandbox(
            sandbox_id, definition, environment, self._context, self._packages, self._installed[definition.image_id]
        )
        await sandbox.start()
        self.sandboxes[sandbox_id] = sandbox
        if definition.name:
            self._names[definition.name] = sandbox_id
        return sandbox

    async def SandboxGetTaskId(self, request: Any) -> Any:
        return api_pb2.SandboxGetTaskIdResponse(task_id=_task_id(self._find(request.sandbox_id).sandbox_id))

    async def SandboxGetTunnels(self, request: Any) -> Any:
        sandbox = self._find(request.sandbox_id)
        if sandbox.result is not None:
            return api_pb2.SandboxGetTunnelsResponse(result=api_pb2.GenericResult(status=TIMEOUT))
        return api_pb2.SandboxGetTunnelsResponse(tunnels=sandbox.tunnels)

    async def SandboxWait(self, request: Any) -> Any:
        sandbox = self._find(request.sandbox_id)
        await asyncio.wait([asyncio.ensure_future(sandbox.ended.wait())], timeout=request.timeout)
        return api_pb2.SandboxWaitResponse(result=sandbox.result)

    async def SandboxTerminate(self, request: Any) -> Any:
        sandbox = self._find(request.sandbox_id)
        existing = sandbox.result
        await sandbox.end(api_pb2.GenericResult(status=TERMINATED))
        return api_pb2.SandboxTerminateResponse(existing_result=existing)

    async def SandboxGetLogs(self, request: Any) -> AsyncIterator[Any]:
        sandbox = self._find(request.sandbox_id)
        done = int(request.last_entry_id or 0)
        async for data in _output(sandbox, request.file_descriptor, done):
            done += len(data)
            item = api_pb2.TaskLogs(data=data.decode(), file_descriptor=request.file_descriptor)
            yield api_pb2.TaskLogsBatch(items=[item], entry_id=str(done))
        yield api_pb2.TaskLogsBatch(entry_id=str(done), eof=True)

    async def SandboxGetCommandRouterAccess(self, request: Any) -> Any:
        return api_pb2.SandboxGetCommandRouterAccessResponse(url=self.url, jwt=_web_token())

    async def SandboxStdioReadV2(self, request: Any) -> AsyncIterator[Any]:
        sandbox = self._find(request.task_id.removeprefix("ta-").removesuffix("V"))
        offset = request.offset
        descriptor = (
            1 if request.file_descriptor == task_command_router_pb2.SANDBOX_STDIO_FILE_DESCRIPTOR_STDOUT else 2
        )
        async for data in _output(sandbox, descriptor, offset):
            yield task_command_router_pb2.SandboxStdioReadV2Response(data=data, starting_offset=offset)
            offset += len(data)

    SandboxGetTaskIdV2 = SandboxGetTaskId
    SandboxGetTunnelsV2 = SandboxGetTunnels
    SandboxWaitV2 = SandboxWait
    SandboxTerminateV2 = SandboxTerminate

    def _find(self, sandbox_id: str) -> LocalSandbox:
        try:
            return self.sandboxes[sandbox_id]
        except KeyError:
            raise GRPCError(Status.NOT_FOUND, f"Sandbox {sandbox_id} not found") from None

    def check(self, name: str, request: Any, headers: Any) -> None:
        """Refuse a call without the right token, and those that a test wants to fail."""
        self.calls.append((name, request))
        if (headers.get("x-modal-token-id"), headers.get("x-modal-token-secret")) != TOKEN:
            raise GRPCError(Status.UNAUTHENTICATED, "Token ID is malformed")
        if name.endswith("V2") and not headers.get("x-modal-auth-token"):
            raise GRPCError(Status.UNAUTHENTICATED, "no auth token")
        if self.failures.get(name):
            raise self.failures[name].pop(0)


class _Server(grpclib.server.Server):
    """A gRPC server that can hang up on its clients."""

    def __init__(self, servicers: list[Any]) -> None:
        super().__init__(servicers)
        self._protocols: list[Any] = []

    def _protocol_factory(self) -> Any:
        protocol = super()._protocol_factory()
        self._protocols.append(protocol)
        return protocol

    def cut(self) -> None:
        for protocol in self._protocols:
            if hasattr(protocol, "connection"):
                protocol.connection.close()


class _Servicer:
    """Joins the definitions of a protocol to the methods above that have the calls' names."""

    base: type[Any] = ModalClientBase

    def __init__(self, service: ModalService) -> None:
        self._service = service

    def __mapping__(self) -> dict[str, Handler]:
        definitions = type("Definitions", (self.base,), {})
        definitions.__abstractmethods__ = frozenset()
        return {
            path: handler._replace(func=self._call(path.rpartition("/")[2], handler.cardinality))
            for path, handler in definitions().__mapping__().items()
        }

    def check(self, name: str, request: Any, headers: Any) -> None:
        self._service.check(name, request, headers)

    def _call(self, name: str, cardinality: Cardinality) -> Callable[[Any], Awaitable[None]]:
        async def call(stream: Any) -> None:
            request = await stream.recv_message()
            self.check(name, request, stream.metadata)
            method = getattr(self._service, name, None)
            if method is None:
                raise GRPCError(Status.UNIMPLEMENTED, f"the local service has no {name}")
            if cardinality.server_streaming:
                async for reply in method(request):
                    await stream.send_message(reply)
            else:
                await stream.send_message(await method(request))

        return call


class _Router(_Servicer):
    """The service on a sandbox's own machine; here it is at the same address."""

    base = TaskCommandRouterBase

    def check(self, name: str, request: Any, headers: Any) -> None:
        self._service.calls.append((name, request))
        if not headers.get("authorization", "").startswith("Bearer "):
            raise GRPCError(Status.UNAUTHENTICATED, "no token")


async def _output(sandbox: LocalSandbox, descriptor: int, start: int) -> AsyncIterator[bytes]:
    """What a sandbox printed and prints until it ends."""
    while True:
        ended = sandbox.ended.is_set()
        data = sandbox.output[descriptor][start:]
        if data:
            start += len(data)
            yield data
        if ended:
            return
        await asyncio.wait([asyncio.ensure_future(sandbox.ended.wait())], timeout=0.1)


def _is_installed(package: str) -> bool:
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False


def _task_id(sandbox_id: str) -> str:
    return f"ta-{sandbox_id}V"


def _web_token() -> str:
    """A token in the form of a JWT, valid for an hour; nobody checks its signature."""
    parts = [{"alg": "none"}, {"exp": time.time() + 3600}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".x"
