"""Tools and imports as the command line names them."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable
from typing import Any

from smolagents.cli.problems import CliError, known

__all__ = ["check_imports", "load_tools"]


def load_tools(names: Iterable[str]) -> list[Any]:
    """The tools of these names.

    Args:
        names: Names of built-in tools, or `owner/name` of a Space.

    Raises:
        CliError: a name is unknown, or the tool cannot be made, such as for want of a package or a key.
    """
    return [_load_tool(name) for name in dict.fromkeys(names)]


def _load_tool(name: str) -> Any:
    try:
        if "/" in name:
            from smolagents.tools import Tool

            from_space: Any = getattr(Tool, "from_space", None)
            if from_space is None:
                raise CliError(f"the tool {name!r} is a Space, and this version cannot load tools from Spaces")
            return from_space(name, name=re.sub(r"\W", "_", name.rpartition("/")[2]), description=name)
        from smolagents.default_tools import TOOL_MAPPING

        if name not in TOOL_MAPPING:
            raise CliError(known("tool", name, TOOL_MAPPING))
        return TOOL_MAPPING[name]()
    except CliError:
        raise
    except Exception as error:
        raise CliError(f"the tool {name!r} cannot be used: {error}") from error


def check_imports(names: Iterable[str]) -> list[str]:
    """The modules that the agent's code is to import, checked to be there.

    Raises:
        CliError: a name is no module's name, or the module is not installed.
    """
    names = list(dict.fromkeys(names))
    for name in names:
        if name == "*":
            continue
        if not re.fullmatch(r"\w+(\.\w+)*(\.\*)?", name):
            raise CliError(f"--imports: {name!r} is not the name of a module; write names like numpy or pandas.*")
        package = name.partition(".")[0]
        if importlib.util.find_spec(package) is None:
            raise CliError(f"--imports: the module {package!r} is not installed here; install it, or leave it out")
    return names
