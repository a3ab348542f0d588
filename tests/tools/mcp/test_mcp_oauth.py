"""Servers that ask who you are, by OAuth: the SDK's client and the SDK's authorization server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smolagents import MCPClient
from smolagents.mcp_client import MCPConnectionError
from support.mcp_hosts import HttpServer
from support.mcp_oauth import Authority, Storage, make_guarded_server, user_who_agrees

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def guarded() -> Iterator[Callable[[Authority], str]]:
    hosts: list[HttpServer] = []

    def start(authority: Authority) -> str:
        hosts.append(
            HttpServer(lambda url: make_guarded_server(url, authority).streamable_http_app(), "/mcp", with_url=True)
        )
        return hosts[-1].url

    yield start
    for host in hosts:
        host.stop()


def test_the_user_is_asked_once_and_tokens_are_kept(guarded: Any) -> None:
    authority, storage = Authority(), Storage()
    url = guarded(authority)
    for _ in range(2):
        with MCPClient({"url": url, "auth": user_who_agrees(url, storage)}) as tools:
            assert tools[0]() == "the cat is in"
    assert authority.log == ["registered", "authorized", "exchanged"]
    assert storage.tokens is not None
    assert storage.tokens.access_token in authority.access


def test_a_token_that_ran_out_is_renewed_while_connected(guarded: Any) -> None:
    authority, storage = Authority(), Storage()
    url = guarded(authority)
    auth = user_who_agrees(url, storage)
    with MCPClient({"url": url, "auth": auth}) as tools:
        first = storage.tokens
        assert tools[0]() == "the cat is in"
        auth.context.token_expiry_time = 1.0  # long ago
        assert tools[0]() == "the cat is in"
    assert storage.tokens != first
    assert authority.log == ["registered", "authorized", "exchanged", "refreshed"]


def test_without_credentials_the_error_says_what_to_give(guarded: Any) -> None:
    url = guarded(Authority())
    with pytest.raises(MCPConnectionError, match=r'HTTP 401.*Give "headers" or "auth"'):
        MCPClient(url)
    with pytest.raises(MCPConnectionError, match=r'HTTP 401.*Check "headers" or "auth"'):
        MCPClient({"url": url, "auth": "a token of somebody else"})


def test_a_user_who_does_not_agree_is_told_of(guarded: Any) -> None:
    authority = Authority()
    url = guarded(authority)
    auth = user_who_agrees(url, Storage())

    async def gives_up() -> Any:
        raise RuntimeError("the user closed the window")

    auth.context.callback_handler = gives_up
    with pytest.raises(MCPConnectionError, match='"auth" failed: RuntimeError: the user closed the window'):
        MCPClient({"url": url, "auth": auth})


def test_a_user_who_takes_too_long_is_told_of(guarded: Any) -> None:
    url = guarded(Authority())
    auth = user_who_agrees(url, Storage())

    async def thinks() -> Any:
        await asyncio.sleep(60)

    auth.context.callback_handler = thinks
    with pytest.raises(MCPConnectionError, match="give who logs in longer with connect_timeout="):
        MCPClient({"url": url, "auth": auth}, connect_timeout=2)
