"""`ToolCollection`: tools that are loaded together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smolagents.tools.base import Tool

__all__ = ["ToolCollection"]


class ToolCollection:
    """Tools that are loaded together, to be given to an agent: `tools=[*collection.tools]`.

    Args:
        tools: The tools.
    """

    def __init__(self, tools: list[Tool]) -> None:
        self.tools = tools

    @classmethod
    def from_hub(
        cls, collection_slug: str, token: str | None = None, trust_remote_code: bool = False
    ) -> ToolCollection:
        """Load the tools of all Spaces in a collection of the Hugging Face Hub. This runs their code on your machine.

        Args:
            collection_slug: The collection, as its address ends: "user/title-0123456789abcdef01234567".
            token: Token for the Hub; by default the one you logged in with.
            trust_remote_code: True to say that you have read the code and let it run.

        Raises:
            ValueError: `trust_remote_code` is not True, with what would be loaded; the collection has no Spaces; or
                there is no such collection.
        """
        from huggingface_hub import get_collection
        from huggingface_hub.errors import HfHubHTTPError

        from smolagents.tools.base import Tool

        try:
            collection = get_collection(collection_slug, token=token)
        except HfHubHTTPError as error:
            raise ValueError(
                f"the collection {collection_slug!r} cannot be read from the Hub: {error}. Give the end of its address, "
                "and a token= if it is private."
            ) from error
        spaces = list(dict.fromkeys(item.item_id for item in collection.items if item.item_type == "space"))
        if not spaces:
            raise ValueError(f"the collection {collection_slug!r} has no Spaces, and tools are Spaces")
        if not trust_remote_code:
            raise ValueError(
                f"Loading the collection {collection_slug!r} runs the code of these Spaces on your machine: "
                f"{', '.join(spaces)}. Read it, then pass trust_remote_code=True."
            )
        return cls([Tool.from_hub(space, token=token, trust_remote_code=True) for space in spaces])

    @classmethod
    @contextmanager
    def from_mcp(
        cls,
        server_parameters: Any,
        trust_remote_code: bool = False,
        structured_output: bool | None = None,
        **options: Any,
    ) -> Iterator[ToolCollection]:
        """The tools of one or several MCP servers, as long as the block lasts.

            with ToolCollection.from_mcp({"url": "http://127.0.0.1:8000/mcp"}, trust_remote_code=True) as collection:
                agent = CodeAgent(tools=[*collection.tools], model=model)

        Args:
            server_parameters: The servers; see `MCPClient`.
            trust_remote_code: True to say that you trust the servers: those that are started run on your machine, and
                all may be sent whatever the agent knows.
            structured_output: Whether tools return structured content; see `MCPClient`.
            **options: As for `MCPClient`.

        Raises:
            ValueError: `trust_remote_code` is not True, with what would run.
            MCPConnectionError: no server could be connected to.
        """
        from smolagents.tools.mcp.client import MCPClient
        from smolagents.tools.mcp.servers import read_servers

        if not trust_remote_code:
            servers = read_servers(server_parameters)
            programs = [server.address for server in servers if server.transport == "stdio"]
            others = [server.address for server in servers if server.transport != "stdio"]
            says = [f"runs on your machine: {', '.join(programs)}"] if programs else []
            says += [f"lets the agent send data to: {', '.join(others)}"] if others else []
            raise ValueError(
                f"Loading the tools of these MCP servers {'; and it '.join(says)}. "
                "If you trust them, pass trust_remote_code=True."
            )
        client = MCPClient(server_parameters, structured_output=structured_output, **options)
        with client as tools:
            yield cls(tools)
