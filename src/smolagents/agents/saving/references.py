"""Tools that an agent's file names rather than holds.

    web_search                        a built-in tool, or the file tools/web_search.py beside the agent's
    package.module:Name               what a module on this machine defines
    tools/mine.py:Name                what a file beside the agent's defines
    owner/name                        a Space of the Hub
    https://…/mcp                     the tools of an MCP server

Each is short for a dictionary with one of the keys of `KINDS`, which has room for arguments and the like.
"""

from __future__ import annotations

import copy
import difflib
import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smolagents.agents.saving.environment import Resolved, remember, resolve, resolve_arguments
from smolagents.agents.saving.paths import checked_path
from smolagents.agents.saving.secrets import refuse_secrets, scrub
from smolagents.agents.saving.settings import parameters_of
from smolagents.tools.base import Tool
from smolagents.tools.errors import ToolDefinitionError
from smolagents.tools.source import is_valid_name

__all__ = ["KINDS", "entry_of", "is_reference_entry", "kind_of", "make_tools", "normal_entry", "rename"]

_COMMON = frozenset({"arguments", "name", "description"})
KINDS: dict[str, frozenset[str]] = {
    "builtin": _COMMON,
    "import": _COMMON,
    "file": _COMMON,
    "hub": _COMMON | {"revision", "subfolder"},
    "mcp": frozenset({"tools"}),
}
"""What names a tool, and the keys that may stand beside it."""

_FORMS = (
    "a built-in name such as web_search, package.module:Name, file.py:Name, owner/name on the Hub, the address of an MCP "
    "server, or a dictionary with one of builtin, import, file, hub, mcp"
)
_KEPT_AS = "_named_by"


def normal_entry(entry: Any, at: str) -> dict[str, Any]:
    """The dictionary that an entry stands for.

    Raises:
        ValueError: it is none of the forms, or has a key that means nothing.
    """
    if isinstance(entry, str):
        return {_kind_of_text(entry, at): entry}
    if not isinstance(entry, Mapping):
        raise ValueError(f"{at} must name a tool: {_FORMS}; not {entry!r:.80}")
    found = dict(entry)
    kind = kind_of(found)
    if kind is None:
        if "code" in found:
            return found
        near = difflib.get_close_matches(str(next(iter(found), "")), KINDS, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f'{at}: a tool is a dictionary with "name" and "code", its Python source, or with one of '
            f"{', '.join(KINDS)}; found {entry!r:.120}.{meant}"
        )
    for key in found:
        if key != kind and key not in KINDS[kind]:
            near = difflib.get_close_matches(str(key), KINDS[kind], n=1)
            meant = f" Did you mean {near[0]!r}?" if near else f" Known are: {', '.join(sorted(KINDS[kind]))}."
            raise ValueError(f"{at}: {key!r} does not go with {kind!r}.{meant}")
    value = found[kind]
    if kind == "mcp":
        if not isinstance(value, (str, Mapping)):
            raise ValueError(
                f"{at}.mcp must be an address, or a dictionary with 'url' or 'command'; not {value!r:.80}"
            )
        tools = found.get("tools")
        if tools is not None and not (isinstance(tools, list) and all(isinstance(each, str) for each in tools)):
            raise ValueError(f"{at}.tools must be a list of names of tools, not {tools!r:.80}")
        refuse_secrets({"mcp": value}, at)
    elif not isinstance(value, str) or not value.strip():
        raise ValueError(f"{at}.{kind} must be a text, not {value!r:.80}")
    elif kind in _EXAMPLES and kind != _kind_of_text(value, at):
        raise ValueError(f"{at}.{kind} must be {_EXAMPLES[kind]}, not {value!r:.80}")
    arguments = found.get("arguments")
    if arguments is not None and not isinstance(arguments, Mapping):
        raise ValueError(f"{at}.arguments must be a dictionary of arguments by name, not {arguments!r:.80}")
    refuse_secrets(arguments or {}, f"{at}.arguments")
    for key in ("name", "description", "revision", "subfolder"):
        if found.get(key) is not None and not isinstance(found[key], str):
            raise ValueError(f"{at}.{key} must be a text, not {found[key]!r:.80}")
    if found.get("name") is not None and not is_valid_name(found["name"]):
        raise ValueError(
            f"{at}.name: {found['name']!r} cannot be the name of a tool: use letters, digits and underscores"
        )
    return found


_EXAMPLES = {
    "builtin": "the name of a built-in tool, such as web_search",
    "import": "like package.module:Name",
    "hub": "like owner/name",
}


