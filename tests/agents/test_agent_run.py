"""run(): its arguments, its results, and what it leaves behind."""

from __future__ import annotations

import gc
import json
import warnings
from itertools import pairwise
from typing import Any

import pytest
from agent_helpers import add, agent_for, answer, call, code, echo, kinds

from smolagents import (
    ActionOutput,
    ActionStep,
    AgentError,
    AgentGenerationError,
    AgentMaxStepsError,
    AgentMemory,
    ChatMessage,
    ChatMessageStreamDelta,
    CodeAgent,
    FinalAnswerStep,
    LogLevel,
    MessageRole,
    MultiStepAgent,
    PlanningStep,
    RunResult,
    TaskStep,
    Timing,
    TokenUsage,
    ToolCall,
    ToolCallingAgent,
    ToolOutput,
)
from smolagents.testing import ScriptedModel


def test_a_run_returns_the_answer():
    agent = agent_for([call("add", a=1, b=2), answer(3)])
    assert agent.run("What is 1 + 2?") == 3
    agent.model.assert_finished()
    assert kinds(agent.memory.steps) == ["task", "act", "act"]
    first, last = agent.logs
    assert (first.step_number, first.observations, first.is_final_answer) == (1, "3", False)
    assert (last.step_number, last.action_output, last.is_final_answer) == (2, 3, True)
    assert first.timing.duration is not None


def test_the_model_sees_prompt_task_and_what_happened():
    agent = agent_for([call("echo", text="seen"), answer(1)])
    agent.run("Look.")
    first, second = agent.model.requests
    assert [str(m.role) for m in first.messages] == ["system", "user"]
    assert first.messages[1].text == "New task:\nLook."
    assert [str(m.role) for m in second.messages] == ["system", "user", "tool-call", "tool-response"]
    assert second.messages[-1].text == "Observation:\nseen"
    assert [tool.name for tool in first.tools_to_call_from] == ["echo", "add", "fail", "final_answer"]


def test_what_the_model_was_shown_stays_readable_in_each_step():
    agent = agent_for([call("echo", text=f"t{i}") for i in range(3)] + [answer(1)])
    agent.run("Look.")
    for request, step in zip(agent.model.requests, agent.logs, strict=True):
        assert [m.text for m in step.model_input_messages] == [m.text for m in request.messages]


def test_each_prompt_begins_with_the_whole_of_the_one_before():
    agent = agent_for([call("echo", text=f"t{i}") for i in range(5)] + [answer(1)])
    agent.run("Look.")
    prompts = [json.dumps([m.dict() for m in request.messages], default=str)[:-1] for request in agent.model.requests]
    for earlier, later in pairwise(prompts):
        assert later.startswith(earlier)


# return_full_result


def test_the_full_result():
    agent = agent_for([call("add", a=1, b=2), answer(3)], usage=TokenUsage(10, 5))
    result = agent.run("go", return_full_result=True)
    assert isinstance(result, RunResult)
    assert (result.output, result.state, result.token_usage) == (3, "success", TokenUsage(20, 10))
    assert result.timing.duration >= 0
    assert [sorted(step)[:1] for step in result.steps] == [["task"], ["action_output"], ["action_output"]]
    data = json.loads(json.dumps(result.dict()))
    assert data["output"] == 3
    assert data["token_usage"] == {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30}
    assert data["timing"]["duration"] == result.timing.duration


@pytest.mark.parametrize(
    ("of_agent", "of_run", "full"),
    [(False, None, False), (True, None, True), (False, True, True), (True, False, False)],
)
def test_the_run_decides_before_the_agent_whether_the_result_is_full(of_agent: bool, of_run: bool | None, full: bool):
    agent = agent_for([answer(3)], return_full_result=of_agent)
    assert isinstance(agent.run("go", return_full_result=of_run), RunResult) is full


def test_a_model_that_reports_no_tokens_leaves_them_unknown():
    agent = agent_for([call("echo", text="a"), answer(3)])
    assert agent.run("go", return_full_result=True).token_usage is None
    assert [step.token_usage for step in agent.logs] == [None, None]


