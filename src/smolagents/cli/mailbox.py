"""`smolagent mailbox ls|show|requeue` and `smolagent worker`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from smolagents.cli.arguments import Parser
from smolagents.cli.interrupts import stoppable
from smolagents.cli.problems import CliError
from smolagents.messaging.errors import MessagingError
from smolagents.messaging.mailbox import Mailboxes
from smolagents.messaging.message import Message

__all__ = ["mailbox", "worker"]


def mailbox(argv: Sequence[str]) -> int:
    """Look into mailboxes. Returns the exit code."""
    parser = Parser(prog="smolagent mailbox", description="Look into the mailboxes of a team.")
    parser.add_argument("action", choices=("ls", "show", "requeue"))
    parser.add_argument("id", nargs="?", help="a message's id, for show and requeue; an agent's id for ls")
    parser.add_argument("--mailboxes", required=True, metavar="URL", help="such as sqlite:///team.db")
    parser.add_argument("--dead", action="store_true", help="ls: the messages that were given up")
    arguments = parser.parse_args(list(argv))
    return _told(lambda: _mailbox(arguments))


def _mailbox(arguments: argparse.Namespace) -> int:
    _check_file(arguments.mailboxes)
    with Mailboxes.open(arguments.mailboxes) as boxes:
        if arguments.action == "ls":
            return _list(boxes, arguments.id, arguments.dead)
        if arguments.id is None:
            raise CliError(f"which message? write: smolagent mailbox {arguments.action} ID --mailboxes URL")
        if arguments.action == "requeue":
            if not boxes.requeue(arguments.id):
                raise CliError(f"there is no dead letter with the id {arguments.id}")
            print(f"{arguments.id} waits again")
            return 0
        for message in [*boxes.peek(), *boxes.peek(dead=True)]:
            if message.id.startswith(arguments.id):
                _show(message)
                return 0
        raise CliError(f"there is no message with the id {arguments.id}")


def _check_file(url: str) -> None:
    """Refuse a file that is not there: opening it would make an empty one."""
    path = unquote(urlsplit(url).path)[1:]
    if urlsplit(url).scheme == "sqlite" and path and not Path(path).exists():
        raise CliError(f"there is no file {path!r}: --mailboxes takes that of the team, such as sqlite:///team.db")


def _list(boxes: Mailboxes, agent: str | None, dead: bool) -> int:
    ids = boxes.agents() if agent is None else [boxes.resolve(agent)]
    for agent_id in ids:
        status = boxes.status(agent_id)
        print(f"{agent_id}: {status.waiting} waiting, {status.received} being worked on, {status.dead} dead")
        for message in boxes.peek(agent_id, dead=dead) if dead or agent is not None else ():
            text = message.content if isinstance(message.content, str) else repr(message.content)
            sender = _plain(str(message.sender), 60)
            print(f"  {message.id}  {message.kind} from {sender}, attempt {message.attempts}: {_plain(text, 60)}")
    return 0


def _show(message: Message) -> None:
    envelope = json.loads(message.to_json(sys.maxsize))
    del envelope["content"]
    print(json.dumps(envelope, indent=2))
    print(_plain(str(message.content)))


def _plain(text: str, most: int | None = None) -> str:
    """A text that others wrote, without what a terminal would obey. With `most` characters it is one line."""
    kept = "" if most is not None else "\n\t"
    shown = text if most is None else text[:most]
    return "".join(each if each.isprintable() or each in kept else repr(each)[1:-1] for each in shown)


def worker(argv: Sequence[str]) -> int:
    """Join a team with one agent. Returns the exit code."""
    parser = Parser(prog="smolagent worker", description="Join a team from anywhere: serve one mailbox with an agent.")
    parser.add_argument("--mailboxes", required=True, metavar="URL", help="those of the team, such as redis://host")
    parser.add_argument(
        "--agent", required=True, metavar="FOLDER", help="a saved agent, or package.module:function. Its code is run"
    )
    parser.add_argument("--id", required=True, help="whose mailbox it serves; made if there is none")
    parser.add_argument("--idle-timeout", type=float, metavar="SECONDS", help="end after so long without a task")
    parser.add_argument("--max-runtime", type=float, metavar="SECONDS", help="take no further task after so long")
    arguments = parser.parse_args(list(argv))
    return _told(lambda: _worker(arguments))


def _worker(arguments: argparse.Namespace) -> int:
    from smolagents.agents.team.member import join
    from smolagents.agents.team.sources import AgentSource

    agent_id: Any = int(arguments.id) if arguments.id.isdigit() else arguments.id
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def tell(kind: str, **details: Any) -> None:
        print(kind, *(f"{key}={value}" for key, value in details.items() if value not in (None, "")), flush=True)

    with Mailboxes.open(arguments.mailboxes, [agent_id]) as boxes:
        join(
            AgentSource.of(arguments.agent),
            boxes,
            agent_id,
            idle_timeout=arguments.idle_timeout,
            max_runtime=arguments.max_runtime,
            tell=tell,
            stop=stop,
        )
    return 0


def _told(work: Any) -> int:
    try:
        with stoppable():
            code: int = work()
        return code
    except KeyboardInterrupt:
        return 130
    except (CliError, MessagingError, ValueError, TypeError, OSError, ImportError) as error:
        print(f"smolagent: {error}", file=sys.stderr)
        return 2
