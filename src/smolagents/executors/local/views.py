"""What `globals()` gives the code: its variables, without what stands behind them."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from smolagents.executors.errors import GuardError

from .names import FORBIDDEN_NAMES

__all__ = ["Variables"]

_spaces: dict[int, dict[str, Any]] = {}


class Variables(MutableMapping[str, Any]):
    """The variables of a session, live.

    Args:
        state: The namespace of the session.
    """

    __slots__ = ("__space", "__weakref__")

    def __init__(self, state: dict[str, Any]) -> None:
        def space() -> dict[str, Any]:
            return state

        self.__space = space

    @staticmethod
    def _hidden(name: object) -> bool:
        return not isinstance(name, str) or name[:1] == "@" or name in FORBIDDEN_NAMES or name == "_print_outputs"

    def __getitem__(self, name: str) -> Any:
        if self._hidden(name):
            raise KeyError(name)
        return self.__space()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if not isinstance(name, str) or self._hidden(name):
            raise GuardError(f"{name!r} cannot be set.")
        self.__space()[str.__str__(name)] = value

    def __delitem__(self, name: str) -> None:
        if self._hidden(name):
            raise KeyError(name)
        del self.__space()[name]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self.__space() if not self._hidden(name)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))
