"""`Team`: starts agents, watches them, restarts them, and ends them in order."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from typing_extensions import Self

from smolagents.agents.team.engines import Engine, EngineName, Life, engine_named
from smolagents.agents.team.events import TeamEvent, event_of
from smolagents.agents.team.sources import AgentSource
from smolagents.messaging.errors import MessagingError
from smolagents.messaging.mailbox import Mailboxes
from smolagents.messaging.message import AgentId, Message
from smolagents.messaging.traced import send_content
from smolagents.types.errors import AgentError

__all__ = ["AgentGaveUpError", "Team", "TeamReport"]

TEAM = "team"
"""The id under which the team itself gives tasks and gets answers."""
_LOOK_SECONDS = 0.1
_FIRST_BACK_OFF, _LONGEST_BACK_OFF = 0.2, 30.0
_FORGIVEN_AFTER_SECONDS = 60.0
"""A process that lived so long may fail as often as a new one."""
_END_SECONDS = 5.0
_LOOK_AT_DEAD_SECONDS = 1.0
_HEARTBEAT_SECONDS = 5.0
"""Between two signs of life, or a third of `heartbeat_timeout` if that is less."""

_log = logging.getLogger(__name__)


class AgentGaveUpError(AgentError):
    """An agent of the team failed too often and was not started again."""


@dataclass(kw_only=True)
class TeamReport:
    """What the agents of a team did."""

    restarts: dict[AgentId, int] = field(default_factory=dict)
    gave_up: dict[AgentId, str] = field(default_factory=dict)
    """Agents that were not started again, and why."""
    steps: dict[AgentId, int] = field(default_factory=dict)
    answered: dict[AgentId, int] = field(default_factory=dict)
    tokens: int = 0


class _Member:
    """One agent of the team, and its life at the moment."""

    def __init__(self, agent_id: AgentId) -> None:
        self.agent_id = agent_id
        self.life: Life | None = None
        self.started = 0.0
        self.heard = 0.0
        self.failures = 0
        self.start_at: float | None = 0.0
        self.last_error = ""
        self.last_words = ""
        """Why its last life ended."""
        self.done = False


class Team:
    """Agents that run as processes of their own, here or on a cluster, and write to each other.

    The agents need no message tools: the team gives them `send_message` and `receive_messages`. A process that dies or
    is stuck is started again, after a pause that grows; what it worked on is given to its successor. When this process
    ends, in whatever way, the agents end too.

    With `engine="ray"`, each agent is an actor that Ray places on a machine of its cluster, and places anew when that
    machine dies. The cluster is the one at RAY_ADDRESS, or the one that runs on this machine, or a new one. Its machines
    have this package installed, and the folders and modules that the agents come from.

    Args:
        agents: For each id an agent, the folder of a saved one, a function that makes it as `package.module:function`,
            or an `AgentSource`.
        mailboxes: URL of the mailboxes; a SQLite file in a temporary folder by default. With "ray", those of a server.
        may_write_to: For some ids, whom they may write to. Others may write to all.
        max_restarts: Times that an agent is started again before it is given up; one that worked for a minute
            starts from 0.
        heartbeat_timeout: Seconds without a sign of life after which a process is stuck, killed and started again.
        on_event: Called with every `TeamEvent`, from a thread of the team.
        mailbox_settings: Further settings of the mailboxes.
        engine: "processes" of this machine, or "ray".
        resources: For some ids, options of their actors, such as `{"critic": {"num_gpus": 1}}`.

    Raises:
        ValueError: there are no agents, or they would not reach the mailboxes.
        MissingExtraError: the extra `ray` is not installed.
    """

    def __init__(
        self,
        agents: Mapping[AgentId, Any],
        *,
        mailboxes: str | None = None,
        may_write_to: Mapping[AgentId, list[AgentId]] | None = None,
        max_restarts: int = 5,
        heartbeat_timeout: float = 30.0,
        on_event: Callable[[TeamEvent], None] | None = None,
        mailbox_settings: Mapping[str, Any] | None = None,
        engine: EngineName = "processes",
        resources: Mapping[AgentId, Mapping[str, Any]] | None = None,
    ) -> None:
        if not agents:
            raise ValueError("a team needs at least one agent")
        if TEAM in agents:
            raise ValueError(f"no agent may have the id {TEAM!r}: it is the team's own")
        self.sources = {agent_id: AgentSource.of(given) for agent_id, given in agents.items()}
        self.may_write_to = dict(may_write_to or {})
        self.max_restarts = max_restarts
        self.heartbeat_timeout = heartbeat_timeout
        self.on_event = on_event
        self.report = TeamReport()
        self._engine: Engine = engine_named(engine, resources)
        self._engine.prepare("sqlite:///" if mailboxes is None else mailboxes)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        if mailboxes is None:
            self._folder = tempfile.TemporaryDirectory(prefix="smolagents-team-")
            mailboxes = f"sqlite:///{self._folder.name}/mailboxes.db"
        self.url = mailboxes
        self.mailbox_settings = dict(mailbox_settings or {})
        self._members = {agent_id: _Member(agent_id) for agent_id in self.sources}
        self._mailboxes: Mailboxes | None = None
        self._ending = threading.Event()
        self._watcher: threading.Thread | None = None
        self._guard = threading.Lock()
        self._answers: dict[str, Message] = {}
        self._given: dict[str, AgentId] = {}

    @property
    def mailboxes(self) -> Mailboxes:
        """Those of the team, opened when they are first asked for."""
        if self._mailboxes is None:
            self._mailboxes = Mailboxes.open(self.url, [*self.sources, TEAM], **self.mailbox_settings)
        return self._mailboxes

    # Life

    def start(self) -> Self:
        """Start the agents.

        Raises:
            MessagingError: another team uses the mailboxes.
        """
        if self._watcher is None:
            if not self.mailboxes.claim():
                raise MessagingError(
                    f"another team uses the mailboxes {self.url}, and the two would take each other's answers: wait for "
                    "its end, or give this one mailboxes of its own"
                )
            self._engine.open()
            self._watcher = threading.Thread(target=self._watch, name="smolagents-team", daemon=True)
            self._watcher.start()
        return self

    def stop(self) -> TeamReport:
        """End the agents: told to stop, then terminated, then killed."""
        if self._watcher is not None:
            self._ending.set()
            self._watcher.join()
            self._watcher = None
            for agent_id in self.sources:
                with contextlib.suppress(MessagingError, OSError):
                    self.mailboxes.send(Message(sender=TEAM, recipient=agent_id, content="", kind="stop"), timeout=0)
            self._end_lives()
            self._engine.close()
        if self._mailboxes is not None:
            self._mailboxes.close()
            self._mailboxes = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        return self.report

    def _end_lives(self) -> None:
        lives = [each.life for each in self._members.values() if each.life is not None]
        _wait(lives, 1.0)
        for life in lives:
            if life.status() is None:
                life.stop()
        _wait(lives, _END_SECONDS)
        for life in lives:
            if life.status() is None:
                life.kill()
        for life in lives:
            life.close()
        for each in self._members.values():
            each.life = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # Tasks

    def submit(self, task: Any, to: AgentId | None = None) -> str:
        """Give a task to an agent, the first one by default, and return its id."""
        recipient = next(iter(self.sources)) if to is None else to
        task_id = send_content(self.mailboxes, recipient, task, sender=TEAM).id
        self._given[task_id] = recipient
        return task_id

    def result(self, task_id: str, timeout: float | None = None) -> Any:
        """The answer to a task that was submitted.

        Raises:
            TimeoutError: there was none after `timeout` seconds.
            AgentGaveUpError: the agent that worked on it failed too often, and the team gave it up; or the task did, as
                each agent that took it died.
            AgentError: the agent answered with an error.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        look_again = 0.0
        while True:
            with self._guard:
                answer = self._answers.pop(task_id, None)
            if answer is None:
                delivery = self.mailboxes.receive(TEAM, _LOOK_SECONDS)
                if delivery is not None:
                    self.mailboxes.acknowledge(delivery)
                    with self._guard:
                        self._answers[delivery.message.in_reply_to or ""] = delivery.message
                    continue
                self._raise_if_given_up(task_id)
                if time.monotonic() >= look_again:
                    self._raise_if_dead(task_id)
                    look_again = time.monotonic() + _LOOK_AT_DEAD_SECONDS
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"no answer to the task {task_id} after {timeout} seconds")
                continue
            self._given.pop(task_id, None)
            if answer.kind == "error":
                raise AgentError(f"agent {answer.sender!r} could not do it: {answer.content}")
            return answer.content

    def run(self, task: Any, *, to: AgentId | None = None, timeout: float | None = None) -> Any:
        """Give a task to the first agent, or another, and wait for its answer. Errors as in `result`."""
        self.start()
        return self.result(self.submit(task, to), timeout)

    def _raise_if_given_up(self, task_id: str) -> None:
        worker = self._given.get(task_id, next(iter(self.sources)))
        if worker in self.report.gave_up:
            raise AgentGaveUpError(f"agent {worker!r} was given up: {self.report.gave_up[worker]}")

    def _raise_if_dead(self, task_id: str) -> None:
        """A task whose every worker died may be given up before the agent is, which then would wait on for ever."""
        worker = self._given.get(task_id)
        if worker is None or not self.report.restarts.get(worker):
            return
        if any(each.id == task_id for each in self.mailboxes.peek(worker, dead=True)):
            raise AgentGaveUpError(
                f"the task was given up: agent {worker!r} died of it {self.mailboxes.max_attempts} times, at last: "
                f"{self._members[worker].last_words}"
            )

    # Watching

    def _watch(self) -> None:
        while not self._ending.wait(_LOOK_SECONDS):
            now = time.monotonic()
            for each in self._members.values():
                if each.done:
                    continue
                if each.life is None:
                    if each.start_at is not None and now >= each.start_at:
                        self._launch(each)
                    continue
                status = each.life.status()
                if status is not None:
                    self._ended(each, each.life, status)
                elif now - each.heard > self.heartbeat_timeout:
                    self._tell(each.agent_id, "stuck", seconds=round(now - each.heard))
                    each.last_error = f"it gave no sign of life for {self.heartbeat_timeout:g} seconds"
                    each.life.kill()
                    each.heard = now  # told once

    def _launch(self, each: _Member) -> None:
        again = each.started > 0
        each.started = each.heard = time.monotonic()
        each.start_at = None
        settings = {
            "agent_id": each.agent_id,
            "mailboxes": self.url,
            "mailbox_settings": self.mailbox_settings,
            "may_write_to": self.may_write_to.get(each.agent_id),
            "source": self.sources[each.agent_id].plain(),
            "path": [entry for entry in sys.path if entry],
            "heartbeat_seconds": min(_HEARTBEAT_SECONDS, self.heartbeat_timeout / 3),
        }
        try:
            each.life = self._engine.launch(each.agent_id, settings, lambda line: self._hear(each, line))
        except Exception as error:
            self._failed(each, f"{type(error).__name__}: {error}")
            return
        if again:
            self.report.restarts[each.agent_id] = self.report.restarts.get(each.agent_id, 0) + 1
            self._tell(each.agent_id, "restarted", times=self.report.restarts[each.agent_id])

    def _hear(self, each: _Member, line: str) -> None:
        each.heard = time.monotonic()
        event = event_of(line, each.agent_id)
        if event is None or event.kind == "heartbeat":
            return
        self._count(event)
        if event.kind == "failed" and "error" in event.details:
            each.last_error = str(event.details["error"])
        self._tell(event.agent_id, event.kind, **event.details)

    def _count(self, event: TeamEvent) -> None:
        with self._guard:
            if event.kind == "step":
                self.report.steps[event.agent_id] = self.report.steps.get(event.agent_id, 0) + 1
                self.report.tokens += int(event.details.get("tokens") or 0)
            elif event.kind == "answered":
                self.report.answered[event.agent_id] = self.report.answered.get(event.agent_id, 0) + 1

    def _ended(self, each: _Member, life: Life, status: int) -> None:
        said = life.close()
        each.life = None
        if status == 0:
            each.done = True  # it was told to stop
        else:
            self._failed(each, each.last_error or said)

    def _failed(self, each: _Member, why: str) -> None:
        lived = time.monotonic() - each.started
        each.last_error, each.last_words = "", why
        self._tell(each.agent_id, "died", why=why)
        each.failures = 1 if lived > _FORGIVEN_AFTER_SECONDS else each.failures + 1
        if each.failures > self.max_restarts:
            each.done = True
            self.report.gave_up[each.agent_id] = f"it failed {each.failures} times, at last: {why}"
            self._tell(each.agent_id, "gave_up", why=self.report.gave_up[each.agent_id])
            return
        each.start_at = time.monotonic() + min(_FIRST_BACK_OFF * 2 ** (each.failures - 1), _LONGEST_BACK_OFF)

    def _tell(self, agent_id: AgentId, kind: str, **details: Any) -> None:
        event = TeamEvent(agent_id=agent_id, kind=kind, details=details)
        _log.debug("%s", event)
        if self.on_event is not None:
            try:
                self.on_event(event)
            except Exception:
                _log.exception("on_event failed for %s", event)


def _wait(lives: list[Life], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for life in lives:
        life.wait(max(deadline - time.monotonic(), 0))
