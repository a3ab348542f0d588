"""Tools declared as classes."""

from __future__ import annotations

import dataclasses
import pickle
import threading
import time
from typing import Any, Dict, Optional  # noqa: UP035

import pytest

from smolagents.tools import FinalAnswerTool, Tool, UserInputTool
from smolagents.types.agent_types import AgentText


class WeatherTool(Tool):
    name = "weather_tool"
    description = "Gets the current weather for a location"

    def __init__(self, api_key: Optional[str] = None):  # noqa: UP045
        self.api_key = api_key
        super().__init__()

    def forward(self, location: str) -> Dict[str, Any]:  # noqa: UP006
        """
        Get the weather for a location.

        Args:
            location: City and country (e.g., "Paris, France")
        """
        return {"location": location, "temperature": 22.5}


class Shout(Tool):
    name = "shout"
    description = "Says it loudly."
    inputs = {
        "text": {"type": "string", "description": "What to say."},
        "times": {"type": "integer", "description": "How often."},
    }
    output_type = "string"

    def forward(self, text: str, times: int = 1) -> str:
        return text.upper() * times


def test_inputs_and_output_come_from_forward_where_they_are_not_declared():
    tool = WeatherTool(api_key="k")
    assert tool.inputs == {"location": {"type": "string", "description": 'City and country (e.g., "Paris, France")'}}
    assert tool.output_type == "object"
    assert tool("Rome") == {"location": "Rome", "temperature": 22.5}
    assert tool.api_key == "k"


def test_a_child_with_its_own_forward_has_its_own_inputs():
    class Child(WeatherTool):
        def forward(self, city: str, days: int = 1) -> str:
            """x

            Args:
                city: The city.
                days: How far ahead.
            """
            return city * days

    class Grandchild(Child):
        pass

    WeatherTool()
    assert list(Child().inputs) == list(Grandchild().inputs) == ["city", "days"]
    assert Child().output_type == "string"
    assert list(WeatherTool().inputs) == ["location"]


def test_declared_inputs_stand_and_a_default_makes_them_nullable():
    tool = Shout()
    assert tool.inputs["text"] == {"type": "string", "description": "What to say."}
    assert tool.inputs["times"]["nullable"] is True
    assert "nullable" not in Shout.__mro__[1].__dict__
    assert tool("a", times=2) == "AA"


def test_arguments_may_come_as_one_dictionary():
    assert Shout()({"text": "a", "times": 3}) == "AAA"
    assert FinalAnswerTool()({"answer": 1, "more": 2}) == {"answer": 1, "more": 2}


def test_outputs_are_wrapped_and_inputs_unwrapped_on_request():
    output = Shout()(text=AgentText("a"), sanitize_inputs_outputs=True)
    assert isinstance(output, AgentText)
    assert output == "A"
    assert type(Shout()("a")) is str


def test_setup_runs_once_before_the_first_call_even_when_many_threads_call():
    class Slow(Tool):
        name = "slow"
        description = "d"
        inputs = {}
        output_type = "integer"
        setups = 0

        def setup(self):
            time.sleep(0.02)
            type(self).setups += 1

        def forward(self):
            return self.setups

    tool = Slow()
    assert Slow.setups == 0
    assert tool.is_initialized is False
    results = []
    threads = [threading.Thread(target=lambda: results.append(tool())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1] * 8
    assert tool.is_initialized is True


def test_a_second_instance_costs_little():
    Shout()
    best = min(_seconds_for_1000() for _ in range(5))
    assert best / 1000 < 10e-6


def _seconds_for_1000() -> float:
    start = time.perf_counter()
    for _ in range(1000):
        Shout()
    return time.perf_counter() - start


def test_an_init_that_sets_the_name_after_the_parent_s_is_validated_with_it():
    class Named(Tool):
        description = "d"
        inputs = {}
        output_type = "null"

        def __init__(self, name):
            super().__init__()
            self.name = name

        def forward(self):
            return None

    assert Named("good").name == "good"
    with pytest.raises(ValueError, match="'not good' cannot be the name"):
        Named("not good")
    with pytest.raises(ValueError, match="'class' cannot be the name"):
        Named("class")


def test_an_instance_may_bring_its_own_inputs():
    class Own(Tool):
        name = "own"
        description = "d"

        def __init__(self, hint):
            super().__init__()
            self.inputs = {"x": {"type": "integer", "description": hint}}

        def forward(self, x: int) -> int:
            return x

    assert Own("first").inputs["x"]["description"] == "first"
    assert Own("second").to_code_prompt().startswith("def own(x: int) -> int:")


def test_a_tool_may_be_a_data_class():
    @dataclasses.dataclass
    class Multiply(Tool):
        name = "multiply"
        description = "d"
        factor: int = 2

        def forward(self, n: int) -> int:
            """x

            Args:
                n: A number.
            """
            return n * self.factor

    assert Multiply(factor=3)(4) == 12
    assert Multiply().inputs == {"n": {"type": "integer", "description": "A number."}}

    @dataclasses.dataclass
    class Both(Multiply):
        plus: int = 1

        def forward(self, n: int) -> int:
            """x

            Args:
                n: Another number.
            """
            return n * self.factor + self.plus

    assert Both(3, plus=5)(4) == 17
    assert Both().inputs["n"]["description"] == "Another number."


def test_an_init_from_a_mixin_is_followed_by_validation():
    class Mixin:
        def __init__(self, inputs):
            self.inputs = inputs

    class Mixed(Mixin, Tool):
        name = "mixed"
        description = "d"
        output_type = "any"

        def forward(self, **kwargs):
            return kwargs

    assert Mixed({"a": {"type": "any", "description": "x"}})(a=1) == {"a": 1}
    with pytest.raises(ValueError, match="lacks 'description'"):
        Mixed({"a": {"type": "any"}})


def declare(**attributes: Any) -> type[Tool]:
    body = {"name": "t", "description": "d", "inputs": {}, "output_type": "string", "forward": lambda self: "x"}
    body.update(attributes)
    return type("T", (Tool,), {key: value for key, value in body.items() if value is not ...})


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"name": ...}, "T has no name"),
        ({"description": ...}, "T has no description"),
        ({"description": "  "}, "empty description"),
        ({"name": 3}, "name must be a str, not int"),
        ({"output_type": "str"}, "output_type is 'str' but must be one of: string, boolean"),
        ({"output_type": ...}, "return type hint"),
        ({"inputs": []}, "inputs must be a dict, not list"),
        ({"inputs": {"a": "string"}}, "input 'a'.*Write"),
        ({"inputs": {"a": {"type": "string"}}}, "input 'a' lacks 'description'"),
        ({"inputs": {"a": {"type": "str", "description": ""}}}, "input 'a': the type is 'str' but must be one"),
        (
            {"inputs": {"a": {"type": "string", "description": ""}}},
            r"'forward' takes \(\) but 'inputs' declares \(a\)",
        ),
        ({"output_schema": "x"}, "output_schema must be a JSON schema"),
    ],
)
def test_a_wrong_declaration_is_refused_with_what_to_write(attributes, message):
    with pytest.raises(TypeError, match=message):
        declare(**attributes)()


