"""Telling processes apart, also when their numbers are used again."""

from __future__ import annotations

import os
import socket
from functools import lru_cache

__all__ = ["is_alive", "this_process"]


def this_process() -> str:
    """A name of this process that no other one ever has: machine, start of the machine, number, start."""
    pid = os.getpid()
    return f"{_machine()}|{pid}|{_started(pid)}"


def is_alive(name: str) -> bool:
    """Whether the process of that name lives. One of another machine is taken to live: it cannot be seen from here."""
    machine, _, rest = name.rpartition("|")[0].rpartition("|")
    started = name.rpartition("|")[2]
    if machine != _machine():
        return machine.partition("/")[0] != _machine().partition("/")[0]
    pid = int(rest)
    found = _started(pid)
    if found:
        return found == started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not started  # where the system tells no start, the number has to do


@lru_cache(maxsize=1)
def _machine() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()}/{boot}"


def _started(pid: int) -> str:
    """When the process started, in the system's ticks; empty where it does not say, or there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    if fields[0] in (b"Z", b"X"):
        return ""
    return fields[19].decode()
