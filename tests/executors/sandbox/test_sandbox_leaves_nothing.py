"""However a session, a program or a fork server ends: no process, descriptor or file is left."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import threading

import psutil
import pytest
from sandbox_hosts import alive, descendants, eventually, python_for_others

from smolagents.executors.errors import SessionLostError
from smolagents.executors.sandbox import SandboxUnavailableError
from smolagents.executors.sandbox.connection import SandboxConnection
from smolagents.executors.sandbox.launcher import server_for
from smolagents.executors.sandbox.paths import import_path

START = """
import os, sys, time
from smolagents.executors.sandbox import SandboxExecutor

def pids(*executors):
    found = [executor._session.connection.pid for executor in executors]
    found += {executor._session.connection._server.pid for executor in executors}
    print(*found)

def wait_for_end(pid):
    try:
        while open(f"/proc/{pid}/stat").read().split()[2] not in "ZX":
            time.sleep(0.001)
    except OSError:
        pass
"""
ENDLESS = """
import threading
def run(executor):
    try:
        executor("begin()\\nsum(range(10 ** 15))")
    except ValueError:  # the session was lost
        pass
executors = [SandboxExecutor(timeout_seconds=None, fork_server=kind) for kind in (True, True, False)]
for executor in executors:
    executor("open('file', 'w').write('x' * 1000)")
for executor in executors[1:]:
    executor.send_tools({"begin": lambda: None})
    threading.Thread(target=run, args=(executor,), daemon=True).start()
time.sleep(0.2)
pids(*executors)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_program_that_is_killed(host, number):
    program = host(START + ENDLESS + "time.sleep(100)")
    pids = [int(pid) for pid in program.line().split()]
    assert all(map(alive, pids))
    assert os.listdir(program.temporary)
    program.send_signal(number)
    program.leaves_nothing(pids)


def test_a_program_that_ends(host):
    program = host(START + ENDLESS)
    pids = [int(pid) for pid in program.line().split()]
    assert program.wait(20) == 0
    assert program.stderr.read() == ""
    assert not any(map(alive, pids))
    assert os.listdir(program.temporary) == []


def test_a_program_that_fails(host):
    program = host(START + ENDLESS + "raise SystemError('all is lost')")
    pids = [int(pid) for pid in program.line().split()]
    assert program.wait(20) == 1
    assert "all is lost" in program.stderr.read()
    program.leaves_nothing(pids)


def test_a_program_that_is_interrupted_in_the_terminal(host):
    program = host(
        START
        + """
executor = SandboxExecutor()
executor("x = 1")
try:
    pids(executor)
    print("ready")
    time.sleep(100)
except KeyboardInterrupt:
    print(executor("x").output)
""",
        start_new_session=True,
    )
    pids = [int(pid) for pid in program.line().split()]
    assert program.line() == "ready"
    os.killpg(program.pid, signal.SIGINT)
    assert program.line() == "1"
    assert program.wait(20) == 0
    program.leaves_nothing(pids)


def test_a_killed_program_whose_children_live_on(host):
    program = host(
        START
        + ENDLESS
        + """
child = os.fork()
if not child:
    os.close(1), os.close(2), os.close(0)
    time.sleep(100)
    os._exit(0)
print(child)
time.sleep(100)
"""
    )
    pids = [int(pid) for pid in program.line().split()]
    child = int(program.line())
    try:
        program.kill()
        program.leaves_nothing(pids)
        assert alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_forked_process_has_sessions_of_its_own_and_leaves_those_of_its_parent_alone(host):
    program = host(
        START
        + """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
executor = SandboxExecutor()
executor.send_variables({"given": 5})
executor("own = 1")
pids(executor)
child = os.fork()
if not child:
    try:
        executor("own")
    except ValueError as error:
        print(error)
    print(executor("given").output)
    with executor.session() as other:
        print(other("'new'").output)
    executor.cleanup()
    sys.exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(executor("own").output)
"""
    )
    pids = [int(pid) for pid in program.line().split()]
    assert "belongs to the process that this one was forked from" in program.line()
    assert [program.line() for _ in range(4)] == ["5", "new", "0", "1"]
    assert program.wait(20) == 0
    program.leaves_nothing(pids)


def test_a_program_of_an_unprivileged_user(host):
    if os.geteuid():
        pytest.skip("only root can become another user")
    program = host(
        START + ENDLESS + "print(os.getuid(), executors[0]('40 + 2').output)\nsys.stdin.read()",
        python=python_for_others(),
        user=65534,
        group=65534,
        extra_groups=[],
        cwd="/",
    )
    pids = [int(pid) for pid in program.line().split()]
    assert program.line() == "65534 42"
    program.kill()
    program.leaves_nothing(pids)


