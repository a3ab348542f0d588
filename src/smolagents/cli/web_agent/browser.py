"""A browser that an agent drives: started when it is needed, started anew when it crashed, always ended."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import urlsplit

from typing_extensions import Self

from smolagents.cli.web_agent.domains import check_address, is_allowed, refusal
from smolagents.cli.web_agent.errors import BrowserError
from smolagents.cli.web_agent.guard import Guard, await_end, process_of
from smolagents.cli.web_agent.launch import BrowserSettings, launch, load_helium, prepare

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

__all__ = ["Browser", "current_browser"]

T = TypeVar("T")

_MOST_RESTARTS = 3
_REMOVAL_SECONDS = 5.0
_GONE = (
    "disconnected",
    "chrome not reachable",
    "invalid session id",
    "no such window",
    "session deleted",
    "tab crashed",
    "target window already closed",
)
_turn = threading.RLock()
"""Helium keeps one driver for the whole process, so browsers take turns."""
_open: set[Browser] = set()


class Browser:
    """Chrome or Chromium, driven by helium and Selenium. Safe to use from several threads, which take turns.

    It starts when it is first used, with a profile of its own: no cookies, no history, no passwords. When it crashes,
    it is started anew, up to three times, on the page where it was.

    Args:
        settings: How it is started.
    """

    def __init__(self, settings: BrowserSettings | None = None) -> None:
        self.settings = settings or BrowserSettings()
        self._driver: WebDriver | None = None
        self._guard: Guard | None = None
        self._profile: str | None = None
        self._restarts = 0
        self._last_url: str | None = None

    @property
    def is_started(self) -> bool:
        """Whether there is a browser now."""
        return self._driver is not None

    def start(self) -> WebDriver:
        """Start the browser if it is not there, and let helium use it.

        Raises:
            BrowserError: it cannot be started.
            MissingExtraError: helium or selenium is not installed.
        """
        helium = load_helium()
        with _turn:
            if self._driver is None:
                _close_all_at_exit()
                self._profile = tempfile.mkdtemp(prefix="smolagents-browser-")
                try:
                    self._driver = launch(self.settings, self._profile)
                    self._guard = Guard(self._driver.service.process.pid, self._profile)
                    prepare(self._driver)
                except BaseException:
                    self.close()
                    raise
                _open.add(self)
            current = helium.get_driver()
            if current is None or current.session_id != self._driver.session_id:
                helium.set_driver(self._driver)
            return self._driver

    def close(self) -> None:
        """End the browser and remove its profile. Does nothing where there is none."""
        with _turn:
            driver, self._driver = self._driver, None
            guard, self._guard = self._guard, None
            profile, self._profile = self._profile, None
            try:
                if driver is not None:
                    _open.discard(self)
                    chrome = process_of(profile)
                    _end(driver)
                    if chrome is not None:
                        await_end(chrome)  # or it writes into the profile once more
            finally:
                if guard is not None:
                    guard.release()
                if profile is not None:
                    _remove(profile)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def act(self, action: Callable[[WebDriver], T]) -> T:
        """Do something with the browser, as the only one.

        Args:
            action: Called with Selenium's driver, which is then helium's as well.

        Raises:
            BrowserError: the browser refused, cannot be started, or crashed. In the last case it runs again.
        """
        from selenium.common.exceptions import NoSuchWindowException, WebDriverException
        from urllib3.exceptions import HTTPError

        with _turn:
            driver = self.start()
            try:
                return action(driver)
            except (WebDriverException, HTTPError, ConnectionError) as error:
                if isinstance(error, WebDriverException) and not _is_gone(error):
                    raise BrowserError(_first_line(error)) from error
                if isinstance(error, NoSuchWindowException) and _switch_to_another(driver):
                    raise BrowserError("The window was closed; another one is in use now: look at it.") from error
                self._restart(error)

    def _restart(self, cause: Exception) -> NoReturn:
        self.close()
        if self._restarts >= _MOST_RESTARTS:
            raise BrowserError(
                f"The browser crashed again ({_first_line(cause)}), and was started anew {_MOST_RESTARTS} times already: "
                "go on without it."
            ) from cause
        self._restarts += 1
        driver = self.start()
        where = "on an empty page"
        if self._last_url is not None:
            with contextlib.suppress(Exception):
                driver.get(self._last_url)
                where = f"at {self._last_url}"
        raise BrowserError(
            f"The browser crashed and was started anew {where}. Cookies and what was typed are lost: look at the page "
            "and go on from there."
        ) from cause

    def go_to(self, url: str) -> None:
        """Open a page.

        Args:
            url: Its address; https is assumed where it has no scheme.

        Raises:
            BrowserError: it is not an http or https address, not allowed, or cannot be reached.
        """
        from selenium.common.exceptions import TimeoutException, WebDriverException

        address = check_address(url, self.settings.allowed_domains)

        def load(driver: WebDriver) -> None:
            try:
                driver.get(address)
            except TimeoutException:
                driver.execute_script("window.stop()")  # what has come of a slow page may do
            except WebDriverException as error:
                if "net::ERR_ABORTED" in (error.msg or ""):  # the address is a file, which is being saved
                    return
                if "net::ERR_" not in (error.msg or ""):
                    raise
                self._leave_refused(driver)
                reason = (error.msg or "").partition("net::")[2].split()[0]
                raise BrowserError(
                    f"{address} cannot be reached ({reason}): check the address, or try another."
                ) from error

        self.act(load)

    def where(self) -> str:
        """The page that is open, in words.

        Raises:
            BrowserError: it could not be loaded. If its host is not allowed, the page before is open again.
        """
        return self.act(self._where)

    def _where(self, driver: WebDriver) -> str:
        href, title = driver.execute_script("return [location.href, document.title]")
        if href.startswith("chrome-error:"):
            self._leave_refused(driver)
            raise BrowserError(f"{driver.current_url} could not be loaded: go back, or try another page.")
        if href.startswith("http"):
            self._last_url = href
        return f"Current page: {title or '(no title)'} at {href}"

    def _leave_refused(self, driver: WebDriver) -> None:
        """Where the browser was led to a host that is not allowed, go back and say so."""
        host = urlsplit(driver.current_url).hostname
        if host is not None and not is_allowed(host, self.settings.allowed_domains):
            _go_back(driver)
            raise BrowserError(refusal(host, self.settings.allowed_domains))


def current_browser() -> Browser | None:
    """The browser that helium uses now, if it was started here."""
    helium: Any = sys.modules.get("helium")
    driver = None if helium is None else helium.get_driver()
    return next((browser for browser in _open if driver is not None and browser._driver is driver), None)


def _is_gone(error: Exception) -> bool:
    text = str(error).lower()
    return any(phrase in text for phrase in _GONE)


def _switch_to_another(driver: WebDriver) -> bool:
    with contextlib.suppress(Exception):
        driver.switch_to.window(driver.window_handles[-1])
        return True
    return False


def _go_back(driver: WebDriver) -> None:
    """Leave a page for the one before, which is in the other window where this one was opened for it."""
    if len(driver.window_handles) > 1 and driver.execute_script("return history.length") == 1:
        driver.close()
        _switch_to_another(driver)
    else:
        driver.back()


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "msg", None) or error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__


def _end(driver: WebDriver) -> None:
    helium = load_helium()
    current = helium.get_driver()
    process = driver.service.process
    try:
        with contextlib.suppress(Exception):  # whatever it says, it is killed next
            if current is not None and current.session_id == driver.session_id:
                helium.kill_browser()  # so that helium knows of it
            else:
                driver.quit()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _remove(profile: str) -> None:
    """Remove a profile. Processes of a browser that is at its end may write into it meanwhile."""
    until = time.monotonic() + _REMOVAL_SECONDS
    while True:
        shutil.rmtree(profile, ignore_errors=True)
        if not os.path.exists(profile) or time.monotonic() > until:
            return
        time.sleep(0.05)


_at_exit = False


def _close_all_at_exit() -> None:
    global _at_exit  # noqa: PLW0603 - registered once for the process
    if not _at_exit:
        _at_exit = True
        atexit.register(_close_all)


def _close_all() -> None:
    for browser in list(_open):
        browser.close()