def test_tokens_are_unknown_when_one_call_did_not_report_them():
    first = call("echo", text="a")
    first.token_usage = TokenUsage(1, 1)
    agent = agent_for([first, answer(3)])
    assert agent.run("go", return_full_result=True).token_usage is None
    assert agent.monitor.get_total_token_counts() == TokenUsage(1, 1)


def test_the_result_of_a_run_holds_its_own_steps_only():
    agent = agent_for([answer(1), call("echo", text="a"), answer(2)], usage=TokenUsage(1, 1))
    agent.run("one")
    result = agent.run("two", reset=False, return_full_result=True)
    assert [step.get("task") for step in result.steps] == ["two", None, None]
    assert result.token_usage == TokenUsage(2, 2)


def test_messages_is_the_old_name_of_steps():
    with pytest.warns(FutureWarning, match="messages"):
        result = RunResult(output=1, messages=[{"a": 1}])
    assert result.steps == [{"a": 1}]
    with pytest.warns(FutureWarning, match="steps"):
        assert result.messages == [{"a": 1}]
    result = RunResult(1, "success", [{"b": 2}], TokenUsage(1, 1), Timing(0.0, 1.0))
    assert result.dict()["steps"] == [{"b": 2}]
    assert result == RunResult(1, "success", [{"b": 2}], TokenUsage(1, 1), Timing(0.0, 1.0))
    assert "success" in repr(result)


# stream


def test_a_stream_yields_each_event_and_the_answer_last():
    agent = agent_for([call("add", a=1, b=2), answer(3)])
    events = list(agent.run("go", stream=True))
    assert [type(event) for event in events] == [
        *(ToolCall, ToolOutput, ActionOutput, ActionStep),
        *(ToolCall, ToolOutput, ActionOutput, ActionStep),
        FinalAnswerStep,
    ]
    assert events[-1].output == 3
    assert [event.step_number for event in events if isinstance(event, ActionStep)] == [1, 2]
    assert (events[1].output, events[1].observation, events[1].is_final_answer) == (3, "3", False)
    assert events[5].is_final_answer
    assert (events[2].is_final_answer, events[6].is_final_answer) == (False, True)
    assert events[6].output == 3


def test_a_stream_takes_steps_as_it_is_read():
    agent = agent_for([call("echo", text="a"), answer(3)])
    events = agent.run("go", stream=True)
    assert agent.model.requests == []
    for event in events:
        if isinstance(event, ActionStep):
            break
    assert len(agent.model.requests) == 1
    events.close()
    assert len(agent.model.requests) == 1


def test_a_stream_that_is_closed_keeps_what_was_done():
    agent = agent_for([call("echo", text="a"), answer(3)])
    events = agent.run("go", stream=True)
    assert isinstance(next(events), ToolCall)
    events.close()
    assert kinds(agent.memory.steps) == ["task", "act"]
    assert agent.logs[0].error is not None
    assert agent.run("again") == 3


@pytest.mark.parametrize("stream", [False, True])
def test_reading_pieces_yields_them_before_their_step(stream: bool):
    agent = agent_for([call("echo", text="a"), answer(3)], stream_outputs=True, usage=TokenUsage(7, 2))
    agent.model.chunk = 3
    if stream:
        events = list(agent.run("go", stream=True))
        assert isinstance(events[0], ChatMessageStreamDelta)
        assert isinstance(events[-1], FinalAnswerStep)
        assert events[-1].output == 3
    else:
        assert agent.run("go") == 3
    assert [step.token_usage for step in agent.logs] == [TokenUsage(7, 2)] * 2
    assert agent.monitor.get_total_token_counts() == TokenUsage(14, 4)


class ChattyModel(ScriptedModel):
    """Reports the tokens of the input with every piece, as several providers do."""

    def generate_stream(self, messages: Any, *args: Any, **kwargs: Any):
        for number, delta in enumerate(super().generate_stream(messages, *args, **kwargs)):
            delta.token_usage = TokenUsage(100, number + 1)
            yield delta


