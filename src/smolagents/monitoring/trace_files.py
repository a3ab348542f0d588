r"""Runs written to files as JSON lines, to be read afterwards or while they go on.

    from smolagents.monitoring import trace_to

    with trace_to("traces"):
        agent.run("…")

Each outermost run has a file of its own in the folder. Other ways: `CodeAgent(…, trace_dir="traces")` for the runs of one
agent, and the environment variable `SMOLAGENTS_TRACE_DIR` for all runs of a process and of the processes it starts.

A file holds one JSON object a line, each with a `type`:

- `trace`: first. `version` of the format, `trace_id`, `pid`.
- `start`: a span begins: `span_id`, `parent_id`, `kind`, `name`, `started_at`, `attributes`.
- `event`: something within a span: `span_id`, `at`, `name`, `attributes`. Streamed text comes as events named `text`.
- `end`: a span ends: `span_id`, `ended_at`, `error`, and the `attributes` that are new.
- `message`: a message to a model, with its number `id`. It is in the file once, however many calls it goes to. The
  attribute `messages` of a `chat` span is `{"like": span_id, "first": count, "then": numbers}`: the first `count` messages
  of an earlier call, which is left out where there is none, and then those with these numbers.
- `image`: an image by its `id`, its `media` type and its `data` in base64. Values refer to it as `{"$image": id}`.

Times are seconds since the epoch. A process that is killed leaves a file that ends after any of these, or in the middle of
the last one. Agents of a team that run as processes write files of their own, with the same `trace_id`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from smolagents.monitoring.trace_encoding import Encoder, dump

if TYPE_CHECKING:
    from smolagents.monitoring.tracing import Span

__all__ = ["ENVIRONMENT", "FORMAT_VERSION", "TraceFiles", "follow_environment", "trace_to", "traces_of_agent"]

ENVIRONMENT = "SMOLAGENTS_TRACE_DIR"
FORMAT_VERSION = 1
_TEXT_SECONDS = 0.2
"""Streamed text is written in pieces of so long: a line for each token would make files ten times larger."""
_MAX_FILES_REMEMBERED = 64

_log = logging.getLogger("smolagents.traces")
"""Of its own, so that commands can show what is said here to whom it concerns."""


class TraceFiles:
    """Writes runs to files in a folder, which is made when the first run starts: what happened, and what was said.

    What cannot be written, as on a full disk, is lost with one warning in the log; the run goes on.

    Args:
        folder: Where the files go.
        everything: Whether all runs are written; else only those of agents whose `trace_dir` is this folder.

    Raises:
        ValueError: there is no telling which folder is meant: `~` is nobody's, or the working directory is gone.
    """

    def __init__(self, folder: str | os.PathLike[str], *, everything: bool = True) -> None:
        try:
            self.folder = Path(folder).expanduser().absolute()
        except (RuntimeError, OSError) as error:
            raise ValueError(f"the folder for traces, {os.fspath(folder)!r}, cannot be found: {error}") from error
        self.everything = everything
        self._lock = threading.Lock()
        self._spans: dict[str, _OpenSpan] = {}
        self._files: dict[str, _File] = {}
        """By trace."""
        self._warned = False

    def started(self, span: Span) -> None:
        with self._lock:
            parent = self._spans.get(span.parent_id) if span.parent_id else None
            if parent is not None:
                file = parent.file
            elif self.everything or span.attributes.get("trace_dir") == str(self.folder):
                file = self._file(span)
            else:
                return
            open_span = self._spans[span.span_id] = _OpenSpan(file, {**span.attributes, **span.content})
            file.users += 1
        file.start(span, open_span)

    def event(self, span: Span, name: str, attributes: dict[str, Any]) -> None:
        open_span = self._spans.get(span.span_id)
        if open_span is not None:
            open_span.file.event(span.span_id, open_span, name, attributes)

    def ended(self, span: Span) -> None:
        with self._lock:
            open_span = self._spans.pop(span.span_id, None)
        if open_span is None:
            return
        file = open_span.file
        file.end(span, open_span)
        with self._lock:
            file.users -= 1
            if file.users == 0:
                file.close()

    def close(self) -> None:
        """Close all files; what still runs is not written any more."""
        with self._lock:
            files = list(self._files.values())
            self._spans.clear()
            self._files.clear()
            for file in files:
                file.close(for_good=True)

    def __enter__(self) -> TraceFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        from smolagents.monitoring.tracing import remove_tracer

        remove_tracer(self)
        self.close()

    def _file(self, span: Span) -> _File:
        """The file for an outermost span: further work on the same trace goes to the same file."""
        key = span.trace_id if self.everything else span.span_id
        file = self._files.pop(key, None)
        if file is None or file.pid != os.getpid():
            file = _File(self, span)
        self._files[key] = file
        if len(self._files) > _MAX_FILES_REMEMBERED:
            # Not only the oldest is looked at: it may be of a run that goes on for days.
            idle = next((one for one, known in self._files.items() if known.users == 0 and one != key), None)
            if idle is not None:
                del self._files[idle]
        return file

    def lost(self, error: OSError) -> None:
        """Say once that something could not be written."""
        if not self._warned:
            self._warned = True
            _log.warning("cannot write traces to %s, so they are incomplete: %s", self.folder, error)


class _OpenSpan:
    """A span that has not ended, and what is not written of it yet."""

    __slots__ = ("file", "last_event_at", "pending", "written")

    def __init__(self, file: _File, written: dict[str, Any]) -> None:
        self.file = file
        self.written = written
        self.pending: dict[str, Any] = {}
        """Streamed text by the event's name, as pieces; other events that come often as their latest attributes."""
        self.last_event_at = 0.0


