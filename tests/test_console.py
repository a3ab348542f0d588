"""Runs as a person sees them: teams, runs at the same time, live lines, and texts of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import re
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from smolagents import ActionStep, CodeAgent, ToolCallingAgent, tool
from smolagents.monitoring import AgentLogger, LogLevel
from smolagents.monitoring.highlight import markdown, python
from smolagents.testing import ScriptedModel, tool_call, tool_calls
from smolagents.types.usage import Timing, TokenUsage
from support.terminal import ANSI, on_pty


def logger_to_file(level=LogLevel.INFO, **kwargs):
    return AgentLogger(level, Console(file=io.StringIO(), width=100, **kwargs))


def shown(logger):
    return logger.console.file.getvalue()


def headings(text):
    """The headings of what a run has shown, with the bars before them."""
    return [line for line in text.splitlines() if re.match(r"(\| )*(=== |--- |\[|Final answer|Output)", line)]


@tool
def echo(text: str) -> str:
    """Give a text back.

    Args:
        text: The text.
    """
    return text


def code(*lines):
    return "Thought: now.\n<code>\n" + "\n".join(lines) + "\n</code>"


# Teams


def team(logger):
    answers = [tool_calls(tool_call("final_answer", {"answer": "deep"}))]
    deep = ToolCallingAgent([], ScriptedModel(answers), name="deep", description="Digs.", logger=logger)
    middle = CodeAgent(
        [],
        ScriptedModel([code("final_answer(deep('dig'))")]),
        managed_agents=[deep],
        name="middle",
        description="Asks.",
        logger=logger,
    )
    return CodeAgent([], ScriptedModel([code("final_answer(middle('ask'))")]), managed_agents=[middle], logger=logger)


def test_the_runs_of_a_team_are_set_in_and_named():
    logger = logger_to_file()
    team(logger).run("Go")
    told = [re.sub(r"Duration.*", "", line) for line in headings(shown(logger))]
    assert told == [
        "=== New run ===",
        "=== Step 1 ===",
        "--- Thought ---",
        "--- Code ---",
        "| === New run - middle ===",
        "| === middle: Step 1 ===",
        "| --- Thought ---",
        "| --- Code ---",
        "| | === New run - deep ===",
        "| | === deep: Step 1 ===",
        "| | --- Tool call ---",
        "| | [deep: Step 1: ",
        "| | Final answer: deep",
        "| [middle: Step 1: ",
        told[-3],
        "[Step 1: ",
        told[-1],
    ]
    assert told[-3].startswith("| Final answer:")
    assert told[-1].startswith("Final answer:")


def test_a_silent_manager_does_not_push_its_team_to_the_right():
    logger = logger_to_file()
    agent = team(logger)
    agent.logger = AgentLogger(LogLevel.OFF)
    agent.run("Go")
    assert shown(logger).startswith("=== New run - middle ===")


def test_a_team_on_a_terminal_has_bars_and_no_line_beyond_the_screen():
    logger = logger_to_file(force_terminal=True, color_system="truecolor")
    team(logger).run("Go [b]far[/b] " + "漢字" * 80)
    lines = ANSI.sub("", shown(logger)).splitlines()
    assert max(map(cell_len, lines)) == 100
    assert any(line.startswith("│ │ ━━ deep: Step 1 ━") for line in lines)


# At the same time


def meeting_agents(logger, count):
    """Agents, each of which is in the middle of its step when the others are."""
    meeting = threading.Barrier(count)

    @tool
    def meet() -> str:
        """Wait for the others."""
        meeting.wait(30)
        return "met"

    def agent(name):
        replies = [
            tool_calls(tool_call("meet")),
            tool_calls(tool_call("final_answer", {"answer": f"answer of {name}"})),
        ]
        return ToolCallingAgent([meet], ScriptedModel(replies), name=name, description="Meets.", logger=logger)

    return agent


@pytest.mark.parametrize("names", [("left", "right"), (None, None)])
def test_runs_in_threads_are_told_apart(names):
    logger = logger_to_file()
    make = meeting_agents(logger, 2)
    agents = [make(name) for name in names]
    threads = [threading.Thread(target=agent.run, args=("Meet",)) for agent in agents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    expected = names if names[0] else ("run 1", "run 2")
    for name in expected:
        assert f"{name}: Output of meet: met" in shown(logger).splitlines()
        assert f"=== {name}: Step 2 ===" in shown(logger).splitlines()


def test_asynchronous_runs_are_told_apart():
    logger = logger_to_file()
    make = meeting_agents(logger, 2)
    agents = [make("left"), make("right")]

    async def both():
        return await asyncio.gather(*(agent.arun("Meet") for agent in agents))

    assert asyncio.run(both()) == ["answer of left", "answer of right"]
    for name in ("left", "right"):
        assert f"=== {name}: Step 2 ===" in shown(logger).splitlines()


def test_a_run_after_others_needs_no_name():
    logger = logger_to_file()
    for _ in range(2):
        agent = ToolCallingAgent(
            [], ScriptedModel([tool_calls(tool_call("final_answer", {"answer": 1}))]), logger=logger
        )
        agent.run("x")
    failing = ToolCallingAgent([], ScriptedModel([ValueError("no")]), logger=logger)
    with contextlib.suppress(Exception):
        failing.run("x")
    stopped = CodeAgent([], ScriptedModel([code("1")]), logger=logger, stream_outputs=True).run("x", stream=True)
    next(stopped)
    stopped.close()
    alone = CodeAgent([], ScriptedModel([code("print(1)")]), logger=logger)
    alone.step(ActionStep(1, Timing(0.0)))
    logger.console.file.truncate(0)
    ToolCallingAgent([], ScriptedModel([tool_calls(tool_call("final_answer", {"answer": 1}))]), logger=logger).run("x")
    assert "=== Step 1 ===" in shown(logger)
    assert "run " not in shown(logger).replace("New run", "")


def test_outputs_of_calls_of_one_tool_say_which_call_it_was():
    logger = logger_to_file()
    replies = [
        tool_calls(tool_call("echo", {"text": "one"}), tool_call("echo", {"text": "two"})),
        tool_calls(tool_call("echo", {"text": "three"})),
        tool_calls(tool_call("final_answer", {"answer": 1})),
    ]
    ToolCallingAgent([echo], ScriptedModel(replies), logger=logger).run("x")
    for line in ("Output of echo(text='one'): one", "Output of echo(text='two'): two", "Output of echo: three"):
        assert line in shown(logger).splitlines()


# What is shown of a step


class Picture:
    size = (640, 480)


def test_images_are_noted_also_those_that_callbacks_add():
    logger = logger_to_file()

    def look(step):
        step.observations_images = [Picture()]

    agent = CodeAgent([], ScriptedModel([code("final_answer(1)")]), step_callbacks={ActionStep: look}, logger=logger)
    agent.run("x")
    assert "Seen: [image of 640 x 480 pixels]" in shown(logger).splitlines()
    logger.console.file.truncate(0)
    agent.replay()
    assert "[image of 640 x 480 pixels]" in shown(logger)


def test_what_is_folded_is_shown_by_a_replay():
    logger = logger_to_file()
    lines = "\n".join(f"line {number}" for number in range(100))
    agent = CodeAgent([echo], ScriptedModel([code(f"print(echo({lines!r}))"), code("final_answer(1)")]), logger=logger)
    agent.run("x")
    assert "line 50\n" not in shown(logger)
    hint = re.search(r"lines hidden \((.*) shows them\)", shown(logger))[1]
    logger.console.file.truncate(0)
    eval(hint, {"agent": agent})
    assert "line 50\n" in shown(logger)


def test_a_replay_shows_what_was_shown():
    usage = TokenUsage(1200, 34, cost=0.5)
    replies = [code("print(6 * 7)"), code("1 / 0"), code("final_answer('all')")]
    for level in (LogLevel.INFO, LogLevel.OFF):
        logger = logger_to_file(level)
        agent = CodeAgent([], ScriptedModel(replies, usage=usage), logger=logger, planning_interval=None)
        agent.run("Do [it]")
        first = shown(logger)
        logger.console.file = io.StringIO()
        agent.replay()
        again = shown(logger)
        if level is LogLevel.INFO:
            first = first.replace("(ScriptedModel - scripted)\n", "")
            assert again == first
        assert "Do [it]" in again
        assert "ZeroDivisionError" in again
        assert "Cost: $0.5000" in again


def test_facts_of_a_step_are_not_broken_on_a_narrow_screen():
    logger = AgentLogger(console=Console(file=io.StringIO(), width=60, force_terminal=True, color_system=None))
    logger.log_metrics(1, 3.3, TokenUsage(12345, 678, cached_input_tokens=11000, cost=0.0123))
    assert shown(logger).splitlines() == [
        "[Step 1: Duration 3.30 seconds |",
        " Input tokens: 12,345 (11,000 cached) | Output tokens: 678 |",
        " Cost: $0.0123]",
    ]


# Texts of every kind

HOSTILE = (
    "[bold]x[/bold] [/] :smile: \x1b[2J\x1b]0;t\x07 \x9b31m \x00 \u202eabc 😀 👩‍👩‍👧 漢字 "
    + "long" * 100
    + "\tend\r\nnext"
)


@pytest.mark.parametrize("width", [20, 60, 200])
def test_any_text_in_any_place_stays_within_the_screen(width):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    logger = AgentLogger(LogLevel.DEBUG, console)
    replies = [
        tool_calls(tool_call("echo", {"text": HOSTILE}), content=HOSTILE),
        tool_calls(tool_call("final_answer", {"answer": HOSTILE})),
    ]
    agent = ToolCallingAgent([echo], ScriptedModel(replies, model_id=HOSTILE), logger=logger, max_steps=2)
    assert agent.run(HOSTILE) == HOSTILE
    agent.replay(detailed=True)
    agent.visualize()
    output = ANSI.sub("", shown(logger))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", output)
    assert "[bold]x[/bold]"[:10] in output
    assert max(map(cell_len, output.splitlines())) <= width


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=300), st.integers(10, 120))
def test_wrapping_loses_nothing_but_spaces(text, width):
    logger = AgentLogger(console=Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None))
    logger.log_code("Code", text)
    written = shown(logger).split("\n", 1)[1]
    from smolagents.monitoring.text import clean

    assert "".join(written.split()) == "".join(clean(text).split())
    assert all(cell_len(line) <= width for line in written.split("\n"))


@settings(deadline=None, max_examples=200)
@given(st.text(st.sampled_from(list("abf'\"\\#\n @*`-1. ()def class print")), max_size=200))
def test_colours_change_no_character(text):
    assert "".join(piece for piece, _ in python(text)) == text
    assert "".join(piece for piece, _ in markdown(text)) == text


def test_code_has_its_colours():
    styles = dict(python('@cached\ndef area(r):\n    # pi\n    return print(f\'{r}\', 3.14, """a\nb""")\n'))
    assert styles["@cached"] == "magenta"
    assert styles["area"] == "green"
    assert styles["# pi"] == "dim italic"
    assert styles["return"] == styles["def"] == "bright_blue"
    assert styles["f'{r}'"] == styles['"""a\nb"""'] == "yellow"
    assert styles["print"] == "cyan"


RUN = """
from smolagents import CodeAgent, tool
from smolagents.testing import ScriptedModel
said = "[b]x[/b] \\u6f22\\u5b57 \\U0001f600 \\u2026 \\u2192 \\x1b[2J"
agent = CodeAgent([], ScriptedModel([f"Thought: {said}\\n<code>\\nfinal_answer({said!r})\\n</code>"]), stream_outputs=True)
agent.run(said)
agent.replay()
agent.visualize()
"""


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "utf-8"},
    ],
)
def test_a_pipe_of_any_encoding_gets_text_without_control_codes(environment):
    env = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "PYTHONIOENC", "FORCE_"))}
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, timeout=60, env={**env, **environment})
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", done.stdout)
    assert done.stdout.count(b"[b]x[/b]") >= 6


# Live lines

PARALLEL = """
import time
from smolagents import ToolCallingAgent, tool
from smolagents.testing import ScriptedModel, tool_call, tool_calls
from smolagents.tools.progress import report_progress

