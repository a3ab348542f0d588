"""Where fetched files are kept, and downloads through pip."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["PipError", "cache_directory", "pip_download"]


class PipError(RuntimeError):
    """pip could not download something.

    Args:
        said: Its last line about an error, or why it could not be started.
        output: All that it said.
    """

    def __init__(self, said: str, output: str = "") -> None:
        super().__init__(said)
        self.said = said
        self.output = output


def cache_directory() -> Path:
    """Where files are kept: `SMOLAGENTS_CACHE` if it is set, else the user's cache directory of the system."""
    chosen = os.environ.get("SMOLAGENTS_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "smolagents"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "smolagents" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smolagents"


def pip_download(requirements: Sequence[str], place: Path, options: Sequence[str] = ()) -> list[Path]:
    """Download wheels with pip, so that the user's index, proxy and certificates are those that are used.

    Args:
        requirements: What to download, as one writes it for pip.
        place: Directory for the wheels.
        options: Further options of `pip download`.

    Returns:
        The wheels in `place`.

    Raises:
        PipError: pip is not installed, or has failed.
    """
    import subprocess

    command = [sys.executable, "-m", "pip", "download", "--progress-bar", "off", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(place), *options, "--", *requirements]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if result.returncode == 0:
        return sorted(place.glob("*.whl"))
    if "No module named pip" in result.stderr:
        raise PipError(
            f"pip is not installed for {sys.executable}; install it with: python -m ensurepip, or: uv pip install pip."
        )
    lines = [line for line in result.stderr.splitlines() if "ERROR" in line] or result.stderr.splitlines()
    raise PipError(lines[-1].strip() if lines else "pip gave no reason", result.stdout + result.stderr)
