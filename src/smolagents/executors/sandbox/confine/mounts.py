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

__all__ = ["Place", "enter_private_root"]

_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18  # <linux/mount.h>
_DETACH = 2

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_ATTR_RDONLY = 1  # the other MOUNT_ATTR_* are the same as above

_FILES_PER_MB = 64  # how many files a file system in memory may have; each costs the kernel about 1 KB

Place = tuple[str, int]
"""A path and a descriptor open for it (O_PATH)."""


def enter_private_root(
    readable: list[Place],
    writable: list[Place],
    work_dir: Place,
    *,
    disk_mb: int | None,
    owner: tuple[int, int],
    executable: bool,
) -> None:
    """Make a new root directory and go there; the present directory is then the work directory.

    The process must be in a mount namespace of its own. If this raises, the process still sees the root directory that it
    saw before.

    Args:
        readable (`list[Place]`): What can be read.
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
    # The work directory is a place that exists; the new root is built on it.
    _mount("tmpfs", work_dir[0], "tmpfs", _NOSUID | _NODEV, "mode=755,size=1m")
    os.chdir(work_dir[0])
    root = _Root()
    for place in sorted(readable):
        root.bind(*place)
    writable_places = [(root.make(*place), place[1]) for place in writable]
    work_place = root.make(*work_dir)
    _set_attributes(".", _ATTR_RDONLY | _NOSUID)
    flags = _NOSUID | _NODEV | (0 if executable else _NOEXEC)
    for real, descriptor in writable_places:
        _mount(f"/proc/self/fd/{descriptor}", "." + real, None, _BIND | _RECURSIVE)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            _set_attributes("." + real, flags)
    if disk_mb is None:
        _mount(f"/proc/self/fd/{work_dir[1]}", "." + work_place, None, _BIND | _RECURSIVE)
        _set_attributes("." + work_place, flags)
    else:
        inodes = 256 + _FILES_PER_MB * disk_mb
        options = f"mode=700,uid={owner[0]},gid={owner[1]},size={disk_mb}m,nr_inodes={inodes}"
        _mount("tmpfs", "." + work_place, "tmpfs", flags, options)
    _change_root()
    os.chdir(work_dir[0])


class _Root:
    """Directories, links and mount points in the new root, which is the present directory."""

    def __init__(self) -> None:
        self.links: dict[str, str | None] = {}  # what each path seen is in the old root: a link's target, or no link
        self.bound: list[str] = []

    def bind(self, path: str, descriptor: int) -> None:
        real = self.make(path, descriptor)
        if not self.is_bound(real):
            _mount(f"/proc/self/fd/{descriptor}", "." + real, None, _BIND | _RECURSIVE)
            self.bound.append(real)

    def is_bound(self, path: str) -> bool:
        return any(path == bound or path.startswith(bound + "/") for bound in self.bound)

    def make(self, path: str, descriptor: int) -> str:
        """Make the parents of a path, the symbolic links on the way to it and a place to mount on; return its real path."""
        real = self._parents(path)
        if not self.is_bound(real) and not os.path.lexists("." + real):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                os.mkdir("." + real)
            else:
                os.close(os.open("." + real, os.O_CREAT | os.O_WRONLY, 0o444))
        return real

    def _parents(self, path: str) -> str:
        parts = path.split("/")[::-1]
        real = ""
        hops = 0
        while parts:
            part = parts.pop()
            if part in ("", "."):
                continue
            if part == "..":
                real = real.rpartition("/")[0]
                continue
            here = f"{real}/{part}"
            if here not in self.links:
                self.links[here] = target = _link(here)
                if not self.is_bound(here):
                    if target is not None:
                        os.symlink(target, "." + here)
                    elif parts and not os.path.isdir("." + here):
                        os.mkdir("." + here)
            target = self.links[here]
            if target is None:
                if parts and not self.is_bound(here) and not os.path.isdir("." + here):
                    os.mkdir("." + here)
                real = here
                continue
            hops += 1
            if hops > 40:  # as many as the kernel follows
                raise OSError(40, os.strerror(40), path)
            parts += target.split("/")[::-1]
            if target.startswith("/"):
                real = ""
        return real


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def _change_root() -> None:
    try:
        # The old root comes to lie over the new one, and is then taken away.
        here = ctypes.create_string_buffer(b".")
        syscall("pivot_root", address(here), address(here))
        syscall("umount2", address(here), _DETACH)
    except OSError as error:
        if error.errno != 22:
            raise
        # EINVAL: the present root is no mount, or is the one the system started with. A process without capabilities and
        # without descriptors of directories outside does not get out of this one either.
        os.chroot(".")


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
