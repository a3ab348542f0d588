"""Waiting for something to be so."""

from __future__ import annotations

import time


def until(condition, seconds=15):
    """Wait for something to be so."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come to be so"
        time.sleep(0.05)
    return found
