"""Steps, the messages they make, and a memory that renders each of them once."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from smolagents import (
    ActionStep,
    AgentError,
    AgentLogger,
    AgentMemory,
    AgentParsingError,
    CallbackRegistry,
    ChatMessage,
    FinalAnswerStep,
    LogLevel,
    MemoryStep,
    MessageRole,
    PlanningStep,
    SystemPromptStep,
    TaskStep,
    Timing,
    TokenUsage,
    ToolCall,
)


def said(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.ASSISTANT, content=text)


def plain(messages: list[ChatMessage]) -> list[tuple[str, Any]]:
    return [(str(message.role), message.content) for message in messages]


def texts(messages: list[ChatMessage]) -> list[tuple[str, str]]:
    return [(str(message.role), message.text) for message in messages]


def action(number: int = 1, **fields: Any) -> ActionStep:
    return ActionStep(step_number=number, timing=Timing(10.0, 12.5), **fields)


# Steps


def test_a_step_of_code_is_shown_as_words_and_observation():
    step = action(
        model_output="Thought: easy\n<code>\nprint(1)\n</code>\n",
        tool_calls=[ToolCall("python_interpreter", "print(1)", "call_1")],
        code_action="print(1)",
        observations="Execution logs:\n1",
    )
    assert texts(step.to_messages()) == [
        ("assistant", "Thought: easy\n<code>\nprint(1)\n</code>"),
        ("tool-response", "Observation:\nExecution logs:\n1"),
    ]


def test_a_step_of_tool_calls_is_shown_with_its_calls():
    step = action(tool_calls=[ToolCall("search", {"query": "é"}, "a1")], observations="found")
    messages = texts(step.to_messages())
    assert [role for role, _ in messages] == ["tool-call", "tool-response"]
    assert messages[0][1] == 'Calling tools:\n[{"id": "a1", "name": "search", "arguments": {"query": "é"}}]'


def test_an_error_is_shown_after_what_was_observed_before_it():
    step = action(observations="Execution logs:\n1", error=AgentParsingError("no code"))
    messages = texts(step.to_messages())
    assert [role for role, _ in messages] == ["tool-response", "tool-response"]
    assert messages[0][1] == "Observation:\nExecution logs:\n1"
    assert messages[1][1].startswith("Error:\nno code\n")


def test_a_summary_leaves_out_the_models_words_the_system_prompt_and_plans():
    memory = AgentMemory("be good")
    memory.steps = [
        TaskStep("count"),
        PlanningStep([], said("1. count"), "1. count", Timing(0.0, 1.0)),
        action(model_output="I count", observations="3"),
    ]
    assert texts(memory.to_messages(summary_mode=True)) == [
        ("user", "New task:\ncount"),
        ("tool-response", "Observation:\n3"),
    ]
    assert [role for role, _ in texts(memory.to_messages())] == [
        *("system", "user", "assistant", "user", "assistant", "tool-response")
    ]


def test_images_are_parts_of_messages():
    image = object()
    assert TaskStep("look", [image]).to_messages()[0].content == [
        {"type": "text", "text": "New task:\nlook"},
        {"type": "image", "image": image},
    ]
    step = action(observations_images=[image], observations="seen")
    assert step.to_messages()[0].content == [{"type": "image", "image": image}]


def test_a_model_output_of_parts_is_kept_as_it_is():
    parts = [{"type": "text", "text": "hello"}]
    assert action(model_output=parts).to_messages()[0].content == parts


def test_other_steps():
    assert plain(SystemPromptStep("be good").to_messages()) == [("system", [{"type": "text", "text": "be good"}])]
    assert SystemPromptStep("be good").to_messages(summary_mode=True) == []
    assert FinalAnswerStep(4).to_messages() == []
    assert FinalAnswerStep(4).output == 4
    with pytest.raises(NotImplementedError):
        MemoryStep().to_messages()


def test_a_step_reads_like_a_dictionary():
    step = action(3, code_action="6 * 7", observations="seen", token_usage=TokenUsage(1, 2))
    assert step["step_number"] == 3
    assert step["code"] == "6 * 7"
    assert step["output"] == "seen"
    assert step["duration"] == 2.5
    assert step["token_usage"] == TokenUsage(1, 2)
    step.action_output = 42
    assert step["output"] == 42
    with pytest.raises(KeyError, match="speed"):
        step["speed"]


def test_messages_read_like_dictionaries():
    message = said("hello")
    assert message["role"] == "assistant"
    assert message["content"] == "hello"
    assert f"{message['role']}: {message['content']}" == "assistant: hello"
    assert message.get("content") == "hello"
    assert message.get("speed", 1) == 1
    with pytest.raises(KeyError):
        message["speed"]


def test_the_dictionary_of_a_step_is_json():
    step = action(
        2,
        model_input_messages=[ChatMessage(role=MessageRole.USER, content="go")],
        tool_calls=[ToolCall("search", {"query": {1, 2}}, "a1")],
        error=AgentParsingError("no"),
        model_output_message=said("x"),
        model_output="x",
        action_output=object,
        token_usage=TokenUsage(3, 4),
    )
    data = json.loads(json.dumps(step.dict()))
    assert data["step_number"] == 2
    assert data["timing"] == {"start_time": 10.0, "end_time": 12.5, "duration": 2.5}
    assert data["model_input_messages"][0]["content"] == "go"
    assert data["tool_calls"][0]["function"]["name"] == "search"
    assert data["error"] == {"type": "AgentParsingError", "message": "no"}
    assert data["token_usage"] == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert data["is_final_answer"] is False
    assert isinstance(data["action_output"], str)
    assert "model_input_messages" not in step.succinct()


def test_the_dictionary_of_a_memory():
    memory = AgentMemory("be good")
    memory.steps.append(TaskStep("count"))
    memory.steps.append(action(1, model_input_messages=memory.to_messages(), observations="3"))
    memory.steps.append(PlanningStep([said("a")], said("1."), "1.", Timing(0.0, 1.0), TokenUsage(1, 1)))
    full, succinct = memory.get_full_steps(), memory.get_succinct_steps()
    json.dumps(full)
    assert full[0] == {"task": "count", "task_images": None}
    assert [message["role"] for message in full[1]["model_input_messages"]] == ["system", "user"]
    assert "model_input_messages" not in succinct[1]
    assert "model_input_messages" not in succinct[2]
    assert succinct[2]["plan"] == "1."


def test_the_code_of_a_memory_is_one_script():
    memory = AgentMemory("")
    memory.steps = [TaskStep("t"), action(1, code_action="x = 1"), action(2), action(3, code_action="print(x)")]
    assert memory.return_full_code() == "x = 1\n\nprint(x)"


def test_reset_keeps_the_system_prompt():
    memory = AgentMemory("be good")
    memory.steps.append(TaskStep("count"))
    memory.reset()
    assert memory.steps == []
    assert texts(memory.to_messages()) == [("system", "be good")]


def test_replay_prints_the_steps(capsys: pytest.CaptureFixture[str]):
    memory = AgentMemory("be good")
    memory.steps = [
        TaskStep("count the words"),
        PlanningStep([], said("1."), "first look", Timing(0.0, 1.0)),
        action(1, model_input_messages=[said("earlier words")], model_output="I count", observations="three"),
        action(2, error=AgentError("it broke")),
        action(3, is_final_answer=True, action_output=42),
    ]
    logger = AgentLogger(level=LogLevel.ERROR)
    memory.replay(logger)
    shown = capsys.readouterr().out
    for text in ("count the words", "first look", "I count", "three", "it broke", "42"):
        assert text in shown
    assert "earlier words" not in shown
    assert "be good" not in shown
    memory.replay(logger, detailed=True)
    shown = capsys.readouterr().out
    assert "earlier words" in shown
    assert "be good" in shown


def test_steps_and_memories_can_be_copied_and_pickled():
    memory = AgentMemory("be good")
    memory.steps.append(TaskStep("count"))
    step = action(1, observations="3", tool_calls=[ToolCall("f", {}, "1")])
    step.model_input_messages = memory.prefix()
    memory.steps.append(step)
    before = texts(memory.to_messages())
    for twin in (copy.deepcopy(memory), pickle.loads(pickle.dumps(memory))):
        assert texts(twin.to_messages()) == before
        twin.steps[1].observations = "4"
        twin.steps.append(TaskStep("more"))
        assert texts(twin.to_messages())[-2:] == [("tool-response", "Observation:\n4"), ("user", "New task:\nmore")]
    assert texts(memory.to_messages()) == before
    twin = pickle.loads(pickle.dumps(step))
    assert twin == step
    assert texts(twin.model_input_messages) == before[:2]


# Rendering once


class Counted(TaskStep):
    def to_messages(self, summary_mode: bool = False) -> list[ChatMessage]:
        self.__dict__["times"] = self.__dict__.get("times", 0) + 1
        return super().to_messages(summary_mode)


def test_each_step_is_rendered_once_however_often_the_memory_is_asked():
    memory = AgentMemory("be good")
    for number in range(50):
        memory.steps.append(Counted(f"task {number}"))
        memory.to_messages()
        memory.prefix()
    assert [step.__dict__["times"] for step in memory.steps] == [1] * 50


def test_messages_of_earlier_steps_are_the_same_objects():
    """A provider's prompt cache only hits when what came before is identical."""
    memory = AgentMemory("be good")
    earlier: list[ChatMessage] = []
    for number in range(10):
        memory.steps.append(action(number, model_output=f"words {number}", observations="seen"))
        now = memory.to_messages()
        assert all(a is b for a, b in zip(earlier, now, strict=False))
        earlier = now