def test_input_tokens_are_counted_once_per_streamed_call():
    agent = CodeAgent(
        [], model=ChattyModel([code("final_answer(1)")], chunk=5), stream_outputs=True, verbosity_level=-1
    )
    result = agent.run("go", return_full_result=True)
    assert result.token_usage.input_tokens == 100
    assert agent.monitor.total_input_token_count == 100


@pytest.mark.parametrize("make", [ToolCallingAgent, CodeAgent])
def test_a_streamed_call_that_reports_no_tokens_leaves_them_unknown(make: Any):
    reply = answer(1) if make is ToolCallingAgent else code("final_answer(1)")
    agent = make([], model=ScriptedModel([reply]), stream_outputs=True, verbosity_level=-1)
    assert agent.run("go", return_full_result=True).token_usage is None
    assert agent.logs[0].token_usage is None


def test_a_model_that_cannot_stream_is_asked_for_the_whole():
    class Whole:
        def generate(self, messages: Any, **kwargs: Any) -> ChatMessage:
            return answer(5)

    agent = ToolCallingAgent([], model=Whole(), stream_outputs=True, verbosity_level=-1)
    events = list(agent.run("go", stream=True))
    assert not any(isinstance(event, ChatMessageStreamDelta) for event in events)
    assert events[-1].output == 5


# max_steps


@pytest.mark.parametrize("max_steps", [0, 1, 3])
def test_when_the_steps_are_used_up_the_model_is_asked_for_the_answer_so_far(max_steps: int):
    agent = agent_for([call("echo", text="a")] * max_steps + ["my best guess"], max_steps=max_steps)
    result = agent.run("How many?", return_full_result=True)
    assert (result.output, result.state) == ("my best guess", "max_steps_error")
    assert kinds(agent.memory.steps) == ["task", *["act"] * (max_steps + 1)]
    last = agent.logs[-1]
    assert isinstance(last.error, AgentMaxStepsError)
    assert (last.step_number, last.action_output) == (max_steps + 1, "my best guess")
    request = agent.model.requests[-1]
    assert request.tools_to_call_from is None
    assert "How many?" in request.messages[-1].text
    assert [str(m.role) for m in request.messages].count("system") == 1
    agent.model.assert_finished()


@pytest.mark.parametrize("max_steps", [0, 2])
def test_when_the_steps_are_used_up_nothing_is_yielded_twice(max_steps: int):
    agent = agent_for([call("echo", text="a")] * max_steps + ["guess"], max_steps=max_steps)
    events = list(agent.run("go", stream=True))
    steps = [event for event in events if isinstance(event, ActionStep)]
    assert [step.step_number for step in steps] == list(range(1, max_steps + 2))
    assert [type(event) for event in events].count(FinalAnswerStep) == 1
    assert len({id(event) for event in events}) == len(events)
    assert events[-1].output == "guess"


def test_an_answer_in_the_last_step_is_an_answer():
    agent = agent_for([call("echo", text="a"), answer(3)], max_steps=2)
    assert agent.run("go", return_full_result=True).state == "success"
    agent.model.assert_finished()


def test_the_run_may_set_its_own_number_of_steps():
    agent = agent_for([call("echo", text="a"), "guess", call("echo", text="a"), answer(3)], max_steps=5)
    assert agent.run("go", max_steps=1) == "guess"
    assert agent.max_steps == 5
    assert agent.run("go") == 3


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), ("3", TypeError), (1.5, TypeError), (True, TypeError)])
def test_a_number_of_steps_that_is_none(value: Any, error: type[Exception]):
    with pytest.raises(error, match="max_steps"):
        agent_for([], max_steps=value)
    with pytest.raises(error, match="max_steps"):
        agent_for([]).run("go", max_steps=value)


def test_tokens_of_the_last_question_are_counted():
    agent = agent_for([call("echo", text="a"), "guess"], max_steps=1, usage=TokenUsage(2, 3))
    assert agent.run("go", return_full_result=True).token_usage == TokenUsage(4, 6)


# reset


def test_a_run_starts_afresh():
    agent = agent_for([answer(1), answer(2)])
    agent.run("first task")
    agent.run("second task")
    assert [step.task for step in agent.memory.steps if isinstance(step, TaskStep)] == ["second task"]
    assert "first task" not in agent.model.requests[1].text
    assert [step.step_number for step in agent.logs] == [1]


