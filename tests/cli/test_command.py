"""The command as a person runs it."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys

import huggingface_hub
import pytest

from smolagents.cli import main, run_smolagent
from smolagents.cli.main import SUBCOMMANDS

STEP = "Thought: I multiply the two numbers.\n<code>\nproduct = 6 * 7\nprint('product', product)\n</code>"
ANSWER = "Thought: That is it.\n<code>\nfinal_answer(product)\n</code>"


def model(server):
    return ["--model-type", "OpenAIModel", "--model-id", "scripted", "--api-base", server.url]


def one_line(capsys):
    out, err = capsys.readouterr()
    assert err.count("\n") == 1, err
    assert "Traceback" not in out + err
    return err


@pytest.mark.parametrize(
    ("choice", "where"),
    [
        ([], "a process confined by Landlock, seccomp"),
        (["--executor-type", "local"], "this process, behind a guard that is no boundary"),
    ],
)
def test_where_code_runs_can_be_chosen(server, capsys, choice, where):
    server.replies = [ANSWER.replace("product", "open('/etc/passwd').read()"), "It cannot be read."]
    main(["Read the users.", *model(server), "--max-steps", "1", *choice])
    out, _ = capsys.readouterr()
    assert out.startswith(f"Code runs in {where}")
    assert "root:" not in out


def test_an_unknown_executor_is_told_before_the_model_is_made(capsys):
    assert main(["Do it", "--executor-type", "cloud", "--model-id", "x", "--api-base", "http://127.0.0.1:9/v1"]) == 2
    assert "unknown executor type 'cloud'; use one of local, sandbox" in one_line(capsys)


def test_each_step_is_shown_with_thought_code_output_tokens_and_time(server, capsys):
    server.replies = [STEP, ANSWER]
    assert main(["What is 6 times 7?", *model(server)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "\x1b" not in out
    shown = re.sub(r"\d+\.\d+ seconds", "T seconds", out)
    confinement, *shown = shown.splitlines()
    assert confinement.startswith("Code runs in a process confined by Landlock, seccomp")
    assert shown == [
        "=== New run ===",
        "What is 6 times 7?",
        "(OpenAIModel - scripted)",
        "=== Step 1 ===",
        "--- Thought ---",
        "I multiply the two numbers.",
        "--- Code ---",
        "product = 6 * 7",
        "print('product', product)",
        *shown[9 : shown.index("=== Step 2 ===")],
        "=== Step 2 ===",
        "--- Thought ---",
        "That is it.",
        "--- Code ---",
        "final_answer(product)",
        "[Step 2: Duration T seconds | Input tokens: 1,200 | Output tokens: 34]",
        "Final answer: 42",
        "2 steps, T seconds, 2,400 input and 68 output tokens",
    ]
    assert any("product 42" in line for line in shown)
    assert "[Step 1: Duration T seconds | Input tokens: 1,200 | Output tokens: 34]" in shown


def test_at_level_0_the_answer_alone_is_printed(server, capsys):
    server.replies = [STEP, ANSWER]
    assert main(["What is 6 times 7?", *model(server), "--verbosity-level", "0"]) == 0
    assert capsys.readouterr().out == "42\n"


def test_at_level_2_what_the_model_was_sent_is_shown_once(server, capsys):
    server.replies = [STEP, ANSWER]
    assert main(["What is 6 times 7?", *model(server), "--verbosity-level", "2"]) == 0
    out = capsys.readouterr().out
    assert out.count("--- system ---") == 1
    assert "--- assistant ---" in out


def test_errors_of_the_code_are_shown_and_the_run_goes_on(server, capsys):
    server.replies = ["I try.\n<code>\n1 / 0\n</code>", "<code>\nfinal_answer('done [b]')\n</code>"]
    assert main(["Try", *model(server)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"Error:.*ZeroDivisionError: division by zero", out, re.DOTALL)
    assert "Final answer: done [b]" in out


def test_tool_calls(server, capsys):
    call = {
        "index": 0,
        "id": "c1",
        "type": "function",
        "function": {"name": "final_answer", "arguments": json.dumps({"answer": "Solaris"})},
    }
    server.replies = [{"content": None, "tool_calls": [call]}]
    assert main(["Name a book", *model(server), "--action-type", "tool_calling"]) == 0
    out = capsys.readouterr().out
    assert "final_answer(answer='Solaris')" in out
    assert "Final answer: Solaris" in out
    assert server.requests[0]["tools"][0]["function"]["name"] == "final_answer"


def test_imports_are_allowed_to_the_code(server, capsys):
    server.replies = ["<code>\nimport json\nfinal_answer(json.dumps([1]))\n</code>"]
    assert main(["Write JSON", *model(server), "--imports", "json"]) == 0
    assert "Final answer: [1]" in capsys.readouterr().out


def test_when_the_steps_are_used_up_the_exit_code_says_so(server, capsys):
    server.replies = [STEP, "Perhaps 42."]
    assert main(["What is 6 times 7?", *model(server), "--max-steps", "1"]) == 1
    out, err = capsys.readouterr()
    assert "Final answer: Perhaps 42." in out
    assert err == "smolagent: no answer was found within 1 steps\n"


def test_a_task_from_a_pipe_and_the_module_as_a_command(server):
    server.replies = [STEP, ANSWER]
    command = [sys.executable, "-m", "smolagents", *model(server), "--verbosity-level", "0"]
    done = subprocess.run(command, input=b"What is 6 times 7?\n", capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"42\n", b"")
    assert "What is 6 times 7?" in json.dumps(server.requests[0])
    empty = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert empty.returncode == 2
    assert empty.stderr.startswith(b"smolagent: no task:")


def test_a_first_word_that_is_a_command_is_one(server, capsys):
    assert "run" in SUBCOMMANDS
    server.replies = [STEP, ANSWER]
    assert main(["run", "What is 6 times 7?", *model(server), "--verbosity-level", "0"]) == 0
    assert capsys.readouterr().out == "42\n"


def test_version(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert re.fullmatch(r"smolagents \d+\.\d+\S*\n", capsys.readouterr().out)


def test_help_does_not_wait_for_agents_or_models():
    code = "import sys; from smolagents.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += "print([name for name in ('rich', 'jinja2', 'openai', 'huggingface_hub') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("[]\n")


def test_as_a_function(server, capsys):
    server.replies = [STEP, ANSWER]
    answer = run_smolagent("What is 6 times 7?", [], "OpenAIModel", "scripted", api_base=server.url)
    assert answer == 42
    assert "Final answer: 42" in capsys.readouterr().out


# What goes wrong


def test_an_unknown_tool(server, capsys):
    assert main(["x", *model(server), "--tools", "web_serach"]) == 2
    err = one_line(capsys)
    assert "unknown tool 'web_serach'. Did you mean 'web_search'?" in err
    assert "visit_webpage" in err


@pytest.mark.parametrize(
    ("name", "said"), [("no_such_module_at_all", "is not installed here"), ("num-py", "is not the name of a module")]
)
def test_imports_that_cannot_be(server, capsys, name, said):
    assert main(["x", *model(server), "--imports", name]) == 2
    assert said in one_line(capsys)


def test_an_unknown_model_type(capsys):
    assert main(["x", "--model-type", "OpenAiModel2", "--model-id", "m"]) == 2
    assert "Did you mean 'OpenAIModel'?" in one_line(capsys)


def test_no_key(capsys):
    assert main(["x", "--model-type", "OpenAIModel", "--model-id", "m"]) == 2
    err = one_line(capsys)
    assert "OPENAI_API_KEY" in err
    assert "--api-key" in err


@pytest.mark.parametrize("address", ["localhost:8000", "notaurl", "http://", "ftp://x/v1"])
def test_what_is_no_address(capsys, address):
    assert main(["x", "--model-id", "m", "--api-base", address]) == 2
    assert f"--api-base: {address!r} is not an address" in one_line(capsys)


def test_mailboxes_without_a_team(capsys):
    assert main(["x", "--model-id", "m", "--mailboxes", "sqlite:///team.db"]) == 2
    assert "--num-agents" in one_line(capsys)


@pytest.mark.parametrize("name", sorted(SUBCOMMANDS))
def test_mistakes_in_the_arguments_of_a_command_are_one_line(capsys, name):
    words = ["--no-such-option"] if name != "trace" else ["ls", "--no-such-option"]
    with pytest.raises(SystemExit) as left:
        main([name, *words])
    assert left.value.code == 2
    err = one_line(capsys)
    assert err.startswith("smolagent")
    assert "--help" in err


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"smolagent {name} " in shown for name in SUBCOMMANDS)


def test_what_is_hidden_of_an_output_is_shown_at_the_level_that_is_told(server, capsys):
    server.replies = ["<code>\nprint('\\n'.join(map(str, range(100))))\nfinal_answer(1)\n</code>"] * 2
    main(["Count.", *model(server)])
    out = capsys.readouterr().out
    assert "\n50\n" not in out
    hint = re.search(r"lines hidden \((.*) shows them\)", out)[1]
    main(["Count.", *model(server), *hint.split()])
    assert "\n50\n" in capsys.readouterr().out


def test_no_model_and_nobody_to_ask(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", open(os.devnull))
    assert main(["x"]) == 2
    assert "fetch it once with: python -m smolagents.models.catalogue fetch" in one_line(capsys)
    sys.stdin.close()


def test_a_server_that_is_not_there(capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        assert main(["x", "--model-type", "OpenAIModel", "--model-id", "m", "--api-base", url]) == 2
    err = one_line(capsys)
    assert f"cannot reach {url}" in err
    assert "--api-base" in err


def test_no_network(capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    huggingface_hub.close_session()  # it is kept, with its proxy
    try:
        assert main(["x", "--model-id", "Qwen/Qwen3-32B", "--verbosity-level", "0"]) == 2
    finally:
        huggingface_hub.close_session()
    assert "cannot reach the model's server: is there a network?" in one_line(capsys)


def test_a_traceback_is_shown_when_asked_for(capsys, monkeypatch):
    monkeypatch.setenv("SMOLAGENTS_DEBUG", "1")
    assert main(["x", "--model-type", "Nothing", "--model-id", "m"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_shows_what_was_done(server):
    server.replies = [STEP, None]
    process = subprocess.Popen(
        [sys.executable, "-m", "smolagents", "What is 6 times 7?", *model(server)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.hangs.wait(30), "the second step was not reached"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "product 42" in out
    # The step that was stopped is kept as well.
    assert re.search(r"Stopped after 2 steps, [\d.]+ seconds, 1,200 input and 34 output tokens\.", out)
    assert "Traceback" not in err


def test_a_reader_that_leaves_early_gets_no_traceback(server):
    server.replies = [STEP, ANSWER]
    command = [sys.executable, "-m", "smolagents", "What is 6 times 7?", *model(server)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(30)
    assert b"Traceback" not in err
    assert b"Exception" not in err


# At a terminal


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, *arguments):
        pty = pytest.importorskip("pty")
        self.main, other = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "smolagents", *arguments],
            stdin=other,
            stdout=other,
            stderr=other,
            env=environment,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(other)
        self.written = ""
        self.read_to = 0

    def expect(self, pattern):
        """Read until a pattern comes after what was expected before; fail if nothing new comes for 30 seconds."""
        while not (found := re.search(pattern, self.text()[self.read_to :])):
            ready, _, _ = select.select([self.main], [], [], 30)
            try:
                chunk = os.read(self.main, 65536) if ready else b""
            except OSError:
                chunk = b""
            if not chunk:
                self.process.kill()
            assert chunk, f"{pattern!r} did not come; there was:\n{self.text()}"
            self.written += chunk.decode(errors="replace")
        self.read_to += found.end()
        return found

    def text(self):
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.written)

    def type(self, text):
        os.write(self.main, text.encode())

    def leave(self):
        code = self.process.wait(30)
        os.close(self.main)
        return code


def _take_terminal():
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_conversation(server):
    server.replies = [STEP, ANSWER, "<code>\nfinal_answer(product + 1)\n</code>"]
    terminal = Terminal(*model(server))
    terminal.expect("Task: ")
    terminal.type("What is 6 times 7?\n")
    terminal.expect("Final answer: 42")
    terminal.expect("Next task: ")
    terminal.type("And one more?\n")
    terminal.expect("Final answer: 43")
    terminal.expect("Next task: ")
    terminal.type("\x04")
    assert terminal.leave() == 0
    assert "6 times 7" in json.dumps(server.requests[2]), "a later task goes on from those before"


def test_ctrl_c_stops_a_task_and_not_the_conversation(server):
    server.replies = [None, "<code>\nfinal_answer('well')\n</code>"]
    terminal = Terminal(*model(server))
    terminal.expect("Task: ")
    terminal.type("Wait for ever\n")
    assert server.hangs.wait(30)
    terminal.expect(r"Thinking… \d+ s")
    terminal.type("\x03")
    terminal.expect("Stopped after 1 step")
    terminal.expect("Next task: ")
    terminal.type("How are you?\n")
    terminal.expect("Final answer: well")
    terminal.expect("Next task: ")
    terminal.type("\x03")
    assert terminal.leave() == 130


def test_the_local_model_is_offered_at_a_terminal():
    terminal = Terminal("Do it")
    terminal.expect(r"Use the local model qwen2.5-coder-1.5b \(1.1 GB, fetched once\)\? \[Y/n\]")
    terminal.type("n\n")
    terminal.expect("smolagent: no model: name one with --model-type and --model-id")
    assert terminal.leave() == 2


@pytest.mark.model
@pytest.mark.slow
def test_the_small_local_model_through_the_command(small_model_path, capsys):
    code = main(["What is 6 times 7?", "--model-id", str(small_model_path), "--max-steps", "1"])
    assert code in (0, 1), "the model may fail, the command may not"
    assert "(LlamaCppModel - " in (out := capsys.readouterr().out)
    assert "=== Step 1 ===" in out
