"""`E2BExecutor`: runs the model's code in a sandbox of E2B."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from smolagents._imports import require
from smolagents.executors.errors import WorkerLostError
from smolagents.executors.remote.base import DEFAULT_TIMEOUT_SECONDS, RemotePythonExecutor, packages_for
from smolagents.executors.remote.cells import CellConnection
from smolagents.executors.remote.connection import MAX_MESSAGE_BYTES, Connection
from smolagents.executors.remote.forgotten import Ending
from smolagents.executors.remote.installing import install_by_cell

__all__ = ["E2BExecutor"]

LIFETIME = 1800
"""Seconds without code after which a sandbox ends by itself. The service's own default is 300; models think longer."""
RENEW_EVERY = 60.0
WAITS_WHEN_REFUSED = (0.5, 1.0, 2.0)
"""Seconds to wait before a cell is sent again."""
MOST_PRINTED = 2 * MAX_MESSAGE_BYTES
"""Characters that a cell may print; what it has to say is not longer."""
START_OF_KERNEL = 60.0
_MAY_HOLD_SECRETS = ("api_key", "envs", "headers", "api_headers", "proxy", "mcp", "network", "iam")
_DEAD_KERNEL = ("ContextRestarting", "UnexpectedEndOfExecution")
"""Names of the errors that the code interpreter gives in the place of a cell whose kernel is gone."""


