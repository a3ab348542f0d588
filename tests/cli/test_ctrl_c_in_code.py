"""Ctrl-C while the sandbox runs code, as a terminal sends it: to the command and all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smolagents.executors.sandbox.confine import probe

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

pytestmark = pytest.mark.skipif(bool(probe().missing) and not os.environ.get("CI"), reason="no sandbox here")


def parents():
    """The parent of each process, and the processor time that it has used, in seconds."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                found[int(entry.name)] = int(fields[1]), int(fields[11]) / TICKS
    return found


def descendants(pid):
    found = parents()
    below = {pid}
    while True:
        more = {child for child, (parent, _) in found.items() if parent in below} - below
        if not more:
            return {child: found[child][1] for child in below - {pid} if child in found}
        below |= more


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("to_all", [True, False])
def test_ctrl_c_stops_the_code_and_leaves_no_process(server, to_all):
    server.replies = ["Thought: I try.\n<code>\nprint('going')\nwhile True:\n    pass\n</code>"]
    command = [sys.executable, "-m", "smolagents", "Go.", "--model-type", "OpenAIModel", "--model-id", "scripted"]
    process = subprocess.Popen(
        [*command, "--api-base", server.url, "--executor-type", "sandbox"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    below = wait_for(lambda: (found := descendants(process.pid)) and max(found.values()) > 0.5 and found)
    if to_all:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "Stopped after 1 step" in out
    wait_for(lambda: not set(below) & set(parents()))
