"""From source text to guarded code."""

from __future__ import annotations

import ast
import gc
import warnings
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from types import CodeType
from zlib import crc32

from smolagents.executors.errors import InterpreterError
from smolagents.executors.worker.report import describe_syntax_error

from .names import NEVER_NATIVE
from .nodes import GuardSyntaxError
from .transform import guard_tree

__all__ = ["CompiledCode", "compile_guarded"]

MAX_SOURCE = 1_000_000
"""Characters of a piece of code that are compiled; a step of an agent has some thousands."""

_CACHE_SIZE = 256
_cache: OrderedDict[str, CompiledCode] = OrderedDict()


@dataclass(frozen=True)
class CompiledCode:
    """Guarded code, good for any session: what differs between sessions is looked up by name."""

    code: CodeType
    source: str
    filename: str
    bound: dict[str, int]
    """Names bound at module level, with the line."""
    is_async: bool
    """Whether the module level awaits, so that running it gives a coroutine."""
    wants_loop: bool
    """Whether the code mentions `asyncio`, and so may run an event loop of its own."""


def _parse(source: str, filename: str) -> ast.Module:
    """The syntax tree of `source`.

    Up to 3.11.7 and 3.12.1 the interpreter keeps one depth counter for all threads, and says SystemError when two
    parse at a time (https://github.com/python/cpython/issues/106905); trying again is all it takes.
    """
    for _ in range(20):
        try:
            tree: ast.Module = compile(source, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)  # type: ignore[assignment]
        except SystemError as error:
            failure = error
            continue
        return tree
    raise failure


def _verify(code: CodeType) -> None:
    """Look at the finished code once more, so that no kind of syntax slips past the tree's guards."""
    if not NEVER_NATIVE.isdisjoint(code.co_names):
        found = ", ".join(sorted(NEVER_NATIVE.intersection(code.co_names)))
        raise InterpreterError(f"The code uses a name that is out of reach: {found}")
    for constant in code.co_consts:
        if type(constant) is CodeType:
            _verify(constant)


def compile_guarded(source: str) -> CompiledCode:
    """Compile `source` in its guarded form.

    Raises:
        InterpreterError: The source is not Python, or uses a name where it cannot be guarded. The text says where.
    """
    cached = _cache.get(source)
    if cached is not None:
        return cached
    if len(source) > MAX_SOURCE:
        raise InterpreterError(f"The code has {len(source)} characters; the limit is {MAX_SOURCE}.")
    filename = f"<code {crc32(source.encode('utf-8', 'surrogatepass')):08x}>"
    # A syntax tree is thousands of objects at once, none of them garbage: looking for some among them takes 6 %.
    tree = None
    collecting = gc.isenabled()
    gc.disable()
    try:
        # What the compiler warns of, such as invalid escapes, is for the author of the code, who is not the host.
        with warnings.catch_warnings() if _may_warn(source) else _NOTHING:
            if _may_warn(source):
                warnings.simplefilter("ignore")
            tree = _parse(source, filename)
            bound = guard_tree(tree)
            code = compile(tree, filename, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        raise InterpreterError(describe_syntax_error(source, error)) from None
    except GuardSyntaxError as error:
        lines = source.splitlines()
        text = lines[error.line - 1].strip() if 0 < error.line <= len(lines) else ""
        raise InterpreterError(f"Code was refused, line {error.line}:\n    {text}\n{error.message}") from None
    except (ValueError, RecursionError, MemoryError, OverflowError, SystemError) as error:
        raise InterpreterError(f"Code could not be compiled: {type(error).__name__}: {error}") from None
    finally:
        tree = None
        if collecting:
            gc.enable()
    _verify(code)
    compiled = CompiledCode(
        code=code,
        source=source,
        filename=filename,
        bound=bound,
        is_async=bool(code.co_flags & 0x80),
        wants_loop="asyncio" in source,
    )
    _cache[source] = compiled
    if len(_cache) > _CACHE_SIZE:
        with suppress(KeyError):  # another thread emptied it
            _cache.popitem(last=False)
    return compiled


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


_NOTHING = _Nothing()


def _may_warn(source: str) -> bool:
    """Whether compiling may warn: escapes, `is` with a literal, a call of a literal, numbers run into words."""
    return "\\" in source or " is " in source or "assert" in source
