"""Places that an augmented assignment reads and then writes, where its operation is guarded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .limits import AUGMENTED

__all__ = ["Cell"]


class Cell:
    """A place that an augmented assignment reads and then writes, with the guarded operations."""

    __slots__ = ("_read", "_write")

    def __init__(self, read: Callable[[], Any], write: Callable[[Any], None]) -> None:
        self._read = read
        self._write = write

    @property
    def value(self) -> _Operand:
        return _Operand(self._read())

    @value.setter
    def value(self, result: Any) -> None:
        self._write(result)


class _Operand:
    """The left side of an augmented assignment that is guarded."""

    __slots__ = ("_left",)

    def __init__(self, left: Any) -> None:
        self._left = left


def _augmented(kind: str) -> Callable[[_Operand, Any], Any]:
    def apply(self: _Operand, right: Any) -> Any:
        return AUGMENTED[kind](self._left, right)

    return apply


for _method, _kind in {
    "__iadd__": "Add", "__isub__": "Sub", "__imul__": "Mult", "__itruediv__": "Div", "__ifloordiv__": "FloorDiv",
    "__imod__": "Mod", "__ipow__": "Pow", "__ilshift__": "LShift", "__irshift__": "RShift", "__ior__": "BitOr",
    "__ixor__": "BitXor", "__iand__": "BitAnd", "__imatmul__": "MatMult",
}.items():  # fmt: skip
    setattr(_Operand, _method, _augmented(_kind))
