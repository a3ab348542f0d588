"""Replies held to a grammar or a JSON schema, for engines that let others choose among the next tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from smolagents._imports import require

__all__ = ["ConstraintMaker", "TokenConstraint", "can_constrain", "code_reply_grammar"]

_THOUGHT_END = "</think>"
_TAIL = 8
"""Tokens of a thought that are looked at for its end."""
_LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""JSON on one line, to save tokens."""


def can_constrain(tokenizer: Any) -> bool:
    """Whether replies can be held to a form: `llguidance` is installed, and can read the tokenizer."""
    from importlib.util import find_spec

    return bool(getattr(tokenizer, "is_fast", False)) and find_spec("llguidance") is not None


def code_reply_grammar(opening: str) -> str:
    """Grammar of a thought on one line, then `opening` on a line of its own, then code."""
    import json

    quoted = json.dumps(f"\n{opening}\n")
    return (
        f'%llguidance {{}}\nstart: "Thought: " THOUGHT {quoted} CODE\nTHOUGHT: /[^<`\\n]{{8,400}}/\nCODE: /(.|\\n)+/'
    )


class TokenConstraint:
    """Which tokens may come next in one reply.

    Args:
        matcher: Of `llguidance`.
        ends: Tokens that end a reply.
        thought: Decodes tokens, where the reply begins with a thought, which is free; else None.
    """

    def __init__(self, matcher: Any, ends: frozenset[int], thought: Callable[[list[int]], str] | None = None) -> None:
        self._matcher = matcher
        self._ends = ends
        self._decode = thought
        self._tail: list[int] = []

    def take(self, tokens: list[int]) -> None:
        """Read the tokens that were chosen."""
        for token in tokens:
            if self._decode is not None:
                self._tail = [*self._tail[-_TAIL:], token]
                if _THOUGHT_END in self._decode(self._tail):
                    self._decode = None
            elif not self._matcher.is_stopped():
                self._matcher.consume_token(token)

    def allowed(self, size: int) -> bytearray | None:
        """A byte for each of the `size` tokens of the model, 0 where it may not come next; None if all may."""
        if self._decode is not None:
            return None
        if not self._matcher.is_stopped():
            mask = bytearray(self._matcher.compute_logit_bias()[:size])
            mask.extend(bytes(size - len(mask)))
            if any(mask):
                return mask
        mask = bytearray(size)
        for token in self._ends:
            if token < size:
                mask[token] = 1
        return mask


class ConstraintMaker:
    """Makes the constraints of a model's replies.

    Args:
        tokenizer: The model's, as `transformers` has it.
        extra: The extra of this library that installs `llguidance`.
        needed_for: The class that needs it.
    """

    def __init__(self, tokenizer: Any, extra: str, needed_for: str) -> None:
        self._tokenizer = tokenizer
        self._extra = extra
        self._needed_for = needed_for
        self._made: Any = None
        self._lock = threading.Lock()

    def make(
        self,
        grammar: str,
        ends: frozenset[int],
        thought: Callable[[list[int]], str] | None = None,
    ) -> TokenConstraint:
        """The constraint of one reply.

        Raises:
            MissingExtraError: `llguidance` is not installed.
            ValueError: the grammar is wrong, or the tokenizer is of a kind that cannot be read.
        """
        llguidance = require("llguidance", extra=self._extra, needed_for=f"response_format with {self._needed_for}")
        with self._lock:
            if self._made is None:
                reader = require("llguidance.hf", extra=self._extra, needed_for=self._needed_for)
                self._made = reader.from_tokenizer(self._tokenizer, eos_token=min(ends) if ends else None)
        matcher = llguidance.LLMatcher(self._made, grammar)
        if matcher.is_error():
            raise ValueError(f"the grammar or schema cannot be used: {matcher.get_error()}")
        return TokenConstraint(matcher, ends, thought)

    def grammar_of(self, response_format: Any, grammar: str | None) -> str | None:
        """The grammar for a `response_format` or one that is given, in llguidance's form of Lark or in GBNF.

        Raises:
            MissingExtraError: `llguidance` is not installed.
            ValueError: the format is of an unknown kind, or both are given.
        """
        kind = response_format.get("type") if isinstance(response_format, Mapping) else None
        if grammar is not None:
            if kind not in (None, "text"):
                raise ValueError("a reply cannot follow both a grammar and response_format; give one of the two")
            form = require("llguidance.gbnf_to_lark", extra=self._extra, needed_for=f"grammar with {self._needed_for}")
            try:
                lark: str = form.any_to_lark(grammar)
            except form.GbnfToLarkError as error:
                raise ValueError(f"the grammar cannot be read: {error}") from error
            return lark
        if response_format is None or kind == "text":
            return None
        schema: Any = None
        if kind == "json_object":
            given = response_format.get("schema")
            schema = given if isinstance(given, Mapping) else {"type": "object"}
        elif kind == "json_schema":
            described = response_format.get("json_schema")
            schema = described.get("schema") if isinstance(described, Mapping) else None
        if not isinstance(schema, Mapping):
            raise ValueError(
                f"response_format is {response_format!r:.200}; "
                'write {"type": "json_schema", "json_schema": {"name": …, "schema": {…}}}'
            )
        return self._grammar_of_schema(dict(schema))

    def _grammar_of_schema(self, schema: dict[str, Any]) -> str:
        llguidance = require("llguidance", extra=self._extra, needed_for=f"response_format with {self._needed_for}")
        grammar: str = llguidance.LLMatcher.grammar_from_json_schema({**schema, "x-guidance": _LAYOUT})
        return grammar
