"""The model of a saved agent."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from smolagents.agents.saving.classes import class_entry, find_class
from smolagents.agents.saving.environment import remember, remembered, resolve_arguments
from smolagents.agents.saving.secrets import as_saved, refuse_secrets
from smolagents.agents.saving.settings import parameters_of
from smolagents.models.base import Model

__all__ = ["arguments_of", "model_from_dict", "model_to_dict", "normal_entry", "was_saved"]

_ROOM = "smolagents.models"


def model_to_dict(model: Any) -> tuple[dict[str, Any] | None, list[str]]:
    """A model as plain data, and the names of what could not be saved of it.

    None stands for the default model. A model that is no `Model`, such as a function, is only named.
    """
    if model is None:
        return None, []
    if not isinstance(model, Model):
        name = getattr(model, "__qualname__", None) or type(model).__qualname__
        return {"class": name, "saved": False}, [
            f"the model, {name}, which is not a Model: pass model=… when you load it"
        ]
    # What Model.to_dict leaves out itself is secret, and comes from the environment when the model is made again.
    data, left_out = as_saved(model.to_dict(), remembered(model), "model")
    return {**class_entry(type(model), _ROOM), "data": data}, left_out


def was_saved(entry: Any) -> bool:
    """Whether the model of a saved agent can be made again."""
    return not isinstance(entry, Mapping) or entry.get("saved", True) is not False


_OWN = frozenset({"class", "module", "data", "saved", "same_as_manager"})
"""Keys of a model's entry that are no arguments."""


def normal_entry(entry: Any) -> Any:
    """A model's entry as a dictionary: "OpenAIModel:gpt-5-mini" is short for its class and its `model_id`."""
    if not isinstance(entry, str):
        return entry
    name, colon, model_id = entry.partition(":")
    return {"class": name.strip(), **({"model_id": model_id.strip()} if colon else {})}


def arguments_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments in a model's entry, as they are written there."""
    data = entry.get("data")
    beside = {key: value for key, value in entry.items() if key not in _OWN}
    return {**(data if isinstance(data, Mapping) else {}), **beside}


def model_from_dict(entry: Any, where: str, trusted: bool = False) -> Any:
    """Make the model of an agent; None for the default model.

    Args:
        entry: What `model_to_dict` returned; or, as people write it, "Class:model_id", or a dictionary of "class" and
            arguments.
        where: What the agent is called in errors.
        trusted: Whether modules may be imported to find its class.

    Raises:
        ValueError: it was not saved, its class is not known, or it cannot be made; the message says what to do.
        MissingExtraError: a package it needs is not installed.
    """
    entry = normal_entry(entry)
    if entry is None:
        return None
    name = entry.get("class")
    if not was_saved(entry):
        raise ValueError(f"{where} was saved without its model, {name}, which is not a Model: pass model=…")
    cls = find_class(name, entry.get("module"), Model, _ROOM, trusted)
    if cls is None:
        module = entry.get("module")
        hint = f"import the module that defines it, {module}, first" if module else "import it first if it is your own"
        raise ValueError(
            f"{where}: its model is a {name!r}, which is not known here{_near(name)}: {hint}, or pass model=…"
        )
    if not isinstance(entry.get("data", {}), Mapping):
        raise ValueError(f"{where}: the data of its model must be a dictionary of arguments, not {entry['data']!r}")
    own = parameters_of(cls)
    beside = {key: value for key, value in entry.items() if key not in _OWN}
    refuse_secrets(beside, f"{where}: model")
    _check_spelling(beside, own, cls, where)
    arguments = arguments_of(entry)
    resolved = resolve_arguments(arguments, own, f"{where}: model")
    try:
        made = cls.from_dict(resolved.arguments)  # type: ignore[attr-defined]
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(
            f"{where}: its model, a {name}, cannot be made: {error}. Keys are never saved: set them in the environment, "
            "or pass model=…"
        ) from error
    remember(made, resolved)
    return made


def _near(name: Any) -> str:
    import smolagents.models

    near = difflib.get_close_matches(str(name), [each for each in smolagents.models.__all__ if "Model" in each], n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _check_spelling(arguments: Mapping[str, Any], own: Mapping[str, Any], cls: type, where: str) -> None:
    """Refuse what is nearly an argument. What is none at all is sent with every call, such as a temperature."""
    for key in arguments:
        if key in own or key.removesuffix("_env") in own:
            continue
        near = difflib.get_close_matches(key, own, n=1, cutoff=0.8)
        if near:
            raise ValueError(f"{where}: model.{key} is no argument of {cls.__name__}. Did you mean {near[0]!r}?")
