"""Checking what a model passes to a tool."""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from smolagents.types.agent_types import AgentAudio, AgentImage, AgentText

if TYPE_CHECKING:
    from smolagents.tools.base import Tool

__all__ = ["forward_defaults", "mismatch", "prepare_tool_arguments", "type_of_value", "validate_tool_arguments"]


def validate_tool_arguments(tool: Tool, arguments: Any) -> None:
    """Check arguments against a tool's inputs.

    An integer is a number, and None is accepted where the input is nullable.

    Args:
        tool: The tool that is to be called.
        arguments: Values by argument name; or, for a tool with one input, the value itself.

    Raises:
        ValueError: an argument is missing, is not one of the tool's, or is not one of the allowed values.
        TypeError: an argument has the wrong type.
    """
    inputs = tool.inputs
    for name, value in _by_name(tool, arguments).items():
        problem = mismatch(value, inputs[name], f"Argument '{name}' of tool '{tool.name}'")
        if problem is not None:
            raise problem


def prepare_tool_arguments(tool: Tool, arguments: Any) -> dict[str, Any]:
    """Check arguments as `validate_tool_arguments` does, after turning those that lose nothing by it.

    Models write numbers, booleans, lists and objects as strings at times: "5" becomes 5 for an integer, "true"
    becomes True for a boolean, a string that holds a JSON list or object becomes that, 5.0 becomes 5; so inside lists
    and objects too. A path becomes a string. A null for an argument that is optional only because it has a default is
    left out, so the default holds.

    Returns:
        The arguments by name.
    """
    prepared: dict[str, Any] = {}
    defaults: Mapping[str, Any] | None = None
    for name, value in _by_name(tool, arguments).items():
        spec = tool.inputs[name]
        if value is None and spec.get("nullable"):
            if defaults is None:
                defaults = forward_defaults(tool)
            if defaults.get(name) is None:
                prepared[name] = None
        else:
            prepared[name] = _fitting(value, spec, f"Argument '{name}' of tool '{tool.name}'")
    return prepared


def forward_defaults(tool: Tool) -> dict[str, Any]:
    """The default values that the signature of a tool's `forward` gives."""
    forward = getattr(tool, "forward", None)  # an agent that is called as a tool has none
    if forward is None:
        return {}
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {parameter.name: parameter.default for parameter in parameters if parameter.default is not parameter.empty}


def _fitting(value: Any, spec: Mapping[str, Any], where: str) -> Any:
    problem = mismatch(value, spec, where)
    if problem is None:
        return value
    for turned in (value, *_lossless(value, _kinds(spec))):
        candidate = _fitting_inside(turned, spec)
        found = mismatch(candidate, spec, where)
        if found is None:
            return candidate
        if turned is not value and type_of_value(turned) in _kinds(spec):
            problem = found  # the text was JSON of the right type: what is wrong is inside
    raise problem


def _fitting_inside(value: Any, spec: Mapping[str, Any]) -> Any:
    """A list or an object with what is in it turned where that loses nothing, and left alone elsewhere."""
    branches = spec.get("anyOf")
    if branches:
        for branch in branches:
            candidate = _fitting_or_same(value, branch)
            if mismatch(candidate, branch, "") is None:
                return candidate
        return value
    if type(value) is list:
        heads: Sequence[Mapping[str, Any]] = spec.get("prefixItems") or ()
        rest = spec.get("items")
        specs = [*heads, *[rest] * (len(value) - len(heads))]
        return [
            _fitting_or_same(item, each) if isinstance(each, Mapping) else item
            for item, each in zip(value, specs, strict=False)
        ] + value[len(specs) :]
    if type(value) is dict:
        properties: Mapping[str, Any] = spec.get("properties") or {}
        others = spec.get("additionalProperties")
        return {
            name: _fitting_or_same(item, properties.get(name, others))
            if isinstance(properties.get(name, others), Mapping)
            else item
            for name, item in value.items()
        }
    return value


