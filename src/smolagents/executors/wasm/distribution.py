"""The Pyodide distribution: where it is, what packages it brings, and fetching it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from smolagents._fetching import cache_directory

__all__ = ["VERSION", "Distribution", "FetchError", "default_directory", "fetch", "find_distribution"]

VERSION = "314.0.7"
"""Version of Pyodide that is fetched. It brings CPython 3.14."""

_SHA512 = "0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="
"""Hash of the npm package `pyodide` of that version, in base 64, as the registry publishes it."""
_CORE = ("pyodide.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
_MACHINE = ("pyodide.asm.mjs", "pyodide.asm.js")
"""Further core file, by what it is called in releases from 314, and before."""
_MOST_BYTES = 100 * 2**20
_TIMEOUT = 60.0
_REGISTRY = "https://registry.npmjs.org"
_COMMAND = "python -m smolagents.executors.wasm fetch"


class FetchError(RuntimeError):
    """Pyodide cannot be fetched, or is not what it should be."""


@dataclass(frozen=True)
class Distribution:
    """A Pyodide distribution in a directory."""

    directory: Path
    python_version: str
    """Such as `3.14.2`."""
    platforms: tuple[str, ...]
    """Platform tags of wheels that it can load."""
    packages: Mapping[str, Mapping[str, Any]]
    """What the distribution's lock file says about packages, by their normalised names."""

    @property
    def core_files(self) -> tuple[Path, ...]:
        """Files that the interpreter consists of."""
        machine = next(name for name in _MACHINE if (self.directory / name).is_file())
        return tuple(self.directory / name for name in (*_CORE, machine))

    def has(self, name: str) -> bool:
        """Whether the directory holds the package `name` and what it needs."""
        waiting, seen = [name], set()
        while waiting:
            entry = self.packages.get(waiting.pop())
            if entry is None or not (self.directory / entry["file_name"]).is_file():
                return False
            seen.add(entry["name"])
            waiting += [other for other in entry["depends"] if other not in seen]
        return True

    @property
    def has_packages(self) -> bool:
        """Whether the directory holds any package."""
        return any(self.directory.glob("*.whl"))


def default_directory() -> Path:
    """Where Pyodide is kept when it is fetched."""
    return cache_directory() / "pyodide" / VERSION


def find_distribution(directory: str | os.PathLike[str] | None = None) -> Distribution:
    """The distribution in `directory`, or the one that was fetched.

    Raises:
        FileNotFoundError: there is none; the text says how to get it.
        ValueError: what is there is no distribution that can be used.
    """
    place = default_directory() if directory is None else Path(directory).expanduser().resolve()
    missing = _missing(place)
    if missing:
        if directory is None:
            raise FileNotFoundError(
                f"The wasm executor needs Pyodide, which is not in {place}. Fetch it once (6.5 MB) with: {_COMMAND}. "
                "Or name a directory that holds it with pyodide_dir."
            )
        raise FileNotFoundError(
            f"pyodide_dir={os.fspath(directory)!r} holds no Pyodide: {', '.join(missing)} missing. "
            "It must be an unpacked Pyodide release, or the folder 'package' of the npm package 'pyodide'."
        )
    try:
        lock = json.loads((place / "pyodide-lock.json").read_text("utf-8"))
        info = lock["info"]
        abi = info["abi_version"]
        platforms = (f"pyemscripten_{abi}_wasm32", f"pyodide_{abi}_wasm32", f"{info['platform']}_wasm32")
        return Distribution(place, info["python"], platforms, lock["packages"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{place / 'pyodide-lock.json'} cannot be read ({type(error).__name__}: {error}).") from error


def _missing(place: Path) -> list[str]:
    names = [name for name in _CORE if not (place / name).is_file()]
    if not any((place / name).is_file() for name in _MACHINE):
        names.append(_MACHINE[0])
    return names


def fetch(url: str | None = None) -> Path:
    """Fetch Pyodide from the npm registry, unless it is there. Two processes that ask fetch it once.

    Args:
        url: Address of the npm package's archive. By default `PYODIDE_URL`, or that in the registry of
            `npm_config_registry`, or that in npm's own.

    Returns:
        The directory that holds it.

    Raises:
        FetchError: it cannot be downloaded or kept, or has the wrong hash.
    """
    from filelock import FileLock

    target = default_directory()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if _missing(target):
                _fetch_into(target, url or os.environ.get("PYODIDE_URL") or _registry_url())
    except OSError as error:
        raise FetchError(
            f"Pyodide cannot be kept in {target.parent}: {error}. "
            "Set SMOLAGENTS_CACHE to a directory that can be written to."
        ) from error
    return target


def _registry_url() -> str:
    setting = os.environ.get("npm_config_registry") or os.environ.get("NPM_CONFIG_REGISTRY")  # noqa: SIM112 as npm
    registry = setting or _REGISTRY
    return f"{registry.rstrip('/')}/pyodide/-/pyodide-{VERSION}.tgz"


def _fetch_into(target: Path, url: str) -> None:
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as name:
        place = Path(name)
        with tempfile.TemporaryFile(dir=place) as archive:
            found = _download(url, archive)
            if found != _SHA512:
                raise FetchError(
                    f"{url} delivered something that is not Pyodide {VERSION}, and it was deleted: "
                    f"its SHA-512 is {found}, expected {_SHA512}."
                )
            archive.seek(0)
            _unpack(archive, place / "pyodide")
        if target.exists():  # a fetch that was cut short, or files that were removed since
            shutil.rmtree(target)
        (place / "pyodide").rename(target)


def _download(url: str, archive: IO[bytes]) -> str:
    import urllib.error
    import urllib.request

    digest = hashlib.sha512()
    length = 0
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
            while block := response.read(2**20):
                length += len(block)
                if length > _MOST_BYTES:
                    raise FetchError(f"{url} delivers more than {_MOST_BYTES >> 20} MB; it is not Pyodide.")
                digest.update(block)
                archive.write(block)
    except (OSError, ValueError) as error:
        reason: object = getattr(error, "reason", error)
        if isinstance(error, urllib.error.HTTPError):
            reason = error
            error.close()
        raise FetchError(
            f"{url} cannot be fetched ({reason}). Try again, or get the npm package pyodide {VERSION} elsewhere and "
            f"run: {_COMMAND} --url file:///path/to/pyodide-{VERSION}.tgz"
        ) from None
    return base64.b64encode(digest.digest()).decode()


def _unpack(archive: IO[bytes], place: Path) -> None:
    place.mkdir()
    with tarfile.open(fileobj=archive, mode="r:gz") as tar:
        for name in (*_CORE, _MACHINE[0], "package.json"):
            member = tar.extractfile(f"package/{name}")
            assert member is not None  # the hash was right
            with member, (place / name).open("wb") as file:
                shutil.copyfileobj(member, file)
