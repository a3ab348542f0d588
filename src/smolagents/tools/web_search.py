"""Web search without a key, by engines' plain pages."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from smolagents.tools.base import Tool
from smolagents.tools.fetching import Fetcher, FetchError
from smolagents.tools.search_results import NoResultsError, format_results

__all__ = ["WebSearchTool"]


class WebSearchTool(Tool):
    """Searches the web through a search engine's plain page. No key, and no extra package, is needed.

    Args:
        max_results: How many results to return at most.
        engine: "duckduckgo" (its lite page) or "bing" (its RSS feed).
        timeout: Seconds for a search.
        allow_private: True to let `duckduckgo_url` and `bing_url` be private addresses.

    Raises:
        ValueError: the engine is neither.
    """

    name = "web_search"
    description = "Searches the web and returns the top results: titles, links and snippets, as Markdown."
    inputs = {"query": {"type": "string", "description": "What to search for."}}
    output_type = "string"

    duckduckgo_url = "https://lite.duckduckgo.com/lite/"
    bing_url = "https://www.bing.com/search"

    def __init__(
        self,
        max_results: int = 10,
        engine: str = "duckduckgo",
        *,
        timeout: float = 20.0,
        allow_private: bool = False,
    ) -> None:
        super().__init__()
        if engine not in ("duckduckgo", "bing"):
            raise ValueError(f"unknown search engine {engine!r}; use 'duckduckgo' or 'bing'")
        self.max_results = max_results
        self.engine = engine
        self._fetcher = Fetcher(timeout=timeout, allow_private=allow_private)

    def forward(self, query: str) -> str:
        results = self.search(query)
        if not results:
            raise NoResultsError(query)
        return self.parse_results(results)

    def search(self, query: str) -> list[dict[str, str]]:
        """The results, each with "title", "link" and "description"."""
        return self.search_duckduckgo(query) if self.engine == "duckduckgo" else self.search_bing(query)

    def parse_results(self, results: list[dict[str, str]]) -> str:
        """Results as Markdown."""
        return format_results(results)

    def search_duckduckgo(self, query: str) -> list[dict[str, str]]:
        page = self._fetcher.get(self.duckduckgo_url, params={"q": query})
        parser = _DuckDuckGoPage(page.url)
        parser.feed(page.text)
        if not parser.results and "anomaly" in page.text:
            raise FetchError("DuckDuckGo asks for proof of a human and did not search. Use another engine, or wait.")
        return parser.results[: self.max_results]

    def search_bing(self, query: str) -> list[dict[str, str]]:
        from xml.etree import ElementTree as ET

        page = self._fetcher.get(self.bing_url, params={"q": query, "format": "rss"})
        try:
            root = ET.fromstring(page.content)
        except ET.ParseError as error:
            raise FetchError(f"Bing did not answer with a feed of results: {page.text[:200]!r}") from error
        results = [
            {
                "title": item.findtext("title", ""),
                "link": item.findtext("link", ""),
                "description": item.findtext("description", ""),
            }
            for item in root.iter("item")
        ]
        return results[: self.max_results]


class _DuckDuckGoPage(HTMLParser):
    """Reads results from DuckDuckGo's lite page: a link of class result-link, then a cell of class result-snippet."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.results: list[dict[str, str]] = []
        self._url = url
        self._field: str | None = None
        self._ends_with = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes: dict[str, Any] = dict(attrs)
        classes = (attributes.get("class") or "").split()
        if tag == "a" and "result-link" in classes:
            self.results.append({"title": "", "link": self._target(attributes.get("href") or ""), "description": ""})
            self._field, self._ends_with = "title", "a"
        elif tag == "td" and "result-snippet" in classes and self.results:
            self._field, self._ends_with = "description", "td"

    def handle_endtag(self, tag: str) -> None:
        if tag == self._ends_with:
            self._field = None

    def handle_data(self, data: str) -> None:
        if self._field is not None:
            self.results[-1][self._field] += data

    def _target(self, href: str) -> str:
        """Where a result leads, behind DuckDuckGo's own redirect."""
        absolute = urljoin(self._url, href)
        return parse_qs(urlsplit(absolute).query).get("uddg", [absolute])[0]
