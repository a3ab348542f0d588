"""Memory snapshots: an interpreter that starts from one needs a tenth of the time.

A snapshot is the memory of an interpreter that has loaded the worker and the modules that code uses most, taken
before any code of a model has run in it. It is made once for each version of Pyodide and of the worker.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from functools import lru_cache
from pathlib import Path

from smolagents._fetching import cache_directory
from smolagents.executors.wasm.connection import DenoConnection, interpreter_source
from smolagents.executors.wasm.distribution import Distribution
from smolagents.executors.wasm.process import FOLDER

__all__ = ["find_snapshot", "forget_snapshot"]

_KEPT = 3
"""Snapshots that are kept, those used last; each has 32 MB."""


def find_snapshot(deno: str, distribution: Distribution) -> Path | None:
    """The snapshot for a distribution, made if there is none; None where it cannot be kept.

    Raises:
        WorkerLostError: the interpreter does not start.
    """
    from filelock import FileLock

    folder = cache_directory() / "pyodide" / "snapshots"
    snapshot = folder / f"{_key(distribution.core_files)}.bin"
    try:
        if not snapshot.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                if not snapshot.is_file():
                    _make(deno, distribution, snapshot)
                    _prune(folder)
        os.utime(snapshot)
    except OSError:
        return snapshot if snapshot.is_file() else None
    return snapshot


def forget_snapshot(snapshot: Path) -> None:
    """Remove a snapshot that does not work."""
    with contextlib.suppress(OSError):
        snapshot.unlink()


def _make(deno: str, distribution: Distribution, snapshot: Path) -> None:
    connection = DenoConnection(deno, distribution.directory, make_snapshot=True)
    try:
        data = connection.take_snapshot()
    finally:
        connection.close()
    partial = snapshot.with_suffix(f".{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(snapshot)
    finally:
        partial.unlink(missing_ok=True)


def _prune(folder: Path) -> None:
    with contextlib.suppress(OSError):
        oldest = sorted(folder.glob("*.bin"), key=lambda path: path.stat().st_mtime)[:-_KEPT]
        for path in (*oldest, *folder.glob("*.partial")):
            path.unlink(missing_ok=True)


@lru_cache(maxsize=8)
def _key(core_files: tuple[Path, ...]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in (*core_files, FOLDER / "worker.mjs"):
        digest.update(path.read_bytes())
    digest.update(interpreter_source().encode())
    return digest.hexdigest()
