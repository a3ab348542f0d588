"""No browser, no display, a browser that dies, a program that is killed: a clear error, no lost answer, no orphan."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from web_waiting import until

from smolagents.cli.web_agent.launch import find_browser
from smolagents.memory import ActionStep
from smolagents.testing import ScriptedModel
from smolagents.vision_web_browser import (
    Browser,
    BrowserError,
    BrowserSettings,
    browser_tools,
    initialize_agent,
    main,
    parse_arguments,
    run_webagent,
    save_screenshot,
)
from support.browser import installed
from support.scripted_server import ScriptedServer


def act(code):
    return f"Thought: next.\n<code>\n{code.strip()}\n</code>"


def processes_of(profile):
    """The browser's processes that use a profile."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(profile) in word for word in process.info["cmdline"] or ()):
            found.append(process)
    return found


def browser_process(browser):
    return next(p for p in psutil.Process(browser.start().service.process.pid).children() if p.name() != "cat")


@pytest.fixture
def own(downloads):
    """A browser that a test may break."""
    installed()
    with Browser(BrowserSettings(headless=True, download_folder=downloads)) as browser:
        yield browser


@pytest.mark.parametrize("victim", ["browser", "driver"])
def test_a_browser_that_dies_is_started_anew_and_the_run_goes_on(own, shop, victim):
    def kill(driver):
        process = driver.service.process
        if victim == "driver":
            process.kill()
            process.wait()
        else:
            browser_process(own).kill()

    class Killing(ScriptedModel):
        def generate(self, *args, **kwargs):
            if len(self.requests) == 1:
                own.act(kill)
            return super().generate(*args, **kwargs)

    first_profile = Path(own.start().capabilities["chrome"]["userDataDir"])
    model = Killing(
        [
            act(f"print(go_to('{shop.url}/women.html'))"),
            act("print(read_page())"),
            act("print(read_page())"),
            act("final_answer('found')"),
        ]
    )
    agent = initialize_agent(model, browser=own, use_helium=False)
    with agent:
        assert agent.run("Look around.") == "found"
    steps = [step for step in agent.memory.steps if isinstance(step, ActionStep)]
    assert "The browser crashed and was started anew at " in str(steps[1].error)
    assert "Nothing on sale." in steps[2].observations
    assert steps[3].observations_images
    assert processes_of(first_profile) == []
    assert not first_profile.exists()


def test_a_browser_that_keeps_dying_is_given_up(own):
    def die(driver):
        driver.service.process.kill()
        driver.service.process.wait()
        return driver.title

    for _ in range(3):
        with pytest.raises(BrowserError, match="was started anew"):
            own.act(die)
    with pytest.raises(BrowserError, match="started anew 3 times already: go on without it"):
        own.act(die)


def test_a_crashed_page_is_opened_anew(own, shop):
    tools = {tool.name: tool for tool in browser_tools(own)}
    tools["go_to"](f"{shop.url}/women.html")
    with pytest.raises(BrowserError, match="was started anew at"):
        own.act(lambda driver: driver.get("chrome://crash"))
    assert "Nothing on sale." in tools["read_page"]()


def test_another_window_is_used_when_one_closes_itself(own, shop):
    tools = {tool.name: tool for tool in browser_tools(own)}
    tools["go_to"](f"{shop.url}/men/linen-shirt.html")
    tools["close_popups"]()
    tools["click"]("Care instructions")
    own.act(lambda driver: driver.execute_script("setTimeout(() => window.close())"))
    until(lambda: len(own.start().window_handles) == 1)
    with pytest.raises(BrowserError, match="The window was closed; another one is in use now"):
        tools["read_page"]()
    assert "Current page: Linen shirt" in tools["read_page"]()


