"""Keeping secrets out of what is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from smolagents.models.saving import without_secrets

__all__ = ["find_secret", "scrub"]

# Forms that providers publish so that scanners can find leaked keys: Hugging Face, OpenAI and those that follow it,
# GitHub, GitLab, AWS, Google, Slack, JSON web tokens, private keys.
_SECRET_VALUE = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|(?:api_org|e2b)_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_\w{20,}|glpat-[\w-]{16,}|A(?:KI|SI)A[A-Z0-9]{16}|AIza[\w-]{30,}|xox[abprs]-[\w-]{10,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+)|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_BEARER = re.compile(r"^\s*(?:bearer|basic)\s+\S{8,}\s*$", re.IGNORECASE)


def scrub(value: Any, at: str) -> tuple[Any, list[str]]:
    """Plain data without secrets and without what JSON cannot say.

    Args:
        value: Anything.
        at: What `value` is called, to name what is left out.

    Returns:
        The data, None if nothing is left; and the names of what was left out.
    """
    left_out: list[str] = []
    plain = _scrub(value, at, left_out)
    return (None if plain is _OMIT else plain), left_out


_OMIT = object()


def _scrub(value: Any, at: str, left_out: list[str]) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        if _SECRET_VALUE.search(value) or _BEARER.match(value):
            left_out.append(at)
            return _OMIT
        clean = without_secrets(value)
        if clean != value:
            left_out.append(f"the credentials in {at}")
        return clean
    if isinstance(value, dict):
        found = {}
        for key, item in value.items():
            inner = f"{at}[{key!r}]"
            if not isinstance(key, str) or not without_secrets({key: 0}):
                left_out.append(inner)
                continue
            plain = _scrub(item, inner, left_out)
            if plain is not _OMIT:
                found[key] = plain
        return found
    if isinstance(value, (list, tuple)):
        items = [_scrub(item, f"{at}[{number}]", left_out) for number, item in enumerate(value)]
        return [item for item in items if item is not _OMIT]
    left_out.append(at)
    return _OMIT


def find_secret(data: Any) -> tuple[str, str] | None:
    """The first text in `data` that holds what looks like a key: where it is, and how the key begins."""
    for at, text in _texts(data, ""):
        found = _SECRET_VALUE.search(text)
        if found:
            return at, f"{found.group()[:6]}…"
    return None


def _texts(data: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, str):
        yield at, data
    elif isinstance(data, dict):
        for key, item in data.items():
            yield from _texts(item, f"{at}.{key}" if at else str(key))
    elif isinstance(data, list):
        for number, item in enumerate(data):
            name = item.get("name") if isinstance(item, dict) else None
            yield from _texts(item, f"{at}[{name or number}]")
