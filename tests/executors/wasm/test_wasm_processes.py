"""Processes: none is left over, whatever ends; many at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from smolagents.executors.errors import ExecutionInterruptedError
from smolagents.executors.wasm import WasmExecutor
from smolagents.executors.wasm.pipes import PipeClosedError, Pipes

HOST = Path(__file__).with_name("wasm_hosts.py")


def ends(pid, seconds=10.0):
    """Whether a process is gone within some seconds. It may stay as a zombie where nobody reaps orphans."""
    end = time.monotonic() + seconds
    while _runs(pid):
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)
    return True


def _runs(pid):
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.fixture
def start_host(installed):
    hosts = []

    def start(what):
        host = subprocess.Popen(
            [sys.executable, str(HOST), what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        hosts.append(host)
        return host, int(host.stdout.readline())

    yield start
    for host in hosts:
        host.kill()
        host.communicate()


@pytest.mark.parametrize("what", ["idle", "busy", "stubborn"])
def test_killing_the_host_leaves_no_process(start_host, what):
    host, pid = start_host(what)
    assert not ends(pid, 0.3)
    host.kill()
    host.wait()
    assert ends(pid)


def test_a_host_that_does_not_clean_up_leaves_no_process(start_host):
    host, pid = start_host("leave")
    assert host.wait(30) == 0
    assert ends(pid)


def test_ctrl_c_in_the_host_stops_it_and_leaves_no_process(start_host):
    host, pid = start_host("busy")
    host.send_signal(signal.SIGINT)
    assert host.wait(30) != 0
    assert ends(pid)


def test_sessions_leave_nothing_behind(make):
    def descriptors():
        return len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0

    executor = make()
    executor("1")
    before, threads, pids = descriptors(), threading.active_count(), []
    for _ in range(5):
        with executor.session() as other:
            assert other("2").output == 2
            pids.append(other._session.connection._process.pid)
    with executor.session() as unused:
        pids.append(unused._spare._process.pid)
    assert (descriptors(), threading.active_count()) == (before, threads)
    assert all(ends(pid, 0) for pid in pids)


def test_ten_sessions_at_once(make):
    executor = make()
    sessions = [executor.session() for _ in range(10)]
    outputs = [None] * 10

    def run(number):
        session = sessions[number]
        session.send_tools({"double": lambda x: 2 * x})
        session.send_variables({"n": number})
        session("total = sum(double(i) for i in range(n + 1))")
        outputs[number] = session("total").output

    threads = [threading.Thread(target=run, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pids = [session._session.connection._process.pid for session in sessions]
    for session in sessions:
        session.cleanup()
    assert outputs == [number * (number + 1) for number in range(10)]
    assert len(set(pids)) == 10
    assert all(ends(pid, 0) for pid in pids)


def test_pipes_that_cannot_be_waited_for_are_read_in_threads(make, monkeypatch):
    """As on Windows."""
    monkeypatch.setattr("smolagents.executors.wasm.connection.Pipes", lambda process: Pipes(process, pump=True))
    threads = threading.active_count()
    executor = make(timeout=None)
    executor.send_tools({"echo": lambda value: value})
    text = "ä" * 1_500_000
    executor.send_variables({"text": text})
    assert executor("echo(text)").output == text
    timer = threading.Timer(0.3, executor.interrupt)
    timer.start()
    with pytest.raises(ExecutionInterruptedError):
        executor("while True: pass")
    timer.join()
    executor.cleanup()
    end = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() == threads


def test_a_process_that_takes_nothing_in_is_given_up():
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    pipes = Pipes(process)
    try:
        with pytest.raises(PipeClosedError, match=r"took nothing in for 0\.2 seconds"):
            pipes.send(1, 0, bytes(10_000_000), patience=0.2)
    finally:
        process.kill()
        process.wait()
        pipes.close()


def test_the_end_of_what_a_process_complained_about_is_kept():
    source = "import sys; sys.stderr.write('x' * 300_000 + 'the last words'); sys.exit(3)"
    process = subprocess.Popen(
        [sys.executable, "-c", source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    pipes = Pipes(process)
    with pytest.raises(PipeClosedError, match="it ended"):
        pipes.receive(30, 1000)
    process.wait()
    pipes.close()
    assert pipes.complaints.endswith(b"the last words")
    assert len(pipes.complaints) <= 8_000


def test_an_executor_is_made_in_one_thread_and_used_in_others(installed):
    made = []
    maker = threading.Thread(target=lambda: made.append(WasmExecutor([])))
    maker.start()
    maker.join()
    with made[0] as executor:
        time.sleep(0.7)  # longer than the process takes to look whether its host is there
        assert executor("1 + 1").output == 2
