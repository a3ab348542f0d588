"""Asking a NATS server for messages, and keeping those that it hands over until somebody wants them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from smolagents.messaging.mailbox import remaining
from smolagents.messaging.nats_link import NatsLink

__all__ = ["GROUPS", "Arrived", "Receiver"]

GROUPS = {"work": ("task", "stop"), "mail": ("reply", "note", "error")}
"""A box has two consumers: an agent that works on a task reads its mail while other tasks wait."""
_GROUP_OF = {kind: group for group, kinds in GROUPS.items() for kind in kinds}
_LONGEST_PULL = 20.0
_NOT_READY_SECONDS = 0.1


@dataclass
class Arrived:
    """A message that the server has handed to this process."""

    sequence: int
    attempts: int
    kind: str
    text: str
    reply: str
    at: float


@dataclass
class _Group:
    """What this process knows of one consumer of a box."""

    box: str
    name: str
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    inbox: str = ""
    pulls_end: float = 0.0
    """Until when a request for a message is with the server."""
    answered: int = 0
    """Requests that the server has answered."""
    arrived: deque[Arrived] = field(default_factory=deque)


class Receiver:
    """What a process receives from one stream. All of it happens in the loop of the link.

    Args:
        link: The connection.
        stream: Name of the stream.
        lease_seconds: How long the server leaves a message to this process.
        reconnect_seconds: How long the server may be away.
    """

    def __init__(self, link: NatsLink, stream: str, lease_seconds: float, reconnect_seconds: float) -> None:
        self._link = link
        self._stream = stream
        self._lease_seconds = lease_seconds
        self._reconnect_seconds = reconnect_seconds
        self._groups: dict[tuple[str, str], _Group] = {}
        link.on_change = self._ask_again

    async def next(
        self, box: str, kinds: tuple[str, ...], deadline: float | None, was_woken: Callable[[], bool]
    ) -> Arrived | None:
        """The oldest message of a box; None if none came until `deadline`, or the receiver was woken.

        Args:
            box: The box.
            kinds: Kinds of messages to look for.
            deadline: On the monotonic clock; None to wait on.
            was_woken: Whether to stop waiting.
        """
        groups = [await self._group(box, name) for name in dict.fromkeys(_GROUP_OF[kind] for kind in kinds)]
        looked = False
        while True:
            self._link.check()
            for group in groups:
                group.ready.clear()
                await self._keep_others(group, kinds)
            if was_woken():
                return None
            arrived = self._first(groups, kinds)
            if arrived is not None:
                return arrived
            left = remaining(deadline)
            if left == 0:
                if looked:
                    return None
                looked = await self._look(groups)
                continue
            await self._pull(groups, left)
            await self._any_ready(groups, self._pause(groups, left))
            looked = looked or deadline is None or remaining(deadline) == 0

    async def _group(self, box: str, name: str) -> _Group:
        group = self._groups.get((box, name))
        if group is None:
            group = self._groups[box, name] = _Group(box, name)
        if not group.inbox:
            group.inbox = self._link.inbox()

            async def on_message(message: Any) -> None:
                self._on_message(group, message)

            await self._link.subscribe(group.inbox, on_message)
        return group

    def _on_message(self, group: _Group, message: Any) -> None:
        group.answered += 1
        if (message.headers or {}).get("Status") in ("503", "409"):  # not ready yet, or it shuts down
            group.pulls_end = time.monotonic() + _NOT_READY_SECONDS
            self._link.loop.call_later(_NOT_READY_SECONDS, group.ready.set)
            return
        group.pulls_end = 0.0
        if (message.reply or "").startswith("$JS.ACK."):
            # $JS.ACK.<stream>.<consumer>.<deliveries>.<number in stream>.…; with a domain there are two more in front
            parts = message.reply.split(".")
            attempts, sequence = (parts[4:6]) if len(parts) == 9 else (parts[6:8])
            kind = message.subject.rpartition(".")[2]
            text = message.data.decode()
            group.arrived.append(Arrived(int(sequence), int(attempts), kind, text, message.reply, time.monotonic()))
        group.ready.set()

    def _pause(self, groups: list[_Group], left: float | None) -> float:
        """Seconds until the receiver has something to do by itself."""
        if self._link.is_down:
            return min(1.0, self._reconnect_seconds, _LONGEST_PULL if left is None else left)
        now = time.monotonic()
        ends = [group.pulls_end - now for group in groups]
        if any(group.arrived for group in groups):
            ends.append(self._lease_seconds / 3)  # of those that are kept here
        return max(min(ends if left is None else [*ends, left]), 0.001)

    def rouse(self, box: str) -> None:
        """Have whoever waits for messages of a box look whether it was woken. From any thread."""

        def rouse() -> None:
            for group in self._groups.values():
                if group.box == box:
                    group.ready.set()

        with contextlib.suppress(RuntimeError):  # closed
            self._link.loop.call_soon_threadsafe(rouse)

    def _ask_again(self) -> None:
        """The connection was lost, or is back: what was asked for may never be answered."""
        for group in self._groups.values():
            group.pulls_end = 0.0
            group.ready.set()

    def _first(self, groups: list[_Group], kinds: tuple[str, ...]) -> Arrived | None:
        """The oldest message wanted among those that are here."""
        stale = time.monotonic() - self._lease_seconds
        found: tuple[_Group, Arrived] | None = None
        for group in groups:
            while group.arrived and group.arrived[0].at < stale:
                group.arrived.popleft()  # the server gives it to someone again
            for arrived in group.arrived:
                if arrived.kind in kinds and arrived.at >= stale:
                    if found is None or arrived.sequence < found[1].sequence:
                        found = group, arrived
                    break
        if found is None:
            return None
        found[0].arrived.remove(found[1])
        return found[1]

    async def _keep_others(self, group: _Group, kinds: tuple[str, ...]) -> None:
        """Extend the leases of those that are here and not wanted now."""
        now = time.monotonic()
        for arrived in list(group.arrived):
            if arrived.kind not in kinds and self._lease_seconds / 3 < now - arrived.at < self._lease_seconds:
                arrived.at = now
                await self._link.try_to_publish(arrived.reply, b"+WPI", "")

    async def _pull(self, groups: list[_Group], left: float | None) -> None:
        now = time.monotonic()
        seconds = _LONGEST_PULL if left is None else min(left, _LONGEST_PULL)
        for group in groups:
            if group.pulls_end <= now:
                group.pulls_end = now + seconds
                request = {"batch": 1, "expires": max(round(seconds * 1e9), 1_000_000)}
                await self._ask_for_message(group, request)

    async def _look(self, groups: list[_Group]) -> bool:
        """Ask for what there is now, and wait for the answers."""
        before = [group.answered for group in groups]
        for group in groups:
            await self._ask_for_message(group, {"batch": 1, "no_wait": True})
        end = time.monotonic() + 2.0
        while time.monotonic() < end:
            if any(group.arrived for group in groups):
                break
            if all(group.answered > count for group, count in zip(groups, before, strict=True)):
                break
            for group in groups:
                group.ready.clear()
            await self._any_ready(groups, 0.25)
        return True

    async def _ask_for_message(self, group: _Group, request: dict[str, Any]) -> None:
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{group.box}-{group.name}"
        if not await self._link.try_to_publish(subject, json.dumps(request).encode(), group.inbox):
            group.pulls_end = time.monotonic() + _NOT_READY_SECONDS
            self._link.loop.call_later(_NOT_READY_SECONDS, group.ready.set)

    @staticmethod
    async def _any_ready(groups: list[_Group], seconds: float) -> None:
        if len(groups) == 1:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(groups[0].ready.wait(), seconds)
            return
        tasks = [asyncio.ensure_future(group.ready.wait()) for group in groups]
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
