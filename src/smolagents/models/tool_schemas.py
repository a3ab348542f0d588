"""Tools as a model is told of them: JSON schemas."""

from __future__ import annotations

from typing import Any

__all__ = ["get_tool_json_schema"]


def get_tool_json_schema(tool: Any) -> dict[str, Any]:
    """The tool as OpenAI's `tools` parameter describes a function.

    Args:
        tool: An object with `name`, `description` and `inputs`, each input being a JSON schema that may say
            `"nullable": True` and may have the type "any".

    Returns:
        `{"type": "function", "function": {"name", "description", "parameters"}}`. Inputs that are nullable or have a
        default are not required; "any" is told as "string", as several providers refuse a property without a type.
    """
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, schema in tool.inputs.items():
        kind = schema.get("type")
        properties[name] = {**schema, "type": "string"} if kind == "any" else dict(schema)
        if not schema.get("nullable", False) and "default" not in schema:
            required.append(name)
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": {"type": "object", "properties": properties, "required": required},
        },
    }
