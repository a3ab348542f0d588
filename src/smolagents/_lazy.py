"""Exports that are imported when they are first used (PEP 562)."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

__all__ = ["lazy_exports", "show_exports_in_vars"]


def lazy_exports(package: str, exports: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package that imports a name's module when the name is asked for.

    Args:
        package: The package's `__name__`.
        exports: Each exported name and the module that defines it, by absolute path.
    """

    def __getattr__(name: str) -> Any:  # noqa: N807
        module = exports.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(module), name)
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807
        return sorted({*_dict_of(sys.modules[package]), *exports})

    return __getattr__, __dir__


def show_exports_in_vars(package: str) -> None:
    """Let `vars(package)` show the exports of a package too, as those of any other, by importing them first.

    Instrumentations look there for the classes that they are to wrap. What cannot be imported is left out.

    Args:
        package: The package's `__name__`; it has an `__all__`, and the `__getattr__` of `lazy_exports`.
    """
    sys.modules[package].__class__ = _OpenPackage


_dict_of = vars(ModuleType)["__dict__"].__get__


class _OpenPackage(ModuleType):
    def __dir__(self) -> list[str]:
        # That of `lazy_exports`: the names alone, which completion in an editor asks for, import nothing.
        names: list[str] = _dict_of(self)["__dir__"]()
        return names

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        names: dict[str, Any] = _dict_of(self)
        for name in names.get("__all__", ()):
            if name not in names:
                with contextlib.suppress(ImportError):
                    getattr(self, name)
        return names
