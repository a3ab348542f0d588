"""Removes a directory that hostile code has filled.

The tree may be deeper than the interpreter's stack or the number of open files allows, may hold links to elsewhere,
and directories that forbid their owner to enter. Links are removed, never followed.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

__all__ = ["remove_tree"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str) -> None:
    """Remove the directory `path` and all that is in it, as far as the system permits."""
    try:
        os.rmdir(path)
        return
    except OSError:
        pass
    try:
        _open_up(path, None)
        root = os.open(path, _DIRECTORY)
    except OSError:
        return
    try:
        _empty(root)
    except OSError:
        pass
    finally:
        os.close(root)
    with suppress(OSError):  # the system does not permit it
        os.rmdir(path)


def _empty(root: int) -> None:
    """Remove what is in the directory `root`.

    A directory that is met is moved up into `root` before it is looked into, so that no more than two directories
    are open at a time, however deep the tree is.
    """
    count = 0
    stuck = set()
    while True:
        found = False
        for name in os.listdir(root):
            if name in stuck:
                continue
            found = True
            if _removed(name, root):
                continue
            try:
                _open_up(name, root)
                inner = os.open(name, _DIRECTORY, dir_fd=root)
            except OSError:
                stuck.add(name)
                continue
            try:
                for below in os.listdir(inner):
                    if not _removed(below, inner):
                        count += 1
                        _open_up(below, inner)  # a directory moves only if its owner may write in it
                        os.rename(below, f".{count}.{os.urandom(8).hex()}", src_dir_fd=inner, dst_dir_fd=root)
            except OSError:
                stuck.add(name)
            finally:
                os.close(inner)
            if not _removed(name, root):
                stuck.add(name)
        if not found:
            return


def _removed(name: str, directory: int) -> bool:
    """Whether `name` in `directory` could be removed: a file, a link, an empty directory."""
    try:
        os.unlink(name, dir_fd=directory)
        return True
    except FileNotFoundError:
        return True
    except OSError:
        pass
    try:
        os.rmdir(name, dir_fd=directory)
        return True
    except OSError:
        return False


def _open_up(name: str, directory: int | None) -> None:
    """Let the owner of the directory `name` enter and change it."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        raise NotADirectoryError(name)
    os.chmod(name, 0o700, dir_fd=directory)
