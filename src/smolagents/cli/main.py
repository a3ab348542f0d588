"""The entry of the `smolagent` command."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any

from smolagents.cli.arguments import parse_arguments, wants_debug
from smolagents.cli.commands import SUBCOMMANDS
from smolagents.cli.problems import NO_ANSWER, OK, CliError, reported
from smolagents.cli.terminal import confirm, on_terminal

__all__ = ["SUBCOMMANDS", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments without the program's name; those of this process by default.

    Returns:
        The exit code: 0 answered, 1 no answer, 2 wrong use or no model, 130 stopped by Ctrl-C.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if argv and argv[0] in SUBCOMMANDS:
        module, _, function = SUBCOMMANDS[argv[0]].function.partition(":")
        code: int = getattr(importlib.import_module(module), function)(argv[1:])
        return code
    return run(argv)


def run(argv: Sequence[str]) -> int:
    """Work on the task of a command line, or converse where it has none."""
    arguments = parse_arguments(argv)
    return reported(
        "smolagent",
        lambda: _run(arguments),
        debug=wants_debug(arguments.verbosity_level),
        api_base=arguments.api_base,
    )


def _run(arguments: argparse.Namespace) -> int:
    conversation = False
    if arguments.prompt is None:
        if on_terminal():
            from smolagents.cli.interactive import interactive_mode

            conversation = True
            try:
                arguments = interactive_mode(arguments)
            except EOFError:
                print()
                return OK
        else:
            arguments.prompt = sys.stdin.read().strip() if sys.stdin is not None else ""
            if not arguments.prompt:
                raise CliError('no task: write smolagent "what to do", or pass the task on the standard input')
    if arguments.mailboxes and arguments.num_agents == 1 and not arguments.roles:
        raise CliError("--mailboxes is for teams: say how many agents with --num-agents, or which with --roles")
    if arguments.num_agents > 1 or arguments.roles:
        from smolagents.cli.team import run_team

        return run_team(arguments)
    session = _session(arguments)
    if conversation:
        from smolagents.cli.interactive import converse

        try:
            return converse(session, arguments.prompt)
        except EOFError:
            print()
            return OK
    answer = session.run(arguments.prompt)
    if arguments.verbosity_level <= 0:
        print(answer)
    if not session.solved:
        print(f"smolagent: no answer was found within {arguments.max_steps} steps", file=sys.stderr)
        return NO_ANSWER
    return OK


def _session(arguments: argparse.Namespace) -> Any:
    from smolagents.cli.confinement import check_executor_type
    from smolagents.cli.model_choice import choose_model
    from smolagents.cli.session import make_session
    from smolagents.cli.toolbox import check_imports, load_tools
    from smolagents.monitoring import AgentLogger, LogLevel

    # What costs nothing to check comes before a model that may take a minute to load.
    check_imports(arguments.imports)
    check_executor_type(arguments.executor_type)
    tools = load_tools(arguments.tools)
    # At level 0 the answer alone is printed, so that it can be assigned to a variable of a script.
    level = LogLevel(arguments.verbosity_level) if arguments.verbosity_level > 0 else LogLevel.OFF
    with AgentLogger(level).status("Loading the model…"):
        model = choose_model(
            arguments.model_type,
            arguments.model_id,
            arguments.api_base,
            arguments.api_key,
            arguments.provider,
            confirm=confirm if on_terminal() else None,
        )
    return make_session(
        model=model,
        tools=tools,
        imports=arguments.imports,
        action_type=arguments.action_type,
        max_steps=arguments.max_steps,
        verbosity_level=level,
        api_base=arguments.api_base,
        executor_type=arguments.executor_type,
    )
