"""Running the model's Python in this process: compiled, guarded, limited."""

from __future__ import annotations

from smolagents.executors.errors import (
    ExecutionInterruptedError,
    ExecutionLimitError,
    ExecutionTimeoutError,
    FinalAnswerException,
    GuardError,
    ImportNotAuthorizedError,
    InterpreterError,
)

from .evaluate import evaluate_python_code, fix_final_answer_code
from .executor import LocalPythonExecutor
from .modules import BASE_BUILTIN_MODULES, DANGEROUS_FUNCTIONS, DANGEROUS_MODULES
from .namespace import BASE_PYTHON_TOOLS
from .output import DEFAULT_MAX_LEN_OUTPUT, PrintContainer
from .run import DEFAULT_MAX_OPERATIONS, MAX_EXECUTION_TIME_SECONDS

__all__ = [
    "BASE_BUILTIN_MODULES",
    "BASE_PYTHON_TOOLS",
    "DANGEROUS_FUNCTIONS",
    "DANGEROUS_MODULES",
    "DEFAULT_MAX_LEN_OUTPUT",
    "DEFAULT_MAX_OPERATIONS",
    "MAX_EXECUTION_TIME_SECONDS",
    "ExecutionInterruptedError",
    "ExecutionLimitError",
    "ExecutionTimeoutError",
    "FinalAnswerException",
    "GuardError",
    "ImportNotAuthorizedError",
    "InterpreterError",
    "LocalPythonExecutor",
    "PrintContainer",
    "evaluate_python_code",
    "fix_final_answer_code",
]
