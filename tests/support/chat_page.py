"""A web page with an agent that does as its task says, for tests of the page. Run by `support.gradio_app.serve`."""

from __future__ import annotations

import os
import struct
import sys
import time
import wave
from pathlib import Path
from typing import Any

import PIL.Image

from smolagents import CodeAgent, GradioUI, tool
from smolagents.testing import ScriptedModel
from smolagents.tools.interruption import interruptible_sleep
from smolagents.types.agent_types import AgentAudio
from smolagents.types.errors import AgentInterruptedError
from smolagents.types.messages import ChatMessageStreamDelta
from smolagents.types.usage import TokenUsage

HTML = "<img src=x onerror=\"window.hacked='{0}'\"><script>window.hacked='{0}'</script>"
ATTACK = HTML + " ![leak](http://127.0.0.1:9/leak.png) [click](javascript:window.hacked='{0}') <b>bold</b>"


def wait_for_file(path: Path) -> None:
    while not path.exists():
        interruptible_sleep(0.02)


@tool
def wait(name: str) -> str:
    """Waits until the test says go on.

    Args:
        name: What the test calls this.
    """
    here = Path.cwd()
    (here / f"{name}.started").touch()
    try:
        wait_for_file(here / f"{name}.go")
    except AgentInterruptedError:
        (here / f"{name}.stopped").touch()
        raise
    return f"waited for {name}"


@tool
def painter(color: str) -> PIL.Image.Image:
    """Paints.

    Args:
        color: In English.
    """
    return PIL.Image.new("RGB", (320, 160), color)


@tool
def read(path: str) -> str:
    """Reads a file.

    Args:
        path: Which.
    """
    return Path(path).read_text()


@tool
def beep() -> Any:
    """Makes a sound."""
    path = Path.cwd() / "beep.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(struct.pack("<800h", *([9000, -9000] * 400)))
    return AgentAudio(str(path))


def reply(messages: list[Any]) -> str:
    """The task is the code; a line of its own before it is the thought."""
    tasks = [m.text.split("New task:\n", 1)[1] for m in messages if m.role == "user" and "New task:" in m.text]
    task = tasks[-1].split("\nYou are given")[0].strip()
    code = {
        "recall": f"final_answer({' / '.join(tasks)!r})",
        "attack": f"print({ATTACK.format('output')!r})\nfinal_answer({ATTACK.format('answer')!r})",
        "error": f"print('before')\nraise ValueError({ATTACK.format('error')!r})",
        "team": "final_answer(researcher(task='How high is the Eiffel Tower?'))",
        "paint": "final_answer(painter('teal'))",
        "beep": "final_answer(beep())",
        "files": "final_answer(', '.join(path.split('/')[-1] + ': ' + read(path) for path in files))",
    }.get(task)
    if task.startswith("wait "):
        code = f"final_answer(wait({task[5:]!r}))"
    thought = f"I was told {task}"
    if task == "attack":
        thought += ATTACK.format("thought")
    if task == "error" and "before" in messages[-2].text + messages[-1].text:
        code, thought = "final_answer('recovered')", "I try again."
    return f"Thought: {thought}\n<code>\n{code or f'final_answer({task!r})'}\n</code>"


class Model(ScriptedModel):
    """Streams; in the middle of a thought about dots it waits until the test says go on."""

    def generate_stream(self, *args: Any, **kwargs: Any) -> Any:
        for delta in super().generate_stream(*args, **kwargs):
            if "stream" in (delta.content or ""):
                yield ChatMessageStreamDelta(content="first half, ")
                (Path.cwd() / "stream.started").touch()
                while not (Path.cwd() / "stream.go").exists():
                    time.sleep(0.02)
            yield delta


def make_agent() -> CodeAgent:
    helper = CodeAgent(
        tools=[],
        model=ScriptedModel(["Thought: I know it.\n<code>\nfinal_answer('330 m')\n</code>"], cycle=True),
        name="researcher",
        description="Finds things out.",
        verbosity_level=0,
    )
    return CodeAgent(
        tools=[wait, painter, read, beep],
        model=Model([reply], cycle=True, chunk=200, usage=TokenUsage(1234, 56)),
        managed_agents=[helper],
        name="guide",
        description="Does as it is told.",
        verbosity_level=0,
    )


def launch() -> None:
    """Serve the page; port and host come from the environment."""
    GradioUI(make_agent(), file_upload_folder="uploads", examples=["paint", "recall"]).launch(quiet=True)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    launch()
