"""The command line: `smolagent "task"`, or `smolagent` alone for a conversation."""

from __future__ import annotations

from smolagents.cli.arguments import parse_arguments
from smolagents.cli.interactive import interactive_mode
from smolagents.cli.main import main
from smolagents.cli.model_choice import load_model
from smolagents.cli.session import run_smolagent

__all__ = ["interactive_mode", "load_model", "main", "parse_arguments", "run_smolagent"]
