"""Agents as plain data, and back."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from smolagents.agents.saving.classes import class_entry, find_class
from smolagents.agents.saving.environment import Resolved, remember, resolve_arguments
from smolagents.agents.saving.migrations import SCHEMA_VERSION, migrate
from smolagents.agents.saving.mixin import ShareableAgent
from smolagents.agents.saving.models import model_from_dict, model_to_dict, was_saved
from smolagents.agents.saving.reading import FileData
from smolagents.agents.saving.references import entry_of, is_reference_entry, make_tools, normal_entry
from smolagents.agents.saving.requirements import requirements_of
from smolagents.agents.saving.secrets import find_secret, refuse_secrets
from smolagents.agents.saving.settings import PARTS, check_settings, parameters_of, settings_of
from smolagents.agents.saving.tools import tool_from_dict, tool_to_dict
from smolagents.agents.saving.trust import is_trusted, names_others, refuse_unless_trusted
from smolagents.agents.skills import ReadSkillTool, Skill

if TYPE_CHECKING:
    from pathlib import Path

    from smolagents.agents.base import MultiStepAgent

__all__ = ["agent_from_dict", "agent_to_dict"]

_ROOM = "smolagents.agents"
_LIBRARY = ("CodeAgent", "ToolCallingAgent")
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
    tools: list[dict[str, Any]] = []
    for each in agent.tools.values():
        if agent.skills and isinstance(each, ReadSkillTool):
            continue  # made again with the skills
        data, lost_of_tool = entry_of(each, agent.tools)
        if data is None:
            data, lost_of_tool = tool_to_dict(each)
        if data not in tools:  # tools of one server are one entry
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
        "skills": [skill.to_dict() for skill in agent.skills.values()],
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
    given = dict(kwargs)
    trusted = is_trusted()
    data["tools"] = _normal_tools(data, where) if "tools" not in given else []
    found = _class_for(cls, data, where, trusted)
    if found is not cls and found.from_dict.__func__ is not cls.from_dict.__func__:  # type: ignore[attr-defined]
        return found.from_dict(agent_dict, **kwargs)  # someone's own way to make an agent of that class
    for key in ("managed_agents", "skills"):
        if data.get(key) is None:
            data[key] = []
    check_settings(data, found, where)
    if not trusted:
        refuse_unless_trusted(names_others({**data, **dict.fromkeys(given.keys() & PARTS)}), where)
    tool_arguments = given.pop("tool_arguments", None)
    _check_tool_arguments(tool_arguments)
    arguments = {key: value for key, value in data.items() if key in parameters_of(found) and key not in PARTS}
    if "authorized_imports" in data and "additional_authorized_imports" not in data:
        arguments["additional_authorized_imports"] = _beyond_the_basic(data["authorized_imports"] or [])
    if isinstance(arguments.get("code_block_tags"), list):
        arguments["code_block_tags"] = tuple(arguments["code_block_tags"])
    arguments["prompt_templates"] = data.get("prompt_templates")
    of_executor = Resolved({})
    if arguments.get("executor_kwargs"):
        if agent_dict.get("schema_version") == SCHEMA_VERSION:
            refuse_secrets(arguments["executor_kwargs"], f"{where}: executor_kwargs")
        of_executor = resolve_arguments(arguments["executor_kwargs"], (), f"{where}: executor_kwargs")
        arguments["executor_kwargs"] = of_executor.arguments
    token = _given_model.set(given["model"]) if "model" in given else None
    try:
        if "model" not in given:
            shared = _given_model.get()
            use_shared = not was_saved(data.get("model")) and shared is not _NOT_GIVEN
            arguments["model"] = shared if use_shared else model_from_dict(data.get("model"), where, trusted)
        model = given["model"] if "model" in given else arguments["model"]
        if "tools" not in given:
            folder = agent_dict.folder if isinstance(agent_dict, FileData) else None
            arguments["tools"] = _tools(data["tools"], where, tool_arguments or {}, folder)
        if "managed_agents" not in given:
            arguments["managed_agents"] = [
                _member(each, model, tool_arguments, where) for each in data["managed_agents"]
            ]
        if "skills" not in given and data["skills"]:
            arguments["skills"] = [_skill(each, where) for each in data["skills"]]
    finally:
        if token is not None:
            _given_model.reset(token)
    made = _made(found, {**arguments, **given}, where)
    if "executor_kwargs" not in given:
        remember(made, of_executor)
    return made


def _made(cls: type[MultiStepAgent], arguments: dict[str, Any], where: str) -> MultiStepAgent:
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError) or str(error).startswith(where):
            raise
        raise type(error)(f"{where}: {error}") from error


def _normal_tools(data: Mapping[str, Any], where: str) -> list[Any]:
    listed = data.get("tools")
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise ValueError(f"{where}: 'tools' must be a list, not {listed!r:.80}")
    return [normal_entry(each, f"{where}: tools[{number}]") for number, each in enumerate(listed)]


def _tools(entries: list[dict[str, Any]], where: str, given: Mapping[str, Any], folder: Path | None) -> list[Any]:
    found: list[Any] = []
    places: dict[str, str] = {}
    for number, entry in enumerate(entries):
        at = f"{where}: tools[{number}]"
        if is_reference_entry(entry):
            made = make_tools(entry, at, given, folder)
        else:
            made = [tool_from_dict(entry, where, given.get(str(entry.get("name"))))]
        for tool in made:
            if tool.name in places:
                raise ValueError(
                    f"{at} and {places[tool.name]} share the name {tool.name!r}: a model could not tell them apart. "
                    "Give one another with 'name: …', or leave it out."
                )
            places[tool.name] = f"tools[{number}]"
        found += made
    return found


def _skill(data: Any, where: str) -> Skill:
    if isinstance(data, str):
        raise ValueError(
            f"{where}: the path {data!r} of a skill means nothing here: it belongs to the file of an agent, which is "
            "loaded by MultiStepAgent.from_file(…); or pass skills=[…]"
        )
    try:
        return Skill.from_dict(data)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _member(data: Any, model: Any, tool_arguments: Any, where: str) -> MultiStepAgent:
    from smolagents.agents.base import MultiStepAgent

    if not isinstance(data, Mapping):
        raise ValueError(f"{where}: a managed agent is a dictionary like that of its manager, not {data!r:.80}")
    entry = data.get("model")
    handed_on: dict[str, Any] = {}
    shares = isinstance(entry, Mapping) and entry.get("same_as_manager")
    if shares or (entry is None and isinstance(data, FileData) and "model" not in data):
        handed_on["model"] = model
    if tool_arguments:
        handed_on["tool_arguments"] = tool_arguments
    return MultiStepAgent.from_dict(data, **handed_on)


def _label(data: Any) -> str:
    if not isinstance(data, Mapping):
        raise ValueError(f"a saved agent is a dictionary, as agent.to_dict() returns, not {type(data).__name__}")
    if isinstance(data, FileData):
        return data.label
    return f"the saved agent {data['name']!r}" if data.get("name") else "the saved agent"


def _class_for(cls: type[MultiStepAgent], data: Mapping[str, Any], where: str, trusted: bool) -> type[MultiStepAgent]:
    from smolagents.agents.base import MultiStepAgent

    name = data.get("class")
    if name is None:
        if cls is MultiStepAgent:
            raise ValueError(f'{where} does not say what it is: give "class", such as "CodeAgent"')
        return cls
    found = find_class(name, data.get("module"), MultiStepAgent, _ROOM, trusted)
    if found is None:
        if name == cls.__name__:
            return cls
        module = data.get("module")
        remedy = (
            f"import the module that defines it, {module}, first" if module else "import it first if it is your own"
        )
        near = difflib.get_close_matches(str(name), _LIBRARY, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{where} is a {name!r}, which is not known here: {remedy}. The library has {' and '.join(_LIBRARY)}.{meant}"
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
