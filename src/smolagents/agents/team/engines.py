"""What starts the agents of a team: an engine. What it starts is one life of an agent, and the team watches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias

from smolagents.messaging.message import AgentId

__all__ = ["Engine", "EngineName", "Life", "engine_named"]

EngineName: TypeAlias = Literal["processes", "ray"]


class Life(Protocol):
    """One life of an agent, from its start to its end, somewhere."""

    def status(self) -> int | None:
        """None while it lasts; 0 if it ended as it should."""

    def stop(self) -> None:
        """Ask the agent to stop within its step."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self, seconds: float) -> None:
        """Wait for its end, not longer than this."""

    def close(self) -> str:
        """Let go of what has ended, when all that it told was heard. Returns its last words, if it had any."""


class Engine(Protocol):
    """Starts agents."""

    def prepare(self, url: str) -> None:
        """Be ready to start agents that use the mailboxes at `url`.

        Raises:
            ValueError: they would not reach them.
            MissingExtraError: what the engine needs is not installed.
        """

    def open(self) -> None:
        """Begin, before the first agent is started."""

    def launch(self, agent_id: AgentId, settings: Mapping[str, Any], heard: Callable[[str], None]) -> Life:
        """Start an agent.

        Args:
            agent_id: Whose life it is.
            settings: What `member.take_part` is told.
            heard: Called with each line that it tells, from a thread of the engine.
        """

    def close(self) -> None:
        """Let go of what `open` got hold of."""


def engine_named(name: str, resources: Mapping[AgentId, Mapping[str, Any]] | None = None) -> Engine:
    """The engine of that name.

    Args:
        name: "processes" or "ray".
        resources: What agents need of the machine they are placed on.

    Raises:
        ValueError: there is no such engine, or it places nothing.
    """
    if name == "processes":
        if resources:
            raise ValueError("resources say where a cluster places agents: they go with engine='ray'")
        from smolagents.agents.team.processes import ProcessEngine

        return ProcessEngine()
    if name == "ray":
        from smolagents.agents.team.ray_engine import RayEngine

        return RayEngine(resources or {})
    raise ValueError(f"there is no engine {name!r}: choose 'processes' or 'ray'")
