"""What went wrong, in one line that says what to do."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from smolagents.cli.interrupts import stoppable
from smolagents.monitoring.text import one_line

__all__ = ["INTERRUPTED", "NO_ANSWER", "OK", "WRONG_USE", "CliError", "explain", "known", "reported"]

OK, NO_ANSWER, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: answered; no answer; wrong use, or no model; stopped by Ctrl-C."""


_UNREACHABLE = {
    "APIConnectionError",
    "APITimeoutError",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionError",
    "ConnectionRefusedError",
    "EndpointConnectionError",
    "MaxRetryError",
    "NewConnectionError",
    "ReadTimeout",
    "TimeoutException",
    "gaierror",
}
_REFUSED = {"AuthenticationError", "PermissionDeniedError", "NoCredentialsError"}


class CliError(Exception):
    """Something the user can put right; its text says what is wrong and what to do."""


def known(kind: str, name: str, names: Iterable[str]) -> str:
    """Say that a name is unknown, which one may have been meant, and which ones there are."""
    names = sorted(names)
    near = get_close_matches(name.lower(), [one.lower() for one in names], n=1, cutoff=0.5)
    meant = [one for one in names if near and one.lower() == near[0]]
    hint = f" Did you mean {meant[0]!r}?" if meant else ""
    return f"unknown {kind} {name!r}.{hint} Known: {', '.join(names)}."


def explain(error: BaseException, api_base: str | None = None) -> str:
    """One line for an exception that ended a run."""
    if isinstance(error, CliError):
        return str(error)
    where = api_base or "the model's server"
    for cause in _causes(error):
        names = {cls.__name__ for cls in type(cause).__mro__}
        status = getattr(cause, "status_code", None) or getattr(getattr(cause, "response", None), "status_code", None)
        if names & _REFUSED or status in (401, 403):
            return (
                f"{where} refused the key: pass a valid one with --api-key, or set it in the environment "
                f"({one_line(cause, 200)})"
            )
        if names & _UNREACHABLE:
            question = "is it running, and is --api-base right?" if api_base else "is there a network?"
            return f"cannot reach {where}: {question} ({one_line(cause, 200)})"
    return one_line(str(error) or type(error).__name__, 400)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def reported(program: str, work: Callable[[], int], *, debug: bool, api_base: str | None = None) -> int:
    """Do the work of a command, and put what goes wrong into one line.

    Args:
        program: Name of the command.
        work: Returns the exit code.
        debug: Whether to show tracebacks.
        api_base: Address of the model's server, to name it when it cannot be reached.

    Returns:
        The exit code.
    """
    with stoppable(), _lost_traces_told(program):
        return _reported(program, work, debug, api_base)


@contextmanager
def _lost_traces_told(program: str) -> Iterator[None]:
    """Say on the terminal that runs are not written as they were asked to be; else it is in the log alone."""

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print(f"{program}: {one_line(record.getMessage(), 400)}", file=sys.stderr)

    log, told = logging.getLogger("smolagents.traces"), Told(logging.WARNING)
    log.addHandler(told)
    try:
        yield
    finally:
        log.removeHandler(told)


def _reported(program: str, work: Callable[[], int], debug: bool, api_base: str | None) -> int:
    try:
        code = work()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone, as `| head` does
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - kept open: the interpreter flushes it at exit
        return NO_ANSWER
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        if not isinstance(error, (CliError, ImportError, OSError)) and not debug:
            print(
                f"{program}: {type(error).__name__}: {explain(error)} (SMOLAGENTS_DEBUG=1 shows where)",
                file=sys.stderr,
            )
        else:
            print(f"{program}: {explain(error, api_base)}", file=sys.stderr)
        return WRONG_USE
