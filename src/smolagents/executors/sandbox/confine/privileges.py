"""Who the process is: a user that owns nothing, without capabilities, now and for ever."""

from __future__ import annotations

import ctypes
import os
import struct

from .system import address, syscall

__all__ = [
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
    "NOBODY",
    "UNUSED_IDS",
    "become",
    "capabilities",
    "die_with_parent",
    "drop_capabilities",
    "forbid_new_privileges",
    "hide_from_debuggers",
    "lock_capabilities",
    "unused_id",
]

CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN = 6, 7, 21

UNUSED_IDS = 0x70000000
"""User ids from here on belong to nobody: above those that systems, containers and directories give out, and below 2**31."""

NOBODY = 65534
"""The user that owns nothing, by convention."""

# <linux/prctl.h>
_SET_PDEATHSIG = 1
_SET_DUMPABLE = 4
_CAPBSET_DROP = 24
_SET_SECUREBITS = 28
_SET_NO_NEW_PRIVS = 38
_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL = 47, 4
_EINVAL = 22
# NOROOT, NO_SETUID_FIXUP, KEEP_CAPS off, NO_CAP_AMBIENT_RAISE, all locked: <linux/securebits.h>
_SECUREBITS = 0b11101111
_CAPABILITY_VERSION_3 = 0x20080522


def unused_id() -> int | None:
    """A user id, also good as a group id, that no one else has: one for each process, so that no worker counts against the limits
    of another or may touch what it owns. Where few ids are there, as in a container, that of nobody; None if not even that."""
    maps = []
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/self/{name}", "rb") as file:
            maps.append([(int(first), int(count)) for first, _, count in (line.split() for line in file)])
    for wanted in (UNUSED_IDS + os.getpid(), NOBODY):
        if all(any(first <= wanted < first + count for first, count in extents) for extents in maps):
            return wanted
    return None


def capabilities() -> int:
    """The effective capabilities of this process, one bit each as in <linux/capability.h>."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    sets = ctypes.create_string_buffer(
        24
    )  # effective, permitted, inheritable of capabilities 0 to 31, then of the rest
    syscall("capget", address(header), address(sets))
    low, _, _, high, _, _ = struct.unpack("=6I", sets.raw[:24])
    return int(low | high << 32)


def become(uid: int, gid: int, *, files_as: int | None = None) -> None:
    """Change to a user and group without any other group.

    Args:
        uid (`int`): The user.
        gid (`int`): The group.
        files_as (`int | None`): The user and group that files are opened as, if not the same.
    """
    os.setgroups([])
    effective_gid = gid if files_as is None else files_as
    os.setresgid(gid, effective_gid, effective_gid)
    effective = uid if files_as is None else files_as
    os.setresuid(uid, effective, effective)


def forbid_new_privileges() -> None:
    """No program and no file gives this process more rights from now on."""
    syscall("prctl", _SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def lock_capabilities() -> None:
    """Take away all ways to get capabilities back. What the process has now stays until `drop_capabilities`."""
    try:
        syscall("prctl", _CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        for capability in range(64):
            syscall("prctl", _CAPBSET_DROP, capability, 0, 0, 0)
    except OSError as error:
        if error.errno != _EINVAL:  # after the kernel's last capability
            return  # EPERM: the process has none, and without new privileges it gets none
    syscall("prctl", _SET_SECUREBITS, _SECUREBITS, 0, 0, 0)


def drop_capabilities() -> None:
    """Give up all capabilities that the process has."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    nothing = ctypes.create_string_buffer(24)
    syscall("capset", address(header), address(nothing))


def hide_from_debuggers() -> None:
    """No other process of the same user may read this one's memory, and it leaves no core dump."""
    syscall("prctl", _SET_DUMPABLE, 0, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that forked it ends.

    Args:
        parent (`int`): The process id of the parent when the confinement began. The process ends at once if it has another
            one by now. Changes of user clear the wish, so this comes after them.
    """
    syscall("prctl", _SET_PDEATHSIG, 9, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