class _File:
    """One file, which is opened when there is something to write, and closed when no span in it is open."""

    def __init__(self, owner: TraceFiles, span: Span) -> None:
        self.owner = owner
        self.users = 0
        self.pid = os.getpid()
        self._trace_id = span.trace_id
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(span.started_at))
        name = re.sub(r"[^\w-]+", "_", str(span.name), flags=re.ASCII).strip("_")[:40] or "run"
        self._name = f"{stamp}-{name}-{span.trace_id[:8]}-{self.pid}"
        self._path: Path | None = None
        self._descriptor = -1
        self._closed = False
        self._lock = threading.RLock()
        self._encoder = Encoder()

    def start(self, span: Span, open_span: _OpenSpan) -> None:
        with self._lock:
            if self._closed:
                return
            attributes = self._encoder.attributes(_told(open_span.written), span.span_id)
            self._write(
                {
                    "type": "start",
                    "span_id": span.span_id,
                    "parent_id": span.parent_id,
                    "kind": span.kind,
                    "name": span.name,
                    "started_at": span.started_at,
                    "attributes": attributes,
                }
            )

    def event(self, span_id: str, open_span: _OpenSpan, name: str, attributes: dict[str, Any]) -> None:
        with self._lock:
            if self._closed:
                return
            text = attributes.get("text")
            if isinstance(text, str) and len(attributes) == 1:
                open_span.pending.setdefault(name, []).append(text)
            else:
                open_span.pending[name] = attributes
            now = time.time()
            if now - open_span.last_event_at >= _TEXT_SECONDS:
                open_span.last_event_at = now
                self._write_pending(span_id, open_span, now)

    def end(self, span: Span, open_span: _OpenSpan) -> None:
        with self._lock:
            if self._closed:
                return
            written = open_span.written
            now = {**span.attributes, **span.content}
            new = {key: value for key, value in now.items() if key not in written or written[key] is not value}
            self._write_pending(span.span_id, open_span, time.time())
            record: dict[str, Any] = {"type": "end", "span_id": span.span_id, "ended_at": span.ended_at or time.time()}
            if span.error is not None:
                record["error"] = self._encoder.value(str(span.error))
            record["attributes"] = self._encoder.attributes(_told(new), span.span_id)
            self._write(record)

    def _write_pending(self, span_id: str, open_span: _OpenSpan, now: float) -> None:
        for name, value in open_span.pending.items():
            attributes = {"text": "".join(value)} if isinstance(value, list) else self._encoder.attributes(value)
            self._write({"type": "event", "span_id": span_id, "at": now, "name": name, "attributes": attributes})
        open_span.pending.clear()

    def _write(self, record: dict[str, Any]) -> None:
        """Write a record after those it refers to, in one go."""
        lines = self._encoder.lines
        data = b"".join((*lines, dump(record), b"\n"))
        lines.clear()
        try:
            if self._descriptor < 0:
                data = self._open() + data
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            self.close(for_good=True)
            self.owner.lost(error)

    def _open(self) -> bytes:
        """Open the file. Returns what is to be written first."""
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        if self._path is not None:
            self._descriptor = os.open(self._path, flags)
            return b""
        self.owner.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(1, 1_000):
            path = self.owner.folder / f"{self._name}{f'-{number}' if number > 1 else ''}.jsonl"
            with contextlib.suppress(FileExistsError):
                self._descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
                self._path = path
                break
        else:
            raise FileExistsError(f"too many files named {self._name}")
        header = {"type": "trace", "version": FORMAT_VERSION, "trace_id": self._trace_id, "pid": self.pid}
        return dump(header) + b"\n"

    def close(self, *, for_good: bool = False) -> None:
        """Close the file, and let go of what was written. It is opened again when there is more, unless for good."""
        with self._lock:
            self._closed = self._closed or for_good
            self._encoder.rest()
            if self._descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(self._descriptor)
                self._descriptor = -1


