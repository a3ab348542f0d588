"""Colours for Python and Markdown, found by one regular expression each.

A step shows its code while the run waits: a lexer that knows all of Python takes thirty times as long for the same
colours.
"""

from __future__ import annotations

import builtins
import keyword
import re

__all__ = ["Spans", "markdown", "python"]

Spans = list[tuple[str, str]]
"""Pieces of a text, each with the name of its style."""

_BUILTINS = "|".join(sorted(name for name in dir(builtins) if name.islower() and not name.startswith("_")))
_PYTHON = re.compile(
    r"""
    (?P<comment>\#[^\n]*)
  | (?P<string>(?:\b[rbfutRBFUT]{1,2})?(?:
        '''(?:\\.|[^\\])*?(?:'''|\Z) | \"\"\"(?:\\.|[^\\])*?(?:\"\"\"|\Z)
      | '(?:\\.|[^'\\\n])*'? | "(?:\\.|[^"\\\n])*"?))
  | (?P<number>\b\d(?:[\w.]|(?<=e)[+-])*)
  | (?<=\bdef\ )(?P<defined>\w+) | (?<=\bclass\ )(?P<class>\w+)
  | (?P<keyword>\b(?:KEYWORDS)\b)
  | (?P<builtin>(?<![.\w])(?:BUILTINS)(?=\())
  | (?P<decorator>^[ \t]*@[\w.]+)
    """.replace("KEYWORDS", "|".join(keyword.kwlist)).replace("BUILTINS", _BUILTINS),
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_MARKDOWN = re.compile(
    r"""
    ^(?P<heading>\#{1,6}\ [^\n]*)
  | ^[ \t]*(?P<bullet>(?:[-*+]|\d+[.)])(?=\ ))
  | (?P<code>`[^`\n]+`)
  | (?P<bold>\*\*[^*\n]+\*\*)
    """,
    re.VERBOSE | re.MULTILINE,
)
_STYLES = {
    "comment": "dim italic",
    "string": "yellow",
    "number": "bright_blue",
    "defined": "green",
    "class": "bold green",
    "keyword": "bright_blue",
    "builtin": "cyan",
    "decorator": "magenta",
    "heading": "bold",
    "bullet": "yellow",
    "code": "cyan",
    "bold": "bold",
}


def python(text: str) -> Spans:
    """Python code with its colours."""
    return _coloured(text, _PYTHON)


def markdown(text: str) -> Spans:
    """Markdown with its colours; no character of it is taken away."""
    return _coloured(text, _MARKDOWN)


def _coloured(text: str, pattern: re.Pattern[str]) -> Spans:
    spans: Spans = []
    done = 0
    for match in pattern.finditer(text):
        kind = match.lastgroup
        start, end = match.span(kind or 0)
        if start > done:
            spans.append((text[done:start], ""))
        spans.append((text[start:end], _STYLES[kind or "code"]))
        done = end
    spans.append((text[done:], ""))
    return spans
