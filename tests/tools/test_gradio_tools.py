"""Tools of Gradio apps, and a tool as a Gradio app: real ones, served by a process on this machine."""

from __future__ import annotations

import importlib.util
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smolagents import CodeAgent, Tool, ToolCallingAgent, tool
from smolagents.testing import ScriptedModel
from smolagents.tools import ToolTimeoutError, get_tools_definition_code
from smolagents.tools.interruption import current_interrupt
from smolagents.types.agent_types import AgentAudio, AgentImage
from smolagents.types.errors import AgentInterruptedError
from support.gradio_app import serve

# What Gradio and its client warn of is theirs.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(
        importlib.util.find_spec("gradio") is None, reason="Gradio is not installed: pip install 'smolagents[gradio]'"
    ),
]


@pytest.fixture(scope="module")
def app() -> Iterator[str]:
    with serve() as address:
        yield address


def test_an_app_s_function_is_a_tool_with_its_arguments(app: str) -> None:
    greet = Tool.from_space(app, "greet_somebody", api_name="/greet")
    assert greet.description == "Greets somebody."
    assert greet.inputs["name"] == {"type": "string", "description": "Name"}
    assert greet.inputs["times"]["type"] == "integer"
    assert greet.inputs["times"]["nullable"]
    assert greet.inputs["style"]["enum"] == ["plain", "fancy"]
    assert greet.output_type == "string"
    assert greet("Ada") == "hello AdaAda (plain)"
    assert (
        greet("Ada", 1, style="fancy") == greet({"name": "Ada", "times": 1, "style": "fancy"}) == "hello Ada (fancy)"
    )
    with pytest.raises(TypeError, match="Argument 'name' of tool 'greet_somebody' is required"):
        greet()
    with pytest.raises(TypeError, match="has no argument 'colour'"):
        greet("Ada", colour="red")


def test_limits_of_calls_hold(app: str) -> None:
    greet = Tool.from_space(app, "greet", api_name="/greet").limit(cache=True)
    first, started = greet("Ada"), time.monotonic()
    assert all(greet("Ada") == first for _ in range(100))
    assert time.monotonic() - started < 0.2
    slow = Tool.from_space(app, "slow", api_name="/slow").limit(timeout=0.3)
    with pytest.raises(ToolTimeoutError, match=r"'slow' took longer than its limit of 0\.3 seconds"):
        slow("x")
    fail = Tool.from_space(app, "fail", api_name="/fail").limit(retries=1)
    started = time.monotonic()
    with pytest.raises(Exception, match="no Ada today"):
        fail("Ada")
    assert time.monotonic() - started > 0.2  # the pause before the second attempt


def test_both_kinds_of_agent_call_it(app: str) -> None:
    greet = Tool.from_space(app, "greet", "Says hello.", "greet")
    coder = CodeAgent(
        [greet], ScriptedModel(["<code>final_answer(greet('Bo', loud=True))</code>"]), verbosity_level=-1
    )
    assert coder.run("Greet.") == "HELLO BoBo (plain)"
    call = '{"name": "greet", "arguments": {"name": "Bo", "times": "3"}}'
    final = '{"name": "final_answer", "arguments": {"answer": "done"}}'
    caller = ToolCallingAgent([greet], ScriptedModel([call, final]), verbosity_level=-1)
    assert caller.run("Greet.") == "done"
    assert "hello BoBoBo (plain)" in str(caller.memory.steps[1].observations)


def test_images_sounds_and_files_go_there_and_come_back(app: str, tmp_path: Path) -> None:
    from PIL import Image

    turn = Tool.from_space(app, "turn", api_name="/turn")
    assert (turn.inputs["given"]["type"], turn.output_type) == ("image", "image")
    picture = Image.new("RGB", (4, 6), "red")
    picture.save(tmp_path / "picture.png")
    for given in (picture, AgentImage(picture), str(tmp_path / "picture.png")):
        turned = turn(given)
        assert isinstance(turned, AgentImage)
        assert turned.to_raw().size == (6, 4)

    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        sound.writeframes(b"\0\1" * 800)
    heard = Tool.from_space(app, "sound", api_name="/sound")(str(tmp_path / "sound.wav"))
    assert isinstance(heard, AgentAudio)
    assert Path(heard.to_string()).stat().st_size > 1600

    (tmp_path / "some.txt").write_text("12345")
    assert Tool.from_space(app, "size", api_name="/size")(str(tmp_path / "some.txt")) == 5
    returned = Tool.from_space(app, "file", api_name="/file")(str(tmp_path / "some.txt"))
    assert Path(returned).read_text() == "12345"
    with pytest.raises(FileNotFoundError, match=r"there is no file 'nowhere.txt'"):
        Tool.from_space(app, "size", api_name="/size")("nowhere.txt")


