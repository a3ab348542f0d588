"""Why there is no connection, in words that say what to do."""

from __future__ import annotations

from typing import Any

from smolagents.tools.mcp.errors import MCPConnectionError, leaf, leaves
from smolagents.tools.mcp.servers import Diagnosis, Server

__all__ = ["explain", "never_arrived"]


def explain(server: Server, reason: BaseException | None, diagnosis: Diagnosis, timeout: float) -> MCPConnectionError:
    """The failure of a connection as an exception for the user."""
    words = _words(server, None if reason is None else leaf(reason), diagnosis, timeout)
    if server.transport == "stdio":
        said = diagnosis.last_words()
        if said:
            words += f" It wrote:\n{said}"
    error = MCPConnectionError(words)
    error.__cause__ = reason
    return error


def _words(server: Server, error: BaseException | None, diagnosis: Diagnosis, timeout: float) -> str:
    where = server.address
    asked = (diagnosis.status or "").startswith("401")
    if isinstance(error, TimeoutError):
        remedy = (
            "Does it speak MCP on its standard output? Give it longer with connect_timeout=."
            if server.transport == "stdio"
            else "It asked for credentials; give who logs in longer with connect_timeout=."
            if asked and server.auth is not None
            else 'Is the address that of an MCP server, and its "transport" the right one? '
            "Give it longer with connect_timeout=."
        )
        return f"{where} did not answer within {timeout:g} s. {remedy}"
    if server.transport == "stdio":
        if isinstance(error, FileNotFoundError):
            cwd = server.parameters.cwd
            place = f" (in the folder {cwd})" if cwd is not None else ""
            return (
                f"The command '{server.parameters.command}' was not found{place}. Install it, or give its full path."
            )
        if isinstance(error, PermissionError):
            return f"The command '{server.parameters.command}' may not be run: {error}."
        if diagnosis.ended or error is None:
            return f"The program '{where}' ended."
    elif asked and server.auth is not None and not isinstance(server.auth, str) and not _is_an_answer(error):
        return f'{where} asked for credentials, and "auth" failed: {type(error).__name__}: {error}'
    elif diagnosis.status is not None:
        given = server.auth is not None or "authorization" in {name.lower() for name in server.headers}
        hint = {
            "401": f'{"Check" if given else "Give"} "headers" or "auth".',
            "403": 'Check "headers" or "auth".',
        }.get(diagnosis.status[:3])
        if diagnosis.status[:3] in ("404", "405", "406"):
            hint = f'Check the path and the "transport", which is "{server.transport}".'
        return f"{where} answered HTTP {diagnosis.status}. {hint or ''}".rstrip()
    elif _is_http(error, "ConnectError"):
        return f"{where} cannot be reached: {error}. Is the server running, and the address right?"
    elif error is None or (diagnosis.ended and not str(error)):
        return f"{where} closed the connection."
    assert error is not None
    return f"{where}: {type(error).__name__}: {error}"


def _is_an_answer(error: BaseException | None) -> bool:
    """Whether it is the server that says what is wrong."""
    return error is None or type(error).__name__ == "MCPError" or _is_http(error, "HTTPStatusError")


def _is_http(error: Any, *names: str) -> bool:
    module = type(error).__module__.partition(".")[0]
    return module.startswith("httpx") and bool({cls.__name__ for cls in type(error).__mro__} & set(names))


def never_arrived(reason: BaseException | None) -> bool:
    """Whether a request that failed for this reason cannot have reached the server, so that it may be sent again."""
    return reason is not None and any(
        _is_http(each, "ConnectError", "ConnectTimeout", "PoolTimeout") for each in leaves(reason)
    )
