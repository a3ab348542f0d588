"""`smolagent run agent.yaml "task"`: an agent that someone wrote as a file; and `smolagent schema`, what may be in it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from smolagents.cli.arguments import Parser, add_common_arguments, add_model_arguments, steps, wants_debug
from smolagents.cli.problems import NO_ANSWER, OK, CliError, reported
from smolagents.cli.terminal import confirm, on_terminal

__all__ = ["load", "names_agent", "run", "schema"]

_EPILOG = """\
examples:
  smolagent run agent.yaml "How many euros are 250 dollars?"
  smolagent run my_agent/ "What is new?" --model-type LlamaCppModel
  answer=$(smolagent run agent.yaml "What is 6 times 7?" --verbosity-level 0)

A file may name code that runs on this computer: files with tools, modules,
tools on the Hub, MCP servers. You are shown what, and asked; --trust says yes.
Code that the model writes runs in the sandbox where the system has one, unless
the file says otherwise. 'smolagent schema' prints what may be in a file.
"""


def names_agent(word: str) -> bool:
    """Whether a word of the command line names the file or folder of an agent rather than begins a task."""
    from smolagents.agents.saving.reading import FILES, SUFFIXES

    if word.startswith("-") or not word.strip():
        return False
    path = Path(word)
    if path.suffix.lower() in SUFFIXES and (path.is_file() or len(word.split()) == 1):
        return True
    return path.is_dir() and ("/" in word or any((path / name).is_file() for name in FILES))


def run(argv: Sequence[str]) -> int:
    """Run an agent's file where the first word names one; else what the command does without "run".

    Args:
        argv: The arguments after "run".

    Returns:
        The exit code.
    """
    if not argv or not (argv[0] in ("-h", "--help") or names_agent(argv[0])):
        from smolagents.cli.main import run as run_task

        return run_task(argv)
    arguments = _parser().parse_args(argv)
    debug = wants_debug(arguments.verbosity_level or 0)
    return reported("smolagent run", lambda: _run(arguments), debug=debug, api_base=arguments.api_base)


def schema(argv: Sequence[str]) -> int:
    """Print the JSON schema of agents' files. Returns the exit code."""
    parser = Parser(prog="smolagent schema", description="Print the JSON schema of agents' files.")
    parser.parse_args(argv)
    from smolagents.agents.saving.schema import schema_text

    print(schema_text(), end="")
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="smolagent run",
        usage="%(prog)s FILE [task] [options]",
        description="Give a task to an agent that is written in a file.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "file", metavar="FILE", help="YAML or JSON file of the agent, or a folder that agent.save() wrote"
    )
    parser.add_argument("prompt", nargs="?", metavar="task", help="what the agent is to do, in quotes")
    parser.add_argument("--trust", action="store_true", help="run what the file names without asking")
    parser.add_argument("--max-steps", type=steps, metavar="N", help="steps it may take (default: as the file says)")
    add_model_arguments(parser)
    add_common_arguments(parser)
    parser.set_defaults(verbosity_level=None)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    task = arguments.prompt.strip() if arguments.prompt else ""
    if not task and not on_terminal():
        task = sys.stdin.read().strip() if sys.stdin is not None else ""
        if not task:
            raise CliError('no task: write smolagent run FILE "what to do", or pass the task on the standard input')
    session = load(arguments)
    try:
        if not task:
            return _converse(session)
        answer = session.run(task)
        if session.logger.level <= 0:
            print(answer)
        if not session.solved:
            print(f"smolagent: no answer was found within {session.agent.max_steps} steps", file=sys.stderr)
            return NO_ANSWER
        return OK
    finally:
        for agent in _team(session.agent):
            if hasattr(agent, "cleanup"):
                agent.cleanup()


def _converse(session: Any) -> int:
    from smolagents.cli.interactive import ask_task, converse

    try:
        return converse(session, ask_task(session.logger, "Task"))
    except EOFError:
        print()
        return OK


def load(arguments: argparse.Namespace) -> Any:
    """Make the agent of a file.

    Args:
        arguments: `file`, `trust`, `max_steps`, `verbosity_level` and those of the model.

    Returns:
        A `Session`.

    Raises:
        CliError: the file is wrong, is not trusted, or names what cannot be had.
    """
    from smolagents.agents.base import MultiStepAgent
    from smolagents.agents.saving.reading import read_file
    from smolagents.cli.confinement import confine
    from smolagents.cli.session import Session
    from smolagents.monitoring import AgentLogger, LogLevel

    try:
        data = read_file(Path(arguments.file))
    except (ValueError, OSError) as error:
        raise CliError(str(error)) from error
    unconfined, remark = confine(data)
    _ask(data, unconfined, arguments.trust)
    wanted = arguments.verbosity_level
    level = wanted if wanted is not None else data.get("verbosity_level", LogLevel.INFO)
    # At level 0 the answer alone is printed, so that it can be assigned to a variable of a script.
    logger = AgentLogger(LogLevel(level) if isinstance(level, int) and 0 < level <= LogLevel.DEBUG else LogLevel.OFF)
    given: dict[str, Any] = {"logger": logger}
    if arguments.max_steps is not None:
        given["max_steps"] = arguments.max_steps
    model = _model(arguments, data, logger)
    if model is not None:
        given["model"] = model
    try:
        agent: Any = MultiStepAgent.from_dict(data, trust_remote_code=True, **given)
    except ImportError:
        raise
    except (TypeError, ValueError, OSError) as error:
        raise CliError(str(error)) from error
    if wanted is not None:
        for member in _team(agent):
            member.logger = logger
    if "stream_outputs" not in data:
        agent.stream_outputs = callable(getattr(agent.model, "generate_stream", None))
    if hasattr(agent, "python_executor") and logger.level >= LogLevel.INFO:
        logger.log(f"Code runs in {agent.python_executor.describe()}{remark}.", style="dim")
    return Session(agent, logger, arguments.api_base)


def _ask(data: Any, unconfined: list[str], trusted: bool) -> None:
    from smolagents.agents.saving.trust import what_it_does

    found = [*what_it_does(data), *unconfined]
    if not found or trusted:
        return
    if not on_terminal():
        raise CliError(f"{data.label}: running this {'; '.join(found)}. If you trust it, add --trust")
    print(f"Running {data.label}", *(f"- {each}" for each in found), sep="\n")
    if not confirm("Do you trust it?", default=False):
        raise CliError(f"{data.label} was not run")


def _model(arguments: argparse.Namespace, data: Any, logger: Any) -> Any:
    """The model of the command line; where it names none, None for the file's, or what the command uses by default."""
    from smolagents.cli.model_choice import choose_model

    names = ("model_type", "model_id", "api_base", "api_key", "provider")
    given = [getattr(arguments, name) for name in names]
    if data.get("model") is not None and not any(given):
        return None
    with logger.status("Loading the model…"):
        return choose_model(*given, confirm=confirm if on_terminal() else None)


def _team(agent: Any) -> Iterator[Any]:
    yield agent
    for member in agent.managed_agents.values():
        yield from _team(member)
