"""Finding the code in a model's reply, however it is wrapped."""

from __future__ import annotations

import ast
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolagents.agents.parsing import (
    CODE_BLOCK_TAGS,
    MARKDOWN_TAGS,
    extract_code_from_text,
    parse_code_blobs,
    parse_structured_output,
    plain,
    strip_thinking,
)

TAGS = {
    "default": CODE_BLOCK_TAGS,
    "markdown": MARKDOWN_TAGS,
    "own": ("<run>", "</run>"),
    "brackets": (r"\[PY\]", r"\[/PY\]"),
    "same": ("@@", "@@"),
}

CODE = "x = 1\nprint(x)"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        pytest.param(f"<code>\n{CODE}\n</code>", CODE, id="tags"),
        pytest.param(f"Thought: easy.\n<code>\n{CODE}\n</code>\nDone.", CODE, id="prose around"),
        pytest.param("<code>x = 1</code>", "x = 1", id="on one line"),
        pytest.param(f"<code>\n{CODE}", CODE, id="closing tag missing"),
        pytest.param(f"<code>\n{CODE}\n</", CODE, id="closing tag cut after two characters"),
        pytest.param(f"<code>\n{CODE}\n</code", CODE, id="closing tag cut before its end"),
        pytest.param(f"```python\n{CODE}\n```", CODE, id="fence: python"),
        pytest.param(f"```py\n{CODE}\n```", CODE, id="fence: py"),
        pytest.param(f"```\n{CODE}\n```", CODE, id="fence: no language"),
        pytest.param(f"```Python\n{CODE}\n```", CODE, id="fence: capital letter"),
        pytest.param(f"```python3\n{CODE}\n```", CODE, id="fence: python3"),
        pytest.param(f"```tool_code\n{CODE}\n```", CODE, id="fence: tool_code"),
        pytest.param(f"~~~python\n{CODE}\n~~~", CODE, id="fence: tildes"),
        pytest.param(f"````python\n{CODE}\n````", CODE, id="fence: four backticks"),
        pytest.param(f"```python\n{CODE}", CODE, id="fence never closed"),
        pytest.param("- do this:\n  ```python\n  x = 1\n  print(x)\n  ```", CODE, id="fence in a list"),
        pytest.param(f"<code>\n```python\n{CODE}\n```\n</code>", CODE, id="fence inside tags"),
        pytest.param(f"<code>\n```\n{CODE}\n```\n</code>", CODE, id="bare fence inside tags"),
        pytest.param("<code>\n    x = 1\n    print(x)\n</code>", CODE, id="indented as a whole"),
        pytest.param("<code>\nx = 1\n</code>\nand\n<code>\nprint(x)\n</code>", "x = 1\n\nprint(x)", id="two blocks"),
        pytest.param("```py\nx = 1\n```\nand\n```py\nprint(x)\n```", "x = 1\n\nprint(x)", id="two fences"),
        pytest.param("```json\n{}\n```\n```py\nx = 1\n```", "x = 1", id="a fence in another language is no code"),
        pytest.param(f"<think>use <code>x</code>?</think>\n<code>\n{CODE}\n</code>", CODE, id="tags in thoughts"),
        pytest.param(f"maybe <code>y</code>\n</think>\n<code>\n{CODE}\n</code>", CODE, id="thoughts opened elsewhere"),
        pytest.param(CODE, CODE, id="nothing but code"),
        pytest.param(
            "<code>\ns = '</code>'\nprint(s)\n</code>", "s = '</code>'\nprint(s)", id="closing tag in string"
        ),
        pytest.param("<code>\ns = 1  # <code>\n</code>", "s = 1  # <code>", id="opening tag in comment"),
        pytest.param("<code>\ns = 1  # </code>\nt = 2\n</code>", "s = 1  # </code>\nt = 2", id="closing in comment"),
        pytest.param("<code>\ns = '<code>x</code>'\n</code>", "s = '<code>x</code>'", id="a whole block in a string"),
        pytest.param('```py\ns = """\n```py\n1\n```\n"""\n```', 's = """\n```py\n1\n```\n"""', id="fence in a string"),
        pytest.param("<code>\nprint(1)\r\nprint(2)\n</code>", "print(1)\r\nprint(2)", id="windows line ends"),
    ],
)
def test_code_is_found(reply: str, code: str):
    assert parse_code_blobs(reply) == code


