"""Google search through SerpApi or Serper."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from smolagents.tools.base import Tool
from smolagents.tools.fetching import Fetcher
from smolagents.tools.search_results import NoResultsError, format_results

__all__ = ["GoogleSearchTool"]

_KEYS = {"serpapi": "SERPAPI_API_KEY", "serper": "SERPER_API_KEY"}


class GoogleSearchTool(Tool):
    """Searches with Google through a service that needs a key.

    Args:
        provider: "serpapi" (key in SERPAPI_API_KEY) or "serper" (key in SERPER_API_KEY).
        timeout: Seconds for a search.
        allow_private: True to let `urls` be private addresses.

    Raises:
        ValueError: the provider is neither, or its key is not set.
    """

    name = "web_search"
    description = "Searches the web with Google and returns the top results: titles, links and snippets, as Markdown."
    inputs = {
        "query": {"type": "string", "description": "What to search for."},
        "filter_year": {
            "type": "integer",
            "description": "Return only results of this year.",
            "nullable": True,
        },
    }
    output_type = "string"

    urls: Mapping[str, str] = {
        "serpapi": "https://serpapi.com/search.json",
        "serper": "https://google.serper.dev/search",
    }

    def __init__(self, provider: str = "serpapi", *, timeout: float = 20.0, allow_private: bool = False) -> None:
        super().__init__()
        if provider not in _KEYS:
            raise ValueError(f"unknown provider {provider!r}; use 'serpapi' or 'serper'")
        self.provider = provider
        self.api_key_env_name = _KEYS[provider]
        self._api_key = os.environ.get(self.api_key_env_name)
        if not self._api_key:
            raise ValueError(f"no key for {provider}: set the environment variable {self.api_key_env_name}")
        self._fetcher = Fetcher(timeout=timeout, allow_private=allow_private)

    def forward(self, query: str, filter_year: int | None = None) -> str:
        parameters: dict[str, Any] = {"q": query}
        if filter_year is not None:
            parameters["tbs"] = f"cdr:1,cd_min:01/01/{filter_year},cd_max:12/31/{filter_year}"
        url = self.urls[self.provider]
        if self.provider == "serpapi":
            parameters.update(engine="google", google_domain="google.com", api_key=self._api_key)
            found = self._fetcher.get(url, params=parameters).json().get("organic_results")
        else:
            headers = {"X-API-KEY": str(self._api_key)}
            found = self._fetcher.post_json(url, parameters, headers=headers).json().get("organic")
        if not found:
            restricted = f" in {filter_year}" if filter_year is not None else ""
            raise NoResultsError(query + restricted)
        return format_results([_result(each) for each in found])


def _result(found: Mapping[str, Any]) -> dict[str, str]:
    details = [f"Date published: {found['date']}"] if found.get("date") else []
    details += [f"Source: {found['source']}"] if found.get("source") else []
    details += [found["snippet"]] if found.get("snippet") else []
    return {"title": found.get("title", ""), "link": found.get("link", ""), "description": ". ".join(details)}
