"""The executors that an agent can ask for by name."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias, get_args

from smolagents.executors.base import PythonExecutor

__all__ = ["CHECKED_AT_ONCE", "ExecutorType", "executor_class", "make_executor"]

ExecutorType: TypeAlias = Literal["local", "sandbox", "monty", "docker", "wasm", "e2b", "modal", "blaxel"]

_CLASSES: dict[str, tuple[str, str]] = {
    "local": ("smolagents.executors.local", "LocalPythonExecutor"),
    "sandbox": ("smolagents.executors.sandbox", "SandboxExecutor"),
    "monty": ("smolagents.executors.monty", "MontyExecutor"),
    "docker": ("smolagents.executors.remote.docker", "DockerExecutor"),
    "wasm": ("smolagents.executors.wasm", "WasmExecutor"),
    "e2b": ("smolagents.executors.remote.e2b", "E2BExecutor"),
    "modal": ("smolagents.executors.remote.modal", "ModalExecutor"),
    "blaxel": ("smolagents.executors.remote.blaxel", "BlaxelExecutor"),
}
_ON_THIS_MACHINE = frozenset({"local", "sandbox", "monty"})
"""Those that take authorised imports and a length of prints, rather than packages to install and a logger."""

CHECKED_AT_ONCE = frozenset({"sandbox", "monty"})
"""Those that cost next to nothing to make, and say then what this machine lacks for them."""


def executor_class(executor_type: str) -> type[PythonExecutor]:
    """The class that `executor_type` names.

    Raises:
        ValueError: it names none.
    """
    if executor_type not in _CLASSES:
        raise ValueError(
            f"unknown executor_type {executor_type!r}; use one of {', '.join(map(repr, get_args(ExecutorType)))}, "
            "or pass an executor of your own as executor=…"
        )
    module, name = _CLASSES[executor_type]
    found: type[PythonExecutor] = getattr(import_module(module), name)
    return found


def _check(cls: type[PythonExecutor], settings: Mapping[str, Any]) -> None:
    parameters = inspect.signature(cls).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    for name in settings:
        if name not in parameters:
            close = difflib.get_close_matches(str(name), parameters, 1, 0.5)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise TypeError(
                f"executor_kwargs: {cls.__name__} has no argument {name!r}.{hint} It takes: {', '.join(parameters)}"
            )


def make_executor(
    executor_type: str,
    imports: Sequence[str],
    settings: Mapping[str, Any],
    *,
    max_print_outputs_length: int | None,
    logger: Any,
) -> PythonExecutor:
    """Make an executor.

    Args:
        executor_type: Its name. For "sandbox" on another system than Linux, Monty is taken if it is installed.
        imports: Modules that the code may import besides the basic ones.
        settings: Further arguments of its class.
        max_print_outputs_length: Characters of printed output that are kept; None for its default.
        logger: For its messages.

    Raises:
        TypeError: `settings` holds something that the class does not take.
    """
    if executor_type == "sandbox" and not sys.platform.startswith("linux") and find_spec("pydantic_monty"):
        logger.log(f"The sandbox is Linux's, and this is {sys.platform}: the code runs in Monty instead.", level=1)
        executor_type = "monty"
    cls: Any = executor_class(executor_type)
    _check(cls, settings)
    executor: PythonExecutor
    if executor_type in _ON_THIS_MACHINE:
        executor = cls(imports, **{"max_print_outputs_length": max_print_outputs_length, **settings})
    else:
        executor = cls(imports, **{"logger": logger, **settings})
        if max_print_outputs_length is not None and "max_print_outputs_length" not in settings:
            executor.max_print_outputs_length = max_print_outputs_length  # type: ignore[attr-defined]
    return executor
