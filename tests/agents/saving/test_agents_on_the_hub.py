"""Agents pushed to a Hub and loaded from it, by the real client against a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from team import team

from support.hub_server import Hub, serve

Python = Callable[..., str]

PUSH = """
import sys
sys.path.insert(0, sys.argv[1])
from team import team
print(team().push_to_hub(sys.argv[2], **eval(sys.argv[3]) if len(sys.argv) > 3 else {}))
"""

LOAD = """
import json, sys
from smolagents import from_hub
agent = from_hub(sys.argv[1], trust_remote_code=True, **eval(sys.argv[2]) if len(sys.argv) > 2 else {})
print(json.dumps({"saved": agent.to_dict(), "answer": agent.run("How many?")}))
"""

HERE = Path(__file__).parent


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as hub:
        yield hub


def test_an_agent_goes_to_the_hub_and_comes_back(hub: Hub, fresh_python: Python) -> None:
    pushed = fresh_python(PUSH, HERE, "me/agent", HF_ENDPOINT=hub.url)
    space = hub.spaces["me/agent"]
    assert pushed.strip() == f"{hub.url}/spaces/me/agent/commit/{space.branches['main']}"
    assert space.created["type"] == "space"
    assert space.created["sdk"] == "gradio"
    assert space.messages == ["initial commit", "Upload agent"]
    files = hub.files("me/agent")
    assert {"agent.json", "app.py", "prompts.yaml", "requirements.txt", "tools/count_letters.py"} <= files.keys()
    found = json.loads(fresh_python(LOAD, "me/agent", HF_ENDPOINT=hub.url).splitlines()[-1])
    assert found == {"saved": team().to_dict(), "answer": 3}


def test_the_card_keeps_what_it_had(hub: Hub, fresh_python: Python) -> None:
    for _ in range(2):
        fresh_python(PUSH, HERE, "me/agent", HF_ENDPOINT=hub.url)
    _, head, text = hub.files("me/agent")["README.md"].decode().split("---\n", 2)
    assert yaml.safe_load(head) == {"title": "agent", "emoji": "🚀", "sdk": "gradio", "tags": ["smolagents", "agent"]}
    assert text.strip() == "Made by the Hub."


def test_a_name_without_owner_goes_to_ones_own_account(hub: Hub, fresh_python: Python) -> None:
    fresh_python(PUSH, HERE, "agent", HF_ENDPOINT=hub.url)
    assert "agent.json" in hub.files("me/agent")


def test_what_push_is_told(hub: Hub, fresh_python: Python) -> None:
    fresh_python(PUSH, HERE, "org/agent", {"private": True, "commit_message": "Mine"}, HF_ENDPOINT=hub.url)
    assert hub.spaces["org/agent"].created["organization"] == "org"
    assert hub.spaces["org/agent"].created["visibility"] == "private"
    assert hub.spaces["org/agent"].messages[-1] == "Mine"


def test_a_pull_request_leaves_the_branch_and_can_be_loaded(hub: Hub, fresh_python: Python) -> None:
    fresh_python(PUSH, HERE, "me/agent", {"create_pr": True}, HF_ENDPOINT=hub.url)
    assert hub.spaces["me/agent"].pull_requests == ["Upload agent"]
    assert "agent.json" not in hub.files("me/agent")
    assert "agent.json" in hub.files("me/agent", "refs/pr/1")
    found = fresh_python(LOAD, "me/agent", {"revision": "refs/pr/1", "max_steps": 3}, HF_ENDPOINT=hub.url)
    assert json.loads(found.splitlines()[-1])["saved"]["max_steps"] == 3


def test_an_agent_in_a_subfolder(hub: Hub, fresh_python: Python, tmp_path: Path) -> None:
    fresh_python(PUSH, HERE, "me/agent", HF_ENDPOINT=hub.url)
    space = hub.spaces["me/agent"]
    space.commit("main", {f"inner/{name}": content for name, content in hub.files("me/agent").items()}, "move")
    arguments = {"subfolder": "inner", "cache_dir": str(tmp_path / "cache")}
    found = fresh_python(LOAD, "me/agent", arguments, HF_ENDPOINT=hub.url)
    assert json.loads(found.splitlines()[-1])["answer"] == 3
    assert list((tmp_path / "cache").glob("spaces--me--agent/snapshots/*/inner/agent.json"))
    assert "leads out of the Space" in fresh_python(
        LOAD, "me/agent", {"subfolder": "../.."}, HF_ENDPOINT=hub.url, check=False
    )


def test_once_fetched_it_loads_without_the_hub(hub: Hub, fresh_python: Python) -> None:
    fresh_python(PUSH, HERE, "me/agent", HF_ENDPOINT=hub.url)
    fresh_python(LOAD, "me/agent", HF_ENDPOINT=hub.url)
    found = fresh_python(LOAD, "me/agent", HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="1")
    assert json.loads(found.splitlines()[-1])["answer"] == 3


def test_the_token_is_used(fresh_python: Python) -> None:
    with serve(token="right") as hub:
        fresh_python(PUSH, HERE, "me/agent", {"token": "right"}, HF_ENDPOINT=hub.url)
        found = fresh_python(LOAD, "me/agent", {"token": "right"}, HF_ENDPOINT=hub.url)
        assert json.loads(found.splitlines()[-1])["answer"] == 3
        fresh_python(LOAD, "me/agent", HF_ENDPOINT=hub.url, HF_TOKEN="right")


@pytest.mark.parametrize(
    ("token", "said"), [("wrong", "does not let this token make or change"), (None, "needs a token")]
)
def test_a_hub_that_lets_nobody_write(fresh_python: Python, token: str | None, said: str) -> None:
    with serve(token="right") as hub:
        found = fresh_python(PUSH, HERE, "me/agent", {"token": token}, HF_ENDPOINT=hub.url, check=False)
        assert said in found
        assert "\nValueError: " in found


def test_code_from_the_hub_needs_trust_and_is_named(hub: Hub, fresh_python: Python) -> None:
    fresh_python(PUSH, HERE, "me/agent", HF_ENDPOINT=hub.url)
    for call in ("from_hub('me/agent')", "CodeAgent.from_hub('me/agent', trust_remote_code=False)"):
        said = fresh_python(f"from smolagents import *; {call}", HF_ENDPOINT=hub.url, check=False)
        assert "ValueError: Loading 'me/agent' runs code from the Hub on your machine" in said
        assert "tools/count_letters.py" in said
        assert "managed_agents/middle/managed_agents/deep/tools/greeter.py" in said
        assert "trust_remote_code=True" in said
    assert not any("/resolve/" in request and ".py" in request for request in hub.requests)


def test_trust_is_asked_for_even_where_the_hub_cannot_be_reached(fresh_python: Python) -> None:
    said = fresh_python(
        "from smolagents import from_hub; from_hub('me/agent')", HF_ENDPOINT="http://127.0.0.1:9", check=False
    )
    assert "pass trust_remote_code=True" in said


@pytest.mark.parametrize("trusted", [True, False])
def test_a_space_that_does_not_exist(hub: Hub, fresh_python: Python, trusted: bool) -> None:
    program = f"from smolagents import from_hub; from_hub('me/nothing', trust_remote_code={trusted})"
    said = fresh_python(program, HF_ENDPOINT=hub.url, check=False).splitlines()[-1]
    assert said.startswith("ValueError: there is no Space 'me/nothing' on the Hub, or it is private")
    assert "token=" in said


def test_a_revision_that_does_not_exist(hub: Hub, fresh_python: Python) -> None:
    fresh_python(PUSH, HERE, "me/agent", HF_ENDPOINT=hub.url)
    said = fresh_python(LOAD, "me/agent", {"revision": "v9"}, HF_ENDPOINT=hub.url, check=False)
    assert "ValueError: 'me/agent' has no such revision: check revision=" in said


def test_a_space_that_is_no_agent(hub: Hub, fresh_python: Python) -> None:
    fresh_python(PUSH, HERE, "me/agent", HF_ENDPOINT=hub.url)
    space = hub.spaces["me/agent"]
    space.commits[space.branches["main"]] = {"tool.py": b"raise SystemExit('ran')"}
    said = fresh_python(LOAD, "me/agent", HF_ENDPOINT=hub.url, check=False)
    assert "ValueError: 'me/agent' holds no agent: there is no agent.json" in said


def test_a_name_that_cannot_be_one(hub: Hub, fresh_python: Python) -> None:
    assert "ValidationError" in fresh_python(LOAD, "a/b/c", HF_ENDPOINT=hub.url, check=False)


def test_a_hub_that_cannot_be_reached(fresh_python: Python) -> None:
    said = fresh_python(LOAD, "me/agent", HF_ENDPOINT="http://127.0.0.1:9", check=False).splitlines()[-1]
    assert said.startswith("ConnectionError: the Hub cannot be reached, and 'me/agent' is not in the cache")


def test_an_agent_that_cannot_be_saved_makes_no_space(hub: Hub, fresh_python: Python) -> None:
    program = PUSH.replace("team().push", "team(instructions='Use hf_abcdefghijklmnopqrstuv').push")
    assert "looks like a secret" in fresh_python(program, HERE, "me/agent", HF_ENDPOINT=hub.url, check=False)
    assert not hub.spaces
