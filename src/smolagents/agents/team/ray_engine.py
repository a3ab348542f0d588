"""Agents as actors of a Ray cluster, which Ray places on the machines that it has.

An actor that ends with its machine is started again by the team, as any other agent, and placed on a machine that lives.
Messages do not pass through Ray: its queues lose what is in them with the actor that holds them.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from smolagents._imports import require
from smolagents.agents.team.events import line_of
from smolagents.agents.team.member import take_part
from smolagents.messaging.message import AgentId

__all__ = ["RayEngine"]

_REACHED_FROM_EVERYWHERE = ("redis", "rediss", "nats", "tls")
_END_SECONDS = 5.0


class RayEngine:
    """Starts each agent as an actor, on the cluster at RAY_ADDRESS, or the one that runs here, or a new one.

    Ray authenticates by token, unless RAY_AUTH_MODE says something else. A cluster that this process has joined by
    `ray.init` is used as it is.

    Args:
        resources: Options of the actors of some agents, such as `{"critic": {"num_gpus": 1}}`.
    """

    def __init__(self, resources: Mapping[AgentId, Mapping[str, Any]]) -> None:
        self._ray: Any = None
        self._resources = resources
        self._mine = False

    def prepare(self, url: str) -> None:
        if urlsplit(url).scheme not in _REACHED_FROM_EVERYWHERE:
            raise ValueError(
                f"a team on a cluster needs mailboxes that every machine reaches, and {url.partition(':')[0]}:// is for "
                "one machine: give mailboxes='redis://host' or 'nats://host'"
            )
        if "ray" not in sys.modules:  # it reads this when it is imported
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        self._ray = require("ray", extra="ray", needed_for="a team on a cluster, Team(engine='ray')")
        if "RAY_AUTH_MODE" not in os.environ and not self._ray.is_initialized():
            raise ValueError(
                "Ray was imported before RAY_AUTH_MODE was set, so whoever reaches the cluster would run code there: "
                "set RAY_AUTH_MODE=token in the environment, or call ray.init yourself"
            )

    def open(self) -> None:
        if not self._ray.is_initialized():
            self._ray.init(log_to_driver=False, logging_level="error")
            self._mine = True

    def launch(self, agent_id: AgentId, settings: Mapping[str, Any], heard: Callable[[str], None]) -> _Actor:
        # Agents wait for models most of the time: by default they take no processor from others, and spread.
        options = {"num_cpus": 0, "scheduling_strategy": "SPREAD", **self._resources.get(agent_id, {})}
        return _Actor(self._ray, options, settings, heard)

    def close(self) -> None:
        if self._mine:
            self._mine = False
            self._ray.shutdown()


class _Actor:
    def __init__(
        self, ray: Any, options: Mapping[str, Any], settings: Mapping[str, Any], heard: Callable[[str], None]
    ) -> None:
        self._ray = ray
        self._seconds = float(settings["heartbeat_seconds"])
        # One thread serves, one tells, one is there to be told to stop.
        self._actor = ray.remote(_Serving).options(max_concurrency=3, **options).remote()
        self._serving = self._actor.serve.remote(json.dumps(settings))
        self._listener = threading.Thread(target=self._listen, args=(heard,), name="smolagents-listen", daemon=True)
        self._listener.start()

    def _listen(self, heard: Callable[[str], None]) -> None:
        placed = False
        with contextlib.suppress(self._ray.exceptions.RayError):
            while True:
                asked = self._actor.told.remote(self._seconds)
                while not self._ray.wait([asked], timeout=self._seconds)[0]:
                    if not placed:  # Ray waits for a machine that has room
                        heard(line_of("heartbeat"))
                placed = True
                lines = self._ray.get(asked)
                if lines is None:
                    return
                for line in (*lines, line_of("heartbeat")):
                    heard(line)

    def status(self) -> int | None:
        if not self._ray.wait([self._serving], timeout=0)[0]:
            return None
        try:
            return int(self._ray.get(self._serving))
        except self._ray.exceptions.RayError:
            return -1

    def stop(self) -> None:
        self._actor.stop.remote()

    def kill(self) -> None:
        self._ray.kill(self._actor)

    def wait(self, seconds: float) -> None:
        self._ray.wait([self._serving], timeout=seconds)

    def close(self) -> str:
        words = ""
        try:
            self._ray.get(self._serving, timeout=_END_SECONDS)
            self._listener.join(_END_SECONDS)
        except self._ray.exceptions.RayError as error:
            words = " ".join(str(error).split())
        self.kill()
        self._listener.join(_END_SECONDS)
        return words


class _Serving:
    """What runs on the machine where Ray has placed the agent."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._over = False
        self._changed = threading.Condition()
        self._stop = threading.Event()

    def serve(self, settings: str) -> int:
        try:
            return take_part(json.loads(settings), self._tell, self._stop)
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def _tell(self, kind: str, **details: Any) -> None:
        with self._changed:
            self._lines.append(line_of(kind, **details))
            self._changed.notify_all()

    def told(self, seconds: float) -> list[str] | None:
        """What was told since the last call, waiting so long for something; None when that was all."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._over, seconds)
            lines, self._lines = self._lines, []
            return lines if lines or not self._over else None

    def stop(self) -> None:
        self._stop.set()
