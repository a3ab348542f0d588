"""The REST side of a Jupyter server or Kernel Gateway, and the websocket of one of its kernels.

What the server says is taken as hostile: redirects are not followed, replies and messages have a largest size.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from smolagents._imports import require

__all__ = ["JupyterServer", "JupyterServerError", "KernelSocket", "SocketLostError"]

REST_TIMEOUT = 30.0
LARGEST_REPLY = 4 * 1024 * 1024
LARGEST_MESSAGE = 64 * 1024 * 1024
POLL_EVERY = 0.1


class JupyterServerError(RuntimeError):
    """The server refused a request, or cannot be reached.

    Args:
        message: What was asked and what came back.
        status: The HTTP status; None when there was no answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class SocketLostError(Exception):
    """The websocket is closed, broken, or said something that is not the protocol. The text says which."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to an address that the user did not name."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class _DialledHandler(urllib.request.HTTPHandler):
    """Requests over connections that `dial` makes."""

    def __init__(self, dial: Callable[[], socket.socket]) -> None:
        super().__init__()

        class Connection(http.client.HTTPConnection):
            def connect(self) -> None:
                self.sock = dial()
                self.sock.settimeout(self.timeout)

        self._connection = Connection

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, req)


class JupyterServer:
    """A Jupyter server or Kernel Gateway, by its base URL.

    Args:
        base_url: Where the server is, such as "http://127.0.0.1:8888"; a path in it is kept.
        token: Sent as `Authorization: token …`; in the query instead when `headers` sets `Authorization` for
            something in front of the server.
        headers: Sent with every request and with the websocket's handshake.
        timeout: Seconds that a request may take.
        extra: The extra of this library that installs the websocket client, to be named when it is absent.
        dial: Makes the connections, where the address in `base_url` cannot be reached by itself. Plain HTTP only.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = REST_TIMEOUT,
        extra: str = "docker",
        dial: Callable[[], socket.socket] | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"{base_url!r} is not the address of a Jupyter server; give it as http://host:port or https://host"
            )
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.extra = extra
        self.headers = dict(headers or {})
        self._query: dict[str, str] = {}
        if token and any(name.lower() == "authorization" for name in self.headers):
            self._query["token"] = token
        elif token:
            self.headers["Authorization"] = f"token {token}"
        self.dial = dial
        self.direct = dial is not None or _is_near(parts.hostname)
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if dial is not None:
            handlers.append(_DialledHandler(dial))
        if self.direct:
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def request(self, method: str, path: str, body: Any = None, *, timeout: float | None = None) -> Any:
        """Send a request; return the decoded JSON reply, None when it is empty.

        Raises:
            JupyterServerError: no answer, a status of 300 or more, or a reply that is not JSON.
        """
        url = f"{self.base_url}{path}" + (f"?{urlencode(self._query)}" if self._query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = self.headers if data is None else {**self.headers, "Content-Type": "application/json"}
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        what = f"{method} {self.base_url}{path}"
        try:
            with self._opener.open(request, timeout=timeout or self.timeout) as reply:
                content = reply.read(LARGEST_REPLY + 1)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read(2000).decode("utf-8", "replace").strip()
            message = f"{what} was answered with {error.code} {error.reason}: {text[:500]}"
            raise JupyterServerError(message, error.code) from None
        except Exception as error:  # http.client and ssl raise many kinds
            reason = getattr(error, "reason", None) or error
            raise JupyterServerError(f"{what} failed: {reason}") from error
        if len(content) > LARGEST_REPLY:
            raise JupyterServerError(f"{what} was answered with more than {LARGEST_REPLY:,} bytes")
        if not content.strip():
            return None
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise JupyterServerError(f"{what} was answered with something that is not JSON") from error

    def wait_ready(self, timeout: float, check: Callable[[], None] | None = None) -> None:
        """Wait until the server answers.

        Args:
            timeout: Seconds to wait.
            check: Called between attempts; raises when waiting has become pointless (its container ended).

        Raises:
            JupyterServerError: it did not answer in time, or refused the token.
        """
        deadline = time.monotonic() + timeout
        while True:
            if check is not None:
                check()
            left = deadline - time.monotonic()
            try:
                self.request("GET", "/api", timeout=max(0.5, min(5.0, left)))
                return
            except JupyterServerError as error:
                if error.status in (401, 403):
                    raise
                if left <= 0:
                    raise JupyterServerError(
                        f"the Jupyter server did not answer within {timeout:g} s: {error}", error.status
                    ) from error
            time.sleep(POLL_EVERY)

    def start_kernel(self, name: str | None = None, *, timeout: float = 60.0) -> str:
        """Start a kernel and return its id. `name` is a kernel specification of the server; None: its default."""
        reply = self.request("POST", "/api/kernels", {} if name is None else {"name": name}, timeout=timeout)
        kernel_id = reply.get("id") if isinstance(reply, dict) else None
        if not isinstance(kernel_id, str) or not kernel_id:
            raise JupyterServerError(f"the Jupyter server started a kernel and did not name it: {str(reply)[:200]}")
        return kernel_id

    def kernel(self, kernel_id: str, action: str = "", *, method: str = "POST", timeout: float | None = None) -> Any:
        """Ask something of one kernel: GET it, DELETE it, POST `interrupt` or `restart`."""
        path = f"/api/kernels/{quote(kernel_id, safe='')}"
        return self.request(method, f"{path}/{action}" if action else path, timeout=timeout)

    def open_socket(self, kernel_id: str, session: str, *, timeout: float = 30.0) -> KernelSocket:
        """Connect to the channels of a kernel.

        Raises:
            JupyterServerError: the server refused the connection.
        """
        query = urlencode({"session_id": session, **self._query})
        url = f"ws{self.base_url[4:]}/api/kernels/{quote(kernel_id, safe='')}/channels?{query}"
        try:
            dialled = self.dial() if self.dial is not None else None
        except OSError as error:
            raise JupyterServerError(f"the connection to {self.base_url} failed: {error}") from error
        return KernelSocket(
            url, self.headers, direct=self.direct, timeout=timeout, extra=self.extra, connected=dialled
        )


class KernelSocket:
    """The websocket of one kernel: JSON messages, each with the name of its channel.

    One thread sends and receives. `abort` may be called from another.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        direct: bool,
        timeout: float,
        extra: str,
        connected: socket.socket | None = None,
    ) -> None:
        websocket = require("websocket", extra=extra, needed_for="The client of Jupyter kernels")
        self._timed_out = websocket.WebSocketTimeoutException
        self._opcode = websocket.ABNF
        self._received = 0
        counter = self

        class BoundedWebSocket(websocket.WebSocket):  # type: ignore[name-defined, misc]
            """Counts what a frame brings, as its announced length is read before any limit could be put on it."""

            def _recv(self, bufsize: int) -> Any:
                data = super()._recv(bufsize)
                counter._count(len(data))
                return data

        context = {"context": ssl.create_default_context()} if url.startswith("wss:") else None
        self._socket = BoundedWebSocket(enable_multithread=True, sslopt=context)
        self._parts: list[bytes] = []
        try:
            self._socket.connect(
                url,
                header=dict(headers),
                suppress_origin=True,
                timeout=timeout,
                redirect_limit=0,
                http_no_proxy=["*"] if direct else None,
                socket=connected,
            )
        except Exception as error:  # handshake, socket and ssl errors
            self._socket.shutdown()
            where = url.partition("?")[0]
            raise JupyterServerError(
                f"the connection to {where} failed: {str(error)[:500]}", getattr(error, "status_code", None)
            ) from error

    def _count(self, size: int) -> None:
        self._received += size
        if self._received > LARGEST_MESSAGE:
            raise SocketLostError(f"it said more than {LARGEST_MESSAGE >> 20} MB in one message")

    def send(self, message: Mapping[str, Any], timeout: float) -> None:
        """Send a message.

        Raises:
            SocketLostError: the connection is closed or broken.
        """
        try:
            self._socket.settimeout(timeout)
            self._socket.send(json.dumps(message))
        except Exception as error:
            raise SocketLostError(f"the connection broke: {error}") from error

    def receive(self, timeout: float) -> dict[str, Any] | None:
        """The next message; None when `timeout` seconds pass without one. Answers pings on the way.

        Raises:
            SocketLostError: the connection is closed or broken, or what came is not the protocol.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._socket.settimeout(max(0.0005, deadline - time.monotonic()))
                frame = self._socket.recv_frame()
                if frame.opcode == self._opcode.OPCODE_PING:
                    self._socket.settimeout(5.0)
                    self._socket.pong(frame.data)
                    if time.monotonic() >= deadline:
                        return None
            except self._timed_out:
                return None
            except SocketLostError:
                raise
            except Exception as error:
                raise SocketLostError(f"the connection broke: {error}") from error
            if frame.opcode == self._opcode.OPCODE_CLOSE:
                raise SocketLostError("the server closed the connection")
            if frame.opcode not in (
                self._opcode.OPCODE_TEXT,
                self._opcode.OPCODE_BINARY,
                self._opcode.OPCODE_CONT,
            ):
                continue
            self._parts.append(frame.data)
            if frame.fin:
                data, self._parts, self._received = b"".join(self._parts), [], 0
                return _decoded(data)

    def acknowledge(self) -> None:
        """Send an empty pong, so that what was received is acknowledged at once.

        Jupyter servers leave Nagle's algorithm on: a reply waits until the message before it is acknowledged, and
        this side's kernel takes 40 ms for that when it has nothing to send. Seen: 46 ms a cell without, 4 ms with.

        Raises:
            SocketLostError: the connection is closed or broken.
        """
        try:
            self._socket.settimeout(5.0)
            self._socket.pong(b"")
        except Exception as error:
            raise SocketLostError(f"the connection broke: {error}") from error

    def abort(self) -> None:
        """Cut the connection, from any thread: who waits in `receive` gets a `SocketLostError`."""
        self._socket.abort()

    def close(self) -> None:
        self._socket.shutdown()


def _decoded(data: bytes) -> dict[str, Any]:
    """A message, with the members that the protocol promises; others would be looked up in vain all over."""
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        raise SocketLostError("it said something that is not JSON") from None
    if not isinstance(message, dict):
        raise SocketLostError("it said something that is not a message")
    for member in ("header", "parent_header", "content"):
        if not isinstance(message.get(member), dict):
            message[member] = {}
    return message


def _is_near(host: str) -> bool:
    """True for this machine and private networks, which no proxy leads to."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_private or address.is_loopback
