"""The process of one agent of a team: `python -m smolagents.agents.team.member`.

Its first line of input says what it is; the input's end says that the team is gone. It writes events as lines.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from smolagents.agents.team.events import line_of
from smolagents.agents.team.sources import AgentSource
from smolagents.memory import ActionStep
from smolagents.messaging.mailbox import Mailboxes
from smolagents.messaging.message import AgentId
from smolagents.messaging.tools import ReceiveMessagesTool, SendMessageTool

__all__ = ["join", "main", "take_part"]

_GIST_CHARACTERS = 120
_UNWIND_SECONDS = 3.0
"""How long the agent has to stop by itself when the team is gone."""


def join(
    source: AgentSource,
    mailboxes: Mailboxes,
    agent_id: AgentId,
    *,
    may_write_to: list[AgentId] | None = None,
    idle_timeout: float | None = None,
    max_runtime: float | None = None,
    tell: Callable[..., None] | None = None,
    stop: threading.Event | None = None,
) -> Any:
    """Make the agent, give it its mailbox, and serve.

    Args:
        source: Where the agent comes from.
        mailboxes: Those of the team.
        agent_id: Its own id.
        may_write_to: Whom it may write to; None for all.
        idle_timeout: As for `serve`.
        max_runtime: As for `serve`.
        tell: Called with each event: its kind, and details.
        stop: Ends the service when set.

    Returns:
        The `ServiceReport`.
    """
    tell = tell or _untold
    agent = source.make()
    agent.tools[SendMessageTool.name] = SendMessageTool(mailboxes, agent_id, allowed=may_write_to)
    agent.tools[ReceiveMessagesTool.name] = ReceiveMessagesTool(mailboxes, agent_id)

    def on_step(step: Any) -> None:
        calls = ", ".join(call.name for call in step.tool_calls or ())
        usage = step.token_usage
        tell(
            "step",
            step=step.step_number,
            calls=calls,
            code=_gist(step.code_action),
            seconds=round(step.timing.duration or 0, 1),
            tokens=None if usage is None else usage.total_tokens,
            error=type(step.error).__name__ if step.error else None,
        )

    agent.step_callbacks.register(ActionStep, on_step)
    if stop is not None:

        def wait() -> None:
            stop.wait()
            agent.interrupt()

        threading.Thread(target=wait, name="smolagents-stop", daemon=True).start()
    tell("started", pid=os.getpid())
    report = agent.serve(
        idle_timeout=idle_timeout,
        max_runtime=max_runtime,
        observe=lambda kind, message: tell(kind, id=message.id, sender=message.sender),
    )
    tell("stopped", reason=report.reason, answered=report.answered, failed=report.failed)
    return report


def _gist(code: str | None) -> str | None:
    """The line of an action that says most: the first that calls something, and does not only prepare."""
    lines = [line.strip() for line in (code or "").splitlines()]
    lines = [line for line in lines if line and not line.startswith(("#", "import ", "from "))]
    return next((line for line in lines if "(" in line), lines[0] if lines else "")[:_GIST_CHARACTERS] or None


def _untold(_kind: str, **_details: Any) -> None:
    pass


def take_part(settings: Mapping[str, Any], tell: Callable[..., None], stop: threading.Event) -> int:
    """Be the agent that a team describes by `settings`. Returns an exit code, 0 if the agent was told to stop."""
    for entry in settings["path"]:
        if entry not in sys.path:
            sys.path.append(entry)
    try:
        with Mailboxes.open(settings["mailboxes"], **settings["mailbox_settings"]) as mailboxes:
            join(
                AgentSource(**settings["source"]),
                mailboxes,
                settings["agent_id"],
                may_write_to=settings["may_write_to"],
                tell=tell,
                stop=stop,
            )
    except Exception as error:
        tell("failed", error=f"{type(error).__name__}: {error}")
        return 2
    return 0


def main() -> int:
    """Run the process of an agent. Returns its exit code."""
    told = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no event
    guard = threading.Lock()

    def tell(kind: str, **details: Any) -> None:
        with guard:
            try:
                print(line_of(kind, **details), file=told, flush=True)
            except (OSError, ValueError):  # nobody listens any more
                os._exit(1)

    line = sys.stdin.readline()
    if not line:
        return 1
    settings: Mapping[str, Any] = json.loads(line)
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the team to handle
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def watch() -> None:
        sys.stdin.read()  # ends when the team's process ends, however that happens
        stop.set()
        time.sleep(_UNWIND_SECONDS)
        os._exit(1)

    def beat() -> None:
        while True:
            tell("heartbeat")
            time.sleep(settings["heartbeat_seconds"])

    for work in (watch, beat):
        threading.Thread(target=work, daemon=True).start()
    return take_part(settings, tell, stop)


if __name__ == "__main__":
    sys.exit(main())
