"""What a person sees of a run: on a terminal, in a pipe, and in the records of `logging`."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
import threading
import time
import timeit
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.panel import Panel

from smolagents.monitoring import AgentLogger, LogLevel, Monitor, Timing, TokenUsage
from smolagents.monitoring.text import clean, fold
from smolagents.types.messages import ChatMessage, ChatMessageToolCall, ChatMessageToolCallFunction
from support.terminal import ANSI, on_pty


def in_file(level=LogLevel.INFO, width=80):
    """A logger on a console that is not a terminal."""
    return AgentLogger(level, Console(file=io.StringIO(), width=width))


def on_terminal(level=LogLevel.INFO, width=80, **kwargs):
    """A logger on a console that rich takes for a terminal."""
    return AgentLogger(level, Console(file=io.StringIO(), width=width, force_terminal=True, **kwargs))


def shown(logger):
    return logger.console.file.getvalue()


def say_everything(logger, text):
    logger.log(text)
    logger.log(text, style="bold")
    logger.log_error(text)
    logger.log_markdown(text, title=text)
    logger.log_code(text, text)
    logger.log_rule(text)
    logger.log_task(text, text, title=text)
    logger.log_output(text, text)
    logger.log_messages([{"role": "user", "content": text}], level=LogLevel.INFO)


def run_python(code, **kwargs):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, **kwargs)


# Levels


def test_levels_are_ordered_and_counted_as_users_know_them():
    assert [(level.name, int(level)) for level in LogLevel] == [("OFF", -1), ("ERROR", 0), ("INFO", 1), ("DEBUG", 2)]


@pytest.mark.parametrize("level", [LogLevel.DEBUG, 2, "DEBUG", "debug", "2", 7])
def test_a_level_is_a_member_a_number_or_a_name(level):
    logger = in_file(LogLevel.OFF)
    logger.level = level
    assert logger.level is LogLevel.DEBUG
    assert AgentLogger(level=level).level is LogLevel.DEBUG


def test_an_unknown_level_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'loud'.*-1 \(OFF\).*2 \(DEBUG\)"):
        AgentLogger(level="loud")


def test_each_level_shows_itself_and_what_is_below():
    for level, expected in [(-1, ""), (0, "Error: e"), (1, "Error: e\ni"), (2, "Error: e\ni\nd")]:
        logger = in_file(level)
        logger.log_error("e")
        logger.log("i", level=LogLevel.INFO)
        logger.log("d", level="debug")
        assert shown(logger).strip() == expected


# Text


def test_a_file_gets_plain_lines():
    logger = in_file()
    logger.log_task("Find it", "Model - tiny", title="finder")
    logger.log_rule("Step 1")
    logger.log_code("Code", "x = 1\nprint(x)\n")
    logger.log_output("1", "Output")
    logger.log("two", "words", sep="-")
    assert shown(logger).splitlines() == [
        "=== New run - finder ===",
        "Find it",
        "(Model - tiny)",
        "=== Step 1 ===",
        "--- Code ---",
        "x = 1",
        "print(x)",
        "Output: 1",
        "two-words",
    ]


def test_a_terminal_gets_panels_and_colours():
    logger = on_terminal(color_system="truecolor")
    logger.log_task("Find it", "Model - tiny", title="finder")
    logger.log_code("Code", "def f():\n    return 1")
    output = shown(logger)
    plain = ANSI.sub("", output)
    assert "\x1b[" in output
    assert re.search(r"╭─ New run - finder ─+╮\n│ Find it +│\n╰─ Model - tiny ─+╯", plain)
    assert "\ndef f():\n    return 1\n" in plain, "code can be selected and pasted as it is"
    assert max(map(len, plain.splitlines())) == 80


@pytest.mark.parametrize("make", [in_file, on_terminal])
def test_brackets_and_emoji_codes_are_shown_as_they_are(make):
    logger = make()
    say_everything(logger, "[bold]x[/bold] [/] [link=http://a]y[/link] :smile: \\[z]")
    plain = ANSI.sub("", shown(logger))
    assert plain.count("[bold]x[/bold] [/] [link=http://a]y[/link] :smile: \\[z]") >= 9


def test_markup_is_read_when_asked_for():
    logger = on_terminal(color_system="truecolor")
    logger.log("[bold]x[/bold]", markup=True)
    assert ANSI.sub("", shown(logger)) == "x\n"


def test_tags_in_a_models_words_are_not_swallowed():
    logger = on_terminal()
    logger.log_markdown("Before <code>print(1)</code> and <b>after</b>", title="Thought")
    assert "Before <code>print(1)</code> and <b>after</b>" in ANSI.sub("", shown(logger))


HOSTILE = "\x1b]0;title\x07 \x1b[2J\x1b[H \x9b31m \x08\x08 one\rtwo \x00 \u202eabc \u2067def \u202bghi \ud83d end"


@pytest.mark.parametrize("make", [in_file, on_terminal])
def test_nothing_in_a_text_acts_on_the_terminal(make):
    logger = make(width=200)
    say_everything(logger, HOSTILE)
    logger.log(Panel(HOSTILE))
    output = ANSI.sub("", shown(logger))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202b\u202e\u2067\ud800-\udfff]", output)
    assert "\\x1b]0;title\\x07" in output
    assert "\x1b[2J" not in shown(logger)


def test_colours_in_a_text_are_dropped_and_line_ends_made_one_kind():
    assert clean("\x1b[1;31mred\x1b[0m\r\nnext\rover") == "red\nnext\nover"


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(exclude_categories=[]), max_size=200))
def test_any_text_can_be_written_anywhere(text):
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    cleaned.encode("utf-8")
    for encoding in ("utf-8", "cp1252", "cp437", "ascii"):
        for terminal in (False, True):
            raw = io.BytesIO()
            file = io.TextIOWrapper(raw, encoding=encoding, newline="")
            logger = AgentLogger(console=Console(file=file, width=80, force_terminal=terminal, color_system=None))
            say_everything(logger, text)
            logger.visualize_agent_tree(SimpleNamespace(name=text, tools={text: SimpleNamespace(description=text)}))
            file.flush()
            assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", raw.getvalue())


def test_an_old_code_page_gets_question_marks_and_not_an_exception():
    code = "from smolagents.monitoring import AgentLogger as A; A().log_task('漢字 → ok…', 's'); A().log_rule('x')"
    done = run_python(code, env={**os.environ, "PYTHONIOENCODING": "cp1252"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("cp1252").splitlines()[1] == "?? -> ok..."


def test_long_outputs_are_folded_below_debug():
    text = "\n".join(f"line {number}" for number in range(1000))
    logger = in_file()
    logger.log_output(text)
    folded = shown(logger)
    assert "line 0\n" in folded
    assert "line 999\n" in folded
    assert "980 lines hidden (agent.replay() shows them)" in folded
    assert folded.count("\n") < 30
    for whole in (in_file(LogLevel.DEBUG), in_file()):
        whole.log_output(text, fold=whole.level is LogLevel.DEBUG)
        assert text in shown(whole)


@given(st.lists(st.text("ab ", max_size=400), max_size=60))
def test_folding_keeps_the_beginning_and_the_end(lines):
    text = "\n".join(lines)
    folded = fold(text)
    if len(lines) <= 25 and len(text) <= 6_000:
        assert folded == text
    else:
        first = "\n".join(lines[:12])[:3_000]
        last = "\n".join(lines[-8:])[-3_000:]
        assert folded.startswith(first)
        assert folded.endswith(last)
        assert re.search(r"… [\d,]+ (lines|characters) hidden …", folded)
        assert len(folded) <= 6_100


def test_images_are_noted():
    logger = in_file()
    logger.log_output("seen", images=[SimpleNamespace(size=(640, 480)), b"png"])
    logger.log_output("", images=[b"png"])
    assert "seen\n[image of 640 x 480 pixels]\n[image]" in shown(logger)
    assert "Output: [image]" in shown(logger)


def test_messages_show_roles_texts_images_and_tool_calls():
    logger = in_file(LogLevel.DEBUG)
    call = ChatMessageToolCall(ChatMessageToolCallFunction({"q": "x"}, "search"), "1", "function")
    logger.log_messages(
        [
            ChatMessage("user", [{"type": "text", "text": "look"}, {"type": "image", "image": b"\0"}]),
            ChatMessage("assistant", None, tool_calls=[call]),
            {"role": "user", "content": "plain"},
        ]
    )
    assert shown(logger).splitlines() == [
        "--- user ---",
        "look",
        "[image]",
        "--- assistant ---",
        '-> search({"q": "x"})',
        "--- user ---",
        "plain",
    ]


@pytest.mark.parametrize("make", [in_file, on_terminal])
def test_an_agents_tree_shows_its_tools_and_team(make):
    tool = SimpleNamespace(
        inputs={"query": {"type": "string"}, "count": {"type": ["integer", "null"], "nullable": True}},
        description="Searches [the] web.",
    )
    model = SimpleNamespace(model_id="tiny-1")
    helper = SimpleNamespace(name="helper", description="Helps.", model=model, tools={"search": tool})
    boss = SimpleNamespace(
        name=None,
        model=model,
        tools={"search": tool},
        managed_agents={"helper": helper},
        additional_authorized_imports=["numpy"],
    )
    helper.managed_agents = {"boss": boss}  # a circle ends
    logger = make(width=120)
    logger.level = LogLevel.OFF  # asked for, so shown
    logger.visualize_agent_tree(boss)
    text = " ".join(ANSI.sub("", shown(logger)).split())
    for part in ("tiny-1", "helper", "Helps.", "query: string", "count: integer or null, optional", "[the] web"):
        assert part in text
    assert text.count("numpy") == 1
    assert "(shown above)" in text


# Where it goes


def test_the_console_can_be_replaced_and_captured():
    logger = AgentLogger()
    logger.console = Console(file=io.StringIO(), width=40)
    with logger.console.capture() as capture:
        logger.log_rule("x")
    assert capture.get() == "=== x ===\n"
    assert shown(logger) == ""
    recording = Console(file=io.StringIO(), width=40, record=True)
    AgentLogger(console=recording).log_task("Find it", "s")
    assert "╭" in recording.export_text()


def test_the_standard_output_of_the_moment_is_used(capsys, monkeypatch):
    logger = AgentLogger()
    logger.log("first")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    logger.log("second")
    assert sys.stdout.getvalue() == "second\n"
    monkeypatch.undo()
    assert capsys.readouterr().out == "first\n"


def test_what_cannot_be_written_does_not_stop_the_run(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    AgentLogger().log_task("x", "y")
    monkeypatch.setattr(sys, "stdout", None)
    AgentLogger().log_task("x", "y")

    class Full(io.StringIO):
        def flush(self):
            raise OSError(28, "No space left on device")

    logger = AgentLogger(console=Console(file=Full()))
    logger.log_task("x", "y")
    logger.log(Panel("x"))


def test_in_a_pipe_rich_is_not_imported_and_no_control_code_written():
    code = """
