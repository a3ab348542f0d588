"""Descriptions from docstrings in Google, NumPy, Sphinx or Epydoc style."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Docstring", "parse_docstring"]


@dataclass
class Docstring:
    """What a docstring says of a function."""

    description: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    """The description of each argument that is described."""
    choices: dict[str, list[Any]] = field(default_factory=dict)
    """The values of each argument whose description ends in `(choices: ["a", "b"])`."""
    returns: str | None = None


_CHOICES = re.compile(r"\(choices:\s*(\[.*?\])\s*\)\s*\.?\s*$", re.DOTALL | re.IGNORECASE)


def parse_docstring(text: str | None) -> Docstring:
    """Read a docstring. One that follows no style is a description without arguments."""
    text = inspect.cleandoc(text or "")
    if not text:
        return Docstring()
    import docstring_parser

    try:
        parsed = docstring_parser.parse(text)
    except docstring_parser.ParseError:
        return Docstring(description=text)
    result = Docstring(description=(parsed.description or "").strip())
    for parameter in parsed.params:
        name = parameter.arg_name.strip("*`")
        description = _one_line(parameter.description or "")
        match = _CHOICES.search(description)
        if match:
            try:
                result.choices[name] = json.loads(match.group(1).replace("'", '"'))
            except ValueError:
                pass
            else:
                description = description[: match.start()].rstrip()
        if description:
            result.arguments[name] = description
    if parsed.returns is not None and parsed.returns.description:
        result.returns = _one_line(parsed.returns.description)
    return result


def _one_line(text: str) -> str:
    """Join the lines of a paragraph; keep blank lines, lists and indented lines as they stand."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        joins = lines and lines[-1] and line and not line[0].isspace() and not re.match(r"[-*•]|\d+[.)]", line)
        if joins:
            lines[-1] += " " + line.rstrip()
        else:
            lines.append(line.rstrip())
    return "\n".join(lines)