def test_a_program_whose_directory_for_temporary_files_cannot_be_written(host):
    program = host(
        START
        + """
os.environ["TMPDIR"] = "/proc"
import tempfile
tempfile.tempdir = "/proc"
try:
    SandboxExecutor()("1")
except RuntimeError as error:
    print(error)
"""
    )
    assert "No worker could be made" in program.line()


def test_what_a_killed_fork_server_left_is_removed_by_the_next(host):
    program = host(
        START
        + """
from smolagents.executors.errors import SessionLostError
import signal
executor = SandboxExecutor()
executor("open('file', 'w').write('x')\\nown = 1")
pids(executor)
os.kill(executor._session.connection._server.pid, signal.SIGKILL)
wait_for_end(executor._session.connection.pid)
try:
    executor("own")
except SessionLostError as error:
    print(error)
print(len(os.listdir(os.environ["TMPDIR"])))
print(executor("5").output)
pids(executor)
for _ in range(1000):
    if len(os.listdir(os.environ["TMPDIR"])) == 1:
        break
    time.sleep(0.01)
print(len(os.listdir(os.environ["TMPDIR"])))
"""
    )
    pids = [int(pid) for pid in program.line().split()]
    assert "the process that makes workers ended with status -9" in program.line()
    assert [program.line() for _ in range(2)] == ["1", "5"]
    assert not set(pids) & {int(pid) for pid in program.line().split()}
    assert program.line() == "1"
    assert program.wait(20) == 0
    program.leaves_nothing(pids)


def test_an_executor_that_is_dropped(make):
    from smolagents.executors.sandbox import SandboxExecutor

    executors = [SandboxExecutor(fork_server=kind) for kind in (True, False)]
    for executor in executors:
        executor("import math\nx = 1")
    pids = [executor._session.connection.pid for executor in executors]
    places = [executor._session.connection.work_dir for executor in executors]
    del executors, executor
    gc.collect()
    assert eventually(lambda: not any(map(alive, pids)))
    assert eventually(lambda: not any(map(os.path.exists, places)))


def test_a_directory_full_of_obstacles(make):
    executor = make(["os"], max_disk_mb=None)
    executor("""
import os
for depth in range(300):
    os.mkdir('d')
    os.chdir('d')
    os.symlink('/etc', 'link')
    open('file', 'w').close()
    os.symlink('link', 'other')
""")
    place = executor._session.connection.work_dir
    executor.cleanup()
    assert not os.path.exists(place)


def opened() -> int:
    return len(os.listdir("/proc/self/fd"))


def sessions(executor, count: int) -> None:
    for number in range(count):
        with executor.session() as session:
            assert session(f"{number}").output == number


def test_many_sessions_leave_nothing(make):
    executor = make()
    executor("1")
    server = executor._session.connection._server
    sessions(executor, 5)
    before = opened(), descendants(), len(os.listdir(f"/proc/{server.pid}/fd")), threading.active_count()
    sessions(executor, 40)
    gc.collect()
    assert (opened(), descendants(), len(os.listdir(f"/proc/{server.pid}/fd")), threading.active_count()) == before
    base = os.path.dirname(executor._session.connection.work_dir)
    assert os.listdir(base) == [os.path.basename(executor._session.connection.work_dir)]


@pytest.mark.slow
def test_a_thousand_sessions_leave_nothing(make):
    executor = make()
    executor("1")
    server = executor._session.connection._server
    sessions(executor, 5)
    process = psutil.Process(server.pid)
    before = opened(), descendants(), process.num_fds()
    memory = process.memory_info().rss
    sessions(executor, 1000)
    gc.collect()
    assert (opened(), descendants(), process.num_fds()) == before
    assert process.memory_info().rss < memory + 5_000_000
    base = os.path.dirname(executor._session.connection.work_dir)
    assert os.listdir(base) == [os.path.basename(executor._session.connection.work_dir)]


def test_many_sessions_at_the_same_time(make):
    executor = make()
    open_ones = [executor.session() for _ in range(60)]
    try:
        for number, session in enumerate(open_ones):
            session(f"mine = {number}")
        assert [session("mine").output for session in open_ones] == list(range(60))
        pids = [session._session.connection.pid for session in open_ones]
        assert len(set(pids)) == 60
    finally:
        for session in open_ones:
            session.cleanup()
    assert not any(map(alive, pids))


