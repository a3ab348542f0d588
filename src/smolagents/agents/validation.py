"""Checks of what an agent is made with."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from typing import Any

from smolagents.memory import ActionStep, CallbackRegistry

__all__ = ["callback_registry", "managed_by_name", "valid_name", "whole_number"]


def whole_number(name: str, value: Any, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    return value


def valid_name(name: str | None) -> str | None:
    if name is not None and not (isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)):
        raise ValueError(
            f"the agent's name {name!r} is not a Python identifier: use letters, digits and underscores, "
            "and no word of the language"
        )
    return name


def managed_by_name(agents: Sequence[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for agent in agents:
        for wanted in ("name", "description"):
            if not getattr(agent, wanted, None):
                raise ValueError(
                    f"the managed agent {agent!r} has no {wanted}: give it one, so that the managing agent can call it"
                )
        if agent.name in found:
            raise ValueError(f"two managed agents share the name {agent.name!r}: rename one")
        found[agent.name] = agent
    return found


def callback_registry(callbacks: Any) -> CallbackRegistry:
    registry = CallbackRegistry()
    if callbacks is None:
        return registry
    if not isinstance(callbacks, Mapping):
        callbacks = {ActionStep: callbacks}
    for kind, given in callbacks.items():
        for callback in [given] if callable(given) else given:
            registry.register(kind, callback)
    return registry
