"""Running one piece of code without keeping an executor."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from .executor import LocalPythonExecutor
from .modules import BASE_BUILTIN_MODULES
from .namespace import BASE_PYTHON_TOOLS
from .output import DEFAULT_MAX_LEN_OUTPUT
from .run import MAX_EXECUTION_TIME_SECONDS

__all__ = ["evaluate_python_code", "fix_final_answer_code"]


def evaluate_python_code(
    code: str,
    static_tools: dict[str, Callable[..., Any]] | None = None,
    custom_tools: dict[str, Callable[..., Any]] | None = None,
    state: dict[str, Any] | None = None,
    authorized_imports: Iterable[str] = tuple(BASE_BUILTIN_MODULES),
    max_print_outputs_length: int = DEFAULT_MAX_LEN_OUTPUT,
    timeout_seconds: float | None = MAX_EXECUTION_TIME_SECONDS,
) -> tuple[Any, bool]:
    """Run `code`, guarded, and give its value.

    Args:
        code: Python source.
        static_tools: Functions the code may call and may not rebind.
        custom_tools: Functions the code may call and rebind; functions it defines are added.
        state: Variables of the code, changed in place; `state["_print_outputs"]` then holds what it printed.
        authorized_imports: All modules it may import.
        max_print_outputs_length: Characters of printed output that are kept.
        timeout_seconds: Seconds it may take; None for no limit.

    Returns:
        The value of the last expression or assignment, or the final answer; and whether it is a final answer.

    Raises:
        InterpreterError: The code could not be compiled, failed or reached a limit.
    """
    executor = LocalPythonExecutor([], max_print_outputs_length, timeout_seconds=timeout_seconds)
    executor.authorized_imports = list(authorized_imports)
    if state is not None:
        for name in ("__builtins__", "_print_outputs"):
            state.pop(name, None)
        executor.state = state
        state.setdefault("__name__", "__main__")
    tools = {name: tool for name, tool in (static_tools or {}).items() if tool is not BASE_PYTHON_TOOLS.get(name)}
    executor.send_tools(tools)
    if custom_tools:
        for name, tool in custom_tools.items():
            executor._handles[name] = executor._sent(tool)
    try:
        output = executor(code)
    finally:
        if custom_tools is not None:
            custom_tools.update(executor.defined_functions())
    return output.output, output.is_final_answer


def fix_final_answer_code(code: str) -> str:
    """Rename a variable called `final_answer` that the code assigns, so that it does not hide the tool it calls.

    Code that does not both assign and call the name comes back as it is.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code
    called: set[tuple[int, int]] = set()
    places: list[tuple[int, int]] = []
    assigned = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "final_answer":
            called.add((node.func.lineno, node.func.col_offset))
        elif isinstance(node, ast.Name) and node.id == "final_answer":
            places.append((node.lineno, node.col_offset))
            assigned = assigned or isinstance(node.ctx, ast.Store)
    if not assigned or not called:
        return code
    lines = code.encode("utf-8").splitlines(keepends=True)
    for line, column in sorted(set(places) - called, reverse=True):
        text = lines[line - 1]
        end = column + len(b"final_answer")
        lines[line - 1] = text[:column] + b"final_answer_variable" + text[end:]
    return b"".join(lines).decode("utf-8")
