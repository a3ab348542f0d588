"""Web search through an API that answers with JSON."""

from __future__ import annotations

import os
from typing import Any

from smolagents.tools.base import Tool
from smolagents.tools.fetching import Fetcher
from smolagents.tools.pacing import Pace
from smolagents.tools.search_results import NoResultsError, format_results

__all__ = ["ApiWebSearchTool"]


class ApiWebSearchTool(Tool):
    """Searches the web through an API, by default Brave's. Override `extract_results` for one that answers otherwise.

    Args:
        endpoint: URL of the API; by default Brave's.
        api_key: The key; by default the value of the environment variable `api_key_name`.
        api_key_name: Name of that variable; by default BRAVE_API_KEY.
        headers: Sent with each request; by default the key, as Brave wants it.
        params: Sent with each request beside the query "q"; by default `{"count": 10}`.
        rate_limit: Searches a second at most; None for no limit.
        timeout: Seconds for a search.
        allow_private: True to let `endpoint` be a private address.
    """

    name = "web_search"
    description = "Searches the web and returns the top results: titles, links and snippets, as Markdown."
    inputs = {"query": {"type": "string", "description": "What to search for."}}
    output_type = "string"

    def __init__(
        self,
        endpoint: str = "",
        api_key: str = "",
        api_key_name: str = "",
        headers: dict[str, str] | None = None,
        params: dict[str, Any] | None = None,
        rate_limit: float | None = 1.0,
        *,
        timeout: float = 20.0,
        allow_private: bool = False,
    ) -> None:
        super().__init__()
        self.endpoint = endpoint or "https://api.search.brave.com/res/v1/web/search"
        self.api_key_name = api_key_name or "BRAVE_API_KEY"
        self.api_key = api_key or os.environ.get(self.api_key_name, "")
        self.headers = headers if headers is not None else {"X-Subscription-Token": self.api_key}
        self.params = params if params is not None else {"count": 10}
        self.rate_limit = rate_limit
        self._pace = Pace(rate_limit)
        self._fetcher = Fetcher(timeout=timeout, allow_private=allow_private)

    def forward(self, query: str) -> str:
        self._pace.wait()
        answer = self._fetcher.get(self.endpoint, params={**self.params, "q": query}, headers=self.headers)
        results = self.extract_results(answer.json())
        if not results:
            raise NoResultsError(query)
        return self.format_markdown(results)

    def extract_results(self, data: dict[str, Any]) -> list[dict[str, str]]:
        """The results in an answer, each with "title", "url" and "description"."""
        found = data.get("web", {}).get("results", [])
        return [{key: str(each.get(key) or "") for key in ("title", "url", "description")} for each in found]

    def format_markdown(self, results: list[dict[str, str]]) -> str:
        """Results as Markdown."""
        return format_results([{**each, "link": each.get("url", "")} for each in results])