def _fitting_or_same(value: Any, spec: Mapping[str, Any]) -> Any:
    try:
        return _fitting(value, spec, "")
    except (TypeError, ValueError):
        return value


def _by_name(tool: Tool, given: Any) -> Mapping[str, Any]:
    inputs = tool.inputs
    arguments: Mapping[str, Any]
    if isinstance(given, Mapping):
        arguments = given
    else:
        if len(inputs) != 1:
            raise ValueError(
                f"Tool '{tool.name}' was given {_shown(given)} in place of its arguments by name. {_takes(tool)}"
            )
        name = next(iter(inputs))
        if isinstance(given, str) and re.match(rf'\s*\{{\s*"{re.escape(name)}"\s*:', given):
            raise ValueError(
                f"Tool '{tool.name}' was given arguments that are no JSON, perhaps for being cut off: {_shown(given)}. "
                f"{_takes(tool)}"
            )
        arguments = {name: given}
    unknown = [name for name in arguments if name not in inputs]
    if unknown:
        names = ", ".join(f"'{name}'" for name in unknown)
        raise ValueError(f"Argument {names} is not an argument of tool '{tool.name}'. {_takes(tool)}")
    for name, spec in inputs.items():
        if name not in arguments and not spec.get("nullable"):
            raise ValueError(f"Argument '{name}' of tool '{tool.name}' is required and was not given. {_takes(tool)}")
    return arguments


def _takes(tool: Tool) -> str:
    return f"It takes: {', '.join(tool.inputs)}." if tool.inputs else "It takes no arguments."


def type_of_value(value: Any) -> str:
    """The type of a value in a tool's terms; for a value that none of them fits, its class name."""
    if isinstance(value, AgentImage):
        return "image"
    if isinstance(value, AgentAudio):
        return "audio"
    if value is None:
        return "null"
    for cls, name in _NAMES:
        if isinstance(value, cls):
            return name
    return _of_foreign_class(value)


