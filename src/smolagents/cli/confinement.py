"""Where the command line's agents run their code."""

from __future__ import annotations

from smolagents.cli.problems import CliError

__all__ = ["check_executor_type", "default_executor_type", "executor_types"]


def executor_types() -> list[str]:
    """The names of executors that can be asked for."""
    from typing import get_args

    from smolagents.agents.executor_types import ExecutorType

    return list(get_args(ExecutorType))


def check_executor_type(name: str | None) -> str | None:
    """`name` if it is that of an executor.

    Raises:
        CliError: it is not.
    """
    if name is not None and name not in executor_types():
        raise CliError(f"unknown executor type {name!r}; use one of {', '.join(executor_types())}")
    return name


def default_executor_type() -> tuple[str, str]:
    """The executor to use when none was asked for, and a remark on the choice, which is empty for a boundary."""
    from smolagents.executors.sandbox.confine import probe

    missing = probe().missing
    if not missing:
        return "sandbox", ""
    return "local", f" ({missing[0].why}; --executor-type docker, wasm or monty gives a boundary)"
