"""An agent and its tools as a server that speaks the Model Context Protocol."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import itertools
import json
import secrets
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from smolagents._imports import require
from smolagents.memory import ActionStep, FinalAnswerStep, PlanningStep
from smolagents.tools.arguments import prepare_tool_arguments
from smolagents.tools.foreign_schema import identifier
from smolagents.tools.interruption import current_interrupt
from smolagents.tools.plain_schema import plain_schema
from smolagents.tools.progress import ToolProgress, on_progress
from smolagents.types.agent_types import AgentAudio, AgentImage, handle_agent_output_types
from smolagents.types.jsonable import make_json_serializable

if TYPE_CHECKING:
    from concurrent.futures import Future

    from smolagents.agents.base import MultiStepAgent
    from smolagents.tools.base import Tool

__all__ = ["AgentMCPServer"]

_TASK = "What to do, with everything that has to be known for it: nothing is remembered from earlier calls."
_MESSAGE_CHARS = 200


class AgentMCPServer:
    """An agent and its tools, offered to any client of the Model Context Protocol. Made by `agent.as_mcp_server()`.

    Each call of the agent's tool is a run of its own, so several can go on at once. A client that asks for progress is
    told of each step; one that cancels its call interrupts the run.

    Args:
        agent: The agent.
        name: Name of the server, and of the tool that is the agent; by default the agent's own name, or "agent".
        tools: Whether to offer the agent's tools too, besides the agent.

    Attributes:
        server: The server as the SDK has it, an `mcp.server.Server`, for transports of your own and for tests.
    """

    def __init__(self, agent: MultiStepAgent, name: str | None = None, tools: bool = True) -> None:
        require("mcp", extra="mcp", needed_for="An MCP server")
        from mcp.server import Server

        from smolagents import __version__

        self.agent = agent
        self._tools: dict[str, Tool] = (
            {key: tool for key, tool in agent.tools.items() if key != "final_answer"} if tools else {}
        )
        title = name or getattr(agent, "name", None) or "agent"
        self.name = identifier(title, taken=self._tools, fallback="agent")
        self.server: Any = Server(
            title,
            version=__version__,
            instructions=getattr(agent, "description", None) or None,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    # What is offered

    async def _list(self, context: Any, params: Any) -> Any:
        from mcp import types

        described = getattr(self.agent, "description", None)
        tools = [
            types.Tool(
                name=self.name,
                description=described or "An agent that works on a task, step by step, and returns its answer.",
                input_schema={
                    "type": "object",
                    "properties": {
                        "task": {"type": "string", "description": _TASK},
                        "additional_args": {
                            "type": "object",
                            "description": "Values for the agent to work with, by name.",
                        },
                    },
                    "required": ["task"],
                },
            )
        ]
        for name, tool in self._tools.items():
            schema = plain_schema(tool.output_schema) if tool.output_schema else None
            tools.append(
                types.Tool(
                    name=name,
                    description=tool.description,
                    input_schema=tool.parameters,
                    output_schema=schema if schema and schema.get("type") == "object" else None,
                )
            )
        return types.ListToolsResult(tools=tools)

    # Calls

    async def _call(self, context: Any, params: Any) -> Any:
        from mcp import types

        arguments = params.arguments or {}
        structured: dict[str, Any] | None = None
        try:
            if params.name == self.name:
                output = await self._run(context, arguments)
            elif params.name in self._tools:
                tool = self._tools[params.name]
                output = await _called(tool, arguments, context.session.report_progress)
                if tool.output_schema and isinstance(output, Mapping):
                    structured = make_json_serializable(output)
            else:
                raise ValueError(
                    f"There is no tool named {params.name!r}. There are: {', '.join([self.name, *self._tools])}."
                )
            content = _content(output)
        except Exception as error:
            said = str(error) or type(error).__name__
            return types.CallToolResult(content=[types.TextContent(type="text", text=said)], is_error=True)
        return types.CallToolResult(content=content, structured_content=structured)

    async def _run(self, context: Any, arguments: Mapping[str, Any]) -> Any:
        """Run the agent, telling the client of each step. Cancelling interrupts the run."""
        task, extra = arguments.get("task"), arguments.get("additional_args")
        unknown = [name for name in arguments if name not in ("task", "additional_args")]
        if unknown or not isinstance(task, str) or not task.strip():
            raise ValueError(
                f"The tool {self.name} takes 'task', a text, and if wanted 'additional_args', an object; "
                f"given were: {', '.join(f'{key}={value!r:.60}' for key, value in arguments.items()) or 'none'}."
            )
        if extra is not None and not isinstance(extra, Mapping):
            raise ValueError(f"'additional_args' must be an object of values by name, not {extra!r:.80}.")
        total, done = self.agent.max_steps, 0.0
        answer: Any = None
        events = self.agent.astream(task, additional_args=dict(extra) if extra else None)
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event, ActionStep):
                    done = max(float(event.step_number), done + 0.5)
                    await context.session.report_progress(done, max(total, done), _told(event))
                elif isinstance(event, PlanningStep):
                    done += 0.5
                    await context.session.report_progress(done, max(total, done), "Made a plan.")
                elif isinstance(event, FinalAnswerStep):
                    answer = event.output
        if answer is None:
            raise ValueError(f"The agent found no answer within {total} steps.")
        return answer

    # Transports

    def run(
        self,
        transport: Literal["stdio", "streamable-http"] = "stdio",
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        path: str = "/mcp",
        token: str | None = None,
    ) -> None:
        """Serve until the client hangs up (stdio) or the process is stopped (streamable HTTP).

        Args:
            transport: "stdio" to talk to the program that started this one, "streamable-http" for an HTTP server.
            host: Address to listen at. By default only this machine can connect.
            port: TCP port to listen at.
            path: Path of the address.
            token: What clients have to send as "Authorization: Bearer …". Needed where others than this machine can
                connect, since whoever can call an agent can have it act.

        Raises:
            ValueError: an argument is wrong, or a token is missing.
            OSError: the port is taken.
        """
        import anyio

        if transport == "stdio":
            anyio.run(self.serve_stdio)
        elif transport == "streamable-http":
            anyio.run(self._serve_http, host, port, path, token)
        else:
            raise ValueError(f'transport must be "stdio" or "streamable-http", not {transport!r}')

    async def serve_stdio(self) -> None:
        """Serve on the standard streams until they are closed. What the agent prints goes to the standard error."""
        from mcp.server.stdio import stdio_server

        async with stdio_server() as (read, write):
            await self.server.run(read, write, self.server.create_initialization_options())

    def http_app(self, *, host: str = "127.0.0.1", path: str = "/mcp", token: str | None = None) -> Any:
        """The server as an ASGI application, to be run by any ASGI server or mounted into another application.

        Args:
            host: Address that it will listen at. A server of this machine alone refuses requests for other hosts, as
                pages in a browser may make.
            path: Path that it answers at.
            token: What clients have to send as "Authorization: Bearer …"; None to ask for nothing.

        Raises:
            ValueError: `host` can be reached from elsewhere, and there is no token; or the path has no leading slash.
        """
        if not path.startswith("/"):
            raise ValueError(f"the path must begin with a slash, not {path!r}")
        if token is None and not _is_loopback(host):
            raise ValueError(
                f"at {host} others than this machine can connect, and have the agent act: give a token, "
                "or listen at 127.0.0.1"
            )
        app = self.server.streamable_http_app(streamable_http_path=path, host=host)
        return app if token is None else _Guarded(app, token)

    async def _serve_http(self, host: str, port: int, path: str, token: str | None) -> None:
        import uvicorn

        app = self.http_app(host=host, path=path, token=token)
        shown = f"[{host}]" if ":" in host else host
        print(f"Serving '{self.name}' at http://{shown}:{port}{path}", file=sys.stderr, flush=True)
        config = uvicorn.Config(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=3)
        await uvicorn.Server(config).serve()


class _Guarded:
    """An ASGI application that answers only who knows the token."""

    def __init__(self, app: Any, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not secrets.compare_digest(given, self._expected):
                headers = [(b"content-type", b"text/plain"), (b"www-authenticate", b"Bearer")]
                await send({"type": "http.response.start", "status": 401, "headers": headers})
                await send({"type": "http.response.body", "body": b"a bearer token is needed"})
                return
        await self._app(scope, receive, send)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _called(tool: Tool, arguments: Mapping[str, Any], report: Callable[..., Awaitable[None]]) -> Any:
    """Call a tool on behalf of a client; when the client cancels, the tool is told.

    Args:
        tool: The tool.
        arguments: Its arguments, as the client gave them.
        report: Tells the client of progress: called with how far the call is, None for an unknown end, and words.
    """
    import asyncio

    values = prepare_tool_arguments(tool, arguments)
    loop = asyncio.get_running_loop()
    numbers = itertools.count(1)
    latest: list[Future[None]] = []

    async def send(message: str) -> None:
        await report(float(next(numbers)), None, message)

    def told(progress: ToolProgress) -> None:  # in the thread of the tool
        latest[:] = [asyncio.run_coroutine_threadsafe(send(str(progress.value)[:_MESSAGE_CHARS]), loop)]

    stopped = threading.Event()
    token = current_interrupt.set(stopped)
    try:
        with on_progress(told):
            output = await tool.acall(**values, sanitize_inputs_outputs=True)
        for future in latest:  # the answer is the last that the client hears
            await asyncio.wrap_future(future)
        return output
    except asyncio.CancelledError:
        stopped.set()
        raise
    finally:
        current_interrupt.reset(token)


def _told(step: ActionStep) -> str:
    """One line on a step, for who waits."""
    if step.error is not None:
        words = f"failed: {step.error.message}"
    elif step.is_final_answer:
        words = "found the answer"
    elif step.code_action:
        words = f"ran code: {step.code_action}"
    else:
        words = f"called {', '.join(call.name for call in step.tool_calls or ()) or 'nothing'}"
    line = f"Step {step.step_number} {' '.join(words.split())}"
    return line if len(line) <= _MESSAGE_CHARS else f"{line[: _MESSAGE_CHARS - 1]}…"


def _content(output: Any) -> list[Any]:
    """A value as what MCP can carry: text, images and sounds."""
    from mcp import types

    output = handle_agent_output_types(output)
    if isinstance(output, AgentImage):
        return [types.ImageContent(type="image", data=_encoded(output._repr_png_()), mime_type="image/png")]
    if isinstance(output, AgentAudio):
        path = Path(output.to_string())
        kind = {".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".flac": "audio/flac"}.get(path.suffix.lower(), "audio/wav")
        return [types.AudioContent(type="audio", data=_encoded(path.read_bytes()), mime_type=kind)]
    if isinstance(output, (list, tuple)) and any(_is_media(each) for each in output):
        return [piece for each in output for piece in _content(each)]
    if isinstance(output, str):
        text = str(output)
    else:
        plain = make_json_serializable(output)
        text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    return [types.TextContent(type="text", text=text)]


def _is_media(value: Any) -> bool:
    return isinstance(handle_agent_output_types(value), (AgentImage, AgentAudio))


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
