"""A session with a worker: time, interruption, what tools may do, and what is left when something goes wrong."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time

import pytest

from smolagents.executors.errors import (
    ExecutionInterruptedError,
    ExecutionTimeoutError,
    SessionLostError,
    WorkerLostError,
)
from smolagents.executors.remote import session as session_module
from smolagents.executors.remote.connection import Connection
from smolagents.executors.worker.values import CannotCrossError
from smolagents.remote_executors import RemotePythonExecutor

CALL = {"op": "call", "id": 1, "name": "tool", "args": [], "kwargs": {}}
DONE = {"op": "done", "value": None}
INTERRUPTED = {"op": "failed", "kind": "interrupted", "type": "KeyboardInterrupt", "text": "KeyboardInterrupt"}


class Worker(Connection):
    """A worker whose part the test plays: `heard` holds what the host sent, `say` answers."""

    def __init__(self):
        self.heard = queue.Queue()
        self.said = queue.Queue()
        self.interrupts = 0
        self.closed = threading.Event()

    def say(self, message):
        self.said.put(json.dumps(message))

    def send(self, message):
        if self.closed.is_set():
            raise WorkerLostError("it was closed")
        self.heard.put(json.loads(message))

    def receive(self, timeout):
        try:
            said = self.said.get(timeout=timeout)
        except queue.Empty:
            return None
        if said is None:
            raise WorkerLostError("it was closed")
        return said

    def interrupt(self):
        self.interrupts += 1

    def close(self):
        if not self.closed.is_set():
            self.closed.set()
            self.said.put(None)


class Interrupted(Worker):
    """One that does as it is told when it is interrupted."""

    def interrupt(self):
        super().interrupt()
        self.say(INTERRUPTED)


class Executor(RemotePythonExecutor):
    def __init__(self, *workers, timeout_seconds=None):
        super().__init__([], timeout_seconds=timeout_seconds)
        self.workers = list(workers)

    def _connect(self):
        return self.workers.pop(0)


class Running:
    """A call of the executor in a thread."""

    def __init__(self, executor, code="code"):
        self._outcome = queue.Queue()
        threading.Thread(target=self._run, args=(executor, code), daemon=True).start()

    def _run(self, executor, code):
        try:
            self._outcome.put(executor(code))
        except BaseException as error:
            self._outcome.put(error)

    def outcome(self):
        return self._outcome.get(timeout=20)


@pytest.fixture
def short_grace(monkeypatch):
    monkeypatch.setattr(session_module, "GRACE_SECONDS", 0.2)


# Time


class Caller(Worker):
    """Calls a tool for ever, and stops when it is told to."""

    def receive(self, timeout):
        last = None
        while not self.heard.empty():
            last = self.heard.get()
        return json.dumps(INTERRUPTED if last == {"op": "interrupt"} else CALL)


def test_code_that_only_calls_tools_reaches_its_time_limit():
    worker = Caller()
    executor = Executor(worker, timeout_seconds=0.2)
    executor.send_tools({"tool": lambda: None})
    with pytest.raises(ExecutionTimeoutError):
        executor("code")
    assert not worker.closed.is_set()  # and keeps its variables


def test_calls_do_not_outlast_the_grace(short_grace):
    class Deaf(Worker):
        def receive(self, timeout):
            return json.dumps(CALL)

    executor = Executor(Deaf(), timeout_seconds=0.1)
    calls = []
    executor.send_tools({"tool": lambda: calls.append(time.monotonic())})
    begun = time.monotonic()
    with pytest.raises(SessionLostError, match="took longer than"):
        executor("code")
    assert time.monotonic() - begun < 10
    assert max(calls) - begun < 5  # no tool is called once the time is over


def test_time_in_tools_is_not_counted():
    worker = Worker()
    executor = Executor(worker, timeout_seconds=0.3)
    executor.send_tools({"tool": lambda: time.sleep(0.5)})
    running = Running(executor)
    worker.say(CALL)
    while worker.heard.get(timeout=20)["op"] != "value":
        pass
    worker.say(DONE)
    assert running.outcome().output is None


# Interruption


def test_an_interruption_while_a_tool_runs_waits_for_it_and_keeps_the_session(short_grace):
    worker = Worker()
    executor = Executor(worker)
    begun, go_on = threading.Event(), threading.Event()
    executor.send_tools({"tool": lambda: (begun.set(), go_on.wait(20))})
    running = Running(executor)
    assert worker.heard.get(timeout=20)["op"] == "run"
    worker.say(CALL)
    assert begun.wait(20)
    executor.interrupt()
    assert not worker.closed.wait(0.5)  # though the grace is over
    go_on.set()
    assert worker.heard.get(timeout=20) == {"op": "interrupt"}
    worker.say(INTERRUPTED)
    assert isinstance(running.outcome(), ExecutionInterruptedError)
    assert not worker.closed.is_set()
    assert worker.interrupts == 0  # it was told once


def test_code_that_ignores_an_interruption_is_ended(short_grace):
    worker = Worker()
    executor = Executor(worker)
    running = Running(executor)
    worker.heard.get(timeout=20)
    while not worker.interrupts:
        executor.interrupt()
    error = running.outcome()
    assert isinstance(error, SessionLostError)
    assert "could not be interrupted, so it was killed" in str(error)
    assert worker.closed.is_set()


def test_an_interruption_never_reaches_the_next_code(short_grace):
    worker = Worker()
    executor = Executor(worker)
    for _ in range(300):
        running = Running(executor)
        worker.heard.get(timeout=20)
        interrupting = threading.Thread(target=executor.interrupt)
        interrupting.start()
        worker.say(DONE)  # at the same moment
        assert not isinstance(running.outcome(), SessionLostError)
        interrupting.join()
    running = Running(executor)
    worker.heard.get(timeout=20)
    assert not worker.closed.wait(0.5)
    worker.say({"op": "done", "value": 7})
    assert running.outcome().output == 7


def test_an_interruption_while_the_session_starts_is_not_lost():
    connecting, go_on = threading.Event(), threading.Event()

    class Slow(Executor):
        def _connect(self):
            connecting.set()
            assert go_on.wait(20)
            return super()._connect()

    worker = Worker()
    executor = Slow(worker)
    executor.send_variables({"a": 1})
    running = Running(executor)
    assert connecting.wait(20)
    executor.interrupt()
    go_on.set()
    assert isinstance(running.outcome(), ExecutionInterruptedError)
    assert worker.heard.empty()
    running = Running(executor)  # and nothing that it was to be sent is lost
    assert worker.heard.get(timeout=20)["variables"] == {"a": 1}
    worker.say(DONE)
    running.outcome()


def test_an_interruption_of_nothing_stops_nothing_later():
    worker = Worker()
    executor = Executor(worker)
    executor.interrupt()
    worker.say(DONE)
    executor("code")
    executor.interrupt()
    worker.say({"op": "done", "value": 7})
    assert executor("code").output == 7


def test_a_cancelled_acall_stops_the_code():
    worker = Interrupted()
    executor = Executor(worker)

    async def main():
        call = asyncio.ensure_future(executor.acall("code"))
        assert (await asyncio.to_thread(worker.heard.get, timeout=20))["op"] == "run"
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        worker.say({"op": "done", "value": 7})
        return await executor.acall("code")

    assert asyncio.run(main()).output == 7
    assert worker.interrupts == 1


# Ctrl-C, and tools that end the program


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_after_a_tool_that_ends_the_program_the_next_code_has_a_fresh_session_and_knows(kind):
    def tool():
        raise kind

    first, second = Worker(), Worker()
    executor = Executor(first, second)
    executor.send_tools({"tool": tool})
    executor.send_variables({"given": 1})
    first.say({**DONE, "names": ["given", "mine"]})
    executor("mine = 1")
    first.say(CALL)
    with pytest.raises(kind):
        executor("tool()")
    assert first.closed.is_set()
    first.say({"op": "done", "value": "of the code before"})
    second.say({"op": "done", "value": 7})
    output = executor("code")
    assert output.output == 7
    assert "these are gone: mine" in output.logs
    assert second.heard.get()["variables"] == {"given": 1}


def test_ctrl_c_while_the_host_waits_ends_the_session():
    class Struck(Worker):
        def receive(self, timeout):
            raise KeyboardInterrupt

    struck, second = Struck(), Worker()
    executor = Executor(struck, second)
    with pytest.raises(KeyboardInterrupt):
        executor("code")
    assert struck.closed.is_set()
    second.say({"op": "done", "value": 7})
    assert executor("code").output == 7


# Tools that come back


@pytest.mark.parametrize(
    "use",
    [
        lambda executor: executor("1"),
        lambda executor: executor.send_variables({"a": 1}),
        lambda executor: executor.send_tools({"b": print}),
        lambda executor: executor.cleanup(),
    ],
)
def test_a_tool_that_uses_the_executor_it_is_called_from_gets_an_error_and_does_not_hang(use):
    worker = Worker()
    executor = Executor(worker)
    executor.send_tools({"tool": lambda: use(executor)})
    running = Running(executor)
    worker.heard.get(timeout=20)
    worker.say(CALL)
    told = worker.heard.get(timeout=20)
    assert told["type"] == "RuntimeError"
    assert "executor of its own" in told["message"]
    worker.say(DONE)
    assert running.outcome().output is None


def test_a_tool_can_interrupt_its_code():
    worker = Worker()
    executor = Executor(worker)
    executor.send_tools({"tool": executor.interrupt})
    running = Running(executor)
    worker.heard.get(timeout=20)
    worker.say(CALL)
    assert worker.heard.get(timeout=20) == {"op": "interrupt"}
    worker.say(INTERRUPTED)
    assert isinstance(running.outcome(), ExecutionInterruptedError)


def test_a_tool_that_is_false_is_called():
    class Empty(list):
        def __call__(self):
            return "called"

    worker = Worker()
    executor = Executor(worker)
    executor.send_tools({"tool": Empty()})
    worker.say(CALL)
    worker.say(DONE)
    executor("code")
    worker.heard.get()
    assert worker.heard.get() == {"op": "value", "value": "called"}


# The final answer


def test_the_final_answer_stands_when_the_worker_dies_afterwards():
    first, second = Worker(), Worker()
    executor = Executor(first, second)
    executor.send_tools({"final_answer": lambda answer: answer})
    first.say({**CALL, "name": "final_answer", "args": [42], "out": "printed"})
    first.said.put(None)
    output = executor("final_answer(42)")
    assert (output.output, output.is_final_answer, output.logs) == (42, True, "printed")
    assert first.closed.is_set()
    second.say({"op": "done", "value": 7})
    assert executor("code").output == 7


def test_only_the_first_final_answer_counts():
    worker = Worker()
    executor = Executor(worker)
    executor.send_tools({"final_answer": lambda answer: answer})
    for answer in (1, 2):
        worker.say({**CALL, "name": "final_answer", "args": [answer]})
    worker.say({"op": "done", "final": True, "value": 3})
    assert executor("code").output == 1


# Variables


@pytest.mark.parametrize("name", ["class", "None", "a b", "1a", "", "__builtins__", 5])
def test_names_that_no_variable_can_have_are_refused(name):
    with pytest.raises(ValueError, match="cannot be the name of a variable"):
        Executor().send_variables({"good": 1, name: 2})


def test_variables_that_cannot_be_sent_change_nothing():
    worker = Worker()
    executor = Executor(worker)
    with pytest.raises(CannotCrossError, match=r"bad\[0\]"):
        executor.send_variables({"good": 1, "bad": [iter([])]})
    worker.say(DONE)
    executor("code")
    assert "variables" not in worker.heard.get()


def test_variables_sent_while_code_runs_do_not_stop_the_event_loop_that_its_tool_waits_for():
    worker = Worker()
    executor = Executor(worker)

    async def main():
        loop = asyncio.get_running_loop()

        async def answer():
            return "of the loop"

        executor.send_tools({"tool": lambda: asyncio.run_coroutine_threadsafe(answer(), loop).result(20)})
        code = asyncio.ensure_future(executor.acall("code"))
        await asyncio.to_thread(worker.heard.get, timeout=20)
        variables = asyncio.ensure_future(executor.asend_variables({"a": 1}))
        await asyncio.sleep(0)
        worker.say(CALL)
        told = await asyncio.to_thread(worker.heard.get, timeout=20)
        worker.say(DONE)
        await asyncio.gather(code, variables)
        return told

    assert asyncio.run(main()) == {"op": "value", "value": "of the loop"}