def test_forward_may_take_anything_where_the_class_says_so_or_by_kwargs():
    inputs = {"a": {"type": "any", "description": "x"}}
    assert declare(inputs=inputs, forward=lambda self, **kwargs: kwargs["a"])()(a=1) == 1
    tool = declare(inputs=inputs, forward=lambda self, b: b, skip_forward_signature_validation=True)()
    assert tool(b=1) == 1


def test_a_tool_without_forward_says_so_when_called():
    with pytest.raises(NotImplementedError, match="'t' has no 'forward'"):
        declare(forward=..., inputs={}, skip_forward_signature_validation=True)()()


def test_tools_travel_between_processes():
    tool = pickle.loads(pickle.dumps(WeatherTool("k")))
    assert tool.api_key == "k"
    assert tool("x")["location"] == "x"


def test_final_answer_is_passed_on_unchanged():
    value = object()
    assert FinalAnswerTool()(value) is value
    assert FinalAnswerTool().name == "final_answer"


def test_user_input_reads_a_line_and_says_when_there_is_nobody(monkeypatch, capsys):
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.StringIO("blue\n"))
    assert UserInputTool()("Which colour?") == "blue"
    assert "Which colour?" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="standard input is closed"):
        UserInputTool()("And now?")


def test_the_code_prompt_is_python_and_follows_changes():
    import ast

    tool = Shout()
    first = tool.to_code_prompt()
    assert tool.to_code_prompt() is first
    function = ast.parse(first).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert first.startswith("def shout(text: str, times: int = 1) -> str:\n")
    assert ast.get_docstring(function) == ("Says it loudly.\n\nArgs:\n    text: What to say.\n    times: How often.")
    tool.description = 'Says "it" """loudly""" and \\n"'
    changed = tool.to_code_prompt()
    assert "loudly" in ast.get_docstring(ast.parse(changed).body[0])
    tool.inputs["text"]["description"] = "Other."
    assert "text: Other." in tool.to_code_prompt()
    Shout.inputs["text"]["description"] = "What to say."


def test_the_tool_calling_prompt_names_inputs_and_output():
    assert Shout().to_tool_calling_prompt().startswith("shout: Says it loudly.\n    Takes inputs: {")
    assert Shout().to_tool_calling_prompt().endswith("Returns an output of type: string")


def test_parameters_have_no_type_that_providers_refuse():
    tool = declare(
        inputs={
            "a": {"type": "any", "description": "x"},
            "b": {"type": ["image", "string"], "description": "x", "nullable": True},
            "c": {"type": "array", "items": {"type": "any"}, "description": "x"},
        },
        forward=lambda self, a, b, c: a,
    )()
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "a": {"description": "x"},
            "b": {"type": "string", "description": "x"},
            "c": {"type": "array", "items": {}, "description": "x"},
        },
        "required": ["a", "c"],
    }
