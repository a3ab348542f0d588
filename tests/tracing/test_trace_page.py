"""The page of a trace, in a real browser: what it shows, and that what models and tools wrote stays text."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from selenium.webdriver.common.by import By

from smolagents import CodeAgent, ToolCallingAgent, tool
from smolagents.monitoring import trace_to, tracing
from smolagents.monitoring.trace_reader import find_traces
from smolagents.testing import ScriptedModel, tool_call, tool_calls
from smolagents.types.usage import TokenUsage
from smolagents.ui.trace.live import LiveView
from smolagents.ui.trace.page import page_of
from support.browser import chromium, console_errors, on_a_phone, page_text, visible, wait_for

ATTACKS = (
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 2'>",
    "<!--<script>window.hacked = 3</script>",
    "<iframe srcdoc='<script>parent.hacked = 4</script>'></iframe>",
    "<link rel=stylesheet href='http://127.0.0.1:9/steal.css'><img src='http://127.0.0.1:9/pixel.png'>",
    "javascript:window.hacked=5",
)
ATTACK = "\n".join(ATTACKS)


@tool
def fetch(address: str) -> str:
    """Fetch a page.

    Args:
        address: Where it is.
    """
    return f"What is at {address}:\n{ATTACK}"


def code(text: str, thought: str) -> str:
    return f"Thought: {thought}\n<code>\n{text}\n</code>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with all that a run can have, much of it hostile."""
    folder = tmp_path_factory.mktemp("page")
    reader = ToolCallingAgent(
        [fetch],
        model=ScriptedModel(
            [
                tool_calls(tool_call("fetch", {"address": ATTACK}), content=ATTACK),
                tool_calls(tool_call("final_answer", {"answer": ATTACK})),
            ],
            usage=TokenUsage(200, 20, cost=0.002),
            model_id=f"evil {ATTACK}",
        ),
        name="reader",
        description="Reads pages.",
        verbosity_level=-1,
    )

    def look(step: Any, agent: Any) -> None:
        step.observations_images = [PIL.Image.new("RGB", (320, 200), "teal")]

    agent = CodeAgent(
        [],
        model=ScriptedModel(
            [
                code("found = reader(task='Read it.')\nprint(found)", "I let it be read."),
                code("numbers = [1, 2]  # two of them\nprint(numbers[7])", "I look at the eighth."),
                code("for n in range(300):\n    print('line', n)", "I print much, with a quokka."),
                code(f"final_answer({ATTACK!r})", "I know."),
            ],
            usage=TokenUsage(1_000, 100, cached_input_tokens=400, cost=0.01),
            model_id="model-one",
        ),
        managed_agents=[reader],
        step_callbacks=[look],
        name="lead",
        description="Leads.",
        verbosity_level=-1,
    )
    with trace_to(folder):
        agent.run(f"Read this. {ATTACK}")
    (found,) = find_traces(folder)
    target = folder / "page.html"
    target.write_text(page_of(found.paths), "utf-8")
    return target


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as driver:
        yield driver


@pytest.fixture
def window(browser: Any, page: Path) -> Any:
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    console_errors(browser)
    browser.get(page.as_uri())
    return browser


def rows(window: Any) -> list[str]:
    """The lines that are shown, as text."""
    return [
        line.text.replace("\n", " ") for line in window.find_elements(By.CSS_SELECTOR, ".line") if line.is_displayed()
    ]


def row(window: Any, start: str) -> Any:
    lines = window.find_elements(By.CSS_SELECTOR, ".row")
    return next(one for one in lines if one.text.replace("\n", " ").startswith(start))


def search(window: Any, text: str) -> None:
    field = window.find_element(By.ID, "search")
    field.clear()
    field.send_keys(text)


def test_the_timeline_shows_the_run(window):
    shown = rows(window)
    assert shown[0].startswith("Agent lead Read this.")
    assert shown[1].startswith("Step 1 I let it be read.")
    assert [line.split()[0] for line in shown].count("Step") == 6
    assert any(line.startswith("Model model-one Thought: I know.") for line in shown)
    assert any(line.startswith("Tool fetch") for line in shown)
    head = window.find_element(By.ID, "head").text
    assert "lead\nfinished" in head
    assert "4,400 (1,600 cached)" in head
    assert "$0.0440" in head
    agents = [line.text.split() for line in window.find_elements(By.CSS_SELECTOR, "table.agents tbody tr")]
    assert [line[:6] for line in agents] == [
        ["lead", "1", "4", "4,000", "400", "$0.0400"],
        ["reader", "1", "2", "400", "40", "$0.0040"],
    ]
    comment = window.find_element(By.CSS_SELECTOR, ".block pre .c")
    assert comment.text == "# two of them"
    bars = window.find_elements(By.CSS_SELECTOR, ".track i")
    assert len(bars) == len(shown)
    assert bars[0].rect["width"] > bars[-1].rect["width"] > 0
    assert console_errors(window) == []


