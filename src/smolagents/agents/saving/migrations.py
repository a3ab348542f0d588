"""The form of saved agents, and how older forms become the present one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from smolagents.agents.saving.environment import escaped

__all__ = ["SCHEMA_VERSION", "is_of_version_1", "migrate"]

SCHEMA_VERSION = 3
"""Number of the present form. Dictionaries of smolagents 1.x have no number, and count as 1; so do its files, while files
that a person wrote without a number are in the present form."""

_ALWAYS_IN_1 = frozenset({"tools", "model", "managed_agents", "prompt_templates", "max_steps", "requirements"})
_ONLY_IN_1 = frozenset({"grammar", "authorized_imports"})


def is_of_version_1(data: Mapping[str, Any]) -> bool:
    """Whether a file without a number is one that smolagents 1.x wrote, rather than a person."""
    return "schema_version" not in data and (data.keys() >= _ALWAYS_IN_1 or bool(data.keys() & _ONLY_IN_1))


def migrate(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A saved agent in the present form. Its managed agents are left as they are: they pass through on their own.

    Args:
        data: A saved agent of any version.
        where: What it is called in error messages.

    Raises:
        ValueError: the version is no number, or one that is not known here.
    """
    version = data.get("schema_version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError(f"{where}: schema_version must be a whole number from 1 to {SCHEMA_VERSION}, not {version!r}")
    if version > SCHEMA_VERSION:
        raise ValueError(
            f"{where} was saved by a newer smolagents: its schema_version is {version}, and this one reads up to "
            f"{SCHEMA_VERSION}. Upgrade with: pip install -U smolagents"
        )
    found = copy.deepcopy(dict(data))
    while version < SCHEMA_VERSION:
        found = _MIGRATIONS[version](found)
        version += 1
        found["schema_version"] = version
    return found


_RENAMED_MODELS = {"HfApiModel": "InferenceClientModel"}

_KEYS_OF_1 = frozenset(
    {
        "class",
        "tools",
        "model",
        "managed_agents",
        "prompt_templates",
        "max_steps",
        "verbosity_level",
        "planning_interval",
        "name",
        "description",
        "instructions",
        "provide_run_summary",
        "return_full_result",
        "stream_outputs",
        "max_tool_threads",
        "requirements",
        "authorized_imports",
        "additional_authorized_imports",
        "executor_type",
        "executor_kwargs",
        "max_print_outputs_length",
        "use_structured_outputs_internally",
        "code_block_tags",
        "tool_settings",
        "skills",
    }
)


def _from_1(data: dict[str, Any]) -> dict[str, Any]:
    # 'grammar' is gone, and other keys were written by someone's subclass that took no argument of that name.
    found = {key: value for key, value in data.items() if key in _KEYS_OF_1}
    templates = found.get("prompt_templates")
    planning = templates.get("planning") if isinstance(templates, dict) else None
    if isinstance(planning, dict) and "initial_plan" in planning:
        initial = planning.pop("initial_plan")
        planning.setdefault("plan", initial)
    model = found.get("model")
    if isinstance(model, dict):
        model["class"] = _RENAMED_MODELS.get(model.get("class", ""), model.get("class"))
    # Models had no identity then: a team that shared one has the same description in every agent.
    team = found.get("managed_agents")
    for member in team if isinstance(team, list) else ():
        theirs = member.get("model") if isinstance(member, dict) else None
        if isinstance(theirs, dict) and isinstance(data.get("model"), dict) and _same(theirs, data["model"]):
            theirs["same_as_manager"] = True
    return found


def _same(model: dict[str, Any], other: dict[str, Any]) -> bool:
    renamed = {**other, "class": _RENAMED_MODELS.get(other.get("class", ""), other.get("class"))}
    mine = {**model, "class": _RENAMED_MODELS.get(model.get("class", ""), model.get("class"))}
    mine.pop("same_as_manager", None)
    renamed.pop("same_as_manager", None)
    return mine == renamed


def _from_2(data: dict[str, Any]) -> dict[str, Any]:
    # Since 3, ${NAME} in an argument stands for a variable of the environment.
    model = data.get("model")
    if isinstance(model, dict) and "data" in model:
        model["data"] = escaped(model["data"])
    tools = data.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and "init" in tool:
            tool["init"] = escaped(tool["init"])
    if "executor_kwargs" in data:
        data["executor_kwargs"] = escaped(data["executor_kwargs"])
    return data


_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_1, 2: _from_2}
"""From each version to the next."""
