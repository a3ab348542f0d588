"""Values that stay outside of the interpreter: the code holds a handle, and what gets the handle gets the value."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

from pydantic_monty import ClassInstance, ClassType

from smolagents.executors.worker.values_base import Trouble

__all__ = ["NUMBER", "Handles"]

Convert = Callable[[Any], Any]
Methods = dict[str, Callable[[Any], Any]]

NUMBER = "number_of_handle_"
"""The method of every handle by which it is told from others inside of the interpreter."""


class _Handle(ClassInstance):
    """A value as the code sees it: some attributes, which are sent along, and some methods, which run outside."""

    def __init__(self, value: Any, kind: ClassType, number: int, attributes: dict[str, Any], methods: Methods) -> None:
        super().__init__(value, class_type=kind)
        self.number = number
        self.attributes = attributes
        self.methods = methods

    def get_eager_attrs(self) -> dict[str, Any]:
        return self.attributes


class Handles:
    """The handles of one session.

    They keep their values alive until the session is cleaned up.
    """

    def __init__(self) -> None:
        self._by_value: dict[int, _Handle] = {}
        self._by_id: dict[UUID, _Handle] = {}
        self._numbered: list[_Handle] = []
        self._kinds: dict[type, ClassType] = {}

    def of(self, value: Any, convert: Convert) -> ClassInstance:
        """The handle of `value`.

        Args:
            value: Any value.
            convert: Makes of its parts what can be given to Monty.
        """
        attributes, methods = _shown(value, convert)
        handle = self._by_value.get(id(value))
        if handle is None:
            kind = type(value)
            if kind not in self._kinds:
                self._kinds[kind] = ClassType(kind, id=uuid4())
            handle = _Handle(value, self._kinds[kind], len(self._numbered), attributes, methods)
            self._numbered.append(handle)
            self._by_value[id(value)] = self._by_id[handle.id] = handle
        else:
            handle.attributes = attributes  # the value may have changed since it crossed last
        return handle

    def numbered(self, number: str) -> Any:
        """The value of the handle of that number.

        Raises:
            Trouble: there is none.
        """
        if len(number) < 20 and number.isdecimal() and int(number) < len(self._numbered):
            return self._numbered[int(number)].value
        raise Trouble("what this stands for is not here")

    def ask(self, id: UUID, method: str) -> Any:
        """What a method of a handle gives, called without arguments.

        Raises:
            AttributeError: there is no such handle, or it has no such method.
        """
        handle = self._by_id.get(id)
        if handle is None:
            raise AttributeError(f"what this stands for is not here, and has no method {method!r}")
        if method == NUMBER:
            return handle.number
        if method not in handle.methods:
            raise AttributeError(f"{type(handle.value).__name__!r} object has no attribute {method!r}")
        return handle.methods[method](handle.value)

    def all(self) -> list[ClassInstance]:
        return list(self._numbered)

    def about(self, class_name: str) -> str:
        """What the code can do with a value of a class that stays outside, for a model to read; empty if none is."""
        for handle in reversed(self._numbered):
            if type(handle.value).__name__ == class_name:
                attributes = ", ".join(f".{attribute}" for attribute in handle.attributes)
                methods = ", ".join(f".{method}()" for method in handle.methods)
                there = " and ".join(part for part in (attributes, methods) if part)
                text = f"A {class_name} stays outside of this interpreter: give it to tools as it is."
                return f"{text} Of it there is only {there}." if there else text
        return ""


_LIST: Methods = {"tolist": lambda value: value.tolist()}
_RECORDS: Methods = {"records": lambda value: value.to_dict("records")}


def _shown(value: Any, convert: Convert) -> tuple[dict[str, Any], Methods]:
    """The attributes and methods of a value that the code may see: those of plain data, none that act."""
    names, methods = _names(value)
    if names is None:
        return _parts(value, convert), methods
    shown = {}
    for name in names:
        with suppress(Trouble, AttributeError):  # of a cycle, or a function: that attribute is not seen
            shown[name] = convert(getattr(value, name))
    return shown, methods


def _names(value: Any) -> tuple[list[str] | None, Methods]:
    none: Methods = {}
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
        return None, _LIST
    if _is(value, "pandas", "DataFrame") or _is(value, "pandas", "Series"):
        return None, _RECORDS if value.ndim == 2 else _LIST
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