def test_several_outputs_and_json(app: str) -> None:
    two = Tool.from_space(app, "two", api_name="/two")
    assert two.output_type == "array"
    assert two(3) == [3, "3"]
    assert "How many, Greeting" in two.to_code_prompt()
    assert Tool.from_space(app, "data", api_name="/data")({"a": [1]}) == {"given": {"a": [1]}}


def test_what_goes_wrong_is_said(app: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has several functions; name one as api_name=: /data, /fail, .*, /two"):
        Tool.from_space(app, "any")
    with pytest.raises(ValueError, match=r"has no function '/nothing'; it has: /data"):
        Tool.from_space(app, "any", api_name="nothing")
    with pytest.raises(Exception, match="no Ada today"):
        Tool.from_space(app, "fail", api_name="/fail")("Ada")
    with pytest.raises(ConnectionError, match=r"'http://127.0.0.1:9' cannot be reached.*Is it running"):
        Tool.from_space("http://127.0.0.1:9", "any")
    with pytest.raises(ValueError, match="names no app: give a Space such as 'user/app', or an address"):
        Tool.from_space("not an app", "any")
    with pytest.raises(ValueError, match="cannot be the name of a tool"):
        Tool.from_space(app, "two words", api_name="/greet")


def test_an_interrupted_run_does_not_wait_for_the_app(app: str) -> None:
    slow = Tool.from_space(app, "slow", api_name="/slow")
    token = threading.Event()
    threading.Timer(0.3, token.set).start()
    reset = current_interrupt.set(token)
    try:
        with pytest.raises(AgentInterruptedError):
            slow("Ada")
    finally:
        current_interrupt.reset(reset)


def test_a_tool_of_an_app_is_saved_as_its_address(app: str, tmp_path: Path) -> None:
    greet = Tool.from_space(app, "greet", api_name="/greet").limit(timeout=30)
    again = Tool.from_dict(greet.to_dict())
    assert (again.inputs, again.timeout) == (greet.inputs, 30)
    assert again("Ada", 1) == "hello Ada (plain)"
    reply = "<code>final_answer(greet('Bo'))</code>"
    CodeAgent([greet], ScriptedModel([reply])).save(tmp_path)
    loaded = CodeAgent.from_folder(tmp_path, model=ScriptedModel([reply]), verbosity_level=-1)
    assert loaded.run("Greet.") == "hello BoBo (plain)"
    with pytest.raises(ValueError, match=r"cannot be saved as code.*Tool\.from_space"):
        get_tools_definition_code({"greet": greet})


IN_PROCESS = """
import warnings
warnings.simplefilter("ignore")  # what Gradio warns of is its own
import gradio as gr
from smolagents import Tool

def double(number: float, note: str = "!") -> str:
    'Doubles a number.'
    return f"{number * 2}{note}"

doubled = Tool.from_gradio(
    gr.Interface(double, [gr.Number(label="Number"), gr.Textbox("!", label="Note")], gr.Textbox())
)
print(doubled.name, doubled.output_type, doubled.description, list(doubled.inputs))
print(doubled(2), doubled(number=2, note="?"))
try:
    doubled.to_dict()
except ValueError as error:
    print(error)
"""


def test_an_app_in_this_process(fresh_python: Callable[..., str]) -> None:
    first, second, third = fresh_python(IN_PROCESS).splitlines()
    assert first == "double string Doubles a number. ['number', 'note']"
    assert second == "4! 4?"
    assert "cannot be saved as code" in third
    assert "Tool.from_gradio(...)" in third


def test_an_object_that_runs() -> None:
    class Shouting:
        name = "shouting"
        description = "Shouts."

        def run(self, query: str) -> str:
            return query.upper()

    assert Tool.from_gradio(Shouting())("hey") == "HEY"
    with pytest.raises(ValueError, match=r"from_gradio takes a gradio.Interface"):
        Tool.from_gradio(3)


@tool
def repeat(text: str, times: int = 2) -> list[str]:
    """Repeats a text.

    Args:
        text: What to repeat.
        times: How often.
    """
    if times < 0:
        raise ValueError("times is negative")
    return [text] * times


def test_the_page_of_a_saved_tool_starts_and_can_be_called(tmp_path: Path) -> None:
    repeat.save(tmp_path)
    program = f"import runpy, sys; sys.path.insert(0, {str(tmp_path)!r}); runpy.run_path({str(tmp_path / 'app.py')!r})"
    with serve(program) as address:
        again = Tool.from_space(address, "again")
        assert (again.api_name, again.description) == ("/repeat", "Repeats a text.")
        assert list(again.inputs) == ["text", "times"]
        assert again.inputs["times"]["nullable"]
        assert again("a", 3) == ["a", "a", "a"]
        assert again("a") == ["a", "a"]
        with pytest.raises(Exception, match="ValueError: times is negative"):
            again("a", -1)
