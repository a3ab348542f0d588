"""Files that users hand over: what they may be, and where they go."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

__all__ = ["CHAT_TYPES", "DEFAULT_TYPES", "IMAGE_TYPES", "MAX_BYTES", "UploadError", "keep_upload"]

DEFAULT_TYPES = (".pdf", ".docx", ".txt")
"""What `GradioUI.upload_file` takes if it is told nothing else."""
IMAGE_TYPES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
CHAT_TYPES = (*DEFAULT_TYPES, ".md", ".csv", ".json", *IMAGE_TYPES, ".wav", ".mp3", ".ogg", ".flac")
"""What the chat takes."""
MAX_BYTES = 25 * 2**20
"""Bytes of one file."""
MAX_PIXELS = 50_000_000
"""Of one picture, which may need 4 bytes of memory for each."""

_TEXTS = (".txt", ".md", ".csv", ".tsv", ".json", ".yaml", ".yml", ".py", ".log")
_STARTS = {
    ".pdf": (b"%PDF-",),
    ".wav": (b"RIFF",),
    ".mp3": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    ".ogg": (b"OggS",),
    ".flac": (b"fLaC",),
    ".zip": (b"PK\x03\x04",),
    ".xlsx": (b"PK\x03\x04",),
    ".pptx": (b"PK\x03\x04",),
}
_PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF", ".webp": "WEBP"}
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


class UploadError(ValueError):
    """A file that is not taken, with the reason as the user is told it."""


def keep_upload(source: str | os.PathLike[str], name: str, folder: Path, allowed: Sequence[str]) -> Path:
    """Check an uploaded file, and copy it into `folder` under a name that is not taken.

    Args:
        source: The file.
        name: Its name on the user's side. Only the last part counts, made harmless.
        folder: Where to put it; made if it is not there.
        allowed: Suffixes that are taken, such as ".pdf". For the well-known ones the content must be what the suffix
            says.

    Returns:
        Path of the copy, whole, with symbolic links resolved.

    Raises:
        UploadError: too large, or not of a type that is taken.
        OSError: the file cannot be read, or not be written.
    """
    shown = _harmless(name)
    suffix = Path(shown).suffix.lower()
    types = [each.lower() for each in allowed]
    if suffix not in types:
        raise UploadError(
            f"{shown}: files of the type {suffix or 'without a suffix'} are not taken, only {', '.join(types)}"
        )
    with open(source, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_BYTES:
            raise UploadError(f"{shown}: {size / 2**20:.0f} MB are too much, {MAX_BYTES // 2**20} MB is the most")
        if not _is_what_it_says(file, suffix):
            raise UploadError(f"{shown}: its content is not that of a {suffix} file")
        file.seek(0)
        folder.mkdir(parents=True, exist_ok=True)
        return _copied(file, folder.resolve(), shown)


def _harmless(name: str) -> str:
    """The last part of a path, without what file systems give a meaning to."""
    last = re.split(r"[/\\]", name)[-1]
    last = re.sub(r'[\x00-\x1f\x7f<>:"|?*]', "", last).strip().lstrip(".").rstrip(". ")
    stem, suffix = os.path.splitext(last)
    stem = "_" + stem if _RESERVED.match(last) else stem
    return (stem[:80] or "file") + suffix[:16]


def _copied(file: BinaryIO, folder: Path, name: str) -> Path:
    stem, suffix = os.path.splitext(name)
    number = 1
    while True:
        path = folder / (name if number == 1 else f"{stem}-{number}{suffix}")
        try:
            with path.open("xb") as copy:
                while piece := file.read(2**20):
                    copy.write(piece)
            return path
        except FileExistsError:
            number += 1


def _is_what_it_says(file: BinaryIO, suffix: str) -> bool:
    check: Callable[[BinaryIO], bool] | None = None
    if suffix in _TEXTS:
        check = _is_text
    elif suffix == ".docx":
        check = _is_word
    elif suffix in _PICTURES:
        return _is_picture(file, _PICTURES[suffix])
    elif suffix in _STARTS:
        start = file.read(16)
        return start.startswith(_STARTS[suffix]) and (suffix != ".wav" or start[8:12] == b"WAVE")
    return check is None or check(file)


def _is_text(file: BinaryIO) -> bool:
    data = file.read()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\x00" in data:
        return False
    else:
        encoding = "utf-8"
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        # An old encoding of one byte a letter: no control characters is the best that can be asked of it.
        return encoding == "utf-8" and not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", data)
    return True


def _is_word(file: BinaryIO) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return "word/document.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _is_picture(file: BinaryIO, format: str) -> bool:
    from PIL import Image

    try:
        with Image.open(file, formats=[format]) as image:
            pixels = image.width * image.height
            image.verify()
    except Exception:  # what a broken picture raises depends on how it is broken
        return False
    if pixels > MAX_PIXELS:
        raise UploadError(
            f"a picture of {pixels / 1e6:.0f} million pixels is too large, {MAX_PIXELS / 1e6:.0f} million is the most"
        )
    return True
