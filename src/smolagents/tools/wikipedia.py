"""Reading Wikipedia."""

from __future__ import annotations

import re
from typing import Any

from smolagents.tools.base import Tool
from smolagents.tools.fetching import Fetcher, FetchError
from smolagents.tools.search_results import NoResultsError
from smolagents.types.text import truncate_content

__all__ = ["WikipediaSearchTool"]


class WikipediaSearchTool(Tool):
    """Returns the Wikipedia article that a query names, or that a search for it finds first.

    Args:
        user_agent: Who asks, as Wikipedia wants to know: a project and a way to reach you.
        language: Code of the Wikipedia to read, such as "en" or "pt-br".
        content_type: "summary" for the introduction, "text" for the whole article.
        extract_format: "WIKI" for plain text with wiki headings, "HTML" for HTML.
        max_output_length: Characters to return at most.
        timeout: Seconds for a request.
        allow_private: True to let `url` be a private address.

    Raises:
        ValueError: one of these is not as said.
    """

    name = "wikipedia_search"
    description = "Searches Wikipedia and returns the title, the content and the link of the article found."
    inputs = {"query": {"type": "string", "description": "The topic to look up."}}
    output_type = "string"

    url = "https://{language}.wikipedia.org/w/api.php"

    def __init__(
        self,
        user_agent: str = "Smolagents (myemail@example.com)",
        language: str = "en",
        content_type: str = "text",
        extract_format: str = "WIKI",
        *,
        max_output_length: int = 40_000,
        timeout: float = 20.0,
        allow_private: bool = False,
    ) -> None:
        super().__init__()
        if not user_agent:
            raise ValueError("Wikipedia wants a user_agent: the name of your project and a way to reach you")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", language):
            raise ValueError(f"{language!r} is not the code of a Wikipedia; write one such as 'en' or 'pt-br'")
        if content_type not in ("summary", "text"):
            raise ValueError(f"unknown content_type {content_type!r}; use 'summary' or 'text'")
        if extract_format not in ("WIKI", "HTML"):
            raise ValueError(f"unknown extract_format {extract_format!r}; use 'WIKI' or 'HTML'")
        self.user_agent = user_agent
        self.language = language
        self.content_type = content_type
        self.extract_format = extract_format
        self.max_output_length = max_output_length
        self._fetcher = Fetcher(timeout=timeout, allow_private=allow_private, headers={"User-Agent": user_agent})

    def forward(self, query: str) -> str:
        page = self._page(titles=query) or self._page(generator="search", gsrsearch=query, gsrlimit=1)
        if page is None:
            raise NoResultsError(query)
        content = truncate_content(page["extract"].strip(), self.max_output_length)
        return f"# {page['title']}\n\n{content}\n\nSource: {page.get('fullurl', '')}"

    def _page(self, **which: Any) -> dict[str, Any] | None:
        parameters: dict[str, Any] = {
            "action": "query",
            "format": "json",
            "formatversion": 2,
            "redirects": 1,
            "prop": "extracts|info",
            "inprop": "url",
            "exsectionformat": "wiki",
            **which,
        }
        if self.content_type == "summary":
            parameters["exintro"] = 1
        if self.extract_format == "WIKI":
            parameters["explaintext"] = 1
        answer = self._fetcher.get(self.url.format(language=self.language), params=parameters).json()
        if "error" in answer:
            raise FetchError(f"Wikipedia refused the request: {answer['error'].get('info', answer['error'])}")
        for page in answer.get("query", {}).get("pages", []):
            if page.get("extract"):
                found: dict[str, Any] = page
                return found
        return None
