"""What a tool takes and returns, read from a function's type hints and docstring.

The one generator behind `@tool` and behind tool classes that leave out `inputs` or `output_type`.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from smolagents.tools.conversion import Converter, converter_of_hint
from smolagents.tools.docstrings import parse_docstring
from smolagents.tools.errors import ToolDefinitionError
from smolagents.tools.types import nested, schema_of_hint

__all__ = ["FunctionSchema", "function_schema", "parameters_schema"]


@dataclass
class FunctionSchema:
    """A function as a tool: the API's `description`, `inputs`, `output_type` and `output_schema`."""

    description: str
    inputs: dict[str, dict[str, Any]]
    output_type: str | None
    """None when the function has no return type hint."""
    output_schema: dict[str, Any] | None
    """The JSON schema of what is returned, where it says more than its type does."""
    returns: str | None
    """What the docstring says of what is returned."""
    converters: dict[str, Converter] = field(default_factory=dict)
    """What turns a plain value into what the function wants, for the arguments that need it."""


def function_schema(function: Callable[..., Any], *, name: str, with_inputs: bool = True) -> FunctionSchema:
    """Read a function's schema.

    Args:
        function: A function with type hints and a docstring, or an unbound method whose first parameter is `self`.
        name: How errors call it.
        with_inputs: False to read only what it returns.

    Raises:
        ToolDefinitionError: a hint or a description is missing, or the function takes `*args` or `**kwargs`.
    """
    docstring = parse_docstring(function.__doc__)
    parameters = _parameters(function)
    hints = _resolve_hints(function, name)
    inputs: dict[str, dict[str, Any]] = {}
    if with_inputs:
        for parameter in parameters:
            inputs[parameter.name] = _input_of(parameter, hints, docstring.arguments, docstring.choices, name)
    output_type: str | None = None
    output_schema: dict[str, Any] | None = None
    if "return" in hints:
        schema = schema_of_hint(_result_hint(function, hints["return"]))
        output_type = _single_type(schema)
        if output_type == "object" and "properties" in schema:
            output_schema = schema
    converters = {}
    for parameter in parameters:
        converter = converter_of_hint(hints.get(parameter.name))
        if converter is not None:
            converters[parameter.name] = converter
    return FunctionSchema(docstring.description, inputs, output_type, output_schema, docstring.returns, converters)


def _result_hint(function: Callable[..., Any], hint: Any) -> Any:
    """The hint of a function's result: of a generator, what it returns in the end."""
    args = typing.get_args(hint)
    if inspect.isasyncgenfunction(function):
        return args[0] if args else Any
    if inspect.isgeneratorfunction(function) and len(args) == 3 and args[2] not in (None, type(None)):
        return args[2]
    return hint


def parameters_schema(inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON schema of a tool's arguments as one object, in types that every provider takes.

    "any" becomes a schema without a type; "image" and "audio" become strings, by which a model names a variable
    that holds one; a nullable input may be left out.
    """
    properties = {}
    for name, spec in inputs.items():
        schema = {key: value for key, value in spec.items() if key not in ("nullable", "type")}
        kinds = spec.get("type", "any")
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        kinds = list(dict.fromkeys("string" if kind in ("image", "audio") else kind for kind in kinds))
        if "any" not in kinds:
            schema["type"] = kinds[0] if len(kinds) == 1 else kinds
        properties[name] = _without_any(schema)
    required = [name for name, spec in inputs.items() if not spec.get("nullable")]
    return {"type": "object", "properties": properties, "required": required}


def _without_any(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_any(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    cleaned = {
        key: value if key in ("enum", "const", "default") else _without_any(value) for key, value in schema.items()
    }
    kind = cleaned.get("type")
    return (
        nested(cleaned) if kind == "any" else {**cleaned, "type": "string"} if kind in ("image", "audio") else cleaned
    )


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(function).parameters.values())
    if parameters and parameters[0].name == "self" and not inspect.ismethod(function):
        del parameters[0]
    return parameters


def _input_of(
    parameter: inspect.Parameter,
    hints: Mapping[str, Any],
    descriptions: Mapping[str, str],
    choices: Mapping[str, list[Any]],
    name: str,
) -> dict[str, Any]:
    argument = parameter.name
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
        raise ToolDefinitionError(
            f"Tool '{name}' takes {stars}{argument}, and a model cannot be told what to pass there. "
            "Write each argument by name, or take one argument of type list or dict."
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise ToolDefinitionError(
            f"Tool '{name}': the argument '{argument}' is positional-only, and tools are called by name. "
            "Remove the '/' from the signature."
        )
    if argument not in hints:
        raise ToolDefinitionError(
            f"Tool '{name}': the argument '{argument}' has no type hint. Write it in the signature, such as '{argument}: str'."
        )
    schema = schema_of_hint(hints[argument])
    description = descriptions.get(argument) or schema.get("description")
    if not description:
        raise ToolDefinitionError(
            f"Tool '{name}': the docstring does not describe the argument '{argument}'. "
            f"Write in the docstring:\n\n    Args:\n        {argument}: What to pass here."
        )
    kinds = schema["type"] if isinstance(schema.get("type"), list) else [schema.get("type", "any")]
    nullable = parameter.default is not parameter.empty
    if "null" in kinds and len(kinds) > 1:
        nullable = True
        kinds = [kind for kind in kinds if kind != "null"]
        branches = [branch for branch in schema.pop("anyOf", ()) if branch != {"type": "null"}]
        if len(branches) == 1:
            schema.update(branches[0])
        elif branches:
            schema["anyOf"] = branches
    spec: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds, "description": description}
    spec.update({key: value for key, value in schema.items() if key not in spec})
    if argument in choices:
        spec["enum"] = choices[argument]
    if nullable:
        spec["nullable"] = True
    return spec


def _single_type(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "any")
    if isinstance(kinds, str):
        return kinds
    kinds = [kind for kind in kinds if kind != "null"]
    return kinds[0] if len(kinds) == 1 else "any"


def _resolve_hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        hints = _resolve_in_closure(function, name, error)
    except TypeError as error:
        raise ToolDefinitionError(f"Tool '{name}': a type hint cannot be read: {error}.") from error
    return hints


def _resolve_in_closure(function: Callable[..., Any], name: str, error: NameError) -> dict[str, Any]:
    """Resolve hints that name something local to the function in which `function` was defined."""
    try:
        closure = inspect.getclosurevars(function)
        return typing.get_type_hints(function, localns=dict(closure.nonlocals), include_extras=True)
    except (NameError, TypeError, ValueError):
        missing = getattr(error, "name", None) or str(error)
        raise ToolDefinitionError(
            f"Tool '{name}': the type hint '{missing}' names nothing that is defined where the function is. "
            "Import it at the top of the module (not only under 'if TYPE_CHECKING')."
        ) from error
