"""Inputs of a tool from a JSON schema that someone else wrote: of an MCP server, a web service, another library.

Such a schema may refer to itself, combine schemas, leave out types, or be written in any draft. What comes out is in the
API's form: one entry for each argument, with a type the library knows, no references, and nothing that the validator
of arguments stumbles over. What is not understood is left out rather than refused: the server checks too.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Mapping
from typing import Any

from smolagents.tools.plain_schema import kinds_of, plain_schema, untitled

__all__ = ["identifier", "inputs_of_json_schema", "properties_that_accept_null", "type_of_schema"]

Schema = dict[str, Any]


def inputs_of_json_schema(schema: Any) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """A tool's inputs from the JSON schema of its arguments.

    Args:
        schema: Schema of an object; its properties are the arguments.

    Returns:
        The inputs by the names a model uses, which are Python identifiers; and the names the schema has for them.
    """
    root = schema if isinstance(schema, Mapping) else {}
    plain = plain_schema(root, keep_titles=True)
    properties = plain.get("properties") or {}
    required = set(plain.get("required") or ())
    inputs: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}
    for original, spec in properties.items():
        name = identifier(original, taken=names)
        names[name] = original
        inputs[name] = _input(spec, optional=original not in required)
    return inputs, names


def _input(spec: Schema, *, optional: bool) -> dict[str, Any]:
    spec = dict(spec)
    title = spec.pop("title", None)
    description = spec.pop("description", None)
    kinds = [kind for kind in kinds_of(spec) if kind != "null"]
    null = "null" in kinds_of(spec)
    for key in ("anyOf", "oneOf"):
        branches = [branch for branch in spec.pop(key, ()) if branch.get("type") != "null"]
        if len(branches) == 1:
            spec = {**branches[0], **spec}
            description = description or spec.pop("description", None)
        elif branches and "anyOf" not in spec:
            spec["anyOf"] = branches
    spec.pop("type", None)
    spec.pop("title", None)
    spec.pop("description", None)
    spec.pop("nullable", None)
    if isinstance(spec.get("enum"), list) and None in spec["enum"]:
        spec["enum"] = [value for value in spec["enum"] if value is not None] or [None]
        null = True
    found: dict[str, Any] = {
        "type": "null" if null and not kinds else "any" if not kinds else kinds[0] if len(kinds) == 1 else kinds,
        "description": description or title or "See the description of the tool.",
        **untitled(spec),
    }
    if null or optional:
        found["nullable"] = True
    return found


def properties_that_accept_null(schema: Any) -> frozenset[str]:
    """The properties of an object's JSON schema that may be null."""
    properties = plain_schema(schema).get("properties") or {}
    return frozenset(name for name, spec in properties.items() if not kinds_of(spec) or "null" in kinds_of(spec))


def type_of_schema(schema: Any) -> str:
    """The type of a JSON schema in a tool's terms; "any" where it has several or none."""
    kinds = [kind for kind in kinds_of(plain_schema(schema)) if kind != "null"]
    return kinds[0] if len(kinds) == 1 else "any"


def identifier(name: str, taken: Collection[str] = (), fallback: str = "argument") -> str:
    """A Python identifier as much like `name` as can be, and none of those that are taken."""
    stem = re.sub(r"\W", "_", name, flags=re.ASCII) or fallback
    if not stem.strip("_"):
        stem = fallback
    if stem[0].isdigit():
        stem = f"_{stem}"
    if keyword.iskeyword(stem):
        stem = f"{stem}_"
    if stem not in taken:
        return stem
    used, free = 1, 2
    while f"{stem}_{free}" in taken:
        used, free = free, 2 * free
    while free - used > 1:  # halving, since there may be thousands of them
        middle = (used + free) // 2
        used, free = (middle, free) if f"{stem}_{middle}" in taken else (used, middle)
    return f"{stem}_{free}"
