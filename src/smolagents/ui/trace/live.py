"""A trace that is still being written, shown in a browser as it grows."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from smolagents.monitoring.trace_reader import record_of, related
from smolagents.ui.trace.page import live_page

__all__ = ["LiveView"]

_LOOK_SECONDS = 0.2
_LOOK_FOR_FILES_SECONDS = 1.0
_SIGN_OF_LIFE_SECONDS = 15.0
_BATCH_CHARACTERS = 1_000_000


class LiveView:
    """Serves the page of one trace to this machine, and sends it what is written to the trace's files.

    Only who knows the token in the address can read it: other users of the machine, and pages of other sites, do not.

    Args:
        path: A file of the trace. Files that other processes of a team add to its folder are followed as well.
        port: Where to listen; 0 for any free port.

    Raises:
        OSError: the port is taken, or the file cannot be read.
        TraceFileError: the file is not a trace.
    """

    def __init__(self, path: Path, *, port: int = 0) -> None:
        self._tail = _Tail(path)
        self._page = live_page().encode()
        self._token = secrets.token_urlsafe(24)
        view = self

        class Handler(_Handler):
            owner = view

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.1,), name="smolagents-trace", daemon=True),
            threading.Thread(target=self._tail.follow, name="smolagents-trace-files", daemon=True),
        ]

    @property
    def url(self) -> str:
        """The address of the page, with its token."""
        return f"http://127.0.0.1:{self._server.server_port}/{self._token}/"

    def start(self) -> None:
        """Begin to serve."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop serving, and let go of the port."""
        self._tail.stop()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> LiveView:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()


class _Tail:
    """The lines of a trace's files, as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[Path, tuple[int, bytes]] = {}
        """Of each file how far it was read, and the beginning of a line that is not whole yet."""
        self._lines: list[str] = []
        """Each a JSON array of a file's number and a record."""
        self._changed = threading.Condition()
        self._stopped = False
        self._find()

    def _find(self) -> None:
        for path in related(self._path):
            self._files.setdefault(path, (0, b""))

    def follow(self) -> None:
        found_at = time.monotonic()
        while not self._stopped:
            if time.monotonic() - found_at > _LOOK_FOR_FILES_SECONDS:
                with contextlib.suppress(OSError, ValueError, StopIteration):
                    self._find()
                found_at = time.monotonic()
            new = [line for number, path in enumerate(list(self._files)) for line in self._read(number, path)]
            with self._changed:
                if new:
                    self._lines += new
                    self._changed.notify_all()
                else:
                    self._changed.wait_for(lambda: self._stopped, _LOOK_SECONDS)

    def _read(self, number: int, path: Path) -> Iterator[str]:
        offset, begun = self._files[path]
        try:
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read()
        except OSError:  # it was taken away; what came before stays on the page
            return
        *lines, rest = (begun + data).split(b"\n")
        self._files[path] = (offset + len(data), rest)
        for line in lines:
            record = record_of(line)
            if record is not None:
                yield f"[{number},{json.dumps(record)}]"

    def after(self, index: int) -> Iterator[tuple[int, list[str]]]:
        """Batches of lines from `index` on, each with the index after it; an empty one as a sign of life."""
        while True:
            with self._changed:
                waited_until = time.monotonic() + _SIGN_OF_LIFE_SECONDS
                while (
                    not self._stopped and index >= len(self._lines) and (left := waited_until - time.monotonic()) > 0
                ):
                    self._changed.wait(left)
                if self._stopped:
                    return
                batch, size = [], 0
                while index < len(self._lines) and size < _BATCH_CHARACTERS:
                    batch.append(self._lines[index])
                    size += len(self._lines[index])
                    index += 1
            yield index, batch

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class _Handler(BaseHTTPRequestHandler):
    owner: LiveView
    server_version = "smolagents"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        token, _, name = path.removeprefix("/").partition("/")
        # A name that another site's owner has made to point here is not ours: the token is not all that keeps it out.
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        known = secrets.compare_digest(token.encode(), self.owner._token.encode())
        if not known or host not in ("127.0.0.1", "localhost") or name not in ("", "events"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Content-Type", "text/event-stream" if name else "text/html; charset=utf-8")
        if not name:
            self.send_header("Content-Length", str(len(self.owner._page)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the browser has gone
            if name:
                self._send_events()
            else:
                self.wfile.write(self.owner._page)

    def _send_events(self) -> None:
        last = self.headers.get("Last-Event-ID") or "0"
        for index, lines in self.owner._tail.after(int(last) if last.isdecimal() else 0):
            data = f'{{"now":{time.time()},"records":[{",".join(lines)}]}}'
            self.wfile.write(f"event: records\nid: {index}\ndata: {data}\n\n".encode("utf-8", "replace"))
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """The terminal is for the address, and errors are the browser's to show."""
