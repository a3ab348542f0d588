"""The connection to one server: made, kept, made again when it is lost. Runs on the client's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import mcp
from mcp import types

from smolagents.tools.mcp.background import BackgroundLoop
from smolagents.tools.mcp.elicitation import ElicitationRequest, ask_handler
from smolagents.tools.mcp.errors import MCPConnectionError, MCPTimeoutError, MCPToolError
from smolagents.tools.mcp.failures import explain, never_arrived
from smolagents.tools.mcp.servers import Diagnosis, Server, open_transport

__all__ = ["Connection", "Listing", "MCPProgress", "Options", "pages"]

T = TypeVar("T")

_log = logging.getLogger("smolagents.mcp")

_FIRST_DELAY, _LONGEST_DELAY = 0.2, 30.0
"""Seconds before the first and at most before any attempt to connect again; each delay is twice the one before."""
_LISTEN_AGAIN = 5.0
"""Seconds before a stream of changes that ended is asked for again."""
_MOST_PAGES = 1_000
_CHANGED = (
    types.ToolListChangedNotification,
    types.PromptListChangedNotification,
    types.ResourceListChangedNotification,
)


@dataclass(frozen=True)
class MCPProgress:
    """How far a call is, as its server reports it."""

    server: str
    tool: str
    progress: float
    total: float | None
    message: str | None


@dataclass(frozen=True)
class Options:
    """What holds for all connections of a client; a server may have times of its own."""

    timeout: float | None
    connect_timeout: float
    reconnect_attempts: int
    resources: bool
    prompts: bool
    on_elicitation: Callable[[ElicitationRequest], Any] | None
    on_progress: Callable[[MCPProgress], Any] | None


@dataclass
class Listing:
    """What a server offers."""

    tools: list[Any] = field(default_factory=list)
    prompts: list[Any] = field(default_factory=list)
    resources: bool = False
    """Whether it has resources to list and read."""


class Connection:
    """One server, through all the connections that are made to it.

    Args:
        server: How to reach it.
        options: What holds for all servers of the client.
        on_change: Called on the event loop whenever what the server offers has changed.
    """

    def __init__(self, server: Server, options: Options, on_change: Callable[[], None]) -> None:
        self.server = server
        self.options = options
        self.name = server.label
        self.listing = Listing()
        self.background: BackgroundLoop | None = None
        self._on_change = on_change
        self._client: mcp.Client | None = None
        self._diagnosis = Diagnosis()
        self._stop = asyncio.Event()
        self._broken = asyncio.Event()
        self._changed = asyncio.Event()
        self._wanted = asyncio.Event()
        self._ended: asyncio.Future[BaseException | None] | None = None
        self._waiting: list[asyncio.Future[mcp.Client]] = []
        self._asking, self._asked, self._asking_since = 0, 0.0, 0.0

    @property
    def timeout(self) -> float | None:
        """Seconds that a call may go without a sign of life."""
        return self.options.timeout if self.server.timeout is None else self.server.timeout

    @property
    def connect_timeout(self) -> float:
        return self.server.connect_timeout or self.options.connect_timeout

    @property
    def is_connected(self) -> bool:
        return self._client is not None

    # Made, kept, made again

    async def start(self) -> None:
        """Connect for the first time. The connection is then kept until `stop`.

        Raises:
            MCPConnectionError: it failed; the message says why, as far as can be told.
        """
        # An event belongs to the loop that first waits for it, and after a disconnection there is a new one.
        self._stop, self._broken = asyncio.Event(), asyncio.Event()
        self._changed, self._wanted = asyncio.Event(), asyncio.Event()
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.ensure_future(self._serve(first))
        try:
            await first
        except BaseException:
            self._stop.set()
            self._task.cancel()
            raise

    async def stop(self) -> None:
        """End the connection, and the server if it was started as a program."""
        self._stop.set()
        task = getattr(self, "_task", None)
        if task is not None:
            await asyncio.wait({task})

    async def _serve(self, first: asyncio.Future[None]) -> None:
        attempt = 0
        while not self._stop.is_set():
            reason: BaseException | None = None
            connected = False
            self._diagnosis = diagnosis = Diagnosis()
            self._broken.clear()
            self._ended = asyncio.get_running_loop().create_future()
            try:
                with anyio.fail_after(self.connect_timeout) as limit:
                    transport = open_transport(self.server, diagnosis, self._broken.set)
                    async with self._make_client(transport) as client:
                        client.session.validate_tool_result = _validated_elsewhere  # type: ignore[method-assign]
                        self.name = self.server.name or getattr(client.server_info, "name", None) or self.server.label
                        self.listing = await self._listed(client)
                        limit.deadline = math.inf
                        connected, again, attempt = True, first.done(), 0
                        self._client = client
                        self._answer_waiting(client)
                        if again:
                            self._on_change()
                        else:
                            first.set_result(None)
                        await self._stay(client)
            except asyncio.CancelledError as error:
                reason = error
                if self._stop.is_set() or not connected:
                    if not first.done():
                        first.cancel()
                    raise
            except BaseException as error:
                reason = error
            finally:
                self._client = None
                if not self._ended.done():
                    self._ended.set_result(reason)
            if self._stop.is_set():
                break
            failure = explain(self.server, reason, diagnosis, self.connect_timeout)
            if not first.done():
                first.set_exception(failure)
                return
            _log.warning("MCP server %s: %s", self.name, failure)
            attempt += 1
            await self._pause(attempt, failure)
        self._answer_waiting(MCPConnectionError(f"The MCP client is disconnected from '{self.name}'. Connect again."))

    async def _pause(self, attempt: int, failure: MCPConnectionError) -> None:
        """Wait before the next attempt; when there were enough of them, until somebody asks for one."""
        self._wanted.clear()
        if attempt > self.options.reconnect_attempts:
            self._answer_waiting(failure)
            await self._first_of(self._stop, self._wanted)
            return
        delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stop.wait(), 0.0 if attempt == 1 and self._waiting else delay)

    def _make_client(self, transport: Any) -> mcp.Client:
        from smolagents import __version__

        return mcp.Client(
            transport,
            client_info=types.Implementation(name="smolagents", version=__version__),
            elicitation_callback=self._elicit if self.options.on_elicitation is not None else None,
            message_handler=self._notice,
            mode=self.server.protocol,
            cache=None,
        )

    async def _stay(self, client: mcp.Client) -> None:
        """Keep what the server offers up to date until the connection breaks or is to end."""
        helpers = [asyncio.ensure_future(self._refresh(client))]
        capability = client.server_capabilities.tools
        if _is_modern(client) and capability is not None and capability.list_changed:
            helpers.append(asyncio.ensure_future(self._listen(client)))
        try:
            await self._first_of(self._stop, self._broken)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    @staticmethod
    async def _first_of(*events: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    # What the server offers

    async def _listed(self, client: mcp.Client) -> Listing:
        capabilities = client.server_capabilities
        listing = Listing(resources=self.options.resources and capabilities.resources is not None)
        if capabilities.tools is not None or (capabilities.prompts is None and capabilities.resources is None):
            listing.tools = await pages(client.list_tools, "tools")
        if self.options.prompts and capabilities.prompts is not None:
            listing.prompts = await pages(client.list_prompts, "prompts")
        return listing

    async def _notice(self, message: Any) -> None:
        if isinstance(message, _CHANGED):
            self._changed.set()

    async def _listen(self, client: mcp.Client) -> None:
        """Wait for changes on servers that tell of them only on a stream that was asked for."""
        while True:
            with contextlib.suppress(mcp.MCPError, RuntimeError, TimeoutError):
                async with client.listen(tools_list_changed=True, prompts_list_changed=True) as events:
                    async for _ in events:
                        self._changed.set()
            await asyncio.sleep(_LISTEN_AGAIN)
            self._changed.set()  # what came in between is not told

    async def _refresh(self, client: mcp.Client) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                self.listing = await self._listed(client)
            except (mcp.MCPError, ValueError) as error:
                _log.warning("MCP server %s: what it offers could not be listed again: %s", self.name, error)
                continue
            self._on_change()

    # Calls

    async def call(
        self,
        send: Callable[[mcp.Client, Callable[..., Awaitable[None]]], Awaitable[T]],
        what: str,
        on_progress: Callable[[float, float | None, str | None], Any] | None = None,
    ) -> T:
        """Have the server do something.

        Args:
            send: Sends the request, given the connection and what to call on progress.
            what: What is done, for errors, such as "tool 'search'".
            on_progress: Told of the progress.

        Raises:
            MCPTimeoutError: no answer and no sign of life for as long as `timeout` says; the server is told to stop.
            MCPConnectionError: there is no connection, or it was lost before the answer.
            MCPToolError: the server refused.
        """
        for last_try in (False, True):
            client = await self._connected_client()
            ended, diagnosis = self._ended, self._diagnosis
            diagnosis.status = None
            signs = _Signs(self._asked_seconds)

            async def progress(done: float, total: float | None, message: str | None, signs: _Signs = signs) -> None:
                signs.seen()
                if on_progress is not None:
                    try:
                        on_progress(done, total, message)
                    except Exception:
                        _log.exception("on_progress raised")

            try:
                return await self._within(send(client, progress), signs, what)
            except MCPTimeoutError:
                raise
            except mcp.MCPError as error:
                lost = error.code == types.jsonrpc.CONNECTION_CLOSED
                # Servers from before 2026 keep sessions, and answer 404 once they have forgotten one.
                expired = not _is_modern(client) and (diagnosis.status or "").startswith("404")
                if not lost and not expired:
                    raise MCPToolError(self._refusal(error, what, diagnosis)) from error
                self._broken.set()
                cause = await self._reason(ended)
                if last_try or not (expired or never_arrived(cause)):
                    failure = explain(self.server, cause, diagnosis, self.connect_timeout)
                    raise MCPConnectionError(
                        f"The connection to '{self.name}' was lost during the call of {what}; "
                        f"whether it was carried out is not known. {failure}"
                    ) from error
            except (ValueError, RuntimeError) as error:
                # What is wrong with the shape of an answer.
                raise MCPToolError(f"The answer of '{self.name}' to {what} cannot be read: {error}") from error
        raise AssertionError("the second try returns or raises")

    def _refusal(self, error: mcp.MCPError, what: str, diagnosis: Diagnosis) -> str:
        status = f" (HTTP {diagnosis.status})" if diagnosis.status else ""
        return f"The server '{self.name}' refused {what}: {error.message}{status}"

    @staticmethod
    async def _reason(ended: asyncio.Future[BaseException | None] | None) -> BaseException | None:
        if ended is None:
            return None
        done, _ = await asyncio.wait({ended}, timeout=10)
        return ended.result() if done else None

    async def _connected_client(self) -> mcp.Client:
        client = self._client
        if client is not None and not self._broken.is_set():
            return client
        if self._stop.is_set() or self.background is None or not self.background.is_running:
            raise MCPConnectionError(f"The MCP client is disconnected from '{self.name}'. Connect again.")
        waiter: asyncio.Future[mcp.Client] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._wanted.set()
        try:
            return await asyncio.wait_for(waiter, self.connect_timeout)
        except asyncio.TimeoutError:
            raise MCPConnectionError(
                f"The connection to '{self.name}' ({self.server.address}) was lost, and could not be made again "
                f"within {self.connect_timeout:g} s. {self._diagnosis.last_words()}".rstrip()
            ) from None

    def _answer_waiting(self, answer: mcp.Client | Exception) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if waiter.done():
                continue
            if isinstance(answer, Exception):
                waiter.set_exception(answer)
            else:
                waiter.set_result(answer)

    async def _within(self, work: Awaitable[T], signs: _Signs, what: str) -> T:
        """Await work as long as the server gives signs of life; time in which the user is asked does not count."""
        task = asyncio.ensure_future(work)
        try:
            while True:
                left = None if self.timeout is None else signs.left(self.timeout, self._asked_seconds)
                if left is not None and left <= 0:
                    raise MCPTimeoutError(f"The server '{self.name}' did not answer {what} within {self.timeout:g} s.")
                done, _ = await asyncio.wait({task}, timeout=left)
                if done:
                    return task.result()
        finally:
            if not task.done():
                task.cancel()  # the SDK then tells the server
                await asyncio.wait({task}, timeout=5)

    # Questions for the user

    @property
    def _asked_seconds(self) -> float:
        """Seconds that the user was being asked so far."""
        return self._asked + (time.monotonic() - self._asking_since if self._asking else 0.0)

    @contextlib.contextmanager
    def _asks(self) -> Iterator[None]:
        if not self._asking:
            self._asking_since = time.monotonic()
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            if not self._asking:
                self._asked += time.monotonic() - self._asking_since

    async def _elicit(self, context: Any, params: Any) -> types.ElicitResult:
        handler = self.options.on_elicitation
        assert handler is not None
        request = ElicitationRequest(
            server=self.name,
            message=params.message,
            schema=getattr(params, "requested_schema", None),
            url=getattr(params, "url", None),
        )
        with self._asks():
            action, content = await ask_handler(handler, request)
        return types.ElicitResult(action=action, content=content)  # type: ignore[arg-type]


class _Signs:
    """When a call last showed that it is alive."""

    def __init__(self, asked: float) -> None:
        self._asked = asked
        self._last = time.monotonic()

    def seen(self) -> None:
        self._last = time.monotonic()

    def left(self, timeout: float, asked: float) -> float:
        """Seconds until the call counts as dead.

        Args:
            timeout: Seconds that it may be silent.
            asked: Seconds that the user was being asked so far, which do not count as silence.
        """
        return self._last + timeout + (asked - self._asked) - time.monotonic()


async def _validated_elsewhere(name: str, result: types.CallToolResult) -> None:
    """Stands in for the SDK's check of structured content, which tools make themselves against what they declare.

    The SDK takes a server's schema as it is. One with references that multiply, or a pattern that backtracks, would
    keep the event loop busy for ever, and with it the connections to all other servers.
    """


def _is_modern(client: mcp.Client) -> bool:
    return client.protocol_version in types.version.MODERN_PROTOCOL_VERSIONS


async def pages(list_page: Callable[..., Awaitable[Any]], attribute: str) -> list[Any]:
    """All entries of a listing that comes in pages.

    Raises:
        ValueError: it has so many that it may have no end.
    """
    found: list[Any] = []
    cursors: set[str] = set()
    cursor: str | None = None
    while True:
        page = await list_page(cursor=cursor)
        found.extend(getattr(page, attribute))
        cursor = page.next_cursor
        if cursor is None or cursor in cursors:
            return found
        if len(cursors) == _MOST_PAGES:
            raise ValueError(f"its list of {attribute} does not end: it has more than {_MOST_PAGES} pages")
        cursors.add(cursor)
