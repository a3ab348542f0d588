"""`DockerExecutor`: runs the model's code in a container."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote.base import DEFAULT_TIMEOUT_SECONDS, RemotePythonExecutor, packages_for
from smolagents.executors.remote.cells import CellConnection
from smolagents.executors.remote.connection import Connection
from smolagents.executors.remote.docker.container import KernelContainer
from smolagents.executors.remote.docker.daemon import open_client
from smolagents.executors.remote.docker.image import DEFAULT_IMAGE, image_for
from smolagents.executors.remote.docker.owner import reap
from smolagents.executors.remote.docker.settings import GATEWAY_PORT, ContainerSettings
from smolagents.executors.remote.forgotten import Ending
from smolagents.executors.remote.jupyter import CellFailedError, JupyterKernel

__all__ = ["DockerExecutor"]

_INVALIDATE = "import importlib; importlib.invalidate_caches()"


class DockerExecutor(RemotePythonExecutor):
    """Runs code in a Docker container, in a Jupyter kernel behind a Jupyter Kernel Gateway.

    The container is started here. It runs without privileges and with a read-only root file system; its home folder
    and /tmp are in memory. Its gateway listens on the host's loopback interface alone and asks for a token made for
    it alone. `cleanup` removes the container; so do the end of this process and, when the process was killed, the
    next `DockerExecutor` of any process.

    Each `session()` is a kernel of its own in the same container: its variables are its own, the container's
    processes and files are shared. Executors made anew share nothing.

    Needs the extra `docker` and a Docker daemon. Podman's socket works too: set `DOCKER_HOST` to it.

    Args:
        additional_imports: Packages, or modules, that the code needs. Those that the image lacks are installed.
        logger: Where progress is shown: an `AgentLogger`, or None.
        host: Address of this machine at which the gateway is published.
        port: Port of this machine at which the gateway is published. 8888, the default, stands for any free port, so
            that executors do not meet; any other is used as it is given. To have 8888 itself, pass
            `container_run_kwargs={"ports": {"8888/tcp": ("127.0.0.1", 8888)}}`.
        image_name: Image to start. It must start a Jupyter Kernel Gateway, or a Jupyter server, on port 8888.
        build_new_image: Whether to build `image_name` from a Dockerfile; the daemon's cache makes that quick when
            nothing has changed. With False, the image must be there; only the default image is still built if not.
        container_run_kwargs: Arguments of the Docker SDK's `containers.run`, such as `volumes`, `environment`,
            `mem_limit`, `device_requests`, `runtime`. They win over what is set here.
        dockerfile_content: Text of the Dockerfile to build from; None for the one that comes with this package.
        memory: Memory that the container may use, such as "512m" or "4g"; None for no limit.
        cpus: Processors that the container may use; None for no limit.
        pids_limit: Processes and threads that the container may have; None for no limit.
        network: Whether the container reaches the network. Without, it has its own loopback interface and nothing
            else, no port is published, and the gateway is reached by entering the container. `additional_imports` are
            installed before the network is taken away.
        timeout_seconds: Seconds that a piece of code may run, time in tools not counted; None for no limit.
        max_print_outputs_length: Characters of printed output that are kept; None for 50,000.

    Raises:
        MissingExtraError: the package `docker` or `websocket-client` is not installed.
        RuntimeError: the daemon cannot be used, the image cannot be built or is not there, the port is taken, the
            gateway does not come up, or a package cannot be installed; the text says what to do.
        ValueError: an argument is not such as a container can be started with.
    """

    _waiting: Connection | None
    """What the constructor connected to, for the first code."""

    def __init__(
        self,
        additional_imports: Sequence[str],
        logger: Any = None,
        host: str = "127.0.0.1",
        port: int | None = GATEWAY_PORT,
        image_name: str = DEFAULT_IMAGE,
        build_new_image: bool = True,
        container_run_kwargs: Mapping[str, Any] | None = None,
        dockerfile_content: str | None = None,
        *,
        memory: str | int | None = "4g",
        cpus: float | None = 2.0,
        pids_limit: int | None = 512,
        network: bool = True,
        timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
        max_print_outputs_length: int | None = None,
    ) -> None:
        super().__init__(
            additional_imports,
            logger,
            timeout_seconds=timeout_seconds,
            max_print_outputs_length=max_print_outputs_length,
        )
        if container_run_kwargs is not None and not isinstance(container_run_kwargs, Mapping):
            raise TypeError(
                "container_run_kwargs must be a dict of arguments for the Docker SDK's containers.run, "
                f"not {container_run_kwargs!r}"
            )
        container_settings = ContainerSettings(
            image=image_name,
            host="127.0.0.1" if host == "localhost" else host,
            port=None if port in (None, GATEWAY_PORT) else port,
            memory=memory,
            cpus=cpus,
            pids_limit=pids_limit,
            network=network,
            run_kwargs=dict(container_run_kwargs or {}),
        )
        log = _log_of(self.logger)
        client = open_client()
        try:
            removed = reap(client)
            if removed:
                log(f"Removed {removed} container(s) of processes that are gone.")
            image = image_for(
                client,
                image_name,
                build_new_image=build_new_image,
                dockerfile_content=dockerfile_content,
                log=log,
            )
        except BaseException:
            client.close()
            raise
        self._begin(KernelContainer(client, container_settings.with_image(image), self.additional_imports, log))
        try:
            self._waiting = self._start()
        except BaseException:
            self.cleanup()
            raise

    def _begin(self, shared: KernelContainer) -> None:
        self._shared = shared
        self._lease: _Lease | None = None
        self._ending: Ending | None = None
        self._waiting = None

    @property
    def container(self) -> Any:
        """The Docker SDK's object for the container; None when there is none."""
        return self._shared.container

    @property
    def base_url(self) -> str:
        """Where the container's gateway is."""
        return self._shared.base_url

    def _connect(self) -> Connection:
        waiting, self._waiting = self._waiting, None
        return waiting or self._start()

    def _start(self) -> Connection:
        if self._lease is None:
            self._lease = _Lease(self._shared)
            self._ending = Ending(self, self._lease.end)
        kernel = self._lease.kernel = self._shared.start_kernel()
        return CellConnection(_cells_of(kernel), close=kernel.close)

    def session(self) -> DockerExecutor:
        """Another executor with the same settings: a kernel of its own in the same container."""
        other = copy.copy(self)
        other._prepare()
        other._begin(self._shared)
        return other

    def install_packages(self, additional_imports: Sequence[str]) -> list[str]:
        """Install packages in the container, for this session and all others in it.

        Modules that the kernel finds already are left as they are.

        Returns:
            Names of the packages that were asked for.

        Raises:
            RuntimeError: pip failed; the text holds the end of what it said.
        """
        packages = packages_for(additional_imports)
        with self._lock:
            if packages:
                self._shared.install([name for name in additional_imports if packages_for([name])])
                if self._lease is not None and self._lease.kernel is not None:
                    self._lease.kernel.run_cell(_INVALIDATE, 30.0)
        return packages

    def cleanup(self) -> None:
        """End the session, and remove the container when no other session needs it.

        The executor can be used again; it then starts afresh.
        """
        lease, self._lease = self._lease, None
        ending, self._ending = self._ending, None
        self._waiting = None
        if lease is not None:
            lease.leave()  # first, as a code that runs in another thread ends with its kernel
        super().cleanup()
        if ending is not None:
            ending()

    def delete(self) -> None:
        """Remove the container, as `cleanup` does."""
        self.cleanup()


class _Lease:
    """What an executor holds of a container. It does not refer to the executor, which may become garbage."""

    def __init__(self, shared: KernelContainer) -> None:
        self._shared = shared
        self.kernel: JupyterKernel | None = None
        shared.acquire()

    def leave(self) -> None:
        """Close the kernel."""
        if self.kernel is not None:
            # It goes with its container, which is quicker than shutting it down first.
            self.kernel.close(shut_down=not self._shared.is_last_user)

    def end(self) -> None:
        """Close the kernel, and the container if nobody else needs it."""
        try:
            self.leave()
        finally:
            self._shared.release()


def _cells_of(kernel: JupyterKernel) -> Callable[[str, float], str]:
    def run_cell(source: str, timeout: float) -> str:
        try:
            return kernel.run_cell(source, timeout)
        except CellFailedError as error:
            raise WorkerLostError(f"the kernel could not run a cell: {error}") from error

    return run_cell


def _log_of(logger: Any) -> Callable[[str], None]:
    """Shows progress, without a reference to the executor: that would keep it from ever being garbage."""

    def log(text: str) -> None:
        if logger is not None:
            logger.log(text, level=1)

    return log