@tool
def fetch(page: str) -> str:
    '''Fetch.

    Args:
        page: Which.
    '''
    for part in range(3):
        report_progress("fetch", f"{page}: part {part}")
        time.sleep(0.2 if page == "short" else 0.6)
    return f"text of {page}"

calls = [tool_call("fetch", {"page": page}) for page in ("short", "long")]
model = ScriptedModel([tool_calls(*calls, content="Both."), tool_calls(tool_call("final_answer", {"answer": 1}))])
ToolCallingAgent([fetch], model, stream_outputs=True).run("x")
"""


def test_each_of_several_tools_has_a_live_line_until_it_is_done():
    written = ANSI.sub("", on_pty(PARALLEL))
    before, _, after = written.partition("Output of fetch(page='short'): text of short")
    assert re.search(r"fetch\(page='short'\) 0 s \| short: part 1", before), "progress is shown beside its own call"
    assert re.search(r"fetch\(page='long'\) 0 s \| long: part 0", before)
    meanwhile = after.partition("Output of fetch(page='long')")[0]
    assert re.search(r"fetch\(page='long'\) 1 s", meanwhile), "what still runs is still shown"
    assert "fetch(page='short')" not in meanwhile[-100:]


STREAMS = """
import contextlib, io, sys, time
from smolagents.monitoring import AgentLogger
with AgentLogger().status("Working"):
    time.sleep(0.4)
    with contextlib.redirect_stdout(io.StringIO()) as kept:
        print("kept back")
        time.sleep(0.3)
        print("this too")
    assert kept.getvalue() == "kept back\\nthis too\\n"
    print("half a line", end="", flush=True)
    time.sleep(0.5)
    print(" and its end")
    sys.stderr.write("to the other stream\\n")
    time.sleep(0.4)
    print("unfinished", end="")
