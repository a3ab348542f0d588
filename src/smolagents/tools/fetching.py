"""Fetching from the web for tools, with limits: which addresses, how long, how much, how many redirects."""

from __future__ import annotations

import codecs
import functools
import importlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from smolagents.tools.guarded_network import BlockedAddressError, Deadline, DeadlineError, GuardedBackend
from smolagents.types.errors import MissingExtraError

__all__ = ["FetchError", "Fetched", "Fetcher"]

MAX_REDIRECTS = 10
_CHUNK = 65_536
_HARMLESS_HEADERS = frozenset({"accept", "accept-language", "user-agent"})


class FetchError(Exception):
    """A page could not be fetched; the message says why, for the model and the user."""


@dataclass
class Fetched:
    """What a server answered."""

    url: str
    """Where it came from, after redirects."""
    content_type: str
    """Such as "text/html", in lower case; "" when the server did not say."""
    charset: str | None
    content: bytes
    truncated: bool
    """True when there was more than was read."""

    @property
    def text(self) -> str:
        """The content as text. Of the charset that the server or the page names, and UTF-8, the one that fits is
        taken; where none does, what cannot be read is replaced."""
        candidates = [self._charset_of_mark(), self.charset, self._charset_in_page(), "utf-8"]
        known = [name for name in candidates if name and _is_text_codec(name)]
        for name in known:
            try:
                return codecs.getincrementaldecoder(name)("strict").decode(self.content, final=not self.truncated)
            except UnicodeError:
                continue
        return self.content.decode(known[0], errors="replace")

    def json(self) -> Any:
        """The content as JSON.

        Raises:
            FetchError: it is none.
        """
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise FetchError(f"{self.url} did not answer with JSON: {self.text[:200]!r}") from error

    def _charset_of_mark(self) -> str | None:
        for mark, name in (
            (codecs.BOM_UTF8, "utf-8-sig"),
            (codecs.BOM_UTF16_LE, "utf-16"),
            (codecs.BOM_UTF16_BE, "utf-16"),
        ):
            if self.content.startswith(mark):
                return name
        return None

    def _charset_in_page(self) -> str | None:
        match = re.search(rb"<meta[^>]{0,200}charset=[\"']?\s*([\w-]+)", self.content[:4096], re.IGNORECASE)
        return match.group(1).decode("ascii") if match else None


def _is_text_codec(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        return False


@dataclass
class Fetcher:
    """Fetches pages and API answers.

    Only http and https are spoken, and only to addresses on the public Internet: a model, or a page it read, cannot
    make the tool reach this machine, the local network or a cloud's metadata service.
    """

    timeout: float = 20.0
    """Seconds for a whole request, redirects included."""
    max_bytes: int = 5_000_000
    """Bytes of content, after decompression."""
    allow_private: bool = False
    """True to reach any address."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request."""

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        truncate: bool = False,
    ) -> Fetched:
        """Fetch `url`.

        Args:
            url: An http or https URL.
            params: Added to its query.
            headers: Sent besides the fetcher's own.
            truncate: True to return the first `max_bytes` of what is longer, rather than raise.

        Raises:
            FetchError: it could not be fetched.
            AgentInterruptedError: the run was interrupted meanwhile.
        """
        return self._request("GET", url, {"params": params}, headers, truncate)

    def post_json(self, url: str, body: Any, *, headers: Mapping[str, str] | None = None) -> Fetched:
        """Send `body` as JSON; otherwise as `get`."""
        return self._request("POST", url, {"json": body}, headers, truncate=False)

    def _request(
        self, method: str, url: str, content: dict[str, Any], headers: Mapping[str, str] | None, truncate: bool
    ) -> Fetched:
        client_library, core = _libraries()
        _check_scheme(url)
        deadline = Deadline(self.timeout)
        named = urlsplit(url)
        keys = {name.lower() for name in (*self.headers, *(headers or {}))} - _HARMLESS_HEADERS

        def check(request: Any) -> None:
            _check_scheme(str(request.url))
            asked = urlsplit(str(request.url))
            is_weaker = named.scheme == "https" and asked.scheme == "http"
            if is_weaker or (asked.hostname, asked.port) != (named.hostname, named.port):
                for name in keys:  # they are for the server that was named, not for where it redirects to
                    request.headers.pop(name, None)

        sent = {
            "User-Agent": "Mozilla/5.0 (compatible; smolagents)",
            "Accept-Language": "en;q=0.9, *;q=0.5",
            **self.headers,
            **(headers or {}),
            # What can be decompressed piece by piece, with an eye on the size.
            "Accept-Encoding": "gzip, deflate",
            "Connection": "close",
        }
        try:
            transport = _transport(client_library, core, GuardedBackend(core, deadline, self.allow_private))
            with (
                client_library.Client(
                    transport=transport,
                    follow_redirects=True,
                    max_redirects=MAX_REDIRECTS,
                    trust_env=False,
                    event_hooks={"request": [check]},
                ) as client,
                client.stream(method, url, headers=sent, **content) as response,
            ):
                if response.status_code >= 400:
                    raise FetchError(
                        f"{response.url} answered {response.status_code} {response.reason_phrase}".rstrip() + "."
                    )
                return self._read(response, truncate)
        except BlockedAddressError as error:
            raise FetchError(f"{url} may not be fetched: {error}.") from error
        except (DeadlineError, core.TimeoutException, client_library.TimeoutException) as error:
            raise FetchError(f"{url} could not be fetched: it took longer than {self.timeout:g} seconds.") from error
        except client_library.TooManyRedirects as error:
            raise FetchError(f"{url} could not be fetched: it redirects more than {MAX_REDIRECTS} times.") from error
        except client_library.InvalidURL as error:
            raise FetchError(f"{url!r} is not a URL: {error}.") from error
        except (client_library.HTTPError, core.NetworkError, core.ProtocolError, OSError, zlib.error) as error:
            reason = str(error).rstrip(".") or type(error).__name__
            raise FetchError(f"{url} could not be fetched: {reason}.") from error

    def _read(self, response: Any, truncate: bool) -> Fetched:
        content = bytearray()
        truncated = False
        for piece in _decompressed(response, self.max_bytes):
            content += piece
            if len(content) > self.max_bytes:
                if not truncate:
                    raise FetchError(
                        f"{response.url} could not be fetched: it holds more than {self.max_bytes:,} bytes."
                    )
                del content[self.max_bytes :]
                truncated = True
                break
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Fetched(str(response.url), kind, response.charset_encoding, bytes(content), truncated)


