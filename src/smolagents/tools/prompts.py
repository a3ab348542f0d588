"""A tool as models are shown it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from smolagents.tools.arguments import forward_defaults

if TYPE_CHECKING:
    from smolagents.tools.base import Tool

__all__ = ["code_prompt", "python_type", "tool_calling_prompt"]

_PYTHON_NAMES = {
    "string": "str",
    "boolean": "bool",
    "integer": "int",
    "number": "float",
    "image": "PIL.Image.Image",
    "audio": "AgentAudio",
    "array": "list",
    "object": "dict",
    "any": "Any",
    "null": "None",
}


def code_prompt(tool: Tool) -> str:
    """A Python signature with a docstring."""
    defaults = forward_defaults(tool)
    required: list[str] = []
    optional: list[str] = []
    for name, spec in tool.inputs.items():
        hint = python_type(spec)
        if not spec.get("nullable"):
            required.append(f"{name}: {hint}")
            continue
        default = defaults.get(name)
        if default is None and hint != "Any":
            hint += " | None"
        optional.append(f"{name}: {hint} = {_shown_default(default)}")
    returns = python_type({"type": tool.output_type})
    lines = [f"def {tool.name}({', '.join([*required, *optional])}) -> {returns}:"]
    body = tool.description.strip()
    if tool.inputs:
        body += "\n\nArgs:"
        for name, spec in tool.inputs.items():
            body += "\n" + _indent(f"{name}: {spec['description'].strip()}{_details(spec)}", "    ", hanging=True)
    output = _output_lines(tool)
    if output:
        body += f"\n\nReturns:\n{_indent(output, '    ', hanging=True)}"
    body = body.replace('"""', "'''")
    if body.endswith(('"', "\\")):
        body += " "
    ending = '\n    """' if "\n" in body else '"""'
    lines.append(_indent(f'"""{body}', "    ") + ending)
    return "\n".join(lines)


def tool_calling_prompt(tool: Tool) -> str:
    """Name, description, inputs and output in words."""
    return (
        f"{tool.name}: {tool.description.strip()}\n"
        f"    Takes inputs: {json.dumps(tool.inputs, ensure_ascii=False, default=str)}\n"
        f"    Returns an output of type: {tool.output_type}"
    )


def python_type(spec: Mapping[str, Any]) -> str:
    """The Python type hint of an input."""
    if "enum" in spec:
        return f"Literal[{', '.join(map(repr, spec['enum']))}]"
    if "anyOf" in spec:
        return " | ".join(dict.fromkeys(python_type(branch) for branch in spec["anyOf"]))
    kinds = spec.get("type", "any")
    if not isinstance(kinds, str):
        return " | ".join(dict.fromkeys(python_type({**spec, "type": kind}) for kind in kinds)) or "Any"
    if kinds == "array":
        if isinstance(spec.get("prefixItems"), list):
            return f"tuple[{', '.join(map(python_type, spec['prefixItems']))}]"
        if isinstance(spec.get("items"), Mapping) and spec["items"]:
            return f"list[{python_type(spec['items'])}]"
    if kinds == "object" and isinstance(spec.get("additionalProperties"), Mapping):
        return f"dict[str, {python_type(spec['additionalProperties'])}]"
    return _PYTHON_NAMES.get(kinds, "Any")


def _details(spec: Mapping[str, Any]) -> str:
    """What an object must hold, which no Python type says."""
    for found in (spec, spec.get("items")):
        if isinstance(found, Mapping) and found.get("properties"):
            required = found.get("required", ())
            fields = ", ".join(
                f"{json.dumps(name)}: {python_type(field)}{'' if name in required else ' (optional)'}"
                for name, field in found["properties"].items()
            )
            return f" Fields: {{{fields}}}"
    return ""


def _output_lines(tool: Tool) -> str:
    described = (tool._output_description or "").strip()
    schema = tool.output_schema
    if not schema:
        return described
    fields = _details(schema).strip()
    if not fields:
        fields = f"Follows the JSON schema {json.dumps(schema, ensure_ascii=False, default=str)}"
    return f"{described} {fields}".strip()


def _shown_default(default: Any) -> str:
    if default is None or isinstance(default, (bool, int, float, str, list, dict, tuple)):
        text = repr(default)
        if len(text) <= 60:
            return text
    return "..."


def _indent(text: str, prefix: str, hanging: bool = False) -> str:
    """Indent lines that are not empty; with `hanging`, those after the first by four more."""
    lines = text.splitlines()
    rest = prefix + ("    " if hanging else "")
    return "\n".join([prefix + lines[0], *(rest + line if line else "" for line in lines[1:])]) if lines else ""
