"""Runs the model's code, and speaks with the host about it.

Messages are JSON texts. The host asks, `Worker.handle` answers, and while it works it may ask back, through
`exchange`, that a tool be called.

    host asks                                            final answer
    {"op": "run", "code": …,                             {"op": "done", "out": printed, "names": …,
     "settings": …, "tools": …, "variables": …}           "value": … or "text": …, "final": bool}
      code, settings, tools and variables are optional   {"op": "failed", "out": printed, "names": …, "kind": …,
                                                          "type": …, "message": …, "text": …, "call": …}
    asked back                                           the host's answer
    {"op": "call", "id": n, "name": …, "args": [...],    {"op": "value", "value": …}
     "kwargs": {...}, "out": printed so far}             {"op": "raise", "type": …, "message": …}
                                                         {"op": "interrupt"}
"""

from __future__ import annotations

import ast
import builtins
import json
import linecache
import sys
import threading
import types
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .imports import ImportPolicy, not_authorized_text
from .output import Output
from .report import describe_error, describe_syntax_error, exception_line
from .result import keep_result
from .values import CannotCrossError, Codec, MalformedValueError

__all__ = ["Worker"]

RESULT = "@result"
MOST_NAMES = 1_000
"""Variables that the host is told the names of."""
MOST_TEXT = 100_000
"""Characters of a value that is told as text."""
MOST_VALUE = 16 * 2**20
"""Bytes of JSON up to which the value of a step crosses as itself; of a larger one its text does."""

_SOURCES_KEPT = 200
_dumps = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


class FinalAnswer(BaseException):
    """`final_answer` was called, and the host took the answer."""


class Refused(Exception):
    """The code was not run; the text says why."""

    def __init__(self, text: str, kind: str = "InterpreterError") -> None:
        super().__init__(text)
        self.kind = kind


class ImportNotAuthorizedError(ImportError):
    """The code imported a module that is not authorised."""


