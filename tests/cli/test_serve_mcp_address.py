"""Addresses where `smolagent serve-mcp` cannot listen."""

from __future__ import annotations

import socket

import pytest

from smolagents import ToolCallingAgent
from smolagents.cli.main import main
from smolagents.models import OpenAIModel


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    model = OpenAIModel("m", api_base="http://127.0.0.1:9/v1", api_key="x")
    ToolCallingAgent([], model, name="a", description="b").save(tmp_path / "agent")
    return str(tmp_path / "agent")


def serve(saved, *options):
    return main(["serve-mcp", saved, "--trust", "--transport", "streamable-http", *options])


def test_a_port_that_is_taken(saved, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert serve(saved, "--port", str(port)) == 2
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == (
        f"smolagent serve-mcp: port {port} of 127.0.0.1 is taken; choose another with --port"
    )
    assert "Serving" not in err


def test_a_host_that_is_not_there(saved, capsys):
    assert serve(saved, "--host", "no-such-host.invalid", "--token-env", "OPENAI_API_KEY") == 2
    assert "--host: 'no-such-host.invalid' is not known here" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_what_is_no_port(saved, capsys, port):
    with pytest.raises(SystemExit) as left:
        serve(saved, f"--port={port}")
    assert left.value.code == 2
    assert f"{port!r} is not a port" in capsys.readouterr().err
