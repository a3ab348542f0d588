"""The packages that a saved agent needs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from smolagents.tools.sharing import installed_distributions

__all__ = ["distributions_of", "requirements_of", "requirements_text"]


def distributions_of(modules: Iterable[str]) -> set[str]:
    """Names on PyPI of what holds these modules; those that come with Python are left out."""
    names = set()
    for module in modules:
        package = module.partition(".")[0]
        if package and package != "*" and package not in sys.stdlib_module_names:
            names.add(installed_distributions().get(package, [package])[0])
    return names


def requirements_of(data: Mapping[str, Any]) -> list[str]:
    """What a saved agent needs, for itself and its team."""
    found = {"smolagents", *distributions_of(data.get("additional_authorized_imports") or ())}
    found |= distributions_of(str(each["import"]).partition(":")[0] for each in data["tools"] if "import" in each)
    for each in [*data["tools"], *data["managed_agents"]]:
        found.update(each.get("requirements") or ())
    return sorted(found)


_MODELS = {
    "Anthropic": "anthropic",
    "AzureOpenAI": "openai",
    "OpenAI": "openai",
    "LiteLLM": "litellm",
    "Transformers": "transformers",
    "AmazonBedrock": "bedrock",
    "MLX": "mlx-lm",
    "VLLM": "vllm",
    "LlamaCpp": "llama-cpp",
}
_EXECUTORS = {"docker", "e2b", "modal", "blaxel", "monty", "wasm"}
_TOOLKIT = {"web_search", "visit_webpage", "wikipedia_search"}


def requirements_text(data: Mapping[str, Any]) -> str:
    """`requirements.txt`, with the extras of this library that the saved agent and its page use."""
    extras = {"gradio", *_extras(data)}
    names = [name for name in data.get("requirements") or () if name != "smolagents"]
    return "".join(f"{line}\n" for line in [f"smolagents[{','.join(sorted(extras))}]", *names])


def _extras(data: Mapping[str, Any]) -> set[str]:
    found = set()
    model = (data.get("model") or {}).get("class") or ""
    for start, extra in _MODELS.items():
        if model.startswith(start):
            found.add(extra)
    if data.get("executor_type") in _EXECUTORS:
        found.add(data["executor_type"])
    tools = data["tools"]
    if any(each.get("name") in _TOOLKIT and "from smolagents." in each.get("code", "") for each in tools):
        found.add("toolkit")
    if any("mcp" in each for each in tools):
        found.add("mcp")
    for each in data["managed_agents"]:
        found |= _extras(each)
    return found
