"""The documented path of the web agent: re-exports only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolagents._lazy import lazy_exports

if TYPE_CHECKING:
    from smolagents.cli.web_agent.agent import initialize_agent, initialize_driver
    from smolagents.cli.web_agent.browser import Browser
    from smolagents.cli.web_agent.command import main, parse_arguments, run_webagent
    from smolagents.cli.web_agent.errors import BrowserError
    from smolagents.cli.web_agent.launch import BrowserSettings
    from smolagents.cli.web_agent.screenshots import save_screenshot
    from smolagents.cli.web_agent.tools import browser_tools

__all__ = [
    "Browser",
    "BrowserError",
    "BrowserSettings",
    "browser_tools",
    "initialize_agent",
    "initialize_driver",
    "main",
    "parse_arguments",
    "run_webagent",
    "save_screenshot",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Browser": "smolagents.cli.web_agent.browser",
        "BrowserError": "smolagents.cli.web_agent.errors",
        "BrowserSettings": "smolagents.cli.web_agent.launch",
        "browser_tools": "smolagents.cli.web_agent.tools",
        "initialize_agent": "smolagents.cli.web_agent.agent",
        "initialize_driver": "smolagents.cli.web_agent.agent",
        "main": "smolagents.cli.web_agent.command",
        "parse_arguments": "smolagents.cli.web_agent.command",
        "run_webagent": "smolagents.cli.web_agent.command",
        "save_screenshot": "smolagents.cli.web_agent.screenshots",
    },
)