def _kind_of_text(text: str, at: str) -> str:
    if text.startswith(("http://", "https://")):
        return "mcp"
    if re.fullmatch(r"[^:]+\.py(:\w+)?", text):
        return "file"
    if re.fullmatch(r"\w+(\.\w+)*:\w+(\.\w+)*", text):
        return "import"
    if re.fullmatch(r"[\w.-]+/[\w.-]+", text):
        return "hub"
    if is_valid_name(text):
        return "builtin"
    raise ValueError(f"{at}: {text!r:.80} names no tool. A tool is named by {_FORMS}.")


def kind_of(entry: Any) -> str | None:
    """Which of `KINDS` an entry is, or None for one that holds its source."""
    if not isinstance(entry, Mapping) or "code" in entry:
        return None
    return next((kind for kind in KINDS if kind in entry), None)


def is_reference_entry(entry: Any) -> bool:
    """Whether an entry names a tool rather than holds its source."""
    return isinstance(entry, str) or kind_of(entry) is not None


def make_tools(entry: dict[str, Any], at: str, given: Mapping[str, Any], folder: Path | None) -> list[Tool]:
    """The tools that an entry names: one, or those of an MCP server.

    Args:
        entry: What `normal_entry` returned.
        at: What it is called in errors.
        given: For names of tools, arguments over those of the entry.
        folder: Where the agent's file is, in which servers are started; None where there is no file.

    Raises:
        ValueError, ConnectionError: it cannot be had; the message says why.
    """
    kind = kind_of(entry)
    if kind == "mcp":
        return _of_server(entry, at, folder)
    made = _MAKERS[str(kind)](entry, at, given)
    rename(made, entry)
    if kind in ("hub", "import"):
        setattr(made, _KEPT_AS, (entry, made.name, made.description))
    return [made]


def rename(tool: Tool, entry: Mapping[str, Any]) -> None:
    """Give a tool the name and the description that its entry has for it."""
    for key in ("name", "description"):
        if entry.get(key) is not None and getattr(tool, key) != entry[key]:
            setattr(tool, key, entry[key])


def _built_in(entry: Mapping[str, Any], at: str, given: Mapping[str, Any]) -> Tool:
    from smolagents import default_tools
    from smolagents.agents.base_tools import BUILT_IN_TOOLS

    name = entry["builtin"]
    classes = {each: getattr(default_tools, each) for each in default_tools.__all__ if each.endswith("Tool")}
    cls: Any = BUILT_IN_TOOLS.get(name) or classes.get(name)
    if cls is None:
        near = difflib.get_close_matches(name, [*BUILT_IN_TOOLS, *classes], n=1)
        meant = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(BUILT_IN_TOOLS)}."
        raise ValueError(f"{at}: there is no built-in tool {name!r}.{meant}")
    return _construct(cls, entry, at, {**given.get(cls.name, {}), **given.get(name, {})})


