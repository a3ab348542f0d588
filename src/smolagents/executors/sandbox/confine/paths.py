"""Which files the interpreter and the authorised packages need to be read. For the host; a worker does not import this."""

from __future__ import annotations

import functools
import glob
import os
import sys
import sysconfig
import zoneinfo

from .distributions import modules_of

__all__ = ["hidden_paths", "python_paths"]

_SHARED_LIBRARIES = ("/lib", "/lib64", "/usr/lib64", "/usr/lib")
_STORES = ("/nix/store", "/gnu/store")  # where each package is a directory of its own, that others refer to
_LOADER = ("/etc/ld.so.cache", "/etc/ld-musl-x86_64.path", "/etc/ld-musl-aarch64.path")
_CLOCK = ("/etc/localtime", "/etc/timezone")
_PACKAGE_DIRECTORIES = ("site-packages", "dist-packages")
_SYSTEM_PREFIXES = ("/", "/usr", "/usr/local")


def python_paths(authorized_imports: list[str] | tuple[str, ...] = ()) -> list[str]:
    """Paths to read: the interpreter, what the dynamic loader needs, time zones, and the authorised third-party packages.

    Args:
        authorized_imports (`list[str]`): Names of modules. Those of the standard library are there anyway. For others the
            modules of their distribution and of those that it requires are added, wherever they are found (installed,
            editable, on `PYTHONPATH`). `"*"` adds every directory of `sys.path` but the present directory and those that hold
            the home directory.

    Returns:
        `list[str]`: Absolute paths that exist. Some hold directories that are not to be read: see `hidden_paths`.
    """
    return list(_paths(tuple(sorted(set(authorized_imports))), tuple(sys.path))[0])


def hidden_paths(authorized_imports: list[str] | tuple[str, ...] = ()) -> list[str]:
    """Directories of installed packages, of which nothing is to be read but what `python_paths` names.

    Args:
        authorized_imports (`list[str]`): As for `python_paths`.
    """
    return list(_paths(tuple(sorted(set(authorized_imports))), tuple(sys.path))[1])


@functools.lru_cache(maxsize=64)
def _paths(authorized: tuple[str, ...], search: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    readable = [*_interpreter(), *_LOADER, *_CLOCK, *zoneinfo.TZPATH]
    if "*" in authorized:
        packages = [path for path in search if path and not _holds_home(path)]
    else:
        packages = modules_of([name for name in authorized if name.partition(".")[0] not in sys.stdlib_module_names])
    readable = [os.path.abspath(path) for path in dict.fromkeys([*readable, *packages]) if os.path.exists(path)]
    readable = _outermost(readable)
    packages = [path for path in map(os.path.abspath, packages) if os.path.exists(path)]
    hidden = [path for path in _package_directories(search) if path not in packages and _inside(path, readable)]
    # A package is found by listing the directory that it is in.
    if "*" not in authorized:
        hidden += [path for path in map(os.path.dirname, packages) if path not in readable and path in search]
    readable += [path for path in packages if path not in readable and _inside(path, hidden)]
    return tuple(readable), tuple(dict.fromkeys(hidden))


def _interpreter() -> list[str]:
    """The standard library, and the shared libraries that it, the interpreter and extension modules may load."""
    base = _base()
    found = [sysconfig.get_path("stdlib", vars=base), sysconfig.get_path("platstdlib", vars=base)]
    found += [path for path in sys.path if path.endswith(".zip") and path.startswith(sys.base_prefix)]
    library = sysconfig.get_config_var("INSTSONAME")
    if library:
        found.append(os.path.join(sysconfig.get_config_var("LIBDIR") or "", library))
    found += [store for store in _STORES if sys.base_prefix.startswith(store)]
    if sys.base_prefix not in _SYSTEM_PREFIXES:
        found.append(os.path.join(sys.base_prefix, "lib"))
    platform = sysconfig.get_config_var("MULTIARCH")
    for directory in _SHARED_LIBRARIES:
        multiarch = f"{directory}/{platform}"
        # Where libraries have a directory of their own, the rest of the system's is not needed.
        found.append(multiarch if platform and os.path.isdir(multiarch) else directory)
    return [path for path in [*found, *_configured_libraries()] if path]


def _base() -> dict[str, str]:
    """What `sysconfig` needs to tell the places of the interpreter rather than those of a virtual environment."""
    base, platform = sys.base_prefix, sys.base_exec_prefix
    return {"base": base, "installed_base": base, "platbase": platform, "installed_platbase": platform}


def _configured_libraries() -> list[str]:
    """Directories that the dynamic loader was told of in /etc/ld.so.conf.d."""
    found = []
    for name in glob.glob("/etc/ld.so.conf.d/*.conf"):
        try:
            with open(name, encoding="utf-8", errors="replace") as file:
                lines = [line.strip() for line in file]
        except OSError:
            continue
        found += [line for line in lines if line.startswith("/") and os.path.dirname(line) not in ("", "/")]
    return found


def _package_directories(search: tuple[str, ...]) -> list[str]:
    """Directories of installed packages, of this environment and of those that lie in the same places."""
    found = [path for path in search if os.path.basename(path) in _PACKAGE_DIRECTORIES]
    found += [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    found += [sysconfig.get_path(name, vars=_base()) for name in ("purelib", "platlib")]
    for prefix in ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"):
        for name in _PACKAGE_DIRECTORIES:
            found += glob.glob(f"{prefix}/python3*/{name}")
    return [path for path in dict.fromkeys(os.path.realpath(each) for each in found) if os.path.isdir(path)]


def _holds_home(path: str) -> bool:
    home = os.path.realpath(os.path.expanduser("~"))
    return home == os.path.realpath(path) or home.startswith(os.path.realpath(path).rstrip("/") + "/")


def _outermost(paths: list[str]) -> list[str]:
    return [path for path in paths if not _inside(path, [other for other in paths if other != path])]


def _inside(path: str, directories: list[str]) -> bool:
    return any(path.startswith(directory.rstrip("/") + "/") for directory in directories)
