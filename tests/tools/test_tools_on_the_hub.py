"""Tools pushed to a Hub and loaded from it, by the real client against a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
import yaml

from support.hub_server import Hub, serve

Python = Callable[..., str]

MAKE = '''
import json, sys, pathlib
pathlib.Path("letters.py").write_text("""
import collections
from smolagents import Tool

FACTOR = 2

class Letters(Tool):
    name = "letters"
    description = "Counts letters."
    inputs = {"text": {"type": "string", "description": "Some text."}}
    output_type = "integer"

    def __init__(self, plus=0, api_key=None, model=None):
        super().__init__()
        self.plus = plus
        self.model = model

    def forward(self, text: str) -> int:
        return len(collections.Counter(text)) * FACTOR + self.plus
""")
sys.path.insert(0, ".")
from letters import Letters
'''
PUSH = MAKE + "print(Letters(plus=1, api_key='s3cr3t').push_to_hub(sys.argv[1], **eval(sys.argv[2])))"
LOAD = """
import json, sys
from smolagents import load_tool
tool = load_tool(sys.argv[1], trust_remote_code=True, **eval(sys.argv[2]) if len(sys.argv) > 2 else {})
print(json.dumps([type(tool).__name__, tool(text="hello"), tool.model]))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve() as hub:
        yield hub


def push(python: Python, hub: Hub, repo_id: str = "me/letters", **options: object) -> str:
    return python(PUSH, repo_id, {"token": "t", **options}, HF_ENDPOINT=hub.url)


def test_a_tool_goes_to_the_hub_and_comes_back_with_its_arguments(hub: Hub, fresh_python: Python) -> None:
    pushed = push(fresh_python, hub)
    space = hub.spaces["me/letters"]
    assert pushed.strip() == f"{hub.url}/spaces/me/letters/commit/{space.branches['main']}"
    assert space.created["sdk"] == "gradio"
    assert space.messages == ["initial commit", "Upload tool"]
    files = hub.files("me/letters")
    assert sorted(files) == ["README.md", "app.py", "requirements.txt", "tool.py", "tool_config.json"]
    assert not any(b"s3cr3t" in content for content in files.values())
    assert yaml.safe_load(files["README.md"].decode().split("---\n")[1])["tags"] == ["smolagents", "tool"]
    assert json.loads(fresh_python(LOAD, "me/letters", HF_ENDPOINT=hub.url)) == ["Letters", 9, None]


def test_arguments_for_the_download_the_constructor_and_another_model(hub: Hub, fresh_python: Python) -> None:
    push(fresh_python, hub, create_pr=True, private=True, commit_message="Mine")
    assert hub.spaces["me/letters"].pull_requests == ["Mine"]
    assert hub.spaces["me/letters"].created["visibility"] == "private"
    arguments = {"revision": "refs/pr/1", "plus": 5, "model_repo_id": "some/model"}
    assert json.loads(fresh_python(LOAD, "me/letters", arguments, HF_ENDPOINT=hub.url)) == [
        "Letters",
        13,
        "some/model",
    ]
    said = fresh_python(LOAD, "me/letters", HF_ENDPOINT=hub.url, check=False).splitlines()[-1]
    assert said.startswith("ValueError: 'me/letters' holds no tool: there is no tool.py in it.")
    said = fresh_python(LOAD, "me/letters", {**arguments, "colour": 1}, HF_ENDPOINT=hub.url, check=False)
    assert "Letters cannot be made: got an unexpected keyword argument 'colour'" in said


def test_code_needs_trust_and_is_named_and_does_not_run(hub: Hub, fresh_python: Python) -> None:
    push(fresh_python, hub)
    before = len(hub.requests)
    for call in ("load_tool('me/letters')", "Tool.from_hub('me/letters', trust_remote_code=False)"):
        said = fresh_python(f"from smolagents import *; {call}", HF_ENDPOINT=hub.url, check=False)
        assert "ValueError: Loading 'me/letters' runs code from the Hub on your machine" in said
        assert "the Python code of the tool: tool.py" in said
        assert "trust_remote_code=True" in said
    assert not any("tool.py" in request for request in hub.requests[before:])


