"""The documented path of the executors that run code elsewhere: re-exports only."""

from __future__ import annotations

from .executors.base import CodeOutput, PythonExecutor
from .executors.remote.base import RemotePythonExecutor

__all__ = ["CodeOutput", "PythonExecutor", "RemotePythonExecutor"]
