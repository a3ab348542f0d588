"""`smolagent serve-mcp`: the agent of a folder or a file as an MCP server."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smolagents.cli.arguments import Parser, port
from smolagents.cli.problems import CliError, explain

__all__ = ["serve_mcp"]

_OK, _WRONG_USE, _INTERRUPTED = 0, 2, 130


def serve_mcp(argv: Sequence[str]) -> int:
    """Serve the agent of a folder until its client hangs up or Ctrl-C.

    Args:
        argv: The arguments after "serve-mcp".

    Returns:
        The exit code: 0 served, 2 wrong use, 130 stopped by Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        # On stdio the standard output belongs to the protocol: whatever loading prints must not go there.
        with contextlib.redirect_stdout(sys.stderr):
            server = _load(arguments)
        if arguments.transport == "stdio":
            server.run("stdio")
        else:
            _check_free(arguments.host, arguments.port)
            server.run(
                "streamable-http",
                host=arguments.host,
                port=arguments.port,
                path=arguments.path,
                token=_token(arguments.token_env),
            )
    except KeyboardInterrupt:
        return _INTERRUPTED
    except SystemExit as error:  # of the HTTP server, which has said why
        return _OK if not error.code else _WRONG_USE
    except Exception as error:
        print(f"smolagent serve-mcp: {explain(error)}", file=sys.stderr)
        return _WRONG_USE
    return _OK


def _load(arguments: argparse.Namespace) -> Any:
    from smolagents.agents.base import MultiStepAgent
    from smolagents.agents.saving.reading import read_file
    from smolagents.agents.saving.trust import names_others, what_it_does
    from smolagents.cli.confinement import confine

    path = Path(arguments.folder)
    if not path.exists():
        raise CliError(f"there is no folder {arguments.folder!r}; give the folder that agent.save() wrote")
    data = read_file(path)
    # The code in a folder is what was asked for; what it names besides is not.
    unconfined, _ = confine(data)
    found = names_others(data) if path.is_dir() else [*what_it_does(data), *unconfined]
    if found and not arguments.trust:
        raise CliError(f"{data.label}: serving this {'; '.join(found)}. If you trust it, add --trust")
    agent: Any = MultiStepAgent.from_dict(data, trust_remote_code=True)
    return agent.as_mcp_server(name=arguments.name, tools=not arguments.agent_only)


def _check_free(host: str, port: int) -> None:
    """Refuse an address where the server could not listen, before it says that it does."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise CliError(f"--host: {host!r} is not known here: {error.strerror}") from error
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # a server that has just ended does not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
            raise CliError(f"port {port} of {host} {reason}; choose another with --port") from error


def _token(variable: str | None) -> str | None:
    if variable is None:
        return None
    token = os.environ.get(variable, "").strip()
    if not token:
        raise CliError(f"the environment variable {variable} is not set; --token-env takes the token from it")
    return token


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="smolagent serve-mcp",
        description="Offer a saved agent and its tools to any MCP client. This runs the code in the folder.",
    )
    parser.add_argument("folder", help="folder that agent.save() wrote, or an agent's file")
    parser.add_argument(
        "--trust", action="store_true", help="run also what it names: modules, tools of the Hub, MCP servers"
    )
    parser.add_argument(
        "--transport",
        choices=("stdio", "streamable-http"),
        default="stdio",
        help="stdio, for clients that start this command (default), or streamable-http",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    parser.add_argument("--port", type=port, default=8000, help="port to listen at (default: 8000)")
    parser.add_argument("--path", default="/mcp", help="path of the address (default: /mcp)")
    parser.add_argument(
        "--token-env",
        metavar="VARIABLE",
        help="environment variable with the token that clients must send; needed with another --host",
    )
    parser.add_argument("--name", help="name of the server and of the agent's tool (default: the agent's)")
    parser.add_argument("--agent-only", action="store_true", help="do not offer the agent's tools as well")
    return parser
