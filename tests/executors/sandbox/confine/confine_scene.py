"""Where confined processes are tried: files, servers and a process that they must not reach, and the users they run as."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from smolagents.executors.sandbox import confine

NOBODY = 65534
_SOURCE = Path(confine.__file__).parent
_HERE = Path(__file__).parent
SECRET = "the-secret-of-the-host"


@dataclass
class Outcome:
    """What a confined process said."""

    applied: list[str]
    results: dict[str, tuple[Any, Any, str]]
    status: int
    errors: str = ""

    def refused(self, action: str) -> Any:
        """The error number or the exception's name, None if the action succeeded."""
        return self.results[action][1]


@dataclass
class Scene:
    """Files and processes around a confined process."""

    user: int
    root: Path
    values: dict[str, Any] = field(default_factory=dict)

    def run(
        self,
        module: str,
        actions: list[str],
        *,
        confined: bool = True,
        imports: tuple[str, ...] = (),
        at_once: bool = False,
        timeout: float = 60,
        **policy: Any,
    ) -> Outcome:
        """Run functions of a module in a process of their own, confined or not, as this scene's user."""
        self._fill()
        work_dir = Path(tempfile.mkdtemp(dir=self.root / "work"))
        if os.getuid() == 0:
            os.chown(work_dir, self.user, self.user)
        wanted = {"readable": [str(self.root / "readable")], "writable": [], "work_dir": str(work_dir), **policy}
        settings = {
            "sandbox": str(self.root / "code"),
            "here": str(self.root / "code"),
            "path": [sysconfig.get_path("purelib")],
            "module": module,
            "actions": actions,
            "at_once": at_once,
            "scene": {**self.values, "work_dir": str(work_dir)},
            "policy": wanted if confined else None,
            "imports": imports,
            "user": self.user,
        }
        command = [interpreter(self.user), "-I", str(self.root / "code" / "confine_child.py"), json.dumps(settings)]
        environment = {"OPENBLAS_NUM_THREADS": "1", "HOME": str(work_dir), "TMPDIR": str(work_dir)}
        # The lines of a process that is killed count too.
        finished = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=environment, check=False
        )
        applied: list[str] = []
        results: dict[str, tuple[Any, Any, str]] = {}
        for line in finished.stdout.splitlines():
            said = json.loads(line)
            applied = said["applied"]
            results |= {name: tuple(result) for name, result in said["results"].items()}
        if finished.returncode == 0 and set(results) != set(actions):
            pytest.fail(f"the process said {finished.stdout!r} and {finished.stderr!r}")
        return Outcome(applied, results, finished.returncode, finished.stderr)

    def _fill(self) -> None:
        """Everything as it was before any attack."""
        for name in ("home", "outside", "readable"):
            shutil.rmtree(self.root / name, ignore_errors=True)
            (self.root / name).mkdir()
        for name in ("secret", "victim-of-unlink", "victim-of-rename", "file"):
            for directory in ("home", "outside", "readable"):
                (self.root / directory / name).write_text(SECRET)
        if os.getuid() == 0:
            for path in self.root.rglob("*"):
                os.chown(path, self.user, self.user, follow_symlinks=False)


def users() -> list[int]:
    """Users to try: root and an unprivileged one if these tests run as root, else the present one."""
    return [0, NOBODY] if os.getuid() == 0 else [os.getuid()]


@cache
def interpreter(user: int) -> str:
    """An interpreter that the user can run."""
    own = getattr(sys, "_base_executable", sys.executable)
    if user == os.getuid():
        return str(own)
    for candidate in (own, "/usr/bin/python3", "/usr/local/bin/python3"):
        if all(map(_open_to_others, [candidate])) and _works(candidate):
            return str(candidate)
    pytest.skip("no Python of version 3.10 or newer here can be run by other users than root")


def _works(candidate: str) -> bool:
    check = "import sys, ctypes; sys.exit(sys.version_info < (3, 10))"
    return (
        subprocess.run([candidate, "-I", "-c", check], check=False, user=NOBODY, capture_output=True).returncode == 0
    )


def _open_to_others(path: str) -> bool:
    real = Path(os.path.realpath(path))
    return real.exists() and all(each.stat().st_mode & 1 for each in (real, *real.parents))


@contextmanager
def scene(user: int) -> Iterator[Scene]:
    """Set the scene for a user, and clear it away."""
    root = Path(tempfile.mkdtemp(prefix="confine-"))
    servers = []
    try:
        root.chmod(0o755)
        code = root / "code"
        shutil.copytree(_SOURCE, code / "confine", ignore=shutil.ignore_patterns("__pycache__"))
        for module in _HERE.glob("confine_*.py"):
            shutil.copy(module, code)
        (root / "work").mkdir()
        made = Scene(user, root)
        for name in ("home", "outside", "readable"):
            made.values[name] = str(root / name)

        tcp = socket.create_server(("127.0.0.1", 0), backlog=100)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(str(root / "socket"))
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(f"\0{root}")
        datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        datagram.bind(f"\0{root}-datagram")
        servers = [tcp, udp, unix, abstract, datagram]
        unix.listen(100)
        abstract.listen(100)
        made.values |= {
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "unix": str(root / "socket"),
            "abstract": str(root),
            "abstract_datagram": f"{root}-datagram",
        }
        with _victim(user) as (process, address):
            made.values |= {"victim": process, "address": address}
            yield made
    finally:
        for server in servers:
            server.close()
        shutil.rmtree(root)


@contextmanager
def _victim(user: int) -> Iterator[tuple[int, int]]:
    """A process of the same user, with a secret in its environment and in its memory."""
    program = (
        f"import ctypes; s = ctypes.create_string_buffer(b'{SECRET}'); print(ctypes.addressof(s), flush=True); input()"
    )
    command = [interpreter(user), "-I", "-c", program]
    as_user: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if os.getuid() == 0 else {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"SECRET": SECRET}, **as_user
    ) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
        process.kill()
