"""`MontyExecutor`: runs the model's code in Monty, an interpreter of its own, in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from smolagents._imports import require
from smolagents.executors.base import CodeOutput, PythonExecutor
from smolagents.executors.errors import InterpreterError
from smolagents.executors.local.output import DEFAULT_MAX_LEN_OUTPUT

from .modules import LANGUAGE_NOTES, MODULES
from .source import RESULT, prepare

if TYPE_CHECKING:
    from .session import Session, Variables
    from .step import Step
    from .values import Values

__all__ = ["DEFAULT_MEMORY_MB", "DEFAULT_RECURSION_DEPTH", "DEFAULT_TIMEOUT_SECONDS", "MontyExecutor"]

DEFAULT_TIMEOUT_SECONDS = 30.0
"""Seconds that a piece of code may run, time in tools not counted."""
DEFAULT_MEMORY_MB = 256
"""Megabytes that the interpreter may use: for comparison, 10 million integers in a list take 150 MB."""
DEFAULT_RECURSION_DEPTH = 1000
"""How deep calls may be nested."""

_HEADER = b"smolagents monty session 1\n"


class MontyExecutor(PythonExecutor):
    """Runs code in Monty, an interpreter that knows part of Python and has no way out: no files, no network, no
    environment, no packages.

    The interpreter is a program in a process of its own, one for each session; if it breaks down, this process does
    not. Tools and managed agents run in this process. Plain values cross as copies; others, such as images, arrays
    and objects, stay here, and the code holds a handle that it can give to other tools. Of dataclasses, enums and the
    like it can read the fields; what it assigns to them does not reach the value.

    After each piece of code the session is saved. When code reaches a limit, or is interrupted, the session goes on
    with the variables of before that code.

    Args:
        additional_authorized_imports: Modules that the code is to import. They must be among `importable`.
        max_print_outputs_length: Characters of printed output that are kept; None for 50,000.
        timeout_seconds: Seconds a piece of code may take, time in tools not counted; None for no limit. Without one,
            code may go on after this process was killed.
        memory_mb: Megabytes that the interpreter may use. What is kept in variables between two pieces of code may
            take a quarter of that: saving it needs the rest.
        max_recursion_depth: How deep calls may be nested.
        logger: Where problems are shown: an `AgentLogger`, or None.

    Raises:
        MissingExtraError: `pydantic-monty` is not installed.
        ValueError: a module cannot be imported in Monty, or a limit is not a positive number.
    """

    importable: list[str]
    """The modules that code can import."""
    language_notes: str = LANGUAGE_NOTES
    """What the language lacks, for the instructions of an agent."""

    def __init__(
        self,
        additional_authorized_imports: Iterable[str] = (),
        max_print_outputs_length: int | None = None,
        *,
        timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
        memory_mb: float = DEFAULT_MEMORY_MB,
        max_recursion_depth: int = DEFAULT_RECURSION_DEPTH,
        logger: Any = None,
    ) -> None:
        if isinstance(additional_authorized_imports, str):
            raise TypeError(
                f"additional_authorized_imports must be a list of module names, not the string "
                f"{additional_authorized_imports!r}: write [{additional_authorized_imports!r}]"
            )
        if timeout_seconds is not None and not 0 < timeout_seconds < 1e9:
            raise ValueError(f"timeout_seconds must be more than 0, or None for no limit, not {timeout_seconds!r}")
        if not 1 <= memory_mb < 2**40:
            raise ValueError(f"memory_mb must be at least 1, not {memory_mb!r}")
        if not 1 <= max_recursion_depth <= 100_000:
            raise ValueError(f"max_recursion_depth must be between 1 and 100000, not {max_recursion_depth!r}")
        self.additional_authorized_imports = list(additional_authorized_imports)
        self.importable = self.authorized_imports = sorted(MODULES)
        _refuse_unknown(self.additional_authorized_imports, self.importable)
        self.max_print_outputs_length = (
            DEFAULT_MAX_LEN_OUTPUT if max_print_outputs_length is None else max_print_outputs_length
        )
        self.timeout_seconds = timeout_seconds
        self.memory_mb = memory_mb
        self.max_recursion_depth = max_recursion_depth
        self.logger = logger
        require("pydantic_monty", extra="monty", needed_for="MontyExecutor")
        from .worker import find_binary

        find_binary()
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._tools: dict[str, Callable[..., Any]] = {}
        self._forget()

    def _forget(self) -> None:
        from .handles import Handles
        from .session import Session
        from .values import Values

        self._functions: dict[str, Any] = {}
        self._values: Values = Values(Handles(), self._function_name)
        self._step: Step | None = None
        self._session: Session = Session(
            self._values, self.timeout_seconds, self.memory_mb, self.max_recursion_depth, self._log
        )

    # What the code may use

    def send_tools(self, tools: Mapping[str, Callable[..., Any]]) -> None:
        """Make `tools` callable by the code under the names they are given. They run in this process.

        The tool named `final_answer` ends the code when it is called; its result is the output.
        """
        self._tools = {**self._tools, **tools}

    def send_variables(self, variables: Mapping[str, Any]) -> None:
        """Set `variables` in the session. Functions, tools and agents among them can be called by the code.

        Raises:
            ValueError: A name is not a Python identifier.
            CannotCrossError: A value cannot cross the boundary; the text says which part of it.
        """
        for name in variables:
            if not isinstance(name, str) or not name.isidentifier() or name.startswith("__") or name == RESULT:
                raise ValueError(f"{name!r} cannot be the name of a variable: use letters, digits and underscores.")
        self._session.give({name: self._values.enter(value, name, given=True) for name, value in variables.items()})

    def _function_name(self, value: Any, given: bool) -> str | None:
        """A name by which the code can call `value`, which stays here."""
        of_package = any(
            str(kind.__module__).startswith(("smolagents.tools", "smolagents.agents", "smolagents.models"))
            for kind in type(value).__mro__
        )
        if not of_package and (not given or isinstance(value, type)):
            return None
        for name, known in (*self._tools.items(), *self._functions.items()):
            if known is value:
                return name
        stem = str(getattr(value, "name", None) or getattr(value, "__name__", None) or type(value).__name__)
        name = f"{stem}#{len(self._functions) + 1}"
        self._functions[name] = value
        return name

    def _find_tool(self, name: str) -> Callable[..., Any] | None:
        return self._tools[name] if name in self._tools else self._functions.get(name)

    def install_packages(self, additional_imports: Sequence[str]) -> list[str]:
        """Nothing can be installed in Monty.

        Raises:
            ValueError: a module is not among `importable`.
        """
        _refuse_unknown(additional_imports, self.importable)
        return []

    # Running

    def __call__(self, code_action: str) -> CodeOutput:
        """Run one piece of code.

        Returns:
            The value of its last expression or assignment, or its final answer; and what it printed.

        Raises:
            InterpreterError: It could not be compiled, failed or reached a limit. The text is for the model;
                `logs` holds what was printed before.
        """
        piece = prepare(code_action, self._tools)
        with self._exclusively():
            from .step import Step

            worker, given = self._session.ready(self._tools)
            step = self._step = Step(
                worker,
                piece,
                self._values,
                self._find_tool,
                importable=self.importable,
                timeout=self.timeout_seconds,
                most_printed=self.max_print_outputs_length,
                memory_mb=self.memory_mb,
                kept=self._session.kept,
            )
            try:
                return self._run(step, given)
            finally:
                self._step = None

    def _run(self, step: Step, given: Variables) -> CodeOutput:
        output: CodeOutput | None = None
        failure: InterpreterError | None = None
        try:
            output = step.run()
        except InterpreterError as error:
            failure = error
        finally:
            if step.spoiled:
                self._session.put_back(given)
        if not step.spoiled:
            lost = self._session.save(step, given)
            if lost is not None and not (output and output.is_final_answer):
                lost.logs = step.printed.value
                raise lost from failure
        if failure is not None:
            raise failure
        assert output is not None
        return output

    def _log(self, text: str) -> None:
        if self.logger is not None:
            self.logger.log(text, level=1)

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        if self._thread == threading.get_ident():
            raise RuntimeError(
                "The session is running code that called this tool: it cannot run other code meanwhile. "
                "Use another executor, such as session() gives."
            )
        with self._lock:
            self._thread = threading.get_ident()
            try:
                yield
            finally:
                self._thread = None

    # Sessions

    def snapshot(self) -> bytes:
        """The session as bytes: its variables, functions and classes, for `restore` here or elsewhere.

        Tools are not part of it, and values that stay outside are not either: elsewhere their handles stand for
        nothing. The bytes are for the version of Monty that wrote them.

        Raises:
            RuntimeError: the session is too large.
        """
        with self._exclusively():
            return _HEADER + self._session.contents()

    def restore(self, snapshot: bytes) -> None:
        """Make this session that of `snapshot`. Variables of before are gone; tools stay.

        Restore only what you, or somebody you trust, took with `snapshot`. The bytes are read in the process that
        runs the code, not in this one; but they bring limits of memory and time of their own, and forged ones may
        have none.

        Raises:
            ValueError: these are not the bytes of a session that this version of Monty reads. The session stays as
                it is.
        """
        if not isinstance(snapshot, bytes) or not snapshot.startswith(_HEADER):
            raise ValueError("This is not the snapshot of a session: give restore() what snapshot() returned.")
        with self._exclusively():
            self._session.become(snapshot[len(_HEADER) :])

    def session(self) -> MontyExecutor:
        """A fresh session: the same settings, no variables, no tools."""
        return type(self)(
            self.additional_authorized_imports,
            self.max_print_outputs_length,
            timeout_seconds=self.timeout_seconds,
            memory_mb=self.memory_mb,
            max_recursion_depth=self.max_recursion_depth,
            logger=self.logger,
        )

    def interrupt(self) -> None:
        """Stop the code that is running now, from another thread."""
        step = self._step
        if step is not None:
            step.interrupt()

    def cleanup(self) -> None:
        """End the session: its process, its variables and its handles. The executor can be used again."""
        self.interrupt()
        with self._exclusively():
            self._session.close()
            self._forget()


def _refuse_unknown(wanted: Iterable[str], importable: Sequence[str]) -> None:
    unknown = [name for name in wanted if name != "*" and name not in importable]
    if unknown:
        raise ValueError(
            f"Monty cannot import {', '.join(unknown)}: it has only modules of its own, which are "
            f"{', '.join(importable)}. Leave it out and give the agent a tool for what it does, or choose another "
            "executor_type, such as 'sandbox' or 'docker'."
        )
