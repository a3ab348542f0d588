"""The private directories of workers.

A fork server has one directory, of which each of its workers gets a part. It holds a lock on it. If the fork server
is killed, the lock is gone with it, and the next one finds the directory and removes it.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress

__all__ = ["Directories"]

_PREFIX = "smolagents-sandbox-"
_UNFINISHED = ".smolagents-sandbox-"


class Directories:
    """Makes directories in a directory of its own in `parent`."""

    def __init__(self, parent: str) -> None:
        self.parent = parent
        self.base = ""
        """The directory of its own; empty until it is needed."""
        self._lock = -1
        self._count = 0

    def make(self) -> str:
        """A new directory that only this user can enter.

        Raises:
            OSError: `parent` does not permit it.
        """
        if not self.base:
            self._make_base()
        self._count += 1
        path = f"{self.base}/{self._count}"
        os.mkdir(path, 0o700)
        return path

    def _make_base(self) -> None:
        name = os.urandom(6).hex()
        unfinished = os.path.join(self.parent, _UNFINISHED + name)
        os.mkdir(unfinished, 0o700)
        # It gets its name when it is locked: without a lock, another fork server would take it for abandoned.
        self._lock = os.open(unfinished, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with suppress(OSError):  # a file system without locks: nothing is found abandoned there either
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        base = os.path.join(self.parent, _PREFIX + name)
        os.rename(unfinished, base)
        self.base = base

    def abandoned(self) -> list[str]:
        """Directories of fork servers of this user that were killed. Only the caller will be told of them."""
        found = []
        try:
            names = os.listdir(self.parent)
        except OSError:
            return []
        for name in names:
            if not name.startswith(_PREFIX):
                continue
            path = os.path.join(self.parent, name)
            try:
                fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                status = os.fstat(fd)
                if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) != 0o700:
                    continue
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found.append(path)
            except OSError:
                continue
            finally:
                os.close(fd)
        return found

    def close(self) -> None:
        """Remove the directory that the others were in."""
        if self.base:
            with suppress(OSError):  # something is left in it
                os.rmdir(self.base)
            os.close(self._lock)
            self.base = ""
