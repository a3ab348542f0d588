"""An agent that works for others: it takes the tasks out of its mailbox, one after another, and answers them."""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from smolagents.executors.worker.values import CannotCrossError
from smolagents.messaging.errors import MailboxesClosedError, MessageFormatError, MessageTooLargeError, MessagingError
from smolagents.messaging.mailbox import Delivery, Mailboxes
from smolagents.messaging.message import AgentId, Message
from smolagents.messaging.tools import ReceiveMessagesTool, mailbox_of
from smolagents.messaging.traced import message_facts
from smolagents.monitoring.tracing import continue_trace, span
from smolagents.types.errors import AgentInterruptedError

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent
    from smolagents.agents.member import TeamMember

__all__ = ["DEFAULT_IDLE_TIMEOUT", "ServiceReport", "leads_team", "serve"]

DEFAULT_IDLE_TIMEOUT = 600.0
"""Seconds without a message after which an agent stops serving."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ServiceReport:
    """What an agent did while it served its mailbox."""

    answered: int
    """Tasks that were answered."""
    failed: int
    """Tasks that ended in an error, which was sent as the answer."""
    reason: Literal["stopped", "idle", "max_runtime", "interrupted", "mailboxes_closed"]
    """Why it ended."""
    duration: float
    """Seconds."""


def serve(
    agent: TeamMember,
    *,
    idle_timeout: float | None = DEFAULT_IDLE_TIMEOUT,
    max_runtime: float | None = None,
    observe: Callable[[str, Message], None] | None = None,
) -> ServiceReport:
    """Serve the mailbox of `agent`, which has a `ReceiveMessagesTool`.

    A task is acknowledged together with its answer. If this process dies in the middle of it, the agent's next
    incarnation finds it again.

    Args:
        agent: The agent.
        idle_timeout: Seconds without a message after which it ends; None to wait on.
        max_runtime: Seconds after which it takes no further task; None for no limit.
        observe: Called with "task", "answered" or "failed", and the task's message.

    Raises:
        TypeError: the agent has no mailbox.
    """
    found = mailbox_of(agent.tools)
    if found is None:
        raise TypeError(
            "task is None, and the agent has no mailbox to take tasks from: give it a task, "
            "or the tools SendMessageTool and ReceiveMessagesTool"
        )
    return _Service(agent, *found, observe).run(idle_timeout, max_runtime)


class _Interruption(threading.Event):
    """Set when the service is to end, also while it waits for a message."""

    def __init__(self, mailboxes: Mailboxes, agent_id: AgentId) -> None:
        super().__init__()
        self._mailboxes = mailboxes
        self._agent_id = agent_id

    def set(self) -> None:
        super().set()
        self._mailboxes.wake(self._agent_id)


class _Service:
    def __init__(
        self,
        agent: TeamMember,
        mailboxes: Mailboxes,
        agent_id: AgentId,
        observe: Callable[[str, Message], None] | None,
    ) -> None:
        self._observe = observe
        self.agent = agent
        self.mailboxes = mailboxes
        self.agent_id = agent_id
        self.answered = 0
        self.failed = 0
        self.interrupted = _Interruption(mailboxes, agent_id)

    def run(self, idle_timeout: float | None, max_runtime: float | None) -> ServiceReport:
        started = time.monotonic()
        tool = self.agent.tools[ReceiveMessagesTool.name]
        assert isinstance(tool, ReceiveMessagesTool)
        self.agent._services.add(self.interrupted)
        tool.serving = True
        try:
            self.mailboxes.recover(self.agent_id)
            reason = self._serve(started, idle_timeout, max_runtime)
        except MailboxesClosedError as error:
            _log.info("agent %r stops serving: %s", self.agent_id, error)
            reason = "mailboxes_closed"
        finally:
            tool.serving = False
            self.agent._services.discard(self.interrupted)
        return ServiceReport(
            answered=self.answered, failed=self.failed, reason=reason, duration=time.monotonic() - started
        )

    def _serve(self, started: float, idle_timeout: float | None, max_runtime: float | None) -> Any:
        idle_since = time.monotonic()
        while True:
            now = time.monotonic()
            if self.interrupted.is_set():
                return "interrupted"
            if max_runtime is not None and now - started >= max_runtime:
                return "max_runtime"
            if idle_timeout is not None and now - idle_since >= idle_timeout:
                return "idle"
            waits = []
            if max_runtime is not None:
                waits.append(started + max_runtime - now)
            if idle_timeout is not None:
                waits.append(idle_since + idle_timeout - now)
            try:
                delivery = self.mailboxes.receive(
                    self.agent_id, max(min(waits), 0.0) if waits else None, ("task", "stop")
                )
            except MessageFormatError as error:  # anyone may write to the box: it must not end who reads it
                _log.warning("agent %r passes over a message: %s", self.agent_id, error)
                continue
            if delivery is None:
                continue
            if self.interrupted.is_set():
                self.mailboxes.release(delivery)
                continue
            if delivery.message.kind == "stop":
                self.mailboxes.acknowledge(delivery)
                return "stopped"
            self._work(delivery)
            idle_since = time.monotonic()

    def _work(self, delivery: Delivery) -> None:
        message = delivery.message
        self._tell("task", message)
        with _kept(self.mailboxes, delivery):
            try:
                answer = self._answer(message)
            except AgentInterruptedError:
                self.interrupted.set()
                self.mailboxes.release(delivery)
                return
            except Exception as error:
                _log.warning("agent %r could not do the task %s: %s", self.agent_id, message.id, error)
                answer = message.reply(f"{type(error).__name__}: {error}", "error")
            except BaseException:
                self.mailboxes.release(delivery)
                raise
            self._complete(delivery, answer)
        if answer.kind == "error":
            self.failed += 1
        else:
            self.answered += 1
        self._tell("failed" if answer.kind == "error" else "answered", message)

    def _answer(self, message: Message) -> Message:
        task, values = _task_of(message)
        with (
            continue_trace(message.trace),
            span("process_message", str(self.agent_id), content={"message": message.content}) as traced,
        ):
            if traced is not None:
                traced.attributes.update(message_facts(self.mailboxes, message))
            return message.reply(self.agent.run(task, additional_args=values, return_full_result=False))

    def _tell(self, kind: str, message: Message) -> None:
        if self._observe is not None:
            self._observe(kind, message)

    def _complete(self, delivery: Delivery, answer: Message) -> None:
        try:
            try:
                self.mailboxes.complete(delivery, answer)
            except CannotCrossError:
                self.mailboxes.complete(delivery, delivery.message.reply(str(answer.content), answer.kind))
        except MessageTooLargeError as error:
            self.mailboxes.complete(delivery, delivery.message.reply(f"the answer is too large: {error}", "error"))


@contextmanager
def _kept(mailboxes: Mailboxes, delivery: Delivery) -> Iterator[None]:
    """Extend the lease of a delivery for as long as the work takes."""
    done = threading.Event()

    def extend() -> None:
        while not done.wait(mailboxes.lease_seconds / 3):
            with contextlib.suppress(MessagingError, OSError):
                mailboxes.extend(delivery)

    thread = threading.Thread(target=extend, name="smolagents-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _task_of(message: Message) -> tuple[str, Mapping[str, Any] | None]:
    sender = "someone outside of the team" if message.sender is None else f"agent {message.sender!r}"
    if isinstance(message.content, str):
        return (
            (
                f"A message from {sender} asks you for this. Do it, and give what was asked for as your final answer; "
                f"it is sent to them.\n\n{message.content}"
            ),
            None,
        )
    return (
        (
            f"A message from {sender} hands you the value in the variable `message`. Do what it asks for, and give the "
            "result as your final answer; it is sent to them."
        ),
        {"message": message.content},
    )


# An agent that was given a task of its own leads its team. When its process ends, the others need not wait on.

_leading: weakref.WeakKeyDictionary[Mailboxes, AgentId] = weakref.WeakKeyDictionary()
_registered = False


def leads_team(agent: MultiStepAgent) -> None:
    """Have the others told to stop when this process ends, if `agent` has a mailbox and is not serving it."""
    global _registered  # noqa: PLW0603
    found = mailbox_of(agent.tools)
    if found is None or agent._services:
        return
    mailboxes, agent_id = found
    _leading[mailboxes] = agent_id
    if not _registered:
        _registered = True
        from multiprocessing import util

        # A process that multiprocessing started runs no atexit functions; this runs in both kinds.
        util.Finalize(None, _leave, exitpriority=100)
        atexit.register(_leave)


def _leave() -> None:
    for mailboxes, agent_id in list(_leading.items()):
        _leading.pop(mailboxes, None)
        with contextlib.suppress(MessagingError, OSError):
            for other in mailboxes.agents():
                if other != agent_id:
                    message = Message(sender=agent_id, recipient=other, content="the team's task is done", kind="stop")
                    with contextlib.suppress(MessagingError, OSError):
                        mailboxes.send(message, timeout=1)
