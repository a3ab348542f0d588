"""The program of a fork server: `python -I -S bootstrap.py DESCRIPTOR SETTINGS`.

It needs few modules of the package and none of its dependencies, so the packages they are in are not imported: empty
ones take their place.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

_PACKAGES = ("smolagents", "smolagents.executors", "smolagents.executors.sandbox")


def _place_packages() -> None:
    folder = os.path.dirname(os.path.abspath(__file__))
    for name in reversed(_PACKAGES):
        module = sys.modules[name] = ModuleType(name)
        module.__path__ = [folder]
        folder = os.path.dirname(folder)


def main() -> None:
    _place_packages()
    from smolagents.executors.sandbox import forkserver

    job = forkserver.serve(int(sys.argv[1]), sys.argv[2])
    if job is None:
        return
    # This is a worker from here on. The frames of the fork server are gone, and with them all that they held.
    del forkserver
    sys.argv = [""]
    worker = sys.modules["smolagents.executors.sandbox.worker_main"]
    worker.work(job)


if __name__ == "__main__":
    main()