def test_without_reset_it_goes_on():
    agent = agent_for([answer(1), answer(2)], usage=TokenUsage(1, 1))
    agent.run("first task")
    agent.run("second task", reset=False)
    assert [step.task for step in agent.memory.steps if isinstance(step, TaskStep)] == ["first task", "second task"]
    assert "first task" in agent.model.requests[1].text
    assert agent.monitor.get_total_token_counts() == TokenUsage(2, 2)
    first, second = (request.messages for request in agent.model.requests)
    assert [m.text for m in second[: len(first)]] == [m.text for m in first]


def test_the_first_run_may_be_without_reset():
    agent = agent_for([answer(1)])
    agent.memory.steps.append(TaskStep("something earlier"))
    assert agent.run("go", reset=False) == 1
    assert "something earlier" in agent.model.requests[0].text


def test_two_streams_that_go_on_with_one_memory_cannot_be_read_at_once():
    agent = agent_for([answer(1), call("echo", text="a"), answer(2)])
    agent.run("one")
    first, second = agent.run("two", reset=False, stream=True), agent.run("three", reset=False, stream=True)
    next(first)
    with pytest.raises(AgentError, match="still going on"):
        next(second)
    assert list(first)[-1].output == 2


def test_going_on_after_an_error():
    agent = agent_for([ConnectionError("down"), answer(2)])
    with pytest.raises(AgentGenerationError):
        agent.run("one")
    assert agent.run("try again", reset=False) == 2
    assert kinds(agent.memory.steps) == ["task", "act", "task", "act"]


# images and additional_args


def test_images_are_shown_with_the_task():
    from PIL import Image

    image = Image.new("RGB", (4, 4))
    agent = agent_for([answer("a square")])
    agent.run("What is this?", images=[image])
    content = agent.model.requests[0].messages[1].content
    assert content[0]["text"] == "New task:\nWhat is this?"
    assert content[1] == {"type": "image", "image": image}
    assert agent.memory.steps[0].task_images == [image]


def test_images_are_shown_to_the_planner_and_in_the_last_question():
    image = object()
    agent = agent_for(["a plan", "guess"], planning_interval=1, max_steps=0)
    agent.run("What is this?", images=[image])
    assert {"type": "image", "image": image} in agent.model.requests[-1].messages[0].content
    agent = agent_for(["a plan", answer(1)], planning_interval=1)
    agent.run("What is this?", images=[image])
    assert {"type": "image", "image": image} in agent.model.requests[0].messages[0].content


def test_values_are_told_to_the_model_and_reach_the_tools():
    agent = agent_for([call("echo", text="letter"), answer("letter")])
    assert agent.run("Read it.", additional_args={"letter": "Dear all", "number": 3}) == "Dear all"
    assert agent.logs[0].observations == "Dear all"
    assert agent.state["letter"] == "Dear all"
    task = agent.model.requests[0].messages[1].text
    assert task.startswith("New task:\nRead it.")
    assert "- letter: 'Dear all'" in task
    assert "- number: 3" in task


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("x" * 1_000_000, "1,000,000 characters", id="text"),
        pytest.param(list(range(1_000_000)), "1,000,000 items", id="list"),
        pytest.param(dict.fromkeys(range(1000), "y" * 1000), "1,000 items", id="dictionary"),
        pytest.param([["z" * 1000] * 100] * 10, "list", id="nested"),
        pytest.param(b"x" * 1_000_000, "1,000,000 bytes", id="bytes"),
        pytest.param(10**3000, "0000", id="number"),
    ],
)
def test_large_values_do_not_flood_the_prompt(value: Any, shown: str):
    agent = agent_for([answer(1)])
    agent.run("go", additional_args={"big": value})
    task = agent.model.requests[0].messages[1].text
    assert shown in task
    assert len(task) < 1_000
    assert agent.state["big"] is value


def test_a_value_that_cannot_be_shown_is_handed_over_all_the_same():
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    value = Shy()
    agent = agent_for([answer(1)])
    agent.run("go", additional_args={"it": value})
    assert "Shy" in agent.model.requests[0].messages[1].text
    assert agent.state["it"] is value


