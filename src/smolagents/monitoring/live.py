"""The lines at the bottom of a terminal that say what runs at this moment, and for how long."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from smolagents.monitoring.text import clean, one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

__all__ = ["Activity", "LiveDisplay", "pause_live"]

MAX_SHOWN = 4
"""Activities shown at once; the newest ones."""
TAIL_LINES = 12
"""Lines of streamed text that are shown at once; the newest ones."""


class LiveScreen(Protocol):
    """The part of a screen that a live display needs."""

    @property
    def console(self) -> Console: ...

    @property
    def is_live(self) -> bool: ...


class Activity:
    """Something that runs: its name, since when, and the text it has streamed so far."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.started = time.monotonic()
        self.detail = ""
        self._pieces: list[str] = []
        self._tail = ""

    def update(self, label: str | None = None, *, detail: str | None = None) -> None:
        """Change what is shown: the name, or what is said after the elapsed time, such as "3 of 10 files"."""
        if label is not None:
            self.label = label
        if detail is not None:
            self.detail = detail

    def write(self, text: str) -> None:
        """Show more streamed text."""
        if text:
            self._pieces.append(text)
            # The end is all that fits on a screen, so drawing costs the same however long the text gets.
            self._tail = (self._tail + text)[-4000:]

    @property
    def text(self) -> str:
        """All text written so far."""
        return "".join(self._pieces)

    def tail(self, lines: int) -> str:
        return "\n".join(clean(self._tail).strip("\n").split("\n")[-lines:])


class LiveDisplay:
    """Draws the activities of one screen. Does nothing where a line cannot be drawn over."""

    def __init__(self, screen: LiveScreen) -> None:
        self._screen = screen
        self._lock = threading.RLock()
        # Replaced as a whole, so that the thread that draws reads it without the lock.
        self._activities: tuple[Activity, ...] = ()
        self._live: Live | None = None
        self._spinner: Any = None
        self._paused = 0

    @contextlib.contextmanager
    def show(self, activity: Activity) -> Iterator[Activity]:
        """Show an activity while the block runs. Nests, also across threads."""
        if not self._screen.is_live:
            yield activity
            return
        with self._lock:
            self._activities = (*self._activities, activity)
            self._start()
        try:
            yield activity
        finally:
            with self._lock:
                self._activities = tuple(one for one in self._activities if one is not activity)
                if not self._activities:
                    self._stop()

    def pause(self) -> None:
        with self._lock:
            self._paused += 1
            self._stop()

    def resume(self) -> None:
        with self._lock:
            self._paused = max(0, self._paused - 1)
            if self._activities:
                self._start()

    def _start(self) -> None:
        if self._live is not None or self._paused:
            return
        from rich.live import Live
        from rich.spinner import Spinner

        _watch_input()
        console = self._screen.console
        unicode = console.encoding.startswith("utf") and not console.legacy_windows
        self._spinner = Spinner("dots" if unicode else "line", style="cyan")
        live = Live(console=console, transient=True, refresh_per_second=10, get_renderable=self._render)
        self._live = live
        _DISPLAYS.add(self)
        with contextlib.suppress(OSError, ValueError):
            live.start()

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            with contextlib.suppress(OSError, ValueError):
                live.stop()

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        console = self._screen.console
        shown = self._activities[-MAX_SHOWN:]
        now = time.monotonic()
        rows: list[RenderableType] = []
        for activity in shown:
            if text := activity.tail(min(TAIL_LINES, max(console.height // 2, 1))):
                rows.append(Text(text, style="dim"))
        for activity in shown:
            words = f"{one_line(activity.label, max(console.width - 30, 20))} {now - activity.started:.0f} s"
            if activity.detail:
                words += f" | {one_line(activity.detail, max(console.width - len(words) - 8, 10))}"
            row = Table.grid(padding=(0, 1))
            row.add_row(self._spinner, Text(words, style="dim", no_wrap=True))
            rows.append(row)
        return Group(*rows)


_DISPLAYS: weakref.WeakSet[LiveDisplay] = weakref.WeakSet()


@contextlib.contextmanager
def pause_live() -> Iterator[None]:
    """Take all live lines off the screen while the block runs, so that it can talk with the user.

    `input()` does not need this: live lines give way to it by themselves.
    """
    paused = list(_DISPLAYS)
    for display in paused:
        display.pause()
    try:
        yield
    finally:
        for display in paused:
            display.resume()


class _InputWatch:
    """Takes the live lines off while `input()` waits for the user, be it in a tool or in a debugger."""

    def __init__(self) -> None:
        self.installed = False
        self._waiting: list[LiveDisplay] = []
        self._streams: tuple[object, ...] = ()

    def __call__(self, event: str, _args: object) -> None:
        if event == "builtins.input":
            self._release()
            self._waiting = list(_DISPLAYS)
            # `input` goes on with the streams it found, and does not hold them itself; taking the live line off
            # puts others in their place.
            self._streams = (sys.stdin, sys.stdout, sys.stderr)
            for display in self._waiting:
                display.pause()
        elif event == "builtins.input/result":
            self._release()

    def _release(self) -> None:
        # An input that ended in Ctrl-C or Ctrl-D reports no result; the next event makes up for it.
        waiting, self._waiting = self._waiting, []
        for display in waiting:
            display.resume()


_WATCH = _InputWatch()


def _watch_input() -> None:
    if not _WATCH.installed:
        _WATCH.installed = True
        sys.addaudithook(_WATCH)
