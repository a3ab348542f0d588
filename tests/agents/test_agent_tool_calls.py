"""Tool calls: several at once, with or without ids, some failing."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from agent_helpers import add, agent_for, answer, call, calls, echo, fail
from hypothesis import given, settings
from hypothesis import strategies as st

from smolagents import (
    ActionStep,
    AgentGenerationError,
    AgentImage,
    AgentToolCallError,
    AgentToolExecutionError,
    ChatMessage,
    MessageRole,
    Timing,
    Tool,
    ToolCall,
    ToolCallingAgent,
    ToolOutput,
    tool,
)
from smolagents.testing import ScriptedModel, tool_call, tool_calls


def test_results_of_parallel_calls_are_told_in_the_order_of_the_calls():
    agent = agent_for([calls(("echo", {"text": "a"}), ("add", {"a": 1, "b": 2}), ("echo", {"text": "c"})), answer(1)])
    agent.run("go")
    step = agent.logs[0]
    assert [(c.name, c.id) for c in step.tool_calls] == [("echo", "id0"), ("add", "id1"), ("echo", "id2")]
    assert step.observations == "echo (id0): a\nadd (id1): 3\necho (id2): c"


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        pytest.param([None, None, None], ["call_1_1", "call_1_2", "call_1_3"], id="missing"),
        pytest.param(["", "", ""], ["call_1_1", "call_1_2", "call_1_3"], id="empty"),
        pytest.param(["x", "x", "x"], ["x", "call_1_2", "call_1_3"], id="the same"),
        pytest.param([1, 2, 2], ["1", "2", "call_1_3"], id="numbers"),
        pytest.param([{"a": 1}, ["b"], 1.5], ["call_1_1", "call_1_2", "call_1_3"], id="nonsense"),
        pytest.param(["call_1_2", None, None], ["call_1_2", "call_1_2_2", "call_1_3"], id="one that we would give"),
    ],
)
def test_no_id_drops_a_call(ids: list[Any], shown: list[str]):
    reply = tool_calls(*(tool_call("echo", {"text": text}, id) for text, id in zip("abc", ids, strict=True)))
    agent = agent_for([reply, answer(1)])
    events = list(agent.run("go", stream=True))
    step = agent.logs[0]
    assert len({c.id for c in step.tool_calls}) == 3
    assert [c.id for c in step.tool_calls] == shown
    assert [line.split("): ")[1] for line in step.observations.splitlines()] == ["a", "b", "c"]
    assert [e.id for e in events if isinstance(e, ToolCall)][:3] == shown
    assert {e.id: e.output for e in events if isinstance(e, ToolOutput)} | dict(zip(shown, "abc", strict=True)) == {
        e.id: e.output for e in events if isinstance(e, ToolOutput)
    }


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(st.none(), st.text(max_size=3), st.integers(0, 3), st.sampled_from(["call_1_1", "call_1_2"])),
        min_size=1,
        max_size=6,
    )
)
def test_results_belong_to_their_calls_whatever_the_ids(ids: list[Any]):
    reply = tool_calls(*(tool_call("echo", {"text": f"text {i}"}, id) for i, id in enumerate(ids)))
    agent = agent_for([reply, answer(1)])
    outputs = {e.id: e for e in agent.run("go", stream=True) if isinstance(e, ToolOutput)}
    step = agent.logs[0]
    assert len({c.id for c in step.tool_calls}) == len(ids)
    for c in step.tool_calls:
        assert outputs[c.id].output == c.arguments["text"]
        assert outputs[c.id].tool_call is c


def test_results_that_come_in_another_order_stay_with_their_calls():
    """The second call ends before the first, which waits for it."""
    second_done = threading.Event()

    @tool
    def ordered(number: int) -> str:
        """Waits for the second call.

        Args:
            number: Which call it is.
        """
        if number == 1:
            assert second_done.wait(10)
        else:
            second_done.set()
        return f"result {number}"

    agent = agent_for([calls(("ordered", {"number": 1}), ("ordered", {"number": 2})), answer(1)], tools=[ordered])
    agent.run("go")
    assert agent.logs[0].observations == "ordered (id0): result 1\nordered (id1): result 2"


class Together(Tool):
    """Counts how many calls run at once."""

    name = "together"
    description = "Waits for others."
    inputs = {"number": {"type": "integer", "description": "Which one."}}
    output_type = "integer"

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.now = self.most = 0
        self.changed = threading.Condition()
        super().__init__()

    def forward(self, number: int) -> int:
        with self.changed:
            self.now += 1
            self.most = max(self.most, self.now)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.most >= self.expected, timeout=10)
            self.now -= 1
        return number


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(("threads", "expected"), [(None, 4), (4, 4), (2, 2), (1, 1)])
def test_calls_run_at_once_as_far_as_max_tool_threads_allows(threads: int | None, expected: int, asynchronous: bool):
    together = Together(expected)
    agent = agent_for(
        [calls(*(("together", {"number": i}) for i in range(4))), answer(1)],
        tools=[together],
        max_tool_threads=threads,
    )
    if asynchronous:
        asyncio.run(agent.arun("go"))
    else:
        agent.run("go")
    assert together.most == expected
    assert [line[-1] for line in agent.logs[0].observations.splitlines()] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("threads", [0, -1])
def test_max_tool_threads_is_at_least_one(threads: int):
    with pytest.raises(ValueError, match=f"max_tool_threads must be at least 1, not {threads}"):
        agent_for([], max_tool_threads=threads)


def test_one_failing_call_keeps_the_results_of_the_others():
    agent = agent_for(
        [calls(("echo", {"text": "kept"}), ("fail", {"text": "x"}), ("add", {"a": 1, "b": 2})), answer(1)]
    )
    assert agent.run("go") == 1
    step = agent.logs[0]
    assert "echo (id0): kept" in step.observations
    assert "add (id2): 3" in step.observations
    assert isinstance(step.error, AgentToolExecutionError)
    assert "RuntimeError: broken: x" in str(step.error)
    told = agent.model.requests[1].text
    assert "kept" in told
    assert "broken: x" in told


def test_a_failing_call_beside_a_final_answer_is_told_and_the_answer_is_not_taken():
    agent = agent_for([calls(("fail", {"text": "x"}), ("final_answer", {"answer": 1})), answer(2)])
    assert agent.run("go") == 2
    assert "broken: x" in str(agent.logs[0].error)


def test_a_final_answer_beside_other_calls_is_the_answer():
    agent = agent_for([calls(("final_answer", {"answer": 7}), ("echo", {"text": "a"}))])
    assert agent.run("go") == 7
    assert len(agent.logs) == 1


def test_several_final_answers_are_an_error_and_nothing_runs():
    ran = []

    @tool
    def note(text: str) -> str:
        """Notes.

        Args:
            text: What.
        """
        ran.append(text)
        return text

    reply = calls(("note", {"text": "a"}), ("final_answer", {"answer": 1}), ("final_answer", {"answer": 2}))
    agent = agent_for([reply, answer(3)], tools=[note])
    assert agent.run("go") == 3
    assert ran == []
    assert "You called final_answer 2 times in one step" in str(agent.logs[0].error)
    assert "You called final_answer 2 times" in agent.model.requests[1].messages[-1].text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"a": 1}, "b"),
        ({"a": 1, "b": 2, "c": 3}, "c"),
        ({"a": "x", "b": 2}, "a"),
        ("just text", "add"),
        ([1, 2], "add"),
        (None, "a"),
    ],
)
def test_wrong_arguments_are_told(arguments: Any, message: str):
    agent = agent_for([tool_calls(tool_call("add", arguments)), answer(1)])
    assert agent.run("go") == 1
    error = agent.logs[0].error
    assert isinstance(error, AgentToolCallError)
    assert "The call of add was wrong" in str(error)
    assert message in str(error)


@pytest.mark.parametrize("arguments", ['{"a": 1, "b": 2}', {"a": 1, "b": 2}, {"a": 1.0, "b": "2"}])
def test_arguments_may_be_json_text(arguments: Any):
    agent = agent_for([tool_calls(tool_call("add", arguments)), answer(1)])
    agent.run("go")
    assert agent.logs[0].observations == "3"


def test_a_single_argument_may_stand_alone():
    agent = agent_for([tool_calls(tool_call("echo", "hello")), tool_calls(tool_call("final_answer", "done"))])
    assert agent.run("go") == "done"
    assert agent.logs[0].observations == "hello"


def test_no_arguments_in_their_variants():
    @tool
    def ping() -> str:
        """Pings."""
        return "pong"

    replies = [tool_calls(tool_call("ping", a)) for a in ({}, "", None, "{}", "null")]
    agent = agent_for([*replies, answer(1)], tools=[ping])
    agent.run("go")
    assert [step.observations for step in agent.logs[:-1]] == ["pong"] * 5


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "echo", "arguments": {"text": "a"}}',
        'I call a tool.\nCalling tools:\n[{"name": "echo", "arguments": {"text": "a"}}]',
        '```json\n{"name": "echo", "arguments": {"text": "a"}}\n```',
        '<tool_call>{"name": "echo", "arguments": {"text": "a"}}</tool_call>',
    ],
)
def test_calls_are_read_from_text(text: str):
    agent = agent_for([text, answer(1)])
    assert agent.run("go") == 1
    assert agent.logs[0].observations == "a"


@pytest.mark.parametrize("text", ["", "Hello.", "{}", '{"name": "echo"', "[]", None])
def test_a_reply_without_a_call_gets_one_message_that_says_so(text: str | None):
    agent = agent_for([ChatMessage(MessageRole.ASSISTANT, text), answer(1)])
    assert agent.run("go") == 1
    assert "AgentParsingError" in type(agent.logs[0].error).__name__
    assert "tool call" in str(agent.logs[0].error)


def test_a_reply_that_was_cut_is_told_so():
    cut = ChatMessage(MessageRole.ASSISTANT, '{"name": "echo", "argum', finish_reason="length")
    agent = agent_for([cut, answer(1)])
    agent.run("go")
    assert "too long" in str(agent.logs[0].error)


# Values of the run


def test_images_are_stored_under_names_that_the_model_can_pass_on():
    from PIL import Image

    seen = []

    class Draw(Tool):
        name = "draw"
        description = "Draws."
        inputs = {"size": {"type": "integer", "description": "Size."}}
        output_type = "image"

        def forward(self, size: int) -> Any:
            return Image.new("RGB", (size, size))

    class Measure(Tool):
        name = "measure"
        description = "Measures."
        inputs = {"image": {"type": "image", "description": "What."}}
        output_type = "integer"

        def forward(self, image: Any) -> int:
            seen.append(image)
            return image.size[0]

    agent = agent_for(
        [
            calls(("draw", {"size": 3}), ("draw", {"size": 5})),
            calls(("measure", {"image": "image.png"}), ("measure", {"image": "image_2.png"})),
            answer("image_2.png"),
        ],
        tools=[Draw(), Measure()],
        max_tool_threads=1,
    )
    result = agent.run("go")
    assert isinstance(result, (AgentImage, Image.Image))
    assert "Stored 'image.png' in memory." in agent.logs[0].observations
    assert [line.split(": ")[1] for line in agent.logs[1].observations.splitlines()] == ["3", "5"]
    assert set(agent.state) >= {"image.png", "image_2.png"}
    agent.model.replies.append(answer(1))
    agent.run("again")
    assert agent.state == {}


def test_names_of_variables_are_replaced_at_the_top_level():
    agent = agent_for([call("echo", text="doc"), call("echo", text="the doc"), answer("doc")])
    assert agent.run("go", additional_args={"doc": "content"}) == "content"
    assert [step.observations for step in agent.logs[:2]] == ["content", "the doc"]


def test_a_call_outside_of_a_run():
    agent = agent_for([])
    agent.state["doc"] = "content"
    assert agent.execute_tool_call("echo", {"text": "doc"}) == "content"
    assert agent.execute_tool_call("add", {"a": 1, "b": 2}) == 3
    with pytest.raises(AgentToolCallError, match="no tool named 'nothing'"):
        agent.execute_tool_call("nothing", {})
    with pytest.raises(AgentToolExecutionError, match="broken") as caught:
        agent.execute_tool_call("fail", {"text": "x"})
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_calls_can_be_processed_one_message_at_a_time():
    agent = agent_for([])
    step = ActionStep(1, Timing(0.0))
    message = calls(("echo", {"text": "a"}), ("add", {"a": 1, "b": 2}))
    events = list(agent.process_tool_calls(message, step))
    assert [type(event) for event in events] == [ToolCall, ToolCall, ToolOutput, ToolOutput]
    assert step.observations == "echo (id0): a\nadd (id1): 3"


def test_a_subclass_may_execute_calls_itself():
    class Own(ToolCallingAgent):
        def execute_tool_call(self, tool_name: str, arguments: Any) -> Any:
            if tool_name == "final_answer":
                return super().execute_tool_call(tool_name, arguments)
            return f"{tool_name} of {json.dumps(arguments)}"

    agent = Own([echo], model=ScriptedModel([call("echo", text="a"), answer(1)]), verbosity_level=-1)
    assert agent.run("go") == 1
    assert agent.logs[0].observations == 'echo of {"text": "a"}'


def test_a_subclass_may_process_calls_itself():
    class Own(ToolCallingAgent):
        def process_tool_calls(self, chat_message: ChatMessage, memory_step: ActionStep):
            for c in chat_message.tool_calls or []:
                memory_step.observations = f"seen {c.function.name}"
            yield from super().process_tool_calls(chat_message, memory_step)

    agent = Own([echo, add, fail], model=ScriptedModel([call("echo", text="a"), answer(1)]), verbosity_level=-1)
    events = list(agent.run("go", stream=True))
    assert events[-1].output == 1
    assert [type(e).__name__ for e in events][:2] == ["ToolCall", "ToolOutput"]


def test_a_tool_that_cannot_reach_its_model_ends_the_run():
    """Such as a managed agent whose server is down: to try again would only fail again."""

    @tool
    def ask(text: str) -> str:
        """Asks.

        Args:
            text: What.
        """
        raise AgentGenerationError("server down")

    agent = agent_for([calls(("echo", {"text": "kept"}), ("ask", {"text": "x"}))], tools=[echo, ask])
    with pytest.raises(AgentGenerationError, match="server down") as caught:
        agent.run("go")
    assert "kept" in caught.value.run_result.steps[1]["observations"]


def test_an_async_tool_works_in_a_plain_run():
    @tool
    async def slow_echo(text: str) -> str:
        """Gives the text back.

        Args:
            text: The text.
        """
        return text

    agent = agent_for([call("slow_echo", text="a"), answer(1)], tools=[slow_echo])
    agent.run("go")
    assert agent.logs[0].observations == "a"


def test_a_final_answer_tool_of_ones_own():
    class Shout(Tool):
        name = "final_answer"
        description = "Answers loudly."
        inputs = {"answer": {"type": "string", "description": "The answer."}}
        output_type = "string"

        def forward(self, answer: str) -> str:
            return answer.upper()

    agent = agent_for([answer("yes")], tools=[Shout()])
    assert agent.run("go") == "YES"
    assert list(agent.tools) == ["final_answer"]


def test_a_step_without_an_answer_keeps_its_last_output():
    agent = agent_for([calls(("echo", {"text": "a"}), ("add", {"a": 1, "b": 2})), answer(1)])
    agent.run("go")
    assert agent.logs[0].action_output == 3


def test_a_result_that_cannot_be_shown_does_not_end_the_run():
    class Broken:
        def __str__(self):
            raise RuntimeError("no text")

    @tool
    def make() -> object:
        """Makes it."""
        return Broken()

    agent = agent_for([calls(("make", {})), answer("made")], tools=[make])
    assert agent.run("go") == "made"
    assert "a Broken, cannot be shown: RuntimeError: no text" in agent.logs[0].observations
