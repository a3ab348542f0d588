"""Paths that a user names, and which of them would let code out of the sandbox."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

__all__ = ["IMPORT_PATH", "existing_path", "existing_paths", "import_path", "is_under", "place_to_import_from"]

IMPORT_PATH = "import_path"
"""Opt-out: the code may write where this program looks for modules."""


def existing_path(argument: str, path: str | os.PathLike[str]) -> str:
    """`path` as an absolute path; `~` is the home directory.

    Raises:
        ValueError: It does not exist. The text names `argument`.
    """
    absolute = os.path.abspath(os.path.expanduser(os.fspath(path)))
    if not os.path.exists(absolute):
        raise ValueError(f"{argument}: {absolute!r} does not exist. Make it first, or name another.")
    return absolute


def existing_paths(argument: str, paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """`paths` as absolute paths.

    Raises:
        TypeError: It is a single path instead of several.
        ValueError: One of them does not exist.
    """
    if isinstance(paths, (str, os.PathLike)):
        raise TypeError(f"{argument} must be a list of paths, not {paths!r}: write [{paths!r}].")
    return [existing_path(argument, path) for path in paths]


def import_path() -> list[str]:
    """Where this process looks for modules: absolute paths that exist."""
    found = dict.fromkeys(os.path.abspath(entry) for entry in sys.path)
    return [entry for entry in found if os.path.exists(entry)]


def is_under(path: str, directory: str) -> bool:
    """Whether `path` is `directory`, or in it."""
    directory = os.path.realpath(directory)
    return os.path.commonpath([os.path.realpath(path), directory]) == directory


def place_to_import_from(writable: Sequence[str]) -> tuple[str, str] | None:
    """A writable path, and a place in it where this program looks for modules; None if there is no such place."""
    for entry in import_path():
        for path in writable:
            if is_under(entry, path):
                return path, entry
    return None
