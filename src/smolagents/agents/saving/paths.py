"""Files of an agent, none of which may be outside its folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

__all__ = ["checked_path", "root_of", "text_of"]


def checked_path(path: Any, at: str) -> Path:
    """A relative path that stays in the folder it is relative to, as far as its words tell.

    Args:
        path: The path, with `/` or `\\` between folders.
        at: What it is called in errors.

    Raises:
        ValueError: it is absolute, or leads upwards.
    """
    if not isinstance(path, str) or not path.strip():
        raise ValueError(f"{at} must be a path, not {path!r:.80}")
    parts = path.replace("\\", "/").split("/")
    if parts[0] in ("", "~") or re.match(r"[A-Za-z]:", path) or ".." in parts:
        raise ValueError(
            f"{at}: the path {path!r:.200} leads out of the folder of the file it is written in: put what it names into "
            "that folder, and write the path from there"
        )
    return Path(*parts)


def root_of(folder: Path) -> Path:
    """Where the files of a folder may be. Snapshots in the Hub's cache hold links to blobs beside them."""
    resolved = folder.resolve()
    for each in (resolved, *resolved.parents):
        if each.parent.name == "snapshots" and (each.parent.parent / "blobs").is_dir():
            return each.parent.parent
    return resolved


def check_inside(path: Path, root: Path, remedy: str) -> None:
    """Check that a path, with its links followed, leads to something inside `root`.

    Raises:
        FileNotFoundError: there is nothing; the message ends with `remedy`.
        ValueError: it leads out, or cannot be followed.
    """
    try:
        inside = path.resolve(strict=True).is_relative_to(root)
    except FileNotFoundError:
        raise FileNotFoundError(f"{str(path)!r} is missing: {remedy}.") from None
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error}") from error
    if not inside:
        raise ValueError(f"{str(path)!r} is a link out of the folder {str(root)!r}: put the file itself there")


def text_of(path: Path, root: Path, remedy: str) -> str:
    """The text of a file inside `root`.

    Raises:
        FileNotFoundError, ValueError: as `check_inside`; or it is no text in UTF-8.
    """
    check_inside(path, root, remedy)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{str(path)!r} is not a text in UTF-8: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
