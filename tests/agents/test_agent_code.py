"""The agent that writes code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agent_helpers import add, answer, code, echo, fail

from smolagents import (
    ActionOutput,
    ActionStep,
    AgentExecutionError,
    AgentParsingError,
    ChatMessage,
    ChatMessageStreamDelta,
    CodeAgent,
    MessageRole,
    TokenUsage,
    ToolCall,
    tool,
)
from smolagents.executors.base import CodeOutput, PythonExecutor
from smolagents.testing import ScriptedModel


def agent_for(replies: Any, **kwargs: Any) -> CodeAgent:
    kwargs.setdefault("verbosity_level", -1)
    usage = kwargs.pop("usage", None)
    return CodeAgent(kwargs.pop("tools", [echo, add, fail]), model=ScriptedModel(replies, usage=usage), **kwargs)


def test_it_writes_code_until_it_has_the_answer():
    agent = agent_for([code("x = add(a=1, b=2)", "print('x is', x)"), code("final_answer(x * 2)")])
    assert agent.run("go") == 6
    first, last = agent.logs
    assert first.code_action == "x = add(a=1, b=2)\nprint('x is', x)"
    assert first.observations.startswith("Execution logs:\nx is 3")
    assert first.tool_calls == [ToolCall("python_interpreter", first.code_action, "call_1")]
    assert (last.is_final_answer, last.action_output) == (True, 6)
    assert agent.memory.return_full_code() == "x = add(a=1, b=2)\nprint('x is', x)\n\nfinal_answer(x * 2)"


def test_the_events_of_a_step():
    agent = agent_for([code("final_answer(1)")])
    assert [type(e).__name__ for e in agent.run("go", stream=True)] == [
        *("ToolCall", "ActionOutput", "ActionStep", "FinalAnswerStep")
    ]


def test_the_model_sees_prints_and_the_last_value():
    agent = agent_for([code("print('a')", "40 + 2"), code("x = 1"), code("None"), code("final_answer(0)")])
    agent.run("go")
    told = [request.messages[-1].text for request in agent.model.requests[1:]]
    assert told[0] == "Observation:\nExecution logs:\na\n\nLast output from code snippet:\n42" or (
        "a" in told[0] and told[0].endswith("Last output from code snippet:\n42")
    )
    assert "print()" in told[2]


def test_an_error_in_the_code_is_told_with_its_line_and_keeps_what_was_printed():
    agent = agent_for([code("print('before')", "x = 1 / 0"), code("final_answer(1)")])
    assert agent.run("go") == 1
    step = agent.logs[0]
    assert isinstance(step.error, AgentExecutionError)
    assert "ZeroDivisionError" in str(step.error)
    assert "x = 1 / 0" in str(step.error)
    assert "before" in step.observations
    told = agent.model.requests[1].text
    assert "before" in told
    assert "x = 1 / 0" in told


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x = = 1", "x = = 1"),
        ("undefined_name", "undefined_name"),
        ("import socket", "socket"),
        ("open('/etc/passwd')", "open"),
        ("echo(tekst='a')", "tekst"),
        ("fail(text='x')", "broken: x"),
    ],
)
def test_errors_that_the_model_can_read(line: str, message: str):
    agent = agent_for([code(line), code("final_answer(1)")])
    assert agent.run("go") == 1
    assert message in str(agent.logs[0].error)


def test_variables_stay_from_step_to_step_and_where_the_run_goes_on():
    agent = agent_for([code("x = 5"), code("final_answer(x)"), code("final_answer(x + 1)")])
    assert agent.run("go") == 5
    assert agent.run("more", reset=False) == 6


def test_variables_of_one_run_are_not_in_the_next():
    agent = agent_for([code("x = 5", "final_answer(x)"), code("final_answer(x)"), code("final_answer('none')")])
    agent.run("one")
    assert agent.run("two") == "none"
    assert "x" in str(agent.logs[0].error)


def test_values_are_variables_of_the_code():
    value = {"a": [1, 2]}
    agent = agent_for([code("final_answer(sum(data['a']))")])
    assert agent.run("go", additional_args={"data": value}) == 3


def test_tools_and_functions_work_together():
    agent = agent_for(
        [code("def twice(text):", "    return echo(text=text) * 2", "final_answer([twice(c) for c in 'ab'])")]
    )
    assert agent.run("go") == ["aa", "bb"]


def test_the_prompt_has_typed_signatures_and_imports():
    agent = agent_for([code("final_answer(1)")], additional_authorized_imports=["numpy.random"])
    prompt = agent.system_prompt
    assert "def add(a: int, b: int) -> int:" in prompt
    assert "Adds." in prompt
    assert "numpy.random" in prompt
    assert "math" in prompt
    assert "<code>" in prompt
    assert "</code>" in prompt


def test_the_star_is_told_as_any_package():
    agent = agent_for([], additional_authorized_imports=["*"])
    assert "any installed package" in agent.system_prompt


def test_a_string_of_imports_is_refused():
    with pytest.raises(TypeError, match=r"write \['numpy'\]"):
        agent_for([], additional_authorized_imports="numpy")


def test_authorized_imports_work():
    agent = agent_for([code("import fractions", "final_answer(fractions.Fraction(1, 2))")])
    agent.model.replies.append(code("final_answer('no')"))
    assert agent.run("go") == "no"
    agent = agent_for(
        [code("import fractions", "final_answer(str(fractions.Fraction(1, 2)))")],
        additional_authorized_imports=["fractions"],
    )
    assert agent.run("go") == "1/2"


# What a reply looks like


def test_text_without_code_gets_one_message():
    agent = agent_for(["I think it is four.", code("final_answer(4)")])
    assert agent.run("go") == 4
    step = agent.logs[0]
    assert isinstance(step.error, AgentParsingError)
    assert "holds no code to run" in str(step.error)
    assert step.model_output == "I think it is four."
    messages = agent.model.requests[1].messages
    assert [str(m.role) for m in messages] == ["system", "user", "assistant", "tool-response"]
    assert "<code>" in messages[-1].text


def test_a_reply_that_was_cut_is_told_so():
    cut = ChatMessage(MessageRole.ASSISTANT, "Thought: " + "x" * 50, finish_reason="length")
    agent = agent_for([cut, code("final_answer(4)")])
    agent.run("go")
    assert "too long" in str(agent.logs[0].error)


def test_the_closing_tag_is_a_stop_sequence_and_is_put_back_in_memory():
    agent = agent_for(["Thought: a\n<code>\nx = 1\n", code("final_answer(1)")])
    agent.run("go")
    assert "</code>" in agent.model.requests[0].stop_sequences
    assert agent.logs[0].model_output == "Thought: a\n<code>\nx = 1\n</code>"
    assert agent.model.requests[1].messages[2].text == "Thought: a\n<code>\nx = 1\n</code>"


@pytest.mark.parametrize(
    ("tags", "reply", "shown", "stop"),
    [
        ("markdown", "```python\nfinal_answer(1)\n```", "```python", False),
        ("markdown", "```py\nfinal_answer(1)\n```", "```python", False),
        (("<run>", "</run>"), "<run>\nfinal_answer(1)\n</run>", "<run>", "</run>"),
        ((r"\[PY\]", r"\[/PY\]"), "[PY]\nfinal_answer(1)\n[/PY]", "[PY]", "[/PY]"),
        (None, "<code>\nfinal_answer(1)\n</code>", "<code>", "</code>"),
    ],
)
def test_code_block_tags(tags: Any, reply: str, shown: str, stop: Any):
    agent = agent_for([reply], code_block_tags=tags)
    assert agent.run("go") == 1
    assert shown in agent.system_prompt
    if stop:
        assert stop in agent.model.requests[0].stop_sequences


def test_markdown_tags_are_those_of_the_documentation():
    assert agent_for([], code_block_tags="markdown").code_block_tags == ("```(?:python|py)", "\n```")
    assert agent_for([]).code_block_tags == ("<code>", "</code>")


@pytest.mark.parametrize("tags", ["html", ("<a>",), ("<a>", 3), ("", "</a>"), 3])
def test_tags_that_are_no_pair(tags: Any):
    with pytest.raises(ValueError, match='code_block_tags must be a pair of strings or "markdown"'):
        agent_for([], code_block_tags=tags)


# Structured outputs


def test_structured_outputs():
    reply = json.dumps({"thought": "I compute.", "code": "x = 6\nfinal_answer(x * 7)"})
    agent = agent_for([reply], use_structured_outputs_internally=True)
    assert agent.run("go") == 42
    request = agent.model.requests[0]
    schema = request.response_format["json_schema"]["schema"]
    assert request.response_format["type"] == "json_schema"
    assert schema["required"] == ["thought", "code"]
    assert schema["additionalProperties"] is False
    assert "</code>" not in request.stop_sequences
    assert '"thought"' in agent.system_prompt
    assert agent.logs[0].code_action == "x = 6\nfinal_answer(x * 7)"


def test_a_reply_that_is_not_as_structured_is_told():
    agent = agent_for(
        ["no json", '{"thought": "t"}', json.dumps({"thought": "", "code": "final_answer(1)"})],
        use_structured_outputs_internally=True,
    )
    assert agent.run("go") == 1
    assert [type(step.error).__name__ for step in agent.logs[:2]] == ["AgentParsingError"] * 2


# stream_outputs


def test_the_pieces_of_a_reply_are_in_the_stream():
    agent = agent_for([code("final_answer(1)")], stream_outputs=True, usage=TokenUsage(3, 4))
    agent.model.chunk = 4
    events = list(agent.run("go", stream=True))
    pieces = [e.content or "" for e in events if isinstance(e, ChatMessageStreamDelta)]
    assert "".join(pieces) == code("final_answer(1)")
    assert len(pieces) > 5
    assert [type(e).__name__ for e in events[len(pieces) :]] == [
        *("ToolCall", "ActionOutput", "ActionStep", "FinalAnswerStep")
    ]
    assert agent.logs[0].token_usage == TokenUsage(3, 4)


# Executors


class Recorder(PythonExecutor):
    """An executor of one's own, with a single session."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.tools: list[str] = []
        self.variables: dict[str, Any] = {}
        self.cleaned = 0

    def send_tools(self, tools: Any) -> None:
        self.tools = sorted(tools)

    def send_variables(self, variables: Any) -> None:
        self.variables.update(variables)

    def __call__(self, code_action: str) -> CodeOutput:
        self.ran.append(code_action)
        if "fail" in code_action:
            raise RuntimeError("it failed there")
        return CodeOutput(output=len(self.ran), logs="some logs", is_final_answer=len(self.ran) == 3)

    def cleanup(self) -> None:
        self.cleaned += 1


