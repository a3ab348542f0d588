"""The process of Deno that Python runs in: what it may do, and its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["FOLDER", "LEAST_MEMORY_MB", "MOST_MEMORY_MB", "check_permissions", "find_deno", "start_process"]

FOLDER = Path(__file__).resolve().parent
LEAST_MEMORY_MB = 64
"""The interpreter itself needs half of it."""
MOST_MEMORY_MB = 4096
"""What 32 bits can address."""

_PAGE = 2**16
_BESIDE_PYTHON_MB = 1536
"""Memory of the process beside that of Python: address space that V8 sets aside for code and for two threads."""
_JAVASCRIPT_MB = 256
_READ = "--allow-read="
_NOWHERE = str(Path(os.devnull) / "none")

# Without these, code could reach registries of modules, files on the disk, and drivers.
_ALWAYS = ("--no-prompt", "--no-config", "--no-lock", "--no-npm", "--node-modules-dir=none", "--no-code-cache")
_NO_IMPORTS = ("--no-remote", "--cached-only", "--deny-import")
_ENVIRONMENT = {
    # Deno keeps localStorage and the Cache API there, and asks for no permission to write them.
    "DENO_DIR": _NOWHERE,
    "DENO_NO_PACKAGE_JSON": "1",
    "DENO_NO_UPDATE_CHECK": "1",
    # WebGPU needs no permission either; it then finds no adapter.
    "DENO_WEBGPU_BACKEND": "noop",
    "NO_COLOR": "1",
}


def find_deno(deno_path: str = "deno") -> str:
    """The path of the Deno program.

    Args:
        deno_path: A path, or a name to look for: in PATH, then where the package `deno` keeps it.

    Raises:
        FileNotFoundError: there is none.
    """
    found = shutil.which(deno_path)
    if found is None and deno_path == "deno":
        with contextlib.suppress(ImportError, FileNotFoundError):
            import deno  # type: ignore[import-untyped,import-not-found,unused-ignore]

            found = shutil.which(deno.find_deno_bin())
    if found is None:
        raise FileNotFoundError(
            f"The wasm executor needs Deno, and there is no program {deno_path!r}. "
            "Install it with: pip install 'smolagents[wasm]', or name it with deno_path."
        )
    return os.path.abspath(found)


def check_permissions(permissions: Sequence[str] | None) -> list[str]:
    """The permissions that the user grants beyond reading the interpreter's own files.

    Raises:
        ValueError: one of them is no option for a permission.
    """
    if isinstance(permissions, str):
        raise ValueError(f"deno_permissions must be a list of options, not the string {permissions!r}.")
    granted = list(permissions or ())
    for option in granted:
        if not str(option).startswith(("--allow-", "--deny-", "--ignore-")):
            raise ValueError(
                f"deno_permissions holds {option!r}, which grants no permission. Write options of Deno such as "
                "'--allow-net=example.org' or '--allow-read=/data'."
            )
    return granted


def start_process(
    deno: str, readable: Sequence[Path], permissions: Sequence[str], memory_mb: int
) -> subprocess.Popen[bytes]:
    """Start Deno with the worker, confined.

    Args:
        deno: Path of the program.
        readable: Files and directories that it may read, beside its own two.
        permissions: Further options; see `check_permissions`.
        memory_mb: Memory for Python, in MB.

    Raises:
        OSError: it cannot be started.
        ValueError: a path has a comma in it, which Deno takes for the end of the path.
    """
    own = [*map(str, readable), str(FOLDER / "main.mjs"), str(FOLDER / "worker.mjs")]
    for path in own:
        if "," in path:
            raise ValueError(f"Deno cannot be told to read {path}: there must be no comma in the path. Use another.")
    paths = own + [option.removeprefix(_READ) for option in permissions if option.startswith(_READ)]
    granted = [option for option in permissions if not option.startswith(_READ)]
    if not {"--allow-read", "--allow-all"} & set(granted):
        granted.append(_READ + ",".join(paths))
    imports = () if any(option.startswith(("--allow-import", "--allow-all")) for option in granted) else _NO_IMPORTS
    pages = memory_mb * 2**20 // _PAGE
    flags = f"--v8-flags=--wasm-max-mem-pages={pages},--max-old-space-size={_JAVASCRIPT_MB}"
    environment = dict(_ENVIRONMENT)
    if sys.platform == "win32":
        environment["SYSTEMROOT"] = os.environ.get("SYSTEMROOT", r"C:\Windows")
    process = subprocess.Popen(
        [deno, "run", *_ALWAYS, *imports, *granted, flags, str(FOLDER / "main.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=os.path.abspath(os.sep),
        env=environment,
        start_new_session=True,  # Ctrl-C in the terminal is for the host alone
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same, on Windows
    )
    _limit_memory(process.pid, memory_mb)
    return process


def _limit_memory(pid: int, memory_mb: int) -> None:
    # The engine's own limits hold for Python; this one also for what JavaScript takes on purpose.
    if sys.platform == "linux":
        import resource

        limit = (memory_mb + _BESIDE_PYTHON_MB) * 2**20
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
