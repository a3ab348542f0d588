"""`BlaxelExecutor`: runs the model's code in a sandbox of Blaxel."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from smolagents._imports import require
from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote.base import RemotePythonExecutor, packages_for
from smolagents.executors.remote.blaxel_sandbox import PORT, BlaxelSandbox
from smolagents.executors.remote.cells import CellConnection
from smolagents.executors.remote.connection import Connection
from smolagents.executors.remote.forgotten import Ending
from smolagents.executors.remote.installing import install_by_cell
from smolagents.executors.remote.jupyter import CellFailedError, JupyterKernel
from smolagents.executors.remote.jupyter_server import JupyterServerError

__all__ = ["BlaxelExecutor"]

READY_TIMEOUT = 120.0
"""Seconds that a new sandbox has to bring up its Jupyter server and a kernel."""
HEADERS_FOR = 60.0
"""Seconds after which headers are made anew: the token of an account that is not used by key expires."""


class BlaxelExecutor(RemotePythonExecutor):
    """Runs code in a sandbox of Blaxel (https://blaxel.ai), in a kernel of the Jupyter server in its image.

    A sandbox that is started here is deleted by `cleanup`, or at the latest when this process ends; if that is
    impossible, Blaxel deletes it after half an hour without use, or as `ttl` says. One that was there before, by
    the name `sandbox_name`, is used as it is and is left alone, but for its kernel; `delete` deletes that too.

    Needs the extra `blaxel`, and credentials: the environment variables `BL_WORKSPACE` and `BL_API_KEY`, or what
    `bl login` writes.

    Args:
        additional_imports: Packages, or modules, that the code needs. They are installed with pip.
        logger: Where progress is shown: an `AgentLogger`, or None.
        sandbox_name: Name of the sandbox: lowercase letters, digits and single hyphens, at most 49 characters.
            None for a new one, "smolagent-executor-" and eight hexadecimal digits.
        image: Its image, which must run a Jupyter server, or Kernel Gateway, on port 8888.
        memory: Its memory in MB.
        ttl: Time from its start after which Blaxel deletes it, such as "1h", or a number of seconds; at least five
            minutes. None for half an hour without use.
        region: Where it runs, such as "us-pdx-1"; None for `BL_REGION`, or else Blaxel's choice.
        create_kwargs: More arguments of the SDK's `SandboxCreateConfiguration`, such as `envs`, `labels`, `volumes`,
            `network`, `lifecycle`. They win over the others.
        settings: `timeout_seconds` and `max_print_outputs_length`, as for every remote executor.

    Raises:
        MissingExtraError: the package `blaxel` is not installed.
        ValueError: there are no credentials, or an argument is none.
        RuntimeError: Blaxel refuses or cannot be reached, no kernel comes up, or a package cannot be installed.
    """

    def __init__(
        self,
        additional_imports: Sequence[str],
        logger: Any = None,
        sandbox_name: str | None = None,
        image: str = "blaxel/jupyter-notebook",
        memory: int = 4096,
        ttl: str | int | None = None,
        region: str | None = None,
        create_kwargs: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(additional_imports, logger, **settings)
        require("websocket", extra="blaxel", needed_for="BlaxelExecutor")
        if not isinstance(memory, int) or memory <= 0:
            raise ValueError(f"memory must be a number of MB, such as 4096, not {memory!r}")
        if create_kwargs is not None and not isinstance(create_kwargs, Mapping):
            raise TypeError(f"create_kwargs must be a dict of arguments for a Blaxel sandbox, not {create_kwargs!r}")
        self.sandbox_name = sandbox_name
        self.image = image
        self.memory = memory
        self.ttl = f"{ttl}s" if isinstance(ttl, int) else ttl
        self.region = region
        self.create_kwargs = dict(create_kwargs or {})
        self._given_name: str | None = self.create_kwargs.get("name", sandbox_name)
        self._packages = packages_for(additional_imports)
        self._sandbox: BlaxelSandbox | None = None
        self._found: BlaxelSandbox | None = None
        """The sandbox that was there before; `delete` may be called after `cleanup`."""
        self._end: Ending | None = None
        try:
            self._session = self._open()
        except WorkerLostError as error:
            self._end_sandbox()
            raise RuntimeError(f"The Blaxel sandbox could not be started: {error.cause}") from error
        except BaseException:
            self._end_sandbox()
            raise

    @property
    def sandbox(self) -> Any:
        """The SDK's sandbox, for uploading files and the like; None when there is none."""
        return self._sandbox and self._sandbox.instance

    # -- the sandbox ---------------------------------------------------------------------------------------------

    def _connect(self) -> Connection:
        if self._sandbox is not None and (self._sandbox.gone or self._sandbox.cause_of_loss()):
            self._end_sandbox()
        if self._sandbox is not None:
            return self._cells(self._sandbox, self._start_kernel(self._sandbox))
        sandbox = self._start_sandbox()
        try:
            kernel = self._start_kernel(sandbox)
            cells = self._cells(sandbox, kernel)
            self._install(kernel, self._packages)
        except BaseException:
            self._end_sandbox()
            raise
        return cells

    def _start_sandbox(self) -> BlaxelSandbox:
        self._log("Starting a Blaxel sandbox ...")
        self.sandbox_name = self._given_name or f"smolagent-executor-{secrets.token_hex(4)}"
        arguments = {
            "name": self.sandbox_name,
            "image": self.image,
            "memory": self.memory,
            "ttl": self.ttl,
            "region": self.region,
            **self.create_kwargs,
        }
        try:
            sandbox = BlaxelSandbox(arguments, attach=self._given_name is not None)
        except RuntimeError as error:
            raise WorkerLostError(str(error)) from error
        self._sandbox = sandbox
        if sandbox.made:
            self._end = Ending(self, sandbox.delete)
        else:
            self._found = sandbox
        self._log(f"Blaxel sandbox {sandbox.name} {'is running' if sandbox.made else 'was there, and is used'}.")
        return sandbox

    def _start_kernel(self, sandbox: BlaxelSandbox) -> JupyterKernel:
        try:
            return JupyterKernel(
                sandbox.url,
                headers=sandbox.headers(),
                ready_timeout=READY_TIMEOUT,
                check=sandbox.check_running,
                cause_of_loss=sandbox.cause_of_loss,
                extra="blaxel",
            )
        except (JupyterServerError, RuntimeError) as error:
            raise WorkerLostError(
                f"no kernel came up in the Blaxel sandbox {sandbox.name}: {error}. "
                f"Its image, {self.image}, must run a Jupyter server on port {PORT}"
            ) from error

    def _cells(self, sandbox: BlaxelSandbox, kernel: JupyterKernel) -> CellConnection:
        renewed = time.monotonic()
        ending = Ending(self, partial(kernel.close, shut_down=not sandbox.made))

        def run_cell(source: str, timeout: float) -> str:
            nonlocal renewed
            if time.monotonic() - renewed > HEADERS_FOR:
                renewed = time.monotonic()
                kernel.server.headers.update(sandbox.headers())
            return _run_cell(kernel, source, timeout)

        def close() -> None:
            if self._sandbox is sandbox and not sandbox.gone:  # else it ends, and its kernels with it
                kernel.close()
            ending()

        return CellConnection(run_cell, close=close)

    def _end_sandbox(self) -> None:
        self._sandbox = None
        if self._end is not None:
            self._end()

    # -- packages ------------------------------------------------------------------------------------------------

    def install_packages(self, additional_imports: Sequence[str]) -> list[str]:
        packages = super().install_packages(additional_imports)
        self._packages = list(dict.fromkeys([*self._packages, *packages]))  # for a sandbox to come
        return packages

    def _install(self, kernel: JupyterKernel, packages: Sequence[str]) -> None:
        if packages:
            self._log(f"Installing {', '.join(packages)} ...")
            install_by_cell(lambda source, timeout: _run_cell(kernel, source, timeout), packages)

    # -- ends ----------------------------------------------------------------------------------------------------

    def session(self) -> BlaxelExecutor:
        """Another executor with the same settings.

        It has a sandbox of its own, which shares no file and no process with this one, and is charged for; but when
        `sandbox_name` was given, it has another kernel in that sandbox, so that both work on the same files.
        """
        return BlaxelExecutor(
            self._packages,
            self.logger,
            self._given_name,
            self.image,
            self.memory,
            self.ttl,
            self.region,
            self.create_kwargs,
            timeout_seconds=self.timeout_seconds,
            max_print_outputs_length=self.max_print_outputs_length,
        )

    def cleanup(self) -> None:
        """End the kernel, and delete the sandbox if it was started here. The executor can be used again."""
        self._sandbox = None
        super().cleanup()
        self._end_sandbox()

    def delete(self) -> None:
        """Delete the sandbox, also one that was there before."""
        self.cleanup()
        found, self._found = self._found, None
        if found is not None:
            found.delete()


def _run_cell(kernel: JupyterKernel, source: str, timeout: float) -> str:
    try:
        return kernel.run_cell(source, timeout)
    except CellFailedError as error:
        raise WorkerLostError(f"the kernel could not run a cell: {error}") from error