def test_arrays_are_told_by_their_shape():
    numpy = pytest.importorskip("numpy")
    agent = agent_for([answer(1)])
    agent.run("go", additional_args={"grid": numpy.zeros((300, 200))})
    assert "ndarray of shape (300, 200), float64" in agent.model.requests[0].messages[1].text


def test_values_of_one_run_are_not_in_the_next():
    agent = agent_for([answer(1), answer("letter"), answer("letter")])
    agent.run("one", additional_args={"letter": "secret"})
    assert agent.run("two") == "letter"
    assert "letter" not in agent.state


def test_values_stay_where_the_run_goes_on():
    agent = agent_for([answer(1), answer("letter")])
    agent.run("one", additional_args={"letter": "text"})
    assert agent.run("two", reset=False) == "text"


def test_what_is_set_in_the_state_before_a_run_is_there():
    agent = agent_for([answer("place"), answer("place")])
    agent.state["place"] = "Lyon"
    assert agent.run("go") == "Lyon"
    assert agent.run("go") == "Lyon"


def test_the_dictionary_of_values_is_left_as_it_was():
    given = {"letter": "x"}
    agent = agent_for([call("echo", text="a"), answer(1)])
    agent.run("go", additional_args=given)
    agent.state["more"] = 1
    assert given == {"letter": "x"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"task": ""}, ValueError, "task is empty"),
        ({"task": " \n"}, ValueError, "task is empty"),
        ({"task": None}, TypeError, "no mailbox to take tasks from"),
        ({"task": ["a"]}, TypeError, "task must be a string, not list"),
        ({"task": "go", "additional_args": [1]}, TypeError, "additional_args must be a dictionary"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_bad_arguments_are_told_at_once(arguments: Any, error: type[Exception], message: str, stream: bool):
    agent = agent_for([])
    with pytest.raises(error, match=message):
        agent.run(**arguments, stream=stream)
    assert agent.memory.steps == []


# Errors


def test_a_failing_model_ends_the_run_with_what_was_done():
    agent = agent_for([call("echo", text="kept"), ConnectionError("server down")], usage=TokenUsage(1, 1))
    with pytest.raises(AgentGenerationError, match="ConnectionError: server down") as caught:
        agent.run("go")
    assert isinstance(caught.value.__cause__, ConnectionError)
    result = caught.value.run_result
    assert isinstance(result, RunResult)
    assert (result.state, result.output) == ("error", None)
    assert result.steps[1]["observations"] == "kept"
    assert result.steps[2]["error"]["type"] == "AgentGenerationError"
    assert kinds(agent.memory.steps) == ["task", "act", "act"]


def test_a_failing_model_in_the_last_question():
    agent = agent_for([call("echo", text="kept"), ConnectionError("down")], max_steps=1)
    with pytest.raises(AgentGenerationError) as caught:
        agent.run("go")
    assert caught.value.run_result.steps[1]["observations"] == "kept"


def test_a_failing_model_while_planning():
    agent = agent_for([ConnectionError("down")], planning_interval=1)
    with pytest.raises(AgentGenerationError, match="down") as caught:
        agent.run("go")
    assert caught.value.run_result.state == "error"
    assert kinds(agent.memory.steps) == ["task"]


def test_a_model_that_returns_nonsense():
    class Odd:
        def generate(self, messages: Any, **kwargs: Any) -> Any:
            return 3

    with pytest.raises(AgentGenerationError, match="int"):
        ToolCallingAgent([], model=Odd(), verbosity_level=-1).run("go")


def test_errors_of_the_model_are_told_to_it_and_it_may_try_again():
    agent = agent_for([call("nothing"), call("add", a="x", b=1), "no call at all", answer(1)])
    assert agent.run("go") == 1
    errors = [step.error for step in agent.logs[:3]]
    assert [type(error).__name__ for error in errors] == [
        "AgentToolCallError",
        "AgentToolCallError",
        "AgentParsingError",
    ]
    assert all(isinstance(error, AgentError) for error in errors)
    assert "There is no tool named 'nothing'. You can call: echo, add, fail, final_answer." in str(errors[0])
    for error, request in zip(errors, agent.model.requests[1:], strict=True):
        assert str(error) in request.messages[-1].text


def test_an_error_has_a_logger_and_a_dictionary(capsys: pytest.CaptureFixture[str]):
    from smolagents import AgentLogger, LogLevel

    error = AgentError("it broke", AgentLogger(level=LogLevel.ERROR))
    assert "it broke" in capsys.readouterr().out
    assert error.message == "it broke"
    assert error.dict() == {"type": "AgentError", "message": "it broke"}
    assert error.run_result is None


def test_a_keyboard_interrupt_keeps_what_was_done():
    def stop(messages: Any) -> Any:
        return KeyboardInterrupt()

    agent = agent_for([call("echo", text="kept"), stop])
    with pytest.raises(KeyboardInterrupt) as caught:
        agent.run("go")
    assert caught.value.run_result.state == "interrupted"
    assert [step.observations for step in agent.logs] == ["kept", None]


# step, provide_final_answer, extract_action


def test_a_single_step():
    agent = agent_for([call("echo", text="a"), answer(4)])
    first, second = ActionStep(1, Timing(0.0)), ActionStep(2, Timing(0.0))
    assert agent.step(first) is None
    assert first.observations == "a"
    assert agent.step(second) == 4
    assert second.model_input_messages is not None


def test_a_single_step_of_code():
    agent = CodeAgent([], model=ScriptedModel([code("6 * 7")]), verbosity_level=-1)
    step = ActionStep(1, Timing(0.0))
    assert agent.step(step) is None
    assert step.action_output == 42
    assert step.code_action == "6 * 7"


def test_the_answer_from_the_work_so_far():
    agent = agent_for([answer(1), "It was one."])
    agent.run("go")
    assert agent.provide_final_answer("What was it?") == "It was one."
    request = agent.model.requests[-1]
    assert "What was it?" in request.messages[-1].text
    assert "New task:\ngo" in request.text


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        ("I think\nAction: go", ("I think", "go")),
        ("Action: a\nmore Action: b", ("a\nmore", "b")),
        ("Action:", ("", "")),
    ],
)
def test_extracting_the_action(output: str, parts: tuple[str, str]):
    assert agent_for([]).extract_action(output, "Action:") == parts


