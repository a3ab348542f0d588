"""Which process a container belongs to, and removing the containers of those that are gone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["labels", "reap"]

MARK = "smolagents.executor"
OWNER = "smolagents.owner"


def labels() -> dict[str, str]:
    """Labels that name this process as the owner of a container."""
    return {MARK: "docker", OWNER: f"{_place()}/{os.getpid()}/{_start(os.getpid())}"}


def reap(client: Any) -> int:
    """Remove the containers whose owner is gone, and the volumes that somebody else's removal of one has left.

    The containers of processes that cannot be seen from here are left alone: those of another machine, of another
    process namespace, or of before a restart of this machine, unless they have ended.

    Returns:
        How many containers were removed.
    """
    removed = 0
    ours = {"label": f"{MARK}=docker"}
    for found in client.api.containers(all=True, filters=ours):
        owner = (found.get("Labels") or {}).get(OWNER, "")
        if _is_gone(owner, ended=found.get("State") in ("exited", "dead")):
            with suppress(Exception):  # another process removes it at this moment
                client.api.remove_container(found["Id"], force=True, v=True)
                removed += 1
    for found in client.api.volumes(filters=ours).get("Volumes") or ():
        if _is_gone((found.get("Labels") or {}).get(OWNER, ""), ended=False):
            with suppress(Exception):  # in use, or already gone
                client.api.remove_volume(found["Name"])
    return removed


def _is_gone(owner: str, *, ended: bool) -> bool:
    place, _, process = owner.rpartition("/")
    place, _, pid = place.rpartition("/")
    if not place or not pid.isdigit() or not process:
        return False
    if place != _place():
        return ended
    return _start(int(pid)) != process


def _place() -> str:
    """This machine since it was started, and the process namespace, in which a process number means something."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{platform.node()}/{sys.platform}"


def _start(pid: int) -> str:
    """When a process was started: a number may be given to another one later. "" if it is gone or unknown."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]  # 22nd of proc(5): clock ticks after boot
    if os.name == "posix":
        found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return "-".join(found.stdout.split())
    return ""
