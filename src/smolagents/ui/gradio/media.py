"""Pictures and sounds of a run as files that a page may show."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import uuid
from functools import lru_cache
from pathlib import Path
from typing import Any

from smolagents.types.agent_types import AgentAudio, AgentImage

__all__ = ["is_image", "media_file", "media_folder"]

_LONGEST_SIDE = 1600
"""Pixels; more than a page shows, and a screenshot of a tall page can have ten times as many."""
_SOUNDS = {
    b"RIFF": ".wav",
    b"ID3": ".mp3",
    b"\xff\xfb": ".mp3",
    b"\xff\xf3": ".mp3",
    b"OggS": ".ogg",
    b"fLaC": ".flac",
}
"""Kinds of sound files by their first bytes."""


@lru_cache(maxsize=1)
def media_folder() -> Path:
    """A folder for what pages show, which goes when this process ends."""
    folder, owner = tempfile.mkdtemp(prefix="smolagents-chat-"), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a process that was forked from this one leaves it alone
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return Path(folder)


def is_image(value: Any) -> bool:
    """Whether a value is a picture."""
    pil = sys.modules.get("PIL.Image")
    return isinstance(value, AgentImage) or (pil is not None and isinstance(value, pil.Image))


def media_file(value: Any, folder: Path) -> str | None:
    """Write a picture or a sound into `folder`, and return the file's path; None for any other value.

    The folder is made if it is not there.

    A picture is written anew and a sound is looked at, so that a path which names some other file shows nothing of it.

    Raises:
        OSError: the file cannot be read or written, or holds neither.
        MissingExtraError: samples are to be written, and the extra `audio` is not installed.
    """
    if is_image(value):
        return _image_file(value, folder)
    if isinstance(value, AgentAudio):
        return _sound_file(value, folder)
    return None


def _image_file(value: Any, folder: Path) -> str:
    image = value.to_raw() if isinstance(value, AgentImage) else value
    if max(image.size) > _LONGEST_SIDE:
        image = image.copy()
        image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = image.convert("RGB")
    path = _new_file(folder, ".png")
    image.save(path, format="png")
    return os.fspath(path)


def _sound_file(value: AgentAudio, folder: Path) -> str:
    data = Path(value.to_string()).read_bytes()
    suffix = next((suffix for start, suffix in _SOUNDS.items() if data.startswith(start)), None)
    if suffix is None:
        raise OSError("the file is not a sound that a browser can play")
    path = _new_file(folder, suffix)
    path.write_bytes(data)
    return os.fspath(path)


def _new_file(folder: Path, suffix: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{uuid.uuid4().hex}{suffix}"