def test_input_messages_by_prefix_cost_no_list():
    memory = AgentMemory("be good")
    steps = []
    for number in range(20):
        step = action(number, observations="seen")
        step.model_input_messages = memory.prefix()
        memory.steps.append(step)
        steps.append(step)
    assert [len(step.model_input_messages) for step in steps] == list(range(1, 21))
    assert len({id(step.__dict__["_model_input_messages"].messages) for step in steps}) == 1


def test_the_list_of_messages_belongs_to_its_caller():
    memory = AgentMemory("be good")
    memory.steps.append(TaskStep("count"))
    memory.to_messages().clear()
    memory.to_messages().append(said("x"))
    assert texts(memory.to_messages()) == [("system", "be good"), ("user", "New task:\ncount")]


CHANGES: dict[str, Any] = {
    "a field": lambda m: setattr(m.steps[1], "observations", "changed"),
    "an error": lambda m: setattr(m.steps[1], "error", AgentError("bad")),
    "a list in place": lambda m: m.steps[1].tool_calls.append(ToolCall("f", {}, "2")),
    "a list emptied": lambda m: m.steps[1].observations_images.clear(),
    "a list replaced": lambda m: setattr(m.steps[1], "observations_images", None),
    "a call in a list": lambda m: setattr(m.steps[1].tool_calls[0], "name", "g"),
    "arguments of a call": lambda m: m.steps[1].tool_calls[0].arguments.update(x=2),
    "parts of the model's words": lambda m: m.steps[2].model_output[0].update(text="other words"),
    "a step removed": lambda m: m.steps.pop(1),
    "a step deleted": lambda m: m.steps.__delitem__(slice(0, 1)),
    "a step replaced": lambda m: m.steps.__setitem__(1, action(1, observations="another")),
    "a step inserted": lambda m: m.steps.insert(0, TaskStep("before")),
    "steps reversed": lambda m: m.steps.reverse(),
    "steps sorted": lambda m: m.steps.sort(key=lambda step: str(type(step))),
    "steps cleared": lambda m: m.steps.clear(),
    "steps extended": lambda m: m.steps.extend([TaskStep("more")]),
    "steps added": lambda m: setattr(m, "steps", [*m.steps, TaskStep("more")]),
    "steps assigned": lambda m: setattr(m, "steps", m.steps[:1]),
    "steps added in place": lambda m: m.steps.__iadd__([TaskStep("more")]),
    "the system prompt": lambda m: setattr(m, "system_prompt", SystemPromptStep("be better")),
    "the text of the system prompt": lambda m: setattr(m.system_prompt, "system_prompt", "be better"),
    "the task": lambda m: setattr(m.steps[0], "task", "something else"),
    "the images of the task": lambda m: m.steps[0].task_images.append("image"),
}


