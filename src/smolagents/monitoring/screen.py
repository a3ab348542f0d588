"""Where messages go: a terminal through rich, or plain lines to anything else."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO

from smolagents.monitoring.live import LiveDisplay
from smolagents.monitoring.text import clean, encodable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from smolagents.monitoring.blocks import Block

__all__ = ["Screen", "screen_for"]

_LOGGER = logging.getLogger("smolagents")
# One lock for all screens: several of them may end in the same terminal.
_LOCK = threading.RLock()


class Screen:
    """A place to show messages, each of them whole.

    Args:
        console: The rich console to show them on; None for whatever `sys.stdout` is at that moment.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._own = console is None
        self.live = LiveDisplay(self)

    @property
    def console(self) -> Console:
        """The rich console, made when it is first asked for."""
        if self._console is None:
            with _LOCK:
                if self._console is None:
                    from rich.console import Console

                    self._console = Console(file=_Stdout(), emoji=False, highlight=False)  # type: ignore[arg-type]
        return self._console

    @property
    def is_rich(self) -> bool:
        """Whether messages are drawn by rich: on a terminal, in a notebook, or on a console that records."""
        if self._own:
            return _stdout_is_rich()
        console = self.console
        return console.is_terminal or console.is_jupyter or console.record

    @property
    def is_live(self) -> bool:
        """Whether a line can be drawn over again: on a terminal that moves its cursor, and not in CI."""
        if not self.is_rich or os.environ.get("CI"):
            return False
        console = self.console
        return console.is_terminal and not console.is_dumb_terminal and not console.is_jupyter

    def show(self, block: Block) -> None:
        """Show a block."""
        try:
            if self.is_rich:
                self._draw(block)
            else:
                self._write(_set_in(block.plain(), block.speaker.depth) + "\n")
        except (OSError, ValueError) as error:
            _lost(error)

    def show_objects(self, objects: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Show what `rich.console.Console.print` takes, with strings read as plain text unless `markup=True`."""
        drawn = any(hasattr(item, "__rich_console__") or hasattr(item, "__rich__") for item in objects)
        try:
            if drawn or self.is_rich:
                self._print_objects(objects, options)
            else:
                sep, end = options.get("sep", " "), options.get("end", "\n")
                self._write(sep.join([clean(str(item)) for item in objects]) + end)
        except (OSError, ValueError) as error:
            _lost(error)

    def write(self, text: str) -> None:
        """Write text that is cleaned already, as it is."""
        try:
            if self.is_rich:
                with _LOCK:
                    self.console.out(text, end="", highlight=False)
            else:
                self._write(text)
        except (OSError, ValueError) as error:
            _lost(error)

    def _print_objects(self, objects: tuple[Any, ...], options: dict[str, Any]) -> None:
        from rich.text import Text

        options = {"markup": False, "emoji": False, "highlight": False, **options}
        if not options["markup"]:
            objects = tuple(Text(clean(item)) if isinstance(item, str) else item for item in objects)
        # A lone renderable keeps its full width; several are laid out by rich, which joins texts on one line.
        if len(objects) == 1 and not isinstance(objects[0], str) and hasattr(objects[0], "__rich_console__"):
            self._print(objects[0], **options)
        else:
            with _LOCK:
                self.console.print(*objects, **options)

    def _draw(self, block: Block) -> None:
        from smolagents.monitoring.pen import Drawing

        with _LOCK:
            self.console.print(Drawing(block), crop=False)

    def _print(self, renderable: RenderableType, **options: Any) -> None:
        with _LOCK:
            self.console.print(_Cleaned(renderable), **options)

    def _write(self, text: str) -> None:
        with _LOCK:
            if self._own:
                stream = _Stdout()
                stream.write(text)
                stream.flush()
                return
            console = self.console
            encoding = console.encoding
            if not encoding.startswith("utf"):
                text = encodable(text, encoding)
            # `out` is needed where rich collects what is printed, as in `console.capture()`; the file itself is
            # several times faster.
            if getattr(console, "_buffer_index", 1) or console.quiet:
                console.out(text, end="", highlight=False)
            else:
                console.file.write(text)
                console.file.flush()


def _set_in(text: str, depth: int) -> str:
    """The lines of an agent that another one has called, with a bar for each agent above it."""
    if not depth:
        return text
    bars = "| " * depth
    return bars + text.replace("\n", "\n" + bars)


def _lost(error: Exception) -> None:
    """A message could not be written: a closed pipe, a closed file, a full disk. The run matters more and goes on."""
    _LOGGER.debug("could not write to the console: %s", error)


_STDOUT_SCREEN = Screen()


def screen_for(console: Console | None) -> Screen:
    """The one screen of a console, so that all loggers on it share its live line."""
    if console is None or console is _STDOUT_SCREEN._console:
        return _STDOUT_SCREEN
    # Kept on the console itself, so that it lives as long as the console does.
    screen: Screen = console.__dict__.setdefault("_smolagents_screen", Screen(console))
    return screen


def _stdout_is_rich() -> bool:
    environ = os.environ
    if environ.get("FORCE_COLOR"):
        return True
    if environ.get("CI") or environ.get("TTY_COMPATIBLE") == "0":
        return False
    stream = sys.stdout
    try:
        if stream is not None and stream.isatty():
            return True
    except ValueError:  # closed
        return False
    return "ipykernel" in sys.modules and type(stream).__module__.startswith("ipykernel")


class _Stdout:
    """The standard output of the moment, for which every text is encodable."""

    @property
    def _stream(self) -> TextIO | None:
        stream = sys.stdout
        # While rich draws a live line, sys.stdout is a proxy that writes through this very object.
        return getattr(stream, "rich_proxied_file", stream)

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        stream = self._stream
        if stream is None:
            return 0
        try:
            return stream.write(text)
        except UnicodeEncodeError as error:
            return stream.write(encodable(text, error.encoding))

    def flush(self) -> None:
        stream = self._stream
        if stream is not None:
            stream.flush()

    def isatty(self) -> bool:
        stream = self._stream
        return stream is not None and stream.isatty()

    def fileno(self) -> int:
        stream = self._stream
        if stream is None:
            raise OSError("there is no standard output")
        return stream.fileno()


class _Cleaned:
    """A renderable whose text, wherever it came from, cannot act on the terminal."""

    def __init__(self, renderable: RenderableType) -> None:
        self.renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        encoding = console.encoding
        narrow = not encoding.startswith("utf")
        for segment in console.render(self.renderable, options):
            if segment.control is None:
                text = clean(segment.text)
                if narrow:
                    text = encodable(text, encoding)
                if text is not segment.text:
                    yield Segment(text, segment.style)
                    continue
            yield segment
