"""Tools as source code."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter

import pytest

from smolagents.tools import Tool, get_tools_definition_code, tool
from smolagents.tools.source import get_source, instance_to_source, is_valid_name, make_init_file

FACTOR = 2
LIMITS = [FACTOR, 3]


def scaled(x):
    return x * FACTOR + math.pi + len(LIMITS)


class Shared(Tool):
    def common(self):
        return scaled(1)


class Counting(Shared):
    name = "counting"
    description = "Counts letters."

    def __init__(self, plus: int = 0, api_key: str = ""):
        super().__init__()
        self.plus = plus
        self.api_key = api_key

    def forward(self, text: str) -> str:
        """Counts.

        Args:
            text: Some text.
        """
        counted: Counter[str] = Counter(text)
        return json.dumps([counted.most_common(1)[0][0], self.plus, self.common()])


@tool
def area(radius: float) -> float:
    """The area of a circle.

    Args:
        radius: The radius.
    """
    import packaging  # noqa: F401

    return scaled(radius)


def make_local():
    k = 5

    @tool
    def times(n: int) -> int:
        """Multiplies.

        Args:
            n: A number.
        """
        return n * k

    return times


EXAMPLES = {
    "class": (lambda: Counting(plus=3, api_key="s3cr3t"), {"text": "hello"}),
    "function": (lambda: area, {"radius": 2.0}),
    "closure": (make_local, {"n": 4}),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_saved_tool_works_in_a_fresh_process(example, tmp_path):
    make, arguments = EXAMPLES[example]
    made = make()
    saved = tmp_path / "tool.json"
    saved.write_text(json.dumps(made.to_dict()))
    program = (
        "import json, sys; from smolagents.tools import Tool\n"
        f"tool = Tool.from_dict(json.load(open({str(saved)!r})))\n"
        f"print(json.dumps([tool(**{arguments!r}), tool.name, tool.description, tool.inputs, tool.output_type]))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(out.stdout) == [made(**arguments), made.name, made.description, made.inputs, made.output_type]


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_loaded_tool_can_be_saved_again(example):
    made = EXAMPLES[example][0]()
    once = Tool.from_dict(made.to_dict())
    assert once.to_dict()["code"].split() == made.to_dict()["code"].split()


def test_constructor_arguments_are_saved_unless_their_names_say_secret():
    from smolagents.default_tools import ApiWebSearchTool, PythonInterpreterTool

    assert PythonInterpreterTool(authorized_imports=["numpy"]).to_dict()["init"] == {"authorized_imports": ["numpy"]}
    tool = ApiWebSearchTool("https://e.com", "s1", "MY_KEY_NAME", {"X-Token": "s2"}, {"n": 1}, rate_limit=None)
    assert tool.to_dict()["init"] == {
        "endpoint": "https://e.com",
        "api_key_name": "MY_KEY_NAME",
        "params": {"n": 1},
        "rate_limit": None,
    }
    assert "init" not in ApiWebSearchTool(params={"api_key": "s3"}).to_dict()


def test_secrets_are_not_written_and_requirements_are_found():
    data = Counting(plus=3, api_key="s3cr3t").to_dict()
    assert "s3cr3t" not in json.dumps(data)
    assert data["init"] == {"plus": 3}
    assert data["requirements"] == ["smolagents"]
    assert area.to_dict()["requirements"] == ["packaging", "smolagents"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_definition_code_needs_no_smolagents(example, tmp_path):
    make, arguments = EXAMPLES[example]
    made = make()
    program = (
        "import sys, json; sys.modules['smolagents'] = None\n"
        + get_tools_definition_code({made.name: made})
        + f"\nprint(json.dumps({made.name}(**{arguments!r})))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(out.stdout) == made(**arguments)


def test_save_writes_source_requirements_and_app(tmp_path):
    Counting(plus=3).save(tmp_path / "new" / "folder")
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == ["app.py", "requirements.txt", "tool.py"]
    assert "launch_gradio_demo(Counting(plus=3))" in (folder / "app.py").read_text()
    assert Tool.from_code((folder / "tool.py").read_text(), plus=3)("aa") == Counting(plus=3)("aa")
    area.save(tmp_path, tool_file_name="area", make_gradio_app=False)
    assert not (tmp_path / "app.py").exists()
    assert Tool.from_code((tmp_path / "area.py").read_text())(1.0) == area(1.0)


def test_nothing_is_written_outside_of_the_folder(tmp_path):
    for name in ("../outside", "/tmp/outside", "a/b", "", "app", "two words"):
        with pytest.raises(ValueError, match="tool_file_name must be a name such as 'tool'"):
            area.save(tmp_path / "made", tool_file_name=name)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="is a file: give the folder"):
        area.save(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_class_in_the_published_format_loads():
    code = """
