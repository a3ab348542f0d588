"""What loading an agent runs on this machine, so that someone can be asked."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

from smolagents.agents.saving.environment import variables_of, variables_of_arguments
from smolagents.agents.saving.models import arguments_of, normal_entry
from smolagents.agents.saving.references import kind_of
from smolagents.agents.saving.tools import is_of_this_library
from smolagents.models.endpoints import is_on_this_machine

__all__ = ["is_trusted", "names_others", "refuse_unless_trusted", "trusting", "what_it_does"]

_trusted: ContextVar[bool] = ContextVar("whether the files that are being loaded are trusted", default=False)


@contextmanager
def trusting(trusted: bool) -> Iterator[None]:
    """Load what is loaded within as someone who trusts it, if `trusted`; else as whoever is outside."""
    token = _trusted.set(trusted is True or _trusted.get())
    try:
        yield
    finally:
        _trusted.reset(token)


def is_trusted() -> bool:
    """Whether what is being loaded is trusted."""
    return _trusted.get()


def what_it_does(data: Mapping[str, Any]) -> list[str]:
    """All that making this agent runs or sends besides the library's own code, in words; empty for nothing."""
    return list(dict.fromkeys([*_own_code(data), *names_others(data)]))


def _own_code(data: Mapping[str, Any]) -> Iterator[str]:
    for tool in _entries(data, "tools"):
        if isinstance(tool, Mapping) and "code" in tool and not is_of_this_library(tool["code"]):
            where = f" in {tool['file']}" if "file" in tool else ""
            yield f"runs the Python code of the tool {tool.get('name')!r}{where}"
    for entry in (data, normal_entry(data.get("model"))):
        module = entry.get("module") if isinstance(entry, Mapping) else None
        if isinstance(module, str) and not module.startswith("smolagents."):
            yield f"imports the module {module}"
    for tool in _entries(data, "tools"):
        yield from _of_built_in(tool)
    yield from _of_model(data)
    yield from _of_execution(data)
    for member in _entries(data, "managed_agents"):
        if isinstance(member, Mapping):
            yield from _own_code(member)


_HARMLESS_OF_TOOLS = frozenset(
    {
        *(
            "timeout",
            "timeout_seconds",
            "retries",
            "cache",
            "rate_limit",
            "max_results",
            "max_output_length",
            "max_bytes",
        ),
        *("engine", "provider", "language", "content_type", "extract_format", "user_agent", "api_key", "api_key_env"),
    }
)
"""Arguments of built-in tools that give no access to anything. Others may: to modules, addresses, variables."""


def _of_built_in(tool: Any) -> Iterator[str]:
    """What opens a tool of this library to more than it is made for."""
    if kind_of(tool) == "builtin":
        name, arguments = tool["builtin"], tool.get("arguments")
    elif isinstance(tool, Mapping) and "code" in tool and is_of_this_library(tool["code"]):
        name, arguments = tool.get("name"), tool.get("init")
    else:
        return
    opened = sorted(map(str, arguments.keys() - _HARMLESS_OF_TOOLS)) if isinstance(arguments, Mapping) else []
    if opened:
        yield f"sets {', '.join(opened)} of the tool {name}"


def _of_model(data: Mapping[str, Any]) -> Iterator[str]:
    """Where what is said goes, with the key that the model's class finds by itself; and code of the model's authors."""
    model = normal_entry(data.get("model"))
    if not isinstance(model, Mapping):
        return
    arguments = arguments_of(model)
    if _trusts_code(arguments):
        yield f"runs code that the model {arguments.get('model_id')} brings"
    if not any(True for _ in _leaving(arguments)):
        for address in _foreign_addresses(arguments):
            yield f"sends what the agent is told, and the key for its model, to {_host(address)}"


def _trusts_code(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value.get("trust_remote_code")) or any(map(_trusts_code, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_trusts_code, value))


_HARMLESS = frozenset({"timeout_seconds", "max_print_outputs_length"})


def _of_execution(data: Mapping[str, Any]) -> Iterator[str]:
    """What lets the code that the model writes, which does as the file's instructions say, out of where it runs."""
    executor = data.get("executor_type") or "local"
    imports = data.get("additional_authorized_imports")
    if executor == "local" and isinstance(imports, list) and imports:
        yield f"lets code that the model writes import {', '.join(map(str, imports))} in this process"
    settings = data.get("executor_kwargs")
    opened = sorted(map(str, settings.keys() - _HARMLESS)) if isinstance(settings, Mapping) else []
    if opened:
        yield f"sets {', '.join(opened)} of the executor {executor}"


def names_others(data: Mapping[str, Any]) -> list[str]:
    """What of it is code that the agent's files name but do not hold, or a secret that leaves this machine."""
    return list(dict.fromkeys(_others(data)))


def _others(data: Mapping[str, Any]) -> Iterator[str]:
    for tool in _entries(data, "tools"):
        kind = kind_of(tool)
        if kind == "import":
            yield f"imports the module {str(tool['import']).partition(':')[0]}"
        elif kind == "hub":
            yield f"runs code from the Hub, the tool {tool['hub']}"
        elif kind == "mcp":
            yield from _of_server(tool["mcp"])
        if isinstance(tool, Mapping) and isinstance(tool.get("arguments"), Mapping):
            yield from _leaving(tool["arguments"])
    if isinstance(data.get("executor_kwargs"), Mapping):
        yield from _leaving(data["executor_kwargs"])
    model = normal_entry(data.get("model"))
    if isinstance(model, Mapping):
        yield from _leaving(arguments_of(model))
    for member in _entries(data, "managed_agents"):
        if isinstance(member, Mapping):
            yield from _others(member)


def _entries(data: Mapping[str, Any], key: str) -> list[Any]:
    found = data.get(key)
    return found if isinstance(found, list) else []


def _of_server(server: Any) -> Iterator[str]:
    several = server.get("mcpServers") if isinstance(server, Mapping) else None
    if isinstance(several, Mapping):
        for each in several.values():
            yield from _of_server(each)
        return
    if isinstance(server, Mapping) and "command" in server:
        arguments = server.get("args")
        words = [server["command"], *(arguments if isinstance(arguments, list) else [])]
        yield f"starts the program {shlex.join(map(str, words))}{_with(variables_of(server))}"
    else:
        address = server.get("url") if isinstance(server, Mapping) else server
        yield f"lets the agent send data to {_host(address)}{_with(variables_of(server))}"


def _leaving(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Variables of the environment among arguments with an address on another machine."""
    names = variables_of_arguments(arguments)
    foreign = list(_foreign_addresses(arguments))
    if names and foreign:
        yield f"sends {_and(names)} of the environment to {_host(foreign[0])}"


_ADDRESS = re.compile(r"(?:^|:-)\s*(\w[\w+.-]*://[^\s}]+)")  # ":-" comes before the default of a variable


def _foreign_addresses(arguments: Any) -> Iterator[str]:
    for text in _texts(arguments):
        for found in _ADDRESS.finditer(text):
            if not is_on_this_machine(found[1]):
                yield found[1]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _host(address: Any) -> str:
    parts = urlsplit(str(address))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}" if parts.netloc else str(address)


def _with(names: Iterator[str]) -> str:
    found = set(names)
    return f", with {_and(found)} of the environment" if found else ""


def _and(names: set[str]) -> str:
    return ", ".join(sorted(names))


def refuse_unless_trusted(found: list[str], where: str) -> None:
    """Raise `ValueError` with what would happen, unless that is nothing."""
    if found:
        raise ValueError(
            f"{where}: loading this {'; '.join(found)}. Read it and, if you trust it, pass trust_remote_code=True."
        )
