"""A trace as one HTML page that needs nothing else: no other file, no network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from smolagents.monitoring.trace_reader import read_lines

__all__ = ["live_page", "page_of", "records_of"]

_SCRIPTS = ("trace.js", "blocks.js", "view.js", "page.js")


def page_of(paths: Sequence[Path]) -> str:
    """The page of one trace.

    What models and tools wrote goes into it as data, which its script shows as text. Its content security policy lets
    no other script run, and nothing be loaded or sent.

    Args:
        paths: The files of the trace.

    Raises:
        TraceFileError: a file is not a trace.
        OSError: a file cannot be read.
    """
    return _page(_without_pieces(records_of(paths)), live=False)


def live_page() -> str:
    """The page that gets its records from the server it came from."""
    return _page([], live=True)


def records_of(paths: Iterable[Path]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of several files, each with the number of its file."""
    for number, path in enumerate(paths):
        for record in read_lines(path):
            yield number, record


def _without_pieces(records: Iterable[tuple[int, dict[str, Any]]]) -> list[tuple[int, dict[str, Any]]]:
    """Leave out streamed pieces of what is there as a whole."""
    kept = list(records)
    whole = {
        record.get("span_id")
        for _, record in kept
        if record["type"] == "end" and "reply" in (record.get("attributes") or {})
    }
    return [pair for pair in kept if pair[1]["type"] != "event" or pair[1].get("span_id") not in whole]


def _page(records: Sequence[tuple[int, dict[str, Any]]], *, live: bool) -> str:
    template, style, script = _assets()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            *(("connect-src 'self'",) if live else ()),
        )
    )
    data = json.dumps({"live": live, "records": records}, ensure_ascii=False, separators=(",", ":"))
    # A page ends a script element at the first "</", wherever that stands, and reads "<!--" in it as well.
    data = data.replace("<", "\\u003c").encode("utf-8", "replace").decode()
    parts = {"CSP": html.escape(policy), "TITLE": "Trace", "STYLE": style, "DATA": data, "SCRIPT": script}
    pieces = template.split("@")
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))


@lru_cache(maxsize=1)
def _assets() -> tuple[str, str, str]:
    folder = files(__package__) / "assets"
    script = "\n".join(folder.joinpath(name).read_text("utf-8") for name in _SCRIPTS)
    return (
        folder.joinpath("page.html").read_text("utf-8"),
        folder.joinpath("page.css").read_text("utf-8"),
        f'"use strict";\n{{\n{script}}}\n',
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
