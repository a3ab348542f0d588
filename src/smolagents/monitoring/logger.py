"""The logger of agents."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from smolagents.monitoring import blocks
from smolagents.monitoring.blocks import YELLOW_HEX
from smolagents.monitoring.levels import LogLevel, as_level
from smolagents.monitoring.live import Activity
from smolagents.monitoring.screen import Screen, screen_for
from smolagents.monitoring.text import clean
from smolagents.types.usage import TokenUsage

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["AgentLogger", "YELLOW_HEX"]

_RECORDS = logging.getLogger("smolagents")
_RECORDS.addHandler(logging.NullHandler())


class AgentLogger:
    """Shows a person what an agent does, and records it with `logging.getLogger("smolagents")`.

    Text is shown as it is: nothing in it is read as markup, and control characters cannot reach the terminal.
    A message is never torn by another thread. If it cannot be written, it is dropped and the run goes on.

    Args:
        level: What to show; a `LogLevel`, its number or its name.
        console: The rich console to show it on; by default the standard output.

    Raises:
        ValueError: `level` is a name that is not one of `LogLevel`.
    """

    fold_hint: str = "agent.replay() shows them"
    """Told where a part of a long text is hidden: how to see it."""

    def __init__(self, level: LogLevel | int | str = LogLevel.INFO, console: Console | None = None) -> None:
        self._level = level if type(level) is LogLevel else as_level(level)
        self._screen: Screen = screen_for(console)

    @property
    def level(self) -> LogLevel:
        """What is shown. Can be set, also to a number or a name."""
        return self._level

    @level.setter
    def level(self, level: LogLevel | int | str) -> None:
        self._level = as_level(level)

    @property
    def console(self) -> Console:
        """The rich console that messages are shown on. Can be set."""
        return self._screen.console

    @console.setter
    def console(self, console: Console | None) -> None:
        self._screen = screen_for(console)

    def log(self, *args: Any, level: LogLevel | int | str = LogLevel.INFO, **kwargs: Any) -> None:
        """Show text or rich renderables.

        Args:
            *args: Strings, rich renderables or other objects, joined by spaces.
            level: Level from which on this is shown.
            **kwargs: Options of `rich.console.Console.print`: `style`, `end`, `justify`… Strings are read as rich
                markup only with `markup=True`.
        """
        shown = _number(level) <= self._level
        if _RECORDS.isEnabledFor(logging.DEBUG) and _somebody_listens():
            _RECORDS.debug("%s", clean(" ".join(map(str, args))))
        if shown:
            self._screen.show_objects(args, kwargs)

    def log_error(self, error_message: str) -> None:
        """Show an error."""
        self._emit(LogLevel.ERROR, logging.WARNING, blocks.Problem, str(error_message))

    def log_markdown(
        self,
        content: str,
        title: str | None = None,
        level: LogLevel | int | str = LogLevel.INFO,
        style: str = YELLOW_HEX,
    ) -> None:
        """Show Markdown, such as a model's words, as it was written."""
        self._emit(level, logging.DEBUG, blocks.Markdown, content, title, style)

    def log_code(self, title: str, content: str, level: LogLevel | int | str = LogLevel.INFO) -> None:
        """Show Python code."""
        self._emit(level, logging.DEBUG, blocks.Code, title, content)

    def log_rule(self, title: str, level: LogLevel | int | str = LogLevel.INFO) -> None:
        """Show a line across the screen with a title."""
        self._emit(level, logging.INFO, blocks.Rule, title)

    def log_task(
        self, content: str, subtitle: str, title: str | None = None, level: LogLevel | int | str = LogLevel.INFO
    ) -> None:
        """Show the task of a run.

        Args:
            content: The task.
            subtitle: What runs it, such as the model's name.
            title: Name of the agent.
            level: Level from which on this is shown.
        """
        self._emit(level, logging.INFO, blocks.Task, content, subtitle, title)

    def log_output(
        self,
        content: object,
        title: str = "Output",
        level: LogLevel | int | str = LogLevel.INFO,
        *,
        images: Sequence[Any] = (),
        fold: bool = True,
        style: str = "",
    ) -> None:
        """Show what an action gave.

        Args:
            content: The observation; what is not a string is shown by its `str()`.
            title: What it is.
            level: Level from which on this is shown.
            images: Images that belong to it: each is noted with its size.
            fold: Hide the middle of a long text while the logger's level is below DEBUG; `fold_hint` is shown in
                its place.
            style: A rich style for the text, such as "bold".
        """
        whole = not fold or self._level >= LogLevel.DEBUG
        self._emit(level, logging.DEBUG, blocks.Output, content, title, whole, images, style, self.fold_hint)

    def log_tool_call(self, call: str, level: LogLevel | int | str = LogLevel.INFO) -> None:
        """Show the call of a tool, written as in Python."""
        self._emit(level, logging.DEBUG, blocks.Call, call)

    def log_metrics(
        self,
        step_number: int | None,
        duration: float | None,
        token_usage: TokenUsage | None,
        level: LogLevel | int | str = LogLevel.INFO,
    ) -> None:
        """Show what a step cost.

        Args:
            step_number: The step; None for a planning step.
            duration: Seconds it took; None when unknown.
            token_usage: Its tokens; None when unknown.
            level: Level from which on this is shown.
        """
        self._emit(level, logging.INFO, blocks.Metrics, step_number, duration, token_usage)

    def log_messages(self, messages: Iterable[Any], level: LogLevel | int | str = LogLevel.DEBUG) -> None:
        """Show messages as a model is sent them; images are named, not drawn."""
        self._emit(level, logging.DEBUG, blocks.Messages, messages)

    def visualize_agent_tree(self, agent: Any) -> None:
        """Show an agent with its tools and the agents it manages, whatever the level."""
        from smolagents.monitoring.agent_tree import AgentTree

        self._screen.show(AgentTree(agent))

    @contextlib.contextmanager
    def status(self, label: str, level: LogLevel | int | str = LogLevel.INFO) -> Iterator[Activity]:
        """Say on a live line what runs and for how many seconds, while the block runs.

        Does nothing where a line cannot be drawn over: in pipes, files, notebooks and CI. Nests, and may be used
        from several threads at once.

        Yields:
            The activity; its `update` changes the line.
        """
        activity = Activity(label)
        if _number(level) > self._level:
            yield activity
            return
        with self._screen.live.show(activity):
            yield activity

    @contextlib.contextmanager
    def stream(
        self, label: str = "Thinking…", level: LogLevel | int | str = LogLevel.INFO, *, keep: bool = True
    ) -> Iterator[Activity]:
        """Show text as it is written, piece by piece.

        On a terminal the last lines are shown live. Elsewhere each line is written once it is whole.

        Args:
            label: What is shown beside the elapsed seconds.
            level: Level from which on this is shown.
            keep: Leave the text there afterwards. False when something else will show it: a terminal then takes
                the live text away, and anywhere else nothing is written.

        Yields:
            The activity; pass each piece to its `write`.
        """
        if _number(level) > self._level:
            yield Activity(label)
            return
        if self._screen.is_live:
            activity = Activity(label)
            try:
                with self._screen.live.show(activity):
                    yield activity
            finally:
                if keep and activity.text:
                    self._screen.show_objects((activity.text.strip("\n"),), {})
            return
        lines = _Lines(label, self._screen) if keep else Activity(label)
        try:
            yield lines
        finally:
            if isinstance(lines, _Lines):
                lines.close()

    def _emit(self, level: LogLevel | int | str, record_level: int, kind: type[blocks.Block], *args: Any) -> None:
        shown = _number(level) <= self._level
        recorded = _RECORDS.isEnabledFor(record_level) and _somebody_listens()
        if not shown and not recorded:
            return
        block = kind(*args)
        if recorded:
            _RECORDS.log(record_level, "%s", block.plain())
        if shown:
            self._screen.show(block)


def _somebody_listens() -> bool:
    return len(_RECORDS.handlers) > 1 or bool(logging.root.handlers)


def _number(level: LogLevel | int | str) -> int:
    return level if isinstance(level, int) else as_level(level)


class _Lines(Activity):
    """Streamed text on its way to a file: whole lines only, so that other messages cannot come in between."""

    def __init__(self, label: str, screen: Screen) -> None:
        super().__init__(label)
        self._target = screen
        self._rest = ""

    def write(self, text: str) -> None:
        super().write(text)
        self._rest += text
        if "\n" in text:
            whole, _, self._rest = self._rest.rpartition("\n")
            self._target.write(clean(whole) + "\n")

    def close(self) -> None:
        if self._rest:
            self._target.write(clean(self._rest) + "\n")
            self._rest = ""