def test_without_descriptors_left_it_says_so(host):
    program = host(
        START
        + """
import resource
executor = SandboxExecutor()
executor("1")
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 3, 1000))
opened = len(os.listdir("/proc/self/fd"))
for kind in (True, False):
    try:
        SandboxExecutor(fork_server=kind)("1")
    except (OSError, RuntimeError) as error:
        print(error)
print(executor("2").output)
print(len(os.listdir("/proc/self/fd")) - opened)
"""
    )
    assert "Too many open files" in program.line()
    assert "Too many open files" in program.line()
    assert program.line() == "2"
    assert program.line() == "0"
    assert program.wait(20) == 0


def test_a_worker_has_no_descriptor_but_its_pipes(make):
    others = [make(["os"]) for _ in range(3)]
    for other in others:
        other("1")
    code = """
import os
found = []
for number in range(10000):
    try:
        os.fstat(number)
        found.append(number)
    except OSError:
        pass
found
"""
    found = others[0](code).output
    assert found[:3] == [0, 1, 2]
    assert len(found) == 5
    assert min(found[3:]) >= 1000


def test_a_fork_server_that_was_killed_is_replaced(make):
    executor = make()
    executor("x = 1")
    pid = executor._session.connection._server.pid
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not alive(executor._session.connection.pid))
    with pytest.raises(SessionLostError):
        executor("x")
    assert executor("7").output == 7
    assert executor._session.connection._server.pid != pid


def test_the_fork_server_cannot_be_stopped_by_signals_of_a_terminal(make):
    executor = make()
    executor("x = 1")
    pid = executor._session.connection._server.pid
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        os.kill(pid, number)
    assert executor.session()("2").output == 2
    assert executor("x").output == 1


def test_packages_are_imported_in_advance(make):
    executor = make(["numpy", "pandas"])
    executor("1")
    names = executor._preloads()
    assert eventually(
        lambda: server_for(import_path(), names)._process.args[-1].find('"preload": ["numpy", "pandas"]') > 0
    )
    with executor.session() as session:
        # The import of pandas takes hundreds of milliseconds; here all that remains is a look into sys.modules.
        assert (
            session("import time\nbefore = time.perf_counter()\nimport pandas\ntime.perf_counter() - before").output
            < 0.1
        )


def test_a_package_that_starts_threads_or_crashes_is_left_to_the_workers(make, tmp_path, monkeypatch):
    (tmp_path / "starts_threads.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\nvalue = 3"
    )
    (tmp_path / "brings_it_down.py").write_text("import os\nos._exit(9)")
    (tmp_path / "fails.py").write_text("raise LookupError('not today')")
    monkeypatch.syspath_prepend(str(tmp_path))
    executor = make(["starts_threads", "fails"])
    for _ in range(3):
        with executor.session() as session:
            assert session("import starts_threads\nstarts_threads.value").output == 3
            with pytest.raises(ValueError, match="LookupError: not today"):
                session("import fails")
    executor = make(["brings_it_down"])
    for _ in range(3):
        with executor.session() as session:
            assert session("1").output == 1


def test_a_worker_that_cannot_be_confined_is_an_error_for_the_user(make):
    executor = make()
    policy = executor._policy.to_dict()
    del policy["work_dir"]
    policy["readable"] = ["/no/such/place"]
    before = opened()
    with pytest.raises(SandboxUnavailableError, match=r"could not be confined.*no/such/place"):
        SandboxConnection(server_for(import_path(), []), policy, None)
    gc.collect()
    assert opened() <= before + 3  # the fork server's own, if it was started here


def test_an_interpreter_that_does_not_start(make, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(SandboxUnavailableError, match=r"No worker could be started.*status 1"):
        make(fork_server=False)("1")
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(SandboxUnavailableError, match=r"'/no/such/python' could not be started|No process of"):
        make(fork_server=False)("1")
    assert subprocess  # the module is what starts it


def test_removing_a_deep_closed_tree_with_links_out_of_it(tmp_path):
    from smolagents.executors.sandbox.removal import remove_tree

    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("stays")
    tree = tmp_path / "tree"
    tree.mkdir()
    here = os.open(tree, os.O_RDONLY)
    chain = [here]
    for _ in range(700):  # deeper than paths can be long
        os.symlink(outside, "link", dir_fd=chain[-1])
        os.mkdir("inner", dir_fd=chain[-1])
        chain.append(os.open("inner", os.O_RDONLY, dir_fd=chain[-1]))
    for fd in reversed(chain):
        os.fchmod(fd, 0)
        os.close(fd)
    remove_tree(str(tree))
    assert not tree.exists()
    assert (outside / "file").read_text() == "stays"
    remove_tree(str(tree))
    remove_tree(str(tmp_path / "never there"))
