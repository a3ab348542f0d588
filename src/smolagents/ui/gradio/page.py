"""What the page is made of, and what its events do. Imports gradio."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio

from smolagents.ui.gradio.sessions import ChatSession, Sessions
from smolagents.ui.gradio.text import safe_markdown
from smolagents.ui.gradio.uploads import CHAT_TYPES, IMAGE_TYPES, UploadError, keep_upload

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent

__all__ = ["CSS", "Page"]

_KEEP_KEY = "(key) => { try { sessionStorage.setItem('smolagents-chat', key) } catch {} }"
_KNOWN_KEY = "() => { try { return sessionStorage.getItem('smolagents-chat') || '' } catch { return '' } }"
"""A tab keeps its key until it is closed. Another tab has one of its own, unlike with cookies or local storage."""

_EMPTY = {"text": "", "files": []}
_DELETE_CACHE = (3600, 6 * 3600)
"""Seconds between two looks for files that were made for a page, and the age at which they are deleted."""

CSS = """
.gradio-container { width: 100% !important; max-width: 900px !important; margin: 0 auto !important; }
.gradio-container main.contain { padding: 0 !important; }
#chat-head { align-items: flex-start; flex-wrap: nowrap; }
#chat-head h1 { margin: 0; overflow-wrap: anywhere; }
#new-chat { flex: 0 0 auto; }
#chat { height: calc(100dvh - 240px) !important; min-height: 260px; border: 0 !important; box-shadow: none; }
#chat, #chat .bubble-wrap { background: transparent; }
#chat .message-row { margin-left: 0; margin-right: 0; padding: 0; }
#chat .bot-row { width: 100%; max-width: 100%; }
#chat .bot-row > .flex-wrap { width: 100%; max-width: 100%; }
#chat .bot.message { width: 100%; background: transparent; border: 0; box-shadow: none; padding-left: 0; }
#chat .thought-group { background: var(--block-background-fill); overflow-x: auto; }
#chat .thought-group > .title { flex-wrap: wrap; }
#chat pre { max-height: 420px; overflow: auto; }
#chat img { max-height: 480px; object-fit: contain; }
#chat .message { overflow-wrap: anywhere; }
#chat .top-panel, #chat .message-buttons-right, #chat button[aria-label="Share"],
#chat .message:has(.thought-group) + .message-buttons { display: none; }
@media (max-width: 640px) {
  .gradio-container .main.fillable { padding: 12px !important; }
  #chat { height: calc(100dvh - 215px) !important; }
}
"""


_AT_WORK = "The agent is still at work: wait for it, or stop it."


class _RefusedError(Exception):
    """A task that is not taken, with the reason as the user is told it."""


class Page:
    """The page of one agent.

    Args:
        agent: The agent.
        sessions: Its users' sessions.
        upload_folder: Where files are kept that users hand over; None to take none.
        examples: Tasks to choose from in an empty chat.
    """

    def __init__(
        self, agent: MultiStepAgent, sessions: Sessions, upload_folder: Path | None, examples: Sequence[str]
    ) -> None:
        self.agent = agent
        self.name = (agent.name or type(agent).__name__).replace("_", " ")
        self.upload_folder = upload_folder
        self.examples = examples
        self._sessions = sessions

    def blocks(self) -> gradio.Blocks:
        """The components, and what happens when they are used."""
        about = f"# {safe_markdown(self.name)}"
        if self.agent.description:
            about += f"\n\n{safe_markdown(self.agent.description)}"
        with gradio.Blocks(
            title=self.name, fill_height=True, analytics_enabled=False, delete_cache=_DELETE_CACHE
        ) as app:
            key = gradio.State(None)
            tab = gradio.Textbox(visible="hidden", label="Tab")
            with gradio.Row(elem_id="chat-head"):
                gradio.Markdown(about)
                new_chat = gradio.Button("New chat", size="sm", scale=0, min_width=100, elem_id="new-chat")
            chat = gradio.Chatbot(
                elem_id="chat",
                show_label=False,
                container=False,
                height=None,
                scale=1,
                layout="bubble",
                allow_tags=False,
                buttons=["copy"],
                feedback_options=None,
                placeholder="What shall I do?",
                examples=[{"text": task} for task in self.examples],
            )
            box = self._box(value=None, busy=False)
            common: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden"}
            private = {**common, "api_visibility": "private"}
            app.load(self._open, [tab], [key, tab, chat, box], js=_KNOWN_KEY, **private)
            tab.change(None, [tab], None, js=_KEEP_KEY)
            box.submit(self._ask, [box, key], [key, chat, box], api_name="ask", **common)
            box.stop(self._stop, [key], None, **private)
            chat.example_select(self._example, [key], [key, chat, box], **private)
            new_chat.click(self._reset, [key], [key, chat, box], api_name="reset", **common)
        blocks: gradio.Blocks = app
        return blocks

    def _box(self, busy: bool, **changed: Any) -> Any:
        takes_files = self.upload_folder is not None
        return gradio.MultimodalTextbox(
            elem_id="task",
            show_label=False,
            label="Task",
            placeholder="Ask the agent…",
            autofocus=True,
            sources=["upload"] if takes_files else [],
            file_types=list(CHAT_TYPES) if takes_files else None,
            file_count="multiple",
            submit_btn=not busy,
            stop_btn=busy,
            **changed,
        )

    # What the page's events do. Each gets the key of its session; the name of who is logged in comes with the request.

    def _session(self, key: str | None, request: gradio.Request) -> ChatSession:
        return self._sessions.find(key, getattr(request, "username", None))

    async def _open(self, tab: str, request: gradio.Request) -> AsyncGenerator[Any, None]:
        session = self._session(tab, request)
        async for messages, box in self._frames(session):
            yield session.key, session.key, messages, box

    async def _ask(
        self, message: dict[str, Any], key: str | None, request: gradio.Request
    ) -> AsyncGenerator[Any, None]:
        session = self._session(key, request)
        skip = gradio.skip
        text, files = (message.get("text") or "").strip(), message.get("files") or []
        if not text and not files:
            yield session.key, skip(), skip()
            return
        try:
            await asyncio.to_thread(self._give_task, session, text, files)
        except (_RefusedError, UploadError, OSError) as error:
            gradio.Warning(str(error))
            yield session.key, skip(), skip()
            return
        async for messages, box in self._frames(session, value=_EMPTY):
            yield session.key, messages, box

    async def _example(
        self, key: str | None, chosen: gradio.SelectData, request: gradio.Request
    ) -> AsyncGenerator[Any, None]:
        async for frame in self._ask({"text": chosen.value["text"]}, key, request):
            yield frame

    def _give_task(self, session: ChatSession, text: str, files: list[str]) -> None:
        """Start the agent on what the user has typed, with the files that came with it.

        Raises:
            _RefusedError: the agent is still at work. Nothing has been started; nor is it after the others.
            UploadError: a file is not taken.
            OSError: a file cannot be kept.
        """
        if session.running:
            raise _RefusedError(_AT_WORK)
        kept: list[str] = []
        for path in files:
            if self.upload_folder is None:
                raise UploadError("No files are taken here.")
            # A folder of its own for each hand-over: its name tells nobody who else has handed over a file so named.
            folder = self.upload_folder / secrets.token_hex(8)
            kept.append(str(keep_upload(path, path, folder, CHAT_TYPES)))
        # What is uploaded lies in a cache that is emptied; a reload shows the chat again.
        copies = [keep_upload(path, path, session.folder, CHAT_TYPES) for path in kept]
        images = [_image(path) for path in kept if Path(path).suffix.lower() in IMAGE_TYPES]
        arguments = {"files": [*session.uploads, *kept]} if kept else None
        shown = [*([safe_markdown(text)] if text else []), *({"path": str(path)} for path in copies)]
        if not session.ask(text or "Look at the files.", shown, images or None, arguments):
            raise _RefusedError(_AT_WORK)
        session.uploads += kept

    async def _frames(self, session: ChatSession, **changed: Any) -> AsyncGenerator[tuple[Any, Any], None]:
        """The chat and the box beneath it, until the run that goes on is over."""
        busy: bool | None = None
        async for messages in session.follow():
            box: Any = gradio.skip()
            if busy is None:
                busy = session.running
                box = self._box(busy, **changed)
            yield messages, box
        if busy:
            yield session.messages(), self._box(busy=False)

    def _stop(self, key: str | None, request: gradio.Request) -> None:
        self._session(key, request).stop()

    def _reset(self, key: str | None, request: gradio.Request) -> tuple[Any, ...]:
        session = self._session(key, request)
        session.reset()
        return session.key, [], self._box(busy=False, value=_EMPTY)


def _image(path: str) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        image.load()
        return image
