"""How much an agent says."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["LogLevel", "as_level"]


class LogLevel(IntEnum):
    """How much an agent says; each level says what the ones below it say, and more."""

    OFF = -1
    """Nothing."""
    ERROR = 0
    """Errors only."""
    INFO = 1
    """The task, and each step's thought, code, output, tokens and time."""
    DEBUG = 2
    """Also what the model was sent, and outputs in full."""


def as_level(level: LogLevel | int | str) -> LogLevel:
    """The level that a number or a name stands for. Numbers beyond the ends stand for the ends.

    Raises:
        ValueError: the name is not one of `LogLevel`.
    """
    if type(level) is LogLevel:
        return level
    if isinstance(level, str):
        name = level.strip().upper()
        if name in LogLevel.__members__:
            return LogLevel[name]
        try:
            level = int(name)
        except ValueError:
            raise ValueError(
                f"unknown verbosity level {level!r}; use one of "
                + ", ".join(f"{member.value} ({member.name})" for member in LogLevel)
            ) from None
    return LogLevel(max(LogLevel.OFF, min(LogLevel.DEBUG, int(level))))
