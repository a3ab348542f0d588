"""Text of models, tools and users as Markdown that can show nothing but text.

A page's own sanitizer is a second line: nothing here depends on it.
"""

from __future__ import annotations

import re
from typing import Any

from smolagents.types.text import truncate_content

__all__ = ["code_block", "one_line", "safe_markdown", "shown_value"]

_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})([^\n]*)")
_CODE_SPAN = re.compile(r"\\.|(?P<ticks>`+)(?!`)(?P<code>[^\n|]+?)(?<!`)(?P=ticks)(?!`)|`+")
"""Code within a line, and what only looks like its beginning: a mark that is escaped, and marks that nothing ends.
What may end code for a reader of Markdown (a new line, a cell of a table) ends it here too."""
_ACTIVE = re.compile(r"<[a-zA-Z/!?]|!\[")
"""Where HTML or a picture may begin."""
_SHOWN_CHARACTERS = 20_000
"""Of one output; a page with more of it is slow, and nobody reads that."""


def safe_markdown(text: str) -> str:
    """Markdown without its means to put HTML on a page or to load pictures from elsewhere.

    Headings, lists, tables, links and code stay; a picture becomes a link to it. A picture that a page loads by itself
    would tell its server whatever a model was made to write into the address.
    """
    parts: list[str] = []
    prose: list[str] = []
    fence = margin = ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if fence:
            if found and found[2].startswith(fence) and not found[3].strip():
                parts.append(fence)
                fence = ""
            else:
                parts.append(line.removeprefix(margin))
        elif found and not (found[2][0] == "`" and "`" in found[3]):
            parts += _safe_prose(prose)
            margin, fence = found[1], found[2]
            # At the margin and after an empty line, a block of code begins and ends for every reader of Markdown where it
            # does here: without that line, "[a]:" before it takes the marks for an address.
            language = re.sub(r"[^\w+#.-]", "", found[3])
            # Gradio would draw this one's code, with what HTML there is in it.
            language = "" if language.lower() == "mermaid" else language
            parts += [""] if parts and not parts[-1].endswith("\n") else []
            parts.append(fence + language)
        else:
            prose.append(line)
    parts += [fence] if fence else _safe_prose(prose)
    return "\n".join(parts)


def _safe_prose(lines: list[str]) -> list[str]:
    """Lines outside of blocks of code as one safe text, if there are any; they are taken out of the list."""
    if not lines:
        return []
    text = "\n".join(lines)
    lines.clear()
    out: list[str] = []
    end = 0
    for span in _CODE_SPAN.finditer(text):
        code = span["code"]
        if code is not None:
            out += (_escaped(text[end : span.start()]), _code(code) if _ACTIVE.search(code) else span[0])
            end = span.end()
    return ["".join([*out, _escaped(text[end:])])]


def _code(code: str) -> str:
    """Code within a line, which stays text also where a reader takes its marks for part of an address."""
    signs = re.sub(r"[^\w\s]|_", lambda sign: f"&#{ord(sign[0])};", code.strip())
    return f"<code>{signs}</code>"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("![", "&#33;[")


def code_block(text: str, language: str = "") -> str:
    """Text shown as it is, in a block that nothing in it can end."""
    text = truncate_content(text.strip("\n"), max_length=_SHOWN_CHARACTERS)
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def one_line(text: str, limit: int = 80) -> str:
    """The first line of a text, without marks of Markdown, for a heading."""
    lines = [line for line in text.splitlines() if line.strip()]
    line = re.sub(r"[\s*_`#>\[\]|\\]+", " ", lines[0]).strip() if lines else ""
    line = line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
    return line.replace("&", "&amp;").replace("<", "&lt;")


def shown_value(value: Any) -> str:
    """A value that is neither picture nor sound, as Markdown."""
    if isinstance(value, str):
        return safe_markdown(value)
    if value is None or isinstance(value, (bool, int, float)):
        return str(value)
    try:
        return code_block(_pretty(value))
    except Exception as error:  # a value's own __repr__ may raise anything
        return f"A value of the type `{type(value).__name__}`, which cannot be shown: {type(error).__name__}"


def _pretty(value: Any) -> str:
    if isinstance(value, (dict, list, tuple, set)):
        from pprint import pformat

        return pformat(value, width=100, sort_dicts=False)
    return str(value)
