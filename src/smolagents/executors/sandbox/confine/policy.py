"""What confined code may reach and how much it may use.

Plain classes rather than dataclasses: a worker reads this module at every cold start, and importing `dataclasses` would
take longer than confining itself.
"""

from __future__ import annotations

import os

__all__ = ["OPT_OUTS", "ConfinementError", "Policy"]

OPT_OUTS = ("landlock", "seccomp", "namespaces", "own_user")
"""What `Policy.unconfined` may name."""


class ConfinementError(Exception):
    """A protection that was asked for could not be applied. The process must not run the code.

    Attributes:
        protection (`str`): What could not be applied: a name of `OPT_OUTS`, or `"limits"`, `"capabilities"`, `"files"`.
    """

    def __init__(self, protection: str, why: str) -> None:
        super().__init__(protection, why)
        self.protection = protection
        self.why = why

    def __str__(self) -> str:
        return f"{self.protection}: {self.why}"


class Policy:
    """What a worker may do after `confine`.

    Args:
        readable (`list[str]`): Absolute paths that can be read, directories with all that is in them. The interpreter's own
            files are not implied: add `python_paths(...)`. The code of a host that runs as root reads them as a user that owns
            nothing, so files in a directory that root alone may read take `unconfined=("own_user",)`.
        hidden (`list[str]`): Directories of which nothing can be read but what `readable` names: `hidden_paths(...)`. With a
            private root they are empty otherwise; without, the names in them can be listed.
        writable (`list[str]`): Absolute paths of existing directories or files that can be read, written and deleted.
            Only `max_file_mb` limits what is written there. If the host runs as root, what the code makes there is root's.
        work_dir (`str`): Absolute path of an existing directory, the current directory of the code. With `max_disk_mb` and
            mount namespaces it becomes a file system of its own in memory: what lies in the directory is hidden, and what
            the code writes is gone with the process. Otherwise the directory itself is used.
        allow_network (`bool`): Allow TCP and UDP over IPv4 and IPv6, also to services of this machine. Unix sockets stay
            refused.
        memory_mb (`int | None`): Megabytes (2**20 bytes) of private writable memory the process may have, with all that it
            had before `confine`. Beyond it, allocations fail and Python raises `MemoryError`.
        cpu_seconds (`int | None`): Processor time of all threads together. The process gets SIGXCPU at the limit and is
            killed two seconds later.
        max_files (`int`): Open descriptors, those inherited included.
        max_file_mb (`int | None`): Size of one file. Defaults to `max_disk_mb`.
        max_disk_mb (`int | None`): Size of all files of the work directory together. Held by the kernel where mount
            namespaces can be made (`confine` then reports `"disk"`), else not at all.
        max_threads (`int`): Threads, the first one included.
        executable_memory (`bool`): Allow memory that is written and then executed, which just-in-time compilers (numba,
            torch) need, and with some builds of libffi functions that ctypes gives to C. Refused by default.
        die_with_parent (`bool`): Kill the process when the *thread* that forked it ends. Pass False if the worker is
            forked by a thread that does not live as long as the worker.
        unconfined (`tuple[str, ...]`): Protections to leave out, of `OPT_OUTS`.

    Raises:
        ValueError: A value that makes no sense, named with the remedy.
    """

    __slots__ = (
        "allow_network",
        "cpu_seconds",
        "die_with_parent",
        "executable_memory",
        "hidden",
        "max_disk_mb",
        "max_file_mb",
        "max_files",
        "max_threads",
        "memory_mb",
        "readable",
        "unconfined",
        "work_dir",
        "writable",
    )

    def __init__(
        self,
        *,
        readable: list[str],
        writable: list[str],
        work_dir: str,
        hidden: list[str] | tuple[str, ...] = (),
        allow_network: bool = False,
        memory_mb: int | None = 1024,
        cpu_seconds: int | None = None,
        max_files: int = 256,
        max_file_mb: int | None = None,
        max_disk_mb: int | None = 256,
        max_threads: int = 64,
        executable_memory: bool = False,
        die_with_parent: bool = True,
        unconfined: tuple[str, ...] | list[str] = (),
    ) -> None:
        self.readable = _paths("readable", readable)
        self.writable = _paths("writable", writable)
        self.hidden = _paths("hidden", hidden)
        (self.work_dir,) = _paths("work_dir", [work_dir])
        self.allow_network = bool(allow_network)
        self.memory_mb = _amount("memory_mb", memory_mb, 16)
        self.cpu_seconds = _amount("cpu_seconds", cpu_seconds, 1)
        self.max_files = _count("max_files", max_files, 8)
        self.max_disk_mb = _amount("max_disk_mb", max_disk_mb, 1)
        self.max_file_mb = _amount("max_file_mb", max_file_mb, 1)
        self.max_threads = _count("max_threads", max_threads, 1)
        self.executable_memory = bool(executable_memory)
        self.die_with_parent = bool(die_with_parent)
        self.unconfined = tuple(unconfined)
        if isinstance(unconfined, str) or not set(self.unconfined) <= set(OPT_OUTS):
            raise ValueError(f"unconfined={unconfined!r} must be a tuple of names out of {', '.join(OPT_OUTS)}")
        for path in [*self.writable, self.work_dir]:
            if path == "/":
                raise ValueError("the root directory cannot be writable; name the directories that the code needs")

    def to_dict(self) -> dict[str, object]:
        """The arguments that make this policy again, JSON-able: `Policy(**policy.to_dict()) == policy`."""
        return {name: getattr(self, name) for name in self.__slots__}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # lists inside

    def __repr__(self) -> str:
        return f"Policy({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"


def _paths(name: str, paths: list[str] | tuple[str, ...]) -> list[str]:
    if isinstance(paths, str):
        raise ValueError(f"{name}={paths!r} must be a list of paths, not one string; write [{paths!r}]")
    found = []
    for path in paths:
        text = os.fspath(path)
        if not isinstance(text, str) or not text.startswith("/") or "\0" in text:
            raise ValueError(f"{name}: {text!r} is not an absolute path")
        found.append(os.path.normpath(text) if ".." not in text else os.path.realpath(text))
    return found


def _amount(name: str, value: int | None, least: int) -> int | None:
    return None if value is None else _count(name, value, least)


def _count(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name}={value!r} must be a whole number")
    if value < least:
        raise ValueError(f"{name}={value} is too little; at least {least} is needed")
    return value