class E2BExecutor(RemotePythonExecutor):
    """Runs code in a sandbox of E2B (https://e2b.dev), in a kernel of its code interpreter.

    The sandbox is started here and killed by `cleanup`, or at the latest when this process ends; if that is
    impossible, it ends by itself after half an hour without code. When its kernel dies, the next code runs in
    another one of the same sandbox; when the sandbox is gone, in a new one.

    Needs the extra `e2b`, and a key in the environment variable `E2B_API_KEY`, or `api_key`.

    Args:
        additional_imports: Packages, or modules, that the code needs. They are installed with pip when a sandbox
            starts; a `template` that holds them starts faster.
        logger: Where progress is shown: an `AgentLogger`, or None.
        timeout_seconds: Seconds that a piece of code may run, time in tools not counted; None for no limit.
        max_print_outputs_length: Characters of printed output that are kept; None for 50,000.
        **kwargs: Arguments of `e2b_code_interpreter.Sandbox.create`, such as `template`, `timeout`, `metadata`,
            `envs`, `allow_internet_access`, `api_key`, `domain`, `request_timeout`. `timeout` is the lifetime of the
            sandbox in seconds, counted from its start; without it, the lifetime is half an hour, counted from the
            last use.

    Raises:
        MissingExtraError: the package `e2b-code-interpreter` is not installed.
        ValueError: there is no key.
        RuntimeError: E2B refuses or cannot be reached, or a package cannot be installed; the text says which.
    """

    def __init__(
        self,
        additional_imports: Sequence[str],
        logger: Any = None,
        *,
        timeout_seconds: float | None = DEFAULT_TIMEOUT_SECONDS,
        max_print_outputs_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            additional_imports,
            logger,
            timeout_seconds=timeout_seconds,
            max_print_outputs_length=max_print_outputs_length,
        )
        self._sdk = require("e2b_code_interpreter", extra="e2b", needed_for="E2BExecutor")
        if not (kwargs.get("api_key") or os.environ.get("E2B_API_KEY")):
            raise ValueError(
                "E2BExecutor needs an API key: set the environment variable E2B_API_KEY, or give api_key=…; "
                "keys are at https://e2b.dev/dashboard?tab=keys"
            )
        self._kwargs = kwargs
        self._packages = packages_for(additional_imports)
        self._end: Ending | None = None
        self._renewed = 0.0
        self.sandbox: Any = None
        """The SDK's sandbox, for uploading files and the like; None when there is none."""
        try:
            self._session = self._open()
        except WorkerLostError as error:
            self._end_sandbox()
            raise RuntimeError(f"The E2B sandbox could not be started: {error.cause}") from error
        except BaseException:
            self._end_sandbox()
            raise

    # -- the sandbox ---------------------------------------------------------------------------------------------

    def _connect(self) -> Connection:
        if self.sandbox is not None and _is_running(self.sandbox) is not True:
            self._end_sandbox()
        if self.sandbox is None:
            self._start_sandbox()
        sandbox = self.sandbox
        try:
            context = sandbox.create_code_context(request_timeout=START_OF_KERNEL)
        except Exception as error:
            raise WorkerLostError(self._explain(error)) from error

        def close() -> None:
            if self.sandbox is sandbox:  # else it ends, and its kernels with it
                _quietly(partial(sandbox.remove_code_context, context))

        return CellConnection(partial(self._run_cell, sandbox, context), close=close)

    def _start_sandbox(self) -> None:
        self._log("Starting an E2B sandbox ...")
        try:
            sandbox = self._sdk.Sandbox.create(**{"timeout": LIFETIME, **self._kwargs})
        except TypeError as error:
            raise TypeError(f"E2B's Sandbox.create does not take {self._shown_kwargs()}: {error}") from error
        except Exception as error:
            raise WorkerLostError(self._explain(error)) from error
        self.sandbox = sandbox
        self._end = Ending(self, partial(_kill, sandbox))
        self._renewed = time.monotonic()
        self._log(f"E2B sandbox {sandbox.sandbox_id} is running.")
        try:
            self._install(self._packages)
        except BaseException:
            self._end_sandbox()
            raise

    def _end_sandbox(self) -> None:
        self.sandbox = None
        if self._end is not None:
            self._end()

    def _shown_kwargs(self) -> str:
        plain = {name: value for name, value in self._kwargs.items() if name not in _MAY_HOLD_SECRETS}
        return ", ".join(f"{name}={value!r}" for name, value in plain.items())

    def _explain(self, error: Exception) -> str:
        """What is wrong with the service, and what helps."""
        sdk = self._sdk
        text = _one_line(error)
        if isinstance(error, sdk.AuthenticationException):
            return f"E2B did not accept the API key ({text}): check E2B_API_KEY, or api_key"
        if isinstance(error, sdk.RateLimitException):
            return f"E2B refused ({text}): clean up executors that are not needed, or wait"
        if self.sandbox is None and text.startswith("404"):
            return f"E2B did not find what was asked for ({text}): check the template"
        return f"E2B answered with {type(error).__name__}: {text}"

    # -- running -------------------------------------------------------------------------------------------------

    def _run_cell(self, sandbox: Any, context: Any, source: str, timeout: float) -> str:
        """Run a cell and return what it printed; of one that failed, with its error."""
        self._renew(sandbox)
        try:
            arguments = {"context": context, "timeout": timeout, **_bounded()}
            execution = self._patiently(sandbox, partial(sandbox.run_code, source, **arguments))
        except WorkerLostError:
            raise
        except Exception as error:
            raise WorkerLostError(self._cause_of_loss(sandbox, error, timeout)) from error
        printed = "".join(execution.logs.stdout)
        failure = execution.error
        if failure is None:
            return printed
        if failure.name in _DEAD_KERNEL or (failure.name == "NameError" and "__smolagents__" in failure.value):
            raise WorkerLostError("the kernel died; most often the memory of the sandbox was used up")
        return f"{printed}\n{failure.name}: {failure.value}"

    def _patiently(self, sandbox: Any, call: Callable[[], Any]) -> Any:
        """Send a cell again when the service refused it for now, or the connection broke: it does no harm twice."""
        for wait in WAITS_WHEN_REFUSED:
            try:
                return call()
            except (WorkerLostError, self._sdk.TimeoutException, self._sdk.NotFoundException):
                raise
            except Exception as error:
                if not str(error).startswith("429") and not _is_running(sandbox):
                    raise
            time.sleep(wait)
        return call()

    def _renew(self, sandbox: Any) -> None:
        """Let a sandbox that is in use live on, unless the user set its lifetime."""
        now = time.monotonic()
        if "timeout" not in self._kwargs and now - self._renewed > RENEW_EVERY:
            self._renewed = now
            _quietly(partial(sandbox.set_timeout, LIFETIME))  # at the account's longest lifetime it is refused

    def _cause_of_loss(self, sandbox: Any, error: Exception, timeout: float) -> str:
        running = _is_running(sandbox)
        if running is False:
            self._end_sandbox()
            lifetime = self._kwargs.get("timeout")
            reached = f"it reached its lifetime of {lifetime} seconds" if lifetime else "it reached its lifetime"
            return f"the sandbox was stopped: {reached}, or was killed"
        if running and isinstance(error, self._sdk.TimeoutException):
            return f"its kernel did not answer within {timeout:g} seconds"
        return self._explain(error)

    def install_packages(self, additional_imports: Sequence[str]) -> list[str]:
        packages = packages_for(additional_imports)
        with self._lock:
            if self.sandbox is not None:
                try:
                    self._install(packages)
                except WorkerLostError as error:
                    raise RuntimeError(f"Installing {', '.join(packages)} failed: {error.cause}") from error
            self._packages = list(dict.fromkeys([*self._packages, *packages]))  # for a sandbox to come
        return packages

    def _install(self, packages: Sequence[str]) -> None:
        if packages:
            self._log(f"Installing {', '.join(packages)} ...")
            # In the default kernel of the sandbox, which runs nothing else.
            install_by_cell(partial(self._run_cell, self.sandbox, None), packages)

    # -- ends ----------------------------------------------------------------------------------------------------

    def session(self) -> E2BExecutor:
        """Another executor with the same settings and a sandbox of its own.

        It shares no file and no process with this one. The service charges for both sandboxes until they are
        cleaned up, and `additional_imports` are installed again.
        """
        return E2BExecutor(
            self._packages,
            self.logger,
            timeout_seconds=self.timeout_seconds,
            max_print_outputs_length=self.max_print_outputs_length,
            **self._kwargs,
        )

    def cleanup(self) -> None:
        """Kill the sandbox. The executor can be used again; it then starts a new one."""
        self.sandbox = None
        super().cleanup()
        self._end_sandbox()


def _bounded() -> dict[str, Callable[[Any], None]]:
    """Callbacks for the SDK, which keeps all that a cell says."""
    said = 0

    def count(output: Any) -> None:
        nonlocal said
        said += len(getattr(output, "line", "") or "")
        if said > MOST_PRINTED:
            raise WorkerLostError(f"it said more than {MOST_PRINTED >> 20} MB at once")

    return {"on_stdout": count, "on_stderr": count}


def _is_running(sandbox: Any) -> bool | None:
    """Whether a sandbox runs; None when that cannot be found out."""
    try:
        return bool(sandbox.is_running(request_timeout=10))
    except Exception:
        return None


def _kill(sandbox: Any) -> None:
    _quietly(sandbox.kill)


def _quietly(call: Callable[[], object]) -> None:
    """For what the service sees to by itself, if later."""
    try:
        call()
    except Exception:
        return


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]
