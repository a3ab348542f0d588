"""Checking that a tool class is declared as it must be, and filling in what its `forward` says."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from smolagents.tools.errors import ToolDefinitionError
from smolagents.tools.schema import FunctionSchema, function_schema
from smolagents.tools.types import AUTHORIZED_TYPES

if TYPE_CHECKING:
    from smolagents.tools.base import Tool

__all__ = ["check_name", "complete_class", "validate_tool"]

_DERIVABLE = ("inputs", "output_type", "output_schema")


def complete_class(cls: type[Tool], given: Collection[str] = ()) -> None:
    """Set on the class what it does not declare and its `forward` says: `inputs`, `output_type`, `output_schema`.

    A class attribute that was derived for a parent is derived anew when the class has a `forward` of its own.

    Args:
        cls: The class.
        given: Names of attributes that need not be derived, since the instance has them.
    """
    missing = [name for name in _DERIVABLE if name not in given and not _is_declared(cls, name)]
    if "inputs" not in missing and "output_type" not in missing:
        return
    forward = cls.forward
    tool_name = getattr(cls, "name", None) or cls.__name__
    schema: FunctionSchema = function_schema(forward, name=str(tool_name), with_inputs="inputs" in missing)
    found = {"inputs": schema.inputs, "output_type": schema.output_type, "output_schema": schema.output_schema}
    if found["output_type"] is None and "output_type" in missing:
        raise ToolDefinitionError(
            f"{cls.__name__} must say what it returns: write a return type hint on 'forward', such as "
            f"'def forward(...) -> str:', or the class attribute output_type = \"string\"."
        )
    if "output_type" not in missing and "output_schema" in missing:
        missing.remove("output_schema")  # what was declared by hand stands alone
    for name in missing:
        setattr(cls, name, found[name])
    cls._output_description = schema.returns
    if "inputs" in missing:
        cls._converters = schema.converters
    cls._derived = frozenset(missing)


def _is_declared(cls: type[Tool], name: str) -> bool:
    for owner in cls.__mro__:
        space = vars(owner)
        if name not in space:
            if "forward" in space and name in _derived_above(owner):
                return False
            continue
        if owner.__module__ == "smolagents.tools.base" and owner.__name__ in ("Tool", "BaseTool"):
            return False
        return name not in space.get("_derived", ()) or owner is cls or _same_forward(cls, owner)
    return False


def _derived_above(cls: type) -> frozenset[str]:
    return frozenset().union(*(vars(owner).get("_derived", ()) for owner in cls.__mro__[1:]))


def _same_forward(cls: type[Tool], owner: type) -> bool:
    return cls.forward is getattr(owner, "forward", None)


def validate_tool(tool: Tool) -> None:
    """Check a tool's attributes.

    Raises:
        ToolDefinitionError: one is missing or wrong.
    """
    label = type(tool).__name__
    for attribute, kind, example in (
        ("name", str, 'name = "get_weather"'),
        ("description", str, 'description = "Tells the current weather of a place."'),
        ("inputs", Mapping, 'inputs = {"place": {"type": "string", "description": "City and country."}}'),
        ("output_type", str, 'output_type = "string"'),
    ):
        value = getattr(tool, attribute, None)
        if value is None:
            raise ToolDefinitionError(f"{label} has no {attribute}. Write in the class: {example}")
        if not isinstance(value, kind):
            raise ToolDefinitionError(
                f"{label}: {attribute} must be a {'dict' if kind is Mapping else kind.__name__}, "
                f"not {type(value).__name__} ({value!r}). Write for example: {example}"
            )
    check_name(tool.name)
    if not tool.description.strip():
        raise ToolDefinitionError(
            f"Tool '{tool.name}' has an empty description, and a model knows a tool only by its description."
        )
    if tool.output_type not in AUTHORIZED_TYPES:
        raise ToolDefinitionError(
            f"Tool '{tool.name}': output_type is {tool.output_type!r} but must be one of: {', '.join(AUTHORIZED_TYPES)}."
        )
    schema = tool.output_schema
    if schema is not None and not isinstance(schema, Mapping):
        raise ToolDefinitionError(
            f"Tool '{tool.name}': output_schema must be a JSON schema (a dict) or None, not {type(schema).__name__}."
        )
    _check_inputs(tool)
    if not tool.skip_forward_signature_validation:
        _check_forward(tool)


def check_name(name: str) -> None:
    """Raise `ToolDefinitionError` unless `name` can be the name of a Python function."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ToolDefinitionError(
            f"{name!r} cannot be the name of a tool: a model calls tools as Python functions. "
            "Use letters, digits and underscores, no digit first, and no word that Python reserves."
        )


def _check_inputs(tool: Tool) -> None:
    for name, spec in tool.inputs.items():
        where = f"Tool '{tool.name}', input '{name}'"
        if not isinstance(spec, Mapping):
            raise ToolDefinitionError(
                f"{where}: {spec!r} is no description of an input. "
                'Write {"type": "string", "description": "What to pass here."}'
            )
        for key in ("type", "description"):
            if key not in spec:
                raise ToolDefinitionError(f"{where} lacks '{key}': it has only {sorted(map(str, spec))}.")
        if not isinstance(spec["description"], str):
            raise ToolDefinitionError(f"{where}: the description must be a string, not {spec['description']!r}.")
        kinds = spec["type"] if isinstance(spec["type"], (list, tuple)) else [spec["type"]]
        wrong = [kind for kind in kinds if kind not in AUTHORIZED_TYPES]
        if wrong or not kinds:
            raise ToolDefinitionError(
                f"{where}: the type is {spec['type']!r} but must be one, or a list, of: {', '.join(AUTHORIZED_TYPES)}."
            )


def _check_forward(tool: Tool) -> None:
    """Check that `forward` takes what `inputs` declares; inputs that have a default there become nullable."""
    forward: Callable[..., Any] = tool.forward
    parameters = list(inspect.signature(forward).parameters.values())
    if any(parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) for parameter in parameters):
        return
    taken = {parameter.name for parameter in parameters}
    declared = set(tool.inputs)
    if taken != declared:
        raise ToolDefinitionError(
            f"Tool '{tool.name}': 'forward' takes ({', '.join(sorted(taken))}) but 'inputs' declares "
            f"({', '.join(sorted(declared))}). They must name the same arguments, after 'self' in 'forward'."
        )
    optional = [
        parameter.name
        for parameter in parameters
        if parameter.default is not parameter.empty and not tool.inputs[parameter.name].get("nullable")
    ]
    if optional:
        inputs = {
            name: {**spec, "nullable": True} if name in optional else dict(spec) for name, spec in tool.inputs.items()
        }
        (tool if "inputs" in vars(tool) else type(tool)).inputs = inputs
