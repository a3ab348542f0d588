"""The arguments of an agent's constructor that are plain data."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from smolagents.agents.saving.environment import remembered
from smolagents.agents.saving.secrets import as_saved, scrub
from smolagents.monitoring import AgentLogger

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent

__all__ = ["check_settings", "keys_of", "kind_of_setting", "parameters_of", "settings_of"]

PARTS = frozenset({"tools", "model", "prompt_templates", "managed_agents", "skills"})
"""Arguments that are saved in a form of their own."""

_RESULTS = frozenset({"add_base_tools", "grammar"})
"""Arguments of which nothing is left once the agent is made."""

_OF_THE_PLACE = frozenset({"trace_dir"})
"""Arguments that belong to where the agent runs: whoever wrote a saved agent must not choose where files are written."""

_READ: dict[str, Callable[[Any], Any]] = {
    "verbosity_level": lambda agent: int(agent.logger.level),
    "use_structured_outputs_internally": lambda agent: agent._use_structured_outputs_internally,
}
"""Arguments that an agent does not keep under their own name."""


def _own_executor(agent: Any) -> list[Any]:
    given = getattr(agent, "_given_executor", None)
    return [] if given is None else [type(given)]


_CODE: dict[str, Callable[[Any], list[Any]]] = {
    "step_callbacks": lambda agent: [
        callback for given in agent.step_callbacks._callbacks.values() for callback, _ in given
    ],
    "final_answer_checks": lambda agent: list(agent.final_answer_checks),
    "logger": lambda agent: [] if type(agent.logger) is AgentLogger else [type(agent.logger)],
    "executor": _own_executor,
}
"""Arguments that are code, and how to find what was given."""


def parameters_of(cls: type) -> dict[str, inspect.Parameter]:
    """All parameters of a constructor by name, with those its `**kwargs` hand on to the classes above."""
    found: dict[str, inspect.Parameter] = {}
    for each in cls.__mro__:
        init = vars(each).get("__init__")
        if init is None:
            continue
        parameters = list(inspect.signature(init).parameters.values())[1:]
        open_ended = False
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                open_ended = open_ended or parameter.kind is parameter.VAR_KEYWORD
            else:
                found.setdefault(parameter.name, parameter)
        if not open_ended:
            break
    return found


def settings_of(agent: MultiStepAgent) -> tuple[dict[str, Any], list[str]]:
    """The arguments that make this agent, as far as they are plain data, and the names of those that are not."""
    found: dict[str, Any] = {}
    lost: list[str] = []
    for name, parameter in parameters_of(type(agent)).items():
        if name in PARTS or name in _RESULTS or name in _OF_THE_PLACE:
            continue
        if name in _CODE:
            lost += [f"{name} {getattr(each, '__qualname__', repr(each))}" for each in _CODE[name](agent)]
            continue
        value = _READ[name](agent) if name in _READ else getattr(agent, name, parameter.default)
        if value is parameter.empty:
            lost.append(f"{name}, which the agent does not keep as an attribute")
            continue
        # A text is the author's own words: where one holds a key, saving stops rather than leave the words out.
        if name == "executor_kwargs" and isinstance(value, Mapping):
            found[name], left_out = as_saved(value, remembered(agent), name)
        else:
            found[name], left_out = (value, []) if isinstance(value, str) else scrub(value, name)
        lost += left_out
    return found, lost


_TEXT, _NUMBER, _FLAG, _LIST = "a text", "a whole number", "true or false", "a list of texts"
_KINDS: dict[str, tuple[str, bool]] = {
    "name": (_TEXT, True),
    "description": (_TEXT, True),
    "instructions": (_TEXT, True),
    "max_steps": (_NUMBER, False),
    "verbosity_level": (_NUMBER, False),
    "planning_interval": (_NUMBER, True),
    "max_tool_threads": (_NUMBER, True),
    "max_print_outputs_length": (_NUMBER, True),
    "provide_run_summary": (_FLAG, False),
    "return_full_result": (_FLAG, False),
    "stream_outputs": (_FLAG, False),
    "use_structured_outputs_internally": (_FLAG, False),
    "additional_authorized_imports": (_LIST, True),
    "authorized_imports": (_LIST, True),
    "requirements": (_LIST, True),
    "executor_type": (_TEXT, False),
    "executor_kwargs": ("a dictionary", True),
    "prompt_templates": ("a dictionary", True),
    "model": ("a text or a dictionary", True),
    "tools": ("a list", False),
    "managed_agents": ("a list", False),
    "add_base_tools": (_FLAG, False),
    "skills": ("a list", False),
}
_TESTS: dict[str, Callable[[Any], bool]] = {
    _TEXT: lambda value: isinstance(value, str),
    _NUMBER: lambda value: isinstance(value, int) and not isinstance(value, bool),
    _FLAG: lambda value: isinstance(value, bool),
    _LIST: lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "a list": lambda value: isinstance(value, list),
    "a dictionary": lambda value: isinstance(value, Mapping),
    "a text or a dictionary": lambda value: isinstance(value, (str, Mapping)),
}


def keys_of(cls: type) -> set[str]:
    """The keys that a saved agent of a class may have."""
    beside = {"schema_version", "class", "module", "requirements", "authorized_imports"}
    return {*parameters_of(cls), *beside} - set(_CODE) - _OF_THE_PLACE - {"grammar"}


def kind_of_setting(key: str) -> tuple[str, bool]:
    """What a setting must be, in words, "" for what its constructor checks itself; and whether it may be null."""
    return _KINDS.get(key, ("", True))


def check_settings(data: Mapping[str, Any], cls: type, where: str) -> None:
    """Check the keys of a saved agent and the kinds of their values.

    Raises:
        ValueError: a key is not known, or a value is of the wrong kind; the message says what is wanted.
    """
    known = keys_of(cls)
    for key, value in data.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else f" Known are: {', '.join(sorted(known))}."
            raise ValueError(f"{where}: {key!r} is no setting of a {cls.__name__}.{meant}")
        kind, may_be_none = kind_of_setting(key)
        if kind and not (value is None and may_be_none) and not _TESTS[kind](value):
            raise ValueError(f"{where}: {key!r} must be {kind}{' or null' if may_be_none else ''}, not {value!r:.80}")
