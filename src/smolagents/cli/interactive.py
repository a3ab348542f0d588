"""A conversation in the terminal: what is left open is asked for, then one task after another."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from smolagents.cli.interrupts import obeyed
from smolagents.cli.problems import CliError
from smolagents.cli.session import Session
from smolagents.monitoring import YELLOW_HEX, AgentLogger

__all__ = ["converse", "interactive_mode"]


def interactive_mode(given: argparse.Namespace | None = None) -> argparse.Namespace:
    """Ask for the agent's settings and the first task.

    Args:
        given: What the command line said already; only the rest is asked for. Everything by default.

    Returns:
        The arguments as `parse_arguments` returns them, with a task.

    Raises:
        EOFError: Ctrl-D.
        KeyboardInterrupt: Ctrl-C.
    """
    from rich.prompt import Confirm, Prompt

    from smolagents.cli.arguments import build_parser

    logger = AgentLogger()
    console = logger.console
    settings = argparse.Namespace(**vars(given)) if given is not None else build_parser().parse_args([])
    settings.tools, settings.imports = list(settings.tools), list(settings.imports)
    logger.log_rule("smolagents")
    logger.log("Give a task; the agent thinks, writes code or calls tools, and shows each step.")
    logger.log("Ctrl-C stops it, Ctrl-D leaves.", style="dim")
    untouched = not (settings.tools or settings.imports or settings.model_type or settings.model_id)
    if untouched and Confirm.ask("Choose model, tools and imports?", default=False, console=console):
        _ask_settings(settings, lambda question, **options: Prompt.ask(question, console=console, **options))
    settings.prompt = ask_task(logger, "Task")
    return settings


def _ask_settings(settings: argparse.Namespace, ask: Callable[..., Any]) -> None:
    from smolagents.cli.model_choice import model_types
    from smolagents.default_tools import TOOL_MAPPING

    settings.action_type = ask("How it acts", choices=["code", "tool_calling"], default=settings.action_type)
    types = ["default", *model_types()]
    chosen = ask("Model type", choices=types, default="default")
    settings.model_type = None if chosen == "default" else chosen
    if settings.model_type is not None:
        settings.model_id = ask("Model id (empty for its default)", default="", show_default=False) or None
        settings.api_base = ask("Server address (empty for the usual one)", default="", show_default=False) or None
        if settings.model_type == "InferenceClientModel":
            settings.provider = ask("Provider (empty for automatic)", default="", show_default=False) or None
        settings.api_key = (
            ask("Key (empty to take it from the environment)", default="", show_default=False, password=True) or None
        )
    settings.tools = ask(f"Tools, of: {', '.join(sorted(TOOL_MAPPING))}", default="", show_default=False).split()
    if settings.action_type == "code":
        settings.imports = ask("More modules its code may import", default="", show_default=False).split()


def ask_task(logger: AgentLogger, label: str) -> str:
    """Ask until there is a task."""
    from rich.text import Text

    while True:
        task = logger.console.input(Text(f"\n{label}: ", style=f"bold {YELLOW_HEX}")).strip()
        if task:
            return str(task)


def converse(session: Session, first_task: str) -> int:
    """Give tasks to one agent, each of which goes on from those before, until the user leaves.

    Ctrl-C stops the task that is worked on; at the prompt it leaves.

    Returns:
        The exit code.
    """
    task, reset = first_task, True
    while True:
        try:
            session.run(task, reset=reset)
        except KeyboardInterrupt:
            obeyed()
        except CliError as error:
            session.logger.log_error(str(error))
        reset = False
        task = ask_task(session.logger, "Next task")
