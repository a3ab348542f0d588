"""The text of a failure for the model: where, what, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic_monty import Frame, MontyError, MontyRuntimeError, MontySyntaxError

from smolagents.executors.worker.report import describe_syntax_error, exception_line

from .handles import Handles
from .modules import MISSING_BUILTINS, MODULES, contents_of
from .source import RESULT, Piece

__all__ = [
    "FIRST_SOURCE",
    "describe",
    "is_resource_limit",
    "message_of",
    "no_module_text",
    "traceback_text",
    "type_of",
]

FIRST_SOURCE = "<python-input-0>"
"""How Monty calls the source of what a session runs first, which is `inside.py`."""

_MOST_FRAMES = 12
_UNSUPPORTED = "The monty syntax parser does not yet support "

_SYNTAX_ADVICE = {
    "class inheritance": "Write a plain class without bases, or functions and dicts; raise built-in exceptions such as "
    "ValueError.",
    "method decorators": "Write a plain method, or a function outside the class.",
    "class bodies": "Put only methods and assignments `name = value` into the body of a class.",
    "complex class variable": "Assign one name at a time in the body of a class.",
    "yield": "Collect the values in a list and return the list.",
    "the 'del' statement": "Use items.pop(index) or d.pop(key), or set the name to None.",
    "exception groups": "Write a plain try and except.",
    "type aliases": "Leave type aliases out.",
    "async ": "Use a plain `for` or `with`; tools are called without `await`.",
    "template strings": "Use an f-string.",
}
"""What to write in the place of syntax that Monty does not have, by how it names it."""

_REFUSED_ADVICE = {
    "Wildcard imports": "Import the names that you need: `from math import sqrt, pi`.",
    "matrix multiplication": "Multiply with loops or comprehensions.",
    "cannot reassign read-only module attribute": "Use another name for the variable.",
}
"""The same, by how the message begins."""

_OTHERWISE = "Write it with functions, loops, lists and dicts."

_ADVICE: tuple[tuple[str, str], ...] = (
    (
        r"cannot suspend in this synchronous context",
        "map(), filter(), sorted(), max() and methods such as __repr__ cannot call tools: call them in a loop or a list comprehension.",
    ),
    (r"'list' object is not an iterator", "Generator expressions are lists here: use iter(...) of one, or a loop."),
    (
        r"object can't be awaited|An asyncio\.Future, a coroutine or an awaitable is required",
        "Tools are called without `await` and return their result.",
    ),
    (r"exceptions can only be called with zero or one string argument", "Give an exception a single text."),
    (r"exceptions must derive from BaseException", "Raise a built-in exception such as ValueError."),
    (r"'function' object has no attribute", "Functions have no attributes here."),
    (r"callable replacement is not yet supported in re\.sub", "Use re.finditer() and join the parts."),
    (r"JSONEncoder\.__init__\(\) got an unexpected keyword argument 'default'", "Convert the values first."),
    (r"os\.urandom\(\) is not here", "Use the module random."),
)


def type_of(error: MontyError) -> str:
    """The name of the type of what the code raised."""
    if isinstance(error, (MontyRuntimeError, MontySyntaxError)):
        return error.display("type-msg").partition(":")[0]
    return type(error).__name__


def message_of(error: MontyError) -> str:
    return error.display("msg") if isinstance(error, (MontyRuntimeError, MontySyntaxError)) else str(error)


def is_resource_limit(error: MontyError) -> str | None:
    """The limit, "time" or "memory", that Monty ended the code for; the code can catch neither."""
    kind, message = type_of(error), message_of(error)
    if kind == "TimeoutError" and message.startswith("feed time limit exceeded"):
        return "time"
    if kind == "MemoryError" and message.startswith(("memory limit exceeded", "the worker exceeded its memory limit")):
        return "memory"
    return None


def no_module_text(name: str, importable: Iterable[str]) -> str:
    return (
        f"No module named '{name}': this interpreter has only modules of its own. "
        f"Those that can be imported are: {', '.join(importable)}."
    )


def traceback_text(error: MontyError, piece: Piece) -> str:
    """The frames of an error, as a traceback; empty if it has none."""
    frames = error.traceback() if isinstance(error, (MontyRuntimeError, MontySyntaxError)) else []
    frames = [frame for frame in frames if frame.filename != FIRST_SOURCE]
    if not frames:
        return ""
    current = frames[0].filename
    lines = [_frame_text(frame, piece, current) for frame in frames]
    if len(lines) > _MOST_FRAMES:
        half = _MOST_FRAMES // 2
        lines[half:-half] = [f"  ... {len(lines) - _MOST_FRAMES} more calls ..."]
    return "\n".join(["Traceback (most recent call last):", *lines]) + "\n"


def _frame_text(frame: Frame, piece: Piece, current: str) -> str:
    where = f"  Line {frame.line}, in {frame.function_name or '<module>'}"
    if frame.filename == current:
        text = piece.line(frame.line)
    else:
        text = (frame.source_line or "").strip().partition("\n")[0]
        where += (
            " (of an earlier piece of code)" if frame.filename.startswith("<python-input") else " (of eval or exec)"
        )
    return f"{where}\n    {text}" if text else where


def describe(error: MontyError, piece: Piece, cause: BaseException | None, handles: Handles) -> str:
    """The error as the model is to see it.

    Args:
        error: What Monty says.
        piece: The code that ran.
        cause: What a tool raised, if that is what ended the code.
        handles: The values that stay outside, which the code may have taken for more than they are.
    """
    kind, message = type_of(error), message_of(error)
    if isinstance(error, MontySyntaxError):
        return _syntax_text(error, piece, message)
    if kind == "NotImplementedError" and (advice := _syntax_advice(message)):
        frames = error.traceback() if isinstance(error, MontyRuntimeError) else []
        number = frames[-1].line if frames else 1
        what = message.removeprefix(_UNSUPPORTED)
        said = f"This interpreter does not have {what}" if what != message else message
        return (
            f"Code could not be run, line {number}:\n    {piece.line(number)}\nNotImplementedError: {said}. {advice}"
        )
    line = exception_line(cause if cause is not None else _as_exception(error))
    text = f"{traceback_text(error, piece)}{line}"
    advice = "" if cause is not None else _advice_for(kind, message, handles)
    return f"{text}\n{advice}" if advice else text


def _as_exception(error: MontyError) -> BaseException:
    if type_of(error) == "KeyError" and _is_literal(message_of(error)):
        return KeyError(_Literal(message_of(error)))
    try:
        return error.exception()
    except Exception:
        return RuntimeError(str(error))


class _Literal(str):
    """A text that is shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _is_literal(text: str) -> bool:
    """Whether a key, of which Monty tells the text alone, was probably something other than text."""
    return re.fullmatch(r"-?\d[\d.e+-]*|\(.*\)|None|True|False", text) is not None