@pytest.mark.parametrize(
    "code",
    ["x = = 1", "def f(:\n    pass", "print('open", "for i in range(3)\n    print(i)", "print(“quoted”)"],
)
@pytest.mark.parametrize("wrap", ["<code>\n{}\n</code>", "```python\n{}\n```"])
def test_wrong_code_is_given_back_as_it_was_written(code: str, wrap: str):
    """Its author is to be told what is wrong with it: nothing is repaired."""
    assert parse_code_blobs(wrap.format(code)) == code


def test_code_in_tags_goes_before_code_in_fences():
    reply = "```python\nprint('an example, longer than the action')\n```\n<code>\nx = 1\n</code>"
    assert parse_code_blobs(reply) == "x = 1"


def test_a_fence_is_used_where_the_tags_hold_no_python():
    assert parse_code_blobs("I use <code> and </code> as tags. <code>\n```python\nx = 1\n```") == "x = 1"


@pytest.mark.parametrize("text", ["", "   \n", "I am done.", "Done", "The answer is 4.", "42", "{'a': 1}"])
def test_text_without_code_is_no_code(text: str):
    assert extract_code_from_text(text) is None


def test_text_without_code_gets_one_message_that_says_what_to_write():
    with pytest.raises(ValueError, match="holds no code to run") as caught:
        parse_code_blobs("The answer is 4.", ("<run>", "</run>"))
    message = str(caught.value)
    assert "<run>\nanswer = 6 * 7\nfinal_answer(answer)\n</run>" in message


def test_an_empty_reply_is_called_empty():
    with pytest.raises(ValueError, match="empty"):
        parse_code_blobs(" \n")


@pytest.mark.parametrize(
    ("tag", "shown"),
    [
        ("<code>", "<code>"),
        ("```(?:python|py)", "```python"),
        (r"\[PY\]", "[PY]"),
        ("\n```", "\n```"),
    ],
)
def test_tags_are_shown_to_the_model_without_the_syntax_of_regular_expressions(tag: str, shown: str):
    assert plain(tag) == shown


@pytest.mark.parametrize(
    ("reply", "rest"),
    [
        ("<think>a</think>b", "b"),
        ("<thinking>\na\n</thinking>\nb", "\nb"),
        ("a</think>b", "b"),
        ("b", "b"),
        ("print('<think>')", "print('<think>')"),
        ("b <think>a</think>", "b <think>a</think>"),
    ],
)
def test_thoughts_in_front_are_left_out(reply: str, rest: str):
    assert strip_thinking(reply) == rest


def test_structured_output():
    assert parse_structured_output('{"thought": "t", "code": "x = 1"}') == ("t", "x = 1")
    assert parse_structured_output('<think>…</think>{"code": "x = 1\\nprint(x)"}') == ("", "x = 1\nprint(x)")
    assert parse_structured_output('{"thought": "t", "code": "```python\\nx = 1\\n```"}') == ("t", "x = 1")
    assert parse_structured_output('{"thought": "t", "code": "<code>\\nx = 1\\n</code>"}') == ("t", "x = 1")
    assert parse_structured_output('{"thought": "two\nlines", "code": "x = 1"}') == ("two\nlines", "x = 1")


@pytest.mark.parametrize("text", ["", "x", "[1]", "{}", '{"thought": "t"}', '{"code": 1}', '{"code": "x'])
def test_what_is_no_structured_output_says_what_it_should_be(text: str):
    with pytest.raises(ValueError, match=r"^Your reply"):
        parse_structured_output(text)


# Properties

DELIMITERS = [
    *("<code>", "</code>", "```", "```python", "```py", "~~~", "<run>", "</run>", "[PY]", "[/PY]", "@@"),
    *("<think>", "</think>", "<end_plan>", "Observation:", "\n```", "\n```python\n", "\n</code>\n", "\n<code>\n"),
    *("Thought:", "Code:", "</", "'", '"', "\\", "{", "}", "\t", "  \n  \n", "é", "\u2028"),
]
texts = st.lists(st.one_of(st.sampled_from(DELIMITERS), st.text(max_size=6)), max_size=8).map("".join)


