"""Calls every system call that no rule of the filter names."""

from __future__ import annotations

import ctypes
import errno

import confine.filter
import confine.syscalls
import confine.system

# uretprobe and uprobe of x86-64: the kernel itself kills who calls them from elsewhere than its own pages, and lets no filter
# decide. On aarch64 these numbers are not used.
_PROBES = (335, 336)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.syscall.argtypes = [ctypes.c_long] * 7


def sweep(scene):
    rules = confine.filter.build_rules(
        confine.system.ARCHITECTURE, 1, network=False, executable_memory=False, change_metadata=True, truncate=True
    )
    refused, others = 0, []
    for number in range(confine.syscalls.NEWEST + 40):
        if number in rules or number in _PROBES:
            continue
        wanted = errno.EPERM if number <= confine.syscalls.NEWEST else errno.ENOSYS
        ctypes.set_errno(0)
        result = _libc.syscall(number, 0, 0, 0, 0, 0, 0)
        if result == -1 and ctypes.get_errno() == wanted:
            refused += 1
        else:
            others.append([number, result, ctypes.get_errno()])
    return [refused, others]
