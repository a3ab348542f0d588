"""Namespaces of the process's own: without network interfaces, without others' shared memory, with mounts that can be changed.

An unprivileged user gets them through a user namespace, where the system allows one; root makes them directly.
"""

from __future__ import annotations

import ctypes
import os

from .privileges import NOBODY
from .system import address, syscall

__all__ = ["enter"]

_NEW_MOUNT = 0x00020000
_NEW_UTS = 0x04000000
_NEW_IPC = 0x08000000
_NEW_USER = 0x10000000
_NEW_NETWORK = 0x40000000


def enter(*, network: bool, privileged: bool) -> list[str]:
    """Move this process, which must have one thread, into new namespaces: all that the system allows.

    Args:
        network (`bool`): Stay in the present network namespace.
        privileged (`bool`): The process may make namespaces without a user namespace.

    Returns:
        `list[str]`: Of `user_namespace`, `mount_namespace`, `network_namespace`, `ipc_namespace`, `uts_namespace`.
    """
    wanted = {"mount_namespace": _NEW_MOUNT, "ipc_namespace": _NEW_IPC, "uts_namespace": _NEW_UTS}
    if not network:
        wanted["network_namespace"] = _NEW_NETWORK
    uid, gid = os.geteuid(), os.getegid()
    made: list[str] = []
    if privileged:
        made = _unshare(wanted, 0)
    else:
        made = _unshare(wanted, _NEW_USER)
        if made:
            made.insert(0, "user_namespace")
            _map_ids(uid, gid)
    if "uts_namespace" in made:
        _hide_host_name()
    return made


def _unshare(wanted: dict[str, int], user: int) -> list[str]:
    try:
        syscall("unshare", user | sum(wanted.values()))
        return list(wanted)
    except OSError:
        pass
    made = []
    try:
        if user:
            syscall("unshare", user)
    except OSError:
        return []
    for name, flag in wanted.items():
        try:
            syscall("unshare", flag)
            made.append(name)
        except OSError:
            continue
    return made


def _hide_host_name() -> None:
    name = ctypes.create_string_buffer(b"sandbox")
    try:
        syscall("sethostname", address(name), 7)
    except OSError:
        return  # a security module's choice; nothing else depends on it


def _map_ids(uid: int, gid: int) -> None:
    # Root is called nobody inside, as it is to have no rights there. Where this is refused the process is "nobody" to itself and still what it was to the file system.
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid or NOBODY} {uid} 1"),
        ("gid_map", f"{gid or NOBODY} {gid} 1"),
    ):
        try:
            with open(f"/proc/self/{name}", "w") as file:
                file.write(content)
        except OSError:
            continue