class Worker:
    """One session of code.

    Args:
        exchange: Sends a message to the host and returns its answer.
        namespace: The variables of the code; a new module `__main__` by default.
        redirect: Whether to put `output` in the place of `sys.stdout` and `sys.stderr` while code runs.
    """

    def __init__(
        self, exchange: Callable[[str], str], namespace: dict[str, Any] | None = None, redirect: bool = True
    ) -> None:
        self._exchange = exchange
        self._redirect = redirect
        if namespace is None:
            module = types.ModuleType("__main__")
            sys.modules["__main__"] = module
            namespace = module.__dict__
        self.namespace = namespace
        namespace.setdefault("__builtins__", builtins)
        self._most = 64 * 2**20
        self._codec = Codec(trusted=True, tool=self._tool)
        self._tools: dict[str, Any] = {}
        self.output = Output(50_000)
        self._sources: dict[str, str] = {}
        self._count = 0
        self._calls = 0
        self._lock = threading.RLock()
        self._exchanging = False
        self._interrupted = False
        self.running = False
        """Whether code runs."""
        self.busy = False
        """Whether a message is being handled."""
        self.out_of_memory: Callable[[], None] = lambda: None
        """Called when the code has run out of memory, before anything else: to free some."""
        self._finished = False
        self._known = set(namespace)
        self._told: list[str] = []

    # Interruption

    def interrupt(self) -> None:
        """For a signal handler in the thread that runs the code: raise KeyboardInterrupt in it, if it runs.

        While a tool is called the interruption waits: the answer of the host must not be lost. So it does while the
        code is still being compiled.
        """
        if not self.running:
            self._interrupted = self.busy
        elif not self.defer_interrupt():
            raise KeyboardInterrupt

    def defer_interrupt(self) -> bool:
        """Whether an interruption has to wait, because a tool is being called; it is then raised afterwards."""
        if self._exchanging:
            self._interrupted = True
        return self._exchanging

    # Messages

    def handle(self, message: str) -> str:
        """Do what the host asks, and answer."""
        self._interrupted = False
        self.busy = True
        request = json.loads(message)
        try:
            if request.get("settings"):
                self._set(request["settings"])
            for name, details in (request.get("tools") or {}).items():
                self._tools[name] = self._tool(name, details)
            for name, data in (request.get("variables") or {}).items():
                try:
                    self.namespace[name] = self._codec.decode(data, name)
                except MalformedValueError as error:
                    self.output.write(f"The variable {name!r} is not here: {error}\n")
            reply: dict[str, Any] = self._run(request["code"]) if request.get("code") is not None else {"op": "done"}
        except Refused as error:
            reply = {"op": "failed", "kind": error.kind, "type": error.kind, "message": str(error), "text": str(error)}
        with self._lock:  # a thread of the code may be calling a tool: the answer must reach it
            self.busy = False
        reply["out"] = self.output.take()
        names = self._names()
        if names != self._told:
            reply["names"] = self._told = names
        return _dumps(reply)

    def _set(self, settings: dict[str, Any]) -> None:
        imports = settings.get("imports")
        if imports is not None:
            policy = ImportPolicy(imports)
            real_import = builtins.__import__

            def checked_import(
                name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
            ) -> Any:
                # A list: a library written in C imports a part of itself while the code calls it.
                if not level and type(fromlist) is not list and not policy.allows_import(name, fromlist or ()):
                    raise ImportNotAuthorizedError(not_authorized_text(policy, name))
                return real_import(name, globals, locals, fromlist, level)

            self.namespace["__builtins__"] = {**vars(builtins), "__import__": checked_import}
        self._most = int(settings.get("max_message") or self._most)
        if settings.get("max_print"):
            self.output.limit = int(settings["max_print"])

    def _names(self) -> list[str]:
        """The variables of the code."""
        found = [name for name in self.namespace if name not in self._known and name not in self._tools]
        return [name for name in found if type(name) is str and not name.startswith(("_", "@"))][:MOST_NAMES]

    # Tools

    def _tool(self, name: str, details: dict[str, Any] | None = None) -> Callable[..., Any]:
        def tool(*args: Any, **kwargs: Any) -> Any:
            return self._call(name, args, kwargs)

        tool.__name__ = tool.__qualname__ = name
        for key, value in (details or {}).items():
            if key == "doc":
                tool.__doc__ = value
            elif isinstance(value, str):
                setattr(tool, key, value)
        return tool

    def _call(self, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
        with self._lock:
            if self._finished:
                raise FinalAnswer
            if not self.running:  # in a thread that the code has left behind
                raise RuntimeError(f"{name}() can only be called while a step of code runs, and the step has ended")
            encode = self._codec.encode
            self._calls += 1
            message: dict[str, Any] = {"op": "call", "id": self._calls, "name": name}
            message["args"] = [encode(arg, f"argument {n + 1} of {name}()") for n, arg in enumerate(args)]
            message["kwargs"] = {key: encode(arg, f"argument {key} of {name}()") for key, arg in kwargs.items()}
            message["out"] = self.output.take()
            text = _dumps(message)
            if len(text) > self._most:
                raise CannotCrossError(f"the arguments of {name}() are larger than {self._most >> 20} MB: pass less")
            self._exchanging = True
            try:
                answer = json.loads(self._exchange(text))
            finally:
                self._exchanging = False
            if self._interrupted or answer["op"] == "interrupt":
                self._interrupted = False
                raise KeyboardInterrupt
            if answer["op"] == "raise":
                error = _exception(answer["type"], answer["message"])
                error._tool_call = message["id"]  # type: ignore[attr-defined]
                raise error
            if answer.get("final"):
                self._finished = True
                raise FinalAnswer
            return self._codec.decode(answer["value"], f"the result of {name}()")

    # Code

    def _compile(self, source: str, filename: str) -> Any:
        with warnings.catch_warnings():  # of escapes and the like; the model is not shown them
            warnings.simplefilter("ignore")
            try:
                tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
                assert isinstance(tree, ast.Module)
                if self._tools:
                    self._refuse_rebinding(tree, source)
                keep_result(tree.body, RESULT)
                return compile(tree, filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            except SyntaxError as error:
                raise Refused(describe_syntax_error(source, error)) from None
            except (ValueError, RecursionError, MemoryError, OverflowError) as error:
                raise Refused(f"Code could not be compiled: {type(error).__name__}: {error}") from None

    def _refuse_rebinding(self, tree: ast.Module, source: str) -> None:
        waiting: list[Any] = list(tree.body)
        while waiting:
            node = waiting.pop()
            kind = type(node)
            bound: Any = ()
            if kind is ast.Name:
                bound = (node.id,) if type(node.ctx) is ast.Store else ()
            elif kind in (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef):
                bound = (node.name,)
            elif kind in (ast.Import, ast.ImportFrom):
                bound = tuple((alias.asname or alias.name).partition(".")[0] for alias in node.names)
            elif kind is ast.Lambda:
                continue
            for name in bound:
                if name in self._tools:
                    text = source.splitlines()[node.lineno - 1].strip()
                    raise Refused(
                        f"Code was refused, line {node.lineno}:\n    {text}\n"
                        f"Cannot assign to '{name}': it is the name of a tool. Use another name for the variable."
                    )
            if kind not in (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef):
                waiting.extend(ast.iter_child_nodes(node))

    def _run(self, source: str) -> dict[str, Any]:
        self._count += 1
        filename = f"<code {self._count}>"
        code = self._compile(source, filename)
        self._sources[filename] = source
        linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
        if len(self._sources) > _SOURCES_KEPT:
            oldest = next(iter(self._sources))
            del self._sources[oldest]
            linecache.cache.pop(oldest, None)
        namespace = self.namespace
        namespace.update(self._tools)
        namespace.pop(RESULT, None)
        self._finished = False
        streams = sys.stdout, sys.stderr
        if self._redirect:
            sys.stdout = sys.stderr = self.output
        try:
            error = self._execute(code)
            if error is None:
                return self._value(namespace.pop(RESULT, None))
            if isinstance(error, FinalAnswer):
                return {"op": "done", "final": True}
            return self._failure(error, filename)
        finally:
            if self._redirect:
                sys.stdout, sys.stderr = streams

    def _execute(self, code: types.CodeType) -> BaseException | None:
        """Execute the code; returns what it raised.

        Stays short: when memory has run out, CPython before 3.14 finds a handler only if it is among the first 256
        instructions of its function. For others it needs a new integer, and tries for ever to get one.
        """
        try:
            self.running = True
            if self._interrupted:
                self._interrupted = False
                raise KeyboardInterrupt
            if code.co_flags & 0x80:  # a coroutine: it awaits at its top level
                self._await(eval(code, self.namespace))
            else:
                exec(code, self.namespace)
            self.running = False
        except BaseException as error:
            self.running = False
            if isinstance(error, MemoryError):
                self.out_of_memory()
            return error
        return None

    def _await(self, coroutine: Any) -> None:
        import asyncio

        from .coroutines import run_to_end

        run_to_end(asyncio.new_event_loop(), coroutine)

    def _value(self, value: Any) -> dict[str, Any]:
        if self._finished:
            return {"op": "done", "final": True}
        try:
            data = self._codec.encode(value)
            if type(data) in (dict, list, str) and len(data if type(data) is str else _dumps(data)) > MOST_VALUE:
                raise CannotCrossError("too large")
        except (CannotCrossError, MemoryError, RecursionError):
            try:
                text = repr(value)[:MOST_TEXT]
            except BaseException as error:
                text = f"<{type(value).__name__}, not printable: {exception_line(error)}>"
            return {"op": "done", "text": text, "type": type(value).__name__}
        return {"op": "done", "value": data}

    def _failure(self, error: BaseException, filename: str) -> dict[str, Any]:
        reply: dict[str, Any] = {"op": "failed", "kind": "InterpreterError", "type": type(error).__name__}
        if isinstance(error, ImportNotAuthorizedError):
            reply["kind"] = "ImportNotAuthorizedError"
        elif isinstance(error, KeyboardInterrupt):
            reply["kind"] = "interrupted"
        try:
            reply["message"] = str(error)
        except BaseException as failure:
            reply["message"] = f"<its message could not be made: {type(failure).__name__}>"
        reply["text"] = describe_error(error, self._sources, filename)
        call = getattr(error, "_tool_call", None)
        if type(call) is int:
            reply["call"] = call
        error.__traceback__ = None  # its frames hold the variables of functions
        return reply


def _exception(name: str, message: str) -> BaseException:
    """An exception as a tool raised it on the host: of the same built-in type, or of a type with its name."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        with suppress(Exception):  # UnicodeDecodeError and its like want more
            made: BaseException = kind(message)
            return made
    other: BaseException = type(name, (Exception,), {"__module__": "__main__"})(message)
    return other