def test_extracting_an_action_that_is_not_there():
    with pytest.raises(AgentError, match=r"(?s)holds no 'Action:'.*what was said"):
        agent_for([]).extract_action("what was said", "Action:")


# write_memory_to_messages


def test_memory_as_messages():
    agent = agent_for([call("echo", text="a"), answer(1)])
    agent.run("go")
    messages = agent.write_memory_to_messages()
    assert [message["role"] for message in messages] == [
        *("system", "user", "tool-call", "tool-response", "tool-call", "tool-response")
    ]
    assert messages[1]["content"][0]["text"] == "New task:\ngo"
    assert agent.write_memory_to_messages(summary_mode=True)[0]["role"] == "user"


class Forgetful(ToolCallingAgent):
    """Shows the model the system prompt, the task and the last step only."""

    def write_memory_to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        messages = super().write_memory_to_messages(summary_mode)
        return messages[:2] + messages[2:][-2:]


def test_a_subclass_may_write_the_memory_its_own_way():
    model = ScriptedModel([call("echo", text=f"t{i}") for i in range(3)] + [answer(1)])
    agent = Forgetful([echo], model=model, verbosity_level=-1)
    assert agent.run("go") == 1
    assert [len(request.messages) for request in model.requests] == [2, 4, 4, 4]
    assert model.requests[3].messages[-1].text == "Observation:\nt2"
    for request, step in zip(model.requests, agent.logs, strict=True):
        assert step.model_input_messages == request.messages