from typing import Any, Optional
from smolagents.tools import Tool

class SimpleTool(Tool):
    name = "greet"
    description = "Greets."
    inputs = {'who': {'type': 'string', 'description': 'Whom.'}}
    output_type = "string"

    def forward(self, who: str) -> str:
        return f"Hello {who}"

    def __init__(self, *args, **kwargs):
        self.is_initialized = False
"""
    assert Tool.from_code(code)(who="you") == "Hello you"


def test_code_that_is_no_tool_is_refused():
    with pytest.raises(ValueError, match="defines no tool"):
        Tool.from_code("x = 1")
    with pytest.raises(SyntaxError, match="line 1"):
        Tool.from_code("def f(:")
    with pytest.raises(ValueError, match="takes the source of a tool as a string, not None"):
        Tool.from_code(None)
    with pytest.raises(ImportError, match="not_here"):
        Tool.from_code("import not_here")
    with pytest.raises(ValueError, match="under 'code'"):
        Tool.from_dict({"name": "x"})
    code = (
        "from smolagents.tools import Tool\nclass T(Tool):\n    name = 't'; description = 'd'; inputs = {}\n"
        "    output_type = 'string'\n    def __init__(self, place): super().__init__()\n"
        "    def forward(self): return 'x'\n"
    )
    with pytest.raises(ValueError, match=r"T cannot be made: .*'place'"):
        Tool.from_code(code)
    assert Tool.from_code(code, place=1)() == "x"


def test_a_tool_that_uses_what_cannot_be_written_is_refused():
    connection = object()

    @tool
    def send(text: str) -> str:
        """Sends.

        Args:
            text: A text.
        """
        return f"{connection}{text}"

    with pytest.raises(ValueError, match="'send' uses 'connection'"):
        send.to_dict()

    namespace: dict = {}
    exec(
        "from smolagents.tools import tool\n@tool\ndef f() -> int:\n    'One.'\n    return 1\n",
        namespace,
    )
    with pytest.raises(ValueError, match="cannot be written as source code"):
        namespace["f"].to_dict()


def test_source_helpers(tmp_path):
    assert get_source(scaled).startswith("def scaled(x):\n    return")
    assert get_source(area.forward).startswith("@tool\ndef area")
    assert get_source(Shared).startswith("class Shared(Tool):")
    with pytest.raises(TypeError, match="only classes and functions"):
        get_source(3)
    text = instance_to_source(Counting(plus=1), base_cls=Tool)
    assert text.startswith("from smolagents.tools.base import Tool\n\n\nclass Counting(Tool):\n")
    assert "name = 'counting'" in text
    assert "def forward(self, text: str) -> str:" in text
    assert is_valid_name("a_b1")
    assert not any(map(is_valid_name, ("", "1a", "a b", "class", None, 3)))
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").write_text("x = 1")
    make_init_file(tmp_path / "p")
    make_init_file(tmp_path / "q")
    assert (tmp_path / "p" / "__init__.py").read_text() == "x = 1"
    assert (tmp_path / "q" / "__init__.py").read_text() == ""