def _check_scheme(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise FetchError(f"{url!r} is not a URL: {error}.") from error
    if parts.scheme not in ("http", "https"):
        raise FetchError(f"{url!r} may not be fetched: only http:// and https:// URLs are.")
    if not parts.hostname:
        raise FetchError(f"{url!r} is not a URL: it names no server.")


def _decompressed(response: Any, limit: int) -> Iterator[bytes]:
    """The content in pieces, none longer than `limit` + 1, however well it was compressed."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        yield from response.iter_raw(_CHUNK)
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise FetchError(f"{response.url} could not be fetched: it came in the encoding {encoding!r}, unasked.")
    # 32 added to the window size: accept a gzip or a zlib header. "deflate" is at times sent without either.
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
    first = True
    for raw in response.iter_raw(_CHUNK):
        pending = raw
        while pending:
            try:
                piece = decoder.decompress(pending, limit + 1)
            except zlib.error:
                if not first or encoding != "deflate":
                    raise
                decoder = zlib.decompressobj(-zlib.MAX_WBITS)
                piece = decoder.decompress(pending, limit + 1)
            first = False
            yield piece
            pending = decoder.unconsumed_tail
    yield decoder.flush(_CHUNK)


@functools.lru_cache(maxsize=1)
def _libraries() -> tuple[Any, Any]:
    """The HTTP client and its connection library, by whichever of their two names they are installed."""
    for client, core in (("httpx2", "httpcore2"), ("httpx", "httpcore")):
        try:
            return importlib.import_module(client), importlib.import_module(core)
        except ModuleNotFoundError:
            continue
    raise MissingExtraError("httpx", "toolkit", "Fetching from the web")


@functools.lru_cache(maxsize=1)
def _ssl_context() -> Any:
    return _libraries()[0].create_ssl_context()


def _transport(client_library: Any, core: Any, backend: GuardedBackend) -> Any:
    """The client's transport over a guarded network."""

    class Body(client_library.SyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            yield from self._stream

        def close(self) -> None:
            if hasattr(self._stream, "close"):
                self._stream.close()

    class Transport(client_library.BaseTransport):  # type: ignore[misc]
        def __init__(self) -> None:
            self._pool = core.ConnectionPool(ssl_context=_ssl_context(), network_backend=backend)

        def handle_request(self, request: Any) -> Any:
            url = core.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            )
            response = self._pool.handle_request(
                core.Request(
                    method=request.method,
                    url=url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
            return client_library.Response(
                status_code=response.status,
                headers=response.headers,
                stream=Body(response.stream),
                extensions=response.extensions,
            )

        def close(self) -> None:
            self._pool.close()

    return Transport()
