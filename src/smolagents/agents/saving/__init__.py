"""Saving agents, loading them, and sharing them on the Hugging Face Hub.

    agent <-> dictionary       representation, with tools, models and settings
    dictionary <-> folder      folder, with app and requirements
    folder <-> Hub             hub

A dictionary or folder written by an earlier version passes through `migrations` first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports

if TYPE_CHECKING:
    from smolagents.agents.saving.app import create_agent_gradio_app_template
    from smolagents.agents.saving.hub import from_hub
    from smolagents.agents.saving.migrations import SCHEMA_VERSION
    from smolagents.agents.saving.mixin import ShareableAgent

__all__ = ["SCHEMA_VERSION", "ShareableAgent", "create_agent_gradio_app_template", "from_hub"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "SCHEMA_VERSION": "smolagents.agents.saving.migrations",
        "ShareableAgent": "smolagents.agents.saving.mixin",
        "create_agent_gradio_app_template": "smolagents.agents.saving.app",
        "from_hub": "smolagents.agents.saving.hub",
    },
)
