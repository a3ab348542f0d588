"""Starting Chrome or Chromium."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolagents._imports import require
from smolagents.cli.web_agent.domains import parse_domains, resolver_rules
from smolagents.cli.web_agent.errors import BrowserError

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

__all__ = ["BrowserSettings", "find_browser", "has_display", "is_root", "launch", "load_helium", "prepare"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_INSTALL = "On Debian and Ubuntu: apt-get install chromium chromium-driver"
_START_OPTION = "browserStartupTimeout"
_START_SECONDS = 20  # the driver's own limit is 60, also where the browser has ended long ago
_PAGE_LOAD_SECONDS = 30
_SCRIPT_SECONDS = 15


@dataclass(frozen=True, kw_only=True)
class BrowserSettings:
    """How a browser is started.

    Raises:
        ValueError: an allowed domain is no domain, or the list of them is empty.
    """

    headless: bool | None = None
    """Whether the browser runs without a window; None for that only where there is no display."""
    allowed_domains: Sequence[str] | None = None
    """Domains that the browser may reach, with their subdomains; None for all."""
    download_folder: str | os.PathLike[str] = "downloads"
    """Where files are saved. It is made when the first one comes."""
    browser_path: str | None = None
    """The browser; None to look for Chromium and Chrome in the usual places."""
    driver_path: str | None = None
    """Its chromedriver; None for the one on PATH, else Selenium fetches one that fits."""
    window_size: tuple[int, int] = (1000, 1350)
    """Width and height in pixels, and so of the screenshots."""

    def __post_init__(self) -> None:
        if self.allowed_domains is not None:
            object.__setattr__(self, "allowed_domains", parse_domains(self.allowed_domains))

    @property
    def downloads(self) -> Path:
        """The folder for downloads, as an absolute path."""
        return Path(self.download_folder).expanduser().absolute()


def load_helium() -> Any:
    """The module helium.

    Raises:
        MissingExtraError: it is not installed.
    """
    return require("helium", extra="vision", needed_for="the web agent")


def has_display() -> bool:
    """Whether a window can be shown."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def find_browser(path: str | None = None) -> str:
    """The path of the browser.

    Raises:
        BrowserError: there is none.
    """
    if path is not None:
        found = shutil.which(os.path.expanduser(path))
        if found is None:
            raise BrowserError(f"there is no browser at {path!r}: give the path of Chrome's or Chromium's program.")
        return found
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    for candidate in _usual_places():
        if candidate.is_file():
            return str(candidate)
    raise BrowserError(f"neither Chrome nor Chromium was found: install one, or give its path. {_INSTALL}.")


def _usual_places(platform: str = sys.platform) -> Iterator[Path]:
    if platform == "darwin":
        for name in ("Google Chrome", "Chromium"):
            yield Path(f"/Applications/{name}.app/Contents/MacOS/{name}")
    elif platform == "win32":
        for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
            if root := os.environ.get(variable):
                yield Path(root, "Google", "Chrome", "Application", "chrome.exe")


def launch(settings: BrowserSettings, profile: str) -> WebDriver:
    """Start a browser.

    Args:
        settings: How.
        profile: A private folder for the browser's data.

    Raises:
        BrowserError: it cannot be started.
        MissingExtraError: selenium is not installed.
    """
    webdriver = require("selenium.webdriver", extra="vision", needed_for="the web agent")
    from selenium.common.exceptions import NoSuchDriverException, WebDriverException
    from selenium.webdriver.chrome.service import Service

    browser = find_browser(settings.browser_path)
    headless = not has_display() if settings.headless is None else settings.headless
    if not headless and not has_display():
        raise BrowserError("there is no display to show the browser on: set DISPLAY, or run it headless (--headless).")
    options = _options(webdriver.ChromeOptions(), settings, browser, profile, headless)
    known = settings.driver_path or shutil.which("chromedriver")
    if settings.driver_path is not None and shutil.which(settings.driver_path) is None:
        raise BrowserError(f"there is no chromedriver at {settings.driver_path!r}.")

    def start(path: str | None) -> WebDriver:
        # A session of its own: Ctrl-C is for this process, which then ends the browser in good order.
        service = Service(path, log_output=subprocess.DEVNULL, popen_kw={"start_new_session": os.name == "posix"})
        try:
            driver: WebDriver = webdriver.Chrome(options=options, service=service)
        except BaseException:  # Selenium itself stops the service on an Exception only
            with contextlib.suppress(Exception):
                service.stop()
            raise
        return driver

    try:
        try:
            driver = start(known)
        except WebDriverException as error:
            if _START_OPTION in str(error):  # an older driver does not know it
                del options.experimental_options[_START_OPTION]
                driver = start(known)
            elif settings.driver_path is None and known is not None and "only supports Chrome version" in str(error):
                driver = start(None)
            else:
                raise
    except NoSuchDriverException as error:
        raise BrowserError(
            f"there is no chromedriver for {browser}, and none could be fetched: install it, or give its path "
            f"(--chromedriver). {_INSTALL}."
        ) from error
    except (WebDriverException, OSError) as error:
        raise BrowserError(f"{browser} did not start: {_reason(error)}") from error
    return driver


def prepare(driver: WebDriver) -> None:
    """Set the time that pages and scripts have, and open an empty page."""
    driver.set_page_load_timeout(_PAGE_LOAD_SECONDS)
    driver.set_script_timeout(_SCRIPT_SECONDS)
    driver.get("about:blank")  # in place of a new tab's page, which talks to its maker


def _options(options: Any, settings: BrowserSettings, browser: str, profile: str, headless: bool) -> Any:
    options.binary_location = browser
    width, height = settings.window_size
    arguments = [
        f"--user-data-dir={profile}",
        "--remote-debugging-pipe",  # no open port, and Chrome ends when its driver does
        f"--window-size={width},{height}",
        "--force-device-scale-factor=1",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-search-engine-choice-screen",
        "--disable-background-networking",
    ]
    if headless:
        arguments.append("--headless=new")
    if sys.platform.startswith("linux"):
        arguments.append("--disable-dev-shm-usage")  # in a container, /dev/shm has 64 MB, and pages crash
    if is_root():
        arguments.append("--no-sandbox")  # Chrome's own sandbox refuses to work for root
    if settings.allowed_domains:
        arguments += [
            f"--host-resolver-rules={resolver_rules(settings.allowed_domains)}",
            # A call between browsers needs no name to be resolved.
            "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
        ]
    for argument in arguments:
        options.add_argument(argument)
    options.add_experimental_option(
        "prefs",
        {
            "download.default_directory": str(settings.downloads),
            "download.prompt_for_download": False,
            "plugins.always_open_pdf_externally": True,
            "credentials_enable_service": False,
            "profile.default_content_setting_values.notifications": 2,
            # Without asking, which nobody would answer: a page's second file would never come.
            "profile.default_content_setting_values.automatic_downloads": 1,
        },
    )
    options.add_experimental_option(_START_OPTION, _START_SECONDS * 1000)
    options.unhandled_prompt_behavior = "dismiss"
    return options


def is_root() -> bool:
    """Whether this process runs as root, for whom Chrome has no sandbox."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _reason(error: Exception) -> str:
    text = getattr(error, "msg", None) or str(error)
    text = " ".join(text.partition("Stacktrace:")[0].partition("; For documentation")[0].split())
    if "DevToolsActivePort" in text or "crashed" in text or "failed to start" in text:
        text += (
            " Start it by hand to see why. In a container, Chrome's own sandbox needs user namespaces to be allowed."
        )
    return text[:600]