import sys
from smolagents.monitoring import *
logger = AgentLogger(level=LogLevel.DEBUG)
logger.log_task("Find it", "m")
logger.log_code("Code", "x = 1")
with logger.status("Thinking…"), logger.stream(keep=True) as stream:
    stream.write("to be\\x1b[2J or ")
    stream.write("not\\nto be")
Monitor(None, logger).update_metrics(type("S", (), {"timing": None, "token_usage": None, "step_number": 1})())
assert "rich" not in sys.modules
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr.decode()
    assert b"\x1b" not in done.stdout
    assert b"to be\\x1b[2J or not\nto be\n" in done.stdout


@pytest.mark.parametrize("make", [in_file, on_terminal])
def test_threads_do_not_tear_each_others_messages(make):
    logger = make()

    def write(mark):
        for _ in range(20):
            logger.log_code(mark, f"{mark}\n{mark}\n{mark}")

    threads = [threading.Thread(target=write, args=(mark,)) for mark in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    marks = re.findall(r"^\s*([a-h])\s*$", ANSI.sub("", shown(logger)), re.MULTILINE)
    assert len(marks) == 8 * 20 * 3
    assert all(len(set(marks[at : at + 3])) == 1 for at in range(0, len(marks), 3))


def test_events_are_recorded_whatever_is_shown(caplog):
    logger = in_file(LogLevel.OFF)
    with caplog.at_level(logging.DEBUG, logger="smolagents"):
        logger.log_task("Find [it]", "m")
        logger.log_code("Code", "x = 1")
        logger.log("words")
        logger.log_error("no \x1b[2J such")
    levels = [record.levelname for record in caplog.records]
    assert levels == ["INFO", "DEBUG", "DEBUG", "WARNING"]
    assert "Find [it]" in caplog.text
    assert "x = 1" in caplog.text
    assert "\x1b" not in caplog.text
    assert shown(logger) == ""


# Live lines


LIVE = """
import sys, threading, time
from smolagents.monitoring import AgentLogger
logger = AgentLogger()
with logger.status("Thinking hard"):
    time.sleep(0.25)
    logger.log("logged meanwhile")
    print("printed meanwhile")
    with logger.stream("Writing", keep=False) as stream:
        stream.write("streamed ")
        stream.write("text [b]\\x07")
        time.sleep(0.25)
    def work():
        with logger.status("In a thread"):
            time.sleep(0.25)
    thread = threading.Thread(target=work); thread.start(); thread.join()
    %s
with logger.stream(keep=True) as stream:
    stream.write("kept text")
"""


def test_a_terminal_has_a_live_line_that_goes_away():
    written = on_pty(LIVE % "")
    plain = ANSI.sub("", written)
    for part in ("Thinking hard 0 s", "In a thread", "streamed text [b]\\x07", "kept text"):
        assert part in plain
    assert "\x07" not in written
    assert "\x1b[?25h" in written.rpartition("\x1b[?25l")[2], "the cursor is shown again"
    assert "logged meanwhile\r\n" in plain
    assert "printed meanwhile\r\n" in plain


def test_input_is_not_disturbed_by_a_live_line():
    written = on_pty(LIVE % 'print("Hello", input("Your name? "))', answer=b"Ada\n")
    after = written.partition("name? ")[2].partition("Hello")[0]
    assert "Thinking" not in ANSI.sub("", after), "nothing is drawn while the user types"
    assert "Hello Ada" in written


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"TERM": "dumb"}])
def test_no_live_line_in_ci_or_on_a_dumb_terminal(environment):
    written = on_pty(LIVE % "", **environment)
    assert "\x1b" not in written
    assert "Thinking hard" not in written
    assert "kept text" in written