def test_an_executor_of_ones_own():
    executor = Recorder()
    agent = agent_for([code("a"), code("fail"), code("c")], executor=executor)
    assert agent.run("go", additional_args={"x": 1}) == 3
    assert executor.ran == ["a", "fail", "c"]
    assert executor.tools == ["add", "echo", "fail", "final_answer"]
    assert executor.variables == {"x": 1}
    assert agent.logs[0].observations == "Execution logs:\nsome logs\nLast output from code snippet:\n1"
    assert "it failed there" in str(agent.logs[1].error)
    assert agent.python_executor is executor


def test_an_agent_as_context_cleans_up():
    executor = Recorder()
    with agent_for([], executor=executor) as agent:
        assert agent.python_executor is executor
    assert executor.cleaned == 1
    agent.cleanup()
    assert executor.cleaned == 2


def test_a_single_session_is_never_used_by_two_runs_at_once():
    executor = Recorder()
    agent = agent_for([code("a"), code("b"), code("c"), code("d")], executor=executor)
    events = agent.run("go", stream=True)
    assert isinstance(next(events), ToolCall)
    with pytest.raises(AgentExecutionError, match="Recorder has a single session"):
        agent.run("another")
    events.close()
    assert executor.ran == []
    list(agent.run("third", stream=True))
    assert executor.ran


