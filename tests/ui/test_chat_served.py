"""How the page is served: the program beside a saved agent, passwords, ports, and clients that are no browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from support.gradio_app import serve
from support.wire import Answer, chunk, serve_answers

pytest.importorskip("gradio")


def answered(result: Any) -> Any:
    """The last message that a client was sent, without what folds."""
    messages, _box = result
    return messages[-1]["content"][0]["text"]


def test_a_saved_agents_program_starts_and_answers(tmp_path: Path) -> None:
    from gradio_client import Client

    from smolagents import CodeAgent, tool
    from smolagents.models import OpenAIModel

    @tool
    def double(n: int) -> int:
        """Doubles.

        Args:
            n: A number.
        """
        return 2 * n

    said = "Thought: twice.\n<code>\nfinal_answer(double(n=21))\n</code>"
    events = [chunk({"role": "assistant", "content": said}), chunk({}, "stop"), "[DONE]"]
    with serve_answers(Answer(events=events)) as wire:
        model = OpenAIModel(model_id="m", api_base=wire.url, api_key="k")
        CodeAgent(tools=[double], model=model, name="doubler", description="Doubles.").save(tmp_path / "agent")
        assert "gradio" in (tmp_path / "agent" / "requirements.txt").read_text()
        app = tmp_path / "agent" / "app.py"
        program = (
            f"import os, runpy; os.environ['OPENAI_API_KEY'] = 'k'; runpy.run_path({str(app)!r}, run_name='__main__')"
        )
        with serve(program) as address:
            client = Client(address, verbose=False, download_files=False)
            assert answered(client.predict({"text": "Double 21", "files": []}, api_name="/ask")) == "42"
            client.close()
    assert wire.requests[0]["stream"] is True
    assert "Double 21" in str(wire.requests[0]["messages"])


def test_each_client_has_a_conversation_of_its_own(served_chat: Any) -> None:
    from gradio_client import Client

    clients = [Client(served_chat.address, verbose=False, download_files=False) for _ in range(2)]
    for client, fruit in zip(clients, ("apples", "pears"), strict=True):
        client.predict({"text": f"I like {fruit}", "files": []}, api_name="/ask")
    for client, fruit in zip(clients, ("apples", "pears"), strict=True):
        assert answered(client.predict({"text": "recall", "files": []}, api_name="/ask")) == f"I like {fruit} / recall"
    clients[0].predict(api_name="/reset")
    assert answered(clients[0].predict({"text": "recall", "files": []}, api_name="/ask")) == "recall"
    for client in clients:
        client.close()


def test_a_client_hands_over_only_what_it_has_uploaded(served_chat: Any) -> None:
    address, folder = served_chat
    secret = folder / "secret.txt"
    secret.write_text("password")
    stolen = {"path": str(secret), "orig_name": "x.txt", "meta": {"_type": "gradio.FileData"}}
    call = f"{address}/gradio_api/call/ask"
    body = json.dumps({"data": [{"text": "files", "files": [stolen]}]}).encode()
    with urllib.request.urlopen(urllib.request.Request(call, body, {"Content-Type": "application/json"})) as reply:
        event = json.load(reply)["event_id"]
    with urllib.request.urlopen(f"{call}/{event}") as events:
        told = events.read().decode()
    assert told.startswith("event: error")
    assert "password" not in told
    assert not list((folder / "uploads").rglob("secret*"))


PROGRAM = """
import json, sys, urllib.error, urllib.parse, urllib.request
from smolagents import GradioUI
from support.chat_page import make_agent
import gradio

agent = make_agent()
ui = GradioUI(agent)
app, local, public = ui.launch(prevent_thread_lock=True, quiet=True, server_port=int(sys.argv[1]), auth=("ada", "pw"))
told = {"local": local, "public": public}

def status(path, data=None, headers={}):
    try:
        with urllib.request.urlopen(urllib.request.Request(local + path, data, headers)) as answer:
            return answer.status, answer.headers.get("set-cookie", "")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""

told["without"] = status("config")[0]
told["wrong"] = status("login", urllib.parse.urlencode({"username": "ada", "password": "no"}).encode())[0]
code, cookie = status("login", urllib.parse.urlencode({"username": "ada", "password": "pw"}).encode())
told["right"] = code
told["with"] = status("config", headers={"Cookie": cookie.split(";")[0]})[0]
try:
    GradioUI(agent).launch(prevent_thread_lock=True, quiet=True, server_port=int(sys.argv[1]))
except OSError as error:
    told["taken"] = str(error)
ui.close()
print(json.dumps(told))
"""


def test_passwords_ports_and_loopback() -> None:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GRADIO_")}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[1]), "GRADIO_ANALYTICS_ENABLED": "False"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(port)], env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "local": f"http://127.0.0.1:{port}/",
        "public": None,
        "without": 401,
        "wrong": 400,
        "right": 200,
        "with": 200,
        "taken": f"port {port} is taken: give launch another one with server_port=…",
    }
