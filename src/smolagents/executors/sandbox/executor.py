"""`SandboxExecutor`: runs the model's code in a process that the Linux kernel confines."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any, NoReturn

from smolagents.executors.local import BASE_BUILTIN_MODULES, MAX_EXECUTION_TIME_SECONDS
from smolagents.executors.remote.base import OneUse, RemotePythonExecutor
from smolagents.executors.remote.connection import Connection
from smolagents.executors.sandbox.errors import SandboxUnavailableError
from smolagents.executors.sandbox.paths import (
    IMPORT_PATH,
    existing_path,
    existing_paths,
    import_path,
    is_under,
    place_to_import_from,
)

__all__ = ["DEFAULT_DISK_MB", "DEFAULT_MEMORY_MB", "SandboxExecutor"]

DEFAULT_MEMORY_MB = 2048
DEFAULT_DISK_MB = 512

_WORKER_SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "worker")
_ATTEMPTS = 3
_OTHERS = (
    "Choose another executor_type: 'monty' (an interpreter of its own, pip install pydantic-monty), 'docker', 'wasm', "
    "'e2b', 'modal' or 'blaxel'; or 'local', which is no boundary against hostile code."
)


class SandboxExecutor(RemotePythonExecutor):
    """Runs Python code in a confined process, one piece after another, in a session that keeps its variables.

    A boundary for code that nobody has read: the kernel refuses it every file but the interpreter, the authorised
    packages and a private directory; every network, every other process, and new programs. It needs no root, no
    container and nothing to be installed. Tools and managed agents run in this process and are called by message, so
    keys and files stay out of the code's reach.

    The process starts when it is first used, in milliseconds, and ends with `cleanup()`, with the executor, or with
    this process, however that ends. If the code brings it down, the error says why and the next code starts in a
    fresh one.

    Args:
        additional_authorized_imports: Modules the code may import besides `BASE_BUILTIN_MODULES`: packages,
            submodules such as `matplotlib.pyplot`, `pkg.*`, or `*` for all.
        max_print_outputs_length: Characters of printed output that are kept; None for 50,000.
        timeout_seconds: Seconds a piece of code may take, time in tools not counted; None for no limit. The code is
            interrupted and keeps its variables; if it does not stop within 2 seconds, its process is killed.
        memory_mb: Megabytes (2**20 bytes) of memory that the code may use; None for no limit. At the limit it gets a
            `MemoryError`.
        cpu_seconds: Seconds of processor time that a session may use in all; None for no limit.
        max_disk_mb: Megabytes of files in the private directory, which are held in memory; None for no limit.
            It is held where the system lets users make mounts.
        max_threads: Threads the code may have.
        allow_network: Whether the code may use the network. It then reaches all that this process reaches.
        readable: Files and directories the code may read besides.
        writable: Files and directories the code may change.
        work_dir: The current directory of the code, which must exist, and keeps what is written there. None for a
            private one for each session, which is removed.
        fork_server: Make workers from a process that stays in the background and has imported the authorised
            packages, which takes a few milliseconds. False starts an interpreter for each session.
        executable_memory: Whether the code may make machine code while it runs, as numba and torch do.
        allow_missing: Protections that may be missing, by the names that the refusal gives.
        logger: Where progress and problems are shown: an `AgentLogger`, or None.

    Raises:
        SandboxUnavailableError: A protection is missing here. The text says which, why, and what to do.
        ValueError: A path does not exist, a limit makes no sense, or the code could write where this program looks
            for modules.
    """

    def __init__(
        self,
        additional_authorized_imports: Iterable[str] = (),
        max_print_outputs_length: int | None = None,
        *,
        timeout_seconds: float | None = MAX_EXECUTION_TIME_SECONDS,
        memory_mb: int | None = DEFAULT_MEMORY_MB,
        cpu_seconds: int | None = None,
        max_disk_mb: int | None = DEFAULT_DISK_MB,
        max_threads: int = 64,
        allow_network: bool = False,
        readable: Iterable[str | os.PathLike[str]] = (),
        writable: Iterable[str | os.PathLike[str]] = (),
        work_dir: str | os.PathLike[str] | None = None,
        fork_server: bool = True,
        executable_memory: bool = False,
        allow_missing: Iterable[str] = (),
        logger: Any = None,
    ) -> None:
        if isinstance(additional_authorized_imports, str):
            raise TypeError(
                f"additional_authorized_imports must be a list of module names, not the string "
                f"{additional_authorized_imports!r}: write [{additional_authorized_imports!r}]."
            )
        if sys.platform != "linux":
            raise SandboxUnavailableError(f"There is no sandbox on {sys.platform}: it needs Linux. {_OTHERS}")
        from smolagents.executors.sandbox.confine import Policy, hidden_paths, python_paths

        self.additional_authorized_imports = list(additional_authorized_imports)
        super().__init__(
            self.additional_authorized_imports,
            logger,
            timeout_seconds=timeout_seconds,
            max_print_outputs_length=max_print_outputs_length,
        )
        self.authorized_imports: list[str] = [
            *BASE_BUILTIN_MODULES,
            *(name for name in self.additional_authorized_imports if name not in BASE_BUILTIN_MODULES),
        ]
        self.readable = existing_paths("readable", readable)
        self.writable = existing_paths("writable", writable)
        self.work_dir = None if work_dir is None else existing_path("work_dir", work_dir)
        self.fork_server = fork_server
        self.allow_missing = _opt_outs(allow_missing)
        unconfined = _unconfined(self.allow_missing)
        changeable = self.writable if self.work_dir is None else [*self.writable, self.work_dir]
        self._refuse_import_path(changeable)
        # Images that tools return arrive whether or not the code may import what they are made of.
        read = [*self.authorized_imports, *(["PIL"] if _is_installed("PIL") else [])]
        self._policy = Policy(
            readable=[*python_paths(read), _WORKER_SOURCE, *self.readable],
            hidden=hidden_paths(read),
            writable=changeable,
            work_dir=self.work_dir or "/nowhere",
            allow_network=allow_network,
            memory_mb=memory_mb,
            cpu_seconds=cpu_seconds,
            max_disk_mb=max_disk_mb if self.work_dir is None else None,
            max_threads=max_threads,
            executable_memory=executable_memory,
            unconfined=unconfined,
        )
        self._options = {
            "timeout_seconds": timeout_seconds,
            "memory_mb": memory_mb,
            "cpu_seconds": cpu_seconds,
            "max_disk_mb": max_disk_mb,
            "max_threads": max_threads,
            "allow_network": allow_network,
            "readable": self.readable,
            "writable": self.writable,
            "work_dir": self.work_dir,
            "fork_server": fork_server,
            "executable_memory": executable_memory,
            "allow_missing": self.allow_missing,
            "logger": logger,
        }
        _executors.add(self)

    def _refuse_import_path(self, changeable: Sequence[str]) -> None:
        found = place_to_import_from(changeable)
        if found is not None and IMPORT_PATH not in self.allow_missing:
            path, entry = found
            raise ValueError(
                f"The code may not write to {path!r}: this program looks for modules in {entry!r}, so what the code "
                "puts there could run outside of the sandbox. Name another directory; or, if this is what you want, "
                f"pass allow_missing=[{IMPORT_PATH!r}]."
            )

    # The worker

    def _settings(self) -> dict[str, Any]:
        return {**super()._settings(), "imports": self.authorized_imports}

    def _connect(self) -> Connection:
        from smolagents.executors.sandbox.connection import SandboxConnection
        from smolagents.executors.sandbox.launcher import server_for, single_server

        changeable = self.writable if self.work_dir is None else [*self.writable, self.work_dir]
        path: list[str] = []
        later: list[str] = []
        for entry in import_path():
            # A fork server is not confined: it must import nothing that code may have written.
            (later if any(is_under(entry, each) for each in changeable) else path).append(entry)
        policy = self._policy.to_dict()
        del policy["work_dir"]
        preloads = self._preloads()
        problem: Exception | None = None
        for _ in range(_ATTEMPTS):
            server = server_for(path, preloads) if self.fork_server else single_server(path)
            try:
                return SandboxConnection(server, policy, self.work_dir, path=later, owns_server=not self.fork_server)
            except ConnectionError as error:
                problem = error
            except SandboxUnavailableError as error:
                if not preloads:
                    raise
                problem, preloads = error, []  # what they take of the memory may be more than the limit
        raise SandboxUnavailableError(f"No worker could be started: {problem}.") from problem

    def _preloads(self) -> list[str]:
        """Modules that take long to import: those of authorised packages that are no part of Python."""
        names = (name.removesuffix(".*") for name in self.additional_authorized_imports)
        return sorted({name for name in names if name != "*" and name.split(".")[0] not in sys.stdlib_module_names})

    def describe(self) -> str:
        """What confines the code, in one line. Starts the worker if there is none yet."""
        from smolagents.executors.sandbox.confine import describe
        from smolagents.executors.sandbox.connection import SandboxConnection

        with self._lock:
            if self._session is None:
                self._session = self._open()
            connection = self._session.connection
            assert isinstance(connection, SandboxConnection)
            return describe(self._policy, list(connection.applied))

    # What executors do

    def session(self) -> SandboxExecutor:
        """A fresh session: the same settings, no variables, no tools."""
        return type(self)(self.additional_authorized_imports, self.max_print_outputs_length, **self._options)

    def install_packages(self, additional_imports: Sequence[str]) -> list[str]:
        """Nothing is installed: the code uses the packages of this Python.

        Raises:
            RuntimeError: A module is not installed.
        """
        names = [name.removesuffix(".*") for name in additional_imports if name != "*"]
        absent = sorted({name.split(".")[0] for name in names if not _is_installed(name.split(".")[0])})
        if absent:
            raise RuntimeError(
                f"Not installed: {', '.join(absent)}. The sandbox uses the packages of {sys.executable}; "
                "install them there with pip."
            )
        return []

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A SandboxExecutor holds a process and cannot be copied or pickled. Make another with its session() method."
        )


def _opt_outs(names: Iterable[str]) -> list[str]:
    from smolagents.executors.sandbox.confine import OPT_OUTS

    known = (*OPT_OUTS, IMPORT_PATH)
    found = [names] if isinstance(names, str) else list(names)
    for name in found:
        if name not in known:
            raise ValueError(f"allow_missing: {name!r} is no protection; the names are {', '.join(known)}.")
    return found


def _unconfined(allow_missing: Sequence[str]) -> list[str]:
    """Protections to leave out: those that are allowed to be missing, and are."""
    from smolagents.executors.sandbox.confine import OPT_OUTS, probe

    support = probe()
    gaps = support.missing_for(tuple(allow_missing))
    if any(gap.protection not in OPT_OUTS for gap in gaps):
        raise SandboxUnavailableError(f"There is no sandbox here: {gaps[0].why}. {_OTHERS}")
    if gaps:
        lines = "".join(f"\n- {gap.protection}: {gap.why}. Remedy: {gap.remedy}." for gap in gaps)
        names = [gap.protection for gap in gaps]
        raise SandboxUnavailableError(
            f"The sandbox lacks protections here:{lines}\n{_OTHERS} To go on without, pass allow_missing={names!r}."
        )
    missing = {gap.protection for gap in support.missing}
    required = ("landlock", "seccomp")
    return [name for name in allow_missing if name in OPT_OUTS and (name in missing or name not in required)]


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


_executors: weakref.WeakSet[SandboxExecutor] = weakref.WeakSet()


def _in_forked_process() -> None:
    for executor in _executors:
        executor._lock = OneUse()  # another thread may have held it
        if executor._session is not None:
            executor._session.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_process)
