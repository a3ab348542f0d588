"""The model of a saved agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smolagents.agents.saving.classes import class_entry, find_class
from smolagents.agents.saving.secrets import scrub
from smolagents.models.base import Model

__all__ = ["model_from_dict", "model_to_dict", "was_saved"]

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
    data, left_out = scrub(dict(model.to_dict()), "model")
    return {**class_entry(type(model), _ROOM), "data": data}, left_out


def was_saved(entry: Mapping[str, Any] | None) -> bool:
    """Whether the model of a saved agent can be made again."""
    return entry is None or entry.get("saved", True) is not False


def model_from_dict(entry: Mapping[str, Any] | None, where: str) -> Any:
    """Make the model of a saved agent; None for the default model.

    Raises:
        ValueError: it was not saved, its class is not known, or it cannot be made; the message says what to do.
        MissingExtraError: a package it needs is not installed.
    """
    if entry is None:
        return None
    name = entry.get("class")
    if not was_saved(entry):
        raise ValueError(f"{where} was saved without its model, {name}, which is not a Model: pass model=…")
    cls = find_class(name, entry.get("module"), Model, _ROOM)
    if cls is None:
        module = entry.get("module")
        hint = f"import the module that defines it, {module}, first" if module else "import it first if it is your own"
        raise ValueError(f"{where}: its model is a {name!r}, which is not known here: {hint}, or pass model=…")
    data = entry.get("data", {})
    if not isinstance(data, Mapping):
        raise ValueError(f"{where}: the data of its model must be a dictionary of arguments, not {data!r}")
    try:
        return cls.from_dict(dict(data))  # type: ignore[attr-defined]
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(
            f"{where}: its model, a {name}, cannot be made: {error}. Keys are never saved: set them in the environment, "
            "or pass model=…"
        ) from error
