"""A far side that lies: whatever it says, the host runs nothing of it, and ends the session with an error."""

from __future__ import annotations

import base64
import gc
import json
import os
import pickle
import time
import weakref
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smolagents.executors.errors import InterpreterError, SessionLostError, WorkerLostError
from smolagents.executors.remote import replies
from smolagents.executors.remote.connection import MAX_MESSAGE_BYTES, Connection
from smolagents.executors.worker.turns import pack, unpack
from smolagents.remote_executors import CodeOutput, RemotePythonExecutor


class Liar(Connection):
    def __init__(self, *says):
        self.says = list(says)
        self.heard = []
        self.closed = False

    def send(self, message):
        self.heard.append(json.loads(message))

    def receive(self, timeout):
        if not self.says:
            raise WorkerLostError("it has nothing more to say")
        said = self.says.pop(0)
        return said if isinstance(said, str) else json.dumps(said)

    def close(self):
        self.closed = True


class Executor(RemotePythonExecutor):
    def __init__(self, *connections):
        super().__init__([])
        self.connections = list(connections)

    def _connect(self):
        return self.connections.pop(0)


def answer_to(*says):
    """What the executor makes of a worker that says this."""
    liar = Liar(*says)
    executor = Executor(liar)
    executor.send_tools({"echo": lambda *args, **kwargs: [args, kwargs], "final_answer": lambda answer: answer})
    try:
        return executor("x"), liar
    except InterpreterError as error:
        return error, liar


class Payload:
    def __reduce__(self):
        return os.system, ("touch /tmp/smolagents-was-here",)


PICKLED = base64.b64encode(pickle.dumps(Payload())).decode()

