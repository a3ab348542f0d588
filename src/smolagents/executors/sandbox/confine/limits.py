"""Resource limits, each of them final."""

from __future__ import annotations

import os
import resource

__all__ = ["apply", "limit_threads", "memory_used", "threads_of_user"]

_MB = 1 << 20
_RESERVED_MB = 512
_ROOM_TO_END_MB = 16
_SIGNALS_PENDING = 256


def apply(
    *,
    used: tuple[int, int],
    memory_mb: int | None,
    cpu_seconds: int | None,
    max_files: int,
    max_file_mb: int | None,
) -> list[str]:
    """Set the limits.

    Memory is limited as RLIMIT_DATA: private writable memory, which is what programs allocate. RLIMIT_AS alone would count
    libraries and address ranges that are only reserved (64 MB for each thread's arena of the C library), so it is set to what
    the process has now and that much more, with room for such ranges: it bounds shared memory, which RLIMIT_DATA does not count.

    Args:
        used (`tuple[int, int]`): What `memory_used` said.
        memory_mb (`int | None`): RLIMIT_DATA in megabytes (2**20 bytes), with what is used already.
        cpu_seconds (`int | None`): Processor time from now on.
        max_files (`int`): Open descriptors.
        max_file_mb (`int | None`): Size of one file in megabytes.

    Returns:
        `list[str]`: Of `memory`, `cpu`, `files`, `file_size`.

    Raises:
        ValueError: The process uses more than `memory_mb` already.
    """
    applied = ["files"]
    if memory_mb is not None:
        total, data = used
        if data > memory_mb * _MB:
            raise ValueError(
                f"memory_mb={memory_mb} is less than the {data // _MB + 1} MB that the worker has before any code runs; raise it"
            )
        # The host may add the rest, for an interpreter that needs some memory to say that there is none.
        _set(resource.RLIMIT_DATA, memory_mb * _MB, (memory_mb + _ROOM_TO_END_MB) * _MB)
        _set(resource.RLIMIT_AS, total + (memory_mb + _RESERVED_MB) * _MB)
        applied.append("memory")
    if cpu_seconds is not None:
        # Counted from the start of the process.
        spent = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(spent.ru_utime + spent.ru_stime) + cpu_seconds
        _set(resource.RLIMIT_CPU, seconds, seconds + 2)
        applied.append("cpu")
    if max_file_mb is not None:
        _set(resource.RLIMIT_FSIZE, max_file_mb * _MB)
        applied.append("file_size")
    _set(resource.RLIMIT_NOFILE, max_files)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_MEMLOCK, 0)
    _set(resource.RLIMIT_MSGQUEUE, 0)
    _set(resource.RLIMIT_SIGPENDING, _SIGNALS_PENDING)
    _set(resource.RLIMIT_RTPRIO, 0)
    _set(resource.RLIMIT_NICE, 0)
    return applied


def limit_threads(threads: int, others: int) -> list[str]:
    """Limit the threads of this process.

    Args:
        threads (`int`): How many it may have, the first one included.
        others (`int`): How many threads of the same user the kernel counts with them.

    Returns:
        `list[str]`: `threads` if the limit holds. It is not set if the process could not start any thread then: the kernel may
        count others that cannot be seen, such as those of other containers.
    """
    wanted = threads + others
    if others:
        _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
        if not _can_fork():
            resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
            return []
    _set(resource.RLIMIT_NPROC, wanted)
    return ["threads"]


def _can_fork() -> bool:
    try:
        child = os.fork()
    except BlockingIOError:
        return False
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def threads_of_user(uid: int) -> int:
    """Count the threads that a user has on this system, this process's not included, as far as /proc shows them."""
    count = 0
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            if os.stat(f"/proc/{name}").st_uid == uid:
                count += os.stat(f"/proc/{name}/task").st_nlink - 2
        except OSError:
            continue  # it has ended
    return count


def memory_used() -> tuple[int, int]:
    """Bytes of address space and of private writable memory, as the kernel counts them for RLIMIT_AS and RLIMIT_DATA."""
    with open("/proc/self/statm", "rb") as file:
        pages = file.read().split()
    size = resource.getpagesize()
    return int(pages[0]) * size, int(pages[5]) * size


def _set(which: int, soft: int, hard: int | None = None) -> None:
    _, present = resource.getrlimit(which)
    hard = soft if hard is None else hard
    if present != resource.RLIM_INFINITY:  # only root could raise it
        soft, hard = min(soft, present), min(hard, present)
    resource.setrlimit(which, (soft, hard))
