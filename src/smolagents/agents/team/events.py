"""What the processes of a team tell about themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from smolagents.messaging.message import AgentId

__all__ = ["TeamEvent"]


@dataclass(frozen=True, kw_only=True)
class TeamEvent:
    """Something that happened to one agent of a team."""

    agent_id: AgentId
    kind: str
    """`started`, `task` (it took one), `step`, `answered`, `failed`, `stopped`, `died`, `stuck`, `restarted`, `gave_up`."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """For a step its number, tool calls, a line of its code, seconds and tokens; for others what explains them."""

    def __str__(self) -> str:
        shown = " ".join(f"{key}={value}" for key, value in self.details.items() if value not in (None, ""))
        return f"agent {self.agent_id}: {self.kind}{' ' + shown if shown else ''}"


def line_of(kind: str, **details: Any) -> str:
    """An event as the line that a process of the team writes."""
    return json.dumps({"kind": kind, "details": details}, default=str)


def event_of(line: str, agent_id: AgentId) -> TeamEvent | None:
    """The event that a line tells; None for one that is something else, such as what a library printed."""
    try:
        data = json.loads(line)
        return TeamEvent(agent_id=agent_id, kind=str(data["kind"]), details=dict(data["details"]))
    except (ValueError, KeyError, TypeError):
        return None
