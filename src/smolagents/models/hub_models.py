"""Models that other libraries load from a folder or the Hub: found in seconds or not at all, and failures explained."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from smolagents.types.errors import AgentGenerationError

__all__ = ["OUT_OF_MEMORY", "explain_load_failure", "find_model", "hub_arguments", "on_one_line"]

OUT_OF_MEMORY = ("out of memory", "not enough memory", "allocate memory", "Unable to allocate", "[malloc")
"""What libraries say when memory runs out, where the class of the exception does not tell."""

_TIMEOUT = 5.0
"""Seconds in which the Hub must answer; past them what is in its cache is used."""
_HUB_ARGUMENTS = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "token")


def hub_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a loader's arguments that say where files come from."""
    return {name: given[name] for name in _HUB_ARGUMENTS if name in given}


def find_model(model_id: str, given: Mapping[str, Any], config: str = "config.json") -> bool:
    """Whether a model must be loaded without asking the Hub: it is a folder, or the Hub cannot be reached.

    The libraries ask for each file several times with growing pauses, also for files that they have.

    Args:
        model_id: A folder, or the name of a repository.
        given: Arguments of the loader, such as `revision` and `cache_dir`.
        config: Name of a file that the model must have.

    Raises:
        ValueError: there is no such folder, or the name can be none of a repository.
        AgentGenerationError: the Hub cannot be reached, and the model is not in its cache.
    """
    if os.path.isdir(model_id):
        if not os.path.isfile(os.path.join(model_id, config)):
            raise ValueError(f"the folder {model_id!r} holds no model: it has no {config}")
        return True
    if os.path.exists(model_id):
        raise ValueError(f"{model_id!r} is a file; give the folder of a model, or the name of a repository of the Hub")
    if os.path.isabs(model_id) or model_id.startswith((".", "~")) or model_id.count("/") > 1 or "\\" in model_id:
        raise ValueError(f"there is no folder {model_id!r}, and this is no name of a repository of the Hub")
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_OFFLINE

    try:
        place = {name: given[name] for name in ("cache_dir", "revision") if given.get(name) is not None}
        cached = isinstance(try_to_load_from_cache(model_id, config, **place), str)
    except ValueError as error:
        raise ValueError(
            f"{model_id!r} is neither a folder nor a name that a repository of the Hub can have: {error}"
        ) from error
    if given.get("local_files_only") or HF_HUB_OFFLINE:
        reason = "HF_HUB_OFFLINE is set" if HF_HUB_OFFLINE else "local_files_only is set"
    else:
        unreached = _why_unreached(model_id, config)
        if unreached is None:
            return False
        reason = f"the Hub cannot be reached ({unreached})"
    if not cached:
        failure = AgentGenerationError(
            f"{model_id} cannot be loaded: {reason}, and the model is not in the Hub's cache on this machine. Check the "
            "network and the environment variable HF_ENDPOINT, or give the path of a folder that holds the model."
        )
        failure.kind = "unreachable"
        raise failure
    return True


def _why_unreached(model_id: str, config: str) -> str | None:
    import urllib.error
    import urllib.request

    from huggingface_hub import hf_hub_url

    request = urllib.request.Request(hf_hub_url(model_id, config), method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT):
            return None
    except urllib.error.HTTPError as error:  # it answers; what it says is for its own client to read
        error.close()
        return None
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))


def explain_load_failure(error: Exception, model_id: str, needed_for: str) -> Exception:
    """The failure to load a model in words that tell what to do."""
    names = {cls.__name__ for link in _chain(error) for cls in type(link).__mro__}
    kind = None
    if "GatedRepoError" in names:
        kind = "permission"
        what = (
            "its authors want to be asked first. Ask for access on its page on the Hub, and log in with `hf auth login` "
            "or set the environment variable HF_TOKEN"
        )
    elif "RevisionNotFoundError" in names:
        kind, what = "not_found", "the repository has no such revision; check revision=…"
    elif "RepositoryNotFoundError" in names:
        kind = "not_found"
        what = "the Hub has no such repository, or it is private. Check model_id, or log in with `hf auth login`"
    elif "MemoryError" in names or any(words in str(error) for words in OUT_OF_MEMORY):
        what = f"there is too little memory ({on_one_line(error)}). Use a smaller or a quantized model"
    elif "does not appear to have a file named config.json" in str(error) or "`model_type` key" in str(error):
        what = "it has no config.json that tells what model it is; GGUF files are for LlamaCppModel"
    elif "trust_remote_code" in str(error):
        what = "it brings code of its own. If you trust its authors, give trust_remote_code=True"
    elif isinstance(error, ImportError):
        return ImportError(f"{model_id} needs a further package: {on_one_line(error)}", name=error.name)
    else:
        what = on_one_line(error)
        if "does not recognize this architecture" in str(error):
            what += " A newer version of the package may know it."
    failure = AgentGenerationError(f"{needed_for} cannot load {model_id}: {what}")
    failure.kind = kind
    return failure


def on_one_line(error: BaseException) -> str:
    """What an exception says, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines)[:400] or type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(10):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__
