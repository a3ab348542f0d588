"""A JSON schema that someone else wrote, without references and within bounds.

Who writes the schema may mean harm, or have made a slip: schemas that refer to each other grow beyond all measure when
they are written out. What is written out here is bounded in depth, in parts and in text, and so is the work. What is
beyond the bounds is left out: any value is then taken for it, and whoever wrote the schema checks what arrives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smolagents.tools.types import AUTHORIZED_TYPES, merge_schemas

__all__ = ["NAMED", "kinds_of", "plain_schema", "untitled"]

Schema = dict[str, Any]

_DEPTHS = (24, 10, 6, 4, 3)
"""How deep references and schemas within schemas are followed: the first with which the rest is within its bounds. So a
schema that grows is cut evenly, and not in its first argument alone."""
_MOST_PARTS = 2_000
"""Schemas within a schema. The largest that servers in use declare have some hundreds."""
_MOST_CHARACTERS = 50_000
"""Characters of names, descriptions and values together. A model reads all of them in its prompt."""
_LONGEST_POINTER = 1_000
_LARGEST_NUMBER = 1e300
"""Infinity has no form in JSON, and Python refuses to write down integers of some thousand digits."""

NAMED = frozenset({"properties", "patternProperties", "dependentSchemas"})
"""Keywords that hold schemas by name."""
_SINGLE = frozenset({"items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"})
_LISTED = frozenset({"anyOf", "oneOf", "prefixItems"})
_TYPES = frozenset(AUTHORIZED_TYPES) - {"image", "audio", "any"}
_SIZES = ("Length", "Items", "Properties", "Contains")
_NUMBERS = frozenset(
    ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]
    + [f"{bound}{size}" for bound in ("min", "max") for size in _SIZES]
)
_TEXTS = frozenset({"title", "description", "format", "pattern", "contentEncoding", "contentMediaType"})
_FLAGS = frozenset({"nullable", "uniqueItems", "readOnly", "writeOnly", "deprecated"})
_VALUES = frozenset({"enum", "default", "examples"})


def plain_schema(schema: Any, *, keep_titles: bool = False) -> Schema:
    """A JSON schema without references, in which every part is a dictionary and every type one that is known.

    It is bounded: some 2,000 parts and 50,000 characters, whatever was given.
    """
    root = schema if isinstance(schema, Mapping) else {}
    for depth in _DEPTHS:
        expansion = _Expansion(root, depth)
        plain = expansion.part(root)
        if not expansion.is_over:
            break
    return plain if keep_titles else untitled(plain)


def kinds_of(spec: Mapping[str, Any]) -> list[str]:
    """The types of a plain schema."""
    kinds = spec.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def untitled(schema: Any) -> Any:
    """A plain schema without titles, which say nothing that names do not."""
    if isinstance(schema, list):
        return [untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: untitled(item) for name, item in value.items()}
        if key in NAMED
        else value
        if key in _VALUES
        else untitled(value)
        for key, value in schema.items()
        if key != "title"
    }


class _Expansion:
    """One writing out of a schema.

    Attributes:
        is_over: Whether there was no room for all parts and characters.
    """

    def __init__(self, root: Mapping[str, Any], depth: int) -> None:
        self.is_over = False
        self._root = root
        self._depth = depth
        self._parts_left = _MOST_PARTS
        self._characters_left = _MOST_CHARACTERS
        self._anchors: dict[str, Any] | None = None

    def part(self, schema: Any, within: tuple[str, ...] = (), depth: int = 0) -> Schema:
        """A schema written out.

        Args:
            schema: The schema; what is none, such as true, allows any value.
            within: The references that led here.
            depth: How many schemas it is in.
        """
        if not isinstance(schema, Mapping):
            return {}
        if depth > self._depth or not self._has_room():
            return {}
        self._parts_left -= 1
        reference = schema.get("$ref") or schema.get("$dynamicRef")
        if isinstance(reference, str):
            rest = {key: value for key, value in schema.items() if key not in ("$ref", "$dynamicRef")}
            if reference in within:
                return {"type": "object", **self.part(rest, within, depth + 1)}  # it holds itself
            target = self.part(self._resolved(reference), (*within, reference), depth + 1)
            return {**target, **self.part(rest, within, depth + 1)} if rest else target
        plain: Schema = {}
        for each in schema["allOf"] if isinstance(schema.get("allOf"), list) else ():
            if not self._has_room():
                break
            plain = _both(plain, self.part(each, within, depth + 1))
        plain = _both(plain, self._own(schema, within, depth))
        _complete(plain)
        return plain

    def _own(self, schema: Mapping[str, Any], within: tuple[str, ...], depth: int) -> Schema:
        """What a schema says besides what it refers to."""
        own: Schema = {}
        inner = depth + 1
        for key, value in schema.items():
            if key in NAMED and isinstance(value, Mapping):
                own[key] = self._named(value, within, inner)
            elif key in _SINGLE and isinstance(value, Mapping):
                own[key] = self.part(value, within, inner)
            elif key == "additionalProperties" and isinstance(value, bool):
                own[key] = value
            elif key == "items" and isinstance(value, list):  # drafts before 2020
                own["prefixItems"] = self._listed(value, within, inner)
            elif key in _LISTED and isinstance(value, list) and value:
                own[key] = self._listed(value, within, inner)
            elif key == "const":
                if self._affords(value):
                    own.setdefault("enum", [value])
            else:
                said = self._said(key, value)
                if said is not None:
                    own[key] = said
        if own.get("nullable") and "type" in own:
            own["type"] = list(dict.fromkeys([*kinds_of(own), "null"]))
        named = own.get("properties")
        if named is not None and len(named) < len(schema["properties"]):
            own.pop("additionalProperties", None)  # or what was left out would be refused
        return own

    def _said(self, key: str, value: Any) -> Any:
        """What a keyword that holds no schema says, where that can be understood and there is room for it."""
        if key == "type":
            kinds = [value] if isinstance(value, str) else value if isinstance(value, list) else []
            known = bool(kinds) and all(isinstance(kind, str) and kind in _TYPES for kind in kinds)
            return (kinds[0] if len(kinds) == 1 else list(dict.fromkeys(kinds))) if known else None
        if key == "required":
            names = value if isinstance(value, list) else []
            return list(dict.fromkeys(name for name in names if isinstance(name, str)))
        if key in _NUMBERS:
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            return value if is_number and abs(value) < _LARGEST_NUMBER else None
        if key in _TEXTS:
            return self._afforded(value) if isinstance(value, str) else None
        if key in _FLAGS:
            return value if isinstance(value, bool) else None
        is_value = key == "default" or (key in _VALUES and isinstance(value, list))
        return value if is_value and self._affords(value) else None

    def _named(self, schemas: Mapping[str, Any], within: tuple[str, ...], depth: int) -> Schema:
        found: Schema = {}
        for name, schema in schemas.items():
            if not self._has_room() or not self._affords(name):
                break
            found[str(name)] = self.part(schema, within, depth)
        return found

    def _listed(self, schemas: list[Any], within: tuple[str, ...], depth: int) -> list[Schema]:
        if len(schemas) > self._parts_left:
            self.is_over = True
            return [{}]  # any value: half a list of alternatives would refuse what the others allow
        return [self.part(schema, within, depth) for schema in schemas]

    def _has_room(self) -> bool:
        """Whether there is room for another part."""
        if self._parts_left <= 0:
            self.is_over = True
        return self._parts_left > 0

    def _affords(self, value: Any) -> bool:
        """Whether there is room for a value, which is then taken."""
        size = _size(value, self._characters_left)
        if size is None:
            self.is_over = True
            return False
        self._characters_left -= size
        return True

    def _afforded(self, text: str) -> str:
        """As much of a text as there is room for."""
        kept = text[: self._characters_left]
        self._characters_left -= len(kept)
        if len(kept) < len(text):
            self.is_over = True
        return kept

    def _resolved(self, reference: str) -> Any:
        """What a reference within the schema points at; anything at all where that is not known."""
        place, _, pointer = reference.partition("#")
        if place or len(pointer) > _LONGEST_POINTER:
            return {}
        if pointer and not pointer.startswith("/"):
            return self._anchored(pointer)
        found: Any = self._root
        for part in pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping):
                found = found.get(key, {})
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                return {}
        return found

    def _anchored(self, name: str) -> Any:
        if self._anchors is None:
            self._anchors = {}
            for place in ("$defs", "definitions"):
                definitions = self._root.get(place)
                for each in definitions.values() if isinstance(definitions, Mapping) else ():
                    if isinstance(each, Mapping) and isinstance(each.get("$anchor"), str):
                        self._anchors.setdefault(each["$anchor"], each)
        return self._anchors.get(name, {})


def _size(value: Any, most: int) -> int | None:
    """Characters of a value as JSON, about; None for one that is deeper than schemas may be, or has more than `most`."""
    total = 0
    level = [value]
    for _ in range(_DEPTHS[0]):
        inner: list[Any] = []
        total += len(level)
        for each in level:
            if isinstance(each, str):
                total += len(each)
            elif isinstance(each, Mapping):
                inner.extend(each)
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
            elif isinstance(each, int):
                total += most if abs(each) > _LARGEST_NUMBER else 0
            if total + len(inner) > most:
                return None
        if not inner:
            return total
        level = inner
    return None


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
        kinds = dict.fromkeys(_type_of_value(value) for value in schema["enum"])
        schema["type"] = merge_schemas([{"type": kind} for kind in kinds] or [{}]).get("type", "string")
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
