"""Which run the current thread is in, for guards that are shared between sessions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .attributes import Guards
    from .run import Run

__all__ = ["guards", "run", "state", "ticks"]


class _State(threading.local):
    run: Run | None = None
    guards: Guards | None = None


state = _State()


def run() -> Run | None:
    """The run that this thread is in; None outside of one."""
    return state.run


def ticks() -> Iterator[Any]:
    """The run's operation counter, an iterator that is advanced once per operation."""
    active = state.run
    return active.ticks if active is not None else repeat(True, 10_000_000)


def guards() -> Guards:
    """The guards of this thread's session; outside of a run, guards that know no session."""
    found = state.guards
    if found is None:
        from .attributes import Guards

        return Guards.outside()
    return found
