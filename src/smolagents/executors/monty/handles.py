"""Values that stay outside of the interpreter: the code holds a handle, and what gets the handle gets the value."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

from pydantic_monty import ClassInstance, ClassType

from smolagents.executors.worker.values_base import Trouble

__all__ = ["Handles"]

Convert = Callable[[Any], Any]


class _Handle(ClassInstance):
    """A value as the code sees it: some attributes, which are sent along, and some methods, which run outside."""

    def __init__(
        self, value: Any, kind: ClassType, attributes: dict[str, Any], methods: frozenset[str], convert: Convert
    ) -> None:
        super().__init__(value, allowed_methods=methods, class_type=kind)
        self.attributes = attributes
        self.convert = convert

    def get_eager_attrs(self) -> dict[str, Any]:
        return self.attributes

    def convert_value(self, /, name: str, value: Any) -> Any:
        return self.convert(value)


class Handles:
    """The handles of one session.

    They keep their values alive until the session is cleaned up.
    """

    def __init__(self) -> None:
        self._by_value: dict[int, _Handle] = {}
        self._by_id: dict[UUID, _Handle] = {}
        self._kinds: dict[type, ClassType] = {}

    def of(self, value: Any, convert: Convert) -> ClassInstance:
        """The handle of `value`.

        Args:
            value: Any value.
            convert: Makes of its parts what can be given to Monty.
        """
        handle = self._by_value.get(id(value))
        if handle is None:
            kind = type(value)
            attributes, methods = _shown(value, convert)
            if kind not in self._kinds:
                self._kinds[kind] = ClassType(kind, id=uuid4())
            handle = _Handle(value, self._kinds[kind], attributes, methods, convert)
            self._by_value[id(value)] = self._by_id[handle.id] = handle
        return handle

    def holds(self, value: Any) -> bool:
        """Whether `value` is what a handle stands for."""
        handle = self._by_value.get(id(value))
        return handle is not None and handle.value is value

    def find(self, id: UUID) -> ClassInstance | None:
        return self._by_id.get(id)

    def all(self) -> list[ClassInstance]:
        return list(self._by_id.values())

    def called(self, class_name: str) -> ClassInstance | None:
        """The latest handle to an instance of a class of that name."""
        found = [handle for handle in self._by_id.values() if type(handle.value).__name__ == class_name]
        return found[-1] if found else None

    def describe(self, handle: ClassInstance) -> str:
        """What the code can do with a handle, for a model to read."""
        name = type(handle.value).__name__
        text = f"A {name} stays outside of this interpreter: give it to tools as it is"
        attributes = ", ".join(f".{attribute}" for attribute in handle.get_eager_attrs())
        methods = ", ".join(f".{method}()" for method in sorted(handle.allowed_methods or ()))
        there = " and ".join(part for part in (attributes, methods) if part)
        return f"{text}. Of it there is only {there}." if there else f"{text}."


_ARRAY = frozenset({"tolist", "item"})
_FRAME = frozenset({"to_dict", "head", "tail"})


def _shown(value: Any, convert: Convert) -> tuple[dict[str, Any], frozenset[str]]:
    """The attributes and methods of a value that the code may see: those of plain data, none that act."""
    names, methods = _names(value)
    if names is None:
        return _parts(value, convert), methods
    shown = {}
    for name in names:
        with suppress(Trouble, AttributeError):  # of a cycle, or a function: that attribute is not seen
            shown[name] = convert(getattr(value, name))
    return shown, methods


def _names(value: Any) -> tuple[list[str] | None, frozenset[str]]:
    none: frozenset[str] = frozenset()
    kind = type(value)
    if hasattr(kind, "__dataclass_fields__"):
        return [name for name in kind.__dataclass_fields__ if not name.startswith("_")], none
    if _is(value, "enum", "Enum"):
        return ["name", "value"], none
    if _is(value, "pydantic", "BaseModel"):
        return list(getattr(kind, "model_fields", ())), none
    if hasattr(kind, "__attrs_attrs__"):
        return [field.name for field in kind.__attrs_attrs__ if not field.name.startswith("_")], none
    if _is(value, "types", "SimpleNamespace"):
        return [name for name in vars(value) if not name.startswith("_")], none
    if _is(value, "fractions", "Fraction"):
        return ["numerator", "denominator"], none
    if _is(value, "numpy", "ndarray"):
        return None, _ARRAY
    if _is(value, "pandas", "DataFrame") or _is(value, "pandas", "Series"):
        return None, _FRAME if value.ndim == 2 else _FRAME | {"tolist"}
    if _is(value, "PIL.Image", "Image"):
        return ["size", "width", "height", "mode"], none
    return None, none


def _parts(value: Any, convert: Convert) -> dict[str, Any]:
    if isinstance(value, (set, frozenset)):
        return {"items": convert(list(value))}
    if isinstance(value, dict):
        return {"pairs": convert(list(value.items()))}
    if _is(value, "uuid", "UUID"):
        return {"text": str(value), "hex": value.hex}
    if _is(value, "numpy", "ndarray"):
        return {"shape": convert(value.shape), "dtype": str(value.dtype), "ndim": value.ndim, "size": value.size}
    if _is(value, "pandas", "DataFrame"):
        return {"shape": convert(value.shape), "columns": convert(value.columns.tolist())}
    if _is(value, "pandas", "Series"):
        return {"shape": convert(value.shape), "name": convert(value.name)}
    return {}


def _is(value: Any, module: str, name: str) -> bool:
    """Whether `value` is an instance of a class of a module. One that was not imported has no instances."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)