def test_what_is_not_there_or_not_open_is_one_error_with_the_remedy(fresh_python: Python) -> None:
    with serve(token="right") as hub:
        push(fresh_python, hub, token="right")
        for repo_id in ("me/nothing", "me/letters"):
            said = fresh_python(LOAD, repo_id, {"cache_dir": "new"}, HF_ENDPOINT=hub.url, check=False).splitlines()[-1]
            assert said.startswith(f"ValueError: there is no Space '{repo_id}' on the Hub, or it is private")
            assert "token=" in said
        assert json.loads(fresh_python(LOAD, "me/letters", {"token": "right"}, HF_ENDPOINT=hub.url))[1] == 9
        said = fresh_python(PUSH, "me/letters", {"token": "wrong"}, HF_ENDPOINT=hub.url, check=False)
        assert "ValueError: the Hub does not let this token make or change the Space 'me/letters'" in said
        said = fresh_python(PUSH, "me/letters", {}, HF_ENDPOINT=hub.url, check=False).splitlines()[-1]
        assert said.startswith("ValueError: uploading 'letters' to 'me/letters' needs a token")
        assert "HF_TOKEN" in said
    said = fresh_python(LOAD, "me/letters", {"cache_dir": "newer"}, HF_ENDPOINT=hub.url, check=False)
    assert said.splitlines()[-1].startswith("ConnectionError: the Hub cannot be reached")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"def (", "ToolDefinitionError: tool.py in 'me/letters' is not Python that can be read"),
        (b"x = '\xff'", "ToolDefinitionError: tool.py in 'me/letters' is not Python that can be read"),
        (b"x = 1", "ToolDefinitionError: The code defines no tool"),
        (b"import not_here", "ImportError: the tool in 'me/letters' needs a package that is not here"),
    ],
)
def test_a_space_whose_code_is_no_tool(hub: Hub, fresh_python: Python, source: bytes, said: str) -> None:
    push(fresh_python, hub)
    hub.spaces["me/letters"].commit("main", {"tool.py": source}, "break it")
    last = fresh_python(LOAD, "me/letters", HF_ENDPOINT=hub.url, check=False).splitlines()[-1]
    assert said in last


def test_a_tool_that_cannot_be_written_makes_no_space(hub: Hub, fresh_python: Python) -> None:
    program = (
        "from smolagents import tool\n"
        "exec('@tool\\ndef f() -> int:\\n    \"One.\"\\n    return 1')\n"
        "f.push_to_hub('me/f', token='t')"
    )
    assert "cannot be written as source code" in fresh_python(program, HF_ENDPOINT=hub.url, check=False)
    assert not hub.spaces


def test_the_tools_of_a_collection(hub: Hub, fresh_python: Python) -> None:
    slug = "me/tools-0123456789abcdef01234567"
    push(fresh_python, hub)
    hub.collections[slug] = [("model", "me/model"), ("space", "me/letters"), ("space", "me/letters")]
    program = (
        "import sys; from smolagents import ToolCollection\n"
        "tools = ToolCollection.from_hub(sys.argv[1], trust_remote_code=sys.argv[2] == 'yes').tools\n"
        "print([(tool.name, tool(text='abc')) for tool in tools])"
    )
    assert fresh_python(program, slug, "yes", HF_ENDPOINT=hub.url).strip() == "[('letters', 7)]"
    said = fresh_python(program, slug, "no", HF_ENDPOINT=hub.url, check=False).splitlines()[-1]
    assert "runs the code of these Spaces on your machine: me/letters" in said
    said = fresh_python(program, "me/nothing-0123456789abcdef01234567", "yes", HF_ENDPOINT=hub.url, check=False)
    assert "cannot be read from the Hub" in said