assert sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__
print(", finished")
"""


def test_what_others_print_meanwhile_is_whole():
    written = on_pty(STREAMS)
    plain = ANSI.sub("", written)
    assert "kept back" not in plain
    assert "half a line and its end\r\n" in plain, "nothing is drawn within a line"
    assert "to the other stream\r\n" in plain
    assert "unfinished, finished\r\n" in plain
    assert plain.count("Working") >= 3


def test_what_is_over_at_once_is_not_drawn():
    written = on_pty("""
from smolagents.monitoring import AgentLogger
for _ in range(20):
    with AgentLogger().status("Quick"):
        pass
print("done")
""")
    assert written == "done\r\n"


def test_tool_calls_are_shown_while_they_are_written():
    written = on_pty("""
import time
from smolagents import ToolCallingAgent
from smolagents.testing import ScriptedModel, tool_call, tool_calls
class Slow(ScriptedModel):
    def generate_stream(self, *args, **kwargs):
        for delta in super().generate_stream(*args, **kwargs):
            yield delta
            time.sleep(0.5)
call = tool_call("final_answer", '{"answer": "forty-two"}')
ToolCallingAgent([], Slow([tool_calls(call)]), stream_outputs=True).run("x")
""")
    live = ANSI.sub("", written).partition("Tool call:")[0]
    assert re.search(r'final_answer \{"answer": "forty-two"\}\s+.? ?Thinking… 0 s', live)


# Records


def test_runs_are_recorded_by_logging_at_documented_levels(caplog):
    logger = logger_to_file(LogLevel.INFO)
    agent = CodeAgent([], ScriptedModel([code("1 / 0"), code("final_answer(1)")]), logger=logger)
    with caplog.at_level(logging.DEBUG, logger="smolagents"):
        agent.run("The task")
    levels = {record.levelname: record.getMessage() for record in caplog.records if record.name == "smolagents"}
    assert set(levels) == {"DEBUG", "INFO", "WARNING"}
    at = {name: [r.getMessage() for r in caplog.records if r.levelname == name] for name in levels}
    assert at["INFO"][0].startswith("=== New run ===\nThe task")
    assert at["INFO"][1] == "=== Step 1 ==="
    assert "ZeroDivisionError" in at["WARNING"][0]
    assert any(text.startswith("--- Code ---") for text in at["DEBUG"])
