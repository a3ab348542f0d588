"""Writes docs/cli.md from the parsers of the commands: `python tests/support/cli_reference.py`.

What is registered as a command is found there, and so are commands within commands.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
from pathlib import Path
from unittest import mock

__all__ = ["PAGE", "reference"]

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
_HEAD = """\
# The commands

`pip install` puts two commands on the path: `smolagent`, which is also `python -m smolagents`, and `webagent`. What
follows is what their `--help` says. This page is made from it: `python tests/support/cli_reference.py`.

Mistakes are told in one line on the standard error, and end with the exit code 2. `SMOLAGENTS_DEBUG=1` shows where in the
code something failed. What a run shows is described in [console.md](console.md).
"""


class _Found(BaseException):
    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def _parser_of(function: str) -> argparse.ArgumentParser:
    """The parser that a command makes, caught when it is to print its help."""

    def caught(parser: argparse.ArgumentParser, *_: object) -> None:
        raise _Found(parser)

    module, _, name = function.partition(":")
    with mock.patch.object(argparse.ArgumentParser, "print_help", caught):
        try:
            getattr(importlib.import_module(module), name)(["--help"])
        except _Found as found:
            return found.parser
    raise AssertionError(f"{function} printed no help")


def _within(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """A parser and those of the commands within it."""
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                found += _within(inner)
    return found


def reference() -> str:
    """The page."""
    from smolagents.cli.commands import SUBCOMMANDS

    functions = [
        "smolagents.cli.main:main",
        *(command.function for command in SUBCOMMANDS.values()),
        "smolagents.vision_web_browser:main",
    ]
    with mock.patch.dict(os.environ, {"COLUMNS": "100", "NO_COLOR": "1"}), contextlib.redirect_stdout(io.StringIO()):
        parsers = [inner for function in functions for inner in _within(_parser_of(function))]
        parts = [f"## {parser.prog}\n\n```text\n{parser.format_help().rstrip()}\n```\n" for parser in parsers]
    return "\n".join([_HEAD, *parts])


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
