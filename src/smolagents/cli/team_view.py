"""Who does what in a team: a table that is kept up to date on a terminal, else a line for each event."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smolagents.agents.team import Team, TeamEvent
from smolagents.messaging.message import AgentId
from smolagents.monitoring import AgentLogger, LogLevel

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

__all__ = ["TeamView"]

_TROUBLE = ("died", "stuck", "gave_up")
_WAITS = {"started": "waits", "answered": "waits", "failed": "waits", "restarted": "starts again"}
_MARKS = {"works": ("●", "cyan"), "waits": ("○", "dim"), "stopped": ("○", "dim")}

_DOES, _NUMBER = 30, 4
"""Widths of columns."""


@dataclass
class _Row:
    """What one agent does now."""

    state: str = "starts"
    since: float = 0.0
    sender: AgentId | None = None
    """Whose task it works on."""
    steps: int = 0
    tokens: int = 0
    last: str = ""
    error: str = ""


class TeamView:
    """Shows a team at work.

    Args:
        logger: Where to show it.
        ids: Of its agents.
    """

    def __init__(self, logger: AgentLogger, ids: Sequence[AgentId]) -> None:
        self.logger = logger
        self.rows = {each: _Row(since=time.monotonic()) for each in ids}
        self.team: Team | None = None
        self._live: Any = None
        self._guard = threading.Lock()
        self._started = time.monotonic()

    def __enter__(self) -> TeamView:
        if self.logger.level >= LogLevel.INFO and self.logger.console.is_terminal:
            from rich.live import Live

            self._live = Live(
                get_renderable=self.table, console=self.logger.console, refresh_per_second=4, transient=True
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Take the table away."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def watch(self, team: Team) -> None:
        """Show how many messages wait in the boxes of `team`."""
        self.team = team

    def show(self, event: TeamEvent) -> None:
        """Take in what happened, and show it."""
        with self._guard:
            self._take_in(event)
        if self.logger.level >= LogLevel.INFO and (self._live is None or event.kind in _TROUBLE):
            self.logger.log(_line(event), style="red" if event.kind in _TROUBLE else "dim")

    def _take_in(self, event: TeamEvent) -> None:
        row = self.rows[event.agent_id]
        if event.kind == "step":
            row.steps += 1
            row.tokens += event.details.get("tokens") or 0
            row.last = _gist(event)
            row.error = event.details.get("error") or ""
            return
        row.since = time.monotonic()
        if event.kind == "task":
            row.state, row.sender = "works", event.details.get("sender")
            row.last = row.error = ""
        else:
            row.state = _WAITS.get(event.kind, event.kind.replace("_", " "))

    def table(self) -> Table:
        """The table as it is now."""
        from rich.table import Table

        now = time.monotonic()
        with self._guard:
            tokens = sum(row.tokens for row in self.rows.values())
            table = Table(
                box=None,
                header_style="dim",
                title=f"{len(self.rows)} agents, {now - self._started:.0f} s, {tokens:,} tokens",
                title_justify="left",
                title_style="bold",
                padding=(0, 2, 0, 0),
            )
            ids = min(max(len("agent"), *(len(str(agent_id)) for agent_id in self.rows)), 20)
            rest = self.logger.console.width - ids - _DOES - 2 * _NUMBER - 10  # 2 after each column
            table.add_column("agent", width=ids, no_wrap=True)
            table.add_column("does", width=_DOES, no_wrap=True)
            table.add_column("step", width=_NUMBER, no_wrap=True, justify="right")
            table.add_column("mail", width=_NUMBER, no_wrap=True, justify="right")
            table.add_column("last step", max_width=max(rest, 12), no_wrap=True)
            for agent_id, row in self.rows.items():
                table.add_row(
                    str(agent_id), _doing(row, now), str(row.steps or ""), self._waiting(agent_id), _last(row)
                )
        return table

    def _waiting(self, agent_id: AgentId) -> str:
        if self.team is None:
            return ""
        try:
            return str(self.team.mailboxes.status(agent_id).waiting or "")
        except Exception:  # a view must not end what it shows
            return "?"


def _doing(row: _Row, now: float) -> Text:
    from rich.text import Text

    mark, style = _MARKS.get(row.state, ("!", "yellow" if row.state.startswith("start") else "red"))
    whose = f" for {_named(row.sender)}" if row.state == "works" else ""
    return Text.assemble((f"{mark} ", style), f"{row.state}{whose}", (f"  {now - row.since:.0f} s", "dim"))


def _last(row: _Row) -> Text:
    from rich.text import Text

    return Text.assemble((f"{row.error} " if row.error else "", "red"), row.last)


def _named(sender: AgentId | None) -> str:
    return "the team" if sender is None or sender == "team" else f"agent {sender}"


def _gist(event: TeamEvent) -> str:
    """What was done in a step: a line of its code, or the tools that were called."""
    return str(event.details.get("code") or event.details.get("calls") or "")


def _line(event: TeamEvent) -> str:
    details, who = event.details, f"agent {event.agent_id}"
    if event.kind == "step":
        tokens = f", {details['tokens']:,} tokens" if details.get("tokens") else ""
        error = f" {details['error']}" if details.get("error") else ""
        return f"{who}: step {details.get('step')} ({details.get('seconds')} s{tokens}) {_gist(event)}{error}".rstrip()
    if event.kind == "task":
        return f"{who}: works for {_named(details.get('sender'))}"
    if event.kind == "answered":
        return f"{who}: answered {_named(details.get('sender'))}"
    if event.kind in ("started", "stopped", "restarted"):
        return f"{who}: {event.kind}"
    return str(event)
