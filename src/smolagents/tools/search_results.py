"""Search results as text for a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["NoResultsError", "format_results"]


class NoResultsError(Exception):
    """A search found nothing."""

    def __init__(self, query: str) -> None:
        super().__init__(f"No results found for {query!r}. Try a shorter or less specific query.")


def format_results(results: Sequence[Mapping[str, str]]) -> str:
    """Results as Markdown: a linked title and the snippet of each.

    Args:
        results: Each with "title", "link" and "description".
    """
    parts = []
    for result in results:
        title = " ".join(result.get("title", "").split()) or result.get("link", "")
        description = " ".join(result.get("description", "").split())
        parts.append(f"[{title}]({result.get('link', '')})\n{description}".rstrip())
    return "## Search Results\n\n" + "\n\n".join(parts)
