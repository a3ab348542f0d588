"""Asynchronous tools, and tools in asynchronous programs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from smolagents.tools import FinalAnswerTool, Tool, tool
from smolagents.tools.base import host_loop
from smolagents.tools.interruption import check_interrupt, current_interrupt, interrupted, interruptible_sleep
from smolagents.types.errors import AgentInterruptedError


@tool
async def where() -> list:
    """Tells on which thread it runs."""
    await asyncio.sleep(0)
    return [threading.get_ident(), id(asyncio.get_running_loop())]


class Slow(Tool):
    name = "slow"
    description = "Waits."
    inputs = {}
    output_type = "string"

    async def forward(self) -> str:
        await asyncio.sleep(60)
        return "done"


def test_async_tools_say_so():
    assert where.is_async
    assert Slow().is_async
    assert not FinalAnswerTool().is_async


def test_without_a_loop_an_async_tool_runs_to_its_end():
    assert where()[0] == threading.get_ident()


def test_inside_a_loop_it_is_awaited_and_a_plain_call_says_how():
    async def main():
        with pytest.raises(RuntimeError, match=r"await where\.acall"):
            where()
        return await where.acall(), await FinalAnswerTool().acall(answer=3)

    (thread, _), answer = asyncio.run(main())
    assert thread == threading.get_ident()
    assert answer == 3


def test_from_a_worker_thread_it_runs_on_the_loop_of_the_run():
    async def main():
        host_loop.set(asyncio.get_running_loop())
        found = await asyncio.to_thread(where)
        return found, [threading.get_ident(), id(asyncio.get_running_loop())]

    found, expected = asyncio.run(main())
    assert found == expected


def test_a_sync_tool_does_not_block_the_loop():
    started, released = threading.Event(), threading.Event()

    @tool
    def wait() -> bool:
        """Waits."""
        started.set()
        return released.wait(5)

    async def main():
        call = asyncio.ensure_future(wait.acall())
        while not started.is_set():
            await asyncio.sleep(0.001)
        released.set()
        return await call

    assert asyncio.run(main()) is True


@pytest.mark.parametrize("hosted", [False, True])
def test_an_interrupt_reaches_an_async_tool_that_waits(hosted):
    token = threading.Event()
    threading.Timer(0.05, token.set).start()

    def call():
        with pytest.raises(AgentInterruptedError):
            Slow()()

    async def main():
        host_loop.set(asyncio.get_running_loop() if hosted else None)
        current_interrupt.set(token)
        await asyncio.to_thread(call)

    asyncio.run(asyncio.wait_for(main(), 10))


def test_a_tool_can_ask_whether_its_run_was_interrupted():
    assert not interrupted()
    check_interrupt()
    interruptible_sleep(0.001)
    token = threading.Event()
    reset = current_interrupt.set(token)
    try:
        interruptible_sleep(0.001)
        token.set()
        assert interrupted()
        with pytest.raises(AgentInterruptedError):
            check_interrupt()
        with pytest.raises(AgentInterruptedError):
            interruptible_sleep(60)
    finally:
        current_interrupt.reset(reset)