def test_a_line_opens_and_closes(window):
    line = row(window, "Model model-one Thought: I know.")
    line.find_element(By.CSS_SELECTOR, ".line").click()
    assert "final_answer(" in line.find_element(By.CSS_SELECTOR, ".detail pre").text
    earlier = line.find_element(By.CSS_SELECTOR, ".detail button.more:last-of-type")
    assert "messages before" in earlier.text
    earlier.click()
    assert "You are" in line.find_element(By.CSS_SELECTOR, ".detail").text
    line.find_element(By.CSS_SELECTOR, ".line").click()
    assert line.find_elements(By.CSS_SELECTOR, ".detail") == []


def test_a_long_output_is_folded_and_says_how_long_it_is(window):
    more = next(one for one in window.find_elements(By.CSS_SELECTOR, ".more") if "lines" in one.text)
    assert more.text == "Show all 301 lines"
    box = more.find_element(By.XPATH, "preceding-sibling::*[1]")
    before = box.rect["height"]
    more.click()
    assert box.rect["height"] > 5 * before
    assert "line 299" in box.text


def test_images_are_shown(window):
    pictures = window.find_elements(By.CSS_SELECTOR, ".pictures img")
    assert len(pictures) == 4
    wait_for(window, lambda: pictures[0].get_property("naturalWidth") == 320)


def test_search_finds_what_is_folded_or_closed(window):
    search(window, "QUOKKA")
    wait_for(window, lambda: "of" in window.find_element(By.ID, "found").text)
    shown = rows(window)
    assert shown[1].startswith("Step 3")
    assert all(line.startswith(("Agent lead", "Step 3", "Model")) for line in shown)
    search(window, "no such thing")
    wait_for(window, lambda: window.find_element(By.ID, "found").text == "nothing found")
    assert rows(window) == []
    search(window, "line 150")
    wait_for(window, lambda: any(line.startswith("Code") for line in rows(window)))


def test_only_one_kind_can_be_shown(window):
    button = next(one for one in window.find_elements(By.CSS_SELECTOR, "#kinds button") if one.text == "Errors")
    button.click()
    kinds = [line.split()[0] for line in rows(window)]
    assert kinds == ["Agent", "Step", "Code"]
    window.find_element(By.CSS_SELECTOR, "#kinds button").click()
    assert len(rows(window)) > 15


def test_what_models_and_tools_wrote_is_text(window):
    window.find_element(By.ID, "open-all").click()
    for more in window.find_elements(By.CSS_SELECTOR, ".more"):
        window.execute_script("arguments[0].click()", more)
    text = page_text(window)
    for attack in ATTACKS:
        assert attack in text
    assert window.execute_script("return window.hacked") is None
    assert window.find_elements(By.CSS_SELECTOR, "iframe, a, [onerror], main script, main link") == []
    sources = window.execute_script("return [...document.images].map((image) => image.src.slice(0, 11))")
    assert set(sources) == {"data:image/"}
    assert console_errors(window) == []


