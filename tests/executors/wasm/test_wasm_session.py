"""What code in WebAssembly can do: beyond the suite for all executors, what is particular here."""

from __future__ import annotations

import gc
import random
import shutil
import threading
import time
import weakref
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from smolagents.executors.errors import ExecutionInterruptedError, ExecutionTimeoutError, InterpreterError
from smolagents.executors.wasm import WasmExecutor
from smolagents.executors.wasm.process import check_permissions, find_deno


def test_code_runs_in_pyodide_and_tools_run_here(shared):
    called_in = []
    shared.send_tools({"where": lambda: called_in.append(threading.get_ident()) or "host"})
    assert shared("import sys\nsys.platform, where()").output == ("emscripten", "host")
    assert called_in == [threading.get_ident()]


def test_a_tool_is_called_in_the_middle_of_synchronous_code(shared):
    shared.send_tools({"add_one": lambda x: x + 1})
    source = "def total(n):\n    return sum(add_one(i) for i in range(n))\nsorted([3, 1, 2], key=lambda i: -add_one(i)), total(50)"
    assert shared(source).output == ([3, 2, 1], sum(range(51)))


def test_what_javascript_and_the_descriptors_print_is_output_too(shared):
    source = "import os, js\nos.write(1, 'ä raw\\n'.encode())\nos.write(2, b'err\\n')\njs.console.log('from', 3)\nprint('end')"
    assert sorted(shared(source).logs.splitlines()) == ["end", "err", "from 3", "ä raw"]


def test_input_has_ended(shared):
    with pytest.raises(InterpreterError, match="EOFError"):
        shared("input('name? ')")


def test_asyncio_runs_without_a_browser(shared):
    source = """
import asyncio, time
async def work(n):
    await asyncio.sleep(0.01 * n)
    return n
async def all_of_them():
    with_timeout = asyncio.wait_for(asyncio.sleep(60), 0.02)
    return await asyncio.gather(work(2), work(1), asyncio.to_thread(lambda: 7), with_timeout, return_exceptions=True)
def told(results):
    return [type(x).__name__ if isinstance(x, Exception) else x for x in results]
"""
    shared(source)
    assert shared("told(asyncio.run(all_of_them()))").output == [2, 1, 7, "TimeoutError"]
    assert shared("told(await all_of_them())").output == [2, 1, 7, "TimeoutError"]


def test_waiting_for_what_never_happens_is_an_error(shared):
    with pytest.raises(InterpreterError, match="waits for something that never happens"):
        shared("import asyncio\nawait asyncio.Event().wait()")


def test_sleep_takes_its_time_and_can_be_interrupted(make):
    executor = make(timeout=0.5)
    started = time.monotonic()
    executor("import time\ntime.sleep(0.2)\nkept = 1")
    assert time.monotonic() - started >= 0.2
    started = time.monotonic()
    with pytest.raises(ExecutionTimeoutError):
        executor("time.sleep(60)")
    assert time.monotonic() - started < 2.4  # it was not killed
    assert executor("kept").output == 1


@pytest.mark.parametrize("bad", ["-1", "'x'", "float('nan')", "1e30"])
def test_sleep_complains_as_it_does_elsewhere(shared, bad):
    with pytest.raises(InterpreterError, match=r"ValueError|TypeError|OverflowError"):
        shared(f"import time\ntime.sleep({bad})")


def test_an_interruption_hits_the_code_it_was_meant_for_and_no_other(make):
    executor = make(timeout=None)
    executor("import time")
    for _ in range(5):
        timer = threading.Timer(0.2, executor.interrupt)
        timer.start()
        with pytest.raises(ExecutionInterruptedError):
            executor("while True: pass")
        timer.join()
        for number in range(20):
            assert executor(f"time.sleep(0.001)\n{number}").output == number
    executor.interrupt()  # nothing runs
    assert executor("'still here'").output == "still here"


def test_sessions_do_not_share_their_random_numbers(shared):
    """They start from one snapshot of memory."""
    with shared.session() as other:
        draw = "import random, uuid, os\nrandom.random(), uuid.uuid4().hex, os.urandom(8)"
        assert not set(shared(draw).output) & set(other(draw).output)
    assert 0 <= random.random() < 1


def test_sessions_have_their_own_variables_and_files(shared):
    shared("here = 1\nopen('/tmp/note', 'w').write('x')")
    with shared.session() as other:
        assert other("import os\n'here' in globals(), os.path.exists('/tmp/note')").output == (False, False)
        assert other.timeout_seconds == shared.timeout_seconds
    assert shared("here").output == 1


def test_a_cleaned_up_executor_starts_afresh(make):
    executor = make()
    executor("x = 1")
    executor.cleanup()
    executor.delete()
    with pytest.raises(InterpreterError, match="NameError"):
        executor("x")


def test_large_values_cross_both_ways(shared):
    shared.send_tools({"echo": lambda value: value})
    text = "ä€😀" * 700_000
    shared.send_variables({"text": text, "data": bytes(range(256)) * 8192})
    assert shared("text").output == text
    assert shared("echo(data)[::-1]").output == (bytes(range(256)) * 8192)[::-1]


