"""The browser's tools, as an agent calls them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from smolagents.cli.web_agent import page, scripts
from smolagents.cli.web_agent.browser import Browser
from smolagents.cli.web_agent.launch import load_helium
from smolagents.tools import tool

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

    from smolagents.tools.base import Tool

__all__ = ["HELIUM_NAMES", "browser_tools"]

HELIUM_NAMES = frozenset({"go_to", "click", "write", "select", "press", "scroll_down", "scroll_up"})
"""Tools that are named like functions of helium, and do what those do."""

_ALOUD = 1500


def browser_tools(browser: Browser, *, read_aloud: bool = False) -> list[Tool]:
    """Tools that drive a browser. Each returns what it did and which page is open now.

    Args:
        browser: The browser.
        read_aloud: Whether they return the beginning of the page as well, for a model that sees no screenshots.
    """
    folder = browser.settings.downloads

    def do(action: Callable[[WebDriver], Any], done: str) -> str:
        """Act, wait for what the page makes of it, and say what happened."""
        files = page.finished_files(folder)
        browser.act(action)
        browser.act(page.settle)
        saved = "".join(f" Saved {path}." for path in sorted(page.finished_files(folder) - files))
        seen = f"{done}{saved} {browser.where()}"
        if read_aloud and browser.act(page.is_open):
            seen += f"\n{browser.act(partial(page.read, characters=_ALOUD))}"
        return seen

    @tool
    def go_to(url: str) -> str:
        """Opens a web page.

        Args:
            url: Its address, such as https://example.com/page.
        """
        browser.go_to(url)
        return do(lambda _: None, "Opened.")

    @tool
    def click(text: str, nth_result: int = 1) -> str:
        """Clicks a button, a link or anything else by the text that it shows.

        Args:
            text: The text, or its beginning, as it is on the page.
            nth_result: Which one to click, if several show this text.
        """
        return do(lambda driver: page.click_text(driver, text, nth_result), f"Clicked {text!r}.")

    @tool
    def write(text: str, into: str | None = None, press_enter: bool = False) -> str:
        """Types text into a field.

        Args:
            text: What to type. It takes the place of what the field holds.
            into: Label, placeholder or name of the field; the field that was clicked last by default.
            press_enter: Whether to press Enter afterwards, as to start a search.
        """

        def action(driver: WebDriver) -> None:
            page.type_text(driver, text, into)
            if press_enter:
                page.press_key(driver, "enter")

        return do(action, f"Typed {text!r}.")

    @tool
    def select(option: str, field: str) -> str:
        """Chooses an option of a list, such as a size.

        Args:
            option: Text of the option.
            field: Label or name of the list.
        """
        return do(lambda driver: page.select_option(driver, option, field), f"Chose {option!r}.")

    @tool
    def press(key: str) -> str:
        """Presses a key: enter, escape, tab, backspace, page down, arrow down and the like.

        Args:
            key: Name of the key.
        """
        return do(lambda driver: page.press_key(driver, key), f"Pressed {key}.")

    @tool
    def scroll_down(num_pixels: int = 1200) -> str:
        """Scrolls down.

        Args:
            num_pixels: How far; the window shows 1200 pixels or so.
        """
        return _scroll(num_pixels)

    @tool
    def scroll_up(num_pixels: int = 1200) -> str:
        """Scrolls up.

        Args:
            num_pixels: How far; the window shows 1200 pixels or so.
        """
        return _scroll(-num_pixels)

    def _scroll(pixels: int) -> str:
        def action(driver: WebDriver) -> Any:
            helium = load_helium()

            helium.scroll_down(pixels) if pixels >= 0 else helium.scroll_up(-pixels)
            return driver.execute_script(
                "return [scrollY, scrollY + innerHeight, document.documentElement.scrollHeight].map(Math.round)"
            )

        top, bottom, height = browser.act(action)
        return f"The window shows pixels {top} to {min(bottom, height)} of {height}. {browser.where()}"

    @tool
    def go_back() -> str:
        """Goes back to the page before."""
        return do(lambda driver: driver.back(), "Went back.")

    @tool
    def close_popups() -> str:
        """Closes pop-ups such as those that ask about cookies. Where it can, it refuses rather than accepts."""
        clicked = browser.act(page.close_popups)
        done = f"Clicked {', '.join(map(repr, clicked))}." if clicked else "There was no pop-up with a known button."
        return do(lambda _: None, done)

    @tool
    def search_item_ctrl_f(text: str, nth_result: int = 1) -> str:
        """Searches the open page for a text, as Ctrl+F does, and jumps to it.

        Args:
            text: The text.
            nth_result: Which occurrence to jump to.
        """
        count = browser.act(lambda driver: page.jump_to_text(driver, text, nth_result))
        return f"Found {text!r} {count} time{'s' * (count > 1)}; the window shows number {nth_result}."

    @tool
    def read_page(part: int = 1) -> str:
        """Reads the open page: its text, what can be clicked, and its fields.

        Args:
            part: Which part of a long page.
        """
        text = browser.act(lambda driver: page.read(driver, part))
        return f"{browser.where()}\n{text}"

    @tool
    def download(what: str) -> str:
        """Saves a file and tells where it is.

        Args:
            what: The text of the link or button that leads to the file, or the file's address.
        """

        def begin(driver: WebDriver) -> None:
            if what.strip().lower().startswith(("http://", "https://")):
                browser.go_to(what)
                return
            target = page.find(driver, what)
            if not driver.execute_script(scripts.SAVE_LINK, getattr(target, "web_element", target)):
                page.click_text(driver, what)

        saved = browser.act(lambda driver: page.save(lambda: begin(driver), folder))
        return f"Saved {saved} ({saved.stat().st_size:,} bytes). {browser.where()}"

    return [
        *(go_to, click, write, select, press, scroll_down, scroll_up),
        *(go_back, close_popups, search_item_ctrl_f, read_page, download),
    ]