def _syntax_text(error: MontySyntaxError, piece: Piece, message: str) -> str:
    if piece.error is not None:
        return describe_syntax_error(piece.source, piece.error)
    frames = error.traceback()
    found = SyntaxError(message)
    if frames:
        found.lineno, found.offset = frames[-1].line, frames[-1].column
    text = describe_syntax_error(piece.source, found)
    advice = _syntax_advice(message)
    return f"{text}. {advice}" if advice else text


def _syntax_advice(message: str) -> str:
    """What to write instead of what the parser refuses; empty if the message is not of the parser."""
    if not message.startswith(_UNSUPPORTED):
        return next((advice for start, advice in _REFUSED_ADVICE.items() if message.startswith(start)), "")
    what = message.removeprefix(_UNSUPPORTED)
    return next((advice for start, advice in _SYNTAX_ADVICE.items() if what.startswith(start)), _OTHERWISE)


def _advice_for(kind: str, message: str, handles: Handles) -> str:
    for pattern, advice in _ADVICE:
        if re.search(pattern, message):
            return advice
    if kind == "NameError":
        return _about_name(message)
    if kind in ("AttributeError", "ImportError", "ModuleNotFoundError"):
        found = re.search(r"module '([\w.]+)' has no attribute|cannot import name '\w+' from '([\w.]+)'", message)
        contents = contents_of(found[1] or found[2]) if found else None
        if contents:
            return f"Of the module {found[1] or found[2]} there is only: {contents}."  # type: ignore[index]
        package = re.search(r"'([\w.]+)' is not a package", message)
        if package:
            return f"Modules that can be imported are: {', '.join(MODULES)}."
    if kind in ("AttributeError", "TypeError"):
        for name in re.findall(r"'(\w+)'", message):
            if about := handles.about(name):
                return about
    if kind == "RecursionError":
        return "The depth of calls is limited by max_recursion_depth; use a loop."
    return ""


def _about_name(message: str) -> str:
    found = re.fullmatch(r"name '(\w+)' is not defined", message)
    if found is None or found[1] not in MISSING_BUILTINS or found[1] == RESULT:
        return ""
    instead = MISSING_BUILTINS[found[1]]
    return f"This interpreter does not have {found[1]}{f': {instead}' if instead else ''}."
