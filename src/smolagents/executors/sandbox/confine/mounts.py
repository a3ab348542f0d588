"""A root directory that has nothing but what the policy names.

What Landlock leaves open is closed here: paths outside cannot even be looked up, their modes and times cannot be changed, and
the work directory has a size.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct

from .system import address, syscall

__all__ = ["Place", "enter_private_root", "resolve"]

_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_BIND, _MOVE, _RECURSIVE, _PRIVATE = 4096, 8192, 16384, 1 << 18  # <linux/mount.h>
_DETACH = 2

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_ATTR_RDONLY = 1  # the other MOUNT_ATTR_* are the same as above

_OTHER_FILES, _FILES_PER_MB = 256, 64  # how many files the work directory may have; each costs the kernel about 1 KB

Place = tuple[str, int]
"""A path and a descriptor open for it (O_PATH), opened in the present mount namespace."""

_READ, _HIDE, _WRITE, _LINK = "read", "hide", "write", "link"


def enter_private_root(
    *,
    readable: list[Place],
    hidden: list[Place],
    writable: list[Place],
    work_dir: Place,
    disk_mb: int | None,
    owner: tuple[int, int],
    executable: bool,
) -> None:
    """Make a new root directory and go there; the present directory is then the work directory.

    The process must be in a mount namespace of its own. If this raises, the process still sees the root directory that it
    saw before.

    Args:
        readable (`list[Place]`): What can be read.
        hidden (`list[Place]`): Directories inside readable ones that are to be empty.
        writable (`list[Place]`): What can be written.
        work_dir (`Place`): The work directory.
        disk_mb (`int | None`): Put a file system in memory of so many megabytes there; None to use the directory itself.
        owner (`tuple[int, int]`): User and group that the work directory belongs to.
        executable (`bool`): Whether files that can be written may be mapped executable.

    Raises:
        OSError: The system refused a step.
    """
    # Before anything else: no mount made here may appear outside.
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    root = _Root()
    for place in readable:
        root.add(_READ, *place)
    for place in hidden:
        root.add(_HIDE, *place)
    writable_places = [(root.add(_WRITE, *place), place[1]) for place in writable]
    work_place = root.add(_WRITE, *work_dir)
    # The work directory is a place that exists; the new root is built on it.
    _mount("tmpfs", work_dir[0], "tmpfs", _NOSUID | _NODEV, "mode=755,size=1m")
    try:
        os.chdir(work_dir[0])
        root.build()
        _set_attributes(".", _ATTR_RDONLY | _NOSUID)
        flags = _NOSUID | _NODEV | (0 if executable else _NOEXEC)
        for real, descriptor in writable_places:
            _bind(descriptor, real)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                _set_attributes("." + real, flags)
        _mount_work_dir(work_dir[1], work_place, flags, disk_mb, owner)
        # The new root is laid over the old one, as when a system starts. To take the old one away (`pivot_root`, `umount`)
        # would wait for all processors, often for milliseconds, and add nothing: a process without capabilities and without
        # descriptors of directories outside has no way to it.
        _mount(".", "/", None, _MOVE)
    except OSError:
        os.chdir("/")
        target = ctypes.create_string_buffer(os.fsencode(work_dir[0]))
        syscall("umount2", address(target), _DETACH)
        raise
    os.chroot(".")
    os.chdir(work_dir[0])


def _mount_work_dir(descriptor: int, place: str, flags: int, disk_mb: int | None, owner: tuple[int, int]) -> None:
    if disk_mb is None:
        # Not what is mounted in it: the new root is.
        _mount(f"/proc/self/fd/{descriptor}", "." + place, None, _BIND)
        _set_attributes("." + place, flags)
        return
    files = _OTHER_FILES + _FILES_PER_MB * disk_mb
    options = f"mode=700,uid={owner[0]},gid={owner[1]},size={disk_mb}m,nr_inodes={files}"
    _mount("tmpfs", "." + place, "tmpfs", flags, options)


class _Root:
    """What the new root has: by real path, how it comes there. Built in the present directory."""

    def __init__(self) -> None:
        self.entries: dict[str, tuple[str, int, str]] = {}  # real path: kind, descriptor, target of a link

    def add(self, kind: str, path: str, descriptor: int) -> str:
        """Plan a path and the symbolic links on the way to it; return its real path."""
        real, links = resolve(path)
        if not real:
            raise OSError(22, "all of the root directory was asked for", path)
        for link, target in links:
            self.entries.setdefault(link, (_LINK, -1, target))
        if kind == _WRITE or self.entries.get(real, (_HIDE,))[0] == _HIDE:
            self.entries[real] = (kind, descriptor, "")
        return real

    def build(self) -> None:
        holders: dict[str, str] = {}  # what was mounted so far: _READ or _HIDE
        made = {""}
        for real in sorted(self.entries):  # parents first
            kind, descriptor, target = self.entries[real]
            holder = _holder(real, holders)
            if holder == _READ:
                if kind == _HIDE:
                    _mount("tmpfs", "." + real, "tmpfs", _NOSUID | _NODEV | _NOEXEC, "mode=755,size=1m")
                    holders[real] = _HIDE
                    made.add(real)
                continue  # it is there
            if kind == _HIDE:
                continue  # nothing to hide
            _make_parents(real, made)
            if kind == _LINK:
                os.symlink(target, "." + real)
                continue
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                if real not in made:
                    os.mkdir("." + real)
                    made.add(real)
            else:
                os.close(os.open("." + real, os.O_CREAT | os.O_WRONLY, 0o444))
            if kind == _READ:
                _bind(descriptor, real)
                holders[real] = _READ
                if stat.S_ISCHR(os.fstat(descriptor).st_mode):
                    _set_attributes("." + real, _NOEXEC)  # the same memory could be mapped to write and to execute


_resolved: dict[str, tuple[str, list[tuple[str, str]]]] = {}


def resolve(path: str) -> tuple[str, list[tuple[str, str]]]:
    """The real path of a path, and the symbolic links on the way to it with what they point to.

    Remembered: a process that forks workers calls this beforehand, and its children find it.
    """
    if path in _resolved:
        return _resolved[path]
    parts = path.split("/")[::-1]
    real = ""
    links: list[tuple[str, str]] = []
    while parts:
        part = parts.pop()
        if part in ("", "."):
            continue
        if part == "..":
            real = real.rpartition("/")[0]
            continue
        here = f"{real}/{part}"
        try:
            target = os.readlink(here)
        except OSError:  # no link
            real = here
            continue
        links.append((here, target))
        if len(links) > 40:  # as many as the kernel follows
            raise OSError(40, os.strerror(40), path)
        parts += target.split("/")[::-1]
        if target.startswith("/"):
            real = ""
    _resolved[path] = real, links
    return real, links


def _holder(path: str, holders: dict[str, str]) -> str | None:
    """What was mounted last over the directory that a path is in, None if it is in the new root itself."""
    while path:
        path = path.rpartition("/")[0]
        if path in holders:
            return holders[path]
    return None


def _make_parents(path: str, made: set[str]) -> None:
    parent = path.rpartition("/")[0]
    if parent not in made:
        _make_parents(parent, made)
        os.mkdir("." + parent)
        made.add(parent)


def _bind(descriptor: int, place: str) -> None:
    _mount(f"/proc/self/fd/{descriptor}", "." + place, None, _BIND | _RECURSIVE)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = [
        None if text is None else ctypes.create_string_buffer(os.fsencode(text))
        for text in (source, target, kind, options)
    ]
    source_at, target_at, kind_at, options_at = (0 if text is None else address(text) for text in texts)
    syscall("mount", source_at, target_at, kind_at, flags, options_at)


def _set_attributes(path: str, attributes: int) -> None:
    name = ctypes.create_string_buffer(os.fsencode(path))
    change = ctypes.create_string_buffer(struct.pack("=4Q", attributes, 0, 0, 0))
    syscall("mount_setattr", _AT_FDCWD, address(name), _AT_RECURSIVE, address(change), 32)
