"""Screenshots in the agent's observations."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from smolagents._imports import require
from smolagents.cli.web_agent import page
from smolagents.cli.web_agent.browser import Browser, current_browser
from smolagents.memory import ActionStep

if TYPE_CHECKING:
    import PIL.Image
    from selenium.webdriver.chrome.webdriver import WebDriver

    from smolagents.agents import MultiStepAgent

__all__ = ["KEPT_SCREENSHOTS", "save_screenshot"]

KEPT_SCREENSHOTS = 2
"""Steps whose screenshots stay in memory: the latest two, so that the model sees what its last action changed."""


def save_screenshot(memory_step: ActionStep, agent: MultiStepAgent, *, browser: Browser | None = None) -> None:
    """Add a screenshot and the page's address to a step, and drop the screenshots of older steps. A step callback.

    Where no browser has been started it does nothing; where the screenshot fails, the step says why. It does not
    raise, so that a lost browser does not end the run.

    Args:
        memory_step: The step that has just been taken.
        agent: The agent that took it.
        browser: The browser; the one that helium uses by default, whoever started it.
    """
    for step in agent.memory.steps:
        if isinstance(step, ActionStep) and step.step_number <= memory_step.step_number - KEPT_SCREENSHOTS:
            step.observations_images = None
    browser = browser or current_browser()
    helium: Any = sys.modules.get("helium")
    driver = None if helium is None else helium.get_driver()
    if not (driver if browser is None else browser.is_started):
        return
    try:
        image, seen = browser.act(_look) if browser is not None else _look(driver)  # type: ignore[arg-type]
        memory_step.observations_images = [image]
    except Exception as error:
        seen = f"There is no screenshot: {error}"
    memory_step.observations = f"{memory_step.observations or ''}\n{seen}".strip()


def _look(driver: WebDriver) -> tuple[PIL.Image.Image, str]:
    from io import BytesIO

    image_module = require("PIL.Image", extra="vision", needed_for="screenshots")
    page.settle(driver)
    image: PIL.Image.Image = image_module.open(BytesIO(driver.get_screenshot_as_png()))
    image.load()
    return image, f"Current url: {driver.current_url}"
