"""`LocalPythonExecutor`: runs the model's code in this process, compiled and guarded."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any

from smolagents.executors.base import CodeOutput, PythonExecutor
from smolagents.executors.errors import (
    ControlSignal,
    ExecutionLimitError,
    FinalAnswerException,
    InterpreterError,
    LimitSignal,
    StopSignal,
)
from smolagents.executors.worker.report import describe_error

from . import current, watchdog
from .attributes import Guards
from .compiler import CompiledCode, compile_guarded
from .modules import BASE_BUILTIN_MODULES, ModuleTable
from .names import FORBIDDEN_NAMES, RESULT, TICKS
from .namespace import BASE_PYTHON_TOOLS, make_builtins
from .output import DEFAULT_MAX_LEN_OUTPUT, PrintContainer
from .run import DEFAULT_MAX_OPERATIONS, MAX_EXECUTION_TIME_SECONDS, Run

__all__ = ["LocalPythonExecutor"]


def _is_of_package(kind: type) -> bool:
    """Whether `kind` is a tool, an agent or a model of this package, or derives from one."""
    return any(
        str(base.__module__).startswith(("smolagents.tools", "smolagents.agents", "smolagents.models"))
        for base in kind.__mro__
    )


class LocalPythonExecutor(PythonExecutor):
    """Runs Python code in this process, one piece after another, in a session that keeps its variables.

    The code is compiled with guards: it reaches only authorised modules, harmless built-in functions and the tools
    and variables that it is given. That keeps mistaken code from harm. It is not a boundary for hostile code: use an
    executor that confines a process for that.

    Args:
        additional_authorized_imports: Modules the code may import besides `BASE_BUILTIN_MODULES`: packages,
            submodules such as `matplotlib.pyplot`, `pkg.*`, or `*` for all.
        max_print_outputs_length: Characters of printed output that are kept; None for 50,000.
        additional_functions: Functions that the code may call, by name.
        timeout_seconds: Seconds a piece of code may take, time in tools not counted; None for no limit.
        max_operations: Turns of loops and calls of functions a piece of code may make; None for no limit.
    """

    def __init__(
        self,
        additional_authorized_imports: Iterable[str],
        max_print_outputs_length: int | None = None,
        additional_functions: Mapping[str, Callable[..., Any]] | None = None,
        timeout_seconds: float | None = MAX_EXECUTION_TIME_SECONDS,
        *,
        max_operations: int | None = DEFAULT_MAX_OPERATIONS,
    ) -> None:
        if isinstance(additional_authorized_imports, str):
            raise TypeError(
                f"additional_authorized_imports must be a list of module names, not the string "
                f"{additional_authorized_imports!r}: write [{additional_authorized_imports!r}]."
            )
        self.additional_authorized_imports = list(additional_authorized_imports)
        self.max_print_outputs_length = (
            DEFAULT_MAX_LEN_OUTPUT if max_print_outputs_length is None else max_print_outputs_length
        )
        self.additional_functions = dict(additional_functions or {})
        self.timeout_seconds = timeout_seconds
        self.max_operations = max_operations
        self.authorized_imports: list[str] = [
            *BASE_BUILTIN_MODULES,
            *(name for name in self.additional_authorized_imports if name not in BASE_BUILTIN_MODULES),
        ]
        self.state: dict[str, Any] = {"__name__": "__main__"}
        self.static_tools: dict[str, Callable[..., Any]] = dict(self.additional_functions)
        self.custom_tools: dict[str, Callable[..., Any]] = {}
        self._guards: Guards | None = None
        self._builtins: dict[str, Any] | None = None
        self._handles: dict[str, Any] = {}
        self._sources: dict[str, str] = {}
        self._run: Run | None = None

    # -- what the code may use -------------------------------------------------------------------------------

    def send_tools(self, tools: Mapping[str, Callable[..., Any]]) -> None:
        """Make `tools` callable by the code under the names they are given.

        The tool named `final_answer` ends the code when it is called; its result is the output.
        """
        self.static_tools.update(tools)
        self._handles.update((name, self._handle(name, tool)) for name, tool in tools.items())
        if self._builtins is not None:
            self._builtins.update((name, self._handles[name]) for name in tools)

    def send_variables(self, variables: Mapping[str, Any]) -> None:
        """Set `variables` in the session.

        Raises:
            ValueError: A name is not a Python identifier, or is reserved.
        """
        for name in variables:
            if not isinstance(name, str) or not name.isidentifier() or name in FORBIDDEN_NAMES:
                raise ValueError(f"{name!r} cannot be the name of a variable: use letters, digits and underscores.")
        self.state.update((name, self._sent(value)) for name, value in variables.items())

    async def asend_tools(self, tools: Mapping[str, Callable[..., Any]]) -> None:
        self.send_tools(tools)  # which waits for nothing

    async def asend_variables(self, variables: Mapping[str, Any]) -> None:
        self.send_variables(variables)

    def _sent(self, value: Any) -> Any:
        """A variable as the code gets it: of a tool, an agent or a model it may only call it."""
        if type(value) in (list, tuple):
            items = [self._sent(item) for item in value]
            return value if all(map(operator.is_, items, value)) else type(value)(items)
        if type(value) is dict:
            changed = {key: self._sent(item) for key, item in value.items()}
            return value if all(changed[key] is value[key] for key in value) else changed
        if callable(value) and not isinstance(value, type) and _is_of_package(type(value)):
            return self._handle(str(getattr(value, "name", None) or type(value).__name__), value)
        return value

    def _handle(self, name: str, tool: Callable[..., Any]) -> Any:
        """What the code holds instead of the tool: callable, and nothing more."""
        if tool is BASE_PYTHON_TOOLS.get(name):
            return tool
        if isinstance(tool, type):
            return tool

        if name == "final_answer":

            def handle(*args: Any, **kwargs: Any) -> Any:
                run = self._run
                if run is None:
                    return tool(*args, **kwargs)
                run.enter_tool()
                try:
                    result = tool(*args, **kwargs)
                finally:
                    run.leave_tool()
                run.answer(result)
                return result

        else:

            def handle(*args: Any, **kwargs: Any) -> Any:
                run = self._run
                if run is None:
                    return tool(*args, **kwargs)
                run.enter_tool()
                try:
                    return self._sent(tool(*args, **kwargs))
                finally:
                    run.leave_tool()

        handle.__name__ = handle.__qualname__ = name
        description = getattr(tool, "description", None)
        handle.__doc__ = description if isinstance(description, str) else getattr(tool, "__doc__", None)
        for detail in ("name", "description", "output_type"):
            value = getattr(tool, detail, None)
            if isinstance(value, str):
                handle.__dict__[detail] = value
        return handle

    # -- the session -----------------------------------------------------------------------------------------

    def session(self) -> LocalPythonExecutor:
        """A fresh session: the same settings, no variables, no tools."""
        return type(self)(
            self.additional_authorized_imports,
            self.max_print_outputs_length,
            self.additional_functions,
            self.timeout_seconds,
            max_operations=self.max_operations,
        )

    def describe(self) -> str:
        """Where the code runs and what confines it."""
        return "this process, behind a guard that is no boundary against hostile code"

    def interrupt(self) -> None:
        """Stop the code that is running now, from another thread."""
        run = self._run
        if run is not None:
            watchdog.watch(run)
            run.interrupt()

    def cleanup(self) -> None:
        """Forget the variables of the session."""
        self.state.clear()
        self.state["__name__"] = "__main__"
        self._guards = self._builtins = None

    def _open(self) -> dict[str, Any]:
        """The built-in names of the session, made on its first run."""
        guards = self._guards = Guards(self.state, ModuleTable.of(self.authorized_imports))
        module = make_builtins(guards, self._print, self._settle, self._inactive, self._globals)
        names = self._builtins = module.__dict__
        for name, tool in self.static_tools.items():
            if name not in self._handles:
                self._handles[name] = self._handle(name, tool)
        names.update(self._handles)
        self.state["__builtins__"] = module
        self.state.setdefault("__name__", "__main__")
        return names

    def _print(self, *args: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None,
               flush: bool = False) -> None:  # fmt: skip
        if file is not None and file is not sys.stdout and file is not sys.stderr:
            print(*args, sep=sep, end=end, file=file, flush=flush)
            return
        for option, value in (("sep", sep), ("end", end)):
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{option} must be None or a string, not {type(value).__name__}")
        text = (" " if sep is None else sep).join([str(arg) for arg in args]) + ("\n" if end is None else end)
        printed = self.state.get("_print_outputs")
        if isinstance(printed, PrintContainer):
            printed.append(text)

    def _settle(self) -> None:
        run = self._run
        if run is not None and run.pending is not None:
            run.settle()

    def renew_ticks(self, run: Run) -> None:
        """Give the code a new counter of operations."""
        if self._builtins is not None and self._run in (run, None):
            self._builtins[TICKS] = run.new_ticks()

    def _inactive(self) -> bool:
        return self._run is None

    def _globals(self) -> Any:
        from .views import Variables

        return Variables(self.state)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of the code, guarded, in the running session."""
        compiled = compile_guarded(expression)
        exec(compiled.code, self.state)
        return self.state.pop(RESULT, None)

    # -- running ---------------------------------------------------------------------------------------------

    def __call__(self, code_action: str) -> CodeOutput:
        """Run one piece of code.

        Returns:
            The value of its last expression or assignment, or its final answer; and what it printed.

        Raises:
            InterpreterError: It could not be compiled, failed or reached a limit. The text is for the model;
                `logs` holds what was printed before.
        """
        printed = PrintContainer(self.max_print_outputs_length)
        self.state["_print_outputs"] = printed
        compiled = compile_guarded(code_action)
        self._refuse_rebinding(compiled)
        self._sources[compiled.filename] = compiled.source
        names = self._builtins
        if names is None or self.state.get("__builtins__") is None:
            names = self._open()
        if compiled.is_async or compiled.wants_loop:
            from .asynchronous import needs_thread, run_in_thread

            if needs_thread():
                return run_in_thread(lambda: self._execute(compiled, names, printed), self.interrupt)
        return self._execute(compiled, names, printed)

    def _refuse_rebinding(self, compiled: CompiledCode) -> None:
        if self.static_tools and not compiled.bound.keys().isdisjoint(self.static_tools):
            for name in compiled.bound.keys() & self.static_tools.keys():
                tool = self.static_tools[name]
                if tool is BASE_PYTHON_TOOLS.get(name):
                    continue
                line = compiled.bound[name]
                text = compiled.source.splitlines()[line - 1].strip()
                raise InterpreterError(
                    f"Code was refused, line {line}:\n    {text}\n"
                    f"Cannot assign to '{name}': it is the name of a tool. Use another name for the variable."
                )

    def _execute(self, compiled: CompiledCode, names: dict[str, Any], printed: PrintContainer) -> CodeOutput:
        state = self.state
        run = Run(self, self.timeout_seconds, self.max_operations)
        outer_run, outer_ticks = self._run, names.get(TICKS)
        outer_current = (current.state.run, current.state.guards)
        names[TICKS] = run.ticks
        current.state.run, current.state.guards = run, self._guards
        self._run = run
        failure: BaseException | None = None
        message = ""
        try:
            if run.deadline is not None:
                watchdog.watch(run)
            try:
                if compiled.is_async:
                    from .asynchronous import run_coroutine

                    run_coroutine(eval(compiled.code, state), run)
                else:
                    exec(compiled.code, state)
            except ControlSignal as signal:
                failure = run.pending or signal
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                failure = run.pending or error
                if failure is error:
                    message = describe_error(error, self._sources, compiled.filename)
            else:
                failure = run.pending
        except ControlSignal as signal:  # raised from another thread while the end was being handled
            failure = run.pending or signal
        finally:
            self._finish(run)
            self._run = outer_run
            current.state.run, current.state.guards = outer_current
            if outer_run is not None:
                names[TICKS] = outer_ticks
        result = state.pop(RESULT, None)
        if failure is None:
            return CodeOutput(result, printed.value, False)
        if isinstance(failure, FinalAnswerException):
            return CodeOutput(failure.value, printed.value, True)
        raise self._error(failure, message, run, compiled, printed)

    @staticmethod
    def _finish(run: Run) -> None:
        while True:
            try:
                run.finish()
                return
            except StopSignal:
                continue

    def _error(
        self, failure: BaseException, message: str, run: Run, compiled: CompiledCode, printed: PrintContainer
    ) -> InterpreterError:
        error: InterpreterError
        if isinstance(failure, ControlSignal):
            found = failure.error if isinstance(failure, LimitSignal) else ExecutionLimitError("The code was stopped.")
            lines = describe_error(failure, self._sources, compiled.filename)
            head = lines.rpartition("\n")[0]
            late = ""
            if run.overdue > 1:
                late = f" It was in a call that could not be interrupted, and ended {run.overdue:.1f} s late."
            text = f"{type(found).__name__}: {found}{late}"
            error = type(found)(f"{head}\n{text}" if head.startswith("Traceback") else text)
        else:
            kind = type(failure) if isinstance(failure, InterpreterError) else InterpreterError
            error = kind(message or f"{type(failure).__name__}")
            error.__cause__ = failure.with_traceback(None)
        error.logs = printed.value
        return error

    # -- functions the code defined --------------------------------------------------------------------------

    def defined_functions(self) -> dict[str, FunctionType]:
        """The functions that the code defined at module level, by name."""
        return {
            name: value
            for name, value in self.state.items()
            if type(value) is FunctionType and value.__globals__ is self.state
        }
