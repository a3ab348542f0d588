"""What can be done with a page: found, clicked, filled in, read, closed, saved.

The functions use helium, whose driver must be the browser's: call them through `Browser.act`.
"""

from __future__ import annotations

import contextlib
import difflib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smolagents.cli.web_agent import scripts
from smolagents.cli.web_agent.errors import BrowserError
from smolagents.cli.web_agent.launch import load_helium
from smolagents.tools.interruption import interruptible_sleep

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

__all__ = [
    "KEYS",
    "click_text",
    "close_popups",
    "find",
    "finished_files",
    "is_open",
    "jump_to_text",
    "press_key",
    "read",
    "save",
    "select_option",
    "settle",
    "type_text",
]

_PATIENCE_SECONDS = 1.5
_SAVE_SECONDS = 60.0
_FILE_BEGINS_SECONDS = 6.0

KEYS = {
    name: name.upper().replace(" ", "_")
    for name in (
        *("enter", "escape", "tab", "backspace", "delete", "space", "home", "end"),
        *("page up", "page down", "arrow up", "arrow down", "arrow left", "arrow right"),
    )
}
"""The keys that can be pressed, with Selenium's names for them."""

_CROSSES = ("\u00d7", "\u2715", "\u2716")
_REFUSE = (
    *("reject all", "reject", "decline all", "decline", "refuse", "only necessary", "necessary only", "no thanks"),
    *("no, thanks", "not now", "maybe later", "later", "skip", "dismiss", "close", "x", *_CROSSES),
    *("continue without accepting", "continuer sans accepter", "tout refuser", "refuser", "fermer", "non merci"),
    *("alle ablehnen", "ablehnen", "nur notwendige", "schließen", "nein danke"),
    *("rechazar todo", "rechazar", "cerrar", "rifiuta tutto", "rifiuta", "chiudi"),
)
_ACCEPT = (
    *("accept all", "accept", "agree", "i agree", "allow all", "got it", "ok", "okay", "understood"),
    *("tout accepter", "accepter", "j'accepte", "alle akzeptieren", "akzeptieren", "zustimmen"),
    *("aceptar todo", "aceptar", "accetta tutto", "accetta"),
)


def _until_found(find: Callable[[], Any]) -> Any:
    """Look until there is something, since pages add to themselves; None when it takes too long."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        found = find()
        if found or time.monotonic() > deadline:
            return found or None
        interruptible_sleep(0.15)


def _elements(text: str) -> list[Any]:
    """What shows `text`: exactly before in part, buttons and links before plain text."""
    from selenium.common.exceptions import StaleElementReferenceException

    helium = load_helium()
    wanted = text.strip().casefold()
    exact: dict[str, Any] = {}
    partly: dict[str, Any] = {}
    for kind in (helium.Button, helium.Link, helium.CheckBox, helium.RadioButton, helium.Text):
        try:
            for element in helium.find_all(kind(text.strip())):
                web_element = element.web_element
                if web_element.is_displayed():
                    shown = " ".join((web_element.text or "").split()).casefold()
                    (exact if shown == wanted else partly).setdefault(web_element.id, element)
        except StaleElementReferenceException:  # the page is changing: what is gone need not be found
            continue
    return list({**exact, **{key: element for key, element in partly.items() if key not in exact}}.values())


def find(driver: WebDriver, text: str, nth: int = 1) -> Any:
    """What shows a text: an element of helium's or of Selenium's.

    Raises:
        BrowserError: nothing does, or not so often.
    """
    if not text.strip():
        raise BrowserError("Say the text of what to click; it is empty.")
    _check_open(driver)
    _check_nth(nth)
    found = _until_found(lambda: _elements(text))
    if found is None:
        found = driver.execute_script(scripts.FIND_TEXT, text)  # in the middle of a text
    if not found:
        raise BrowserError(f"Nothing on the page shows {text!r}. {_suggestions(driver, text)}")
    if nth > len(found):
        raise BrowserError(f"{text!r} is shown {len(found)} time{'s' * (len(found) > 1)}; there is no number {nth}.")
    return found[nth - 1]


def is_open(driver: WebDriver) -> bool:
    """Whether there is a page, rather than the empty one that a browser starts with."""
    return driver.current_url not in ("about:blank", "data:,")


def _check_open(driver: WebDriver) -> None:
    if not is_open(driver):
        raise BrowserError("No page is open yet: open one with go_to.")


def _check_nth(nth: int) -> None:
    if nth < 1:
        raise BrowserError(f"The first one is number 1; there is no number {nth}.")


def _suggestions(driver: WebDriver, text: str) -> str:
    texts = driver.execute_script(scripts.CLICKABLE_TEXTS, 200)
    near = difflib.get_close_matches(text, texts, 3, 0.5)
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    return f"Can be clicked: {', '.join(map(repr, texts[:30])) or 'nothing'}."


def click_text(driver: WebDriver, text: str, nth: int = 1) -> None:
    """Click what shows a text.

    Raises:
        BrowserError: nothing does, or something covers it.
    """
    from selenium.common.exceptions import WebDriverException

    target = find(driver, text, nth)
    covered = False
    with contextlib.suppress(WebDriverException):  # it may be in a frame, where it cannot be asked from here
        covered = driver.execute_script(scripts.COVERED, getattr(target, "web_element", target))
    if covered:
        raise BrowserError(f"Something covers {text!r}: close it first, perhaps with close_popups().")
    load_helium().click(target)  # follows into a window that opens


def type_text(driver: WebDriver, text: str, into: str | None = None) -> None:
    """Type into a field, in place of what it holds; without a field's name, where the cursor is.

    Raises:
        BrowserError: there is no such field, or the cursor is in none.
    """
    helium = load_helium()

    if into is None:
        if driver.switch_to.active_element.tag_name == "body":
            raise BrowserError("No field has the cursor: name the field with into=…, or click it first.")
        helium.write(text)
        return
    helium.write(text, into=_field(driver, into))


def _field(driver: WebDriver, name: str) -> Any:
    _check_open(driver)
    field = _until_found(lambda: driver.execute_script(scripts.FIELD, name))
    if field is None:
        names = ", ".join(map(repr, driver.execute_script(scripts.OVERVIEW)["fields"]))
        raise BrowserError(f"There is no field {name!r} on the page. Its fields: {names or 'none'}.")
    return field


def select_option(driver: WebDriver, option: str, field: str) -> None:
    """Choose an option of a list.

    Raises:
        BrowserError: there is no such list or option.
    """
    from selenium.common.exceptions import NoSuchElementException, UnexpectedTagNameException
    from selenium.webdriver.support.select import Select

    try:
        choices = Select(_field(driver, field))
        choices.select_by_visible_text(option)
    except UnexpectedTagNameException as error:
        raise BrowserError(f"{field!r} is no list of options: type into it instead.") from error
    except NoSuchElementException as error:
        options = ", ".join(repr(each.text) for each in choices.options[:40])
        raise BrowserError(f"{field!r} has no option {option!r}, but {options}.") from error


def press_key(driver: WebDriver, key: str) -> None:
    """Press a key.

    Raises:
        BrowserError: it is not in `KEYS`.
    """
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    name = key.strip().lower().replace("_", " ").replace("-", " ")
    if name not in KEYS:
        raise BrowserError(f"There is no key {key!r}; use one of {', '.join(KEYS)}.")
    ActionChains(driver).send_keys(getattr(Keys, KEYS[name])).perform()


def jump_to_text(driver: WebDriver, text: str, nth: int = 1) -> int:
    """Scroll to a text, and return how often it is there.

    Raises:
        BrowserError: not so often.
    """
    _check_open(driver)
    _check_nth(nth)
    found = driver.execute_script(scripts.FIND_TEXT, text) if text.strip() else []
    if not found:
        raise BrowserError(f"{text!r} is not on this page.")
    if nth > len(found):
        raise BrowserError(f"{text!r} is on this page {len(found)} time{'s' * (len(found) > 1)}; no number {nth}.")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found[nth - 1])
    return len(found)


def close_popups(driver: WebDriver) -> list[str]:
    """Close pop-ups by Escape and by their own buttons, refusing rather than accepting. Returns the buttons' texts."""
    press_key(driver, "escape")
    clicked: list[str] = []
    for _ in range(5):  # one may lie on another
        buttons = driver.execute_script(scripts.POPUP_BUTTONS, _REFUSE, _ACCEPT)
        if not buttons:
            break
        button, text = buttons[0]
        driver.execute_script("arguments[0].click()", button)  # also where another one covers it
        clicked.append(text or "the closing button")
        settle(driver)
    return clicked


