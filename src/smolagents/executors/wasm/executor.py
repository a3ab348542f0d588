"""`WasmExecutor`: Python in WebAssembly, in a process of Deno that may do next to nothing."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote.base import RemotePythonExecutor, packages_for
from smolagents.executors.wasm.connection import DenoConnection
from smolagents.executors.wasm.distribution import find_distribution
from smolagents.executors.wasm.packages import Packages, find_packages
from smolagents.executors.wasm.process import LEAST_MEMORY_MB, MOST_MEMORY_MB, check_permissions, find_deno
from smolagents.executors.wasm.snapshot import find_snapshot, forget_snapshot

__all__ = ["WasmExecutor"]


class WasmExecutor(RemotePythonExecutor):
    """Runs code in CPython compiled to WebAssembly: Pyodide, in a process of Deno.

    The code reaches no files, no network, no environment and no other process: Deno permits the process to read the
    interpreter's own files, and takes that back once they are read. Python's files are in its memory. Tools run in
    this process. There are no threads and no subprocesses in WebAssembly, and code takes about 2.5 times as long as
    elsewhere.

    Needs the extra `wasm`, which brings Deno, and Pyodide: `python -m smolagents.executors.wasm fetch`.

    Args:
        additional_imports: Packages, or modules, that the code needs. They are fetched by this process: from the
            Pyodide directory, or with pip as wheels in pure Python or built for Pyodide.
        logger: Where progress and problems are shown: an `AgentLogger`, or None.
        deno_path: The Deno program. "deno" is looked for in PATH, then in the package `deno`.
        deno_permissions: Options for Deno that permit more, such as "--allow-read=/data"; none by default. With
            "--allow-net=HOST" code can `await pyodide.http.pyfetch(...)`, or use `requests`; code that waits for
            the network at its time limit is killed.
        timeout: Seconds that a piece of code may run, time in tools not counted; None for no limit. At the limit the
            code is interrupted and keeps its variables; what cannot be interrupted is killed.
        pyodide_dir: Directory with an unpacked Pyodide release; by default, the one that was fetched.
        memory_mb: Memory for Python in MB, from 64 to 4096. At the limit the code gets a MemoryError.
        max_print_outputs_length: Characters of printed output that are kept; None for 50,000.

    Raises:
        FileNotFoundError: Deno or Pyodide is not there; the text says how to get it.
        PackageError: A package cannot be installed; the text says which and why.
        RuntimeError: The interpreter does not start.
    """

    def __init__(
        self,
        additional_imports: Sequence[str],
        logger: Any = None,
        deno_path: str = "deno",
        deno_permissions: Sequence[str] | None = None,
        timeout: float | None = 60,
        *,
        pyodide_dir: str | os.PathLike[str] | None = None,
        memory_mb: int = 1024,
        max_print_outputs_length: int | None = None,
    ) -> None:
        super().__init__(
            additional_imports, logger, timeout_seconds=timeout, max_print_outputs_length=max_print_outputs_length
        )
        if not LEAST_MEMORY_MB <= memory_mb <= MOST_MEMORY_MB:
            raise ValueError(f"memory_mb must be from {LEAST_MEMORY_MB} to {MOST_MEMORY_MB}, not {memory_mb!r}")
        self.memory_mb = memory_mb
        self.deno_path = find_deno(deno_path)
        self.deno_permissions = check_permissions(deno_permissions)
        self._distribution = find_distribution(pyodide_dir)
        self._packages = Packages()
        self._spare: DenoConnection | None = None
        try:
            self._snapshot = find_snapshot(self.deno_path, self._distribution)
            self._packages = self._find(packages_for(additional_imports))
            self._spare = self._connect()
        except WorkerLostError as error:
            raise RuntimeError(f"The interpreter in WebAssembly did not start: {error.cause}.") from error

    # The process

    def _launch(self) -> DenoConnection:
        return DenoConnection(
            self.deno_path,
            self._distribution.directory,
            self._snapshot,
            self.deno_permissions,
            self.memory_mb,
            keep_reading=self._distribution.has_packages,
        )

    def _connect(self) -> DenoConnection:
        connection, self._spare = self._spare, None
        if connection is None or not connection.alive:
            connection = self._launch()
        try:
            connection.wait()
        except WorkerLostError:
            if self._snapshot is None:
                raise
            forget_snapshot(self._snapshot)  # perhaps damaged
            self._snapshot = None
            connection = self._launch()
            connection.wait()
        connection.install(self._packages.local, self._packages.wheels)
        return connection

    def session(self) -> WasmExecutor:
        """A fresh session with the same settings, in a process of its own. It starts at once, in the background."""
        other = copy.copy(self)
        other._prepare()
        other._spare = other._launch()
        return other

    def cleanup(self) -> None:
        """End the process. The executor can be used again; it then starts a fresh one."""
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.close()
        super().cleanup()

    def delete(self) -> None:
        """End the process, as `cleanup` does."""
        self.cleanup()

    # Packages

    def install_packages(self, additional_imports: Sequence[str]) -> list[str]:
        """Install packages where the code runs, and in the sessions that follow.

        Args:
            additional_imports: Names of packages, or of modules to import.

        Returns:
            Names of the packages that were asked for.

        Raises:
            PackageError: One of them cannot be installed; the text says which and why.
        """
        names = packages_for(additional_imports)
        found = self._find(names)
        with self._lock:
            self._packages = self._packages.added(found)
            session = self._session
            if session is not None and isinstance(session.connection, DenoConnection):
                try:
                    session.connection.install(found.local, found.wheels)
                except WorkerLostError as error:
                    raise self._lost(error, session) from None
        return names

    def _find(self, names: Sequence[str]) -> Packages:
        return find_packages(names, self._distribution, self._log) if names else Packages()
