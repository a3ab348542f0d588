"""What is called after each step."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from smolagents.memory.steps import MemoryStep

__all__ = ["CallbackRegistry"]


class CallbackRegistry:
    """Callbacks by the kind of step they are for."""

    def __init__(self) -> None:
        self._callbacks: dict[type[MemoryStep], list[tuple[Callable[..., Any], bool]]] = {}

    def register(self, step_cls: type[MemoryStep], callback: Callable[..., Any]) -> None:
        """Call `callback` after each step of the class `step_cls` or of a class derived from it.

        Args:
            step_cls: Kind of step.
            callback: Called as `callback(step)` when it takes one parameter, else as `callback(step, agent=agent)`.

        Raises:
            TypeError: `callback` cannot be called.
        """
        if not callable(callback):
            raise TypeError(f"a step callback must be callable, not {type(callback).__name__}: {callback!r}")
        self._callbacks.setdefault(step_cls, []).append((callback, _takes_one(callback)))

    def callbacks_for(self, step: MemoryStep) -> list[tuple[Callable[..., Any], bool]]:
        """The callbacks for a step, each with whether it takes the step alone."""
        found: list[tuple[Callable[..., Any], bool]] = []
        for cls in type(step).__mro__:
            found += self._callbacks.get(cls, ())
        return found

    def callback(self, memory_step: MemoryStep, **kwargs: Any) -> None:
        """Call every callback for `memory_step`. All are called; the first exception is raised after the last one."""
        failure: Exception | None = None
        for callback, takes_one in self.callbacks_for(memory_step):
            try:
                if takes_one:
                    callback(memory_step)
                else:
                    callback(memory_step, **kwargs)
            except Exception as error:
                failure = failure or error
        if failure is not None:
            raise failure


def _takes_one(callback: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(callback).parameters.values()
    except (TypeError, ValueError):
        return False
    return len(parameters) == 1 and not any(p.kind is p.VAR_KEYWORD for p in parameters)
