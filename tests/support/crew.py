"""Many processes of agents."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

_PRELOADED = ["support.chaos_agent", "support.crowd_agent", "smolagents.agents.serving", "redis", "nats"]


class Crew:
    """Agents in processes that one process with everything imported is forked into, so that a start is cheap.

    Args:
        serve: What a process runs, with the URL, the agent's id, and the values.
        url: Of the mailboxes.
        *values: Passed on.
    """

    def __init__(self, serve: Callable[..., None], url: str, *values: Any) -> None:
        self._serve = serve
        self._url = url
        self._values = values
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self.processes: dict[Any, Any] = {}

    def start(self, agent_id: Any) -> None:
        process = self._context.Process(target=self._serve, args=(self._url, agent_id, *self._values), daemon=True)
        process.start()
        self.processes[agent_id] = process

    def kill(self, agent_id: Any) -> None:
        process = self.processes.pop(agent_id)
        process.kill()
        process.join(10)
        process.close()

    def restart_dead(self) -> None:
        """What a supervisor does."""
        for agent_id, process in list(self.processes.items()):
            if not process.is_alive():
                self.kill(agent_id)
                self.start(agent_id)

    def close(self) -> None:
        for agent_id in list(self.processes):
            self.kill(agent_id)