_NAMES: tuple[tuple[Any, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    ((str, AgentText), "string"),
    ((list, tuple, set, frozenset, range), "array"),
    (Mapping, "object"),
)


def _of_foreign_class(value: Any) -> str:
    for module, attribute, name in (
        ("PIL.Image", "Image", "image"),
        ("torch", "Tensor", "audio"),
        ("numpy", "bool_", "boolean"),
        ("numpy", "integer", "integer"),
        ("numpy", "floating", "number"),
        ("numpy", "ndarray", "array"),
    ):
        loaded = sys.modules.get(module)
        cls = getattr(loaded, attribute, None)
        if isinstance(cls, type) and isinstance(value, cls):
            return name
    return type(value).__name__


def _kinds(spec: Mapping[str, Any]) -> list[str]:
    kinds = spec.get("type", "any")
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _fits(value: Any, actual: str, kind: str) -> bool:
    if kind in ("any", actual):
        return True
    if kind == "number":
        return actual == "integer"
    if kind in ("image", "audio"):
        return actual in ("string", "array", "audio") or isinstance(value, os.PathLike)  # or pixels and samples
    if kind == "array":
        return actual in ("audio", "image") and hasattr(value, "shape")
    if kind == "object":
        # An instance of some class; what JSON can say as another type is that type.
        return actual not in ("string", "boolean", "integer", "number", "array", "null", "image", "audio")
    return False


def mismatch(value: Any, spec: Mapping[str, Any], where: str) -> Exception | None:
    """What is wrong with a value, or None.

    Args:
        value: Any value.
        spec: An input of a tool, or a plain JSON schema.
        where: What the value is, for the message.
    """
    if value is None and spec.get("nullable"):
        return None
    kinds = _kinds(spec)
    actual = type_of_value(value)
    if not any(_fits(value, actual, kind) for kind in kinds):
        wanted = " or ".join(f"'{kind}'" for kind in kinds)
        return TypeError(f"{where} has type '{actual}' but should be {wanted}: got {_shown(value)}.")
    allowed = spec.get("enum")
    if allowed is not None and value not in allowed:
        wanted = ", ".join(map(repr, allowed))
        return ValueError(f"{where} is {_shown(value)} but must be one of: {wanted}.")
    branches = spec.get("anyOf")
    if branches:
        problems = [mismatch(value, branch, where) for branch in branches]
        return None if None in problems else problems[-1]
    if actual == "array":
        return _mismatch_in_array(value, spec, where)
    if actual == "object":
        return _mismatch_in_object(value, spec, where)
    if actual in ("integer", "number"):
        return _out_of_bounds(value, spec, where)
    return None


def _mismatch_in_array(value: Any, spec: Mapping[str, Any], where: str) -> Exception | None:
    least, most = spec.get("minItems"), spec.get("maxItems")
    if (least is not None and len(value) < least) or (most is not None and len(value) > most):
        wanted = f"{least}" if least == most else f"{least or 0} to {'any number' if most is None else most}"
        return ValueError(f"{where} has {len(value)} items but must have {wanted}: got {_shown(value)}.")
    heads: Sequence[Mapping[str, Any]] = spec.get("prefixItems") or ()
    items = spec.get("items")
    if not heads and not items:
        return None
    for index, item in enumerate(value):
        item_spec = heads[index] if index < len(heads) else items
        if isinstance(item_spec, Mapping):
            problem = mismatch(item, item_spec, f"{where}, item {index}")
            if problem is not None:
                return problem
    return None


def _mismatch_in_object(value: Mapping[Any, Any], spec: Mapping[str, Any], where: str) -> Exception | None:
    properties: Mapping[str, Any] = spec.get("properties") or {}
    for name in spec.get("required") or ():
        if name not in value:
            return ValueError(f"{where} lacks the field '{name}': got {_shown(value)}.")
    others = spec.get("additionalProperties", True)
    for name, item in value.items():
        if name in properties:
            problem = mismatch(item, properties[name], f"{where}, field '{name}'")
        elif others is False:
            return ValueError(f"{where} has an unknown field '{name}'; its fields are: {', '.join(properties)}.")
        elif isinstance(others, Mapping):
            problem = mismatch(item, others, f"{where}, field '{name}'")
        else:
            continue
        if problem is not None:
            return problem
    return None


_BOUNDS: tuple[tuple[str, Callable[[Any, Any], bool], str], ...] = (
    ("minimum", lambda value, bound: value >= bound, "at least"),
    ("exclusiveMinimum", lambda value, bound: value > bound, "more than"),
    ("maximum", lambda value, bound: value <= bound, "at most"),
    ("exclusiveMaximum", lambda value, bound: value < bound, "less than"),
)


def _out_of_bounds(value: Any, spec: Mapping[str, Any], where: str) -> Exception | None:
    for key, holds, words in _BOUNDS:
        if key in spec and not holds(value, spec[key]):
            return ValueError(f"{where} is {_shown(value)} but must be {words} {spec[key]}.")
    return None


def _lossless(value: Any, kinds: list[str]) -> list[Any]:
    """What `value` may stand for among `kinds`, best first."""
    turned: list[Any] = []
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        turned.append(int(value))
    if isinstance(value, os.PathLike) and "string" in kinds:
        turned.append(os.fspath(value))
    if not isinstance(value, str):
        return turned
    text = value.strip()
    if "boolean" in kinds and text.lower() in ("true", "false"):
        turned.append(text.lower() == "true")
    if text.lower() in ("null", "none"):
        turned.append(None)
    if {"integer", "number", "array", "object"} & set(kinds):
        try:
            parsed = json.loads(text)
        except ValueError:
            return turned
        turned.append(parsed)
        if isinstance(parsed, float) and parsed.is_integer() and "integer" in kinds:
            turned.append(int(parsed))
    return turned


def _shown(value: Any) -> str:
    """A value as a message quotes it: short."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:80]}… ({len(text)} characters)"
