"""The code before it is run: what is refused at once, and how its last value is told."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Container
from dataclasses import dataclass

from smolagents.executors.errors import InterpreterError

from .modules import IGNORED_METHODS

__all__ = ["MAX_SOURCE", "RESULT", "TELL", "Piece", "prepare"]

MAX_SOURCE = 1_000_000
"""Characters of a piece of code that are run; a step of an agent has some thousands."""

RESULT = "_last_value_of_the_code"
"""The variable that the last expression or assignment of a piece of code also sets."""

TELL = "_tell_last_value"
"""The function of the session that tells it."""

_MAX_PARSED = 200_000 if sys.version_info >= (3, 12) else 50_000
"""Characters of a piece of code that are parsed here; of more, the value is not told.

Code can be made to be slow to parse: one f-string of 300,000 characters takes 12 s before Python 3.12. Python 3.10
exhausts the stack on expressions nested some 60,000 deep.
"""

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass
class Piece:
    """A piece of code that is ready to be run.

    The lines of `text` are those of `source`, and nothing in `text` is run that is not in `source`, except that the
    last expression or assignment also sets `RESULT`, and a line at the end tells it.
    """

    source: str
    text: str
    error: SyntaxError | None = None
    """What the Python of this process finds wrong with the code. Monty decides: it may know newer syntax."""

    @property
    def tells_result(self) -> bool:
        return self.text is not self.source

    def line(self, number: int) -> str:
        """A line of the code, without its indentation; empty if there is no such line."""
        return _line(self.source, number)


def _line(source: str, number: int) -> str:
    lines = source.split("\n")
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def prepare(source: str, tools: Container[str]) -> Piece:
    """Look at code before it is run.

    Args:
        source: The code.
        tools: Names that the code must not take for something else.

    Raises:
        InterpreterError: It is too long, assigns to the name of a tool, or counts on a method that is never called.
    """
    if len(source) > MAX_SOURCE:
        raise InterpreterError(f"The code has {len(source)} characters; the limit is {MAX_SOURCE}.")
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    if len(source) > _MAX_PARSED:
        return Piece(source, source)
    try:
        with warnings.catch_warnings():  # of escapes and the like; the model is not shown them
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except SyntaxError as error:
        return Piece(source, source, error)
    except (ValueError, RecursionError, MemoryError, SystemError):
        return Piece(source, source)
    _refuse_rebinding(tree, source, tools)
    if "__" in source:
        _refuse_ignored_methods(tree, source)
    return Piece(source, _telling_result(tree, source))


def _refuse_rebinding(tree: ast.Module, source: str, tools: Container[str]) -> None:
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        bound: tuple[str, ...] = ()
        if isinstance(node, ast.Name):
            bound = (node.id,) if isinstance(node.ctx, ast.Store) else ()
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound = (node.name,)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound = tuple((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        for name in bound:
            if name in tools:
                line: int = node.lineno  # type: ignore[attr-defined]
                raise InterpreterError(
                    f"Code was refused, line {line}:\n    {_line(source, line)}\n"
                    f"Cannot assign to '{name}': it is the name of a tool. Use another name for the variable."
                )
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def _refuse_ignored_methods(tree: ast.Module, source: str) -> None:
    for node in ast.walk(tree):
        for method in node.body if isinstance(node, ast.ClassDef) else ():
            name = getattr(method, "name", None)
            if name in IGNORED_METHODS:
                raise InterpreterError(
                    f"Code was refused, line {method.lineno}:\n    {_line(source, method.lineno)}\n"
                    f"This interpreter never calls {name} of a class: {IGNORED_METHODS[name]}."
                )


# The last value


def _telling_result(tree: ast.Module, source: str) -> str:
    """The source, changed so that it tells the value of its last expression or assignment."""
    lines = [line.encode() for line in source.split("\n")]
    inserted: list[tuple[int, int, bytes]] = []
    _note(tree.body, lines, inserted)
    if not inserted:
        return source
    for line, column, text in sorted(inserted, reverse=True):
        lines[line] = lines[line][:column] + text + lines[line][column:]
    return b"\n".join([*lines, f"{TELL}({RESULT}); {RESULT} = None".encode()]).decode()


def _note(body: list[ast.stmt], lines: list[bytes], inserted: list[tuple[int, int, bytes]]) -> None:
    """Collect what to insert, as line, column and text, so that the last statement of `body` also sets `RESULT`."""
    if not body:
        return
    last = body[-1]
    if isinstance(last, (ast.Expr, ast.Assign)):
        inserted.append((last.lineno - 1, last.col_offset, f"{RESULT} = ".encode()))
    elif isinstance(last, (ast.AugAssign, ast.AnnAssign)):
        target = last.target
        simple = isinstance(target, ast.Name) or (
            isinstance(target, ast.Subscript)
            and isinstance(target.value, ast.Name)
            and isinstance(target.slice, (ast.Name, ast.Constant))
        )
        if simple and last.value is not None and target.lineno == target.end_lineno and last.end_lineno is not None:
            name = lines[target.lineno - 1][target.col_offset : target.end_col_offset]
            end = last.end_lineno - 1, last.end_col_offset or 0
            inserted.append((*end, b"; " + RESULT.encode() + b" = " + name))
    elif isinstance(last, ast.If):
        _note(last.body, lines, inserted)
        _note(last.orelse, lines, inserted)
    elif isinstance(last, (ast.With, ast.AsyncWith)):
        _note(last.body, lines, inserted)
    elif isinstance(last, ast.Try):
        _note(last.orelse or last.body, lines, inserted)
        for handler in last.handlers:
            _note(handler.body, lines, inserted)
