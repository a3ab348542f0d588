"""Drawing lines on a terminal: the layout that all messages share.

Rich does the colours; wrapping and rules are drawn here, as its own cost more than all the rest of a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style

from smolagents.monitoring.text import clean, encodable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from smolagents.monitoring.blocks import Block
    from smolagents.monitoring.highlight import Spans

__all__ = ["Drawing", "Pen"]

MAX_BARS = 6
"""Bars that are drawn at most, however many agents stand above."""


class Drawing:
    """A block as rich prints it."""

    def __init__(self, block: Block) -> None:
        self.block = block

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        pen = Pen(console, options, self.block.speaker.depth)
        self.block.draw(pen)
        return pen.segments


class Pen:
    """Puts text on lines of a given width.

    Args:
        console: Where it will be printed.
        options: Its width.
        depth: How many bars stand at the left of every line.
    """

    def __init__(self, console: Console, options: ConsoleOptions, depth: int = 0) -> None:
        self.console = console
        self.options = options
        encoding = console.encoding
        self._encoding = None if encoding.startswith("utf") else encoding
        # Bars of a very deep team must leave room for the text.
        depth = min(depth, MAX_BARS)
        self._margin = [("│ " * depth, "dim yellow")] if depth else []
        self.width = max(options.max_width - 2 * depth, 10)
        self._pieces: list[tuple[list[str], Style | None]] = []

    @property
    def segments(self) -> Iterator[Segment]:
        """What was drawn, in as few pieces as there are changes of style: rich looks at each of them for long."""
        for texts, style in self._pieces:
            text = "".join(texts)
            yield Segment(text if self._encoding is None else encodable(text, self._encoding), style)

    def text(self, *spans: tuple[str, str], indent: int = 0) -> None:
        """Text, each piece with a style, wrapped at spaces where there are some."""
        for line in _lines(spans):
            for row in _wrapped(line, self.width - indent):
                self._row([(" " * indent, ""), *row] if indent else row)

    def rule(self, title: str, title_style: str, line_style: str, character: str = "─") -> None:
        """A line across the screen that begins with a title."""
        title = _short(title, self.width - 6)
        rest = self.width - 4 - cell_len(title)
        self._row([(character * 2 + " ", line_style), (title, title_style), (" " + character * rest, line_style)])

    def box(self, title: str, spans: Spans, subtitle: str, style: str) -> None:
        """Text in a frame."""
        title, subtitle = _short(title, self.width - 8), _short(subtitle, self.width - 8)
        self._edge("╭", title, "╮", f"bold {style}", style)
        for line in _lines(spans):
            for row in _wrapped(line, self.width - 4):
                gap = self.width - 3 - sum(cell_len(text) for text, _ in row)
                self._row([("│ ", style), *row, (" " * gap + "│", style)])
        self._edge("╰", subtitle, "╯", "dim", style)

    def _edge(self, left: str, title: str, right: str, title_style: str, style: str) -> None:
        if not title:
            self._row([(left + "─" * (self.width - 2) + right, style)])
            return
        rest = self.width - 5 - cell_len(title)
        self._row([(left + "─ ", style), (title, title_style), (" " + "─" * rest + right, style)])

    def place(self, renderable: RenderableType) -> None:
        """What rich lays out: a table, a tree."""
        options = self.options.update(width=self.width)
        for line in self.console.render_lines(renderable, options, pad=False):
            self._row([(clean(segment.text), segment.style) for segment in line])

    def _row(self, spans: Iterable[tuple[str, str | Style | None]]) -> None:
        """Spans and the end of the line, which takes the style of what is before it."""
        pieces = self._pieces
        style: Style | None = None
        for text, named in (*self._margin, *spans):
            if text:
                style = _style(named) if isinstance(named, str) else named
                if pieces and pieces[-1][1] is style:
                    pieces[-1][0].append(text)
                else:
                    pieces.append(([text], style))
        if not pieces or pieces[-1][1] is not style:
            pieces.append(([], style))
        pieces[-1][0].append("\n")


@lru_cache(maxsize=256)
def _style(name: str) -> Style | None:
    return Style.parse(name) if name else None


def _short(line: str, width: int) -> str:
    width = max(width, 4)
    return line if cell_len(line) <= width else line[: _fitting(line, 0, width - 1)] + "…"


def _lines(spans: Iterable[tuple[str, str]]) -> list[Spans]:
    """The lines of a text."""
    lines: list[Spans] = [[]]
    for text, style in spans:
        first, *others = text.split("\n")
        lines[-1].append((first, style))
        lines += [[(other, style)] for other in others]
    return lines


def _wrapped(line: Spans, width: int) -> list[Spans]:
    """A line as rows that are at most `width` cells wide."""
    if any("\t" in text for text, _ in line):
        line = [(text.expandtabs(4), style) for text, style in line]
    text = "".join(text for text, _ in line)
    if len(text) <= width and (text.isascii() or cell_len(text) <= width):
        return [line]
    rows = []
    start = 0
    while start < len(text):
        end = _fitting(text, start, width)
        following = end
        if end < len(text):
            space = text.rfind(" ", start, end + 1)
            # A word that is longer than half a row is broken: it would leave a hole otherwise.
            if space > start + width // 2:
                end, following = space, space + 1
        rows.append(_slice(line, start, end))
        start = following
    return rows


def _fitting(text: str, start: int, width: int) -> int:
    """The end of the piece of `text` that is at most `width` cells wide; at least one character."""
    piece = text[start : start + width]
    if piece.isascii():
        return start + len(piece)
    taken = 0
    for at, character in enumerate(piece):
        taken += get_character_cell_size(character)
        if taken > width:
            return start + max(at, 1)
    return start + len(piece)


def _slice(line: Spans, start: int, end: int) -> Spans:
    found: Spans = []
    at = 0
    for text, style in line:
        if at < end and at + len(text) > start:
            found.append((text[max(start - at, 0) : end - at], style))
        at += len(text)
    return found
