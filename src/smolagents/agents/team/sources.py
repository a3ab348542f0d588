"""How a process of a team comes by its agent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent

__all__ = ["AgentSource"]


@dataclass(frozen=True, kw_only=True)
class AgentSource:
    """Where an agent comes from: exactly one of `folder`, `factory` and `data`."""

    folder: str | None = None
    """A folder that `agent.save` wrote. Its code is run, so it must be trusted."""
    factory: str | None = None
    """A function that makes the agent, as `package.module:function`."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of `factory`, plain data."""
    data: Mapping[str, Any] | None = None
    """What `agent.to_dict` returned."""

    def __post_init__(self) -> None:
        if sum(each is not None for each in (self.folder, self.factory, self.data)) != 1:
            raise ValueError("an AgentSource is made with exactly one of folder, factory and data")
        if self.factory is not None and ":" not in self.factory:
            raise ValueError(f"factory must be written as 'package.module:function', not {self.factory!r}")

    @classmethod
    def of(cls, given: Any) -> AgentSource:
        """The source that a user meant: an `AgentSource`, an agent, a folder, or `module:function`.

        Raises:
            TypeError: it is none of these.
        """
        if isinstance(given, AgentSource):
            return given
        if isinstance(given, os.PathLike) or (isinstance(given, str) and ":" not in given):
            return cls(folder=os.fspath(given))
        if isinstance(given, str):
            return cls(factory=given)
        if hasattr(given, "to_dict"):
            return cls(data=given.to_dict())
        raise TypeError(
            f"{given!r} is no agent: give an agent, the folder of a saved one, or a function as 'package.module:function'"
        )

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "folder": self.folder,
            "factory": self.factory,
            "arguments": dict(self.arguments),
            "data": None if self.data is None else dict(self.data),
        }

    def make(self) -> MultiStepAgent:
        """The agent."""
        from smolagents.agents.base import MultiStepAgent

        if self.folder is not None:
            return MultiStepAgent.from_folder(self.folder)
        if self.data is not None:
            return MultiStepAgent.from_dict(self.data)
        assert self.factory is not None
        module, _, name = self.factory.partition(":")
        made: MultiStepAgent = getattr(import_module(module), name)(**self.arguments)
        return made