def three_steps() -> AgentMemory:
    memory = AgentMemory("be good")
    memory.steps.append(TaskStep("count", ["first image"]))
    memory.steps.append(
        action(1, tool_calls=[ToolCall("f", {"x": 1}, "1")], observations="seen", observations_images=["i"])
    )
    memory.steps.append(action(2, model_output=[{"type": "text", "text": "words"}]))
    return memory


def from_scratch(memory: AgentMemory) -> list[tuple[str, Any]]:
    rendered = memory.system_prompt.to_messages()
    for step in list(memory.steps):
        rendered = rendered + step.to_messages()
    return plain(rendered)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_shows_in_the_next_messages(name: str):
    memory = three_steps()
    given_before = memory.prefix()
    before = copy.deepcopy(plain(memory.to_messages()))
    CHANGES[name](memory)
    after = plain(memory.to_messages())
    assert after == from_scratch(memory)
    assert after != before
    if "parts" not in name:
        assert plain(given_before.to_list()) == before


class MemoryMachine(RuleBasedStateMachine):
    """Any sequence of appends and changes: what is rendered incrementally is what is rendered from scratch."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = AgentMemory("prompt 0")
        self.number = 0
        self.given: list[tuple[ActionStep, list[tuple[str, Any]]]] = []

    def text(self) -> str:
        self.number += 1
        return f"text {self.number}"

    @rule(calls=st.integers(0, 2), code=st.booleans(), words=st.booleans())
    def act(self, calls: int, code: bool, words: bool) -> None:
        step = action(self.number)
        step.model_input_messages = self.memory.prefix()
        self.given.append((step, plain(self.memory.to_messages())))
        step.tool_calls = [ToolCall("f", {"x": self.text()}, str(i)) for i in range(calls)] or None
        step.model_output = self.text() if words else None
        step.code_action = self.text() if code else None
        self.memory.steps.append(step)
        step.observations = self.text()

    @rule()
    def new_task(self) -> None:
        self.memory.steps.append(TaskStep(self.text(), []))

    @rule()
    def plan(self) -> None:
        self.memory.steps.append(PlanningStep(self.memory.to_messages(), said("p"), self.text(), Timing(0.0, 1.0)))

    @rule(several=st.integers(0, 3))
    def extend(self, several: int) -> None:
        self.memory.steps += [TaskStep(self.text()) for _ in range(several)]

    @precondition(lambda self: self.memory.steps)
    @rule(data=st.data())
    def change(self, data: st.DataObject) -> None:
        step = data.draw(st.sampled_from(list(range(len(self.memory.steps)))))
        chosen = self.memory.steps[step]
        if isinstance(chosen, ActionStep):
            which = data.draw(st.sampled_from(["observations", "error", "output", "calls", "call", "images"]))
            if which == "observations":
                chosen.observations = self.text()
            elif which == "error":
                chosen.error = AgentError(self.text())
            elif which == "output":
                chosen.model_output = self.text()
            elif which == "calls":
                calls = chosen.tool_calls
                if calls is None:
                    chosen.tool_calls = [ToolCall("g", {}, self.text())]
                else:
                    calls.append(ToolCall("g", {}, self.text()))
            elif which == "call" and chosen.tool_calls:
                chosen.tool_calls[-1].name = self.text()
            else:
                chosen.observations_images = [self.text()]
        elif isinstance(chosen, TaskStep):
            if chosen.task_images is not None and data.draw(st.booleans()):
                chosen.task_images.append(self.text())
            else:
                chosen.task = self.text()
        elif isinstance(chosen, PlanningStep):
            chosen.plan = self.text()

    @precondition(lambda self: self.memory.steps)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        del self.memory.steps[data.draw(st.integers(0, len(self.memory.steps) - 1))]

    @rule(data=st.data())
    def insert(self, data: st.DataObject) -> None:
        self.memory.steps.insert(data.draw(st.integers(0, len(self.memory.steps))), TaskStep(self.text()))

    @rule()
    def new_prompt(self) -> None:
        self.memory.system_prompt = SystemPromptStep(self.text())

    @rule()
    def changed_prompt(self) -> None:
        self.memory.system_prompt.system_prompt = self.text()

    @rule()
    def look(self) -> None:
        """Reading changes nothing."""
        self.memory.get_full_steps()
        self.memory.to_messages(summary_mode=True)
        self.memory.return_full_code()

    @invariant()
    def rendered_as_from_scratch(self) -> None:
        assert plain(self.memory.to_messages()) == from_scratch(self.memory)

    @invariant()
    def what_a_step_was_given_stays(self) -> None:
        for step, messages in self.given:
            assert plain(step.model_input_messages or []) == messages


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["act", "task", "plan"]), max_size=12))
def test_every_rendering_is_a_prefix_of_the_next(kinds: list[str]):
    memory = AgentMemory("be good")
    before: list[tuple[str, Any]] = plain(memory.to_messages())
    for number, kind in enumerate(kinds):
        if kind == "act":
            memory.steps.append(action(number, model_output=f"w{number}", observations=f"o{number}"))
        elif kind == "task":
            memory.steps.append(TaskStep(f"t{number}"))
        else:
            memory.steps.append(PlanningStep([], said("p"), f"p{number}", Timing(0.0, 1.0)))
        now = plain(memory.to_messages())
        assert json.dumps(now[: len(before)]) == json.dumps(before)
        before = now


def test_a_step_can_be_in_two_memories():
    shared = action(1, observations="seen")
    first, second = AgentMemory("a"), AgentMemory("b")
    first.steps.append(shared)
    second.steps.append(shared)
    first.to_messages()
    second.to_messages()
    shared.observations = "changed"
    assert texts(second.to_messages())[-1] == ("tool-response", "Observation:\nchanged")
    assert texts(first.to_messages())[-1] == ("tool-response", "Observation:\nchanged")


# Callbacks


def test_callbacks_by_kind_of_step():
    called: list[str] = []
    registry = CallbackRegistry()
    registry.register(ActionStep, lambda step: called.append("action"))
    registry.register(MemoryStep, lambda step: called.append("any"))
    registry.register(PlanningStep, lambda step: called.append("plan"))
    registry.register(ActionStep, lambda step, agent: called.append(f"with {agent}"))
    registry.register(ActionStep, lambda step, **kwargs: called.append(f"with {sorted(kwargs)}"))
    registry.callback(action(), agent="A")
    assert called == ["action", "with A", "with ['agent']", "any"]


def test_all_callbacks_are_called_before_a_failure_is_raised():
    called: list[int] = []

    def fails(step: MemoryStep) -> None:
        called.append(1)
        raise KeyError("mine")

    registry = CallbackRegistry()
    registry.register(ActionStep, fails)
    registry.register(ActionStep, lambda step: called.append(2))
    with pytest.raises(KeyError, match="mine"):
        registry.callback(action())
    assert called == [1, 2]


def test_what_cannot_be_called_is_no_callback():
    with pytest.raises(TypeError, match="must be callable, not str"):
        CallbackRegistry().register(ActionStep, "print")  # type: ignore[arg-type]
