"""A headless Chromium, driven by selenium, for tests of what a user sees.

    with chromium() as driver:
        driver.get(address)
        button = wait_for(driver, lambda: visible(driver, "button.send"))
        on_a_phone(driver)
        driver.save_screenshot("phone.png")

Waits are for something to be so, never for a time to pass.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

T = TypeVar("T")

PHONE = (390, 844)
"""Width and height of the screen of a common phone, in CSS pixels."""


def installed() -> tuple[str, str]:
    """Paths of the browser and of its driver. Without them, the test is skipped, or fails in CI."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        reason = "there is no Chromium with its driver here: apt-get install chromium chromium-driver"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return browser, driver


@contextlib.contextmanager
def chromium(
    *, width: int = 1280, height: int = 900, downloads: Path | None = None, arguments: Sequence[str] = ()
) -> Iterator[WebDriver]:
    """A browser with a profile of its own: no cookie or cache is shared with another.

    Args:
        width: Of the window, in CSS pixels.
        height: Of the window, in CSS pixels.
        downloads: Where files that the page offers are saved.
        arguments: More arguments for Chromium.
    """
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    browser, driver_path = installed()
    options = ChromeOptions()
    options.binary_location = browser
    for argument in (
        "--headless=new",
        "--no-sandbox",  # tests run as root in containers, where Chromium refuses its own sandbox
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        "--hide-scrollbars",
        f"--window-size={width},{height}",
        *arguments,
    ):
        options.add_argument(argument)
    if downloads is not None:
        options.add_experimental_option(
            "prefs", {"download.default_directory": str(downloads), "download.prompt_for_download": False}
        )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(driver_path))
    try:
        driver.set_page_load_timeout(60)
        driver.set_script_timeout(30)
        yield driver
    finally:
        driver.quit()


def wait_for(driver: WebDriver, condition: Callable[[], T], seconds: float = 20) -> T:
    """Wait until `condition` returns something true, and return that.

    What is not there yet, or was replaced while it was looked at, counts as false. When the time is over, the failure
    shows what is on the page.
    """
    from selenium.common.exceptions import (
        ElementClickInterceptedException,
        ElementNotInteractableException,
        NoSuchElementException,
        StaleElementReferenceException,
        TimeoutException,
    )
    from selenium.webdriver.support.ui import WebDriverWait

    passing = (
        NoSuchElementException,
        StaleElementReferenceException,
        ElementNotInteractableException,
        ElementClickInterceptedException,
        IndexError,
    )
    try:
        return WebDriverWait(driver, seconds, poll_frequency=0.05, ignored_exceptions=passing).until(
            lambda _: condition()
        )
    except TimeoutException:
        shown = driver.find_element("css selector", "body").text
        raise AssertionError(f"not so within {seconds} s; the page shows:\n{shown}") from None


def visible(driver: WebDriver, selector: str) -> WebElement | None:
    """The first visible element for a CSS selector; None if there is none."""
    found = driver.find_elements("css selector", selector)
    return next((element for element in found if element.is_displayed()), None)


def page_text(driver: WebDriver) -> str:
    """All text that is shown."""
    return str(driver.find_element("css selector", "body").text)


def on_a_phone(driver: WebDriver, size: tuple[int, int] = PHONE) -> None:
    """Make the page as small as a phone's screen: narrower than a window of Chromium can be."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": size[1], "deviceScaleFactor": 2, "mobile": True},
    )


def console_errors(driver: WebDriver) -> list[dict[str, Any]]:
    """What the page's console has reported as errors since this was last asked."""
    return [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
