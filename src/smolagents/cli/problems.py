"""What went wrong, in one line that says what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from smolagents.monitoring.text import one_line

__all__ = ["CliError", "explain", "known"]

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
            return f"cannot reach {where}: is it running, and is --api-base right? ({one_line(cause, 200)})"
    return one_line(str(error) or type(error).__name__, 400)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
