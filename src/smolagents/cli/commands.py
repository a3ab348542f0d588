"""The commands of `smolagent` besides giving a task."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SUBCOMMANDS", "Command"]


class Command(NamedTuple):
    """A command of its own."""

    function: str
    """What runs it, as "module:function": takes the remaining arguments, and returns an exit code."""
    summary: str
    """What it does, in a few words."""


SUBCOMMANDS: dict[str, Command] = {
    "run": Command("smolagents.cli.run_file:run", "give a task to an agent that is written in a file"),
    "schema": Command("smolagents.cli.run_file:schema", "print what may be in such a file, as a JSON schema"),
    "trace": Command("smolagents.cli.trace:trace", "look at runs that were written to files"),
    "serve-mcp": Command("smolagents.cli.serve_mcp:serve_mcp", "offer an agent and its tools to MCP clients"),
    "worker": Command("smolagents.cli.mailbox:worker", "join a team from anywhere"),
    "mailbox": Command("smolagents.cli.mailbox:mailbox", "look into the mailboxes of a team"),
}
"""Commands by the first word of the command line. Any other first word belongs to a task."""
