"""What a user of the sandbox relies on while all goes well."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import subprocess
import sys
import threading
import time

import pytest
from sandbox_hosts import eventually

from smolagents.executors.base import CodeOutput
from smolagents.executors.errors import (
    ExecutionInterruptedError,
    ExecutionTimeoutError,
    ImportNotAuthorizedError,
    InterpreterError,
)
from smolagents.executors.sandbox import SandboxUnavailableError


def test_variables_stay_from_step_to_step(make):
    executor = make()
    executor("def double(x):\n    return 2 * x\nnumbers = [1, 2]")
    executor("numbers.append(double(5))")
    assert executor("print(len(numbers))\nnumbers") == CodeOutput([1, 2, 10], "3\n", False)


def test_tools_run_in_this_process(make):
    calls = []

    def remember(what: str, times: int = 1) -> int:
        calls.append((what, times, os.getpid()))
        return 7

    executor = make()
    executor.send_tools({"remember": remember})
    assert executor("remember('a') + remember('b', times=2)").output == 14
    assert calls == [("a", 1, os.getpid()), ("b", 2, os.getpid())]


def test_final_answer(make):
    assert make()("print('so')\nfinal_answer({'a': (1, 2.5)})\nprint('never')") == CodeOutput(
        {"a": (1, 2.5)}, "so\n", True
    )


def test_an_error_is_told_with_its_line_and_keeps_what_was_done(make):
    executor = make()
    with pytest.raises(InterpreterError, match=r"Line 2.*\n.*1 / 0\nZeroDivisionError: division by zero") as caught:
        executor("x = 3\n1 / 0")
    assert caught.value.logs == ""
    assert executor("x").output == 3


def test_imports_follow_the_authorized_list(make):
    executor = make(["json"])
    assert executor("import json, statistics\njson.dumps(statistics.mean([1, 3]))").output == "2"
    with pytest.raises(ImportNotAuthorizedError, match=r"'subprocess' is not authorized.*json.*statistics"):
        executor("import subprocess")


def test_packages_beyond_the_standard_library(make):
    executor = make(["numpy", "pandas"])
    code = "import numpy as np, pandas as pd\npd.DataFrame({'a': np.arange(3)})['a'].sum() + np.float64(0.5)"
    assert executor(code).output == 3.5


def test_sessions_draw_different_random_numbers(make):
    executor = make(["numpy"])
    code = "import random, numpy\n(random.random(), numpy.random.random())"
    executor(code)
    first, second = (executor.session()(code).output for _ in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_code_that_takes_too_long_is_interrupted_and_keeps_its_variables(make):
    executor = make(timeout_seconds=0.3)
    started = time.monotonic()
    with pytest.raises(ExecutionTimeoutError, match=r"while True.*\n.*0\.3 seconds") as caught:
        executor("x = 41\nprint('began')\nwhile True: x += 0")
    assert time.monotonic() - started < 2
    assert caught.value.logs == "began\n"
    assert executor("x").output == 41


def test_code_that_ignores_the_interruption_is_killed(make):
    executor = make(["signal"], timeout_seconds=0.3)
    executor("kept = 1")
    with pytest.raises(InterpreterError, match=r"killed.*gone: kept"):
        executor("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass")
    assert "kept" in executor("print('again')").logs.splitlines()[0]


def test_time_in_tools_does_not_count(make):
    executor = make(timeout_seconds=0.5)
    executor.send_tools({"wait": lambda: time.sleep(0.8)})
    assert executor("wait()\n5").output == 5


def test_interrupt_from_another_thread(make):
    executor = make(timeout_seconds=None)
    executor.send_tools({"started": lambda: threading.Timer(0.05, executor.interrupt).start()})
    with pytest.raises(ExecutionInterruptedError):
        executor("x = 1\nstarted()\nwhile True: pass")
    assert executor("x").output == 1


def test_an_interruption_that_comes_late_does_no_harm(make):
    executor = make()
    for number in range(200):
        assert executor(f"{number}").output == number
        executor._session.connection.interrupt()


def test_large_values_cross_both_ways(make):
    executor = make()
    text = "é\n" * 1_000_000
    executor.send_variables({"text": text})
    assert executor("text + 'x'").output == text + "x"
    executor.send_tools({"echo": lambda value: value})
    assert executor("echo(text) == text").output is True


def test_writing_to_the_process_output_harms_nothing(make, capfd):
    executor = make(["os"])
    result = executor("import os\nfor n in (1, 2):\n    os.write(n, b'x' * 100000)\nprint('hello')\nos.write(1, b'y')")
    assert result == CodeOutput(1, "hello\n", False)
    assert capfd.readouterr() == ("", "")


def test_reading_the_process_input_ends_at_once(make):
    assert make(["os"])("import os\nos.read(0, 10)").output == b""


def test_a_private_directory_for_each_session(make):
    executor = make(["os"])
    code = "import os\nopen('notes.txt', 'w').write('mine')\n(os.getcwd(), os.environ['HOME'], os.environ['TMPDIR'])"
    place, home, temporary = executor(code).output
    assert place == home == temporary
    assert executor("open('notes.txt').read()").output == "mine"
    other = executor.session()
    try:
        assert other("import os\nos.listdir('.')").output == []
        assert other("os.getcwd()").output != place
    finally:
        other.cleanup()
    executor.cleanup()
    assert not os.path.exists(place)


def test_nothing_of_this_environment_is_told(make, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "secret-value")
    executor = make(["*"], fork_server=False)
    assert "secret-value" not in executor("import os\nstr(dict(os.environ))").output


def test_a_work_dir_of_the_user_keeps_its_files(make, tmp_path):
    (tmp_path / "in.txt").write_text("given")
    executor = make(["os"], work_dir=tmp_path)
    assert executor(
        "import os\ntext = open('in.txt').read()\nopen('out.txt', 'w').write(text + '!')\nos.getcwd()"
    ).output == str(tmp_path)
    executor.cleanup()
    assert (tmp_path / "out.txt").read_text() == "given!"


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o777])
def test_a_work_dir_of_the_user_stays_theirs(make, tmp_path, mode):
    place = tmp_path / "work"
    place.mkdir()
    place.chmod(mode)
    before = place.stat()
    executor = make(work_dir=place)
    executor("open('out.txt', 'w').write('x')")
    executor.cleanup()
    after = place.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert (place / "out.txt").read_text() == "x"


def test_readable_and_writable(make, tmp_path):
    read, write, other = (tmp_path / name for name in ("read", "write", "other"))
    for place in (read, write, other):
        place.mkdir()
        (place / "file").write_text(place.name)
    executor = make(readable=[read], writable=[str(write)])
    assert executor(f"open({str(read / 'file')!r}).read()").output == "read"
    executor(f"open({str(write / 'file')!r}, 'w').write('changed')")
    assert (write / "file").read_text() == "changed"
    for code in (
        f"open({str(read / 'file')!r}, 'w')",
        f"open({str(read / 'new')!r}, 'w')",
        f"open({str(other / 'file')!r})",
    ):
        with pytest.raises(InterpreterError, match=r"Error: .*(denied|Read-only|No such)"):
            executor(code)
    assert (read / "file").read_text() == "read"


def test_allow_network(make):
    import http.server

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        code = f"import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{server.server_port}').read()"
        assert make(["urllib"], allow_network=True)(code).output == b"hello"
        with pytest.raises(
            InterpreterError, match=r"Permission denied|Operation not permitted|unreachable|not supported"
        ):
            make(["urllib"])(code)
    finally:
        server.shutdown()
        server.server_close()


def test_without_a_fork_server(make):
    executor = make(["numpy"], fork_server=False)
    executor("import numpy as np\nx = np.ones(3)")
    assert executor("float(x.sum())").output == 3.0
    pid = executor._session.connection.pid
    executor.cleanup()
    assert not os.path.exists(f"/proc/{pid}")


def test_cleanup_ends_the_process_and_the_executor_goes_on_with_a_fresh_one(make):
    executor = make()
    executor.send_variables({"given": 1})
    executor("own = 2")
    pid = executor._session.connection.pid
    executor.cleanup()
    executor.cleanup()
    assert not os.path.exists(f"/proc/{pid}")
    assert executor("given").output == 1
    with pytest.raises(InterpreterError, match="'own' is not defined"):
        executor("own")


def test_as_a_context_manager_and_async(make):
    async def run() -> tuple[int, int]:
        async with make() as executor:
            executor.send_tools({"add": lambda a, b: a + b})
            await executor.asend_variables({"x": 4})
            result = await executor.acall("add(x, 1)")
            return result.output, executor._session.connection.pid

    output, pid = asyncio.run(run())
    assert output == 5
    assert not os.path.exists(f"/proc/{pid}")


def test_many_threads_each_with_its_session(make):
    executor = make()
    executor.send_tools({"echo": lambda value: value})
    failures = []

    def work(number: int) -> None:
        try:
            with executor.session() as own:
                own.send_tools({"echo": lambda value: value})
                own(f"mine = {number}")
                for step in range(20):
                    assert own(f"mine += echo({step})\nmine").output == number + step * (step + 1) // 2
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_session_has_the_same_settings(make, tmp_path):
    executor = make(["json"], 77, timeout_seconds=5, memory_mb=300, readable=[tmp_path])
    other = executor.session()
    try:
        assert other.authorized_imports == executor.authorized_imports
        assert other._policy == executor._policy
        assert (other.timeout_seconds, other.max_print_outputs_length) == (5, 77)
    finally:
        other.cleanup()


@pytest.mark.parametrize("copying", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_cannot_be_copied(make, copying):
    with pytest.raises(TypeError, match=r"holds a process.*session\(\)"):
        copying(make())


def test_one_line_says_what_confines_the_code(make):
    text = make(memory_mb=321).describe()
    assert "\n" not in text
    assert "Landlock" in text
    assert "seccomp" in text
    assert "321 MB" in text


def test_install_packages_says_where_to_install(make):
    executor = make()
    assert executor.install_packages(["numpy", "json", "os.path", "*"]) == []
    with pytest.raises(RuntimeError, match=r"Not installed: no_such_module_x.*pip"):
        executor.install_packages(["numpy", "no_such_module_x.part"])


def test_code_may_use_modules_beside_the_program(make, tmp_path, monkeypatch):
    (tmp_path / "beside_the_program.py").write_text("value = 11")
    monkeypatch.syspath_prepend(str(tmp_path))
    executor = make(["beside_the_program"])
    assert executor("import beside_the_program\nbeside_the_program.value").output == 11


def test_what_the_code_writes_is_never_imported_unconfined(make, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=r"looks for modules.*allow_missing=\['import_path'\]"):
        make(work_dir=tmp_path)
    mark = tmp_path / "imported_by"
    trap = f"import os\nopen({str(mark)!r}, 'a').write(f'{{os.getpid()}} ')\n"
    executor = make(["trap"], work_dir=tmp_path, allow_missing=["import_path"])
    executor(f"open('trap.py', 'w').write({trap!r})")
    other = executor.session()
    try:
        other("import trap")
        time.sleep(0.3)
        other.session().cleanup()
        assert mark.read_text().split() == [str(other._session.connection.pid)]
    finally:
        other.cleanup()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"readable": ["/no/such/place"]}, "readable: '/no/such/place' does not exist"),
        ({"writable": "/tmp"}, r"writable must be a list.*\['/tmp'\]"),
        ({"work_dir": "/no/such/place"}, "work_dir: '/no/such/place' does not exist"),
        ({"readable": ["/"] * 100_000}, "too many"),
        ({"memory_mb": 1}, "memory_mb=1 is too little"),
        ({"cpu_seconds": 0}, "cpu_seconds=0 is too little"),
        ({"timeout_seconds": 0}, "timeout_seconds must be more than 0"),
        ({"allow_missing": ["walls"]}, "'walls' is no protection; the names are landlock"),
    ],
)
def test_settings_that_make_no_sense(make, options, message):
    with pytest.raises((ValueError, TypeError, SandboxUnavailableError), match=message):
        make(**options)("1")


def test_a_string_of_imports():
    from smolagents.executors.sandbox import SandboxExecutor

    with pytest.raises(TypeError, match=r"write \['numpy'\]"):
        SandboxExecutor("numpy")


def test_construction_starts_nothing(make):
    started = time.monotonic()
    executors = [make() for _ in range(20)]
    assert time.monotonic() - started < 1
    assert all(executor._session is None for executor in executors)


# Where there is no sandbox


def test_another_platform_is_told_what_else_there_is():
    program = """