def _told(facts: dict[str, Any]) -> dict[str, Any]:
    """What is written of a span: its facts without those that are written elsewhere."""
    told = {key: value for key, value in facts.items() if key not in ("description", "step", "trace_dir")}
    if "tools" in told:
        told["tools"] = [getattr(tool, "name", tool) for tool in told["tools"] or ()] or None
    step = facts.get("step")
    if step is not None:
        fields = vars(step)  # not by attribute, as a memory takes a list that is handed out for one that may change
        told["observations"] = fields.get("observations")
        told["images"] = fields.get("_observations_images") or None
        told["plan"] = fields.get("plan")
        if fields.get("is_final_answer"):
            told["is_final_answer"] = True
    return told


def trace_to(folder: str | os.PathLike[str]) -> TraceFiles:
    """Write all runs from now on to files in `folder`.

    The files hold prompts, code, outputs and answers. They can be read by their owner only, and so can the folder if it
    is made here.

    Args:
        folder: Where the files go. It is made if it is not there.

    Returns:
        What writes, which stops at the end of a `with` statement.
    """
    from smolagents.monitoring.tracing import add_tracer

    tracer = TraceFiles(folder)
    add_tracer(tracer)
    return tracer


_of_environment: TraceFiles | None = None
_registry_lock = threading.Lock()


def follow_environment() -> str | None:
    """Write all runs to the folder that `SMOLAGENTS_TRACE_DIR` names now, and no more to one that it named before.

    Returns:
        The value of the variable.
    """
    from smolagents.monitoring.tracing import add_tracer, remove_tracer

    global _of_environment  # noqa: PLW0603
    with _registry_lock:
        named = os.environ.get(ENVIRONMENT)
        if _of_environment is not None:
            remove_tracer(_of_environment)
        _of_environment = None
        try:
            _of_environment = TraceFiles(named) if named and named.strip() else None
        except ValueError as error:
            _log.warning("runs are not written, though %s is set: %s", ENVIRONMENT, error)
        if _of_environment is not None:
            add_tracer(_of_environment)
    return named


_of_agents: dict[Path, TraceFiles] = {}


def traces_of_agent(folder: str | os.PathLike[str]) -> str | None:
    """Write the runs of agents that have this folder as their `trace_dir`.

    Returns:
        The folder as the attribute `trace_dir` of such an agent's spans names it; None, with a warning in the log, where
        there is no telling which it is.
    """
    from smolagents.monitoring.tracing import add_tracer

    try:
        tracer = TraceFiles(folder, everything=False)
    except ValueError as error:
        _log.warning("a run is not written: %s", error)
        return None
    with _registry_lock:
        if tracer.folder not in _of_agents:
            _of_agents[tracer.folder] = tracer
            add_tracer(tracer)
    return str(tracer.folder)
