"""What the chat is built of, for pages of one's own: uploads, messages, sessions."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolagents import CodeAgent, GradioUI, tool
from smolagents.gradio_ui import get_step_footnote_content, pull_messages_from_step, stream_to_gradio
from smolagents.memory import ActionStep, FinalAnswerStep, PlanningStep, TaskStep, ToolCall
from smolagents.testing import ScriptedModel
from smolagents.tools.interruption import interruptible_sleep
from smolagents.types.agent_types import AgentAudio, AgentImage
from smolagents.types.errors import AgentError, MissingExtraError
from smolagents.types.messages import ChatMessage, MessageRole
from smolagents.types.usage import Timing, TokenUsage
from smolagents.ui.gradio.sessions import ChatSession, Sessions
from smolagents.ui.gradio.uploads import CHAT_TYPES, MAX_BYTES, UploadError, keep_upload

gradio = pytest.importorskip("gradio")


def make_agent(*replies: Any, **kwargs: Any) -> CodeAgent:
    replies = replies or ("Thought: easy\n<code>\nfinal_answer(42)\n</code>",)
    model = ScriptedModel(replies, cycle=True, usage=TokenUsage(1000, 20))
    return CodeAgent(tools=kwargs.pop("tools", []), model=model, verbosity_level=0, **kwargs)


# Uploads


def docx() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("word/document.xml", "<x/>")
    return data.getvalue()


def picture(format: str) -> bytes:
    import PIL.Image

    data = io.BytesIO()
    PIL.Image.new("RGB", (4, 4)).save(data, format=format)
    return data.getvalue()


CONTENTS: dict[str, Callable[[], bytes]] = {
    ".pdf": lambda: b"%PDF-1.7\n",
    ".docx": docx,
    ".txt": lambda: "zürich".encode(),
    ".png": lambda: picture("PNG"),
    ".jpg": lambda: picture("JPEG"),
    ".gif": lambda: picture("GIF"),
    ".webp": lambda: picture("WEBP"),
    ".wav": lambda: b"RIFF\x00\x00\x00\x00WAVEfmt ",
    ".flac": lambda: b"fLaC\x00",
}


@pytest.mark.parametrize("suffix", CONTENTS)
def test_a_file_is_taken_for_what_it_is_and_for_nothing_else(suffix: str, tmp_path: Path) -> None:
    for kind, content in CONTENTS.items():
        source = tmp_path / f"given{suffix}"
        source.write_bytes(content())
        if kind == suffix:
            kept = keep_upload(source, f"Some File{suffix.upper()}", tmp_path / "kept", CHAT_TYPES)
            assert kept.read_bytes() == content()
            assert kept.name == f"Some File{suffix.upper()}"
        elif not (suffix == ".txt" and kind in (".pdf",)):  # the first bytes of a PDF are text
            with pytest.raises(UploadError, match=f"its content is not that of a {suffix} file"):
                keep_upload(source, source.name, tmp_path / "kept", CHAT_TYPES)


@given(
    name=st.text(max_size=40) | st.sampled_from(["../../x", "..\\x", "/etc/passwd", "con", "C:\\a", ".", "..", "\0"])
)
def test_a_name_never_leads_out_of_the_folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("up")
    source = folder / "source"
    source.write_text("x")
    kept = keep_upload(source, name + "n.txt", folder / "kept", [".txt"])
    assert kept.parent == (folder / "kept").resolve()
    assert kept.read_text() == "x"
    assert not kept.name.startswith(".")


def test_two_files_of_one_name_are_both_kept(tmp_path: Path) -> None:
    kept = []
    for text in ("one", "two"):
        (tmp_path / "a.txt").write_text(text)
        kept.append(keep_upload(tmp_path / "a.txt", "a.txt", tmp_path / "kept", [".txt"]))
    assert [path.read_text() for path in kept] == ["one", "two"]


def test_upload_file_says_what_became_of_the_file(tmp_path: Path) -> None:
    ui = GradioUI(make_agent(), file_upload_folder=tmp_path / "up")
    source = tmp_path / "notes.txt"
    source.write_text("x")
    status, log = ui.upload_file(SimpleNamespace(name=str(source)), [])
    assert log == [str(tmp_path / "up" / "notes.txt")]
    assert status.value == f"File kept: {log[0]}"
    for file, types, told in (
        (None, None, "No file was given."),
        (tmp_path / "x.exe", None, "Not taken: x.exe: files of the type .exe are not taken, only .pdf, .docx, .txt"),
        (source, [".md"], "Not taken: notes.txt: files of the type .txt are not taken, only .md"),
        (tmp_path / "gone.txt", None, "Not taken: [Errno 2]"),
    ):
        status, after = ui.upload_file(file, log, types)
        assert status.value.startswith(told)
        assert after == log
    with source.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "25 MB is the most" in ui.upload_file(source, log)[0].value
    assert "No files are taken here" in GradioUI(make_agent()).upload_file(source, [])[0].value


def test_the_upload_folder_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file_upload_folder is a file"):
        GradioUI(make_agent(), file_upload_folder=tmp_path / "file")


def test_examples_are_a_list() -> None:
    with pytest.raises(TypeError, match="not the string 'paint'"):
        GradioUI(make_agent(), examples="paint")


def test_without_gradio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "gradio", None)
    for use in (lambda: GradioUI(make_agent()), lambda: list(stream_to_gradio(make_agent(), "x"))):
        with pytest.raises(MissingExtraError, match=r"smolagents\[gradio\]"):
            use()


# Messages


def texts(messages: Any) -> list[Any]:
    return [message.content for message in messages]


def test_stream_to_gradio_tells_of_each_step() -> None:
    agent = make_agent(
        "Thought: I look.\n<code>\nprint('seen')\n</code>", "Thought: I know.\n<code>\nfinal_answer('**x**')\n</code>"
    )
    messages = list(stream_to_gradio(agent, "task"))
    assert all(isinstance(message, gradio.ChatMessage) for message in messages)
    found = texts(messages)
    assert found[0] == "**Step 1**\n\nI look."
    assert found[1] == "```python\nprint('seen')\n```"
    assert messages[1].metadata["title"] == "Code"
    assert found[2] == "**Output**\n\n```\nseen\n```"
    assert found[3].startswith("Step 1 · 1,000 input and 20 output tokens · 0.")
    assert found[-1] == ["**Final answer:**", "**x**"]
    gradio.Chatbot().postprocess(messages)
    list(stream_to_gradio(agent, "more"))
    assert len([step for step in agent.memory.steps if isinstance(step, TaskStep)]) == 2
    list(stream_to_gradio(agent, "anew", reset_agent_memory=True))
    assert len([step for step in agent.memory.steps if isinstance(step, TaskStep)]) == 1


def test_stream_to_gradio_tells_what_is_said_so_far() -> None:
    agent = make_agent(stream_outputs=True)
    messages = list(stream_to_gradio(agent, "task", additional_args={"n": 1}))
    said = [message for message in messages if isinstance(message, str)]
    assert said[0] == "Thought:"
    assert [len(each) for each in said] == sorted(len(each) for each in said)
    assert "final_answer(42)" in said[-1]
    assert not any("Step 1**" in str(message) for message in messages)
    assert agent.state == {"n": 1}


def test_every_kind_of_step_makes_messages(tmp_path: Path) -> None:
    import PIL.Image

    image = PIL.Image.new("RGB", (3000, 10), "teal")
    step = ActionStep(
        1,
        Timing(0.0, 1.5),
        model_output="I paint.",
        tool_calls=[ToolCall("paint", {"color": "teal"}, "1")],
        observations="done",
        observations_images=[image],
        error=AgentError("it broke"),
    )
    found = texts(pull_messages_from_step(step))
    assert found[:3] == [
        "**Step 1**\n\nI paint.",
        "```python\npaint(color='teal')\n```",
        "**Output**\n\n```\ndone\n```",
    ]
    with PIL.Image.open(found[3]["path"]) as shown:
        assert shown.size == (1600, 5)
    assert found[4:] == ["**Error**\n\n```\nit broke\n```", "Step 1 · 1.5 seconds"]
    assert texts(pull_messages_from_step(step, skip_model_outputs=True))[0] == found[1]
    plan = PlanningStep([], ChatMessage(role=MessageRole.ASSISTANT, content="1. Go"), "Plan:\n1. Go", Timing(0.0, 1.0))
    assert texts(pull_messages_from_step(plan)) == ["**Plan**\n\n1. Go", "Plan · 1.0 seconds"]
    assert texts(pull_messages_from_step(TaskStep("x"))) == []
    last = texts(pull_messages_from_step(FinalAnswerStep(AgentImage(image))))[0]
    with PIL.Image.open(last[1]["path"]) as shown:
        assert shown.size == (1600, 5)


def test_a_path_that_is_no_picture_shows_nothing_of_the_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_text("password")
    for value in (AgentImage(secret), AgentAudio(secret)):
        (parts,) = texts(pull_messages_from_step(FinalAnswerStep(value)))
        assert "cannot be shown" in parts[1]
        assert not any(isinstance(part, dict) for part in parts)


def test_the_footnote_tells_tokens_price_and_time() -> None:
    step = ActionStep(3, Timing(0.0, 2.0), token_usage=TokenUsage(12345, 678, cost=0.0123))
    told = get_step_footnote_content(step, "Step 3")
    assert told == "Step 3 · 12,345 input and 678 output tokens · $0.0123 · 2.0 seconds"
    assert get_step_footnote_content(ActionStep(3, Timing(0.0)), "Step 3") == "Step 3"


# Sessions


def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def answer(session: ChatSession, task: str) -> None:
    session.ask(task, [task])
    until(lambda: not session.running)


@pytest.fixture
def waiting() -> tuple[CodeAgent, threading.Event]:
    """An agent that works until it is stopped, and what is set when it has begun."""
    begun = threading.Event()

    @tool
    def wait() -> str:
        """Waits."""
        begun.set()
        interruptible_sleep(60)
        return "over"

    return make_agent("Thought: I wait.\n<code>\nfinal_answer(wait())\n</code>", tools=[wait]), begun


def test_a_run_that_nobody_follows_is_stopped_and_an_idle_session_closed(waiting: Any) -> None:
    agent, begun = waiting
    sessions = Sessions(lambda owner: ChatSession(agent, owner=owner), abandoned_after=0.2, idle_after=0.4)
    session = sessions.find(None, None)
    assert sessions.find(session.key, None) is session
    session.ask("x", ["x"])
    assert not session.ask("y", ["y"])
    assert begun.wait(10)
    until(lambda: not session.running)
    assert session.messages()[-1]["content"] == ["The run was stopped."]
    until(lambda: sessions.find(session.key, None) is not session or time.sleep(0.6))
    sessions.close()


def test_a_run_is_stopped_before_it_has_begun(waiting: Any) -> None:
    session = ChatSession(waiting[0])
    session.ask("x", ["x"])
    session.stop()
    until(lambda: not session.running)
    assert session.messages()[-1]["content"] == ["The run was stopped."]
    session.close()


def test_a_key_is_of_use_only_to_its_user() -> None:
    sessions = Sessions(lambda owner: ChatSession(make_agent(), owner=owner))
    adas = sessions.find(None, "ada")
    assert sessions.find(adas.key, "ada") is adas
    for other in ("bob", None):
        assert sessions.find(adas.key, other) is not adas
    assert sessions.find("made up", "ada").key != "made up"
    sessions.close()


@pytest.mark.parametrize(
    ("error", "name"), [(ConnectionError("no <route>"), "AgentGenerationError"), (SystemExit("enough"), "SystemExit")]
)
def test_a_run_that_fails_says_why_and_the_chat_goes_on(error: BaseException, name: str) -> None:
    agent = make_agent(error, "Thought: ok\n<code>\nfinal_answer('here')\n</code>")
    session = ChatSession(agent)
    for told in (f"**The run failed: {name}**", "here"):
        answer(session, "x")
        assert told in session.messages()[-1]["content"][0]
    session.close()


def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    import PIL.Image

    PIL.Image.new("1", (10_000, 6_000)).save(tmp_path / "map.png")
    with pytest.raises(UploadError, match="60 million pixels is too large, 50 million"):
        keep_upload(tmp_path / "map.png", "map.png", tmp_path / "kept", CHAT_TYPES)
    assert not (tmp_path / "kept").exists()


LEFT_BEHIND = """
import PIL.Image
from smolagents import CodeAgent
from smolagents.testing import ScriptedModel
from smolagents.ui.gradio.media import media_file
from smolagents.ui.gradio.sessions import ChatSession