def test_no_colour_is_honoured():
    code = "from smolagents.monitoring import AgentLogger; AgentLogger().log_code('Code', 'def f(): return 1')"
    assert re.search(r"\x1b\[[0-9;]*[39]\d[;m]", on_pty(code))
    assert not re.search(r"\x1b\[[0-9;]*[39]\d[;m]", on_pty(code, NO_COLOR="1"))


def test_elapsed_seconds_and_detail_can_be_followed():
    code = """
import time
from smolagents.monitoring import AgentLogger
with AgentLogger().status("Fetching") as activity:
    activity.update(detail="3 of 10 files")
    time.sleep(1.3)
"""
    plain = ANSI.sub("", on_pty(code))
    assert "Fetching 0 s | 3 of 10 files" in plain
    assert "Fetching 1 s | 3 of 10 files" in plain


# Counts


def step(number=1, duration=1.244, usage=None):
    start = time.time()
    timing = Timing(start, None if duration is None else start + duration)
    return SimpleNamespace(step_number=number, timing=timing, token_usage=usage)


def test_a_monitor_adds_up_time_and_tokens():
    logger = in_file()
    monitor = Monitor(None, logger)
    monitor.update_metrics(step(1, 1.244, TokenUsage(1234, 56)))
    monitor.update_metrics(step(2, 1.0, TokenUsage(1, 2, cached_input_tokens=1)), agent=object())
    monitor.update_metrics(step(3, None, None))
    assert monitor.step_durations == pytest.approx([1.244, 1.0])
    assert monitor.total_input_token_count == 1235
    assert monitor.total_output_token_count == 58
    assert monitor.get_total_token_counts() == TokenUsage(1235, 58)
    assert shown(logger).splitlines() == [
        "[Step 1: Duration 1.24 seconds | Input tokens: 1,234 | Output tokens: 56]",
        "[Step 2: Duration 1.00 seconds | Input tokens: 1 (1 cached) | Output tokens: 2]",
        "[Step 3: Duration unknown | Tokens: unknown]",
    ]
    monitor.reset()
    assert monitor.get_total_token_counts() == TokenUsage(0, 0)
    assert monitor.step_durations == []