def test_what_is_changed_in_memory_shows_in_the_next_prompt():
    def forget(step: ActionStep, agent: Any) -> None:
        for earlier in agent.memory.steps:
            if isinstance(earlier, ActionStep) and earlier.step_number <= step.step_number - 1:
                earlier.observations = f"(step {earlier.step_number} forgotten)"
        if step.step_number == 3:
            del agent.memory.steps[1]

    agent = agent_for([call("echo", text=f"t{i}") for i in range(1, 4)] + [answer(1)], step_callbacks=[forget])
    agent.run("go")
    assert [
        [m.text for m in request.messages if m.role is MessageRole.TOOL_RESPONSE] for request in agent.model.requests
    ] == [
        [],
        ["Observation:\nt1"],
        ["Observation:\n(step 1 forgotten)", "Observation:\nt2"],
        ["Observation:\n(step 2 forgotten)", "Observation:\nt3"],
    ]
    shown = [[m.text for m in step.model_input_messages] for step in agent.logs]
    assert shown == [[m.text for m in request.messages] for request in agent.model.requests[1:]]


def test_what_is_changed_between_two_runs_shows_in_the_next_prompt():
    agent = agent_for([call("echo", text="old"), answer(1), answer(2), answer(3)])
    agent.run("first task")
    agent.memory.steps = [step for step in agent.memory.steps if not isinstance(step, ActionStep)]
    agent.run("second task", reset=False)
    assert [m.text for m in agent.model.requests[2].messages[1:]] == [
        "New task:\nfirst task",
        "New task:\nsecond task",
    ]
    agent.memory = AgentMemory("")
    agent.run("third task", reset=False)
    assert [m.text for m in agent.model.requests[3].messages[1:]] == ["New task:\nthird task"]


def test_a_stream_that_is_forgotten_is_closed():
    agent = agent_for([call("echo", text="a"), answer(3)])
    events = agent.run("go", stream=True)
    next(events)
    del events
    gc.collect()
    assert agent._active == []
    assert kinds(agent.memory.steps) == ["task", "act"]


def test_what_a_callback_changes_in_a_new_step_shows_in_the_next_prompt():
    def change(step: ActionStep) -> None:
        step.observations = f"<{step.observations}>"
        step.observations_images = ["an image"]

    agent = agent_for([call("echo", text="a"), answer(1)], step_callbacks=[change])
    agent.run("go")
    last = agent.model.requests[1].messages
    assert last[-1].text == "Observation:\n<a>"
    assert last[-2].content == [{"type": "image", "image": "an image"}]


# Flat cost


@pytest.mark.parametrize("make", [ToolCallingAgent, CodeAgent])
def test_each_step_is_rendered_once_however_long_the_run(make: Any, monkeypatch: pytest.MonkeyPatch):
    rendered: list[int] = []
    original = ActionStep.to_messages

    def counting(self: ActionStep, summary_mode: bool = False) -> list[ChatMessage]:
        rendered.append(self.step_number)
        return original(self, summary_mode)

    monkeypatch.setattr(ActionStep, "to_messages", counting)
    if make is ToolCallingAgent:
        replies: list[Any] = [call("echo", text=f"t{i}") for i in range(100)] + [answer(1)]
    else:
        replies = [code(f"echo('t{i}')") for i in range(100)] + [code("final_answer(1)")]
    agent = make([echo], model=ScriptedModel(replies), max_steps=200, verbosity_level=-1)
    assert agent.run("go") == 1
    assert sorted(rendered) == list(range(1, 101))
    given = [step.__dict__["_model_input_messages"] for step in agent.logs]
    assert len({id(prefix.messages) for prefix in given}) == 1, "steps share one list of messages"


def test_steps_of_a_result_are_made_when_they_are_read(monkeypatch: pytest.MonkeyPatch):
    made: list[int] = []
    original = ActionStep.dict

    def counting(self: ActionStep) -> dict[str, Any]:
        made.append(self.step_number)
        return original(self)

    monkeypatch.setattr(ActionStep, "dict", counting)
    agent = agent_for([call("echo", text="a"), answer(1)], return_full_result=True)
    result = agent.run("go")
    assert made == []
    assert len(result.steps) == 3
    assert len(result.steps) == 3
    assert made == [1, 2]


# Looking at it