import sys
sys.platform = "darwin"
sys.modules["resource"] = sys.modules["fcntl"] = None  # as on Windows
from smolagents.executors.sandbox import SandboxExecutor
try:
    SandboxExecutor()
except RuntimeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "no sandbox on darwin" in done.stdout
    for choice in ("monty", "docker", "wasm", "e2b", "modal", "blaxel"):
        assert choice in done.stdout


@pytest.fixture
def lacks_landlock(monkeypatch):
    from smolagents.executors.sandbox import confine
    from smolagents.executors.sandbox.confine import Gap, Support

    gap = Gap("landlock", "the kernel has no Landlock", "use Linux 5.13 or newer")
    support = Support(system="linux", landlock=0, seccomp=True, namespaces=True, missing=[gap], reduced=[])
    monkeypatch.setattr(confine, "probe", lambda: support)


def test_a_missing_protection_is_named_with_its_opt_out(make, lacks_landlock):
    with pytest.raises(SandboxUnavailableError) as caught:
        make()
    for part in ("landlock: the kernel has no Landlock", "Linux 5.13", "allow_missing=['landlock']", "docker"):
        assert part in str(caught.value)


def test_opting_out_of_a_missing_protection(make, lacks_landlock):
    executor = make(allow_missing=["landlock"])
    assert executor("6 * 7").output == 42
    assert "Landlock" not in executor.describe()


def test_an_opt_out_that_is_not_needed_changes_nothing(make):
    assert "Landlock" in make(allow_missing=["landlock", "seccomp"]).describe()


def test_memory_for_less_than_what_was_imported_in_advance(make):
    executor = make(["numpy", "pandas", "sys"])
    loaded = "import sys\n'pandas' in sys.modules"
    assert eventually(lambda: executor.session()(loaded).output)
    small = make(["numpy", "pandas", "sys"], memory_mb=32)
    assert small(loaded).output is False
