"""Keeping secrets out of what is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from smolagents.agents.saving.environment import escaped, is_reference, is_secret_name, names_variable
from smolagents.models.saving import without_secrets

__all__ = ["as_saved", "find_secret", "refuse_secrets", "scrub"]

# Forms that providers publish so that scanners can find leaked keys: Hugging Face, OpenAI and those that follow it,
# GitHub, GitLab, AWS, Google, Slack, JSON web tokens, private keys.
_SECRET_VALUE = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|(?:api_org|e2b)_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_\w{20,}|glpat-[\w-]{16,}|A(?:KI|SI)A[A-Z0-9]{16}|AIza[\w-]{30,}|xox[abprs]-[\w-]{10,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+)|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_ENVIRONMENTS = frozenset({"env", "envs", "environment"})
"""Arguments that hold variables of an environment, which is where keys are handed to what runs there, by any name."""
_BEARER = re.compile(r"^\s*(?:bearer|basic)\s+\S{8,}\s*$", re.IGNORECASE)


def scrub(value: Any, at: str, *, references: bool = False) -> tuple[Any, list[str]]:
    """Plain data without secrets and without what JSON cannot say.

    Args:
        value: Anything.
        at: What `value` is called, to name what is left out.
        references: Whether `${NAME}` in a text stands for a variable of the environment, and so is no secret itself.

    Returns:
        The data, None if nothing is left; and the names of what was left out.
    """
    left_out: list[str] = []
    plain = _Scrubbing(references, left_out).of(value, at)
    return (None if plain is _OMIT else plain), left_out


_OMIT = object()


@dataclass
class _Scrubbing:
    references: bool
    left_out: list[str]

    def of(self, value: Any, at: str, secret: bool = False) -> Any:
        """`value` without secrets. Where it is `secret` by its name, only references to the environment are left."""
        if isinstance(value, dict):
            return self._of_dict(value, at, secret)
        if isinstance(value, (list, tuple)):
            items = [self.of(item, f"{at}[{number}]", secret) for number, item in enumerate(value)]
            return [item for item in items if item is not _OMIT]
        if isinstance(value, str):
            return self._of_text(value, at, secret)
        if secret or not (value is None or isinstance(value, (bool, int, float))):
            self.left_out.append(at)
            return _OMIT
        return value

    def _of_text(self, text: str, at: str, secret: bool) -> Any:
        if self.references and is_reference(text):
            return text
        if secret or _SECRET_VALUE.search(text) or _BEARER.match(text):
            self.left_out.append(at)
            return _OMIT
        clean = without_secrets(text)
        if clean != text:
            self.left_out.append(f"the credentials in {at}")
        return clean

    def _of_dict(self, values: dict[Any, Any], at: str, secret: bool) -> Any:
        found = {}
        for key, item in values.items():
            inner = f"{at}[{key!r}]"
            if self.references and names_variable(key) and isinstance(item, str) and item.isidentifier():
                found[key] = item
                continue
            named = isinstance(key, str) and is_secret_name(key)
            if not isinstance(key, str) or (named and not (self.references and is_reference(item))):
                self.left_out.append(inner)
                continue
            plain = self.of(item, inner, secret or named or key in _ENVIRONMENTS)
            if plain is not _OMIT:
                found[key] = plain
        return found


def as_saved(
    values: Mapping[str, Any], written: Mapping[str, tuple[str, Any]], at: str
) -> tuple[dict[str, Any], list[str]]:
    """Arguments as they are saved: without secrets, and as they were written where they came from the environment.

    Args:
        values: The arguments by name.
        written: For those from the environment, how they were written; see `environment.remembered`.
        at: What they are called.

    Returns:
        The arguments, and the names of what was left out.
    """
    plain, left_out = scrub({name: value for name, value in values.items() if name not in written}, at)
    found: dict[str, Any] = escaped(plain or {})
    for name, (key, value) in written.items():
        if key != name:  # the name of a variable
            found[key] = value
            continue
        kept, lost = scrub({key: value}, at, references=True)
        found.update(kept or {})
        left_out += lost
    return found, left_out


def refuse_secrets(arguments: Mapping[str, Any], at: str) -> None:
    """Refuse arguments that someone wrote with a key in them.

    Raises:
        ValueError: one holds what looks like a key; the message says how to name a variable instead.
    """
    secret = find_secret(dict(arguments))
    if secret is not None:
        raise ValueError(
            f"{at}.{secret[0]} holds what looks like a secret, {secret[1]!r}: put it into the environment, and name the "
            f"variable in its place, as ${{NAME}}"
        )


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
