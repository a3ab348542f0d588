"""Ends a browser whose program is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

__all__ = ["Guard", "await_end", "process_of"]

_END_SECONDS = 3.0

# The shell reads a line when the browser was ended in good order. When this process ends first, even by SIGKILL,
# the pipe closes and there is no line. Chrome ends with its driver: they talk by a pipe too.
_WATCH = 'read -r line && exit 0; kill -9 "$1"; sleep 1; rm -rf "$2"; sleep 2; rm -rf "$2"'


class Guard:
    """Kills a browser's driver and removes its profile when this process ends without having released them.

    Does nothing on Windows.

    Args:
        pid: Process of the driver.
        profile: The browser's private folder.
    """

    def __init__(self, pid: int, profile: str) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if os.name == "posix":
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH, "guard", str(pid), profile],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C goes to all processes of a terminal's session
            )

    def release(self) -> None:
        """The browser has ended; there is nothing left to guard."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.communicate(b"done\n", timeout=10)


def process_of(profile: str | None) -> int | None:
    """The id of the browser's process, as its lock on the profile says: a link to "host-id". None where there is none."""
    with contextlib.suppress(OSError, ValueError):
        return int(os.readlink(f"{profile}/SingletonLock").rpartition("-")[2])
    return None


def await_end(pid: int) -> None:
    """Wait until a browser whose driver is gone has ended, and kill it when it takes too long."""
    deadline = time.monotonic() + _END_SECONDS
    with contextlib.suppress(OSError):  # there is no such process any more
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