session = ChatSession(CodeAgent(tools=[], model=ScriptedModel([])))
assert not session.folder.exists()  # a page that is only opened leaves nothing
print(media_file(PIL.Image.new("RGB", (8, 8)), session.folder))
assert len(list(session.folder.iterdir())) == 1
"""


def test_what_was_made_for_a_page_goes_with_the_program(fresh_python: Any) -> None:
    picture = Path(fresh_python(LEFT_BEHIND).strip())
    assert picture.suffix == ".png"
    assert not picture.parents[1].exists()


def test_each_task_starts_afresh_if_the_page_is_to_forget() -> None:
    agent = make_agent()
    for forgetful, known in ((True, 1), (False, 2)):
        session = ChatSession(agent, forgetful=forgetful)
        for task in ("first", "second"):
            answer(session, task)
        assert agent.model.requests[-1].text.count("New task:") == known
        assert len([each for each in session.messages() if each["role"] == "user"]) == 2
        session.close()


# What the chat shows of a run


def shown(agent: Any, task: str = "x") -> list[Any]:
    session = ChatSession(agent)
    answer(session, task)
    messages = session.messages()
    session.close()
    return messages


def test_plans_are_shown_as_steps() -> None:
    def reply(messages: list[Any]) -> str:
        first = "New task" not in messages[-1].text and "carry out" not in messages[-1].text
        return "1. Look\n2. Tell" if first else "Thought: done\n<code>\nfinal_answer(7)\n</code>"

    plan, step, last = shown(make_agent(reply, planning_interval=1))[1:]
    assert plan["metadata"]["title"] == "Plan"
    assert plan["content"] == ["1. Look\n2. Tell"]
    assert (step["metadata"]["title"], last["content"]) == ("Step 1 · done", ["7"])


def test_tool_calls_are_shown_with_what_they_gave() -> None:
    from smolagents import ToolCallingAgent
    from smolagents.testing import tool_call, tool_calls

    @tool
    def double(n: int) -> int:
        """Doubles.

        Args:
            n: A number.
        """
        return 2 * n

    both = tool_calls(tool_call("double", {"n": 1}), tool_call("double", {"n": 2}), content="I double both.")
    last = tool_calls(tool_call("final_answer", {"answer": "2 and 4"}))
    agent = ToolCallingAgent(tools=[double], model=ScriptedModel([both, last]), verbosity_level=0)
    step, final, told = shown(agent)[1:]
    assert step["metadata"]["title"] == "Step 1 · I double both."
    (text,) = step["content"]
    assert text.startswith(
        "I double both.\n\n```python\ndouble(n=1)\n```\n\n```python\ndouble(n=2)\n```\n\n**Output**"
    )
    assert "final_answer(answer='2 and 4')" in final["content"][0]
    assert told["content"] == ["2 and 4"]


def test_progress_is_shown_while_a_tool_works() -> None:
    from smolagents.tools.progress import report_progress

    seen: list[str] = []

    @tool
    def slow() -> str:
        """Takes long."""
        report_progress("slow", "half of <it>")
        seen.append(session.messages()[-1]["content"][0])
        return "over"

    session = ChatSession(make_agent("Thought: slow\n<code>\nfinal_answer(slow())\n</code>", tools=[slow]))
    answer(session, "x")
    assert "slow: half of &lt;it" in seen[0]
    assert "half of" not in str(session.messages())
    session.close()
