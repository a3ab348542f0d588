"""Where the command line's agents run their code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smolagents.cli.problems import CliError

__all__ = ["check_executor_type", "confine", "default_executor_type", "executor_types"]


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


def confine(data: Any) -> tuple[list[str], str]:
    """Have the agents of a file run their code where the command's own agents do, unless the file says where.

    Args:
        data: What `read_file` returned.

    Returns:
        What to ask about, as the file leaves a boundary that there is; and the remark on the choice that was made.
    """
    chosen, remark = default_executor_type()
    asked: list[str] = []
    was_left_open = False
    for each in _coders(data):
        if "executor_type" not in each:
            each["executor_type"], was_left_open = chosen, True
        elif each["executor_type"] == "local" and chosen != "local":
            asked = ["runs code that the model writes in this process, behind a guard and no boundary"]
    return asked, remark if was_left_open else ""


def _coders(data: Any) -> Iterator[Any]:
    if data.get("class") == "CodeAgent":
        yield data
    for member in data.get("managed_agents") or ():
        yield from _coders(member)
