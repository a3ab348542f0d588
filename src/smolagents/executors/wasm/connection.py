"""A worker in a process of Deno, as the connection of a session."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import weakref
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote.bundle import bootstrap_source
from smolagents.executors.remote.connection import MAX_MESSAGE_BYTES, Connection
from smolagents.executors.wasm.packages import PackageError
from smolagents.executors.wasm.pipes import PipeClosedError, Pipes
from smolagents.executors.wasm.process import FOLDER, start_process

__all__ = ["DenoConnection", "interpreter_source"]

_START_SECONDS = 120.0
"""Time for the interpreter to start. It takes 0.3 seconds, and 2 without a snapshot, on a machine that is not busy."""
_INSTALL_SECONDS = 120.0
_PATIENCE_SECONDS = 60.0
"""Time in which the process must take in some of a message."""
_END_SECONDS = 10.0
_MOST_SNAPSHOT_BYTES = 2**28

_START, _MESSAGE, _WHEEL, _LOAD, _READY, _SNAPSHOT = range(6)
_OUT_OF_MEMORY = ("out of memory", "memory allocation of", "Failed to reserve virtual memory")

_NETWORK = ("--allow-net", "--allow-all", "--allow-import")
_INTERRUPT = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGINT)


@lru_cache(maxsize=1)
def interpreter_source() -> str:
    """Python source that makes the worker, and what it needs in WebAssembly, known to the interpreter."""
    source = (FOLDER / "interpreter.py").read_text("utf-8")
    return (
        f"{bootstrap_source()}\n"
        "import types\n"
        "_module = sys.modules['smolagents_interpreter'] = types.ModuleType('smolagents_interpreter')\n"
        f"exec(compile({source!r}, '<smolagents_interpreter>', 'exec'), _module.__dict__)\n"
        "del _module\n"
    )


class DenoConnection(Connection):
    """A process of Deno with an interpreter in WebAssembly.

    It is started at once, and waited for with `wait`, or by the first message.

    Args:
        deno: Path of the Deno program.
        pyodide: Directory with the interpreter.
        snapshot: File with the memory of an interpreter that has started; without it, it starts from nothing.
        permissions: Options for Deno that grant more than reading the interpreter's files.
        memory_mb: Memory for Python, in MB.
        make_snapshot: Whether to start an interpreter only to take a snapshot of it.
        keep_reading: Whether the code may go on reading the directory with the interpreter, so that packages can
            be loaded from it.

    Raises:
        OSError: The process cannot be started.
    """

    def __init__(
        self,
        deno: str,
        pyodide: Path,
        snapshot: Path | None = None,
        permissions: Sequence[str] = (),
        memory_mb: int = 1024,
        *,
        make_snapshot: bool = False,
        keep_reading: bool = False,
    ) -> None:
        own = [FOLDER / "main.mjs", FOLDER / "worker.mjs", *([snapshot] if snapshot else [])]
        readable = [pyodide, *own]
        self._memory_mb = memory_mb
        self._interrupts = 0
        self._started = False
        self._ended = False
        self._why = ""
        self._process = start_process(deno, readable, permissions, memory_mb)
        self._pipes = Pipes(self._process)
        self._end = weakref.finalize(self, _end, self._process, self._pipes)
        settings = {
            "pyodide": os.path.join(pyodide, ""),
            "pyodide_url": f"{pyodide.as_uri()}/",
            "snapshot": str(snapshot) if snapshot else None,
            "source": None if snapshot else interpreter_source(),
            "make_snapshot": make_snapshot,
            "network": any(option.startswith(_NETWORK) for option in permissions),
            "needs_require": (pyodide / "pyodide.asm.js").is_file(),
            "forget": [str(path) for path in (own if keep_reading else readable)],
        }
        with contextlib.suppress(WorkerLostError):  # why, the wait for its answer tells
            self._send(_START, json.dumps(settings).encode())

    # Starting

    def wait(self) -> None:
        """Wait until the interpreter has started.

        Raises:
            WorkerLostError: it does not start.
        """
        if not self._started:
            self._expect(_READY, _START_SECONDS)
            self._started = True

    def take_snapshot(self) -> bytes:
        """The memory of the interpreter. The process was started with `make_snapshot`, and ends."""
        return self._expect(_SNAPSHOT, _START_SECONDS, _MOST_SNAPSHOT_BYTES)

    def install(self, local: Iterable[str], wheels: Mapping[str, bytes]) -> None:
        """Install packages.

        Args:
            local: Names of packages to load from the directory of the interpreter, with what they need.
            wheels: Contents of wheels, by their file names.

        Raises:
            WorkerLostError: the worker is gone.
            PackageError: one cannot be installed; the text says why.
        """
        names = list(local)
        if names:
            self._install(_LOAD, json.dumps(names).encode(), ", ".join(names))
        for name, wheel in wheels.items():
            self._install(_WHEEL, wheel, name)

    def _install(self, kind: int, data: bytes, what: str) -> None:
        self.wait()
        self._send(kind, data)
        failure = self._expect(_READY, _INSTALL_SECONDS).decode("utf-8", "replace").strip()
        if failure:
            raise PackageError(f"{what} cannot be installed in WebAssembly: {failure.splitlines()[-1]}")

    def _expect(self, kind: int, seconds: float, most: int = MAX_MESSAGE_BYTES) -> bytes:
        frame = self._receive(seconds, most)
        if frame is None:
            self.close()
            raise WorkerLostError(f"its interpreter did not answer within {seconds:g} seconds")
        if frame[0] != kind:
            raise WorkerLostError("it said something that is no message")
        return frame[1]

    # Messages

    def send(self, message: str) -> None:
        """Give the worker a message."""
        self.wait()
        self._send(_MESSAGE, message.encode("utf-8", "backslashreplace"))

    def receive(self, timeout: float | None) -> str | None:
        """The worker's next message; None when `timeout` seconds passed without one."""
        frame = self._receive(timeout, MAX_MESSAGE_BYTES)
        if frame is None:
            return None
        kind, body = frame
        try:
            if kind == _MESSAGE:
                return body.decode("utf-8")
        except UnicodeDecodeError:
            pass
        raise WorkerLostError("it said something that is no message")

    def _send(self, kind: int, body: bytes) -> None:
        try:
            self._pipes.send(kind, self._interrupts, body, _PATIENCE_SECONDS)
        except PipeClosedError as error:
            raise WorkerLostError(self._cause(error)) from None

    def _receive(self, timeout: float | None, most: int) -> tuple[int, bytes] | None:
        try:
            return self._pipes.receive(timeout, most)
        except PipeClosedError as error:
            raise WorkerLostError(self._cause(error)) from None

    def interrupt(self) -> None:
        """Make the running code stop with KeyboardInterrupt."""
        self._interrupts += 1
        with contextlib.suppress(OSError):
            self._process.send_signal(_INTERRUPT)

    # The end

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """Kill the process."""
        self._ended = True
        self._end()

    def _cause(self, error: PipeClosedError) -> str:
        if not self._why:
            self._why = self._find_cause(error)
        return self._why

    def _find_cause(self, error: PipeClosedError) -> str:
        """Why the process is gone, as a clause."""
        if self._ended or str(error) != "it ended":
            return "its process was ended" if self._ended else str(error)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        code = self._process.poll()
        self._end()
        said = self._pipes.complaints.decode("utf-8", "replace").strip()
        if any(words in said for words in _OUT_OF_MEMORY):
            return f"it used more memory than it may; Python has {self._memory_mb} MB"
        if code == -9:
            return "its process was killed, most often because the machine has no memory left"
        first_line = said.partition("\n")[0].removeprefix("error: ")
        return first_line or f"its process ended with exit code {code}"


def _end(process: subprocess.Popen[bytes], pipes: Pipes) -> None:
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    pipes.close()