def test_a_page_that_cannot_be_reached_is_named(own, shop):
    tools = {tool.name: tool for tool in browser_tools(own)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    with pytest.raises(BrowserError, match=rf"{closed} cannot be reached \(ERR_CONNECTION_REFUSED\)"):
        tools["go_to"](closed)
    with pytest.raises(BrowserError, match=r"http://no-such-host.invalid cannot be reached \(ERR_NAME_NOT_RESOLVED\)"):
        tools["go_to"]("http://no-such-host.invalid")
    assert "Nothing on sale." in (tools["go_to"](f"{shop.url}/women.html"), tools["read_page"]())[1]


def test_a_slow_page_does_not_hold_the_run(own, shop):
    own.start().set_page_load_timeout(0.5)
    tools = {tool.name: tool for tool in browser_tools(own)}
    tools["go_to"](f"{shop.url}/women.html")
    assert tools["go_to"](f"{shop.url}/slow").startswith("Opened.")


def test_a_screenshot_that_fails_is_said_and_does_not_end_the_run(own, shop):
    class Agent:
        memory = type("Memory", (), {"steps": []})()

    step = ActionStep(step_number=1, timing=None)
    save_screenshot(step, Agent())  # there is no browser
    save_screenshot(step, Agent(), browser=own)  # it has not been started
    assert step.observations is None
    own.start().service.process.kill()
    save_screenshot(step, Agent(), browser=own)
    assert step.observations.startswith("There is no screenshot: The browser crashed and was started anew")
    assert step.observations_images is None


def test_closing_leaves_nothing_behind(downloads):
    installed()
    browser = Browser(BrowserSettings(headless=True, download_folder=downloads))
    profile = Path(browser.start().capabilities["chrome"]["userDataDir"])
    assert processes_of(profile)
    browser.close()
    browser.close()
    assert processes_of(profile) == []
    assert not profile.exists()
    assert not browser.is_started


PROGRAM = """
import sys, time
from smolagents.vision_web_browser import initialize_driver, BrowserSettings
driver = initialize_driver(BrowserSettings(headless=True))
print(driver.capabilities["chrome"]["userDataDir"], flush=True)
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize("end", [None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_browser_outlives_its_program(end, tmp_path):
    installed()
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "0" if end is None else "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
    )
    with program:
        profile = Path(program.stdout.readline().strip())
        assert profile.parent == Path(tempfile.gettempdir())
        if end is not None:
            assert processes_of(profile)
            program.send_signal(end)
        program.wait(30)
    until(lambda: not processes_of(profile))
    until(lambda: not profile.exists())


def test_a_link_to_a_page_that_is_gone_is_reported(own, shop):
    tools = {tool.name: tool for tool in browser_tools(own)}
    tools["go_to"](f"{shop.url}/women.html")
    tools["close_popups"]()
    own.act(lambda driver: driver.execute_script("document.links[0].href = 'http://no-such-host.invalid/'"))
    with pytest.raises(BrowserError, match=r"http://no-such-host.invalid/ could not be loaded: go back"):
        tools["click"]("Kestrel")
    assert "Current page: Women" in tools["go_back"]()


def test_ctrl_c_ends_the_command_and_its_browser(tmp_path, shop):
    installed()
    with ScriptedServer() as server:
        server.replies = [act(f"print(go_to('{shop.url}/women.html'))"), None]
        command = [sys.executable, "-c", "from smolagents.vision_web_browser import main; raise SystemExit(main())"]
        model = ["--model-type", "OpenAIModel", "--model-id", "scripted", "--api-base", server.url, "--api-key", "k"]
        program = subprocess.Popen(
            [*command, "Look.", *model, "--headless"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        with program:
            assert server.hangs.wait(60)
            (profile,) = tmp_path.glob("smolagents-browser-*")
            assert processes_of(profile)
            os.killpg(program.pid, signal.SIGINT)  # as a terminal does
            out, err = program.communicate(timeout=30)
    assert program.returncode == 130
    assert "Traceback" not in err
    assert "Stopped after " in out
    assert processes_of(profile) == []
    assert not profile.exists()


@pytest.fixture
def model_server():
    with ScriptedServer() as server:
        yield server


def failing(capsys, server, *arguments):
    model = ["--model-type", "OpenAIModel", "--model-id", "scripted", "--api-base", server.url, "--api-key", "k"]
    assert main(["Look.", *model, *arguments]) == 2
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert server.requests == []
    return err


def test_without_a_browser_the_remedy_is_told(capsys, model_server, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "neither Chrome nor Chromium was found: install one, or give its path." in failing(capsys, model_server)
    assert "apt-get install chromium" in failing(capsys, model_server)
    assert "there is no browser at '/no/chrome'" in failing(capsys, model_server, "--browser", "/no/chrome")


def test_without_a_driver_the_remedy_is_told(capsys, model_server, monkeypatch, tmp_path):
    installed()
    browser = find_browser()
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("SE_OFFLINE", "true")
    monkeypatch.setenv("SE_CACHE_PATH", str(tmp_path))
    said = failing(capsys, model_server, "--browser", browser, "--headless")
    assert f"there is no chromedriver for {browser}, and none could be fetched" in said
    said = failing(capsys, model_server, "--browser", browser, "--headless", "--chromedriver", "/no/driver")
    assert "there is no chromedriver at '/no/driver'" in said


def test_without_a_display_a_window_is_refused_and_headless_is_the_default(capsys, model_server, monkeypatch):
    installed()
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    said = failing(capsys, model_server, "--no-headless")
    assert "there is no display to show the browser on: set DISPLAY, or run it headless (--headless)" in said
    with Browser() as browser:
        assert browser.start().title == ""


def test_a_browser_that_ends_at_once_is_reported(capsys, model_server, monkeypatch):
    installed()
    monkeypatch.setattr("smolagents.cli.web_agent.launch._START_SECONDS", 2)
    said = failing(capsys, model_server, "--headless", "--browser", "/bin/true")
    assert said.startswith("webagent: /bin/true did not start: ")


def test_wrong_use_is_told_in_one_line(capsys):
    for arguments, reason in (
        (["a", "--prompt", "b"], "there are two tasks"),
        (["a", "--allowed-domains", "https://a.com"], "'https://a.com' is not a domain: write a name alone"),
        (["a", "--allowed-domains", " "], "the list of allowed domains is empty"),
        (["a", "--headles"], "did you mean --headless?"),
    ):
        with pytest.raises(SystemExit) as ended:
            parse_arguments(arguments)
        assert ended.value.code == 2
        assert reason in capsys.readouterr().err
    assert main(["a", "--executor-type", "cloud", "--model-id", "x", "--api-base", "http://127.0.0.1:9/v1"]) == 2
    assert "unknown executor type 'cloud'" in capsys.readouterr().err


def test_the_arguments_are_those_that_are_documented():
    given = parse_arguments(["Look.", "--model-type", "M", "--model-id", "i", "--allowed-domains", "a.com, b.org"])
    assert (given.prompt, given.model_type, given.model_id, given.headless) == ("Look.", "M", "i", None)
    assert given.allowed_domains == ("a.com", "b.org")
    assert parse_arguments(["--prompt", "Look."]).prompt == "Look."
    assert parse_arguments(["--no-headless"]).headless is False


def test_the_function_runs_the_same_agent(model_server, shop):
    installed()
    model_server.replies = [act(f"print(go_to('{shop.other_host}'))"), act("final_answer(7)")]
    settings = BrowserSettings(headless=True, allowed_domains=("127.0.0.1",))
    answer = run_webagent(
        "Look.", "OpenAIModel", "m", api_base=model_server.url, api_key="k", settings=settings, verbosity_level=-1
    )
    assert answer == 7
    assert "localhost was not opened: only these domains are allowed" in str(model_server.requests[1])
