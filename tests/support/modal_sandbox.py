"""A sandbox of the local stand-in for Modal: a process of this machine, behind a tunnel with TLS.

What a sandbox runs in its own container, with its own network, runs here as a group of processes with an
environment of their own. The port it serves inside the container is another one on this machine, so the command's
arguments are changed from the one to the other; so is `0.0.0.0`, as nothing here may be open to the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import sys
import tempfile
from pathlib import Path

import psutil
from modal_proto import api_pb2

SUCCESS = api_pb2.GenericResult.GENERIC_STATUS_SUCCESS
FAILURE = api_pb2.GenericResult.GENERIC_STATUS_FAILURE
TIMEOUT = api_pb2.GenericResult.GENERIC_STATUS_TIMEOUT
TERMINATED = api_pb2.GenericResult.GENERIC_STATUS_TERMINATED


class LocalSandbox:
    """One sandbox.

    Args:
        sandbox_id: Its id.
        definition: What the client asked for.
        environment: Variables of its secrets.
        certificate: Certificate and key of the tunnel.
        packages: Folder of wheels; what an index of packages would be.
        installed: Folders of the packages in its image.
    """

    def __init__(
        self,
        sandbox_id: str,
        definition: api_pb2.Sandbox,
        environment: dict[str, str],
        certificate: ssl.SSLContext,
        packages: Path,
        installed: str,
    ) -> None:
        self.sandbox_id = sandbox_id
        self.definition = definition
        self.environment = environment
        self.output = {1: b"", 2: b""}
        self.result: api_pb2.GenericResult | None = None
        self.ended = asyncio.Event()
        self.tunnels: list[api_pb2.TunnelData] = []
        self.connections = 0
        self._certificate = certificate
        self._packages = packages
        self._installed = installed
        self._ports: dict[int, int] = {}
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Future[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._folder = Path(tempfile.mkdtemp(prefix="modal-sandbox-"))

    async def start(self) -> None:
        for spec in self.definition.open_ports.ports:
            self._ports[spec.port] = _free_port()
            server = await asyncio.start_server(
                lambda reader, writer, port=self._ports[spec.port]: self._forward(reader, writer, port),
                "127.0.0.1",
                0,
                ssl=self._certificate,
            )
            self._servers.append(server)
            port = server.sockets[0].getsockname()[1]
            self.tunnels.append(api_pb2.TunnelData(host="localhost", port=port, container_port=spec.port))
        self._process = await asyncio.create_subprocess_exec(
            *map(self._translate, self.definition.entrypoint_args),
            cwd=self._folder,
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self.process_ids = {self._process.pid}
        self._spawn(self._watch())

    def _environment(self) -> dict[str, str]:
        site = self._folder / "site-packages"
        home = self._folder / "home"
        home.mkdir()
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(home),
            "PYTHONPATH": f"{site}:{self._installed}",
            "PIP_TARGET": str(site),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self._packages),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_NO_INDEX": "1",
        } | self.environment

    def _translate(self, argument: str) -> str:
        for inside, here in self._ports.items():
            argument = argument.replace(str(inside), str(here))
        return argument.replace("0.0.0.0", "127.0.0.1")

    async def _watch(self) -> None:
        """Collect what the process prints, and end the sandbox with it, or when its lifetime is over."""
        readers = [
            asyncio.ensure_future(self._collect(descriptor, stream))
            for descriptor, stream in ((1, self._process.stdout), (2, self._process.stderr))
        ]
        try:
            code = await asyncio.wait_for(self._process.wait(), self.definition.timeout_secs or None)
        except asyncio.TimeoutError:
            await self.end(api_pb2.GenericResult(status=TIMEOUT))
        else:
            await asyncio.wait(readers, timeout=2)
            await self.end(api_pb2.GenericResult(status=FAILURE if code else SUCCESS, exitcode=code))
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

    async def _collect(self, descriptor: int, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(65536):
            self.output[descriptor] += data

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:  # as the service answers while nothing listens behind the tunnel
            with contextlib.suppress(OSError):
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
        else:
            self._writers.add(inner_writer)
            pumps = [
                asyncio.ensure_future(_pump(reader, inner_writer)),
                asyncio.ensure_future(_pump(inner_reader, writer)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await _close(inner_writer)
            self._writers.discard(inner_writer)
        await _close(writer)
        self._writers.discard(writer)

    async def cut(self) -> None:
        """Break the connections through the tunnel."""
        for writer in list(self._writers):
            writer.transport.abort()
        while self._writers:
            await asyncio.sleep(0.01)

    async def end(self, result: api_pb2.GenericResult) -> None:
        """Kill everything that runs in the sandbox and close its tunnels."""
        if self.result is not None:
            return
        self.result = result
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        await self._process.wait()
        for server in self._servers:
            server.close()
        await self.cut()
        shutil.rmtree(self._folder, ignore_errors=True)
        self.ended.set()

    def processes(self) -> list[psutil.Process]:
        """What runs in the sandbox now."""
        try:
            first = psutil.Process(self._process.pid)
            found = [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
        self.process_ids.update(process.pid for process in found)
        return found

    def _spawn(self, coroutine: object) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, asyncio.TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def running(process_ids: set[int]) -> set[int]:
    """Those of the processes that still run."""
    return {number for number in set(process_ids) if _is_alive(number)}


def _is_alive(process_id: int) -> bool:
    try:
        return psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
