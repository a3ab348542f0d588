"""Reading web pages."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from smolagents._imports import require
from smolagents.tools.base import Tool
from smolagents.tools.fetching import Fetcher, FetchError
from smolagents.types.text import truncate_content

__all__ = ["VisitWebpageTool"]


class VisitWebpageTool(Tool):
    """Fetches a web page and returns it as Markdown. Needs the package `markdownify`, from the extra "toolkit".

    Args:
        max_output_length: Characters to return at most; the middle of longer pages is cut out.
        timeout: Seconds for fetching a page.
        max_bytes: Bytes of a page that are read; the rest is left out.
        allow_private: True to let it visit addresses that are not on the public Internet.
    """

    name = "visit_webpage"
    description = "Visits a web page and returns its content as Markdown."
    inputs = {"url": {"type": "string", "description": "The URL of the page."}}
    output_type = "string"

    def __init__(
        self,
        max_output_length: int = 40_000,
        *,
        timeout: float = 20.0,
        max_bytes: int = 2_000_000,
        allow_private: bool = False,
    ) -> None:
        super().__init__()
        self.max_output_length = max_output_length
        self._fetcher = Fetcher(
            timeout=timeout,
            max_bytes=max_bytes,
            allow_private=allow_private,
            headers={"Accept": "text/html, application/xhtml+xml, text/*;q=0.9, */*;q=0.1"},
        )

    def forward(self, url: str) -> str:
        """Fetch and convert.

        Raises:
            FetchError: the page cannot be fetched, or is no text.
            MissingExtraError: the page is HTML and `markdownify` is not installed.
        """
        url = url.strip()
        if "://" not in url:
            url = f"https://{url}"
        page = self._fetcher.get(url, truncate=True)
        is_html = "html" in page.content_type or (not page.content_type and page.content.lstrip()[:1] == b"<")
        if not is_html and (b"\0" in page.content[:1024] or not _is_text(page.content_type)):
            raise FetchError(f"{page.url} is no text that can be read: its type is {page.content_type or 'unknown'}.")
        text = html_to_markdown(page.text) if is_html else page.text
        return truncate_content(text, self.max_output_length)


def _is_text(content_type: str) -> bool:
    return (
        not content_type
        or content_type.startswith("text/")
        or content_type.endswith(("json", "xml", "javascript", "yaml"))
    )


def html_to_markdown(html: str) -> str:
    """HTML as Markdown, without scripts, styles and runs of blank lines."""
    markdownify = require("markdownify", extra="toolkit", needed_for="VisitWebpageTool").markdownify
    try:
        text = markdownify(html, heading_style="ATX")
    except RecursionError:  # a page whose elements are nested too deeply for the converter
        parser = _PlainText()
        parser.feed(html)
        text = "".join(parser.pieces)
    return re.sub(r"[ \t]*\n\s*\n\s*", "\n\n", text).strip()


class _PlainText(HTMLParser):
    """The text of a page, one line for each piece between tags."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._skipping = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skipping = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._skipping = False

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._skipping:
            self.pieces.append(data.strip() + "\n")
