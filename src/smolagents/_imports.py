"""Optional dependencies: imported where they are used, named with their extra when absent."""

from __future__ import annotations

import importlib
from typing import Any

from smolagents.types.errors import MissingExtraError

__all__ = ["require"]


def require(module: str, *, extra: str, needed_for: str) -> Any:
    """Import `module`, which the extra `extra` of this library installs.

    Raises:
        MissingExtraError: the module, or the package that holds it, is not installed.
        ImportError: the module is installed and fails to import; passed on as it is.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingExtraError(package, extra, needed_for) from error