@st.composite
def python_code(draw: st.DrawFn) -> str:
    """Python with delimiters in strings, in strings over several lines, and in comments."""
    lines = []
    for number in range(draw(st.integers(1, 5))):
        text = draw(texts)
        kind = draw(st.sampled_from(["string", "lines", "comment", "block", "plain"]))
        if kind == "string":
            lines.append(f"s{number} = {text!r}")
        elif kind == "lines":
            body = text.replace("\\", "").replace("'", "").replace('"', "").replace("\r", "").replace("\0", "")
            lines.append(f"s{number} = '''{body}'''")
        elif kind == "comment":
            lines.append(f"x{number} = 1  # " + " ".join(text.replace("\0", "").splitlines()))
        elif kind == "block":
            lines.append(f"if {text!r}:\n    y = {text!r}\n    z = 2")
        else:
            lines.append(f"print({number})")
    code = "\n".join(lines).strip()
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        from hypothesis import reject

        reject()
    return code


PROSE = ["", "Thought: I compute it.\n", "First I look,\n\nthen I count.\n", "<think>is it 4?</think>\n"]


@settings(max_examples=300, deadline=None)
@given(code=python_code(), name=st.sampled_from(sorted(set(TAGS) - {"same"})), before=st.sampled_from(PROSE))
def test_code_between_tags_comes_back_unchanged(code: str, name: str, before: str):
    opening, closing = TAGS[name]
    assert parse_code_blobs(f"{before}{plain(opening)}\n{code}\n{plain(closing).strip()}", TAGS[name]) == code


@settings(max_examples=200, deadline=None)
@given(
    code=python_code(),
    opening=st.sampled_from(["```python", "```py", "```", "~~~", "````python"]),
    before=st.sampled_from(PROSE),
)
def test_code_in_a_fence_comes_back_unchanged(code: str, opening: str, before: str):
    closing = opening.rstrip("python")
    reply = f"{before}{opening}\n{code}\n{closing}"
    if CODE_BLOCK_TAGS[0] in code:
        return  # then the tags are looked at first, and rightly
    assert parse_code_blobs(reply) == code


@settings(max_examples=300, deadline=None)
@given(reply=texts, name=st.sampled_from(sorted(TAGS)))
def test_no_reply_crashes_the_parser(reply: str, name: str):
    found = extract_code_from_text(reply, TAGS[name])
    assert found is None or isinstance(found, str)
    if found is None:
        with pytest.raises(ValueError, match=r"^Your reply"):
            parse_code_blobs(reply, TAGS[name])
    else:
        assert parse_code_blobs(reply, TAGS[name]) == found


@settings(max_examples=200, deadline=None)
@given(reply=st.one_of(texts, st.dictionaries(st.sampled_from(["code", "thought", "x"]), texts).map(json.dumps)))
def test_no_structured_reply_crashes_the_parser(reply: str):
    try:
        thought, code = parse_structured_output(reply)
    except ValueError:
        with pytest.raises(ValueError, match=r"^Your reply"):
            parse_structured_output(reply)
    else:
        assert isinstance(thought, str)
        assert isinstance(code, str)


@settings(max_examples=100, deadline=None)
@given(code=python_code())
def test_code_in_a_structured_reply_comes_back_unchanged(code: str):
    if any(mark in code for mark in ("<code>", "```", "~~~", "</think")):
        return
    assert parse_structured_output(json.dumps({"thought": "t", "code": code}))[1] == code


@pytest.mark.parametrize(
    "piece", ["<code>", "</code>", "<code>x</code>", "```\n", "```python\nx\n```\n", "(", "</think>"]
)
def test_a_reply_of_thousands_of_delimiters_is_still_answered(piece: str):
    """Each of the readings is parsed, so their number is bounded."""
    calls = []
    real = ast.parse

    def counted(*args, **kwargs):
        calls.append(1)
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ast, "parse", counted)
        extract_code_from_text(piece * 5_000)
    assert len(calls) < 1_000


@pytest.mark.parametrize("count", [3, 20, 60])
def test_many_tags_in_strings_do_not_hide_the_last_one(count: int):
    code = "\n".join(f"s{i} = '<code></code>'" for i in range(count)) + "\nprint(1)"
    assert parse_code_blobs(f"<code>\n{code}\n</code>") == code
