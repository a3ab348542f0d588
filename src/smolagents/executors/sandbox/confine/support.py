"""What this system can do to confine a process, and how to say it. For the host; a worker does not import this."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import NamedTuple

from . import landlock, seccomp
from .policy import Policy
from .system import ARCHITECTURE, MACHINES

__all__ = ["Gap", "Support", "describe", "probe"]


class Gap(NamedTuple):
    """A protection that this system does not give."""

    protection: str
    """Its name: what `Policy.unconfined` takes to go on without it."""

    why: str
    """Why it is missing and what that leaves open."""

    remedy: str
    """What to do about it."""


@dataclass(frozen=True, kw_only=True)
class Support:
    """What this system gives."""

    system: str
    """`linux` where anything can be confined at all, else the platform's name."""

    landlock: int
    """Version of the Landlock interface, 0 without."""

    seccomp: bool
    """Whether system calls can be filtered."""

    namespaces: bool
    """Whether namespaces are expected to work. Known for sure only from what `confine` returns: a security module or a container
    may refuse them when they are asked for."""

    missing: list[Gap]
    """Protections without which the sandbox does not start, unless `Policy.unconfined` names them."""

    reduced: list[Gap]
    """Protections that are used where the system allows; without them the others still hold."""

    def missing_for(self, unconfined: tuple[str, ...] | list[str] = ()) -> list[Gap]:
        """What is missing and was not opted out of."""
        return [gap for gap in self.missing if gap.protection not in unconfined]


@functools.cache
def probe() -> Support:
    """Look what this system gives to confine a process. Changes nothing, takes well under a millisecond, and is remembered."""
    system = os.uname().sysname.lower() if hasattr(os, "uname") else os.name
    if system != "linux" or ARCHITECTURE is None:
        here = system if system != "linux" else f"this interpreter on {os.uname().machine}"
        why = f"the sandbox confines Linux processes on {' and '.join(MACHINES)} (64 bit), not {here}"
        gap = Gap("platform", why, "use another executor: monty, docker, wasm or a remote one")
        return Support(system=system, landlock=0, seccomp=False, namespaces=False, missing=[gap], reduced=[])
    version, filters, refusal = landlock.version(), seccomp.supported(), _namespaces_refused()
    missing, reduced = [], []
    if not version:
        why = "the kernel has no Landlock or it is not active, so files are not confined by it"
        remedy = "use Linux 5.13 or newer with `landlock` in the kernel's `lsm=` list (see /sys/kernel/security/lsm)"
        missing.append(Gap("landlock", why, remedy))
    if not filters:
        why = "the kernel has no seccomp filters, so system calls are not confined"
        missing.append(
            Gap("seccomp", why, "use a kernel built with CONFIG_SECCOMP_FILTER, outside gVisor and the like")
        )
    if refusal:
        why, remedy = refusal
        left = "the names, sizes and dates of files outside can be looked up, and the work directory has no total size"
        reduced.append(Gap("namespaces", f"{why}: {left}", remedy))
    return Support(
        system=system, landlock=version, seccomp=filters, namespaces=refusal is None, missing=missing, reduced=reduced
    )


def _namespaces_refused() -> tuple[str, str] | None:
    """Why namespaces cannot be made and what helps, as far as the system's settings tell; None if nothing speaks against them."""
    if os.geteuid() == 0 and _capable():
        return None
    if not os.path.exists("/proc/self/ns/user"):
        return "the kernel has no user namespaces", "use a kernel built with CONFIG_USER_NS"
    settings = (
        ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile with `userns` for the interpreter",
        ),
    )
    for path, refusing, remedy in settings:
        if _content(path) == refusing:
            return f"{path} is {refusing}", remedy
    return None


def _capable() -> bool:
    from . import privileges

    return bool(privileges.capabilities() >> privileges.CAP_SYS_ADMIN & 1)


def _content(path: str) -> str | None:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return None


def describe(policy: Policy, applied: list[str]) -> str:
    """One line on what confines the code.

    Args:
        policy (`Policy`): What was asked for.
        applied (`list[str]`): What `confine` returned.
    """
    holds = set(applied)
    by = [text for name, text in (("landlock", "Landlock"), ("seccomp", "seccomp")) if name in holds]
    if "private_root" in holds:
        by.append("namespaces")
    parts = [f"files: {_files(policy, holds)}"]
    if policy.allow_network:
        parts.append("network: allowed")
    elif holds & {"seccomp", "network_namespace"}:
        parts.append("no network")
    else:
        parts.append("no TCP" if "landlock_network" in holds else "NETWORK NOT CONFINED")
    parts.append("no other processes" if "seccomp" in holds else "SYSTEM CALLS NOT CONFINED")
    if "memory" in holds:
        parts.append(f"{policy.memory_mb} MB of memory")
    if "disk" in holds:
        parts.append(f"{policy.max_disk_mb} MB of files")
    if "cpu" in holds:
        parts.append(f"{policy.cpu_seconds} s of processor time")
    return f"a process confined by {', '.join(by) or 'limits only'} ({'; '.join(parts)})"


def _files(policy: Policy, holds: set[str]) -> str:
    if not holds & {"landlock", "private_root"}:
        return "NOT CONFINED"
    if not policy.writable:
        return "its own work directory"
    return "its own work directory and " + ", ".join(policy.writable)
