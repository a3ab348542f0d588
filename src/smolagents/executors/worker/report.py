"""The text of an error for a model: the code's own traceback, the line, the type and the message."""

from __future__ import annotations

from types import TracebackType
from typing import Any

__all__ = ["describe_error", "describe_syntax_error", "exception_line"]

_MOST_FRAMES = 12
_MOST_CHARACTERS = 4000


def exception_line(error: BaseException) -> str:
    """The type and message of `error`, as the last line of a traceback shows them."""
    kind = type(error)
    home = kind.__module__
    name = (
        kind.__qualname__
        if type(home) is not str or home in ("builtins", "__main__")
        else f"{home}.{kind.__qualname__}"
    )
    if home.partition(".")[0] in ("smolagents", "_smolagents_worker"):
        name = kind.__name__
    try:
        text = str(error)
    except Exception as failure:
        text = f"<its message could not be made: {type(failure).__name__}>"
    if len(text) > _MOST_CHARACTERS:
        half = _MOST_CHARACTERS // 2
        text = f"{text[:half]} ... {text[-half:]}"
    return f"{name}: {text}" if text else name


def _frames(traceback: TracebackType | None, sources: dict[str, str], current: str) -> list[str]:
    lines = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        source = sources.get(code.co_filename)
        if source is not None:
            number = traceback.tb_lineno
            texts = source.splitlines()
            text = texts[number - 1].strip() if number and 0 < number <= len(texts) else ""
            where = f"  Line {number}, in {code.co_name}"
            if code.co_filename != current:
                where += " (of an earlier piece of code)"
            lines.append(f"{where}\n    {text}" if text else where)
        traceback = traceback.tb_next
    if len(lines) > _MOST_FRAMES:
        left_out = len(lines) - _MOST_FRAMES
        half = _MOST_FRAMES // 2
        lines[half:-half] = [f"  ... {left_out} more calls ..."]
    return lines


def describe_error(error: BaseException, sources: dict[str, str], current: str) -> str:
    """The error as the model is to see it.

    Args:
        error: What the code raised.
        sources: Source text of the pieces of code the session ran, by the file name they were compiled with.
        current: The file name of the piece that ran.
    """
    parts: list[str] = []
    seen: set[int] = set()
    link: Any = error
    while link is not None and id(link) not in seen and len(seen) < 5:
        seen.add(id(link))
        frames = _frames(link.__traceback__, sources, current)
        block = ["Traceback (most recent call last):", *frames] if frames else []
        block.append(exception_line(link))
        for note in getattr(link, "__notes__", None) or ():
            block.append(str(note))
        if isinstance(link, BaseException) and hasattr(link, "exceptions"):
            for inner in link.exceptions:
                block.append(f"  | {exception_line(inner)}")
        parts.insert(0, "\n".join(block))
        if link.__cause__ is not None:
            link = link.__cause__
            parts.insert(0, "The above exception was the direct cause of the following exception:")
        elif link.__context__ is not None and not link.__suppress_context__:
            link = link.__context__
            parts.insert(0, "During handling of the above exception, another exception occurred:")
        else:
            link = None
    text = "\n\n".join(_in_order(parts))
    if isinstance(error, RecursionError):
        text += "\nThe depth of calls is limited by the interpreter (sys.setrecursionlimit of the host); use a loop."
    return text


def describe_syntax_error(source: str, error: SyntaxError) -> str:
    """Where and why `source` is not Python."""
    lines = source.splitlines()
    line = error.lineno or 1
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    shown = text.lstrip()
    message = f"Code could not be parsed, line {line}:\n    {shown}\n"
    if error.offset and error.offset > 0:
        message += "    " + " " * max(error.offset - 1 - (len(text) - len(shown)), 0) + "^\n"
    return f"{message}{type(error).__name__}: {error.msg}"


def _in_order(parts: list[str]) -> list[str]:
    return [part for part in parts if part]
