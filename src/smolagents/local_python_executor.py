"""The documented path of the local executor: re-exports only.

`ThreadPoolExecutor` is here for instrumentations, which look for the name and put one of their own in its place.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from .executors.base import CodeOutput, PythonExecutor
from .executors.local import (
    BASE_BUILTIN_MODULES,
    BASE_PYTHON_TOOLS,
    DANGEROUS_FUNCTIONS,
    DANGEROUS_MODULES,
    DEFAULT_MAX_LEN_OUTPUT,
    MAX_EXECUTION_TIME_SECONDS,
    ExecutionInterruptedError,
    ExecutionLimitError,
    ExecutionTimeoutError,
    FinalAnswerException,
    GuardError,
    ImportNotAuthorizedError,
    InterpreterError,
    LocalPythonExecutor,
    PrintContainer,
    evaluate_python_code,
    fix_final_answer_code,
)

__all__ = [
    "BASE_BUILTIN_MODULES",
    "BASE_PYTHON_TOOLS",
    "DANGEROUS_FUNCTIONS",
    "DANGEROUS_MODULES",
    "DEFAULT_MAX_LEN_OUTPUT",
    "MAX_EXECUTION_TIME_SECONDS",
    "CodeOutput",
    "ExecutionInterruptedError",
    "ExecutionLimitError",
    "ExecutionTimeoutError",
    "FinalAnswerException",
    "GuardError",
    "ImportNotAuthorizedError",
    "InterpreterError",
    "LocalPythonExecutor",
    "PrintContainer",
    "PythonExecutor",
    "ThreadPoolExecutor",
    "evaluate_python_code",
    "fix_final_answer_code",
]