def test_a_single_session_is_never_used_by_two_streams_at_once():
    agent = agent_for([code("a"), code("b"), code("c"), code("d")], executor=Recorder())
    first, second = agent.run("one", stream=True), agent.run("two", stream=True)
    assert isinstance(next(first), ToolCall)
    with pytest.raises(AgentExecutionError, match="single session"):
        next(second)
    assert isinstance(next(first), ActionOutput)
    first.close()


def test_an_executor_that_cannot_take_a_value_does_not_block_the_agent():
    class Picky(Recorder):
        def send_variables(self, variables: Any) -> None:
            if "lock" in variables:
                raise TypeError("cannot send a lock")

    executor = Picky()
    agent = agent_for([code("a"), code("b"), code("c")], executor=executor)
    with pytest.raises(TypeError, match="cannot send a lock") as caught:
        agent.run("go", additional_args={"lock": object()})
    assert caught.value.run_result.state == "error"
    assert agent.run("go") == 3


class Sessions(Recorder):
    """An executor with as many sessions as there are runs."""

    def __init__(self, all_sessions: list[Sessions] | None = None) -> None:
        super().__init__()
        self.all = [] if all_sessions is None else all_sessions
        self.all.append(self)

    def session(self) -> Sessions:
        return Sessions(self.all)

    def __call__(self, code_action: str) -> CodeOutput:
        self.ran.append(code_action)
        return CodeOutput(output=code_action, logs="", is_final_answer=True)


