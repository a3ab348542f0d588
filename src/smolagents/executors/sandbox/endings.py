"""Why a worker ended, in words for the model."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

__all__ = ["cause_of"]

MEMORY_STATUS, CONNECTION_STATUS = 117, 118
"""Exit statuses of `worker_main`, which is not imported here: it belongs to the other side."""


def cause_of(ending: Mapping[str, Any], memory_mb: int | None, cpu_seconds: int | None) -> str:
    """Why a worker ended, as a clause that goes on from "The session ended: ".

    Args:
        ending: `status`, or `signal` and `cpu_seconds`.
        memory_mb: The limit on its memory.
        cpu_seconds: The limit on its processor time.
    """
    memory = f"its limit is {memory_mb} MB" if memory_mb else "it has no limit of its own"
    number = ending.get("signal")
    if number is None:
        status = ending.get("status")
        if status == MEMORY_STATUS:
            return f"there was no memory left to receive or send a message ({memory})"
        if status == CONNECTION_STATUS:
            return "the code closed the pipes that its process is reached by"
        return f"the code ended its process, with status {status}"
    if number == signal.SIGXCPU or (
        number == signal.SIGKILL and cpu_seconds and ending.get("cpu_seconds", 0) >= cpu_seconds
    ):
        return f"the code used more than the {cpu_seconds} seconds of processor time that it may use"
    if number == signal.SIGKILL:
        return f"its process was killed by the system, most likely because memory ran out ({memory})"
    if number == signal.SIGSYS:
        return "the code made a system call that the sandbox forbids"
    if number == signal.SIGXFSZ:
        return "the code wrote a file larger than it may write"
    if number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT):
        text = f"the interpreter crashed ({_name(number)})"
        if number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT):
            text += f", in a library, by too deep a recursion, or for want of memory ({memory})"
        return text
    return f"its process was ended by {_name(number)}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