def test_logs_read_as_the_guide_says(capsys: pytest.CaptureFixture[str]):
    agent = CodeAgent([], model=ScriptedModel([code("x = 6 * 7", "x"), code("final_answer(x)")]), verbosity_level=-1)
    agent.run("go")
    assert [(s["step_number"], s["code"], s["output"]) for s in agent.logs] == [
        (1, "x = 6 * 7\nx", 42),
        (2, "final_answer(x)", 42),
    ]
    assert all(step["duration"] >= 0 for step in agent.logs)


def test_logs_before_a_run_are_empty():
    agent = agent_for([])
    assert agent.logs == []
    assert agent.memory.steps == []
    assert agent.memory.system_prompt.system_prompt == agent.system_prompt
    assert agent.task is None
    assert agent.step_number == 0


def test_replay(capsys: pytest.CaptureFixture[str]):
    agent = agent_for([call("echo", text="some text"), answer(1)])
    agent.run("the task")
    capsys.readouterr()
    agent.replay()
    shown = capsys.readouterr().out
    assert "the task" in shown
    assert "some text" in shown
    assert "You solve" not in shown
    agent.replay(detailed=True)
    assert "calling tools" in capsys.readouterr().out


def test_visualize(capsys: pytest.CaptureFixture[str]):
    helper = agent_for([], tools=[add], name="helper", description="Adds numbers.")
    agent_for([], tools=[echo], managed_agents=[helper]).visualize()
    shown = capsys.readouterr().out
    for text in ("ToolCallingAgent", "scripted", "echo", "helper", "Adds numbers.", "add"):
        assert text in shown


def test_a_run_is_shown_as_it_happens(capsys: pytest.CaptureFixture[str]):
    agent = agent_for([call("echo", text="some text"), call("fail", text="x"), answer("the end")], verbosity_level=1)
    agent.run("the task")
    shown = capsys.readouterr().out
    for text in ("the task", "Step 1", "echo", "some text", "broken: x", "Step 3", "the end"):
        assert text in shown


@pytest.mark.parametrize("level", [LogLevel.DEBUG, 2, 7, "debug"])
def test_levels_are_numbers_or_names(level: Any):
    assert agent_for([], verbosity_level=level).logger.level == LogLevel.DEBUG


def test_an_agent_says_what_it_is():
    assert (
        repr(agent_for([], name="helper", tools=[echo])) == "<ToolCallingAgent 'helper' with tools echo, final_answer>"
    )


# An agent of one's own


class Own(MultiStepAgent):
    def initialize_system_prompt(self) -> str:
        return "I am my own."

    def _step_stream(self, memory_step: ActionStep):
        reply = self.model.generate(self.write_memory_to_messages())
        memory_step.model_output = reply.text
        memory_step.observations = f"{self.task} {len(self.memory.steps)}"
        yield ActionOutput(output=reply.text, is_final_answer=reply.text.startswith("answer"))


def test_a_subclass_may_take_steps_of_its_own():
    model = ScriptedModel(["thinking", "answer 4"])
    agent = Own([], model=model, verbosity_level=-1)
    events = list(agent.run("go", stream=True))
    assert events[-1].output == "answer 4"
    assert [event.output for event in events if isinstance(event, ActionOutput)] == ["thinking", "answer 4"]
    assert [step.observations for step in agent.logs] == ["go 1", "go 2"]
    assert model.requests[0].messages[0].text == "I am my own."


def test_a_subclass_may_override_step():
    class Stepper(ToolCallingAgent):
        def step(self, memory_step: ActionStep) -> Any:
            memory_step.observations = "mine"
            return super().step(memory_step)

    agent = Stepper([echo], model=ScriptedModel([call("echo", text="a"), answer(4)]), verbosity_level=-1)
    assert agent.run("go") == 4


def test_the_base_class_cannot_run():
    agent = MultiStepAgent([], model=ScriptedModel([]), verbosity_level=-1)
    with pytest.raises(NotImplementedError, match="initialize_system_prompt"):
        agent.run("go")


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agent = agent_for([call("echo", text="a"), answer(1)], planning_interval=None)
        agent.run("go", return_full_result=True).dict()
        assert not any(isinstance(step, PlanningStep) for step in agent.memory.steps)
