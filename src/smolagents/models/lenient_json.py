"""JSON as models write it: with single quotes, trailing commas, comments, Python's or JavaScript's words."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["read_value"]

_MAX_DEPTH = 100
_DECODER = json.JSONDecoder(strict=False)

_BLANK = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/|#[^\n]*)*", re.DOTALL)
_QUOTES = ('"""', "'''", '"', "'", "`", "“")
_CLOSING = {"“": "”"}
_PREFIX = re.compile(r"[rRbBuUfF]{1,2}(?=[\"'])")
_WORD = re.compile(r"[A-Za-z_$][\w$-]*")
_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])")
_INFINITY = re.compile(r"[+-]?(?:Infinity|inf)\b")
_LITERALS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "null": None,
    "None": None,
    "nil": None,
    "undefined": None,
    "NaN": float("nan"),
    "nan": float("nan"),
}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|\n|.)", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": "", "0": "\0", "v": "\v", "a": "\a"}
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def read_value(text: str, start: int) -> tuple[Any, int]:
    """Read the object or list that begins at a position.

    Quotes within a string that were not escaped are understood if no reading without them is found.

    Args:
        text: Text that holds the value.
        start: Position of its opening bracket.

    Returns:
        The value, and the position after it.

    Raises:
        ValueError: there is no value that can be read.
    """
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        pass
    try:
        return _Reader(text, loose_quotes=False).value(start, 0)
    except ValueError:
        return _Reader(text, loose_quotes=True).value(start, 0)


class _Reader:
    def __init__(self, text: str, loose_quotes: bool) -> None:
        self.text = text
        self.loose_quotes = loose_quotes

    def skip(self, position: int) -> int:
        found = _BLANK.match(self.text, position)
        return found.end() if found else position

    def value(self, position: int, depth: int) -> tuple[Any, int]:
        if depth > _MAX_DEPTH:
            raise ValueError(f"more than {_MAX_DEPTH} brackets within each other")
        text = self.text
        opening = text[position : position + 1]
        if opening == "{":
            return self.object(position + 1, depth)
        if opening in ("[", "("):
            return self.list(position + 1, "]" if opening == "[" else ")", depth)
        string = self.string(position)
        if string is not None:
            return string
        number = _NUMBER.match(text, position)
        if number:
            return _number(number[0]), number.end()
        infinity = _INFINITY.match(text, position)
        if infinity:
            return float("-inf" if infinity[0].startswith("-") else "inf"), infinity.end()
        word = _WORD.match(text, position)
        if word and word[0] in _LITERALS:
            return _LITERALS[word[0]], word.end()
        raise ValueError(f"no value at position {position}")

    def object(self, position: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while True:
            position = self.skip(position)
            if self.text[position : position + 1] == "}":
                return found, position + 1
            key, position = self.key(position)
            position = self.skip(position)
            if self.text[position : position + 1] != ":":
                raise ValueError(f"no colon at position {position}")
            found[key], position = self.value(self.skip(position + 1), depth + 1)
            position = self.after_item(position, "}")

    def key(self, position: int) -> tuple[str, int]:
        string = self.string(position)
        if string is not None:
            return string
        word = _WORD.match(self.text, position) or _NUMBER.match(self.text, position)
        if word is None:
            raise ValueError(f"no key at position {position}")
        return word[0], word.end()

    def list(self, position: int, closing: str, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        while True:
            position = self.skip(position)
            if self.text[position : position + 1] == closing:
                return found, position + 1
            item, position = self.value(position, depth + 1)
            found.append(item)
            position = self.after_item(position, closing)

    def after_item(self, position: int, closing: str) -> int:
        position = self.skip(position)
        following = self.text[position : position + 1]
        if following == ",":
            return position + 1
        if following != closing:
            raise ValueError(f"neither a comma nor {closing} at position {position}")
        return position

    def string(self, position: int) -> tuple[str, int] | None:
        prefix = _PREFIX.match(self.text, position)
        start = prefix.end() if prefix else position
        opening = next((quote for quote in _QUOTES if self.text.startswith(quote, start)), None)
        if opening is None:
            return None
        closing = _CLOSING.get(opening, opening)
        end = first = start + len(opening)
        while True:
            end = self.text.find(closing, end)
            if end < 0:
                raise ValueError(f"the string at position {position} has no end")
            if not _is_escaped(self.text, first, end) and self.may_close(end + len(closing)):
                break
            end += 1
        raw = self.text[first:end]
        if prefix is None or "r" not in prefix[0].lower():
            raw = _unescaped(raw)
        return raw, end + len(closing)

    def may_close(self, position: int) -> bool:
        """Whether a quote before this position can be the end of a string, by what follows it."""
        if not self.loose_quotes:
            return True
        position = self.skip(position)
        return self.text[position : position + 1] in (",", ":", "}", "]", "")


def _is_escaped(text: str, first: int, position: int) -> bool:
    before = position
    while before > first and text[before - 1] == "\\":
        before -= 1
    return (position - before) % 2 == 1


def _unescaped(raw: str) -> str:
    if "\\" not in raw:
        return raw
    text = _ESCAPE.sub(_character, raw)
    # JSON writes what lies beyond U+FFFF as two escapes.
    return _SURROGATES.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)


def _character(escape: re.Match[str]) -> str:
    code = escape[1]
    if len(code) > 1:
        number = int(code[1:], 16)
        return chr(number) if number < 0x110000 else escape[0]
    if code in _SIMPLE:
        return _SIMPLE[code]
    return code if code in "\"'`\\/“”" else escape[0]


def _number(text: str) -> int | float:
    plain = text.replace("_", "")
    if "x" in plain.lower():
        return int(plain, 16)
    if len(plain) > 4000:  # Python refuses to read longer whole numbers
        raise ValueError("a number of more than 4,000 digits")
    return float(plain) if any(sign in plain for sign in ".eE") else int(plain)
