"""The kernel's own interface: system calls by number, for what Python's `os` does not offer."""

from __future__ import annotations

import ctypes
import os

from .syscalls import SYSCALLS

__all__ = ["ARCHITECTURE", "MACHINES", "Architecture", "address", "syscall"]


class Architecture:
    """One processor architecture as the kernel sees it.

    Attributes:
        name (`str`): As in `os.uname().machine`.
        audit (`int`): AUDIT_ARCH_* of <linux/audit.h>, which seccomp filters compare.
        numbers (`dict[str, int]`): System call numbers by name.
    """

    def __init__(self, name: str, audit: int, column: int) -> None:
        self.name = name
        self.audit = audit
        self.numbers: dict[str, int] = {}
        for call, numbers in SYSCALLS.items():
            number = numbers[column]
            if number is not None:
                self.numbers[call] = number


MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Architectures that can be confined: AUDIT_ARCH_* and column of the table of system calls."""


def _here() -> Architecture | None:
    machine = os.uname().machine
    # A 32-bit interpreter on a 64-bit kernel makes other system calls than the table has.
    if machine not in MACHINES or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    return Architecture(machine, *MACHINES[machine])


ARCHITECTURE = _here()
"""The architecture of this process, None if it is not one that can be confined."""

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = [ctypes.c_long] * 7


def syscall(name: str, *arguments: int) -> int:
    """Make a system call.

    Args:
        name (`str`): Its name in the kernel.
        *arguments (`int`): Numbers; addresses come from `address`, and what they point to must be kept alive by the caller.

    Raises:
        OSError: The kernel refused; `errno` says why. ENOSYS if this architecture is not known.
    """
    if ARCHITECTURE is None:
        raise OSError(38, f"no system calls known for {os.uname().machine}", name)
    padding = (0,) * (6 - len(arguments))
    result: int = _syscall(ARCHITECTURE.numbers[name], *arguments, *padding)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return result


def address(data: ctypes.Array[ctypes.c_char]) -> int:
    """The address of a buffer made by `ctypes.create_string_buffer`."""
    return ctypes.addressof(data)
