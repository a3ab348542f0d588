"""The page: a chat with an agent, for each of its users apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolagents._imports import require
from smolagents.ui.gradio.headers import SecurityHeaders
from smolagents.ui.gradio.sessions import ChatSession, Sessions
from smolagents.ui.gradio.uploads import DEFAULT_TYPES, MAX_BYTES, UploadError, keep_upload

if TYPE_CHECKING:
    from smolagents.agents.base import MultiStepAgent

__all__ = ["GradioUI"]


class GradioUI:
    """A web page to talk with an agent. Needs the extra `gradio`.

        GradioUI(agent, file_upload_folder="uploads").launch()

    Every tab of a browser has a conversation of its own: its own memory, variables and runs. A reload finds it again,
    and a run goes on meanwhile. The page sets `agent.stream_outputs`, so that the model's words are seen as they come.

    Args:
        agent: The agent. All users share the object, and nothing else.
        file_upload_folder: Where files are kept that users hand over; made if it is not there. Without it, no files are
            taken.
        reset_agent_memory: Whether each task starts afresh. By default the agent remembers the chat.
        examples: Tasks to choose from, shown in an empty chat.

    Raises:
        MissingExtraError: gradio is not installed.
        NotADirectoryError: `file_upload_folder` is a file.
    """

    def __init__(
        self,
        agent: MultiStepAgent,
        file_upload_folder: str | os.PathLike[str] | None = None,
        reset_agent_memory: bool = False,
        *,
        examples: Sequence[str] = (),
    ) -> None:
        self._gradio: Any = require("gradio", extra="gradio", needed_for="GradioUI")
        if isinstance(examples, str):
            raise TypeError(f"examples must be a list of tasks, not the string {examples!r}")
        self.agent = agent
        self.reset_agent_memory = reset_agent_memory
        self.examples = list(examples)
        self.file_upload_folder = None if file_upload_folder is None else Path(file_upload_folder)
        if self.file_upload_folder is not None:
            if self.file_upload_folder.exists() and not self.file_upload_folder.is_dir():
                raise NotADirectoryError(f"file_upload_folder is a file, not a folder: {self.file_upload_folder}")
            self.file_upload_folder.mkdir(parents=True, exist_ok=True)
        agent.stream_outputs = True
        self._sessions = Sessions(lambda owner: ChatSession(agent, forgetful=reset_agent_memory, owner=owner))
        self._app: Any = None

    def launch(self, share: bool = False, **kwargs: Any) -> Any:
        """Serve the page, until the program is interrupted.

        Args:
            share: Whether to make the page public, through a tunnel of Gradio's. Whoever has the address can then use
                the agent: set `auth` too.
            **kwargs: As for `gradio.Blocks.launch`, among them `server_name` (by default only this computer can
                reach the page), `server_port`, `auth` (a pair of user and password, or a list of pairs) and
                `prevent_thread_lock=True` to return at once.

        Returns:
            What `gradio.Blocks.launch` returns: the web application, its local address, and its public one or None.

        Raises:
            OSError: the port is taken.
        """
        from starlette.middleware import Middleware

        from smolagents.ui.gradio.page import CSS

        app_kwargs = dict(kwargs.pop("app_kwargs", None) or {})
        app_kwargs["middleware"] = [*app_kwargs.get("middleware", ()), Middleware(SecurityHeaders)]
        defaults = {
            # Fonts of the system: a page that fetches them elsewhere tells others who uses it.
            "theme": self._gradio.themes.Soft(
                font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
            ),
            "css": CSS,
            "max_file_size": MAX_BYTES,
            "footer_links": [],
            "ssr_mode": False,
        }
        self._app = self.create_app()
        try:
            served = self._app.launch(share=share, app_kwargs=app_kwargs, **{**defaults, **kwargs})
        except OSError as error:
            if "empty port" not in str(error):
                raise
            port = kwargs.get("server_port") or os.environ.get("GRADIO_SERVER_PORT")
            taken = f"port {port} is taken" if port else "no free port was found"
            raise OSError(f"{taken}: give launch another one with server_port=…") from error
        if not kwargs.get("prevent_thread_lock") and not self._app.is_running:
            self._sessions.close()
        return served

    def close(self) -> None:
        """Stop serving the page, and all that its users' agents still do."""
        if self._app is not None:
            self._app.close()
        self._sessions.close()

    def upload_file(
        self, file: Any, file_uploads_log: list[Any], allowed_file_types: Sequence[str] | None = None
    ) -> tuple[Any, list[Any]]:
        """Check a file that a user hands over, and keep it in the upload folder. For a page of your own.

        Args:
            file: The path, or an object with the path as its `name`; None if there is no file.
            file_uploads_log: Paths of the files kept so far.
            allowed_file_types: Suffixes that are taken; .pdf, .docx and .txt by default. The content of the file
                must fit its suffix.

        Returns:
            A `gradio.Textbox` that says what became of the file, and the log, with the file if it was kept.
        """
        status = self._gradio.Textbox
        if file is None:
            return status("No file was given.", visible=True), file_uploads_log
        if self.file_upload_folder is None:
            return status("No files are taken here.", visible=True), file_uploads_log
        source = os.fspath(file) if isinstance(file, (str, os.PathLike)) else str(file.name)
        try:
            kept = keep_upload(source, source, self.file_upload_folder, allowed_file_types or DEFAULT_TYPES)
        except (UploadError, OSError) as error:
            return status(f"Not taken: {error}", visible=True), file_uploads_log
        return status(f"File kept: {kept}", visible=True), [*file_uploads_log, str(kept)]

    def create_app(self) -> Any:
        """The page, as a `gradio.Blocks` to launch or to put into another."""
        from smolagents.ui.gradio.page import Page

        return Page(self.agent, self._sessions, self.file_upload_folder, self.examples).blocks()
