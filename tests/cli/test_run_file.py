"""`smolagent run FILE`, as a person runs it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from smolagents.cli import main
from smolagents.cli.confinement import default_executor_type

ANSWER = "<code>\nfinal_answer(tenfold(4) + 2)\n</code>"
SOURCE = '''
from smolagents import tool


@tool
def tenfold(number: int) -> int:
    """Ten times a number.

    Args:
        number: Any.
    """
    return number * 10
'''


@pytest.fixture
def file(tmp_path, server):
    """The file of an agent whose model is the test's server, with a tool beside it."""
    (tmp_path / "mine.py").write_text(SOURCE)
    path = tmp_path / "agent.yaml"
    path.write_text(
        f"model: {{class: OpenAIModel, model_id: m, api_base: '{server.url}'}}\ntools: [mine.py:tenfold]\n"
    )
    server.replies = [ANSWER]
    return path


def refused(capsys, *arguments):
    assert main(["run", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1, err
    assert "Traceback" not in out + err
    return err


def test_a_file_runs_in_the_sandbox(file, capsys):
    assert main(["run", str(file), "What is it?", "--trust"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Code runs in a process confined by Landlock, seccomp")
    assert "Final answer: 42" in out
    assert not err


def test_the_file_says_where_code_runs_and_how_much_is_shown(file, capsys):
    file.write_text(file.read_text() + "executor_type: local\nverbosity_level: 0\n")
    assert main(["run", str(file), "What is it?", "--trust"]) == 0
    assert capsys.readouterr().out == "42\n"


def test_a_saved_folder_runs_and_its_answer_can_be_assigned(file, tmp_path, capsys):
    from smolagents import MultiStepAgent

    MultiStepAgent.from_file(file, trust_remote_code=True).save(tmp_path / "saved")
    assert main(["run", f"{tmp_path}/saved", "What is it?", "--trust", "--verbosity-level", "0"]) == 0
    assert capsys.readouterr().out == "42\n"


def test_members_are_confined_and_silent_too(file, server, capsys):
    helper = (
        "managed_agents: [{name: helper, description: helps, model: {class: OpenAIModel, model_id: h, api_base: URL}}]"
    )
    file.write_text(file.read_text() + helper.replace("URL", f"'{server.url}'") + "\n")
    server.replies = [
        "<code>\nfinal_answer(helper('Read the users.'))\n</code>",
        "<code>\nfinal_answer(open('/etc/passwd').read())\n</code>",
        "<code>\nfinal_answer('no')\n</code>",
    ]
    assert main(["run", str(file), "Try", "--trust", "--verbosity-level", "0"]) == 0
    out = capsys.readouterr().out
    assert "no" in out
    assert "Step 1" not in out
    assert "root:" not in json.dumps(server.requests)


def test_the_command_line_stands_over_the_file(file, server, capsys):
    server.replies = ["<code>\nprint(1)\n</code>", "not yet"]
    file.write_text(file.read_text().replace(server.url, "http://127.0.0.1:9/v1"))
    model = ["--model-type", "OpenAIModel", "--model-id", "other", "--api-base", server.url]
    assert main(["run", str(file), "What is it?", "--trust", "--max-steps", "1", *model]) == 1
    assert {request["model"] for request in server.requests} == {"other"}
    assert "no answer was found within 1 steps" in capsys.readouterr().err


def test_code_is_not_run_unasked(file, capsys):
    file.with_name("mine.py").write_text("raise SystemExit('ran')")
    said = refused(capsys, file, "What is it?")
    assert f"{file}: running this runs the Python code of the tool 'tenfold' in mine.py" in said
    assert "add --trust" in said


@pytest.mark.skipif(default_executor_type()[0] == "local", reason="there is no sandbox here to leave")
def test_leaving_the_sandbox_is_asked_for(file, capsys):
    file.write_text(file.read_text().replace("mine.py:tenfold", "wikipedia_search") + "executor_type: local\n")
    assert "runs code that the model writes in this process" in refused(capsys, file, "What is it?")
    assert main(["serve-mcp", str(file)]) == 2
    assert "runs code that the model writes in this process" in capsys.readouterr().err


def test_nothing_is_asked_for_the_librarys_own_code(file, server, capsys):
    file.write_text(file.read_text().replace("mine.py:tenfold", "wikipedia_search"))
    server.replies = [ANSWER.replace("tenfold(4) + 2", "'yes'")]
    assert main(["run", str(file), "What is it?", "--verbosity-level", "0"]) == 0
    assert capsys.readouterr().out == "yes\n"


def command(*arguments):
    return [sys.executable, "-m", "smolagents", *map(str, arguments)]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize(("said", "code"), [("y\n", 0), ("\n", 2), ("n\n", 2)])
def test_a_person_is_asked(file, said, code):
    import pty

    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        command("run", file, "What is it?"), stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, close_fds=True
    )
    os.close(theirs)
    shown = b""
    try:
        while b"[y/N]" not in shown:
            assert select.select([ours], [], [], 30)[0], shown
            shown += os.read(ours, 4096)
        os.write(ours, said.encode())
        while select.select([ours], [], [], 30)[0]:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            shown += part
        error = done.stderr.read().decode()
        assert done.wait(30) == code, error
    finally:
        done.kill()
        done.stderr.close()
        os.close(ours)
    assert b"- runs the Python code of the tool 'tenfold' in mine.py" in shown
    assert (b"Final answer" in shown) == (code == 0)
    assert ("was not run" in error) == (code == 2)


def test_a_task_from_a_pipe(file):
    done = subprocess.run(
        command("run", file, "--trust", "--verbosity-level", "0"),
        input="What is it?",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
    done = subprocess.run(command("run", file, "--trust"), input="", capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "no task" in done.stderr


def test_servers_of_the_file_end_with_the_command(file, server, tmp_path):
    psutil = pytest.importorskip("psutil")
    everything = Path(__file__).parents[1] / "support" / "mcp_everything.py"
    entry = json.dumps(
        {"mcp": {"command": sys.executable, "args": [str(everything), "mine", str(tmp_path / "journal")]}}
    )
    file.write_text(file.read_text().replace("mine.py:tenfold", entry))
    server.replies = [ANSWER.replace("tenfold(4) + 2", "add(40, 2)")]
    done = subprocess.run(
        command("run", file, "Add", "--trust", "--verbosity-level", "0"), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, "42" in done.stdout) == (0, True), done.stderr
    running = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
    assert not any(str(tmp_path / "journal") in line for line in running)


def test_mistakes_are_one_line(file, tmp_path, capsys, monkeypatch):
    assert "there is no file" in refused(capsys, tmp_path / "agnt.yaml", "task")
    file.write_text("max_step: 3\nmodel: OpenAIModel:m\n")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert f"{file}: 'max_step' is no setting of a CodeAgent. Did you mean 'max_steps'?" in refused(
        capsys, file, "task"
    )
    file.write_text("tools: ['http://127.0.0.1:9/mcp']\nmodel: OpenAIModel:m\n")
    said = refused(capsys, file, "task", "--trust")
    assert said.startswith(f"smolagent run: {file}: tools[0]: The MCP server '127.0.0.1:9' cannot be used")
    file.write_text("model: {class: OpenAIModel, model_id: m, api_key_env: NOT_SET}\n")
    assert "the environment variable NOT_SET is not set" in refused(capsys, file, "task")
    file.write_text("executor_type: magic\nmodel: OpenAIModel:m\n")
    assert "unknown executor_type 'magic'" in refused(capsys, file, "task")


def test_other_words_after_run_are_a_task(server, capsys):
    server.replies = ["<code>\nfinal_answer('done')\n</code>"]
    model = ["--model-type", "OpenAIModel", "--model-id", "m", "--api-base", server.url]
    assert main(["run", "Summarise notes.json and agent.yaml", *model, "--verbosity-level", "0"]) == 0
    assert capsys.readouterr().out == "done\n"


def test_the_schema_is_printed(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "An agent of smolagents"


def test_an_agent_file_is_served_only_when_trusted(file, capsys):
    assert main(["serve-mcp", str(file)]) == 2
    assert "serving this runs the Python code of the tool 'tenfold' in mine.py. If you trust it, add --trust" in (
        capsys.readouterr().err
    )