def test_a_session_starts_in_the_background(shared):
    started = time.monotonic()
    other = shared.session()
    assert time.monotonic() - started < 0.2
    with other:
        assert other("1 + 1").output == 2


def test_a_forgotten_executor_ends_its_process(installed):
    executor = WasmExecutor([])
    executor("1")
    process = executor._session.connection._process
    gone = weakref.ref(executor)
    del executor
    gc.collect()
    assert gone() is None
    assert process.poll() is not None


def test_a_snapshot_that_is_damaged_is_done_without(make, tmp_path):
    executor = make()
    broken = tmp_path / "broken.bin"
    broken.write_bytes(b"no snapshot" * 1000)
    executor._snapshot = broken
    executor.cleanup()
    assert executor("1 + 1").output == 2
    assert not broken.exists()


def test_a_cache_that_cannot_be_written_only_makes_the_start_slower(make, monkeypatch, tmp_path):
    place = make()._distribution.directory
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("SMOLAGENTS_CACHE", str(blocked))
    assert make(pyodide_dir=place)("1 + 1").output == 2


# -- settings -------------------------------------------------------------------------------------------------------


def test_a_deno_that_is_not_there(installed):
    with pytest.raises(FileNotFoundError, match=r"no program '/nowhere/deno'.*pip install 'smolagents\[wasm\]'"):
        WasmExecutor([], deno_path="/nowhere/deno")


def test_a_program_that_is_not_deno(installed, tmp_path):
    program = tmp_path / "deno"
    program.write_text("#!/bin/sh\necho 'error: what is run?' >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(RuntimeError, match=r"did not start: what is run\?"):
        WasmExecutor([], deno_path=str(program))


def test_deno_is_found_in_the_package_when_it_is_not_in_the_path(installed, monkeypatch):
    pytest.importorskip("deno")
    monkeypatch.setenv("PATH", "")
    assert find_deno().endswith("deno")


def test_a_path_that_deno_cannot_be_told(make, tmp_path):
    place = tmp_path / "a,b"
    place.symlink_to(make()._distribution.directory)
    copied = tmp_path / "c,d"
    shutil.copytree(place, copied)
    with pytest.raises(ValueError, match="there must be no comma in the path"):
        WasmExecutor([], pyodide_dir=copied)


def test_a_pyodide_that_is_not_there(installed, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"holds no Pyodide: pyodide.mjs"):
        WasmExecutor([], pyodide_dir=tmp_path)
    monkeypatch.setenv("SMOLAGENTS_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"python -m smolagents.executors.wasm fetch"):
        WasmExecutor([])


@pytest.mark.parametrize("memory", [1, 63, 4097, -5])
def test_memory_that_cannot_be_given(installed, memory):
    with pytest.raises(ValueError, match=f"memory_mb must be from 64 to 4096, not {memory}"):
        WasmExecutor([], memory_mb=memory)


def test_permissions_are_options_of_deno():
    assert check_permissions(None) == []
    assert check_permissions(["--allow-net=a.b"]) == ["--allow-net=a.b"]
    with pytest.raises(ValueError, match=r"holds 'net', which grants no permission"):
        check_permissions(["net"])
    with pytest.raises(ValueError, match=r"must be a list of options, not the string '--allow-net'"):
        check_permissions("--allow-net")


def test_a_permission_grants_what_it_names_and_no_more(make, tmp_path):
    allowed, other = tmp_path / "a b.txt", tmp_path / "other.txt"
    allowed.write_text("granted")
    other.write_text("secret")
    executor = make(deno_permissions=[f"--allow-read={allowed}"])
    assert executor(f"import js\njs.Deno.readTextFileSync({str(allowed)!r})").output == "granted"
    with pytest.raises(InterpreterError, match="NotCapable"):
        executor(f"js.Deno.readTextFileSync({str(other)!r})")


@pytest.fixture
def pages(tmp_path):
    """Address of a web server with one page."""
    (tmp_path / "page.txt").write_text("a page")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_network_that_is_permitted_can_be_used(make, pages):
    executor = make(deno_permissions=[f"--allow-net={pages}"], timeout=20)
    executor.send_tools({"shout": str.upper})
    executor.send_variables({"url": f"http://{pages}/page.txt"})
    executor("""
import asyncio, js
from pyodide.http import pyfetch
async def page():
    return await (await pyfetch(url)).string()
async def twice():
    return await asyncio.gather(page(), page())
""")
    assert executor("shout(await page())").output == "A PAGE"
    assert executor("asyncio.run(twice())").output == ["a page", "a page"]
    assert executor("await asyncio.sleep(0.01, 'slept')").output == "slept"
    for elsewhere in ("http://127.0.0.2/", "http://localhost:8765/"):
        executor.send_variables({"url": elsewhere})
        with pytest.raises(InterpreterError, match="Requires net access"):
            executor("await js.fetch(url)")
    executor.timeout_seconds = 0.5
    with pytest.raises(ExecutionTimeoutError):
        executor("kept = 1\nwhile True: pass")
    assert executor("kept").output == 1
