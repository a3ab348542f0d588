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

from smolagents.tools.types import AUTHORIZED_TYPES, merge_schemas

__all__ = ["accepts_null", "identifier", "inputs_of_json_schema", "plain_schema", "type_of_schema"]

Schema = dict[str, Any]

_TYPES = frozenset(AUTHORIZED_TYPES) - {"image", "audio", "any"}
_DEPTH = 24
"""How deep references and schemas within schemas are followed; what is below is any value."""
_DROPPED = frozenset({"$schema", "$id", "$anchor", "$defs", "definitions", "$comment", "$ref", "$dynamicRef", "allOf"})
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas"})
_SINGLE = frozenset({"items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"})
_LISTED = frozenset({"anyOf", "oneOf", "prefixItems"})
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems")


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
    kinds = [kind for kind in _kinds(spec) if kind != "null"]
    null = "null" in _kinds(spec)
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
        **_untitled(spec),
    }
    if null or optional:
        found["nullable"] = True
    return found


def accepts_null(schema: Any, name: str) -> bool:
    """Whether the schema of an object lets the property `name` be null."""
    properties = plain_schema(schema).get("properties") or {}
    spec = properties.get(name, {})
    kinds = _kinds(spec)
    return not kinds or "null" in kinds


def type_of_schema(schema: Any) -> str:
    """The type of a JSON schema in a tool's terms; "any" where it has several or none."""
    kinds = [kind for kind in _kinds(plain_schema(schema)) if kind != "null"]
    return kinds[0] if len(kinds) == 1 else "any"


def _kinds(spec: Mapping[str, Any]) -> list[str]:
    kinds = spec.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def plain_schema(schema: Any, *, keep_titles: bool = False) -> Schema:
    """A JSON schema without references, in which every part is a dictionary and every type one that is known."""
    root = schema if isinstance(schema, Mapping) else {}
    plain = _plain(root, root, ())
    return plain if keep_titles else _untitled(plain)


def _untitled(schema: Any) -> Any:
    """Without titles, which say nothing that names do not."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _untitled(item) for name, item in value.items()}
        if key in _NAMED and isinstance(value, dict)
        else value
        if key in ("enum", "const", "default", "examples")
        else _untitled(value)
        for key, value in schema.items()
        if key != "title"
    }


def _plain(schema: Any, root: Mapping[str, Any], within: tuple[str, ...], depth: int = 0) -> Schema:
    if not isinstance(schema, Mapping) or depth > _DEPTH:  # true, false, or what is no schema at all
        return {}
    reference = schema.get("$ref") or schema.get("$dynamicRef")
    if isinstance(reference, str):
        rest = {key: value for key, value in schema.items() if key not in ("$ref", "$dynamicRef")}
        if reference in within:
            return {"type": "object", **_plain(rest, root, within, depth + 1)}  # it holds itself
        target = _plain(_resolved(reference, root), root, (*within, reference), depth + 1)
        return {**target, **_plain(rest, root, within, depth + 1)}
    plain: Schema = {}
    for part in schema["allOf"] if isinstance(schema.get("allOf"), list) else ():
        plain = _both(plain, _plain(part, root, within, depth + 1))
    plain = _both(plain, _own(schema, root, within, depth))
    _complete(plain)
    return plain


def _own(schema: Mapping[str, Any], root: Mapping[str, Any], within: tuple[str, ...], depth: int) -> Schema:
    own: Schema = {}
    for key, value in schema.items():
        if key in _NAMED:
            if isinstance(value, Mapping):
                own[key] = {str(name): _plain(item, root, within, depth + 1) for name, item in value.items()}
        elif key in _SINGLE:
            if isinstance(value, bool):
                if key == "additionalProperties":
                    own[key] = value
            elif isinstance(value, Mapping):
                own[key] = _plain(value, root, within, depth + 1)
            elif isinstance(value, list) and key == "items":
                own["prefixItems"] = [_plain(item, root, within, depth + 1) for item in value]
        elif key in _LISTED:
            if isinstance(value, list):
                own[key] = [_plain(item, root, within, depth + 1) for item in value]
        elif key == "const":
            own.setdefault("enum", [value])
        elif key == "type":
            kinds = [value] if isinstance(value, str) else value if isinstance(value, list) else []
            if kinds and all(kind in _TYPES for kind in kinds):
                own["type"] = kinds[0] if len(kinds) == 1 else list(dict.fromkeys(kinds))
        elif (
            (key in _NUMBERS and (isinstance(value, bool) or not isinstance(value, (int, float))))
            or (key in ("required", "enum") and not isinstance(value, list))
            or (key in ("description", "title") and not isinstance(value, str))
        ):
            continue
        elif key not in _DROPPED:
            own[key] = value
    if schema.get("nullable") is True and "type" in own:
        own["type"] = list(dict.fromkeys([*_kinds(own), "null"]))
    return own


def _both(first: Schema, second: Schema) -> Schema:
    """What fits both schemas, roughly: the fields of both."""
    merged = {**first, **second}
    if "properties" in first and "properties" in second:
        merged["properties"] = {**first["properties"], **second["properties"]}
    if "required" in first and "required" in second:
        merged["required"] = list(dict.fromkeys([*first["required"], *second["required"]]))
    return merged


def _complete(schema: Schema) -> None:
    """Add the type that a schema leaves to be understood."""
    if "type" in schema:
        return
    for key in ("anyOf", "oneOf"):
        branches = schema.get(key)
        if branches and all("type" in branch for branch in branches):
            schema["type"] = merge_schemas([{"type": branch["type"]} for branch in branches])["type"]
            return
    if schema.get("anyOf") or schema.get("oneOf"):
        return
    if "enum" in schema:
        schema["type"] = merge_schemas([{"type": _type_of_value(value)} for value in schema["enum"]] or [{}]).get(
            "type", "string"
        )
    elif "properties" in schema:
        schema["type"] = "object"
    elif "items" in schema or "prefixItems" in schema:
        schema["type"] = "array"


def _type_of_value(value: Any) -> str:
    if value is None:
        return "null"
    for cls, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, cls):
            return name
    return "object"


def _resolved(reference: str, root: Mapping[str, Any]) -> Any:
    """What a reference within the schema points at; anything at all where that is not known."""
    place, _, pointer = reference.partition("#")
    if place:
        return {}
    if pointer and not pointer.startswith("/"):
        definitions = [*(root.get("$defs") or {}).values(), *(root.get("definitions") or {}).values()]
        return next((each for each in definitions if isinstance(each, Mapping) and each.get("$anchor") == pointer), {})
    found: Any = root
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(key, {})
        elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            return {}
    return found


def identifier(name: str, taken: Collection[str] = (), fallback: str = "argument") -> str:
    """A Python identifier as much like `name` as can be, and none of those that are taken."""
    stem = re.sub(r"\W", "_", name, flags=re.ASCII) or fallback
    if not stem.strip("_"):
        stem = fallback
    if stem[0].isdigit():
        stem = f"_{stem}"
    if keyword.iskeyword(stem):
        stem = f"{stem}_"
    found, number = stem, 1
    while found in taken:
        number += 1
        found = f"{stem}_{number}"
    return found
