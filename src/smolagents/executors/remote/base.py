"""`RemotePythonExecutor`: runs the model's code behind a boundary, and its tools on this side."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from keyword import iskeyword
from typing import Any

from smolagents.executors.base import CodeOutput, PythonExecutor
from smolagents.executors.errors import InterpreterError, SessionLostError, WorkerLostError
from smolagents.executors.local.output import DEFAULT_MAX_LEN_OUTPUT
from smolagents.executors.remote.cells import CellConnection
from smolagents.executors.remote.connection import Connection
from smolagents.executors.remote.session import Session, Unsent
from smolagents.executors.worker.values import Codec
from smolagents.types.text import truncate_content

__all__ = ["DEFAULT_TIMEOUT_SECONDS", "OneUse", "RemotePythonExecutor", "packages_for"]

DEFAULT_TIMEOUT_SECONDS = 600.0
"""Seconds that a piece of code may run in a container or a service, time in tools not counted."""

_LONGEST_CAUSE = 4_000

_PACKAGE_OF_MODULE = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def packages_for(imports: Iterable[str]) -> list[str]:
    """Names of the packages to install for modules to import. Those of the standard library, and `*`, need none."""
    found: dict[str, None] = {}
    for name in imports:
        top = name.partition(".")[0] if name.replace(".", "").replace("_", "").isalnum() or "*" in name else name
        if top != "*" and top not in sys.stdlib_module_names:
            found[_PACKAGE_OF_MODULE.get(top, top)] = None
    return list(found)


class RemotePythonExecutor(PythonExecutor):
    """Runs code in a worker that is reached by messages: in another process, a container or a service.

    Tools and managed agents stay in this process; the code calls them by message. Arguments, results and variables
    cross as typed JSON, never as pickles; see `CannotCrossError` for what cannot. When the worker dies, the code's
    error says so, and the next code starts in a fresh worker with the same tools and the variables that were sent.

    To add a back-end, write `_connect`, which gives a `Connection`; or, for a service that can do nothing but run
    Python source and give back what it printed, write `run_code_raise_errors` alone.

    Args:
        additional_imports: Packages, or modules, that the code needs.
        logger: Where progress and problems are shown: an `AgentLogger`, or None.
        timeout_seconds: Seconds that a piece of code may run, time in tools not counted; None for no limit.
        max_print_outputs_length: Characters of printed output that are kept; None for 50,000.
    """

    def __init__(
        self,
        additional_imports: Sequence[str],
        logger: Any = None,
        *,
        timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
        max_print_outputs_length: int | None = None,
    ) -> None:
        if isinstance(additional_imports, str):
            raise TypeError(
                f"additional_imports must be a list of names, not the string {additional_imports!r}: "
                f"write [{additional_imports!r}]"
            )
        if timeout_seconds is not None and not (isinstance(timeout_seconds, (int, float)) and timeout_seconds > 0):
            raise ValueError(f"timeout_seconds must be more than 0, or None for no limit, not {timeout_seconds!r}")
        self.additional_imports = list(additional_imports)
        self.logger = logger
        self.timeout_seconds = timeout_seconds
        self.max_print_outputs_length = (
            DEFAULT_MAX_LEN_OUTPUT if max_print_outputs_length is None else max_print_outputs_length
        )
        self._prepare()

    def _prepare(self) -> None:
        self._lock = OneUse()
        self._stopped = False
        self._codec = Codec(trusted=False, handle=self._handle)
        self._tools: dict[str, Callable[..., Any]] = {}
        self._handles: dict[str, Callable[..., Any]] = {}
        self._variables: dict[str, Any] = {}
        self._unsent_tools: dict[str, Any] = {}
        self._unsent_variables: dict[str, Any] = {}
        self._giving = False
        self._session: Session | None = None
        self._notice = ""

    def __getattr__(self, name: str) -> Any:
        # Executors written by others may not call __init__ of this class.
        if name in ("_lock", "_codec") and "_lock" not in self.__dict__:
            self._prepare()
            return self.__dict__[name]
        defaults: dict[str, Any] = {
            "logger": None,
            "additional_imports": [],
            "timeout_seconds": DEFAULT_TIMEOUT_SECONDS,
            "max_print_outputs_length": DEFAULT_MAX_LEN_OUTPUT,
        }
        if name in defaults:
            return defaults[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # For those who write a back-end

    def _connect(self) -> Connection:
        """Start a worker, or attach to one."""
        if type(self).run_code_raise_errors is RemotePythonExecutor.run_code_raise_errors:
            raise NotImplementedError(f"{type(self).__name__} must write run_code_raise_errors or _connect")

        def run_cell(source: str, timeout: float) -> str:  # noqa: ARG001
            try:
                return self.run_code_raise_errors(source).logs
            except WorkerLostError:
                raise
            except Exception as error:
                raise WorkerLostError(f"{type(error).__name__}: {error}") from error

        return CellConnection(run_cell)

    def _settings(self) -> dict[str, Any]:
        """What the worker is told at its start. `imports`: modules that may be imported; without it, all."""
        return {"max_print": self.max_print_outputs_length}

    def _log(self, text: str, level: int = 1) -> None:
        if self.logger is not None:
            self.logger.log(text, level=level)

    # What the code may use

    def send_tools(self, tools: Mapping[str, Callable[..., Any]]) -> None:
        """Make `tools` callable by the code under the names they are given. They run in this process.

        The tool named `final_answer` ends the code when it is called; its result is the output.
        """
        with self._lock:
            for name, tool in tools.items():
                if self._tools.get(name) is not tool:
                    self._tools[name] = tool
                    self._unsent_tools[name] = _details(tool)

    def send_variables(self, variables: Mapping[str, Any]) -> None:
        """Set `variables` in the session. Functions, tools and agents among them can be called by the code.

        Raises:
            ValueError: A name is not a Python identifier.
            CannotCrossError: A value cannot cross the boundary; the text says which part of it.
        """
        for name in variables:
            if not isinstance(name, str) or not name.isidentifier() or name.startswith("__"):
                raise ValueError(f"{name!r} cannot be the name of a variable: use letters, digits and underscores.")
            if iskeyword(name):
                raise ValueError(f"{name!r} cannot be the name of a variable: it is a word of the Python language.")
        with self._lock:
            self._giving = True
            try:
                encoded = {name: self._codec.encode(value, name) for name, value in variables.items()}
            finally:
                self._giving = False
            self._variables.update(encoded)
            self._unsent_variables.update(encoded)

    async def asend_tools(self, tools: Mapping[str, Callable[..., Any]]) -> None:
        if self._lock.held:
            await super().asend_tools(tools)
        else:
            self.send_tools(tools)  # which waits for nothing

    async def asend_variables(self, variables: Mapping[str, Any]) -> None:
        if self._lock.held:
            await super().asend_variables(variables)
        else:
            self.send_variables(variables)

    def _handle(self, value: Any) -> str | None:
        """A name by which the code can call `value`, which stays here."""
        of_package = callable(value) and any(
            str(kind.__module__).startswith(("smolagents.tools", "smolagents.agents", "smolagents.models"))
            for kind in type(value).__mro__
        )
        if not of_package and not (self._giving and callable(value) and not isinstance(value, type)):
            return None
        for name, known in (*self._tools.items(), *self._handles.items()):
            if known is value:
                return name
        stem = str(getattr(value, "name", None) or getattr(value, "__name__", None) or type(value).__name__)
        name = f"{stem}#{len(self._handles) + 1}"
        self._handles[name] = value
        return name

    def _find_tool(self, name: str) -> Callable[..., Any] | None:
        return self._tools[name] if name in self._tools else self._handles.get(name)

    # Running

    def run_code_raise_errors(self, code: str) -> CodeOutput:
        """Run one piece of code.

        Returns:
            The value of its last expression or assignment, or its final answer; and what it printed.

        Raises:
            InterpreterError: It failed, took too long, or the session was lost. The text is for the model;
                `logs` holds what was printed before.
        """
        return self._run(code)

    def __call__(self, code_action: str) -> CodeOutput:
        """Run one piece of code; see `run_code_raise_errors`."""
        if type(self)._connect is RemotePythonExecutor._connect:
            return self._run(code_action)
        return self.run_code_raise_errors(code_action)

    def _run(self, code: str | None) -> CodeOutput:
        with self._lock:
            self._stopped = False
            session = self._session
            try:
                if session is None:
                    session = self._session = self._open()
                unsent = Unsent(self._unsent_tools, self._unsent_variables, self._notice)
                try:
                    output = session.run(code, self.timeout_seconds, unsent, self._is_stopped)
                finally:
                    if session.sent:
                        self._unsent_tools, self._unsent_variables, self._notice = {}, {}, ""
            except InterpreterError:
                raise
            except WorkerLostError as error:
                raise self._lost(error, session) from None
            except BaseException:  # Ctrl-C here, or a tool that ends the program: who knows how far it got
                if session is not None:
                    self._lost(WorkerLostError("it was left"), session)
                raise
            if session.lost is not None:
                self._lost(session.lost, session)
            return output

    def _is_stopped(self) -> bool:
        return self._stopped

    def _open(self) -> Session:
        connection = self._connect()
        self._unsent_tools = {name: _details(tool) for name, tool in self._tools.items()}
        self._unsent_variables = dict(self._variables)
        return Session(connection, self._codec, self._settings(), self._find_tool, self.max_print_outputs_length)

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.connection.close()

    def _lost(self, failure: WorkerLostError, session: Session | None) -> SessionLostError:
        self._drop()
        gone = tuple(name for name in (session.names if session else ()) if name not in self._variables)
        text = f"The session ended: {truncate_content(failure.cause, _LONGEST_CAUSE)}."
        if gone:
            names = ", ".join(gone[:50]) + (f" and {len(gone) - 50} more" if len(gone) > 50 else "")
            text += f" What earlier code defined is gone: {names}."
            self._notice = f"(This is a fresh session. Of the one before, these are gone: {names}.)\n"
        else:
            self._notice = "(This is a fresh session.)\n"
        error = SessionLostError(f"{text} The next code runs in a fresh session.")
        error.lost = gone
        error.logs = failure.logs
        error.__cause__ = failure
        return error

    def interrupt(self) -> None:
        """Stop the code that is running now, from another thread; also while its session is still being started."""
        self._stopped = True
        session = self._session
        if session is not None:
            session.interrupt()

    def install_packages(self, additional_imports: Sequence[str]) -> list[str]:
        """Install packages where the code runs, with pip.

        Returns:
            Names of the packages that were asked for.

        Raises:
            RuntimeError: pip failed; the text holds the end of what it said.
        """
        packages = packages_for(additional_imports)
        if packages:
            self._log(f"Installing {', '.join(packages)} ...")
            output = self._run(_INSTALL.format(packages=packages)).output
            if output:
                raise RuntimeError(f"Installing {', '.join(packages)} failed:\n{output}")
        return packages

    def cleanup(self) -> None:
        """End the worker. The executor can be used again; it then starts a fresh one.

        Raises:
            RuntimeError: A tool asks for it that the code has called.
        """
        self._lock.check()
        session = self._session
        if session is not None:
            session.connection.close()  # a code that runs in another thread ends with it
        with self._lock:
            self._drop()
            self._notice = ""


class OneUse:
    """A lock. A thread that holds it already, and would wait for itself, gets an error."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    @property
    def held(self) -> bool:
        return self._owner is not None

    def check(self) -> None:
        if self._owner == threading.get_ident():
            raise RuntimeError(
                "A tool cannot use the executor whose code has called it: that code waits for the tool. "
                "Give the tool an executor of its own."
            )

    def __enter__(self) -> None:
        self.check()
        self._lock.acquire()
        self._owner = threading.get_ident()

    def __exit__(self, *exc_info: object) -> None:
        self._owner = None
        self._lock.release()


def _details(tool: Any) -> dict[str, str]:
    found = {}
    for name in ("name", "description", "output_type"):
        value = getattr(tool, name, None)
        if isinstance(value, str):
            found[name] = value
    doc = found.get("description") or getattr(tool, "__doc__", None)
    if isinstance(doc, str):
        found["doc"] = doc
    return found


_INSTALL = """
def _install(packages):
    import importlib, subprocess, sys
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    importlib.invalidate_caches()
    return (done.stdout + done.stderr)[-3000:] or "pip failed" if done.returncode else ""
_installed = _install({packages!r})
"""
