"""Packages for the interpreter in WebAssembly: found and downloaded by the host, since the code has no network."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from smolagents._fetching import PipError, cache_directory, pip_download
from smolagents.executors.wasm.distribution import Distribution

__all__ = ["PackageError", "Packages", "find_packages"]

_FRESH_SECONDS = 7 * 24 * 3600.0
"""For how long the package index is not asked again what the newest versions are."""


class PackageError(RuntimeError):
    """A package cannot be installed in the interpreter; the text says which and why."""


@dataclass
class Packages:
    """Packages, ready to be put into an interpreter."""

    local: dict[str, None] = field(default_factory=dict)
    """Names of those that Pyodide loads from its own directory."""
    wheels: dict[str, bytes] = field(default_factory=dict)
    """The others, by their file names."""

    def added(self, others: Packages) -> Packages:
        """These and `others`."""
        return Packages({**self.local, **others.local}, {**self.wheels, **others.wheels})


def find_packages(
    requirements: Sequence[str], distribution: Distribution, log: Callable[[str], None] = lambda _: None
) -> Packages:
    """What must be installed for `requirements`, with all that they depend on.

    Packages of the Pyodide directory come first, then the package index, asked through pip for wheels in pure Python
    or built for Pyodide. What it gave is kept for a week, and for longer when it cannot be reached.

    Raises:
        PackageError: one of them is not to be had.
    """
    names = [_normalised(requirement) for requirement in requirements]
    if all(distribution.has(name) for name in names):
        return Packages(local=dict.fromkeys(names))
    from filelock import FileLock

    key = json.dumps([sorted(requirements), distribution.python_version, distribution.platforms])
    folder = cache_directory() / "pyodide" / "wheels" / hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not (folder.is_dir() and time.time() - folder.stat().st_mtime < _FRESH_SECONDS):
                log(f"Fetching {', '.join(requirements)} for WebAssembly ...")
                try:
                    _download(requirements, distribution, folder)
                except PipError as error:
                    if not folder.is_dir():
                        raise PackageError(_reason(error, requirements, distribution)) from None
                    log(f"The packages fetched earlier are used: {error.said}")
            return _read(folder, distribution)
    except OSError as error:
        raise PackageError(
            f"{', '.join(requirements)} cannot be kept in {folder.parent}: {error}. "
            "Set SMOLAGENTS_CACHE to a directory that can be written to."
        ) from error


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _download(requirements: Sequence[str], distribution: Distribution, folder: Path) -> None:
    major, minor = distribution.python_version.split(".")[:2]
    options = ["--python-version", f"{major}.{minor}", "--implementation", "cp"]
    for abi in (f"cp{major}{minor}", "abi3", "none"):
        options += ["--abi", abi]
    for platform in distribution.platforms:
        options += ["--platform", platform]
    if distribution.has_packages:
        options += ["--find-links", str(distribution.directory)]
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder.parent) as name:
        place = Path(name) / "wheels"
        place.mkdir()
        pip_download(requirements, place, options)
        if folder.exists():
            shutil.rmtree(folder)
        place.rename(folder)
    os.utime(folder)


def _read(folder: Path, distribution: Distribution) -> Packages:
    known = {entry["file_name"]: name for name, entry in distribution.packages.items()}
    found = Packages()
    for wheel in sorted(folder.glob("*.whl")):
        name = known.get(wheel.name)
        if name is not None and distribution.has(name):
            found.local[name] = None
        else:
            found.wheels[wheel.name] = wheel.read_bytes()
    return found


def _reason(error: PipError, requirements: Sequence[str], distribution: Distribution) -> str:
    missing = re.search(r"No matching distribution found for ([\w.-]+)|depends on ([\w.-]+)", error.output)
    if missing is None or "pip is not installed" in error.said:
        return f"{', '.join(requirements)} cannot be fetched for WebAssembly: {error.said}"
    name = missing[1] or missing[2]
    bare = [re.split(r"[^\w.-]", requirement)[0] for requirement in requirements]
    needed = "" if name in bare else f", which {', '.join(requirements)} needs,"
    if "NewConnectionError" in error.output or "ConnectTimeout" in error.output or "retrying" in error.output.lower():
        return f"{name}{needed} cannot be fetched: the package index cannot be reached."
    text = (
        f"{name}{needed} cannot be installed in WebAssembly: the package index has no wheel of it that is pure Python "
        f"or built for {distribution.platforms[0]} and Python {distribution.python_version}."
    )
    if _normalised(name) in distribution.packages:
        text += " A full release of Pyodide brings it: unpack one and name its directory with pyodide_dir."
    return text
