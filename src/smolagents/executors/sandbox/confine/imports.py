"""Importing where some of the modules that are found may not be read."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["find_only_readable_modules"]


def find_only_readable_modules() -> None:
    """Let a module that may not be read count as not installed: packages try optional ones, and expect an `ImportError`."""
    sys.meta_path[:] = [_ReadableFinder if finder is PathFinder else finder for finder in sys.meta_path]


class _ReadableFinder(PathFinder):
    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = super().find_spec(fullname, path, target)
        if spec is not None and spec.has_location and spec.origin is not None:
            try:
                open(spec.origin, "rb").close()
            except PermissionError:
                return None
            except OSError:
                pass  # the import will say what is wrong with it
        return spec