def _imported(entry: Mapping[str, Any], at: str, given: Mapping[str, Any]) -> Tool:
    module_name, _, path = entry["import"].partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise ValueError(
                f"{at}: there is no module {error.name!r} here: install what holds it, or put its folder on PYTHONPATH. "
                f"A file beside the agent's is named by its path: {module_name.replace('.', '/')}.py:{path}"
            ) from error
        raise ValueError(
            f"{at}: the module {module_name!r} needs {error.name!r}, which is not installed: install it"
        ) from error
    except Exception as error:
        raise ValueError(f"{at}: the module {module_name!r} fails: {type(error).__name__}: {error}") from error
    for name in path.split("."):
        if not hasattr(found, name):
            near = difflib.get_close_matches(name, dir(found), n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{at}: the module {module_name!r} has no {name!r}.{meant}")
        found = getattr(found, name)
    return _as_tool(found, entry, at, given)


def _of_file(entry: Mapping[str, Any], at: str, _: Mapping[str, Any]) -> Tool:
    raise ValueError(
        f"{at}: the path {entry['file']!r} means nothing here: it belongs to the file of an agent, which is loaded by "
        "MultiStepAgent.from_file(…)"
    )


def _from_hub(entry: Mapping[str, Any], at: str, given: Mapping[str, Any]) -> Tool:
    options = {key: entry[key] for key in ("revision", "subfolder") if entry.get(key) is not None}
    repo_id = entry["hub"]
    resolved = resolve_arguments({**entry.get("arguments", {})}, (), f"{at}.arguments")
    arguments = {**resolved.arguments, **given.get(repo_id, {}), **given.get(entry.get("name") or "", {})}
    try:
        return Tool.from_hub(repo_id, trust_remote_code=True, **options, **arguments)
    except ConnectionError as error:
        raise ConnectionError(f"{at}: {error}") from error
    except ToolDefinitionError as error:
        raise ToolDefinitionError(f"{at}: {error}") from error
    except Exception as error:
        raise ValueError(f"{at}: {error}") from error


_MAKERS = {"builtin": _built_in, "import": _imported, "file": _of_file, "hub": _from_hub}


def _as_tool(found: Any, entry: Mapping[str, Any], at: str, given: Mapping[str, Any]) -> Tool:
    """A tool of what a module has under a name: a tool, a class of tools, or a function."""
    name = entry.get("name") or getattr(found, "name", None)
    over = given.get(name, {}) if isinstance(name, str) else {}
    if isinstance(found, type) and issubclass(found, Tool):
        return _construct(found, entry, at, over)
    if not isinstance(found, Tool):
        if isinstance(found, type) or not callable(found):
            raise ValueError(f"{at} is no tool but {found!r:.80}: name a function under @tool, or a subclass of Tool")
        from smolagents.tools.decorator import tool

        try:
            found = tool(found)
        except ToolDefinitionError as error:
            raise ToolDefinitionError(f"{at}: {error}") from error
    if entry.get("arguments") or over:
        raise ValueError(f"{at}.arguments: the tool {found.name!r} is made already and takes none: leave them out")
    made: Tool = copy.copy(found)
    return made  # what is noted on it, and its name, are this agent's affair


def _construct(cls: type[Tool], entry: Mapping[str, Any], at: str, over: Mapping[str, Any]) -> Tool:
    written = entry.get("arguments") or {}
    resolved = resolve_arguments(written, parameters_of(cls), f"{at}.arguments")
    try:
        made = cls(**{**resolved.arguments, **over})
    except ToolDefinitionError as error:
        raise ToolDefinitionError(f"{at}: {error}") from error
    except TypeError as error:
        takes = ", ".join(parameters_of(cls)) or "no arguments"
        raise ValueError(f"{at}: {cls.__name__} cannot be made: {error}. It takes: {takes}") from error
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(f"{at}: {cls.__name__} cannot be made: {error}") from error
    remember(made, Resolved(resolved.arguments, {k: v for k, v in resolved.written.items() if k not in over}))
    return made


def _of_server(entry: dict[str, Any], at: str, folder: Path | None) -> list[Tool]:
    from smolagents.tools.mcp.client import MCPClient
    from smolagents.tools.mcp.errors import MCPConnectionError

    parameters = resolve(entry["mcp"], f"{at}.mcp")
    if folder is not None:
        _start_in(folder, parameters, f"{at}.mcp")
    try:
        client = MCPClient(parameters)
    except MCPConnectionError as error:
        raise MCPConnectionError(f"{at}: {error}", error.errors) from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{at}.mcp: {error}") from error
    if client.errors:
        client.disconnect()
        raise MCPConnectionError(f"{at}: {'; '.join(map(str, client.errors.values()))}", client.errors)
    offered = {tool.name: tool for tool in client.get_tools()}
    wanted = entry.get("tools")
    for name in wanted or ():
        if name not in offered:
            near = difflib.get_close_matches(name, offered, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else f" It has: {', '.join(offered) or 'none'}."
            client.disconnect()
            raise ValueError(f"{at}.tools: the server has no tool {name!r}.{meant}")
    found = list(offered.values()) if wanted is None else [offered[name] for name in dict.fromkeys(wanted)]
    everyone = tuple(tool.name for tool in found)
    for tool in found:
        setattr(tool, _KEPT_AS, (entry, everyone, None))
    return found


def _start_in(folder: Path, parameters: Any, at: str) -> None:
    """Have the programs of MCP servers start in a folder, or in one within it."""
    if not isinstance(parameters, dict):
        return
    if "command" in parameters:
        parameters["cwd"] = str(folder / checked_path(parameters.get("cwd", "."), f"{at}.cwd"))
    several = parameters.get("mcpServers")
    if isinstance(several, dict):
        for name, one in several.items():
            _start_in(folder, one, f"{at}.mcpServers.{name}")


def entry_of(tool: Any, tools: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
    """How a tool that was named in a file is named again.

    Args:
        tool: The tool.
        tools: All tools of its agent by name, among which there may be others of the same server.

    Returns:
        The entry, None for a tool that was not named; and the names of what was left out of it, such as keys.
    """
    named = vars(tool).get(_KEPT_AS) if hasattr(tool, "__dict__") else None
    if named is None:
        return None, []
    entry, name, description = named
    plain, left_out = scrub(dict(entry), f"tools[{tool.name!r}]", references=True)
    found: dict[str, Any] = dict(plain or {})
    if "mcp" in entry:
        still = [key for key, each in tools.items() if (getattr(each, _KEPT_AS, None) or (None,))[0] is entry]
        if tuple(still) != name:
            found["tools"] = still
        return found, left_out
    for key, before in (("name", name), ("description", description)):
        if getattr(tool, key) != before:
            found[key] = getattr(tool, key)
    return found, left_out
