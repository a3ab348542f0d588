"""The users of a page: each tab of a browser has a conversation of its own, which a reload finds again."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import threading
import time
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from smolagents.agents.conversation import Conversation
from smolagents.agents.run import Run, watching
from smolagents.types.errors import AgentInterruptedError
from smolagents.ui.gradio.media import media_folder
from smolagents.ui.gradio.transcript import Transcript

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent

__all__ = ["ChatSession", "Sessions"]

_FRAME_SECONDS = 0.1
"""Between two looks at a run that goes on; what changed in between is sent at once."""
_HEARTBEAT_SECONDS = 5.0
"""Between two frames of a run in which nothing happens. Only where it is sent something, a page that left is noticed."""


class ChatSession:
    """One user's chat with an agent.

    Args:
        agent: The agent, which many sessions share.
        forgetful: Whether each task starts afresh.
        owner: Name that the user has logged in with.
    """

    def __init__(self, agent: MultiStepAgent, *, forgetful: bool = False, owner: str | None = None) -> None:
        self.key = secrets.token_urlsafe(32)
        """By which the user's tab finds this session again. Nobody else can guess it."""
        self.owner = owner
        self.uploads: list[str] = []
        """Paths of the files that the user has handed over."""
        self.followers = 0
        """Pages that are being shown how the run goes on."""
        self.last_seen = time.monotonic()
        self._agent = agent
        self._forgetful = forgetful
        self._lock = threading.Lock()
        self.folder = media_folder() / secrets.token_hex(16)
        """Where files for the page to show are put; deleted when the session is closed."""
        self._begin()

    def _begin(self) -> None:
        self._conversation = Conversation()
        self._transcript = Transcript(self.folder)
        self._stopping = False
        self._working: Transcript | None = None
        """The transcript that a run is being written into."""

    @property
    def running(self) -> bool:
        return self._working is not None

    def messages(self) -> list[dict[str, Any]]:
        """The chat as it is now."""
        return self._transcript.messages()

    def ask(
        self, task: str, shown: list[Any], images: list[Any] | None = None, arguments: dict[str, Any] | None = None
    ) -> bool:
        """Give the agent a task, which it works on in the background.

        Args:
            task: What to do.
            shown: Parts of the user's message in the chat.
            images: To show the model.
            arguments: Values to hand over, by name.

        Returns:
            False if the agent is still at work on another task of this session; nothing is done then.
        """
        with self._lock:
            if self._working is not None:
                return False
            transcript = self._working = self._transcript
            self._stopping = False
            work = partial(self._work, self._conversation, transcript, task, images, arguments)

        def alone() -> None:
            try:
                asyncio.run(work())
            except (
                SystemExit,
                KeyboardInterrupt,
            ) as error:  # of a model or a tool; asyncio lets no one else catch them
                transcript.failed(error)

        transcript.say(shown, role="user")
        # A thread of its own: an agent may start containers or call models that block, and other users must not wait.
        threading.Thread(target=alone, name="smolagents-chat", daemon=True).start()
        return True

    async def _work(
        self,
        conversation: Conversation,
        transcript: Transcript,
        task: str,
        images: list[Any] | None,
        arguments: dict[str, Any] | None,
    ) -> None:
        def watch(run: Run, event: Any) -> None:
            if self._stopping and self._working is transcript:
                run.interrupt()  # it was asked to stop before it had begun
            transcript.take(run, event)

        watching.set(watch)
        try:
            with conversation:
                await self._agent.arun(task, reset=self._forgetful, images=images, additional_args=arguments)
        except AgentInterruptedError:
            transcript.say(["The run was stopped."])
        except Exception as error:
            logging.getLogger("smolagents").info("a run in the chat failed", exc_info=True)
            transcript.failed(error)
        finally:
            with self._lock:
                if self._working is transcript:
                    self._working = None
            self.last_seen = time.monotonic()

    async def follow(self) -> AsyncGenerator[list[dict[str, Any]], None]:
        """The chat, whenever it has changed, until the run that goes on is over."""
        self.followers += 1
        try:
            seen, sent = None, time.monotonic()
            while True:
                transcript, running = self._transcript, self.running
                now = (transcript, transcript.version)
                if now != seen or time.monotonic() - sent > _HEARTBEAT_SECONDS:
                    seen = now
                    started = time.monotonic()
                    yield transcript.messages()
                    # A page, or a line to it, that takes long for one frame is not sent more than it can show.
                    sent = time.monotonic()
                    await asyncio.sleep(sent - started)
                elif not running:
                    return
                else:
                    await asyncio.sleep(_FRAME_SECONDS)
        finally:
            self.followers -= 1
            self.last_seen = time.monotonic()

    def stop(self) -> None:
        """Stop the run within its step."""
        self._stopping = True
        self._conversation.interrupt()

    def reset(self) -> None:
        """Stop the run, and forget all that was said."""
        self._end()
        with self._lock:
            self.uploads = []
            self._begin()

    def close(self) -> None:
        """Stop the run, forget all that was said, and delete what was made for the page to show."""
        self._end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        self._stopping = True
        try:
            self._conversation.close()
        except Exception:
            logging.getLogger("smolagents").warning("a conversation could not be closed", exc_info=True)


class Sessions:
    """All sessions of one page.

    Args:
        make: Makes a session for the user of the name it is given.
        abandoned_after: Seconds after which a run is stopped that no page follows.
        idle_after: Seconds after which a session is closed that nobody has used.
    """

    def __init__(
        self, make: Callable[[str | None], ChatSession], *, abandoned_after: float = 60, idle_after: float = 3600
    ) -> None:
        self._make = make
        self._abandoned_after = abandoned_after
        self._idle_after = idle_after
        self._by_key: dict[str, ChatSession] = {}
        self._lock = threading.Lock()
        self._sweeping = False

    def find(self, key: str | None, owner: str | None) -> ChatSession:
        """The session of a key, if it is that user's; else a new one."""
        with self._lock:
            session = self._by_key.get(key or "")
            if session is None or session.owner != owner:
                session = self._make(owner)
                self._by_key[session.key] = session
            session.last_seen = time.monotonic()
            if not self._sweeping:
                self._sweeping = True
                threading.Thread(target=self._sweep, name="smolagents-chat-sweep", daemon=True).start()
            return session

    def _sweep(self) -> None:
        while True:
            time.sleep(min(self._abandoned_after, self._idle_after) / 4)
            with self._lock:
                now = time.monotonic()
                unseen = [session for session in self._by_key.values() if not session.followers]
                abandoned = [s for s in unseen if s.running and now - s.last_seen > self._abandoned_after]
                idle = [s for s in unseen if not s.running and now - s.last_seen > self._idle_after]
                for session in idle:
                    del self._by_key[session.key]
                self._sweeping = goes_on = bool(self._by_key)
            for session in abandoned:
                session.stop()
            for session in idle:
                session.close()
            if not goes_on:
                return

    def close(self) -> None:
        """End all sessions."""
        with self._lock:
            sessions = list(self._by_key.values())
            self._by_key.clear()
        for session in sessions:
            session.close()
