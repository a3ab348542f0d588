"""Web search by the `ddgs` package."""

from __future__ import annotations

from typing import Any

from smolagents._imports import require
from smolagents.tools.base import Tool
from smolagents.tools.pacing import Pace
from smolagents.tools.search_results import NoResultsError, format_results

__all__ = ["DuckDuckGoSearchTool"]


class DuckDuckGoSearchTool(Tool):
    """Searches the web with the package `ddgs`, from the extra "toolkit".

    Args:
        max_results: How many results to return at most.
        rate_limit: Searches a second at most; None for no limit.
        **kwargs: Passed on to `ddgs.DDGS`, such as `proxy` and `timeout`.

    Raises:
        MissingExtraError: `ddgs` is not installed.
    """

    name = "web_search"
    description = "Searches the web and returns the top results: titles, links and snippets, as Markdown."
    inputs = {"query": {"type": "string", "description": "What to search for."}}
    output_type = "string"

    def __init__(self, max_results: int = 10, rate_limit: float | None = 1.0, **kwargs: Any) -> None:
        super().__init__()
        self.max_results = max_results
        self.rate_limit = rate_limit
        self._pace = Pace(rate_limit)
        self.ddgs = require("ddgs", extra="toolkit", needed_for="DuckDuckGoSearchTool").DDGS(**kwargs)

    def forward(self, query: str) -> str:
        self._pace.wait()
        exceptions = require("ddgs.exceptions", extra="toolkit", needed_for="DuckDuckGoSearchTool")
        try:
            found = self.ddgs.text(query, max_results=self.max_results)
        except exceptions.DDGSException as error:
            if "No results" in str(error):
                raise NoResultsError(query) from error
            raise
        if not found:
            raise NoResultsError(query)
        return format_results(
            [{"title": each["title"], "link": each["href"], "description": each["body"]} for each in found]
        )
