"""Reads the files that `smolagents.monitoring.trace_files` writes, and puts those of one trace together."""

from __future__ import annotations

import contextlib
import glob
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
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
            first = _number(given.get("first"))
            then = _numbers(given.get("then"))
            parts.append(then if count is None else then[: max(0, count - first)])
            count = first if count is None else min(count, first)
            like = given.get("like")
            at = self.spans.get(like) if isinstance(like, str) else None
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


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _numbers(value: Any) -> list[int]:
    return [number for number in value if isinstance(number, int)] if isinstance(value, list) else []


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
        # NaN and its like are not JSON to a browser, nor is what 1e999 would be written as.
        record = json.loads(line, parse_constant=str, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and _is_sound(record) else None


def _finite(number: str) -> float | str:
    value = float(number)
    return value if abs(value) < math.inf else number


def _is_sound(record: dict[str, Any]) -> bool:
    """Whether a record has what its type needs. What it says in attributes can be anything."""
    kind = record.get("type")
    if not isinstance(kind, str):
        return False
    return all(fits(record.get(name)) for name, fits in _FIELDS.get(kind, {}).items())


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) < _LATEST


def _is(*kinds: type | None) -> Callable[[Any], bool]:
    classes = tuple(type(None) if kind is None else kind for kind in kinds)
    return lambda value: isinstance(value, classes)


_LATEST = 1e12
"""Seconds since the epoch that no clock shows; a larger number cannot be counted with."""
_FIELDS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "start": {
        "span_id": _is(str),
        "parent_id": _is(str, None),
        "kind": _is(str),
        "name": _is(str),
        "started_at": _is_time,
        "attributes": _is(dict),
    },
    "event": {"span_id": _is(str), "at": _is_time, "name": _is(str), "attributes": _is(dict)},
    "end": {"span_id": _is(str), "ended_at": _is_time, "error": _is(str, None), "attributes": _is(dict)},
    "message": {"id": _is(int), "message": _is(dict)},
    "image": {"id": _is(str)},
}


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
    if kind == "message":
        trace.messages.setdefault(path, {})[record["id"]] = record["message"]
    elif kind == "image":
        trace.images[record["id"]] = record
    elif kind == "start":
        span = SpanRecord(
            span_id=record["span_id"],
            parent_id=record.get("parent_id"),
            kind=record["kind"],
            name=record["name"],
            started_at=record["started_at"],
            file=path,
            attributes=record["attributes"],
        )
        trace.spans.setdefault(span.span_id, span)
    elif kind in ("end", "event") and (known := trace.spans.get(record["span_id"])) is not None:
        attributes = record["attributes"]
        if kind == "end":
            known.ended_at = record["ended_at"]
            known.error = record.get("error")
            known.attributes.update(attributes)
        elif isinstance(attributes.get("text"), str):
            name = record["name"]
            known.texts[name] = known.texts.get(name, "") + attributes["text"]


def related(path: Path) -> list[Path]:
    """The files of the trace that `path` belongs to, which lie in its folder: itself first, the others by name."""
    trace_id = str(next(read_lines(path)).get("trace_id"))
    others = sorted(path.parent.glob(f"*-{glob.escape(trace_id[:8])}-*.jsonl"))
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
    summaries: list[TraceSummary | None] = []
    for trace_id, paths in by_trace.items():
        with contextlib.suppress(OSError):  # taken away while it is looked at
            summaries.append(_summary(trace_id, paths))
    return sorted((one for one in summaries if one is not None), key=lambda one: one.started_at, reverse=True)


_READ_BYTES = 262_144


def _summary(trace_id: str, paths: Sequence[Path]) -> TraceSummary | None:
    """Read the beginning and the end of each file; the run that began first stands for the trace."""
    starts: list[tuple[dict[str, Any], Path]] = []
    for path in paths:
        for record in _ends_of(path):
            if record["type"] == "start":
                starts.append((record, path))
                if record["kind"] == "invoke_agent":
                    break
    if not starts:
        return None
    starts.sort(key=lambda pair: float(pair[0]["started_at"]))
    first = starts[0][0]
    run, path = next((pair for pair in starts if pair[0]["kind"] == "invoke_agent"), starts[0])
    ended = next((one for one in _ends_of(path) if one["type"] == "end" and one["span_id"] == run["span_id"]), {})
    return TraceSummary(
        trace_id=trace_id,
        paths=[path, *(other for other in paths if other != path)],
        name=run["name"],
        task=_task_in(first["attributes"]),
        started_at=first["started_at"],
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
