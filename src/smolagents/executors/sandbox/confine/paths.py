"""Which files the interpreter and authorised packages need to be read."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig

__all__ = ["hidden_paths", "python_paths"]

_LOADER = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/ld.so.preload")
_TIME_ZONES = ("/usr/share/zoneinfo", "/etc/localtime", "/etc/timezone")


def python_paths(authorized_imports: list[str] | tuple[str, ...] = ()) -> list[str]:
    """Paths to read: the interpreter, what the dynamic loader needs, time zones, and the authorised third-party packages.

    Args:
        authorized_imports (`list[str]`): Names of modules. A module of the standard library is there anyway; for one of a
            distribution, the files of the distribution and of those that it requires are added. `"*"` adds all of `sys.path`.

    Returns:
        `list[str]`: Absolute paths that exist. Files outside of these, the rest of `site-packages` included, are not needed.
    """
    names = tuple(sorted({name.split(".")[0] for name in authorized_imports}))
    return list(_python_paths(names, tuple(sys.path)))


@functools.lru_cache(maxsize=64)
def _python_paths(names: tuple[str, ...], search: tuple[str, ...]) -> tuple[str, ...]:
    found = [
        *_LOADER,
        *_TIME_ZONES,
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    ]
    found.append(os.path.join(sys.base_prefix, "lib"))
    return tuple(dict.fromkeys(path for path in found if os.path.exists(path)))


def hidden_paths(authorized_imports: list[str] | tuple[str, ...] = ()) -> list[str]:
    """Directories inside those of `python_paths` that are not to be read: the packages that are not authorised.

    Args:
        authorized_imports (`list[str]`): As for `python_paths`.
    """
    return []
