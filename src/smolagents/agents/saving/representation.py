"""Agents as plain data, and back."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from smolagents.agents.saving.classes import class_entry, find_class
from smolagents.agents.saving.migrations import SCHEMA_VERSION, migrate
from smolagents.agents.saving.mixin import ShareableAgent
from smolagents.agents.saving.models import model_from_dict, model_to_dict, was_saved
from smolagents.agents.saving.requirements import requirements_of
from smolagents.agents.saving.secrets import find_secret
from smolagents.agents.saving.settings import PARTS, check_settings, parameters_of, settings_of
from smolagents.agents.saving.tools import tool_from_dict, tool_to_dict

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent

__all__ = ["agent_from_dict", "agent_to_dict"]

_ROOM = "smolagents.agents"
_NOT_GIVEN = object()

_saving: ContextVar[_Saving | None] = ContextVar("the team that is being saved", default=None)
_given_model: ContextVar[Any] = ContextVar("model given for the team that is being loaded", default=_NOT_GIVEN)


def agent_to_dict(agent: MultiStepAgent) -> dict[str, Any]:
    """See `ShareableAgent.to_dict`."""
    outer = _saving.get()
    saving = _Saving() if outer is None else outer
    if any(agent is each for each in saving.managers):
        raise ValueError(f"{agent!r} manages itself, through its managed agents: such a team cannot be saved")
    settings, lost = settings_of(agent)
    model, lost_of_model = model_to_dict(agent._model)
    lost += lost_of_model
    tools = []
    for each in agent.tools.values():
        data, lost_of_tool = tool_to_dict(each)
        tools.append(data)
        lost += lost_of_tool
    team = []
    saving.managers.append(agent)
    token = _saving.set(saving)
    try:
        for name, member in agent.managed_agents.items():
            if not isinstance(member, ShareableAgent):
                raise TypeError(
                    f"the managed agent {name!r} is a {type(member).__name__}, which cannot be saved: "
                    "only agents derived from MultiStepAgent can"
                )
            data = member.to_dict()
            if member._model is agent._model and data.get("model") is not None:  # type: ignore[attr-defined]
                data["model"] = {**data["model"], "same_as_manager": True}
            team.append(data)
    finally:
        saving.managers.pop()
        _saving.reset(token)
    found = {
        "schema_version": SCHEMA_VERSION,
        **class_entry(type(agent), _ROOM),
        "tools": tools,
        "model": model,
        "managed_agents": team,
        "prompt_templates": _templates(agent),
        **settings,
    }
    if hasattr(agent, "authorized_imports"):
        found["authorized_imports"] = list(agent.authorized_imports)
    found["requirements"] = requirements_of(found)
    if lost:
        saving.lost.append(f"{agent!r} without {', '.join(lost)}")
    if outer is None:
        secret = find_secret(found)
        if secret is not None:
            raise ValueError(
                f"{secret[0]} holds what looks like a secret, {secret[1]!r}: it would be saved with the agent. "
                "Read it from the environment when it is needed, as with os.environ[...]"
            )
        if saving.lost:
            warnings.warn(
                f"saved {'; and '.join(saving.lost)}. Secrets, and code other than tools, are not written: "
                "give them again when you load it.",
                UserWarning,
                stacklevel=_frames_to_the_caller(),
            )
    return found


@dataclass
class _Saving:
    """What the agents of a team have in common while it is saved."""

    managers: list[Any] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def _frames_to_the_caller() -> int:
    """How many calls up the first one stands that is not in this package, as `warnings.warn` counts."""
    here = __name__.rpartition(".")[0] + "."
    count, frame = 0, inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(here):
        count, frame = count + 1, frame.f_back
    return count  # of which one is this function, as the caller's own frame counts as one


def _templates(agent: MultiStepAgent) -> dict[str, Any] | None:
    if agent._model is None and agent._custom_templates is None:
        return None  # the defaults of whatever model will be the default
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in agent.prompt_templates.items()}


def agent_from_dict(cls: type[MultiStepAgent], agent_dict: Any, kwargs: dict[str, Any]) -> MultiStepAgent:
    """See `ShareableAgent.from_dict`."""
    where = _label(agent_dict)
    data = migrate(agent_dict, where)
    found = _class_for(cls, data, where)
    if found is not cls and found.from_dict.__func__ is not cls.from_dict.__func__:  # type: ignore[attr-defined]
        return found.from_dict(agent_dict, **kwargs)  # someone's own way to make an agent of that class
    for key in ("tools", "managed_agents"):
        if data.get(key) is None:
            data[key] = []
    check_settings(data, found, where)
    arguments = {key: value for key, value in data.items() if key in parameters_of(found) and key not in PARTS}
    if "authorized_imports" in data and "additional_authorized_imports" not in data:
        arguments["additional_authorized_imports"] = _beyond_the_basic(data["authorized_imports"] or [])
    if arguments.get("code_block_tags") is not None and not isinstance(arguments["code_block_tags"], str):
        arguments["code_block_tags"] = tuple(arguments["code_block_tags"])
    arguments["prompt_templates"] = data.get("prompt_templates")
    given = dict(kwargs)
    tool_arguments = given.pop("tool_arguments", None)
    _check_tool_arguments(tool_arguments)
    token = _given_model.set(given["model"]) if "model" in given else None
    try:
        if "model" not in given:
            shared = _given_model.get()
            use_shared = not was_saved(data.get("model")) and shared is not _NOT_GIVEN
            arguments["model"] = shared if use_shared else model_from_dict(data.get("model"), where)
        model = given["model"] if "model" in given else arguments["model"]
        if "tools" not in given:
            by_name = tool_arguments or {}
            arguments["tools"] = [
                tool_from_dict(each, where, by_name.get(each.get("name")) if isinstance(each, Mapping) else None)
                for each in data["tools"]
            ]
        if "managed_agents" not in given:
            arguments["managed_agents"] = [
                _member(each, model, tool_arguments, where) for each in data["managed_agents"]
            ]
    finally:
        if token is not None:
            _given_model.reset(token)
    return found(**{**arguments, **given})


def _member(data: Any, model: Any, tool_arguments: Any, where: str) -> MultiStepAgent:
    from smolagents.agents.base import MultiStepAgent

    if not isinstance(data, Mapping):
        raise ValueError(f"{where}: a managed agent is a dictionary like that of its manager, not {data!r:.80}")
    entry = data.get("model")
    handed_on: dict[str, Any] = {}
    if isinstance(entry, Mapping) and entry.get("same_as_manager"):
        handed_on["model"] = model
    if tool_arguments:
        handed_on["tool_arguments"] = tool_arguments
    return MultiStepAgent.from_dict(data, **handed_on)


def _label(data: Any) -> str:
    if not isinstance(data, Mapping):
        raise ValueError(f"a saved agent is a dictionary, as agent.to_dict() returns, not {type(data).__name__}")
    return f"the saved agent {data['name']!r}" if data.get("name") else "the saved agent"


def _class_for(cls: type[MultiStepAgent], data: Mapping[str, Any], where: str) -> type[MultiStepAgent]:
    from smolagents.agents.base import MultiStepAgent

    name = data.get("class")
    if name is None:
        if cls is MultiStepAgent:
            raise ValueError(f'{where} does not say what it is: give "class", such as "CodeAgent"')
        return cls
    found = find_class(name, data.get("module"), MultiStepAgent, _ROOM)
    if found is None:
        if name == cls.__name__:
            return cls
        module = data.get("module")
        remedy = (
            f"import the module that defines it, {module}, first" if module else "import it first if it is your own"
        )
        raise ValueError(
            f"{where} is a {name!r}, which is not known here: {remedy}. The library has CodeAgent and ToolCallingAgent."
        )
    if found is MultiStepAgent:
        raise ValueError(
            f'{where} has the class "MultiStepAgent", which cannot run: use CodeAgent or ToolCallingAgent'
        )
    return cls if issubclass(cls, found) else found


def _check_tool_arguments(given: Any) -> None:
    if given is not None and not (
        isinstance(given, Mapping) and all(isinstance(each, Mapping) for each in given.values())
    ):
        raise TypeError(f'tool_arguments must be like {{"name_of_tool": {{"argument": value}}}}, not {given!r:.80}')


def _beyond_the_basic(imports: list[str]) -> list[str]:
    from smolagents.executors.local import BASE_BUILTIN_MODULES

    return [each for each in imports if each not in BASE_BUILTIN_MODULES]
