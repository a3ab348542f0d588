"""Timeouts, retries and kept results hold for tools of every source."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smolagents import Tool, tool
from smolagents.tools import PipelineTool, ToolTimeoutError
from smolagents.tools.interruption import interruptible_sleep


class Work:
    """What a tool does: it fails twice, takes a minute, or answers, as it is told. It remembers its calls."""

    failure: type[Exception] = ConnectionError

    def __init__(self) -> None:
        self.calls: list[str] = []

    def begin(self, text: str) -> str:
        self.calls.append(text)
        if text == "fragile" and self.calls.count(text) < 3:
            raise self.failure("not yet")
        return text.upper()

    def do(self, text: str) -> str:
        answer = self.begin(text)
        if text == "slow":
            interruptible_sleep(60)
        return answer

    async def ado(self, text: str) -> str:
        answer = self.begin(text)
        if text == "slow":
            await asyncio.sleep(60)
        return answer


class Described(Tool):
    name = "shout"
    description = "Shouts."
    inputs = {"text": {"type": "string", "description": "What."}}
    output_type = "string"
    work = Work()


def of_function(work: Work) -> Tool:
    @tool
    def shout(text: str) -> str:
        """Shouts.

        Args:
            text: What.
        """
        return work.do(text)

    return shout


def of_coroutine(work: Work) -> Tool:
    @tool
    async def shout(text: str) -> str:
        """Shouts.

        Args:
            text: What.
        """
        return await work.ado(text)

    return shout


def of_class(work: Work) -> Tool:
    class Shout(Described):
        def forward(self, text: str) -> str:
            return work.do(text)

    return Shout()


def of_class_with_its_own_call(work: Work) -> Tool:
    class Shout(Described):
        def forward(self, text: str) -> str:
            raise AssertionError("not used")

        def __call__(self, text: str, sanitize_inputs_outputs: bool = False) -> str:
            return work.do(text)

    return Shout()


def of_class_that_adds_to_the_call(work: Work) -> Tool:
    class Shout(Described):
        def forward(self, text: str) -> str:
            return work.do(text)

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return super().__call__(*args, **kwargs)

    class Louder(Shout):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return super().__call__(*args, **kwargs)

    return Louder()


def of_pipeline(work: Work) -> Tool:
    class Shout(PipelineTool):
        name = "shout"
        description = "Shouts."
        inputs = {"text": {"type": "string", "description": "What."}}
        output_type = "string"

        def encode(self, text: str) -> dict[str, str]:
            return {"text": text}

    return Shout(model=work.do, pre_processor=str, post_processor=str)


def of_langchain(work: Work) -> Tool:
    langchain = pytest.importorskip("langchain_core.tools")

    @langchain.tool
    def shout(text: str) -> str:
        """Shouts."""
        return work.do(text)

    return Tool.from_langchain(shout)


def of_langchain_coroutine(work: Work) -> Tool:
    langchain = pytest.importorskip("langchain_core.tools")

    @langchain.tool
    async def shout(text: str) -> str:
        """Shouts."""
        return await work.ado(text)

    return Tool.from_langchain(shout)


def of_object(work: Work) -> Tool:
    class Shout:
        name = "shout"
        description = "Shouts."

        def run(self, text: str) -> str:
            return work.do(text)

    return Tool.from_gradio(Shout())


LOCAL: list[Callable[[Work], Tool]] = [
    of_function,
    of_coroutine,
    of_class,
    of_class_with_its_own_call,
    of_class_that_adds_to_the_call,
    of_pipeline,
    of_langchain,
    of_langchain_coroutine,
    of_object,
]


@contextlib.contextmanager
def mcp_tool(work: Work) -> Iterator[Tool]:
    """A tool of a server that runs in this process, behind a port."""
    pytest.importorskip("mcp")
    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError

    from smolagents import MCPClient
    from support.mcp_hosts import HttpServer

    work.failure = ToolError  # of other exceptions, the client is not told what they say
    server = MCPServer("shouting")
    server.add_tool(work.ado, name="shout", description="Shouts.", structured_output=False)
    host = HttpServer(server.streamable_http_app, "/mcp")
    try:
        with MCPClient(host.url) as tools:
            yield tools[0]
    finally:
        host.stop()


@pytest.fixture(params=[*LOCAL, mcp_tool], ids=lambda make: make.__name__)
def source(request: Any) -> Iterator[tuple[Tool, Work]]:
    work = Work()
    if request.param is mcp_tool:
        with mcp_tool(work) as found:
            yield found, work
    else:
        yield request.param(work), work


def test_a_call_that_fails_is_made_again(source: tuple[Tool, Work]) -> None:
    shout, work = source
    with pytest.raises(Exception, match="not yet"):
        shout("fragile")
    shout.limit(retries=1)
    assert shout("fragile") == "FRAGILE"
    assert work.calls == ["fragile"] * 3


def test_a_result_is_kept(source: tuple[Tool, Work]) -> None:
    shout, work = source
    assert shout("a") == shout("a") == "A"
    shout.limit(cache=True)
    assert shout("b") == shout("b") == asyncio.run(shout.acall("b")) == "B"
    assert work.calls == ["a", "a", "b"]


def test_a_call_that_is_out_of_time_ends(source: tuple[Tool, Work]) -> None:
    shout, work = source
    started = time.monotonic()
    shout.limit(timeout=0.2, retries=1 if shout.is_async else 3)
    with pytest.raises(ToolTimeoutError, match=r"'shout' took longer than its limit of 0\.2 seconds"):
        shout("slow")
    attempts = len(work.calls)
    assert attempts == (2 if shout.is_async else 1)  # one that goes on in its thread is not tried again beside it
    with pytest.raises(ToolTimeoutError):
        asyncio.run(shout.acall("slow"))
    assert len(work.calls) == 2 * attempts
    assert time.monotonic() - started < 20
