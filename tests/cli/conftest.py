"""A scripted model behind a server, for the command to talk to."""

from __future__ import annotations

import os

import pytest

from support.scripted_server import ScriptedServer


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No key, no model and no cache of the person who runs the tests; plain text on the standard output."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "HF_", "HUGGING", "SMOLAGENTS_")) or name in ("FORCE_COLOR", "NO_COLOR", "CI"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("SMOLAGENTS_CACHE", str(tmp_path / "cache"))
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
