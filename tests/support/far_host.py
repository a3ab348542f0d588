"""A host of its own for a process: a network namespace, joined to this one by a link that can be cut and restored."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid

import pytest


def ip(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class FarHost:
    """A host that reaches this one at `near`, over one link."""

    def __init__(self) -> None:
        name = uuid.uuid4().hex[:8]
        net = f"10.{int(name[:2], 16)}.{int(name[2:4], 16)}"
        self.namespace, self._here, self._there = f"far{name}", f"vn{name}", f"vf{name}"
        self.near, self._far = f"{net}.1", f"{net}.2"

    def open(self) -> None:
        """Make it, or skip the test where that is not allowed."""
        if shutil.which("ip") is None or os.geteuid() != 0:
            pytest.skip("hosts of their own need root, and the command ip of iproute2")
        try:
            ip("netns", "add", self.namespace)
            ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self.namespace)
        except OSError as error:
            self.close()
            pytest.skip(f"hosts of their own are not allowed here: {error}")
        ip("address", "add", f"{self.near}/30", "dev", self._here)
        ip("link", "set", self._here, "up")
        ip("-n", self.namespace, "address", "add", f"{self._far}/30", "dev", self._there)
        ip("-n", self.namespace, "link", "set", self._there, "up")
        ip("-n", self.namespace, "link", "set", "lo", "up")

    def close(self) -> None:
        ip("link", "delete", self._here, check=False)
        ip("netns", "delete", self.namespace, check=False)

    def start(self, command: list[str], **options: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["ip", "netns", "exec", self.namespace, *command], **options)  # type: ignore[call-overload,no-any-return]

    def cut(self, how: str) -> None:
        """Cut the link: "down", which the far host is told by its system, or "silent", where nothing arrives any more."""
        if how == "down":
            ip("-n", self.namespace, "link", "set", self._there, "down")
            return
        nobody = ("lladdr", "02:00:00:00:00:0f", "nud", "permanent")  # packets are sent to a machine that is not there
        ip("neighbour", "replace", self._far, *nobody, "dev", self._here)
        ip("-n", self.namespace, "neighbour", "replace", self.near, *nobody, "dev", self._there)

    def restore(self, how: str) -> None:
        if how == "down":
            ip("-n", self.namespace, "link", "set", self._there, "up")
            return
        ip("neighbour", "delete", self._far, "dev", self._here)
        ip("-n", self.namespace, "neighbour", "delete", self.near, "dev", self._there)
