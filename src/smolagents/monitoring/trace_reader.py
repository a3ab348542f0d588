"""Reads the files that `smolagents.monitoring.trace_files` writes, and puts those of one trace together."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smolagents.monitoring.trace_files import FORMAT_VERSION

__all__ = [
    "SpanRecord",
    "Trace",
    "TraceFileError",
    "TraceSummary",
    "find_traces",
    "read_lines",
    "read_trace",
    "related",
]


class TraceFileError(ValueError):
    """A file that is not a trace, or a run that is not there. The message says what to do."""


@dataclass(kw_only=True)
class SpanRecord:
    """One span as it was written."""

    span_id: str
    parent_id: str | None
    kind: str
    name: str
    started_at: float
    file: Path
    ended_at: float | None = None
    """None while it runs, and for good where the process was killed."""
    error: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """Streamed text by the name of its events."""
    children: list[SpanRecord] = field(default_factory=list)

    @property
    def duration(self) -> float | None:
        """Seconds; None where it has not ended."""
        return None if self.ended_at is None else max(0.0, self.ended_at - self.started_at)


@dataclass(kw_only=True)
class Trace:
    """All that the files of one trace hold."""

    trace_id: str
    spans: dict[str, SpanRecord] = field(default_factory=dict)
    """In the order in which they began."""
    roots: list[SpanRecord] = field(default_factory=list)
    """Spans whose parent is in none of the files."""
    messages: dict[Path, dict[int, dict[str, Any]]] = field(default_factory=dict)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)

    def messages_of(self, span: SpanRecord) -> list[dict[str, Any]]:
        """The messages that a model was given in a `chat` span."""
        known = self.messages.get(span.file, {})
        parts: list[list[int]] = []
        count: int | None = None
        seen: set[str] = set()
        at: SpanRecord | None = span
        while at is not None and at.span_id not in seen:
            seen.add(at.span_id)
            given = at.attributes.get("messages")
            given = given if isinstance(given, dict) else {}
            first = int(given.get("first") or 0)
            then = list(given.get("then") or ())
            parts.append(then if count is None else then[: max(0, count - first)])
            count = first if count is None else min(count, first)
            at = self.spans.get(given.get("like") or "")
        numbers = [number for part in reversed(parts) for number in part]
        return [known[number] for number in numbers if number in known]

    @property
    def agent(self) -> SpanRecord | None:
        """The run of the agent that began first; None where none is recorded."""
        return next((span for span in self.spans.values() if span.kind == "invoke_agent"), None)

    @property
    def task(self) -> str:
        """What was asked for: the task of the first run, or the message that brought it."""
        by_message = self.roots and self.roots[0].kind in ("send_message", "process_message")
        first = self.roots[0] if by_message else self.agent
        return "" if first is None else _task_in(first.attributes)

    def total(self, name: str) -> float | None:
        """Sum of a number over all calls of models; None if none has it."""
        found = [
            value
            for span in self.spans.values()
            if span.kind == "chat" and isinstance(value := span.attributes.get(name), (int, float))
        ]
        return sum(found) if found else None


@dataclass(kw_only=True)
class TraceSummary:
    """What can be said of a trace without reading all of its files."""

    trace_id: str
    paths: list[Path]
    name: str
    task: str
    started_at: float
    ended_at: float | None
    """None where no end was written."""
    error: str | None
    size: int
    """Bytes of all files."""


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file. A last line that was cut off is left out, and so is any line that is not a record.

    Raises:
        TraceFileError: the file is not a trace, or of a later format.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        first = record_of(file.readline())
        if first is None or first.get("type") != "trace":
            raise TraceFileError(f"{path} is not a trace: it does not begin with a line of the type 'trace'")
        if not isinstance(first.get("version"), int) or first["version"] > FORMAT_VERSION:
            raise TraceFileError(f"{path} was written by a later version of smolagents: update this one to read it")
        yield first
        for line in file:
            record = record_of(line)
            if record is not None:
                yield record


def record_of(line: bytes) -> dict[str, Any] | None:
    """The record on a line; None if it is not one."""
    try:
        record = json.loads(line, parse_constant=str)  # NaN and its like are not JSON to a browser
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("type"), str) else None


def read_trace(paths: Sequence[Path]) -> Trace:
    """Read the files of one trace.

    Raises:
        TraceFileError: one is not a trace, or they are of different traces.
        OSError: one cannot be read.
    """
    trace: Trace | None = None
    for path in paths:
        for record in read_lines(path):
            if record["type"] == "trace":
                trace_id = str(record.get("trace_id"))
                trace = trace or Trace(trace_id=trace_id)
                if trace.trace_id != trace_id:
                    raise TraceFileError(f"{path} belongs to another trace than {paths[0]}")
            elif trace is not None:
                with contextlib.suppress(TypeError, ValueError):  # fields of the wrong type, from another writer
                    _add(trace, path, record)
    if trace is None:
        raise TraceFileError("no file was given")
    trace.spans = dict(sorted(trace.spans.items(), key=lambda item: item[1].started_at))
    for span in trace.spans.values():
        parent = trace.spans.get(span.parent_id or "")
        (trace.roots if parent is None or parent is span else parent.children).append(span)
    return trace


def _add(trace: Trace, path: Path, record: dict[str, Any]) -> None:
    kind = record["type"]
    if kind == "message" and isinstance(record.get("message"), dict):
        trace.messages.setdefault(path, {})[record.get("id", -1)] = record["message"]
    elif kind == "image":
        trace.images[str(record.get("id"))] = record
    elif kind == "start":
        span = SpanRecord(
            span_id=str(record.get("span_id")),
            parent_id=record.get("parent_id"),
            kind=str(record.get("kind")),
            name=str(record.get("name")),
            started_at=float(record.get("started_at") or 0),
            file=path,
            attributes=dict(record.get("attributes") or {}),
        )
        trace.spans.setdefault(span.span_id, span)
    elif (known := trace.spans.get(str(record.get("span_id")))) is not None:
        attributes = record.get("attributes") or {}
        if kind == "end":
            known.ended_at = float(record.get("ended_at") or known.started_at)
            known.error = record.get("error")
            known.attributes.update(attributes)
        elif kind == "event" and isinstance(attributes.get("text"), str):
            name = str(record.get("name"))
            known.texts[name] = known.texts.get(name, "") + attributes["text"]


def related(path: Path) -> list[Path]:
    """The files of the trace that `path` belongs to, which lie in its folder: itself first, the others by name."""
    trace_id = str(next(read_lines(path)).get("trace_id"))
    others = sorted(path.parent.glob(f"*-{trace_id[:8]}-*.jsonl"))
    return [path, *(other for other in others if other != path and _trace_id(other) == trace_id)]


def _trace_id(path: Path) -> str | None:
    try:
        return str(next(read_lines(path)).get("trace_id"))
    except (OSError, ValueError):
        return None


def find_traces(folder: Path) -> list[TraceSummary]:
    """The traces in a folder, latest first. Files that are not traces are passed over.

    Raises:
        TraceFileError: there is no such folder.
    """
    if not folder.is_dir():
        raise TraceFileError(f"there is no folder {folder}: say where the traces are with --dir FOLDER")
    by_trace: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        trace_id = _trace_id(path)
        if trace_id is not None:
            by_trace.setdefault(trace_id, []).append(path)
    summaries = [_summary(trace_id, paths) for trace_id, paths in by_trace.items()]
    return sorted((one for one in summaries if one is not None), key=lambda one: one.started_at, reverse=True)


_READ_BYTES = 262_144


def _summary(trace_id: str, paths: Sequence[Path]) -> TraceSummary | None:
    """Read the beginning and the end of each file; the run that began first stands for the trace."""
    starts: list[tuple[dict[str, Any], Path]] = []
    for path in paths:
        for record in _ends_of(path):
            if record["type"] == "start":
                starts.append((record, path))
                if record.get("kind") == "invoke_agent":
                    break
    if not starts:
        return None
    starts.sort(key=lambda pair: pair[0].get("started_at") or 0)
    first = starts[0][0]
    run, path = next((pair for pair in starts if pair[0].get("kind") == "invoke_agent"), starts[0])
    ended = next((one for one in _ends_of(path) if one["type"] == "end" and one["span_id"] == run["span_id"]), {})
    return TraceSummary(
        trace_id=trace_id,
        paths=[path, *(other for other in paths if other != path)],
        name=str(run.get("name")),
        task=_task_in(first.get("attributes") or {}),
        started_at=float(first.get("started_at") or 0),
        ended_at=ended.get("ended_at"),
        error=ended.get("error"),
        size=sum(path.stat().st_size for path in paths),
    )


def _task_in(attributes: dict[str, Any]) -> str:
    """The task of a run, or the message that asks for one."""
    task = attributes.get("task", attributes.get("message", ""))
    return task if isinstance(task, str) else json.dumps(task, ensure_ascii=False)


def _ends_of(path: Path) -> Iterator[dict[str, Any]]:
    """The records at the beginning and at the end of a file."""
    with path.open("rb") as file:
        head = file.read(_READ_BYTES)
        size = file.seek(0, os.SEEK_END)
        tail = b""
        if size > _READ_BYTES:
            file.seek(max(_READ_BYTES, size - _READ_BYTES))
            tail = file.read()
    for line in (head + b"\n" + tail).split(b"\n"):
        record = record_of(line)
        if record is not None:
            yield record
