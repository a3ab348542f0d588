"""A container with a kernel gateway in it, shared by the sessions of an executor."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from smolagents._imports import require
from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote.base import packages_for
from smolagents.executors.remote.docker import relay
from smolagents.executors.remote.docker.daemon import explained
from smolagents.executors.remote.docker.installing import install
from smolagents.executors.remote.docker.owner import labels
from smolagents.executors.remote.docker.settings import GATEWAY_PORT, HOME, ContainerSettings
from smolagents.executors.remote.jupyter import CellFailedError, JupyterKernel
from smolagents.executors.remote.jupyter_server import JupyterServer, JupyterServerError

__all__ = ["KernelContainer"]

READY_TIMEOUT = 60.0
"""Seconds that a container has to bring up its gateway, and the gateway to bring up a kernel."""
ENDING_TIMEOUT = 3.0
LOG_LINES = 20
_KILLED = (137, 143)  # 128 and the number of SIGKILL, SIGTERM


class KernelContainer:
    """Starts a container when it is first needed, and again when it has died; removes it when nobody needs it.

    Any thread may call any method.

    Args:
        client: Of the Docker daemon.
        settings: How to start containers.
        imports: Packages or modules to install in each container that is started, before any code runs in it.
        log: Shows progress.
    """

    def __init__(
        self, client: Any, settings: ContainerSettings, imports: Sequence[str], log: Callable[[str], None]
    ) -> None:
        self._client = client
        self._errors = require("docker", extra="docker", needed_for="DockerExecutor").errors
        self._settings = settings
        self._imports = [name for name in imports if packages_for([name])]
        self._log = log
        self._lock = threading.RLock()
        self._users = 0
        self._process = os.getpid()
        self._container: Any = None
        self._token = ""
        self._python = "python"
        self.base_url = ""
        """Where the gateway is."""

    # -- who needs it --------------------------------------------------------------------------------------------

    def acquire(self) -> None:
        """Need the container from now on."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """Need it no longer. The last one removes it."""
        if os.getpid() != self._process:  # a fork of the process that owns it
            return
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._remove()

    @property
    def container(self) -> Any:
        """The Docker SDK's object for the container; None when there is none."""
        return self._container

    @property
    def is_last_user(self) -> bool:
        """Whether the next `release` removes the container."""
        return self._users <= 1

    # -- starting ------------------------------------------------------------------------------------------------

    def start_kernel(self) -> JupyterKernel:
        """Start a kernel, in the container that runs or in a new one.

        Raises:
            RuntimeError: the container or the kernel does not come up; the text says why.
        """
        with self._lock:
            if not self._is_running():
                self._remove()
                self._start()
            container = self._container
            kills_before = self._memory_kills(container)
        try:
            kernel = JupyterKernel(
                self.base_url,
                token=self._token,
                ready_timeout=READY_TIMEOUT,
                check=partial(self._check_running, container),
                cause_of_loss=partial(self._cause_of_loss, container, kills_before),
                dial=self._dial(container),
            )
            if "working_dir" not in self._settings.run_kwargs:
                kernel.run_cell(
                    f"import os\nif os.path.isdir({HOME!r}):\n    os.chdir({HOME!r})\ndel os", READY_TIMEOUT
                )
            return kernel
        except (JupyterServerError, WorkerLostError, CellFailedError) as error:
            raise RuntimeError(
                f"No kernel could be started in the container: {error}{self._tail(container)}"
            ) from error

    def _is_running(self) -> bool:
        if self._container is None:
            return False
        try:
            self._container.reload()
        except self._errors.APIError:
            return False
        return bool(self._container.status == "running")

    def _start(self) -> None:
        settings = self._settings
        connected = settings.network or bool(self._imports)
        self._token = settings.environment.get("KG_AUTH_TOKEN") or secrets.token_urlsafe(32)
        processors = int(self._client.info().get("NCPU") or 0)
        arguments = settings.arguments(self._token, labels(), processors, connected=connected)
        self._log("Starting a container ...")
        try:
            self._container = self._client.containers.create(settings.image, **arguments)
            self._container.start()
            self._python = self._find_python()
        except (self._errors.DockerException, TypeError, ValueError) as error:
            self._remove()
            if isinstance(error, (TypeError, ValueError)):
                raise ValueError(f"Docker does not take these container_run_kwargs: {error}") from error
            raise RuntimeError(self._why_not_started(explained(error))) from error
        try:
            self.base_url = f"http://{self._address()}"
            server = JupyterServer(self.base_url, token=self._token, dial=self._dial(self._container))
            server.wait_ready(READY_TIMEOUT, partial(self._check_running, self._container))
            self._check_token()
            if self._imports:
                self._install(self._imports)
            if connected and not settings.network:
                self._disconnect()
        except BaseException as error:
            tail = self._tail(self._container)
            self._remove()
            if isinstance(error, JupyterServerError):
                raise RuntimeError(f"The kernel gateway in the container did not come up: {error}{tail}") from error
            raise
        self._log(f"Container {self._container.short_id} is running.")

    def _why_not_started(self, said: str) -> str:
        settings = self._settings
        if "port is already allocated" in said or "address already in use" in said:
            return (
                f"The container cannot be started: port {settings.port} of {settings.host} is taken. Give another "
                "`port`, or leave it out to get one that is free."
            )
        if "executable file not found" in said:
            return (
                "The container cannot be started: its image does not hold the command that it is to start. It must "
                f"start a Jupyter Kernel Gateway on port {GATEWAY_PORT}. Docker said: {said}"
            )
        return f"The container cannot be started: {said}"

    def _address(self) -> str:
        """Where the gateway is reached from here. A container without network is reached by entering it."""
        if not self._settings.network:
            return f"127.0.0.1:{GATEWAY_PORT}"
        self._container.reload()
        if str(self._container.attrs["HostConfig"].get("NetworkMode")) == "host":
            return f"127.0.0.1:{self._settings.environment.get('KG_PORT', GATEWAY_PORT)}"
        published = (self._container.attrs["NetworkSettings"].get("Ports") or {}).get(f"{GATEWAY_PORT}/tcp")
        if not published:
            self._check_running(self._container)
            raise RuntimeError(
                f"The container does not publish port {GATEWAY_PORT}, on which its gateway must listen. If "
                f"container_run_kwargs sets `ports`, name '{GATEWAY_PORT}/tcp' in it."
            )
        host, port = published[0].get("HostIp") or "127.0.0.1", published[0]["HostPort"]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _check_token(self) -> None:
        """An image may start its gateway in a way that lets everybody in."""
        if not self._settings.network:
            return
        with suppress(JupyterServerError):
            JupyterServer(self.base_url).request("GET", "/api/kernelspecs")
            self._log(
                f"The gateway of the image asks for no token: who reaches {self.base_url} can run code in the container."
            )

    def _dial(self, container: Any) -> Any:
        if self._settings.network:
            return None
        return partial(relay.connect, self._client, container.id, self._python, GATEWAY_PORT)

    def _find_python(self) -> str:
        """The interpreter's name in the image; it is only needed to enter the container."""
        if self._settings.network and not self._imports:
            return "python"
        found = self._container.exec_run(["python", "-c", ""])
        return "python" if found.exit_code == 0 else "python3"

    def _disconnect(self) -> None:
        """Take every network away. Only the container's own loopback is left."""
        self._container.reload()
        for name in self._container.attrs["NetworkSettings"]["Networks"]:
            self._client.api.disconnect_container_from_network(self._container.id, name, force=True)

    # -- packages ------------------------------------------------------------------------------------------------

    def install(self, imports: Sequence[str]) -> None:
        """Install packages in this container, and in those that may follow it.

        Raises:
            RuntimeError: pip failed; the text holds the end of what it said.
        """
        with self._lock:
            if self._is_running():
                self._install(imports)
            self._imports = list(dict.fromkeys([*self._imports, *imports]))

    def _install(self, imports: Sequence[str]) -> None:
        packages = {name: package for name in imports for package in packages_for([name])}
        self._log(f"Installing {', '.join(packages.values())} ...")
        said = install(self._client, self._container.id, self._python, packages)
        if said:
            hint = "" if self._settings.network else _NO_NETWORK
            raise RuntimeError(f"Installing {', '.join(packages.values())} in the container failed:\n{said}{hint}")

    # -- dying ---------------------------------------------------------------------------------------------------

    def _check_running(self, container: Any) -> None:
        container.reload()
        if container.status not in ("running", "created", "restarting"):
            code = container.attrs["State"].get("ExitCode")
            raise RuntimeError(
                f"The container ended with exit code {code} before its kernel gateway came up.{self._tail(container)}"
            )

    def _cause_of_loss(self, container: Any, kills_before: int) -> str | None:
        """Why a kernel is gone, as far as its container shows."""
        try:
            container.reload()
            if container.status == "running" and not self._gateway_answers(container):
                with suppress(Exception):  # it is about to end, or it goes on without gateway
                    container.wait(timeout=ENDING_TIMEOUT)
                container.reload()
        except self._errors.NotFound:
            return "its container was removed"
        except Exception:  # the daemon is gone, or does not answer
            return None
        state = container.attrs["State"]
        if state.get("OOMKilled") and not kills_before:  # it stays set after the first kill
            return f"its container was stopped for using more than {self._limit(container)} of memory"
        if container.status != "running":
            code = state.get("ExitCode")
            if code in _KILLED:
                return "its container was killed"
            last = self._tail(container).strip().rpartition("\n")[2] if code else ""
            return f"its container ended with exit code {code}" + (f" ({last[-200:]})" if last else "")
        if self._memory_kills(container) > kills_before:
            return f"the kernel was killed for using more than {self._limit(container)} of memory"
        return None

    def _gateway_answers(self, container: Any) -> bool:
        server = JupyterServer(self.base_url, token=self._token, timeout=2.0, dial=self._dial(container))
        try:
            server.request("GET", "/api")
        except JupyterServerError as error:
            return error.status is not None
        return True

    def _memory_kills(self, container: Any) -> int:
        """How often the system has killed a process of the container for want of memory."""
        files = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"]  # of version 2, of 1
        try:
            text = container.exec_run(["cat", *files], stderr=False).output.decode("ascii", "replace")
        except Exception:  # it ended in between
            return 0
        return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))

    @staticmethod
    def _limit(container: Any) -> str:
        limit = int(container.attrs["HostConfig"].get("Memory") or 0)
        return f"{limit / 2**20:,.0f} MB" if limit else "all there is"

    def _tail(self, container: Any) -> str:
        """The end of what the container wrote, ready to be put behind a sentence."""
        try:
            text = container.logs(tail=LOG_LINES).decode("utf-8", "replace").strip()
        except Exception:  # it is gone
            return ""
        return f"\nIts log ends with:\n{text}" if text else ""

    def _remove(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            with suppress(Exception):  # it is gone, or the daemon is, whose next client reaps it
                container.remove(force=True, v=True)
        self._client.close()  # its pool of connections; another request opens it again


_NO_NETWORK = (
    "\nThe container has no network (network=False). Name packages in `additional_imports` when the executor is "
    "made: they are installed before the network is taken away."
)
