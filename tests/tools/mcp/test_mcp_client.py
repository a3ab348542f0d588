"""Tools of MCP servers, as a user and an agent meet them."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters

from smolagents import AgentAudio, AgentImage, CodeAgent, MCPClient, Tool, ToolCallingAgent, ToolCollection
from smolagents.mcp_client import ElicitationRequest, MCPConnectionError, MCPProgress, MCPTimeoutError, MCPToolError
from smolagents.testing import ScriptedModel, tool_call, tool_calls
from smolagents.tools import ToolDefinitionError, ToolProgress, on_progress
from smolagents.types.errors import AgentInterruptedError
from support.mcp_everything import make_server
from support.mcp_hosts import program, until

# What tools are and return


def test_tools_have_names_types_and_descriptions_of_the_server(tools: dict[str, Any]) -> None:
    assert isinstance(tools["add"], Tool)
    assert tools["add"].description == "Adds two numbers."
    assert tools["add"].inputs["a"]["type"] == "integer"
    assert tools["add"].inputs["b"]["nullable"] is True
    assert tools["say"].inputs["text"]["description"] == "What to say."
    place = tools["weather"].inputs["places"]["items"]
    assert place["properties"]["city"]["type"] == "string"
    assert "$ref" not in str(tools["weather"].inputs)
    assert tools["weather"].inputs["unit"]["enum"] == ["C", "F"]


def test_structured_output_is_returned_and_described(tools: dict[str, Any]) -> None:
    assert tools["weather"]([{"city": "Paris"}], unit="F") == {"place": "Paris", "degrees": 68.9}
    assert tools["weather"].output_type == "object"
    assert set(tools["weather"].output_schema["properties"]) == {"place", "degrees"}


def test_without_structured_output_there_is_text() -> None:
    with MCPClient(program(), structured_output=False) as found:
        weather = next(tool for tool in found if tool.name == "weather")
        assert weather.output_type == "string"
        assert weather.output_schema is None
        assert '"degrees": 20.5' in weather([{"city": "Oslo"}])


def test_arguments_go_by_name_or_by_position(tools: dict[str, Any]) -> None:
    assert tools["add"](1, 2) == {"result": 3}
    assert tools["add"](a=1) == {"result": 11}
    assert tools["add"]({"a": 1, "b": 5}) == {"result": 6}
    with pytest.raises(TypeError, match="no argument 'c'"):
        tools["add"](a=1, c=2)
    with pytest.raises(TypeError, match="'a' of tool 'add' is required"):
        tools["add"](b=1)


def test_a_null_is_sent_where_it_is_a_value_and_left_out_where_it_is_not(tools: dict[str, Any]) -> None:
    assert tools["two_words_tool"](value=None) == "value is None"
    assert tools["add"](a=1, b=None) == {"result": 11}


def test_what_json_cannot_say_is_refused_before_it_is_sent(tools: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'text' of tool 'say' is a object"):
        tools["say"](text=object())
    assert tools["say"](text=Path("somewhere")) == "somewhere"


def test_images_and_sounds_are_agent_types(tools: dict[str, Any]) -> None:
    assert isinstance(tools["picture"](), AgentImage)
    assert tools["picture"]().size == (1, 1)
    sound = tools["noise"]()
    assert isinstance(sound, AgentAudio)
    assert Path(sound.to_string()).read_bytes().startswith(b"RIFF")
    text, image = tools["mixed"]()
    assert text == "look"
    assert isinstance(image, AgentImage)


def test_an_error_result_is_an_exception_that_says_what_the_server_said(tools: dict[str, Any]) -> None:
    with pytest.raises(MCPToolError, match="the cat is away"):
        tools["fail"](reason="the cat is away")


def test_resources_and_prompts_are_tools_on_request(tools: dict[str, Any]) -> None:
    assert "notes://today: today — What is to be done today." in tools["list_resources"]()
    assert tools["read_resource"]("notes://today") == "water the plants"
    assert tools["read_resource"](uri="notes://monday") == "nothing on monday"
    with pytest.raises(MCPToolError, match="nowhere"):
        tools["read_resource"]("nowhere://x")
    assert tools["prompt_review"](code="x = 1") == "Review this in a kind way: x = 1"
    assert tools["prompt_review"].inputs["style"]["nullable"] is True
    with MCPClient(program()) as found:
        assert not {tool.name for tool in found} & {"list_resources", "read_resource", "prompt_review"}


def test_such_a_tool_is_not_saved_as_code(tools: dict[str, Any]) -> None:
    with pytest.raises(ToolDefinitionError, match="on the MCP server 'everything'"):
        tools["add"].to_dict()


# Agents


def test_a_code_agent_uses_them(module_client: Any) -> None:
    model = ScriptedModel(["<code>\nfinal_answer(add(a=20, b=22)['result'])\n</code>"])
    agent = CodeAgent(tools=module_client.get_tools(), model=model, verbosity_level=0)
    assert agent.run("add") == 42
    assert "add" in model.requests[0].text


def test_a_tool_calling_agent_uses_several_at_once_and_reads_errors(module_client: Any) -> None:
    model = ScriptedModel(
        [
            tool_calls(tool_call("add", {"a": "1", "b": 2}), tool_call("say", {"text": "hello"})),
            tool_calls(tool_call("fail", {"reason": "no such cat"})),
            tool_calls(tool_call("final_answer", {"answer": "done"})),
        ]
    )
    agent = ToolCallingAgent(tools=module_client.get_tools(), model=model, verbosity_level=0)
    assert agent.run("go") == "done"
    assert "{'result': 3}" in model.requests[1].text
    assert "no such cat" in model.requests[2].text


def test_agents_in_asyncio_await_them_together(module_client: Any) -> None:
    calls = [tool_call("slow", {"seconds": 0.6}) for _ in range(5)]
    model = ScriptedModel([tool_calls(*calls), tool_calls(tool_call("final_answer", {"answer": "done"}))])
    agent = ToolCallingAgent(tools=module_client.get_tools(), model=model, verbosity_level=0, max_tool_threads=5)
    start = time.monotonic()
    assert asyncio.run(agent.arun("go")) == "done"
    assert time.monotonic() - start < 2.5


def test_a_code_agent_in_asyncio_uses_them(module_client: Any) -> None:
    model = ScriptedModel(["<code>\nfinal_answer(say(text='hi'))\n</code>"])
    agent = CodeAgent(tools=module_client.get_tools(), model=model, verbosity_level=0)
    assert asyncio.run(agent.arun("go")) == "hi"


# Loops and threads


def test_calls_work_from_a_thread_that_runs_an_event_loop(tools: dict[str, Any]) -> None:
    async def main() -> tuple[Any, Any]:
        return tools["say"](text="waited for"), await tools["say"].acall(text="awaited")

    assert asyncio.run(main()) == ("waited for", "awaited")


def test_calls_from_the_clients_own_thread_do_not_deadlock() -> None:
    outcomes: list[Any] = []

    async def answer(request: ElicitationRequest) -> dict[str, Any]:
        say = by_name["say"]  # this runs in the client's loop
        outcomes.append(await say.acall(text="from inside"))
        with pytest.raises(RuntimeError, match=r"await say\.acall"):
            say(text="would wait for itself")
        return {"size": "small"}

    with MCPClient(program(), on_elicitation=answer) as found:
        by_name = {tool.name: tool for tool in found}
        assert by_name["order"]() == "1 small"
    assert outcomes == ["from inside"]


# Time


def test_a_call_that_takes_too_long_ends_and_the_server_is_told(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with MCPClient({**program("clock", str(journal)), "timeout": 0.5}) as found:
        slow = next(tool for tool in found if tool.name == "slow")
        with pytest.raises(MCPTimeoutError, match=r"'clock' did not answer tool 'slow' within 0\.5 s"):
            slow()
        until(lambda: "slow cancelled" in journal.read_text())


def test_progress_is_told_and_is_a_sign_of_life() -> None:
    told: list[MCPProgress] = []
    with MCPClient(program(), timeout=0.8, on_progress=told.append) as found:
        count = next(tool for tool in found if tool.name == "count")
        assert count(to=5, pause=0.4) == "counted"
    assert [(each.progress, each.total, each.message) for each in told][:2] == [(1, 5, "at 1"), (2, 5, "at 2")]
    assert (told[0].server, told[0].tool) == ("everything", "count")


def test_whoever_watches_an_agent_sees_the_progress_of_servers(module_client: Any) -> None:
    told: list[ToolProgress] = []
    model = ScriptedModel(["<code>\nfinal_answer(count(to=2))\n</code>"] * 2)
    agent = CodeAgent(tools=module_client.get_tools(), model=model, verbosity_level=0)
    with on_progress(told.append):
        assert agent.run("count") == "counted"
        assert asyncio.run(agent.arun("count")) == "counted"
    assert told == [ToolProgress("count", "at 1 (1 of 2)"), ToolProgress("count", "at 2 (2 of 2)")] * 2


def test_interrupting_an_agent_reaches_the_server(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with MCPClient(program("clock", str(journal))) as found:
        agent = CodeAgent(tools=found, model=ScriptedModel(["<code>\nslow(seconds=60)\n</code>"]), verbosity_level=0)
        failures: list[BaseException] = []

        def run() -> None:
            try:
                agent.run("wait")
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        until(lambda: journal.exists() and "slow started" in journal.read_text())
        agent.interrupt()
        thread.join(10)
        assert isinstance(failures[0], AgentInterruptedError)
        until(lambda: "slow cancelled" in journal.read_text())


def test_cancelling_a_task_reaches_the_server(tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    async def main(slow: Any) -> None:
        task = asyncio.ensure_future(slow.acall(seconds=60))
        while not (journal.exists() and "slow started" in journal.read_text()):
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with MCPClient(program("clock", str(journal))) as found:
        asyncio.run(main(next(tool for tool in found if tool.name == "slow")))
        until(lambda: "slow cancelled" in journal.read_text())


# Questions


@pytest.mark.parametrize("protocol", ["auto", "legacy"])
@pytest.mark.parametrize(("answer", "said"), [({"size": "large", "number": 2}, "2 large"), (None, "nothing: decline")])
def test_a_server_can_ask_the_user(answer: Any, said: str, protocol: str) -> None:
    asked: list[ElicitationRequest] = []

    def handler(request: ElicitationRequest) -> Any:
        asked.append(request)
        time.sleep(0.7)  # longer than the timeout, which does not count what a person takes
        return answer

    with MCPClient({**program(), "protocol": protocol}, on_elicitation=handler, timeout=0.5) as found:
        assert next(tool for tool in found if tool.name == "order")() == said
    assert asked[0].server == "everything"
    assert asked[0].message == "What do you want?"
    assert asked[0].schema is not None
    assert asked[0].schema["properties"]["size"]["enum"] == ["small", "large"]


def test_without_a_terminal_questions_are_declined(tools: dict[str, Any]) -> None:
    assert tools["order"]() == "nothing: decline"


# Changes


@pytest.mark.parametrize("protocol", ["auto", "legacy"])
@pytest.mark.parametrize("mode", ["program", "http"])
def test_what_a_server_changes_is_taken_over(mode: str, protocol: str, serve: Any) -> None:
    changes: list[list[str]] = []
    where = program() if mode == "program" else {"url": serve(lambda: make_server().streamable_http_app()).url}
    client = MCPClient(
        {**where, "protocol": protocol}, on_tools_changed=lambda now: changes.append([tool.name for tool in now])
    )
    with client as found:
        before = {tool.name: tool for tool in found}
        assert before["grow"]() == "grown"
        until(lambda: changes)
        after = {tool.name: tool for tool in client.get_tools()}
        assert after["new_tool"](x=1) == "new 1"
        assert after["say"] is before["say"]
        assert before["say"](text="hi", loudly=True) == "HI"
        with pytest.raises(MCPToolError, match="no longer offers"):
            before["noise"]()
        assert "new_tool" in changes[-1]


# Several servers


def test_several_servers_at_once_with_one_that_fails() -> None:
    with pytest.warns(UserWarning, match="'broken' is left out: The command '/no/such/program' was not found"):
        client = MCPClient(
            [program("one"), {"command": "/no/such/program", "name": "broken"}, program("two")],
        )
    with client as found:
        names = [tool.name for tool in found]
        assert len(names) == len(set(names))
        assert {"one_add", "two_add"} <= set(names)
        assert {tool.server for tool in found} == {"one", "two"}  # type: ignore[attr-defined]
        assert list(client.errors) == ["broken"]
        assert client.servers == {"one": True, "broken": False, "two": True}
        pid = {tool.name: tool for tool in found}
        assert pid["one_process_id"]() != pid["two_process_id"]()


def test_when_all_fail_each_reason_is_told() -> None:
    with pytest.raises(MCPConnectionError) as caught:
        MCPClient([{"command": "/no/such/program", "name": "a"}, {"url": "http://127.0.0.1:9/mcp", "name": "b"}])
    assert "- a: The command '/no/such/program' was not found. Install it" in str(caught.value)
    assert "- b: http://127.0.0.1:9/mcp cannot be reached" in str(caught.value)
    assert set(caught.value.errors) == {"a", "b"}


def test_servers_as_configuration_files_have_them() -> None:
    with MCPClient({"mcpServers": {"mine": program("theirs")}}) as found:
        assert found[0].server == "mine"  # type: ignore[attr-defined]


# What goes wrong at the start


def test_a_program_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    script = tmp_path / "crash.py"
    script.write_text("raise SystemExit('the key is missing: set WEATHER_KEY')")
    parameters = program()
    with pytest.raises(MCPConnectionError, match="the key is missing: set WEATHER_KEY"):
        MCPClient({**parameters, "args": [str(script)]})


def test_a_program_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    script = tmp_path / "mute.py"
    script.write_text("import sys; print('waiting for Godot', file=sys.stderr, flush=True); sys.stdin.read()")
    start = time.monotonic()
    with pytest.raises(MCPConnectionError, match=r"did not answer within 1 s(.|\n)*waiting for Godot"):
        MCPClient({**program(), "args": [str(script)]}, connect_timeout=1)
    assert time.monotonic() - start < 8


def test_an_address_without_a_server() -> None:
    with pytest.raises(MCPConnectionError, match="cannot be reached"):
        MCPClient("http://127.0.0.1:9/mcp")


def test_an_address_that_is_no_mcp_server(serve: Any) -> None:
    server = serve(lambda: make_server().streamable_http_app(), "/elsewhere")
    with pytest.raises(MCPConnectionError, match=r'HTTP 404.*Check the path and the "transport"'):
        MCPClient(server.url)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([], "no MCP server was given"),
        ({"url": "ftp://somewhere"}, "must begin with http"),
        ({"url": "http://x", "command": "y"}, "either 'url' or 'command'"),
        ({"url": "http://x", "transport": "pigeon"}, "'pigeon' is no transport"),
        ({"url": "http://x", "heders": {}}, "unknown key 'heders'"),
        ({"command": "x", "timeout": -1}, "timeout must be a positive number"),
        ([{"command": "x", "name": "n"}, {"command": "y", "name": "n"}], "two MCP servers are named 'n'"),
    ],
)
def test_wrong_parameters_are_refused(given: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        MCPClient(given)


def test_what_is_no_server_is_refused() -> None:
    with pytest.raises(TypeError, match="not as int"):
        MCPClient(5)
    with pytest.raises(TypeError, match="unknown key 'color'"):
        MCPClient("http://127.0.0.1:9/mcp", {"color": 1})


def test_adapter_kwargs_hold_more_arguments() -> None:
    with MCPClient(program(), {"client_session_timeout_seconds": 0.3, "connect_timeout": 20}) as found:
        with pytest.raises(MCPTimeoutError, match=r"within 0\.3 s"):
            next(tool for tool in found if tool.name == "slow")()


# HTTP and SSE


def test_sse(serve: Any) -> None:
    server = serve(lambda: make_server("events").sse_app(), "/sse")
    with MCPClient({"url": server.url, "transport": "sse"}) as found:
        by_name = {tool.name: tool for tool in found}
        assert by_name["say"](text="over SSE") == "over SSE"
        assert by_name["add"](1, 2) == {"result": 3}


def guarded(app: Any, wanted: bytes) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization") != wanted:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return application


@pytest.mark.parametrize(
    "credentials",
    [{"headers": {"Authorization": "Bearer secret"}}, {"auth": "secret"}, {"auth": "object"}],
)
def test_credentials_go_by_headers_or_auth(serve: Any, credentials: dict[str, Any]) -> None:
    import httpx2

    class Auth(httpx2.Auth):
        def auth_flow(self, request: Any) -> Any:
            request.headers["Authorization"] = "Bearer secret"
            yield request

    if credentials.get("auth") == "object":
        credentials = {"auth": Auth()}
    server = serve(lambda: guarded(make_server().streamable_http_app(), b"Bearer secret"))
    with pytest.raises(MCPConnectionError, match=r'HTTP 401.*Give "headers" or "auth"'):
        MCPClient(server.url)
    with MCPClient({"url": server.url, **credentials}) as found:
        assert next(tool for tool in found if tool.name == "say")(text="let in") == "let in"


# Losing and making connections


def test_a_program_that_ends_is_started_again() -> None:
    with MCPClient(program()) as found:
        by_name = {tool.name: tool for tool in found}
        before = by_name["process_id"]()
        with pytest.raises(MCPConnectionError, match="lost during the call of tool 'die'; whether it was carried out"):
            by_name["die"]()
        assert by_name["process_id"]() != before


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
@pytest.mark.parametrize("protocol", ["auto", "legacy"])
def test_a_server_that_was_away_is_found_again(serve_program: Any, transport: str, protocol: str) -> None:
    server = serve_program(transport)
    parameters = {"url": server.url, "transport": transport, "protocol": protocol}
    with MCPClient(parameters, connect_timeout=20) as found:
        say = next(tool for tool in found if tool.name == "say")
        assert say(text="before") == "before"
        server.stop()
        server.start()
        assert say(text="after") == "after"


def test_after_enough_attempts_calls_fail_and_each_tries_again(serve_program: Any) -> None:
    server = serve_program("streamable-http")
    with MCPClient(server.url, reconnect_attempts=1, connect_timeout=20) as found:
        say = next(tool for tool in found if tool.name == "say")
        server.stop()
        for _ in range(2):
            with pytest.raises(MCPConnectionError, match=r"cannot be reached|lost"):
                say(text="x")
        server.start()
        assert until(lambda: _said(say)) == "x"


def _said(say: Any) -> Any:
    try:
        return say(text="x")
    except MCPConnectionError:
        return None


def test_disconnecting_ends_the_program_and_calls() -> None:
    client = MCPClient(program())
    by_name = {tool.name: tool for tool in client.get_tools()}
    pid = int(by_name["process_id"]())
    client.disconnect()
    client.disconnect()
    until(lambda: not Path(f"/proc/{pid}").exists()) if Path("/proc").exists() else None
    with pytest.raises(MCPConnectionError, match="disconnected"):
        by_name["add"](1, 2)
    with pytest.raises(ValueError, match="not connected"):
        client.get_tools()
    client.connect()
    assert by_name["say"](text="again") == "again"
    client.disconnect()


def test_async_with_and_later_connection() -> None:
    async def main() -> str:
        async with MCPClient(program(), connect=False) as found:
            said: str = await next(tool for tool in found if tool.name == "say").acall(text="x")
            return said

    assert asyncio.run(main()) == "x"


def test_a_client_that_is_forgotten_is_closed_but_not_while_it_has_tools() -> None:
    client = MCPClient(program())
    say = next(tool for tool in client.get_tools() if tool.name == "say")
    gone = weakref.ref(client)
    threads = {thread for thread in threading.enumerate() if thread.name == "smolagents-mcp"}
    del client
    gc.collect()
    assert say(text="still here") == "still here"
    newest = gone()._background._thread  # type: ignore[union-attr]
    assert newest in threads
    del say
    gc.collect()
    assert gone() is None
    until(lambda: not newest.is_alive())


# ToolCollection


def test_a_collection_asks_for_trust_and_says_what_would_run() -> None:
    with pytest.raises(ValueError, match=r"runs on your machine: uvx weather.*trust_remote_code=True"):
        with ToolCollection.from_mcp({"command": "uvx", "args": ["weather"]}):
            pass
    with pytest.raises(ValueError, match=r"send data to: http://example\.com/mcp"):
        with ToolCollection.from_mcp("http://user:secret@example.com/mcp"):
            pass


def test_a_collection_from_servers() -> None:
    parameters = StdioServerParameters(**program())
    with ToolCollection.from_mcp(parameters, trust_remote_code=True, structured_output=False) as collection:
        by_name = {tool.name: tool for tool in collection.tools}
        assert '"result": 3' in by_name["add"](1, 2) or by_name["add"](1, 2) == "3"


# A server that others wrote


def test_a_server_that_others_wrote(time_server: str) -> None:
    with MCPClient({"command": time_server, "args": ["--local-timezone", "Europe/Paris"]}) as found:
        by_name = {tool.name: tool for tool in found}
        assert {"get_current_time", "convert_time"} <= set(by_name)
        now = by_name["get_current_time"](timezone="Asia/Tokyo")
        assert "+09:00" in str(now)
        with pytest.raises(MCPToolError, match=r"(?i)timezone"):
            by_name["get_current_time"](timezone="Nowhere/Land")
        model = ScriptedModel(
            [
                "<code>\nfinal_answer(str(convert_time(source_timezone='UTC', time='12:00', target_timezone='Asia/Tokyo')))\n</code>"
            ]
        )
        assert "21:00" in CodeAgent(tools=found, model=model, verbosity_level=0).run("convert")