LIES = {
    "nothing": "",
    "no json": "RESULT_PICKLE:" + PICKLED,
    "a list": [1],
    "a number": 5,
    "no op": {},
    "an unknown op": {"op": "exec", "code": "1"},
    "deep nesting": "[" * 100_000,
    "deep value": '{"op":"done","value":' + "[" * 5000 + "]" * 5000 + "}",
    "digits without end": '{"op":"done","value":' + "9" * 100_000 + "}",
    "prints that are no text": {"op": "done", "out": {"a": 1}},
    "a pickle as value": {"op": "done", "value": {"$": "pickle", "v": PICKLED}},
    "an unknown tag": {"op": "done", "value": {"$": "os.system", "v": "true"}},
    "a foreign class": {"op": "done", "value": {"$": "dataclass", "type": "subprocess:Popen", "v": {"args": "true"}}},
    "an array too small": {"op": "done", "value": {"$": "ndarray", "dtype": "<f8", "shape": [2**40], "v": ""}},
    "an object array": {"op": "done", "value": {"$": "ndarray", "dtype": "|O", "shape": [1], "v": PICKLED}},
    "a text that is none": {"op": "done", "text": 5},
    "names that are none": {"op": "done", "names": "x"},
    "too many names": {"op": "done", "names": ["x"] * 5000},
    "an unknown tool": {"op": "call", "id": 1, "name": "os.system", "args": ["true"], "kwargs": {}},
    "a hidden tool": {"op": "call", "id": 1, "name": "__class__", "args": [], "kwargs": {}},
    "a call without name": {"op": "call", "id": 1, "args": [], "kwargs": {}},
    "a call of a list": {"op": "call", "id": 1, "name": ["echo"], "args": [], "kwargs": {}},
    "arguments that are none": {"op": "call", "id": 1, "name": "echo", "args": "x", "kwargs": {}},
    "a call with a pickle": {
        "op": "call",
        "id": 1,
        "name": "echo",
        "args": [{"$": "pickle", "v": PICKLED}],
        "kwargs": {},
    },
    "an id that is none": {"op": "call", "id": "1", "name": "echo", "args": [], "kwargs": {}},
    "an error that is none": {"op": "failed", "text": ["x"]},
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_ends_the_session(name):
    answer, liar = answer_to(LIES[name])
    assert isinstance(answer, SessionLostError)
    assert liar.closed
    assert not os.path.exists("/tmp/smolagents-was-here")


def test_too_long_a_message_ends_the_session():
    answer, liar = answer_to('{"op":"done","out":"' + "x" * MAX_MESSAGE_BYTES + '"}')
    assert isinstance(answer, SessionLostError)
    assert "64 MB" in str(answer)
    assert liar.closed


def test_calls_without_end_end_the_session(monkeypatch):
    monkeypatch.setattr("smolagents.executors.remote.session._MOST_CALLS", 10_000)

    class Caller(Liar):
        def receive(self, timeout):
            return '{"op":"call","id":1,"name":"echo","args":[],"kwargs":{}}'

    executor = Executor(Caller())
    executor.send_tools({"echo": lambda: None})
    with pytest.raises(SessionLostError, match="calls of tools"):
        executor("x")


def test_a_message_of_nothing_but_empty_lists_ends_the_session():
    """It would become thirty times its size."""
    answer, liar = answer_to('{"op":"done","value":[' + "[]," * 4_000_000 + "0]}")
    assert isinstance(answer, SessionLostError)
    assert "4000000 lists and objects" in str(answer)
    assert liar.closed


def test_a_text_full_of_brackets_is_a_text():
    text = '[]{}"\\' * 1_500_000
    answer, _ = answer_to({"op": "done", "value": text})
    assert answer.output == text


@pytest.mark.parametrize("piece", ['\\"[', '"["', '"[', '"[\\\\"[', '""[', "[\\", '"a[","'])
def test_what_is_no_json_is_refused_in_no_time(piece):
    begun = time.monotonic()
    answer, _ = answer_to('"' + piece * (50_000_000 // len(piece)))
    assert isinstance(answer, SessionLostError)
    assert time.monotonic() - begun < 10


def test_what_tools_raised_does_not_pile_up_on_the_host():
    """An exception holds the arguments of the call."""

    class Tracked(Exception):
        def __init__(self, argument):
            super().__init__("no")
            self.argument = argument

    def tool(argument):
        error = Tracked(argument)
        alive.add(error)
        raise error

    alive = weakref.WeakSet()
    most = 0

    class Caller(Liar):
        def receive(self, timeout):
            nonlocal most
            gc.collect()
            most = max(most, len(alive))
            number = len(self.heard)
            if number > 10:
                return json.dumps({"op": "failed", "text": "no", "call": number - 1})
            return json.dumps({"op": "call", "id": number, "name": "tool", "args": ["x" * 10_000_000], "kwargs": {}})

    executor = Executor(Caller())
    executor.send_tools({"tool": tool})
    with pytest.raises(InterpreterError) as caught:
        executor("x")
    assert isinstance(caught.value.__cause__, Tracked)
    assert most <= 8


@pytest.mark.parametrize(
    "says",
    [
        {"op": "failed", "text": "x" * 10_000_000, "message": "y" * 10_000_000, "type": "z" * 10_000_000},
        {"op": "call", "id": 1, "name": "echo", "args": [], "kwargs": {"k" * 10_000_000: {"$": "no type"}}},
        {"op": "call", "id": 1, "name": "n" * 10_000_000, "args": [], "kwargs": {}},
        {"op": "done", "value": {"$": "t" * 10_000_000}},
        {"op": "done", "value": {"k" * 10_000_000: [{"$": "no type"}]}},
        {"op": "done", "names": ["n" * 1_000_000] * 50},
    ],
)
def test_what_the_model_is_told_is_short(says):
    answer, _ = answer_to(says, "no message")
    if isinstance(answer, InterpreterError):
        assert len(str(answer)) + len(str(answer.__cause__)) < 50_000


def test_replies_before_they_are_asked_for_reach_the_code_alone():
    """A worker can answer the next question before it is asked; it could as well have lied when it was."""
    liar = Liar({"op": "done", "value": 1}, {"op": "done", "value": "early"}, {"op": "call"})
    executor = Executor(liar, Liar({"op": "done", "value": 2}))
    assert executor("a").output == 1
    assert executor("b").output == "early"
    with pytest.raises(SessionLostError):
        executor("c")
    assert executor("d").output == 2


def test_a_final_answer_counts_only_if_the_tool_was_called():
    answer, _ = answer_to({"op": "done", "final": True, "value": "forged"})
    assert isinstance(answer, CodeOutput)
    assert not answer.is_final_answer


def test_a_forged_error_is_only_text():
    answer, _ = answer_to({"op": "failed", "kind": "SystemExit", "type": "SystemExit", "text": "bye", "call": [1]})
    assert type(answer) is InterpreterError
    assert str(answer) == "bye"


def test_after_a_lie_the_next_code_has_a_fresh_worker():
    good = Liar({"op": "done", "value": 7})
    executor = Executor(Liar("no message"), good)
    executor.send_variables({"a": 1})
    with pytest.raises(SessionLostError):
        executor("x")
    assert executor("y").output == 7
    assert good.heard[0]["variables"] == {"a": 1}


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["op", "out", "value", "$", "v", "text", "name", "args", "kwargs", "id", "names", "kind"]
                )
                | st.text(max_size=3),
                inner | st.sampled_from(["call", "done", "failed", "echo", "tuple", "bytes", "ndarray"]),
                max_size=6,
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_it_says_the_host_answers_with_an_output_or_an_error_for_the_model(said):
    answer, _ = answer_to(said, said)
    assert isinstance(answer, (CodeOutput, InterpreterError))


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=30_000))
def test_packed_messages_come_back(text):
    assert unpack(pack(text), 10**6) == text


@pytest.mark.parametrize(
    "word",
    [
        "",
        "x",
        "pA",
        "p***",
        "z" + base64.b64encode(b"no zlib").decode(),
        "z" + base64.b64encode(zlib.compress(b"0" * 10**8)).decode(),  # 100 KB that would become 100 MB
        "pgICA",
    ],
)
def test_words_that_are_no_message_are_refused(word):
    with pytest.raises(ValueError):
        unpack(word, 10**6)


@given(
    st.recursive(
        st.text(alphabet='[{"\\ab\u00e9', max_size=6) | st.none(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='[{"\\a', max_size=4), inner),
        max_leaves=15,
    ),
    st.booleans(),
)
def test_lists_and_objects_are_counted_and_brackets_in_texts_are_not(value, ascii_only):
    def count(part):
        parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else None
        return 0 if parts is None else 1 + sum(map(count, parts))

    text = json.dumps(value, ensure_ascii=ascii_only)
    with pytest.MonkeyPatch.context() as patch:
        for limit in range(count(value) + 2):
            patch.setattr(replies, "_MOST_CONTAINERS", limit)
            assert replies._are_too_many(text) == (count(value) > limit)
