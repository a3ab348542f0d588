"""Confining a process with what the Linux kernel offers to every user.

What a worker needs (`Policy`, `prepare`, `confine`, `close_descriptors`) is the standard library's and quick to import; the rest is
imported when it is asked for.
"""

from __future__ import annotations

from .apply import confine, prepare
from .descriptors import close_descriptors
from .policy import OPT_OUTS, ConfinementError, Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .paths import hidden_paths, python_paths
    from .support import Gap, Support, describe, probe

__all__ = [
    "OPT_OUTS",
    "ConfinementError",
    "Gap",
    "Policy",
    "Support",
    "close_descriptors",
    "confine",
    "describe",
    "hidden_paths",
    "prepare",
    "probe",
    "python_paths",
]


def __getattr__(name: str) -> object:
    if name in ("hidden_paths", "python_paths"):
        from . import paths

        return getattr(paths, name)
    if name in ("Gap", "Support", "describe", "probe"):
        from . import support

        return getattr(support, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
