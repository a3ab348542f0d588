"""Text of models and tools as Markdown, read by a Markdown reader that lets HTML and pictures through."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from smolagents.ui.gradio.text import code_block, one_line, safe_markdown, shown_value

READER = MarkdownIt("commonmark", {"html": True}).enable("table")

PIECES = [
    "<img src=x>",
    "![a](b)",
    "![a][r]",
    "[r]: http://b",
    "`",
    "``",
    "```",
    "~~~",
    "````",
    "\n",
    "\n\n",
    " ",
    "   ",
]
PIECES += [
    "    ",
    "\t",
    "- ",
    "1. ",
    "> ",
    "|",
    "\\",
    "x",
    "a | b\n-|-\n",
    "# ",
    "<!--",
    "-->",
    "<b",
    ">",
    "&lt;",
    "!",
    "[",
    "](",
    "[a]:",
    "https://a/",
]


def tokens(text: str) -> list[Any]:
    found = []
    for token in READER.parse(text):
        found += [token, *(token.children or ())]
    return found


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@example("1. a\n\n   ```\n   code\n\n<img src=x>\n   ```")
@example("para\n    ```\n    <img src=x>")
@example("`a\n- <img src=x> `")
@example("| ` | <img src=x> ` |\n|-|-|")
@example("\\`<img src=x>`")
@example("\\\\`a` <img src=x> `")
@example("[a](b`c) <img src=x> `")
@example("[a](b`c) ![a](b) `")
def test_no_html_and_no_picture_gets_through(text: str) -> None:
    found = tokens(safe_markdown(text))
    assert not {token.type for token in found} & {"html_block", "image"}
    assert {token.content for token in found if token.type == "html_inline"} <= {"<code>", "</code>"}


@pytest.mark.parametrize("before", ["[a](b`c)", "https://a.example/b`c", "$$ `$$", "www.a.example/`", "\\\\`a`"])
@pytest.mark.parametrize("hostile", ["<img src=x>", "<!--", "</p>", "<?x", "![a](b)"])
def test_code_within_a_line_is_safe_whatever_takes_its_first_mark(before: str, hostile: str) -> None:
    shown = safe_markdown(f"{before} {hostile} `")
    assert not re.search(r"<(?!/?code>)", shown)
    assert "![" not in shown


def test_code_within_a_line_is_shown_as_it_is() -> None:
    shown = READER.render(safe_markdown("Use `List<T>` and `__a__*b*c <b> ![x]`."))
    assert shown == "<p>Use <code>List&lt;T&gt;</code> and <code>__a__*b*c &lt;b&gt; ![x]</code>.</p>\n"


def test_a_block_of_code_is_not_taken_for_an_address_by_readers_that_look_for_those_first() -> None:
    assert safe_markdown("[a]:\n```\n<img src=x>\n```") == "[a]:\n\n```\n<img src=x>\n```"


@pytest.mark.parametrize("language", ["mermaid", "Mermaid", " mermaid "])
def test_a_diagram_is_shown_as_the_text_it_is(language: str) -> None:
    text = safe_markdown(f"```{language}\ngraph TD; A[<img src=x>]\n```")
    assert text == "```\ngraph TD; A[<img src=x>]\n```"


@given(st.text(max_size=300), st.sampled_from(["", "python"]))
def test_a_block_of_code_is_one_block_whatever_is_in_it(text: str, language: str) -> None:
    found = tokens(code_block(text, language))
    assert [token.type for token in found] == ["fence"]


def test_what_markdown_is_for_stays() -> None:
    text = "# Head\n\n- **bold** `a < b`\n- [link](http://x)\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\n```python\nif a < b: ![x](y)\n```"
    assert safe_markdown(text) == text


def test_code_in_a_list_is_shown_as_it_is() -> None:
    fence = next(
        token
        for token in tokens(safe_markdown("1. Do:\n   ```py\n   a < b\n     c\n   ```\n2. Go"))
        if token.type == "fence"
    )
    assert (fence.info, fence.content) == ("py", "a < b\n  c\n")


def test_a_block_that_is_still_being_written_is_closed() -> None:
    assert safe_markdown("Look:\n```python\nx = 1") == "Look:\n\n```python\nx = 1\n```"


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("\n\n## The *plan*\nmore", "The plan"),
        ("<script>alert(1)</script>", "&lt;script alert(1)&lt;/script"),
        ("x" * 100, "x" * 79 + "…"),
        ("", ""),
    ],
)
def test_a_heading_is_one_plain_line(text: str, heading: str) -> None:
    assert one_line(text) == heading


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        (42, "42"),
        (True, "True"),
        ({"a": [1, 2]}, "```\n{'a': [1, 2]}\n```"),
        ("**x** <b>", "**x** &lt;b>"),
        (Broken(), "A value of the type `Broken`, which cannot be shown: RuntimeError"),
    ],
)
def test_any_value_is_shown(value: Any, shown: str) -> None:
    assert shown_value(value) == shown


def test_a_very_long_output_is_cut() -> None:
    assert len(code_block("x" * 10**6)) < 21_000
