"""Text from models and tools made fit for a terminal: nothing in it may act on the terminal."""

from __future__ import annotations

import re

__all__ = ["clean", "encodable", "fold", "one_line"]

# Control characters but tab and newline, C1 controls, the marks that turn the reading direction round (overrides, and the
# beginnings of text from right to left, which move code to where it does not stand), and halves of characters that no
# encoding can write.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202b\u202d\u202e\u2067\ud800-\udfff]")
_COLOUR = re.compile("\x1b\\[[0-9;:]*m")

FOLD_LINES = 25
"""A text of more lines than this is folded."""
HEAD_LINES = 12
TAIL_LINES = 8
FOLD_CHARACTERS = 6_000
"""A text that keeps more characters than this after its lines were folded is cut in its middle."""


def clean(text: object) -> str:
    r"""Make control characters of a text visible, so that a terminal shows them and does not obey them.

    Colour codes are dropped. A carriage return becomes a new line, since going back over a line would hide what
    stands there. Other control characters are shown as in a Python string: `\x1b`.
    """
    if not isinstance(text, str):
        text = str(text)
    if not _UNSAFE.search(text):
        return text
    text = _COLOUR.sub("", text.replace("\r\n", "\n"))
    return _UNSAFE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    character = match.group()
    if character == "\r":
        return "\n"
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(text: object, width: int) -> str:
    """The text on one line of at most `width` characters."""
    text = " ".join(clean(text).split())
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


# What the library draws itself, in characters that old code pages have.
_PLAIN_SIGNS = str.maketrans(
    {"…": "...", "→": "->", **dict(zip("—━─•✓│╭╮╰╯├└", "-=-*+|++++++", strict=True))},
)


def encodable(text: str, encoding: str) -> str:
    """The text in the characters that an encoding has."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN_SIGNS).encode(encoding, errors="replace").decode(encoding, errors="replace")
    return text


def fold(text: str, hint: str = "") -> str:
    """Keep the first and last lines of a long text, with a count of what is hidden between them.

    Args:
        text: The text.
        hint: How to see the rest.
    """
    hint = f" ({hint})" if hint else ""
    lines = text.split("\n")
    if len(lines) > FOLD_LINES:
        hidden = len(lines) - HEAD_LINES - TAIL_LINES
        lines[HEAD_LINES:-TAIL_LINES] = [f"… {hidden:,} lines hidden{hint} …"]
        text = "\n".join(lines)
    if len(text) > FOLD_CHARACTERS:
        half = FOLD_CHARACTERS // 2
        text = f"{text[:half]}\n… {len(text) - 2 * half:,} characters hidden{hint} …\n{text[-half:]}"
    return text
