"""Closing what a process inherited."""

from __future__ import annotations

import os

from .system import syscall

__all__ = ["close_descriptors"]

_GREATEST = 2**31 - 1


def close_descriptors(keep: list[int] | tuple[int, ...] = (0, 1, 2)) -> None:
    """Close every open descriptor but those in `keep`.

    Args:
        keep (`list[int]`): Descriptors to leave open; those that are not open are ignored.
    """
    start = 0
    for descriptor in [*sorted(set(keep)), _GREATEST + 1]:
        if descriptor > start:
            _close(start, descriptor - 1)
        start = descriptor + 1


def _close(first: int, last: int) -> None:
    try:
        syscall("close_range", first, last, 0)
    except OSError:  # before Linux 5.9
        for name in os.listdir("/proc/self/fd"):
            if first <= int(name) <= last:
                try:
                    os.close(int(name))
                except OSError:
                    continue  # the one that listed the directory
