"""The model of an agent that was given none, and models by the name of their type."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["MODEL_VARIABLE", "default_model", "make_model"]

MODEL_VARIABLE = "SMOLAGENTS_MODEL"
"""Environment variable that names the default model, as "TypeName:model-id"."""


def default_model() -> Any:
    """The model that `SMOLAGENTS_MODEL` names; else Hugging Face inference, with a token; else the local model.

    The local model is fetched on first use. A line on the standard error stream says when it is chosen.

    Raises:
        ValueError: `SMOLAGENTS_MODEL` is wrong; the message lists the types there are.
    """
    chosen = os.environ.get(MODEL_VARIABLE, "").strip()
    if chosen:
        type_name, _, model_id = chosen.partition(":")
        try:
            return make_model(type_name.strip(), model_id.strip() or None)
        except ValueError as error:
            raise ValueError(f"{MODEL_VARIABLE} is {chosen!r}: {error}") from error
    from huggingface_hub import get_token

    if get_token():
        return make_model("InferenceClientModel")
    from smolagents.models.catalogue import CATALOGUE, DEFAULT_MODEL, path_of

    entry = CATALOGUE[DEFAULT_MODEL]
    fetched = "" if path_of(DEFAULT_MODEL) else f" It is fetched once, {entry.size / 1e9:.1f} GB."
    print(
        f"No model was chosen and no Hugging Face token is set: using the local model {DEFAULT_MODEL}.{fetched} "
        f"To choose another, give model=… or set {MODEL_VARIABLE}=TypeName:model-id.",
        file=sys.stderr,
    )
    return make_model("LlamaCppModel")


def make_model(type_name: str, model_id: str | None = None, **kwargs: Any) -> Any:
    """A model of the type with this name.

    Args:
        type_name: Name of a class of `smolagents.models`, such as "OpenAIModel".
        model_id: The model's name at its provider; None for the type's default, where it has one.
        **kwargs: Further arguments of the class.

    Raises:
        ValueError: there is no such type, or it needs a model id.
        MissingExtraError: a package that the type needs is not installed.
    """
    import smolagents.models as room

    general = ("Model", "ApiModel", "FallbackModel")
    names = [name for name in room.__all__ if name.endswith("Model") and name not in general]
    if type_name not in names:
        raise ValueError(f"there is no model type {type_name!r}; use one of {', '.join(names)}")
    import inspect

    cls = getattr(room, type_name)
    if model_id is not None:
        return cls(model_id=model_id, **kwargs)
    if inspect.signature(cls).parameters["model_id"].default is inspect.Parameter.empty:
        raise ValueError(f"{type_name} needs a model id; write {type_name}:<model id>")
    return cls(**kwargs)
