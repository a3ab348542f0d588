"""Ctrl-C at each moment, once and twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

BUSY = """
import hashlib, sys, threading
from smolagents.cli.problems import reported
def work():
    threading.Timer(0.5, print, ["working"], {"flush": True}).start()
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2_000_000_000)  # out of Python's reach for many minutes
    return 0
sys.exit(reported("x", work, debug=False))
"""
UNTIDY = """
import sys, time
from smolagents.cli.problems import reported
def work():
    try:
        print("working", flush=True)
        time.sleep(60)
    finally:
        for _ in range(20):
            time.sleep(0.1)
        print("tidied up", flush=True)
    return 0
sys.exit(reported("x", work, debug=False))
"""
DEAF = """
import sys, time
from smolagents.cli.problems import reported
def work():
    told = False
    while True:
        try:
            if not told:
                told = True
                print("working", flush=True)
            time.sleep(60)
        except BaseException:  # as a callback of a library may do
            pass
sys.exit(reported("x", work, debug=False))
"""


@pytest.fixture
def start():
    """Starts code in a process of its own, and waits until it works."""
    started = []

    def start(code):
        command = [sys.executable, "-c", code]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "working\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ended(process):
    out, err = process.communicate(timeout=20)
    assert "Traceback" not in err
    return process.returncode, out


def test_one_is_obeyed_in_order(start):
    process = start(UNTIDY)
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "tidied up\n")


def test_one_press_that_arrives_twice_is_one(start):
    process = start(UNTIDY)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "tidied up\n")


@pytest.mark.parametrize("code", [BUSY, UNTIDY, DEAF], ids=["out of reach", "tidying up", "deaf"])
def test_a_second_one_leaves_at_once(start, code):
    process = start(code)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "")
    assert time.monotonic() - pressed < 1.4


def test_after_one_was_obeyed_the_next_is_a_first_one(start):
    process = start("""
import sys, time
from smolagents.cli.interrupts import obeyed
from smolagents.cli.problems import reported
def work():
    for at in range(3):
        try:
            print("working", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            obeyed()
            print("obeyed", at, flush=True)
    return 0
sys.exit(reported("x", work, debug=False))
""")
    for at in range(3):
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == f"obeyed {at}\n"
        time.sleep(0.4)
        if at < 2:
            assert process.stdout.readline() == "working\n"
    assert ended(process) == (0, "")


@pytest.mark.parametrize("after", [0.03, 0.06, 0.1, 0.15])
def test_while_the_command_starts(start, after):
    code = "import sys; print('working', flush=True)\nfrom smolagents.__main__ import main\n"
    process = start(
        code + "sys.argv[1:] = ['x', '--model-id', 'm', '--api-base', 'http://127.0.0.1:9/v1']\nsys.exit(main())"
    )
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    # In the import of the first module of all, nothing of ours can catch it.
    assert "Traceback" not in err or "in <module>" in err
    assert process.returncode in (130, 2, -2)


@pytest.mark.model
@pytest.mark.slow
@pytest.mark.parametrize("after", [0.3, 0.5, 0.7])
def test_while_the_local_model_is_loaded(small_model_path, after):
    command = [sys.executable, "-m", "smolagents", "What is 6 times 7?", "--model-id", str(small_model_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (130, False)
