"""Running the same code natively and through the executor, and comparing what can be seen of it."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import warnings
from typing import Any

from smolagents.local_python_executor import InterpreterError, LocalPythonExecutor

IMPORTS = [
    "abc", "asyncio", "bisect", "collections", "contextlib", "copy", "dataclasses", "decimal", "enum", "fractions",
    "functools", "heapq", "json", "nonexistent_module_xyz", "operator", "string", "textwrap", "types", "typing",
]  # fmt: skip

_ADDRESS = re.compile(r"0x[0-9a-f]+")


def shown(value: Any) -> str:
    return _ADDRESS.sub("0x", repr(value))


def natively(source: str) -> tuple[str | None, str, str]:
    """The value of the last expression, the output and the type of the exception."""
    printed = io.StringIO()
    space: dict[str, Any] = {"__name__": "__main__"}
    value = failure = None
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "<native>", "exec", dont_inherit=True), space)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), "<native>", "eval", dont_inherit=True), space)
        except BaseException as error:
            failure = error
    return (
        shown(value) if failure is None else None,
        printed.getvalue(),
        type(failure).__name__ if failure is not None else "",
    )


def through(source: str, executor: LocalPythonExecutor | None = None) -> tuple[str | None, str, str]:
    """The same, through the executor."""
    executor = executor or LocalPythonExecutor(IMPORTS, timeout_seconds=20)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = executor(source)
    except InterpreterError as error:
        cause = error.__cause__
        if cause is None:
            kind = re.findall(r"^(\w+): ", str(error), re.M)
            return None, error.logs, kind[-1] if kind else str(error)
        return None, error.logs, type(cause).__name__
    tree = ast.parse(source)
    is_expression = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
    return shown(result.output) if is_expression else "None", result.logs, ""
