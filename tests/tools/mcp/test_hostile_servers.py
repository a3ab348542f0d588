"""A server that means harm does it to itself alone."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from smolagents import AgentImage, MCPClient
from smolagents.mcp_client import MCPConnectionError, MCPToolError
from support import mcp_hosts
from support.mcp_hosts import program

pytestmark = pytest.mark.timeout(60)


def hostile(kind: str) -> dict[str, Any]:
    script = Path(mcp_hosts.__file__).with_name("mcp_hostile.py")
    return {"command": sys.executable, "args": [str(script), kind], "name": "hostile"}


def test_schemas_of_outputs_stop_neither_a_call_nor_other_servers() -> None:
    with MCPClient([hostile("schemas"), program()]) as found:
        tools = {tool.name: tool for tool in found}
        started = time.monotonic()
        for name in ("doubling", "backtracking", "fine"):
            assert tools[name]()["x"].startswith("aaaa")
        assert tools["say"](text="still here") == "still here"
        assert time.monotonic() - started < 10


def test_structured_content_that_does_not_fit_its_schema_is_refused() -> None:
    with MCPClient(hostile("schemas")) as found:
        wrong = next(tool for tool in found if tool.name == "wrong")
        with pytest.raises(MCPToolError, match=r"tool 'wrong' returned lacks the field 'y'.*not what its server says"):
            wrong()


def test_a_list_without_end_is_given_up() -> None:
    with pytest.raises(MCPConnectionError, match="its list of tools does not end: it has more than 1000 pages"):
        MCPClient(hostile("endless"))


def test_many_tools_of_like_names_are_told_apart_in_time() -> None:
    with MCPClient(hostile("many")) as found:
        names = [tool.name for tool in found]
    assert len(set(names)) == len(names) == 10_000
    assert names[:3] == ["tool__", "tool___2", "tool___3"]


def test_images_are_images_also_where_a_server_has_structured_content() -> None:
    with MCPClient(hostile("schemas")) as found:
        tools = {tool.name: tool for tool in found}
        text, image = tools["twice"]()  # whose structured content holds the image as text
        assert text == "a picture"
        assert isinstance(image, AgentImage)
        assert image.size == (1, 1)
        structured, image = tools["beside"]()
        assert structured == {"peak": 5}
        assert isinstance(image, AgentImage)


@pytest.mark.parametrize(("kind", "why"), [("broken", "cannot be read: "), ("huge", "DecompressionBomb")])
def test_an_image_that_cannot_be_read_takes_nothing_else_along(kind: str, why: str) -> None:
    with MCPClient(hostile("schemas")) as found:
        structured, said = next(tool for tool in found if tool.name == kind)()
    assert structured == {"peak": 5}
    assert said.startswith("(an image of type image/png that cannot be read: ")
    assert why in said
