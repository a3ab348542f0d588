"""Installing packages in a kernel, by a cell that runs pip."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

__all__ = ["INSTALL_SECONDS", "install_by_cell"]

INSTALL_SECONDS = 900.0
"""Seconds that an installation may take."""

_CELL = """
def _install(packages):
    import importlib, json, subprocess, sys
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    importlib.invalidate_caches()
    print("\\n" + json.dumps([done.returncode, (done.stdout + done.stderr)[-3000:]]))
_install({packages!r})
del _install
"""


def install_by_cell(run_cell: Callable[[str, float], str], packages: Sequence[str]) -> None:
    """Install `packages` for the Python of a kernel.

    Args:
        run_cell: Runs source in the kernel and returns what it printed.
        packages: What pip is to install: names, or requirements such as "pandas>=2".

    Raises:
        RuntimeError: pip failed; the text holds the end of what it said.
    """
    if not packages:
        return
    printed = run_cell(_CELL.format(packages=list(packages)), INSTALL_SECONDS).strip()
    try:
        status, said = json.loads(printed.rpartition("\n")[2])
    except (ValueError, TypeError):
        status, said = None, printed[-3000:]
    if status != 0:
        raise RuntimeError(f"Installing {', '.join(packages)} failed:\n{said}")
