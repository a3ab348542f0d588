"""Finding the code in a model's reply.

Only the delimiters around the code are repaired, never the code: what is run is what the model wrote.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
import warnings
from functools import lru_cache
from typing import Any

__all__ = [
    "CODE_BLOCK_TAGS",
    "MARKDOWN_TAGS",
    "extract_code_from_text",
    "parse_code_blobs",
    "parse_structured_output",
    "plain",
    "strip_thinking",
]

CODE_BLOCK_TAGS = ("<code>", "</code>")
MARKDOWN_TAGS = ("```(?:python|py)", "\n```")

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^\n`]*$", re.MULTILINE)
_PYTHON_NAMES = frozenset({"", "python", "py", "python3", "py3", "ipython", "tool_code", "code"})
_MOST_DELIMITERS = 16
"""Delimiters of one kind that are looked at: a reply with more is no honest attempt, and pairs grow as the square."""
_THINKING = re.compile(r"\A\s*<(think|thinking|thought)>.*?</\1>", re.DOTALL)


def strip_thinking(text: str) -> str:
    """The reply without the thoughts that reasoning models put in front of it between `<think>` tags.

    Where only the closing tag is there, because the prompt had opened it, all before it is thought.
    """
    if "</think" not in text and "</thought>" not in text:
        return text
    stripped, found = _THINKING.subn("", text, count=1)
    if found:
        return stripped
    before, closing, after = text.partition("</think>")
    return after if closing and "<think>" not in before else text


def parse_code_blobs(text: str, code_block_tags: tuple[str, str] = CODE_BLOCK_TAGS) -> str:
    """The code that a model's reply asks to run.

    Args:
        text: The whole reply.
        code_block_tags: Opening and closing tag, as regular expressions.

    Returns:
        The code, without its tags.

    Raises:
        ValueError: there is no code in `text`; the message tells a model how to write it.
    """
    code = extract_code_from_text(text, code_block_tags)
    if code is not None:
        return code
    opening, closing = (plain(tag) for tag in code_block_tags)
    if not text.strip():
        raise ValueError(f"Your reply was empty. Write Python code between {opening} and {closing}.")
    raise ValueError(
        "Your reply holds no code to run. "
        f"Write your thought, then the Python code between {opening} and {closing}, like this:\n"
        f"Thought: what to do next\n{opening}\nanswer = 6 * 7\nfinal_answer(answer)\n{closing.strip()}\n"
        "If you know the answer already, give it by calling final_answer(...) in such a code block."
    )


def extract_code_from_text(text: str, code_block_tags: tuple[str, str] = CODE_BLOCK_TAGS) -> str | None:
    """The code in `text`, or None where there is none.

    Looked for between the tags first, then in Markdown fences, then in the text as a whole. Among several
    readings, as when a tag also stands in a string of the code, the longest that is Python wins; where none is,
    the first is returned, so that its author is told what is wrong with it.
    """
    answer = strip_thinking(text)
    if answer is not text and not _THINKING.match(text):
        # The prompt may have opened the thought that this closing tag ends, or the tag is a part of the code.
        code = _code_in(text, code_block_tags)
        if code is not None and "</think>" in code and _parse(code) is not None:
            return code
    return _code_in(answer, code_block_tags)


def _code_in(text: str, code_block_tags: tuple[str, str]) -> str | None:
    candidates = _tagged(text, code_block_tags)
    if len(candidates) == 1:
        return candidates[0]
    best = _longest_python(candidates)
    if best is not None:
        return best
    fenced = _fenced(text)
    best = _longest_python(fenced)
    if best is not None:
        return best
    if candidates:
        return candidates[0]
    if fenced:
        return fenced[0]
    whole = text.strip()
    return whole if _does_something(whole) else None


@lru_cache(maxsize=64)
def _patterns(tags: tuple[str, str]) -> tuple[re.Pattern[str], re.Pattern[str], str]:
    return re.compile(tags[0]), re.compile(tags[1]), plain(tags[1])


@lru_cache(maxsize=64)
def plain(tag: str) -> str:
    """A tag as a model should write it: `MARKDOWN_TAGS` and other simple regular expressions made literal."""
    tag = re.sub(r"\(\?:([^|()]*)(?:\|[^()]*)?\)", r"\1", tag)
    return re.sub(r"\\(.)", r"\1", tag) if "\\n" not in tag else tag


def _tagged(text: str, tags: tuple[str, str]) -> list[str]:
    """Readings of what stands between the tags, the plainest first."""
    opening, closing, plain_closing = _patterns(tags)
    starts = [match.end() for match in opening.finditer(text)][:_MOST_DELIMITERS]
    if not starts:
        return []
    ends = [match.start() for match in closing.finditer(text, starts[0])][:_MOST_DELIMITERS]
    if len(starts) == 1 and len(ends) == 1 and not text[ends[0] :].strip().removeprefix(plain_closing.strip()):
        return [_unfenced(text[starts[0] : ends[0]])]
    blocks = []
    position = 0
    for start in starts:  # the plain reading: each opening tag with the next closing one
        if start < position:
            continue
        end = next((e for e in ends if e >= start), None)
        blocks.append(text[start:end] if end is not None else _without_partial(text[start:], plain_closing))
        position = len(text) if end is None else end
    blocks = [_unfenced(block) for block in blocks]
    blocks = [block for block in blocks if block]
    readings = ["\n\n".join(blocks)] if blocks else []
    for start in starts:
        spans = [text[start:end] for end in ends if end >= start]
        spans.append(_without_partial(text[start:], plain_closing))
        readings += [code for span in spans if (code := _unfenced(span))]
    return list(dict.fromkeys(readings))


def _without_partial(text: str, closing: str) -> str:
    """`text` without the beginning of a closing tag at its end, where the reply was cut in the middle of it."""
    text = text.rstrip()
    mark = closing.strip()
    for length in range(len(mark), 1, -1):
        if text.endswith(mark[:length]):
            return text[:-length]
    return text


def _unfenced(code: str) -> str:
    """`code` without Markdown fences of its own, and without blank lines around it."""
    code = _dedented(code)
    first, newline, rest = code.partition("\n")
    if newline and (fence := _FENCE.fullmatch(first)) is not None:
        lines = rest.rstrip().split("\n")
        if lines and lines[-1].strip() == fence["mark"]:
            lines.pop()
        return _dedented("\n".join(lines))
    return code


def _dedented(code: str) -> str:
    """`code` without blank lines around it and, where it is indented as a whole, without that indentation."""
    code = code.strip("\r\n").rstrip()
    # Only then: to dedent also changes lines of mere spaces, which may be those of a string.
    return textwrap.dedent(code).strip() if code.startswith((" ", "\t")) else code


def _fenced(text: str) -> list[str]:
    """Readings of what stands in Markdown fences, the plainest first."""
    fences = list(_FENCE.finditer(text))[: 2 * _MOST_DELIMITERS]
    blocks: list[str] = []
    readings: list[str] = []
    index = 0
    while index < len(fences):
        opening = fences[index]
        closings = [
            fence
            for fence in fences[index + 1 :]
            if fence["mark"].startswith(opening["mark"]) and not fence["language"]
        ]
        is_python = opening["language"].lower() in _PYTHON_NAMES
        ends = [fence.start() for fence in closings] or [len(text)]
        if is_python:
            bodies = [_dedented(text[opening.end() : end]) for end in ends]
            if bodies[0]:
                blocks.append(bodies[0])
            readings += [body for body in bodies if body]
        index = fences.index(closings[0]) + 1 if closings else len(fences)
    joined = ["\n\n".join(blocks)] if blocks else []
    return list(dict.fromkeys(joined + readings))


def _longest_python(candidates: list[str]) -> str | None:
    for code in sorted(candidates, key=len, reverse=True):
        if _parse(code) is not None:
            return code
    return None


def _parse(code: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an odd escape in the model's string is for the executor to report
        try:
            return ast.parse(code) if code.strip() else None
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _does_something(text: str) -> bool:
    """Whether a reply without any delimiters is code: prose can be valid Python ("Done"), but calls nothing."""
    tree = _parse(text)
    return tree is not None and any(
        isinstance(node, (ast.Call, ast.Assign, ast.AugAssign, ast.Import, ast.ImportFrom, ast.FunctionDef))
        for node in ast.walk(tree)
    )


def parse_structured_output(text: str) -> tuple[str, str]:
    """Thought and code of a reply that is a JSON object with these two keys.

    Raises:
        ValueError: `text` is no such object.
    """
    try:
        data: Any = json.loads((text if text.lstrip().startswith("{") else strip_thinking(text)).strip(), strict=False)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Your reply is not valid JSON: {error}. Reply with {{'thought': …, 'code': …}}.") from None
    if not isinstance(data, dict) or not isinstance(data.get("code"), str):
        raise ValueError("Your reply must be a JSON object with the keys 'thought' and 'code', both strings.")
    code = data["code"]
    return str(data.get("thought", "")), extract_code_from_text(code) or code