def test_nothing_is_loaded_or_sent(window, page):
    names = window.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in names if not name.startswith("data:")] == []
    # Nor could it be, whatever was to get in: the policy refuses.
    refused = window.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        const broken = [];
        document.addEventListener("securitypolicyviolation", (event) => broken.push(event.effectiveDirective));
        const script = document.createElement("script");
        script.textContent = "window.hacked = 6";
        const image = document.createElement("img");
        image.src = "http://127.0.0.1:9/pixel.png";
        document.body.append(script, image);
        fetch("http://127.0.0.1:9/").catch(() => setTimeout(() => done([broken.sort(), window.hacked ?? null]), 100));
        """
    )
    assert refused == [["connect-src", "img-src", "script-src-elem"], None]
    assert "http://" not in page.read_text("utf-8").split('id="data"')[0]


def test_it_fits_a_phone(window):
    on_a_phone(window)
    window.refresh()
    window.find_element(By.ID, "open-all").click()
    assert window.execute_script("return document.documentElement.scrollWidth") == 390
    wide = window.execute_script(
        "return [...document.querySelectorAll('.line, .block, nav, header, .pictures img')]"
        ".filter((one) => one.getBoundingClientRect().right > 391).length"
    )
    assert wide == 0
    assert visible(window, "#search").rect["width"] > 300


def test_a_run_of_400_steps_opens_quickly(browser, tmp_path):
    steps = 400
    replies = [code(f"print('value', {n})", f"Step {n} of many.") for n in range(steps - 1)]
    agent = CodeAgent(
        [], model=ScriptedModel([*replies, code("final_answer(1)", "Done.")]), max_steps=steps, verbosity_level=-1
    )
    with trace_to(tmp_path):
        agent.run("Count.")
    (found,) = find_traces(tmp_path)
    target = tmp_path / "page.html"
    target.write_text(page_of(found.paths), "utf-8")
    assert target.stat().st_size < 2_000_000
    browser.get(target.as_uri())
    assert browser.execute_script("return document.querySelectorAll('.row').length") > 3 * steps
    # 0.4 s on two cores of an AMD EPYC; the rest is for busy machines.
    assert browser.execute_script("return performance.getEntriesByType('navigation')[0].domComplete") < 5_000
    search(browser, "Step 377 of many")
    wait_for(browser, lambda: browser.find_element(By.ID, "found").text == "1 of 1,202")


class Gate:
    """A reply that comes when it is let."""

    def __init__(self, reply: str) -> None:
        self.reply = reply
        self.opened = threading.Event()

    def __call__(self, messages: Any) -> str:
        assert self.opened.wait(60)
        return self.reply


def test_a_live_view_follows_a_run(browser, tmp_path):
    gates = [
        Gate(code("print('one')", f"First. {ATTACK}")),
        Gate(code("print('two')", "Second.")),
        Gate(code("final_answer(42)", "Done.")),
    ]
    agent = CodeAgent([], model=ScriptedModel(gates), verbosity_level=-1, name="worker", description="Works.")
    with trace_to(tmp_path):
        run = threading.Thread(target=agent.run, args=("Count.",))
        run.start()
        try:
            (file,) = wait_for_files(tmp_path)
            with LiveView(file) as view:
                browser.get(view.url)
                wait_for(browser, lambda: visible(browser, ".state.busy"))
                assert any(line.startswith("Agent worker Count.") for line in rows(browser))
                gates[0].opened.set()
                wait_for(browser, lambda: any(line.startswith("Step 1 First.") for line in rows(browser)))
                assert visible(browser, ".state.busy")
                gates[1].opened.set()
                wait_for(browser, lambda: any(line.startswith("Step 2 Second.") for line in rows(browser)))
                gates[2].opened.set()
                run.join()
                wait_for(browser, lambda: visible(browser, ".state.good"))
                assert "ANSWER\n42" in browser.find_element(By.ID, "head").text
                assert browser.execute_script("return window.hacked") is None
                # Loaded again, it is whole.
                browser.refresh()
                wait_for(browser, lambda: visible(browser, ".state.good"))
                assert len([line for line in rows(browser) if line.startswith("Step")]) == 3
                assert console_errors(browser) == []
        finally:
            for gate in gates:
                gate.opened.set()
            run.join()


def test_a_live_view_takes_in_what_joins_the_trace_later(browser, tmp_path):
    def agent(name: str) -> CodeAgent:
        model = ScriptedModel([code("final_answer(1)", "Go.")])
        return CodeAgent([], model=model, name=name, description="Works.", verbosity_level=-1)

    with trace_to(tmp_path), tracing.span("send_message", "other", content={"message": "Help."}):
        headers = tracing.traceparent()
        agent("early").run("Begin.")
    (found,) = find_traces(tmp_path)
    with LiveView(found.paths[0]) as view:
        browser.get(view.url)
        wait_for(browser, lambda: visible(browser, ".state.good"))
        # As another process does: a file of its own, which goes on with the trace.
        with trace_to(tmp_path), tracing.continue_trace(headers):
            agent("late").run("Go on.")
        wait_for(browser, lambda: any(line.startswith("Agent late") for line in rows(browser)))
        assert "processes\n2" in browser.find_element(By.ID, "head").text
        assert rows(browser)[0].startswith("Sent to other Help.")


def wait_for_files(folder: Path) -> list[Path]:
    done = threading.Event()
    for _ in range(600):
        found = list(folder.glob("*.jsonl"))
        if found and found[0].stat().st_size:
            return found
        done.wait(0.05)
    raise AssertionError("no file was written")


def test_only_who_has_the_token_reads_a_live_view(tmp_path):
    with trace_to(tmp_path):
        CodeAgent([], model=ScriptedModel([code("final_answer(1)", "Go.")]), verbosity_level=-1).run("Secret.")
    (found,) = find_traces(tmp_path)
    with LiveView(found.paths[0]) as view:
        root = view.url[: view.url.index("/", 8)]

        def status(path: str, **headers: str) -> int:
            try:
                with urllib.request.urlopen(urllib.request.Request(path, headers=headers), timeout=10) as reply:
                    return int(reply.status)
            except urllib.error.HTTPError as error:
                return error.code

        assert root.startswith("http://127.0.0.1:")
        assert status(view.url) == 200
        assert status(root + "/") == 404
        assert status(root + "/guess/events") == 404
        assert status(view.url + "../../etc/passwd") == 404
        assert status(view.url, Host="attacker.example:80") == 404
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(view.url, timeout=10)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_the_command_serves_a_live_view_until_ctrl_c(browser, tmp_path):
    with trace_to(tmp_path):
        CodeAgent([], model=ScriptedModel([code("final_answer(1)", "Go.")]), verbosity_level=-1).run("A task.")
    command = [sys.executable, "-m", "smolagents", "trace", "open", "--live", "--no-browser", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        try:
            address = serving.stdout.readline().strip()
            browser.get(address)
            wait_for(browser, lambda: visible(browser, ".state.good"))
            assert "A task." in page_text(browser)
            serving.send_signal(signal.SIGINT)
            assert serving.wait(20) == 130
        finally:
            serving.kill()
