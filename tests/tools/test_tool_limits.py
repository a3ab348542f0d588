"""Timeouts, retries, kept results and progress of tools."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import io
import pickle
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolagents import AgentLogger, CodeAgent, Tool, ToolCallingAgent, tool
from smolagents.testing import ScriptedModel
from smolagents.tools import ToolTimeoutError, get_tools_definition_code, on_progress, report_progress
from smolagents.tools.interruption import current_interrupt, interruptible_sleep
from smolagents.tools.results_cache import key_of
from smolagents.types.errors import AgentInterruptedError

# Time limits


def test_a_synchronous_tool_out_of_time_is_asked_to_stop_and_the_model_is_told() -> None:
    stopped = threading.Event()

    @tool(timeout=0.1, retries=3)
    def wait(seconds: float) -> str:
        """Waits.

        Args:
            seconds: How long.
        """
        try:
            interruptible_sleep(seconds)
        except AgentInterruptedError:
            stopped.set()
        return "done"

    assert wait(0.0) == "done"
    started = time.monotonic()
    with pytest.raises(
        ToolTimeoutError, match=r"'wait' took longer than its limit of 0\.1 seconds.*may still go on"
    ) as caught:
        wait(60.0)
    assert time.monotonic() - started < 5  # and was not tried again beside the one that goes on
    assert caught.value.still_running
    assert stopped.wait(5)
    replies = [
        '{"name": "wait", "arguments": {"seconds": 60}}',
        '{"name": "final_answer", "arguments": {"answer": 1}}',
    ]
    agent = ToolCallingAgent([wait], ScriptedModel(replies), verbosity_level=-1)
    agent.run("Wait.")
    assert "ToolTimeoutError: The tool 'wait' took longer" in str(agent.memory.steps[1].error)


def test_an_asynchronous_tool_out_of_time_is_stopped() -> None:
    stopped: list[str] = []

    class Wait(Tool):
        name = "wait"
        description = "Waits."
        inputs = {}
        output_type = "string"
        timeout = 0.1

        async def forward(self) -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                stopped.append("stopped")
                raise
            return "done"

    with pytest.raises(ToolTimeoutError, match=r"limit of 0\.1 seconds\. It was stopped\."):
        Wait()()
    with pytest.raises(ToolTimeoutError):
        asyncio.run(Wait().acall())
    assert stopped == ["stopped", "stopped"]


def test_a_tool_s_own_timeout_error_is_passed_on() -> None:
    @tool(timeout=30)
    async def fails() -> str:
        """Fails."""
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        fails()


def test_an_interruption_does_not_wait_for_the_time_to_be_over() -> None:
    @tool(timeout=60)
    def wait() -> str:
        """Waits."""
        time.sleep(2)  # a tool that does not look
        return "done"

    token = threading.Event()
    threading.Timer(0.05, token.set).start()
    reset = current_interrupt.set(token)
    started = time.monotonic()
    try:
        with pytest.raises(AgentInterruptedError):
            wait()
    finally:
        current_interrupt.reset(reset)
    assert time.monotonic() - started < 1.5


# Retries


def failing(times: int, **options: Any) -> tuple[Tool, list[int]]:
    calls: list[int] = []

    @tool(**options)
    def fragile(text: str) -> str:
        """Fails at first.

        Args:
            text: A text.
        """
        calls.append(1)
        if len(calls) <= times:
            raise ConnectionError(f"failure {len(calls)}")
        return text

    return fragile, calls


def test_a_call_that_fails_is_made_again_as_often_as_said() -> None:
    fragile, calls = failing(2, retries=2)
    assert fragile("x") == "x"
    assert len(calls) == 3
    fragile, calls = failing(2, retries=1)
    with pytest.raises(ConnectionError, match="failure 2"):
        fragile("x")
    assert len(calls) == 2
    fragile, calls = failing(1)
    with pytest.raises(ConnectionError, match="failure 1"):
        fragile("x")


def test_asynchronous_calls_are_made_again_too_after_a_timeout_as_well() -> None:
    calls: list[int] = []

    @tool(retries=1, timeout=0.1)
    async def slow_at_first() -> int:
        """Is slow at first."""
        calls.append(1)
        if len(calls) == 1:
            await asyncio.sleep(60)
        return len(calls)

    assert asyncio.run(slow_at_first.acall()) == 2


# Kept results


def test_results_are_kept_by_typed_arguments_and_nobody_changes_another_s() -> None:
    calls: list[Any] = []

    @tool(cache=2)
    def listed(value: Any, more: int = 0) -> list[Any]:
        """Makes a list.

        Args:
            value: A value.
            more: A number.
        """
        calls.append(value)
        return [value]

    first = listed(1)
    first.append("changed")
    assert listed(value=1) == listed(1) == [1]
    assert calls == [1]
    assert listed(1.0) == [1.0]
    assert listed(True) == [True]  # and the first one, not asked for the longest, goes
    assert [type(value) for value in calls] == [int, float, bool]
    listed(1)
    assert len(calls) == 4
    unknown = object()
    assert listed(unknown) == listed(unknown) == [unknown]
    assert len(calls) == 6


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_keys_of_equal_arguments_are_equal(value: Any) -> None:
    assert key_of(value) == key_of(copy.deepcopy(value))
    assert hash(key_of(value)) == hash(key_of(copy.deepcopy(value)))
    assert key_of(value) != key_of([value])


def test_failures_are_not_kept() -> None:
    fragile, calls = failing(1, cache=True)
    with pytest.raises(ConnectionError):
        fragile("x")
    assert fragile("x") == fragile("x") == "x"
    assert len(calls) == 2


def test_threads_that_ask_the_same_at_the_same_time_share_one_call() -> None:
    calls: list[str] = []
    begun, go = threading.Event(), threading.Event()

    @tool(cache=True)
    def work(text: str) -> str:
        """Works.

        Args:
            text: A text.
        """
        calls.append(text)
        begun.set()
        assert go.wait(20)
        return text.upper()

    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(work("a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert begun.wait(20)
    go.set()
    for thread in threads:
        thread.join(20)
    assert results == ["A"] * 8
    assert calls == ["a"]


def test_tasks_share_one_call_and_survive_that_it_is_cancelled() -> None:
    calls: list[str] = []

    @tool(cache=True)
    async def work(text: str) -> str:
        """Works.

        Args:
            text: A text.
        """
        calls.append(text)
        await asyncio.sleep(0.05)
        return text.upper()

    async def main() -> None:
        assert await asyncio.gather(*(work.acall("a") for _ in range(8))) == ["A"] * 8
        assert calls == ["a"]
        first = asyncio.ensure_future(work.acall("b"))
        await asyncio.sleep(0)
        others = [asyncio.ensure_future(work.acall("b")) for _ in range(3)]
        await asyncio.sleep(0)
        first.cancel()
        others[0].cancel()
        assert await asyncio.gather(*others[1:]) == ["B", "B"]
        assert first.cancelled()
        assert calls == ["a", "b", "b"]

    asyncio.run(main())


# How they are given


class Adding(Tool):
    name = "adding"
    description = "Adds."
    inputs = {"number": {"type": "integer", "description": "A number."}}
    output_type = "integer"
    retries = 1

    def __init__(self, plus: int = 0) -> None:
        super().__init__()
        self.plus = plus

    def forward(self, number: int) -> int:
        return number + self.plus


def test_limits_are_class_attributes_constructor_arguments_and_can_be_set_later() -> None:
    made = Adding(2, timeout=3, cache=True)
    assert (made.timeout, made.retries, made.cache, made.plus) == (3, 1, True, 2)
    assert made(1) == 3
    assert (Adding.timeout, Adding().timeout, Adding().cache) == (None, None, False)
    assert Adding().limit(timeout=5).timeout == 5
    with pytest.raises(TypeError, match="not 'speed'"):
        Adding().limit(speed=5)
    with pytest.raises(TypeError, match="not 'speed'"):
        tool(speed=5)(lambda: 1)


@pytest.mark.parametrize(
    "options", [{"timeout": 0}, {"timeout": "5"}, {"retries": -1}, {"retries": 1.5}, {"cache": -1}]
)
def test_what_cannot_be_a_limit_is_refused(options: dict[str, Any]) -> None:
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=rf"{name} must be .*not {value!r}"):
        Adding(**options)


def test_an_attribute_that_a_tool_sets_on_itself_is_its_own_affair() -> None:
    class Own(Adding):
        def __init__(self, timeout: str = "soon") -> None:
            super().__init__()
            self.timeout = timeout
            self.cache = {"mine": 1}

    assert Own("now")(1) == 1
    assert Own("now").timeout == "now"


@tool(timeout=7, cache=True)
def doubled(number: int) -> int:
    """Doubles.

    Args:
        number: A number.
    """
    return number * 2


def test_limits_travel_with_the_tool() -> None:
    again = Tool.from_dict(doubled.to_dict())
    assert (again.timeout, again.cache, again(2)) == (7, True, 4)
    made = Adding(2, timeout=3)
    for other in (Tool.from_dict(made.to_dict()), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert (other.timeout, other.plus, other(1)) == (3, 2, 3)
    assert pickle.loads(pickle.dumps(doubled))(3) == 6
    space: dict[str, Any] = {}
    exec(get_tools_definition_code({"doubled": doubled, "adding": made, "counted": counted}), space)
    assert (space["doubled"](2), space["adding"](1), space["counted"](2)) == (4, 3, "counted 2")
    agent = CodeAgent([made, doubled], ScriptedModel([]), verbosity_level=-1)
    loaded = CodeAgent.from_dict(agent.to_dict(), model=ScriptedModel([]))
    assert (loaded.tools["adding"].timeout, loaded.tools["doubled"].timeout) == (3, 7)


# Progress


@tool
def counted(to: int) -> Generator[str, None, str]:
    """Counts.

    Args:
        to: How far.
    """
    for number in range(to):
        yield f"{number + 1} of {to}"
    return f"counted {to}"


@tool
def squares(to: int) -> Iterator[int]:
    """Lists squares.

    Args:
        to: How far.
    """
    for number in range(to):
        yield number**2


@tool
async def acounted(to: int) -> AsyncIterator[str]:
    """Counts.

    Args:
        to: How far.
    """
    for number in range(to):
        yield f"{number + 1} of {to}"
    yield f"counted {to}"


def test_generators_tell_of_progress_and_return_a_result() -> None:
    told: list[tuple[str, Any]] = []
    assert (counted.output_type, squares.output_type, acounted.output_type) == ("string", "array", "string")
    with on_progress(lambda progress: told.append((progress.tool, progress.value))):
        assert counted(2) == acounted(2) == "counted 2"
        assert squares(3) == [0, 1, 4]
        assert asyncio.run(acounted.acall(1)) == asyncio.run(counted.acall(1)) == "counted 1"
    steps = [("counted", "1 of 2"), ("counted", "2 of 2")]
    asteps = [("acounted", "1 of 2"), ("acounted", "2 of 2")]
    assert told == [
        *steps,
        *asteps,
        *[("squares", number) for number in (0, 1, 4)],
        ("acounted", "1 of 1"),
        ("counted", "1 of 1"),
    ]
    assert counted(2) == "counted 2"
    assert counted.limit(timeout=None)(1) == "counted 1"


def test_a_generator_is_closed_when_the_run_is_interrupted() -> None:
    closed = threading.Event()
    token = threading.Event()

    @tool
    def endless() -> Generator[int, None, str]:
        """Never ends."""
        try:
            while True:
                token.set()
                yield 1
        finally:
            closed.set()
        return "never"

    reset = current_interrupt.set(token)
    try:
        with pytest.raises(AgentInterruptedError):
            endless()
    finally:
        current_interrupt.reset(reset)
    assert closed.is_set()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", ["code", "calls"])
def test_a_run_passes_progress_on_and_shows_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    monkeypatch.delenv("CI", raising=False)  # where nothing is shown that moves
    screen = _Terminal()
    console = Console(file=screen, force_terminal=True, width=100)
    told: list[Any] = []
    shown = threading.Event()

    @tool
    def load() -> str:
        """Loads."""
        report_progress("load", "3 of 10 files")
        deadline = time.monotonic() + 10
        while "3 of 10 files" not in screen.getvalue() and time.monotonic() < deadline:
            shown.wait(0.02)
        return "loaded"

    logger = AgentLogger(console=console)
    agent: Any
    if kind == "code":
        agent = CodeAgent([load], ScriptedModel(["<code>final_answer(load())</code>"]), logger=logger)
    else:
        replies = ['{"name": "load", "arguments": {}}', '{"name": "final_answer", "arguments": {"answer": "loaded"}}']
        agent = ToolCallingAgent([load], ScriptedModel(replies), logger=logger)
    with on_progress(lambda progress: told.append(dataclasses.astuple(progress))):
        assert agent.run("Load.") == "loaded"
    assert told == [("load", "3 of 10 files")]
    assert "3 of 10 files" in screen.getvalue()


def test_tools_without_limits_cost_what_they_did() -> None:
    assert Adding.__new__(Adding)._limits is None
    assert doubled._limits is not None
    assert squares._limits is None