def test_a_monitor_shared_by_threads_loses_nothing():
    monitor = Monitor(None, in_file(LogLevel.OFF))
    one = step(1, 1.0, TokenUsage(1, 1))
    threads = [threading.Thread(target=lambda: [monitor.update_metrics(one) for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert monitor.get_total_token_counts() == TokenUsage(1600, 1600)
    assert len(monitor.step_durations) == 1600


# Cost


def microseconds(function, number):
    return min(timeit.repeat(function, number=number, repeat=5)) / number * 1e6


def test_logging_is_cheap():
    assert microseconds(AgentLogger, 2000) < 5
    off = AgentLogger(LogLevel.OFF)
    logging.getLogger("smolagents").setLevel(logging.CRITICAL)  # pytest listens to everything otherwise
    try:
        assert microseconds(lambda: off.log("x"), 2000) < 1
        assert microseconds(lambda: off.log_error("x"), 2000) < 1
        assert microseconds(lambda: off.log_code("x", "y"), 2000) < 1
        logger = in_file()
        monitor = Monitor(None, logger)
        done = step(3, 1.5, TokenUsage(1234, 56))

        def one_step():
            logger.log_rule("Step 3")
            logger.log_markdown("I will add them up.", title="Thought")
            logger.log_code("Code", "x = 0\nfor i in range(10):\n    x += i\nprint(x)")
            logger.log_output("45\n" * 20)
            monitor.update_metrics(done)

        assert microseconds(one_step, 200) < 300
    finally:
        logging.getLogger("smolagents").setLevel(logging.NOTSET)
