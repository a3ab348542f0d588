"""Agents as processes of their own, started, watched and restarted by a `Team`."""

from __future__ import annotations

from .events import TeamEvent
from .sources import AgentSource
from .supervisor import AgentGaveUpError, Team, TeamReport

__all__ = ["AgentGaveUpError", "AgentSource", "Team", "TeamEvent", "TeamReport"]
