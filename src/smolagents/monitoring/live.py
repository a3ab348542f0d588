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

DELAY = 0.15
"""Seconds for which something must run before it is shown: what is over at once would only flicker, and cost time."""
MAX_SHOWN = 4
"""Activities shown at once; the newest ones."""
TAIL_LINES = 12
"""Lines of streamed text that are shown at once; the newest ones."""
_IDLE = 5.0
"""Seconds without activities after which the thread that watches them ends."""


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
        self._changed = threading.Condition(self._lock)
        # Replaced as a whole, so that the thread that draws reads it without the lock.
        self._activities: tuple[Activity, ...] = ()
        self._live: Live | None = None
        self._spinner: Any = None
        self._paused = 0
        self._watcher: threading.Thread | None = None
        self._asleep = False
        self._streams: tuple[_Above, ...] = ()

    @contextlib.contextmanager
    def show(self, activity: Activity) -> Iterator[Activity]:
        """Show an activity while the block runs. Nests, also across threads."""
        if not self._screen.is_live:
            yield activity
            return
        with self._lock:
            if not self._activities:
                self._step_in()
            self._activities = (*self._activities, activity)
            self._wake()
        try:
            yield activity
        finally:
            with self._lock:
                self._activities = tuple(one for one in self._activities if one is not activity)
                if not self._activities:
                    self._stop()
                    self._step_out()

    def pause(self) -> None:
        with self._lock:
            self._paused += 1
            self._stop()

    def resume(self) -> None:
        with self._lock:
            self._paused = max(0, self._paused - 1)
            if self._activities:
                self._wake()

    def _wake(self) -> None:
        """Have the watcher look at the activities, now or when its present sleep is over."""
        if self._watcher is None or not self._watcher.is_alive():
            self._watcher = threading.Thread(target=self._watch, name="smolagents-live", daemon=True)
            self._watcher.start()
        elif self._asleep:
            self._changed.notify()

    def _watch(self) -> None:
        """Start drawing when something has run for a while."""
        with self._lock:
            while True:
                if not self._activities or self._live is not None or self._paused:
                    self._asleep = True
                    woken = self._changed.wait(_IDLE)
                    self._asleep = False
                    if not woken and not self._activities:
                        self._watcher = None
                        return
                    continue
                remaining = min(one.started for one in self._activities) + DELAY - time.monotonic()
                # In the middle of a line, such as a progress bar of someone else, is no place to draw.
                if remaining > 0 or any(stream.within_line for stream in self._streams):
                    self._changed.wait(max(remaining, DELAY / 2))
                else:
                    self._start()

    def _start(self) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        console = self._screen.console
        unicode = console.encoding.startswith("utf") and not console.legacy_windows
        self._spinner = Spinner("dots" if unicode else "line", style="cyan")
        live = Live(
            console=console,
            transient=True,
            refresh_per_second=10,
            get_renderable=self._render,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live = live
        with contextlib.suppress(OSError, ValueError):
            live.start()

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            with contextlib.suppress(OSError, ValueError):
                live.stop()
            for stream in self._streams:
                stream.release()

    def _step_in(self) -> None:
        """Stand in for the standard streams, so that what is written there comes to stand above the live lines."""
        _watch_input()
        _DISPLAYS.add(self)
        self._streams = (_Above(self, _behind(sys.stdout)), _Above(self, _behind(sys.stderr)))
        sys.stdout, sys.stderr = self._streams

    def _step_out(self) -> None:
        out, err = self._streams
        # Whoever has put a stream of their own in our place in the meantime will put ours back, which only passes on
        # what it is given.
        if sys.stdout is out:
            sys.stdout = out.rich_proxied_file
        if sys.stderr is err:
            sys.stderr = err.rich_proxied_file

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        console = self._screen.console
        shown = self._activities[-MAX_SHOWN:]
        now = time.monotonic()
        rows: list[RenderableType] = []
        room = min(TAIL_LINES, max(console.height // 2, 1)) // max(sum(bool(one.text) for one in shown), 1)
        for activity in shown:
            if text := activity.tail(max(room, 1)):
                rows.append(Text(text, style="dim"))
            words = f"{one_line(activity.label, max(console.width - 30, 20))} {now - activity.started:.0f} s"
            if activity.detail:
                words += f" | {one_line(activity.detail, max(console.width - len(words) - 8, 10))}"
            row = Table.grid(padding=(0, 1))
            row.add_row(self._spinner, Text(words, style="dim", no_wrap=True))
            rows.append(row)
        return Group(*rows)


class _Above:
    """Stands in for a standard stream: what is written there comes to stand above the live lines, if there are any."""

    def __init__(self, display: LiveDisplay, stream: Any) -> None:
        self._display = display
        self.rich_proxied_file = stream  # the name under which rich and `Screen` look for what is behind
        self.within_line = False
        """Whether the last line that was written has not ended yet."""
        self._rest = ""

    def write(self, text: str) -> int:
        display = self._display
        with display._lock:
            if display._live is None:
                if text and self.rich_proxied_file is not None:
                    self.rich_proxied_file.write(text)
                    self.within_line = not text.endswith("\n")
            else:
                whole, newline, rest = (self._rest + text).rpartition("\n")
                self._rest = rest
                if newline:
                    display._screen.console.out(whole, highlight=False)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def release(self) -> None:
        """Write the line that was held back because it had not ended, now that no live lines are in its way."""
        rest, self._rest = self._rest, ""
        self.write(rest)

    def flush(self) -> None:
        display = self._display
        with display._lock:
            if self._rest:  # a question, or a progress bar, that is to be seen before its line ends
                display._stop()
                display._wake()
        if self.rich_proxied_file is not None:
            self.rich_proxied_file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


def _behind(stream: Any) -> Any:
    """The stream itself, without stand-ins that were left in its place by displays that show nothing."""
    while isinstance(stream, _Above) and not stream._display._activities:
        stream = stream.rich_proxied_file
    return stream


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

    def __call__(self, event: str, _args: object) -> None:
        if event == "builtins.input":
            self._release()
            self._waiting = list(_DISPLAYS)
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
