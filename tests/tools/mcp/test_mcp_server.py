"""Agents as MCP servers, as clients meet them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx2
import mcp
import pytest

from smolagents import AgentImage, CodeAgent, MCPClient, OpenAIModel, Tool, ToolCallingAgent, tool
from smolagents.mcp_client import MCPConnectionError, MCPProgress, MCPToolError
from smolagents.testing import ScriptedModel, tool_call, tool_calls
from smolagents.tools.interruption import interruptible_sleep
from support.mcp_hosts import until
from support.wire import Answer, completion, serve_answers


@tool
def double(x: int) -> int:
    """Doubles a number.

    Args:
        x: The number.
    """
    return 2 * x


@tool
def lookup(key: str) -> dict[str, int]:
    """Looks something up.

    Args:
        key: What to look up.
    """
    return {key: 1}


class Paint(Tool):
    name = "paint"
    description = "Paints a picture."
    inputs = {}
    output_type = "image"

    def forward(self) -> Any:
        from PIL import Image

        return Image.new("RGB", (3, 2))


class Wait(Tool):
    """Waits until it is interrupted, and remembers that it was."""

    name = "wait_long"
    description = "Waits."
    inputs = {}
    output_type = "string"

    def __init__(self) -> None:
        super().__init__()
        self.started, self.ended = threading.Event(), threading.Event()

    def forward(self) -> str:
        self.started.set()
        try:
            interruptible_sleep(60)
        finally:
            self.ended.set()
        return "waited"


STEPS = [
    "Thought: first\n<code>\nprint(double(4))\n</code>",
    "Thought: second\n<code>\nfinal_answer(double(x=21))\n</code>",
]


def solver(replies: Any = STEPS, **kwargs: Any) -> CodeAgent:
    model = ScriptedModel(replies, cycle=True)
    options = {"name": "solver", "description": "Solves things.", "verbosity_level": 0, **kwargs}
    return CodeAgent(tools=[double, lookup], model=model, **options)


def served(agent: Any, **options: Any) -> Any:
    return lambda: agent.as_mcp_server(**options).http_app()


def test_an_agent_and_its_tools_are_offered(serve: Any) -> None:
    with MCPClient(serve(served(solver())).url) as found:
        by_name = {each.name: each for each in found}
        assert set(by_name) == {"solver", "double", "lookup"}
        assert by_name["solver"].description == "Solves things."
        assert by_name["solver"].inputs["task"]["type"] == "string"
        assert by_name["double"].inputs == {"x": {"type": "integer", "description": "The number."}}
        assert by_name["double"](x=4) == "8"
        assert json.loads(by_name["lookup"](key="a")) == {"a": 1}
        with pytest.raises(MCPToolError, match="'x' of tool 'double'"):
            by_name["double"](x="many")


def test_its_tools_can_be_kept_back(serve: Any) -> None:
    with MCPClient(serve(served(solver(), tools=False, name="my helper")).url) as found:
        assert [each.name for each in found] == ["my_helper"]


def test_a_call_is_a_run_with_progress_for_each_step(serve: Any) -> None:
    told: list[MCPProgress] = []
    with MCPClient(serve(served(solver())).url, on_progress=told.append) as found:
        assert found[0](task="Double 21.") == "42"
        until(lambda: len(told) == 2)
    assert [(each.progress, each.total) for each in told] == [(1, 20), (2, 20)]
    assert told[0].message == "Step 1 ran code: print(double(4))"
    assert told[1].message == "Step 2 found the answer"


@pytest.mark.parametrize("kind", ["in a thread", "on the loop"])
def test_what_a_tool_reports_is_told_before_its_answer(serve: Any, kind: str) -> None:
    def climb(to: int) -> Generator[str, None, int]:
        """Climbs.

        Args:
            to: How high.
        """
        for height in range(to):
            yield f"at {height}"
        return to

    async def aclimb(to: int) -> AsyncGenerator[Any, None]:
        """Climbs.

        Args:
            to: How high.
        """
        for height in range(to):
            yield f"at {height}"
        yield to

    told: list[MCPProgress] = []
    agent = solver()
    agent.tools["climb"] = tool(climb if kind == "in a thread" else aclimb)
    with MCPClient(serve(served(agent)).url, on_progress=told.append) as found:
        assert next(each for each in found if each.name == "climb")(to=3) == "3"
    assert [(each.progress, each.message) for each in told] == [(1, "at 0"), (2, "at 1"), (3, "at 2")]


def test_values_are_given_to_the_run(serve: Any) -> None:
    agent = solver(["<code>\nfinal_answer(sum(numbers))\n</code>"])
    with MCPClient(serve(served(agent)).url) as found:
        assert found[0](task="Add them.", additional_args={"numbers": [1, 2, 3]}) == "6"


def test_calls_at_the_same_time_are_runs_of_their_own(serve: Any) -> None:
    together = threading.Barrier(3, timeout=20)

    def reply(messages: Any) -> str:
        together.wait()
        number = messages[1].text.rpartition("number ")[2].split()[0]
        return f"<code>\nfinal_answer({number} * 10)\n</code>"

    agent = solver([reply])
    with MCPClient(serve(served(agent)).url) as found:

        async def main() -> list[Any]:
            return await asyncio.gather(*(found[0].acall(task=f"number {n}") for n in (1, 2, 3)))

        assert asyncio.run(main()) == ["10", "20", "30"]


def test_cancelling_a_call_interrupts_the_run(serve: Any) -> None:
    wait = Wait()
    model = ScriptedModel([tool_calls(tool_call("wait_long"))])
    agent = ToolCallingAgent(tools=[wait], model=model, verbosity_level=0)
    with MCPClient(serve(served(agent)).url) as found:
        by_name = {each.name: each for each in found}

        async def main() -> None:
            task = asyncio.ensure_future(by_name["agent"].acall(task="wait"))
            await asyncio.to_thread(wait.started.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert wait.ended.wait(10)


def test_cancelling_the_call_of_a_tool_tells_the_tool(serve: Any) -> None:
    wait = Wait()
    agent = ToolCallingAgent(tools=[wait], model=ScriptedModel([]), verbosity_level=0)
    with MCPClient({"url": serve(served(agent)).url, "timeout": 0.5}) as found:
        with pytest.raises(MCPToolError, match="did not answer"):
            next(each for each in found if each.name == "wait_long")()
        assert wait.ended.wait(10)


def test_what_goes_wrong_is_told_to_the_client(serve: Any) -> None:
    agent = solver([RuntimeError("the model is down")])
    with MCPClient(serve(served(agent)).url) as found:
        with pytest.raises(MCPToolError, match="the model is down"):
            found[0](task="x")
        with pytest.raises(MCPToolError, match="takes 'task', a text"):
            found[0](task=" ")


def test_images_are_images(serve: Any) -> None:
    model = ScriptedModel(["<code>\nfinal_answer(paint())\n</code>"])
    agent = CodeAgent(tools=[Paint()], model=model, verbosity_level=0)
    with MCPClient(serve(served(agent)).url) as found:
        for name, arguments in (("paint", {}), ("agent", {"task": "paint"})):
            image = next(each for each in found if each.name == name)(**arguments)
            assert isinstance(image, AgentImage)
            assert image.size == (3, 2)


def test_a_name_that_a_tool_has_is_not_taken(serve: Any) -> None:
    agent = solver(name="double")
    with MCPClient(serve(served(agent)).url) as found:
        assert {each.name for each in found} == {"double_2", "double", "lookup"}


def test_the_sdks_own_client_speaks_with_it_in_both_eras() -> None:
    async def main() -> None:
        for mode in ("auto", "legacy"):
            async with mcp.Client(solver().as_mcp_server().server, mode=mode) as client:
                assert client.server_info is not None
                assert client.server_info.name == "solver"
                result = await client.call_tool("solver", {"task": "x"})
                assert result.content[0].text == "42"
                assert (await client.call_tool("nothing", {})).is_error

    asyncio.run(main())


# Who may call


def test_elsewhere_needs_a_token() -> None:
    server = solver().as_mcp_server()
    with pytest.raises(ValueError, match=r"at 0\.0\.0\.0 others than this machine can connect.*give a token"):
        server.http_app(host="0.0.0.0")
    with pytest.raises(ValueError, match="begin with a slash"):
        server.http_app(path="mcp")
    with pytest.raises(ValueError, match="'carrier pigeon'"):
        server.run("carrier pigeon")  # type: ignore[arg-type]


def test_a_token_is_asked_for(serve: Any) -> None:
    server = serve(lambda: solver().as_mcp_server().http_app(token="secret"))
    with pytest.raises(MCPConnectionError, match="HTTP 401"):
        MCPClient({"url": server.url, "auth": "guess"})
    with MCPClient({"url": server.url, "auth": "secret"}) as found:
        assert found[0](task="x") == "42"


def test_a_page_in_a_browser_that_pretends_to_be_elsewhere_is_refused(serve: Any) -> None:
    server = serve(served(solver()))
    answer = httpx2.post(
        server.url,
        headers={"Host": "evil.example", "Accept": "application/json, text/event-stream"},
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
    )
    assert answer.status_code in (403, 421)


# The command


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    """A saved agent, whose model answers over HTTP."""
    code = "Thought: easy\n<code>\nprint('working')\nfinal_answer(6 * 7)\n</code>"
    with serve_answers(Answer(completion({"content": code}))) as wire:
        agent = CodeAgent(
            tools=[], model=OpenAIModel("scripted", api_base=wire.url, api_key="none"), name="answerer",
            description="Answers.",
        )  # fmt: skip
        agent.save(tmp_path / "agent")
        yield tmp_path / "agent"


COMMAND = [sys.executable, "-m", "smolagents", "serve-mcp"]


def test_the_command_serves_a_folder_on_its_standard_streams(folder: Path) -> None:
    environment = {**os.environ, "OPENAI_API_KEY": "none"}
    parameters = {"command": COMMAND[0], "args": [*COMMAND[1:], str(folder)], "env": environment}
    told: list[MCPProgress] = []
    with MCPClient(parameters, connect_timeout=60, on_progress=told.append) as found:
        assert [each.name for each in found] == ["answerer"]
        assert found[0](task="What is 6 times 7?") == "42"
    assert told[0].message == "Step 1 found the answer"


def test_the_command_serves_a_folder_over_http(folder: Path) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*COMMAND, str(folder), "--transport", "streamable-http", "--port", str(port), "--name", "oracle"],
        env={**os.environ, "OPENAI_API_KEY": "none"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert f"http://127.0.0.1:{port}/mcp" in process.stderr.readline()
        client = until(lambda: _connected(f"http://127.0.0.1:{port}/mcp"), 30)
        with client as found:
            assert {each.name: each for each in found}["oracle"](task="x") == "42"
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _connected(url: str) -> Any:
    try:
        return MCPClient(url)
    except MCPConnectionError:
        time.sleep(0.1)
        return None


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["/no/such/folder"], "there is no folder '/no/such/folder'"),
        (["FOLDER", "--transport", "streamable-http", "--host", "0.0.0.0"], "give a token"),
        (["FOLDER", "--transport", "streamable-http", "--token-env", "NOT_SET_HERE"], "NOT_SET_HERE is not set"),
    ],
)
def test_the_command_says_what_is_wrong(folder: Path, arguments: list[str], match: str) -> None:
    arguments = [str(folder) if each == "FOLDER" else each for each in arguments]
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "OPENAI_API_KEY": "none"},
        check=False,
    )
    assert done.returncode == 2
    assert match in done.stderr
    assert "Traceback" not in done.stderr