def test_sessions_that_nothing_will_continue_are_cleaned_up():
    executor = Sessions()
    agent = agent_for([code(str(i)) for i in range(6)], executor=executor)
    for _ in range(4):
        agent.run("go")
    assert [session.cleaned for session in executor.all] == [0, 1, 1, 0]
    agent.run("more", reset=False)
    assert [session.ran for session in executor.all] == [["0"], ["1"], ["2"], ["3", "4"]]
    events = agent.run("a stream", stream=True)
    next(events)
    assert [session.cleaned for session in executor.all] == [0, 1, 1, 1, 0]
    events.close()
    agent.cleanup()
    assert [session.cleaned for session in executor.all] == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("kind", ["lokal", "", "e3b"])
def test_an_unknown_type_of_executor(kind: str):
    with pytest.raises(ValueError, match=f"unknown executor_type {kind!r}; use one of 'local'"):
        agent_for([], executor_type=kind)


def test_settings_of_the_executor():
    agent = agent_for([code("while True: pass"), code("final_answer(1)")], executor_kwargs={"timeout_seconds": 0.3})
    assert agent.run("go") == 1
    assert "0.3" in str(agent.logs[0].error)


def test_long_output_is_cut_for_the_model():
    agent = agent_for([code("print('x' * 10_000)"), code("final_answer(1)")], max_print_outputs_length=200)
    agent.run("go")
    assert len(agent.logs[0].observations) < 1_000


def test_large_last_values_are_cut_for_the_model():
    agent = agent_for([code("'x' * 1_000_000"), code("final_answer(1)")])
    agent.run("go")
    assert len(agent.logs[0].observations) < 50_000
    assert len(agent.logs[0].action_output) == 1_000_000


def test_a_final_answer_in_the_middle_ends_the_code():
    ran: list[int] = []

    @tool
    def note(number: int) -> int:
        """Notes.

        Args:
            number: What.
        """
        ran.append(number)
        return number

    agent = agent_for(
        [
            code(
                "note(number=1)",
                "try:",
                "    final_answer('first')",
                "except Exception:",
                "    pass",
                "note(number=2)",
            )
        ],
        tools=[note],
    )
    assert agent.run("go") == "first"
    assert ran == [1]


@pytest.mark.parametrize("value", [None, "", 0, False, [], {"a": 1}, "text"])
def test_any_value_can_be_the_answer(value: Any):
    agent = agent_for([code(f"final_answer({value!r})")])
    result = agent.run("go", return_full_result=True)
    assert result.output == value
    assert result.state == "success"
    assert len(agent.logs) == 1


def test_base_tools_leave_out_the_interpreter():
    """It writes code already."""
    pytest.importorskip("smolagents.default_tools")
    agent = agent_for([], tools=[], add_base_tools=True)
    assert "python_interpreter" not in agent.tools
    assert "web_search" in agent.tools
    assert len(agent.tools) > 2


def test_a_tool_that_answers_with_no_code_at_all():
    agent = agent_for([answer(4), code("final_answer(4)")])
    assert agent.run("go") == 4


def test_a_step_is_told_apart_from_a_final_one():
    agent = agent_for([code("1"), code("final_answer(2)")])
    outcomes = [e for e in agent.run("go", stream=True) if isinstance(e, ActionOutput)]
    assert [(o.output, o.is_final_answer) for o in outcomes] == [(1, False), (2, True)]
    assert [s.is_final_answer for s in agent.memory.steps if isinstance(s, ActionStep)] == [False, True]


def test_a_value_that_cannot_be_shown_is_an_error_of_its_step():
    class Broken:
        def __str__(self):
            raise RuntimeError("no text")

    @tool
    def make() -> object:
        """Makes it."""
        return Broken()

    agent = agent_for([code("made = make()", "made"), code("final_answer(type(made).__name__)")], tools=[make])
    assert agent.run("go") == "Broken"
    assert "a Broken, cannot be shown: RuntimeError: no text" in agent.logs[0].error.message
