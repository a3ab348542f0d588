"""Which model thinks: as named, as the environment says, or the local one."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from smolagents.cli.problems import CliError, known

__all__ = ["choose_model", "load_model", "model_types"]

LOCAL_TYPE = "LlamaCppModel"
_PARAMETERS = {
    "api_base": ("--api-base", ("api_base", "base_url", "azure_endpoint")),
    "api_key": ("--api-key", ("api_key", "token")),
    "provider": ("--provider", ("provider",)),
}


def model_types() -> list[str]:
    """Names of the classes that `--model-type` takes."""
    import smolagents.models

    return sorted(
        name
        for name in smolagents.models.__all__
        if name.endswith("Model") and name not in ("ApiModel", "FallbackModel", "Model") and "ServerModel" not in name
    )


def load_model(
    model_type: str,
    model_id: str | None,
    api_base: str | None = None,
    api_key: str | None = None,
    provider: str | None = None,
) -> Any:
    """Make a model from what the command line says of it.

    Args:
        model_type: Name of a class in `smolagents.models`.
        model_id: The model's name at its provider; None for the class's own default.
        api_base: Address of the server, for the classes that have one.
        api_key: Key for the server; by default each class looks for its own in the environment.
        provider: Inference provider, for `InferenceClientModel`.

    Raises:
        CliError: the class is unknown, needs something that is missing, or has no use for an argument.
    """
    cls = _model_class(model_type)
    _check_address(api_base)
    parameters = inspect.signature(cls).parameters
    arguments: dict[str, Any] = {}
    if model_id is not None:
        arguments["model_id"] = model_id
    elif "model_id" in parameters and parameters["model_id"].default is inspect.Parameter.empty:
        raise CliError(f"{model_type} needs a model: name one with --model-id")
    for key, value in (("api_base", api_base), ("api_key", api_key), ("provider", provider)):
        if value is None:
            continue
        flag, names = _PARAMETERS[key]
        name = next((name for name in names if name in parameters), None)
        if name is None:
            raise CliError(f"{model_type} has no use for {flag}; leave it out")
        arguments[name] = value
    try:
        if model_type == LOCAL_TYPE:
            _fetch(model_id)
        return cls(**arguments)
    except Exception as error:
        said = _first_line(error).replace("give api_key=…", "pass --api-key")
        raise CliError(f"{model_type} cannot be used: {said}") from error


def _check_address(api_base: str | None) -> None:
    if api_base is None:
        return
    parts = urlsplit(api_base)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise CliError(f"--api-base: {api_base!r} is not an address; write one like http://localhost:8000/v1")


def _model_class(name: str) -> type[Any]:
    models = importlib.import_module("smolagents.models")
    found = getattr(models, name, None) if name.isidentifier() else None
    base = models.Model
    if not (isinstance(found, type) and issubclass(found, base)) or found in (base, models.ApiModel):
        raise CliError(known("model type", name, model_types()))
    return found


def _fetch(model_id: str | None) -> None:
    """Download a model of the catalogue that is not here, with its progress bar in place of live lines."""
    from smolagents.models import catalogue
    from smolagents.monitoring import pause_live

    name = model_id or catalogue.DEFAULT_MODEL
    if name in catalogue.CATALOGUE and catalogue.path_of(name) is None:
        with pause_live():
            catalogue.fetch(name)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def choose_model(
    model_type: str | None,
    model_id: str | None,
    api_base: str | None = None,
    api_key: str | None = None,
    provider: str | None = None,
    *,
    confirm: Callable[[str], bool] | None = None,
) -> Any:
    """The model to use where the command line leaves it open.

    In order: the type that was named; the type that suits the other arguments; `SMOLAGENTS_MODEL`; a model on
    Hugging Face if a token is set; the local model, if it is on this computer already or the user agrees to fetch it.

    Args:
        model_type: As in `load_model`, or None.
        model_id: As in `load_model`.
        api_base: As in `load_model`.
        api_key: As in `load_model`.
        provider: As in `load_model`.
        confirm: Asks the user a question with yes or no; None where nobody can be asked.

    Raises:
        CliError: no model is left, or the one that was named cannot be used.
    """
    if model_type is None and model_id is not None:
        model_type = _type_for(model_id, api_base)
    if model_type is None and (api_base or api_key or provider):
        raise CliError("which model? Name one with --model-id (and --model-type)")
    if model_type is None and (named := os.environ.get("SMOLAGENTS_MODEL", "").strip()):
        model_type, separator, identifier = named.partition(":")
        if not separator and not model_type.endswith("Model"):
            raise CliError(f"SMOLAGENTS_MODEL is {named!r}; write it as TypeName:model-id, such as {LOCAL_TYPE}:…")
        return load_model(model_type, identifier or None)
    if model_type is None and _hugging_face_token():
        model_type = "InferenceClientModel"
    if model_type is not None:
        return load_model(model_type, model_id, api_base, api_key, provider)
    return _local_model(confirm)


def _type_for(model_id: str, api_base: str | None) -> str:
    if api_base:
        return "OpenAIModel"
    if model_id.endswith(".gguf") or model_id in _catalogue_names():
        return LOCAL_TYPE
    return "InferenceClientModel"


def _hugging_face_token() -> bool:
    if os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN"):
        return True
    from huggingface_hub import get_token

    return bool(get_token())


def _catalogue_names() -> list[str]:
    from smolagents.models.catalogue import CATALOGUE

    return list(CATALOGUE)


def _local_model(confirm: Callable[[str], bool] | None) -> Any:
    from smolagents.models import catalogue

    name = catalogue.DEFAULT_MODEL
    entry = catalogue.CATALOGUE[name]
    note = "No model was named, and no key for a provider was found."
    if catalogue.path_of(name) is not None:
        print(f"{note} Using the local model {name}.", file=sys.stderr)
    else:
        size = f"{entry.size / 1e9:.1f} GB"
        if confirm is None:
            raise CliError(
                f"{note} To use the local model {name} ({size}), fetch it once with: "
                f"python -m smolagents.models.catalogue fetch {name}. "
                "Or name a model with --model-type and --model-id."
            )
        if not confirm(f"{note} Use the local model {name} ({size}, fetched once)?"):
            raise CliError("no model: name one with --model-type and --model-id, or set HF_TOKEN")
    return load_model(LOCAL_TYPE, name)