def read(driver: WebDriver, part: int = 1, *, characters: int = 6000) -> str:
    """A part of the page's text; with the first part, what can be clicked and filled in.

    Args:
        driver: The browser.
        part: Which part, from 1.
        characters: Length of a part.

    Raises:
        BrowserError: there is no such part.
    """
    _check_open(driver)
    page = driver.execute_script(scripts.OVERVIEW)
    text = page["text"].strip()
    parts = max(1, -(-len(text) // characters))
    if not 1 <= part <= parts:
        raise BrowserError(f"The page has {parts} part{'s' * (parts > 1)}; there is no part {part}.")
    lines = [text[(part - 1) * characters : part * characters] or "(no text)"]
    if parts > 1:
        lines.append(f"(part {part} of {parts}; read_page gives the others)")
    if part == 1:
        lines.append(f"Can be clicked: {', '.join(map(repr, page['clickable'])) or 'nothing'}")
        lines.append(f"Fields: {', '.join(map(repr, page['fields'])) or 'none'}")
    return "\n".join(lines)


def settle(driver: WebDriver, seconds: float = 2.0) -> None:
    """Wait until the page has loaded and stops changing, or for so many seconds."""
    from selenium.common.exceptions import UnexpectedAlertPresentException

    deadline = time.monotonic() + seconds
    before = None
    while time.monotonic() < deadline:
        try:
            now = driver.execute_script(scripts.SETTLED)
        except UnexpectedAlertPresentException:  # it is dismissed now
            continue
        if now == before and now[0] == "complete":
            return
        before = now
        interruptible_sleep(0.1)


def finished_files(folder: Path) -> set[Path]:
    """The files in a folder that have wholly come."""
    if not folder.is_dir():
        return set()
    return {path for path in folder.iterdir() if path.is_file() and not _is_partial(path)}


def _is_partial(path: Path) -> bool:
    return path.suffix == ".crdownload" or path.name.startswith(".")


def save(begin: Callable[[], None], folder: Path) -> Path:
    """Wait for the file that something brings.

    Args:
        begin: Starts the download.
        folder: Where the browser saves files.

    Raises:
        BrowserError: no file comes, or it takes too long.
    """
    before = finished_files(folder)
    begin()
    started = time.monotonic()
    while time.monotonic() - started < _SAVE_SECONDS:
        new = finished_files(folder) - before
        if new:
            return max(new, key=lambda path: path.stat().st_mtime)
        is_coming = folder.is_dir() and any(_is_partial(path) for path in folder.iterdir())
        if not is_coming and time.monotonic() - started > _FILE_BEGINS_SECONDS:
            raise BrowserError("No file came: this leads to a page, or to nothing. Open it to see what it is.")
        interruptible_sleep(0.1)
    raise BrowserError(f"The file was not complete after {_SAVE_SECONDS:.0f} seconds.")
