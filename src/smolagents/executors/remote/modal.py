"""`ModalExecutor`: runs the model's code in a sandbox of Modal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote.base import RemotePythonExecutor, packages_for
from smolagents.executors.remote.cells import CellConnection
from smolagents.executors.remote.connection import Connection
from smolagents.executors.remote.forgotten import Ending
from smolagents.executors.remote.jupyter import CellFailedError, JupyterKernel
from smolagents.executors.remote.modal_sandbox import ModalSandbox

__all__ = ["ModalExecutor"]

READY_TIMEOUT = 300.0
"""Seconds that a new sandbox has to bring up its kernel gateway; it may have to fetch its image first."""


class ModalExecutor(RemotePythonExecutor):
    """Runs code in a sandbox of Modal (https://modal.com), in a Jupyter kernel.

    The sandbox is started here, and reached over an encrypted tunnel with a token made for it alone. It is terminated
    by `cleanup`, or at the latest when this process ends; if that is impossible, after half an hour without
    a connection. The first start of all builds the image, which takes a minute or two.

    Needs the extra `modal`, and credentials: `MODAL_TOKEN_ID` and `MODAL_TOKEN_SECRET`, or what `modal token new`
    writes to `~/.modal.toml`.

    Args:
        additional_imports: Packages, or modules, that the code needs. They become a layer of the image.
        logger: Where progress is shown: an `AgentLogger`, or None.
        app_name: Modal's app that the sandbox belongs to; made when there is none of this name.
        port: Port in the sandbox on which the kernel gateway listens, 1 to 65535.
        create_kwargs: Arguments of `modal.Sandbox.create`, such as `image`, `timeout` (lifetime in seconds, 24 hours
            if not given), `idle_timeout` (1,800 s), `cpu`, `memory` (MiB), `gpu`, `secrets`, `volumes`, `region`. An
            `image` must hold jupyter_kernel_gateway and ipykernel. See
            https://modal.com/docs/reference/modal.Sandbox#create.
        settings: `timeout_seconds` and `max_print_outputs_length`, as for every remote executor.

    Raises:
        MissingExtraError: the package `modal` is not installed.
        ValueError: a setting is not such as a sandbox can be made with.
        RuntimeError: there are no credentials, Modal cannot be reached or refuses, or the kernel does not come up.
    """

    def __init__(
        self,
        additional_imports: Sequence[str],
        logger: Any = None,
        app_name: str = "smolagent-executor",
        port: int = 8888,
        create_kwargs: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(additional_imports, logger, **settings)
        if not isinstance(port, int) or not 0 < port < 65536:
            raise ValueError(f"port must be a number from 1 to 65535, not {port!r}")
        if create_kwargs is not None and not isinstance(create_kwargs, Mapping):
            raise TypeError(
                f"create_kwargs must be a dict of arguments for modal.Sandbox.create, not {create_kwargs!r}"
            )
        self.app_name = app_name
        self.port = port
        self.create_kwargs = dict(create_kwargs or {})
        self._packages = packages_for(additional_imports)
        self._session = self._open()

    def _connect(self) -> Connection:
        self._log("Starting a Modal sandbox ...")
        sandbox = ModalSandbox(self.app_name, self.port, self.create_kwargs, self._packages)
        try:
            kernel = JupyterKernel(
                sandbox.url,
                token=sandbox.token,
                ready_timeout=READY_TIMEOUT,
                check=sandbox.check_running,
                cause_of_loss=sandbox.cause_of_loss,
                extra="modal",
            )
        except Exception as error:
            raise sandbox.failed(f"The kernel in the Modal sandbox did not come up: {error}") from error
        except BaseException:
            sandbox.terminate()
            raise
        self._log(f"Modal sandbox {sandbox.sandbox_id} is running.")

        def run_cell(source: str, timeout: float) -> str:
            try:
                return kernel.run_cell(source, timeout)
            except CellFailedError as error:
                raise WorkerLostError(f"the kernel could not run a cell: {error}") from error

        def end() -> None:
            kernel.close(shut_down=False)
            sandbox.terminate()

        self._sandbox = sandbox
        return CellConnection(run_cell, close=Ending(self, end))

    @property
    def sandbox(self) -> Any:
        """The SDK's `modal.Sandbox`, for its files and the like; the latest there was."""
        return self._sandbox.instance

    def session(self) -> ModalExecutor:
        """Another executor with the same settings and a sandbox of its own."""
        return ModalExecutor(
            self._packages,
            self.logger,
            self.app_name,
            self.port,
            self.create_kwargs,
            timeout_seconds=self.timeout_seconds,
            max_print_outputs_length=self.max_print_outputs_length,
        )

    def install_packages(self, additional_imports: Sequence[str]) -> list[str]:
        packages = super().install_packages(additional_imports)
        self._packages = list(dict.fromkeys([*self._packages, *packages]))  # a sandbox to come has them in its image
        return packages

    def delete(self) -> None:
        """End the sandbox, as `cleanup` does."""
        self.cleanup()
