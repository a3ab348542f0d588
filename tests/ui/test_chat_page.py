"""The chat with an agent, used in a real browser as its users do."""

from __future__ import annotations

import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.browser import chromium, console_errors, on_a_phone, page_text, visible, wait_for

pytest.importorskip("gradio")


@pytest.fixture(scope="module")
def folder(served_chat: Any) -> Path:
    """Where the page's process works."""
    found: Path = served_chat.folder
    return found


@pytest.fixture(scope="module")
def address(served_chat: Any) -> str:
    return str(served_chat.address)


@pytest.fixture(scope="module")
def windows() -> Iterator[list[Any]]:
    """Two browsers that share nothing."""
    with chromium() as one, chromium() as two:
        yield [one, two]


@pytest.fixture
def chat(windows: list[Any], address: str) -> Chat:
    return Chat(windows[0], address)


@pytest.fixture
def other_chat(windows: list[Any], address: str) -> Chat:
    return Chat(windows[1], address)


class Chat:
    """What a user does and sees in a tab that was just opened."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver = driver
        driver.get("about:blank")
        driver.get(address)
        driver.execute_script("sessionStorage.clear()")
        self.reload()

    def reload(self) -> None:
        self.driver.refresh()
        wait_for(self.driver, lambda: visible(self.driver, "#task textarea"))
        # The page is in use once it knows its session.
        wait_for(self.driver, lambda: self.driver.execute_script("return sessionStorage.getItem('smolagents-chat')"))
        console_errors(self.driver)  # of requests that the reload cut off

    def ask(self, task: str) -> None:
        wait_for(self.driver, lambda: visible(self.driver, "[data-testid=submit-button]"))
        visible(self.driver, "#task textarea").send_keys(task)
        visible(self.driver, "[data-testid=submit-button]").click()

    def messages(self, role: str) -> list[str]:
        found = self.driver.find_elements("css selector", f"#chat [data-testid={role}]")
        return [each.text for each in found if each.is_displayed()]

    def answer(self, task: str) -> str:
        """Ask, and wait until the run is over."""
        before = len(self.messages("user"))
        self.ask(task)
        wait_for(self.driver, lambda: len(self.messages("user")) > before and self.idle())
        return self.messages("bot")[-1]

    def idle(self) -> bool:
        return visible(self.driver, "[data-testid=submit-button]") is not None

    def wait_for_file(self, path: Path) -> None:
        wait_for(self.driver, path.exists)

    def shows(self, text: str) -> None:
        wait_for(self.driver, lambda: text in page_text(self.driver))


def test_a_task_its_steps_and_the_answer(chat: Chat, tmp_path: Path) -> None:
    assert page_text(chat.driver).startswith("guide\nDoes as it is told.")
    assert chat.answer("hello **there**") == "hello there"
    assert chat.messages("user") == ["hello there"]
    step = chat.messages("bot")[0]
    assert step.startswith("Step 1 · I was told hello there")
    assert "1,234 input and 56 output tokens · 0." in step
    assert "final_answer(" not in step
    visible(chat.driver, "#chat .thought-group .title").click()
    chat.shows("final_answer('hello **there**')")
    assert console_errors(chat.driver) == []


def test_words_are_seen_as_they_come(chat: Chat, folder: Path) -> None:
    chat.ask("stream")
    chat.shows("first half,")
    assert not chat.idle()
    assert "I was told stream" not in page_text(chat.driver)
    (folder / "stream.go").touch()
    wait_for(chat.driver, chat.idle)
    assert chat.messages("bot")[-1] == "stream"


def test_stop_stops_within_the_step_and_the_chat_goes_on(chat: Chat, folder: Path) -> None:
    chat.answer("my name is Ada")
    chat.ask("wait stop")
    chat.wait_for_file(folder / "stop.started")
    wait_for(chat.driver, lambda: visible(chat.driver, "#task .stop-button, [data-testid=stop-button]")).click()
    chat.shows("The run was stopped.")
    chat.wait_for_file(folder / "stop.stopped")
    assert "Step 1 · stopped" in page_text(chat.driver)
    assert chat.answer("recall") == "my name is Ada / wait stop / recall"


def test_two_users_never_see_each_others_text(chat: Chat, other_chat: Chat, folder: Path) -> None:
    chat.answer("I like apples")
    chat.ask("wait apples")
    chat.wait_for_file(folder / "apples.started")
    assert other_chat.answer("I like pears") == "I like pears"
    assert other_chat.answer("recall") == "I like pears / recall"
    (folder / "apples.go").touch()
    wait_for(chat.driver, chat.idle)
    assert chat.answer("recall") == "I like apples / wait apples / recall"
    assert "apples" not in page_text(other_chat.driver)
    other_chat.reload()
    other_chat.shows("I like pears")
    assert "apples" not in page_text(other_chat.driver)
    assert "pears" not in page_text(chat.driver)


def test_a_run_goes_on_through_a_reload(chat: Chat, folder: Path) -> None:
    chat.answer("before")
    chat.ask("wait reload")
    chat.wait_for_file(folder / "reload.started")
    chat.reload()
    chat.shows("wait('reload')")
    assert chat.messages("user") == ["before", "wait reload"]
    assert not chat.idle()
    (folder / "reload.go").touch()
    wait_for(chat.driver, chat.idle)
    assert chat.messages("bot")[-1] == "waited for reload"
    assert not (folder / "reload.stopped").exists()
    chat.reload()
    chat.shows("waited for reload")
    assert chat.answer("recall") == "before / wait reload / recall"


def test_stop_works_after_a_reload(chat: Chat, folder: Path) -> None:
    chat.ask("wait again")
    chat.wait_for_file(folder / "again.started")
    chat.reload()
    wait_for(chat.driver, lambda: visible(chat.driver, "#task .stop-button, [data-testid=stop-button]")).click()
    chat.shows("The run was stopped.")
    assert (folder / "again.stopped").exists()


def test_a_new_chat_forgets(chat: Chat, folder: Path) -> None:
    chat.answer("my name is Bob")
    chat.ask("wait reset")
    chat.wait_for_file(folder / "reset.started")
    visible(chat.driver, "#new-chat").click()
    wait_for(chat.driver, lambda: chat.messages("user") == [] and chat.idle())
    chat.wait_for_file(folder / "reset.stopped")
    assert chat.answer("recall") == "recall"
    chat.reload()
    chat.shows("Step 1")
    assert "Bob" not in page_text(chat.driver)


def upload(chat: Chat, path: Path) -> None:
    chat.driver.find_element("css selector", "#task input[type=file]").send_keys(str(path))
    wait_for(chat.driver, lambda: path.stem[:5] in page_text(chat.driver) or visible(chat.driver, "#task .thumbnails"))


def test_files_are_handed_to_the_agent(chat: Chat, folder: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("milk and bread")
    upload(chat, notes)
    assert chat.answer("files") == "notes.txt: milk and bread"
    assert visible(chat.driver, "#task .thumbnails") is None
    kept = list((folder / "uploads").rglob("notes.txt"))
    assert [path.read_text() for path in kept] == ["milk and bread"]
    assert "notes.txt" in chat.messages("user")[-1] + chat.messages("user")[0]


def test_a_file_that_is_not_what_it_says_is_refused(chat: Chat, folder: Path, tmp_path: Path) -> None:
    fake = tmp_path / "photo.png"
    fake.write_text("#!/bin/sh")
    upload(chat, fake)
    chat.ask("look")
    chat.shows("photo.png: its content is not that of a .png file")
    assert chat.messages("user") == []
    assert not list((folder / "uploads").rglob("photo*"))
    assert visible(chat.driver, "#task textarea").get_attribute("value") == "look"


def test_text_cannot_act_on_the_page(chat: Chat) -> None:
    chat.answer("attack")
    chat.answer("error")
    for title in chat.driver.find_elements("css selector", "#chat .thought-group .title"):
        title.click()
    chat.shows("window.hacked='output'")
    chat.shows("window.hacked='error'")
    assert "<b>bold</b>" in chat.messages("bot")[1]
    driver = chat.driver
    assert driver.execute_script("return window.hacked") is None
    assert driver.find_elements("css selector", "#chat img, #chat .message b, #chat .message script") == []
    for link in driver.find_elements("css selector", "#chat .message a"):
        assert not (link.get_attribute("href") or "").startswith("javascript:")
    assert console_errors(driver) == []


def test_the_browser_is_told_to_load_nothing_from_elsewhere(chat: Chat, address: str) -> None:
    refused = chat.driver.execute_async_script(
        """const done = arguments[0]
        document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective))
        new Image().src = 'http://127.0.0.1:9/leak.png'"""
    )
    assert refused == "img-src"
    console_errors(chat.driver)
    with urllib.request.urlopen(address) as page:
        assert "img-src 'self'" in page.headers["content-security-policy"]


def test_pictures_and_sounds(chat: Chat) -> None:
    chat.answer("paint")
    size = "const i = document.querySelector('#chat .message img'); return i && i.complete && i.naturalWidth"
    wait_for(chat.driver, lambda: chat.driver.execute_script(size) == 320)
    chat.answer("beep")
    link = wait_for(chat.driver, lambda: chat.driver.find_element("css selector", "#chat a[href$='.wav']"))
    source = link.get_attribute("href")
    with urllib.request.urlopen(source) as file, wave.open(file) as heard:
        assert heard.getnframes() == 800


def test_steps_of_called_agents_are_nested(chat: Chat) -> None:
    assert chat.answer("team").endswith("330 m")
    visible(chat.driver, "#chat .thought-group > .title").click()
    helper = wait_for(chat.driver, lambda: visible(chat.driver, "#chat .thought-group .thought-group > .title"))
    assert helper.text == "researcher"
    helper.click()
    wait_for(
        chat.driver,
        lambda: any(
            each.text.startswith("Step 1 · I know it.")
            for each in chat.driver.find_elements(
                "css selector", "#chat .thought-group .thought-group .thought-group .title"
            )
        ),
    )


def test_an_example_is_asked_when_it_is_chosen(chat: Chat) -> None:
    example = next(
        each for each in chat.driver.find_elements("css selector", "#chat .example") if "recall" in each.text
    )
    example.click()
    wait_for(chat.driver, lambda: chat.messages("bot") and chat.idle())
    assert chat.messages("bot")[-1] == "recall"


def test_a_phone_shows_all_of_it(windows: list[Any], address: str) -> None:
    driver = windows[1]
    on_a_phone(driver)
    try:
        chat = Chat(driver, address)
        chat.answer("a long word: " + "x" * 200)
        visible(driver, "#chat .thought-group .title").click()
        chat.shows("final_answer(")
        width = "return document.documentElement.scrollWidth"
        assert driver.execute_script(width) == 390
        for selector in ("#task textarea", "#new-chat", "[data-testid=submit-button]"):
            box = visible(driver, selector).rect
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
            assert box["y"] + box["height"] <= 844
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
