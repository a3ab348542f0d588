"""The tools of a saved agent."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from smolagents.agents.saving.environment import (
    Resolved,
    VariableError,
    remember,
    remembered,
    resolve_arguments,
)
from smolagents.agents.saving.secrets import as_saved, scrub
from smolagents.agents.saving.settings import parameters_of
from smolagents.tools.base import Tool
from smolagents.tools.decorator import FunctionTool
from smolagents.tools.decorator import tool as as_tool
from smolagents.tools.errors import ToolDefinitionError
from smolagents.tools.sharing import defined_tool, make_tool
from smolagents.tools.source import is_valid_name

__all__ = ["is_of_this_library", "tool_from_dict", "tool_to_dict"]

_EXPORTS = "smolagents.default_tools"
_OVERRIDDEN = ("name", "description", "inputs", "output_type")


def tool_to_dict(tool: Any) -> tuple[dict[str, Any], list[str]]:
    """A tool as plain data: what `Tool.to_dict` says and, as "attributes", what was set on the object itself.

    Returns:
        The data, and the names of constructor arguments that could not be saved.

    Raises:
        TypeError: it is not a `Tool`.
        ToolDefinitionError: its source cannot be written.
    """
    if not isinstance(tool, Tool):
        raise TypeError(
            f"the tool {getattr(tool, 'name', tool)!r} is a {type(tool).__name__}, which cannot be saved: "
            "derive its class from smolagents.Tool, or decorate its function with @tool"
        )
    data = _reference(tool) or tool.to_dict()
    data.pop("init", None)
    init, left_out = as_saved(_given(tool), remembered(tool), f"tools[{tool.name!r}]")
    if init:
        data["init"] = init
    plain, lost = scrub(_set_on(tool), f"tools[{tool.name!r}]")
    if plain:
        data["attributes"] = plain
    return data, sorted({*left_out, *lost})


def _reference(tool: Tool) -> dict[str, Any] | None:
    """A tool of this library, by name: it keeps getting the library's corrections, which a copy would not."""
    cls = type(tool)
    if not cls.__module__.startswith("smolagents.") or not _is_exported(cls):
        return None
    own = f"_{cls.__name__}"
    code = _OF_THIS_LIBRARY.format(name=cls.__name__, own=own)
    return {"name": tool.name, "code": code, "requirements": ["smolagents"]}


_OF_THIS_LIBRARY = f"from {_EXPORTS} import {{name}} as {{own}}\n\n\nclass {{name}}({{own}}):\n    pass\n"


def is_of_this_library(code: Any) -> bool:
    """Whether source says no more than the name of a tool of this library."""
    found = _CLASS.search(code) if isinstance(code, str) else None
    return found is not None and code == _OF_THIS_LIBRARY.format(name=found[1], own=f"_{found[1]}")


def _set_on(tool: Tool) -> dict[str, Any]:
    """What was set on the object itself, so that its source would not say it."""
    if isinstance(tool, FunctionTool):
        like: Any = as_tool(inspect.unwrap(tool.forward))
        names: Iterable[str] = _OVERRIDDEN
    else:
        like = type(tool)
        # The library's own tools work out the rest when they are made.
        names = ("name", "description") if _is_exported(like) else _OVERRIDDEN
        names = [name for name in names if name in vars(tool)]
    return {name: getattr(tool, name) for name in names if getattr(tool, name) != getattr(like, name, None)}


def _is_exported(cls: type) -> bool:
    """Whether this is a tool of this library, or one that was saved by its name."""
    own = cls if cls.__module__.startswith("smolagents.") else cls.__mro__[1]
    if not own.__module__.startswith("smolagents.") or own.__name__ != cls.__name__:
        return False
    return getattr(importlib.import_module(_EXPORTS), own.__name__, None) is own


def _given(tool: Tool) -> dict[str, Any]:
    """The arguments a tool was made with, by name."""
    args, kwargs = tool._made_with
    if isinstance(tool, FunctionTool):
        return {}
    if not args and not kwargs:
        return dict(tool._options_given)
    signature = inspect.signature(type(tool).__init__)
    bound = signature.bind(tool, *args, **kwargs).arguments
    found: dict[str, Any] = {}
    for parameter in list(signature.parameters.values())[1:]:
        if parameter.name in bound and parameter.kind is not parameter.VAR_POSITIONAL:
            value = bound[parameter.name]
            found.update(value if parameter.kind is parameter.VAR_KEYWORD else {parameter.name: value})
    return {**found, **tool._options_given}


def tool_from_dict(data: Any, where: str, arguments: Mapping[str, Any] | None = None) -> Tool:
    """Make a tool. This runs its code.

    Args:
        data: What `tool_to_dict` returned.
        where: What the agent is called in error messages.
        arguments: Arguments for its constructor, over those that were saved.

    Raises:
        ValueError: the data is malformed, or the code needs a package that is not installed, or fails.
        ToolDefinitionError: the code is no tool, or the tool needs arguments that were not saved.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("code"), str):
        raise ValueError(
            f'{where}: a tool is a dictionary with "name" and "code", its Python source; found {data!r:.120}'
        )
    name = data.get("name", "?")
    init, attributes = data.get("init", {}), data.get("attributes", {})
    for key, value in (("init", init), ("attributes", attributes)):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where}, tool {name!r}: {key!r} must be a dictionary, not {value!r:.80}")
    try:
        found = defined_tool(data["code"], data.get("symbol"))
        own = parameters_of(found) if isinstance(found, type) else ()
        resolved = resolve_arguments(init, own, f"{where}, tool {name!r}")
        over = arguments or {}
        tool = make_tool(found, {**resolved.arguments, **over})
        remember(tool, Resolved({}, {key: each for key, each in resolved.written.items() if key not in over}))
    except VariableError:
        raise
    except ImportError as error:
        ours = _of_this_library(data["code"], name)
        if ours is None:
            wanted = f"the package {error.name!r}, which is not installed" if error.name else f"a package: {error}"
            raise ValueError(
                f"{where}: the tool {name!r} needs {wanted}. Install it, or all that requirements.txt lists"
            ) from error
        tool = ours
    except ToolDefinitionError as error:
        raise ToolDefinitionError(
            f"{where}: the tool {name!r} cannot be made: {error} Arguments that were not saved, such as keys, are given "
            f"when the agent is loaded: tool_arguments={{{name!r}: {{…}}}}"
        ) from error
    except Exception as error:
        raise ValueError(
            f"{where}: the code of the tool {name!r} fails: {type(error).__name__}: {error}. Correct it, or pass tools=…"
        ) from error
    for key, value in attributes.items():
        if key in _OVERRIDDEN and getattr(tool, key, None) != value:
            setattr(tool, key, value)
    if not is_valid_name(tool.name):
        raise ValueError(f"{where}: {tool.name!r} cannot be the name of a tool; use letters, digits and underscores")
    return tool


def _of_this_library(code: str, name: Any) -> Tool | None:
    """The library's present tool in place of a saved copy of an earlier one, which needs what is not installed."""
    exports = importlib.import_module(_EXPORTS)
    for class_name in _CLASS.findall(code):
        cls = getattr(exports, class_name, None)
        if isinstance(cls, type) and issubclass(cls, Tool) and getattr(cls, "name", None) == name:
            warnings.warn(
                f"the saved copy of the tool {name!r} needs a package that is not installed: "
                f"the {class_name} of this version takes its place",
                UserWarning,
                stacklevel=2,
            )
            return cls()
    return None


_CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)
