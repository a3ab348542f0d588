"""Pydantic's Monty: an interpreter that knows part of Python, and has no way out of itself."""

from __future__ import annotations

from .executor import DEFAULT_MEMORY_MB, DEFAULT_RECURSION_DEPTH, DEFAULT_TIMEOUT_SECONDS, MontyExecutor
from .modules import LANGUAGE_NOTES, MODULES

__all__ = [
    "DEFAULT_MEMORY_MB",
    "DEFAULT_RECURSION_DEPTH",
    "DEFAULT_TIMEOUT_SECONDS",
    "LANGUAGE_NOTES",
    "MODULES",
    "MontyExecutor",
]
