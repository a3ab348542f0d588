"""Hostile code in the whole executor. It gets hold of everything in its own interpreter, and the kernel denies the rest."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sandbox_hosts import alive, descendants, python_for_others

from smolagents.executors.errors import InterpreterError

# How code gets a module that it may not import. The import list keeps mistakes out, not hostility.
WAYS_TO_OS = {
    "subclasses": "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0]"
    ".__init__.__globals__['sys'].modules['os']",
    "loader": "__loader__.load_module('os') if '__loader__' in globals() and __loader__ else"
    " print.__self__.__loader__.load_module('posix')",
    "import of builtins": "print.__self__.__import__('os')",
    "frames": "(lambda: (_ for _ in ()).gi_frame.f_builtins)() and __import__.__globals__['sys'].modules['os']",
    "function globals": "__import__.__globals__['sys'].modules['os']",
    "random": "__import__('random')._os",
    "tool": "final_answer.__globals__['sys'].modules['os']",
}


@pytest.mark.parametrize("way", WAYS_TO_OS)
def test_every_way_to_the_operating_system_ends_at_the_kernel(make, way):
    executor = make()
    executor(f"os = {WAYS_TO_OS[way]}\nassert os.getpid() > 0")
    for attempt in (
        "os.open('/etc/passwd', 0)",
        "os.fork()",
        "os.execv('/bin/sh', ['sh'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.kill(os.getppid(), 9)",
        "os.kill(-1, 9)",
        "os.listdir('/root')",
        "os.mkdir('/tmp/x')",
        "os.chroot('.')",
        "os.symlink('/etc/passwd', 'link')\nos.open('link', 0)",
    ):
        with pytest.raises(InterpreterError, match=r"PermissionError|FileNotFoundError|Read-only file system"):
            executor(attempt)
    assert executor("40 + 2").output == 42


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text("the secret")
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    return path


READING = [
    "open({path!r}).read()",
    "import os\nos.read(os.open({path!r}, os.O_RDONLY), 100)",
    "import os\nos.open('/proc/self/root' + {path!r}, 0)",
    "import os\nos.open('/proc/1/root' + {path!r}, 0)",
    "import os\nos.link({path!r}, 'mine')\nopen('mine').read()",
    "import os\nos.rename({path!r}, 'mine')\nopen('mine').read()",
    "import os\nos.symlink({path!r}, 'mine')\nopen('mine').read()",
    "import ctypes\nlibc = ctypes.CDLL(None)\nfd = libc.open({path!r}.encode(), 0)\nassert fd >= 0\nopen(fd).read()",
    "import numpy\nnumpy.fromfile({path!r}, dtype='u1').tobytes().decode()",
    "import importlib.util\nspec = importlib.util.spec_from_file_location('x', {path!r})\nspec.loader.get_data({path!r})",
    "import sqlite3\nsqlite3.connect({path!r}).execute('select 1 from sqlite_master').fetchall()",
    "import mmap, os\nmmap.mmap(os.open({path!r}, 0), 10, prot=mmap.PROT_READ)[:]",
    "import zipfile\nzipfile.ZipFile({path!r})",
    "import linecache\nassert linecache.getlines({path!r})",
]


@pytest.mark.parametrize("code", READING)
def test_reading_a_file(everything, secret, code):
    with pytest.raises(InterpreterError) as caught:
        everything(code.format(path=str(secret)))
    assert "the secret" not in str(caught.value)
    assert secret.read_text() == "the secret"


def test_files_that_matter_most(everything):
    code = """
import os
found = []
for path in ("/etc/passwd", "/etc/shadow", "/etc/hostname", "~/.ssh", "~/.bash_history", "/root", "/home", "/tmp",
             "/proc/1/environ", f"/proc/{os.getppid()}/environ", f"/proc/{os.getppid()}/mem", "/proc/self/mem",
             f"/proc/{os.getppid()}/fd", "/dev/mem", "/dev/sda", "/sys/kernel", "/var/run/docker.sock", "/dev/shm"):
    path = path.replace("~", HOME)
    for attempt in (lambda: os.open(path, 0), lambda: os.open(path, 1), lambda: os.listdir(path)):
        try:
            attempt()
            found.append(path)
        except OSError:
            pass
found
"""
    everything.send_variables({"HOME": os.path.expanduser("~")})
    assert everything(code).output == []


def test_writing_outside(everything, tmp_path, secret):
    for code in (
        f"open({str(tmp_path / 'new')!r}, 'w')",
        f"open({str(secret)!r}, 'a').write('x')",
        f"import os\nos.truncate({str(secret)!r}, 0)",
        f"import os\nos.unlink({str(secret)!r})",
        f"import os\nos.chmod({str(secret)!r}, 0)",
        f"import os\nos.utime({str(secret)!r}, (0, 0))",
        f"import os\nos.rename({str(secret)!r}, {str(tmp_path / 'other')!r})",
        f"import os\nos.mkdir({str(tmp_path / 'directory')!r})",
        f"import os\nos.mkfifo({str(tmp_path / 'fifo')!r})",
        "import sys\nopen(sys.prefix + '/lib/x.py', 'w')",
        "import os\nopen(os.__file__, 'a')",
    ):
        with pytest.raises(InterpreterError, match="Error"):
            everything(code)
    assert os.listdir(tmp_path) == ["secret.txt"]
    assert secret.stat().st_mode & 0o777 == 0o644
    assert secret.stat().st_mtime > 1000


def test_the_network(everything):
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0.2)
        for code in (
            f"import socket\nsocket.create_connection(('127.0.0.1', {tcp.getsockname()[1]}), 2)",
            f"import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {udp.getsockname()[1]}))",
            "import socket\nsocket.socket(socket.AF_UNIX)",
            "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
            "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
            "import socket\nsocket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
            "import socket\nsocket.getaddrinfo('localhost', 80, type=socket.SOCK_STREAM)[0]\nsocket.create_server(('', 0))",
        ):
            with pytest.raises(InterpreterError, match="rror"):
                everything(code)
        with pytest.raises(TimeoutError):
            udp.recv(10)


def test_a_socket_in_the_file_system(everything, tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        with pytest.raises(InterpreterError, match="Error"):
            everything(f"import socket\nsocket.socket(socket.AF_UNIX).connect({path!r})")


def test_the_session_of_another(make):
    first, second = make(["*"]), make(["*"])
    first("open('file', 'w').write('private')\nvalue = 'private too'")
    pid = first._session.connection.pid
    place = first._session.connection.work_dir
    second(f"import os, ctypes, signal\npid = {pid}\nplace = {place!r}")
    for code in (
        "open(place + '/file').read()",
        "os.listdir(place)",
        "os.listdir(os.path.dirname(place))",
        "os.kill(pid, signal.SIGKILL)",
        "open(f'/proc/{pid}/mem', 'rb').read(1)",
        "os.pidfd_open(pid)",
        "libc = ctypes.CDLL(None, use_errno=True)\nif libc.ptrace(16, pid, 0, 0): raise OSError(ctypes.get_errno(), 'no')",
    ):
        with pytest.raises(InterpreterError, match="Error"):
            second(code)
    assert first("open('file').read() + value").output == "privateprivate too"


def test_a_fork_bomb(everything):
    before = descendants()
    for code in (
        "import os\nwhile True: os.fork()",
        "import subprocess\nsubprocess.run(['true'])",
        "import multiprocessing\nmultiprocessing.Process(target=print).start()",
        "import os\nos.system('true') and 1 / 0",
    ):
        with pytest.raises(InterpreterError, match="Error"):
            everything(code)
    assert descendants() - before <= {everything._session.connection.pid, everything._session.connection._server.pid}


def test_threads_without_end(everything):
    code = """
import threading
count = 0
stop = threading.Event()
try:
    while True:
        threading.Thread(target=stop.wait, daemon=True).start()
        count += 1
except RuntimeError:
    pass
stop.set()
count
"""
    assert everything(code).output < 200


def test_filling_the_disk(make):
    executor = make(["os"], max_disk_mb=16)
    if "disk" not in executor.describe() and "MB of files" not in executor.describe():
        pytest.skip("this system lets users make no mounts: the disk is not limited")
    with pytest.raises(InterpreterError, match=r"No space left|File too large"):
        executor("import os\nfor number in range(100):\n    open(f'f{number}', 'wb').write(b'x' * 2 ** 20)")
    with pytest.raises(InterpreterError, match="No space left"):
        executor(
            "for name in os.listdir('.'):\n    os.unlink(name)\nwhile True:\n    number += 1\n    open(f'n{number}', 'w').close()"
        )
    assert executor("for name in os.listdir('.'):\n    os.unlink(name)\nopen('fine', 'w').write('1')").output == 1


def test_filling_the_descriptors(everything):
    with pytest.raises(InterpreterError, match="Too many open files"):
        everything("kept = []\nwhile True: kept.append(open('f', 'w'))")
    assert everything("del kept\nopen('f', 'w').write('1')").output == 1


def test_unpickling_tricks(make):
    seen = []
    executor = make(["pickle", "os"])
    executor.send_tools({"look": seen.append})
    executor("""
import os, pickle
class Trap:
    def __reduce__(self):
        return os.system, ("touch /tmp/pwned",)
""")
    with pytest.raises(InterpreterError, match="Trap"):
        executor("look(Trap())")
    executor("look(pickle.dumps(Trap()))")
    assert all(isinstance(value, bytes) for value in seen)
    assert not os.path.exists("/tmp/pwned")


def test_the_system_calls_of_an_attacker(everything):
    code = """
import ctypes, os, platform
libc = ctypes.CDLL(None, use_errno=True)
numbers = {
    "x86_64": {"ptrace": 101, "mount": 165, "unshare": 272, "setns": 308, "pivot_root": 155, "memfd_create": 319,
               "io_uring_setup": 425, "userfaultfd": 323, "keyctl": 250, "add_key": 248, "bpf": 321,
               "perf_event_open": 298, "init_module": 175, "kexec_load": 246, "reboot": 169, "open_by_handle_at": 304,
               "process_vm_readv": 310, "pidfd_open": 434, "execveat": 322, "vfork": 58, "personality": 135},
    "aarch64": {"ptrace": 117, "mount": 40, "unshare": 97, "setns": 268, "pivot_root": 41, "memfd_create": 279,
                "io_uring_setup": 425, "userfaultfd": 282, "keyctl": 219, "add_key": 217, "bpf": 280,
                "perf_event_open": 241, "init_module": 105, "kexec_load": 104, "reboot": 142, "open_by_handle_at": 265,
                "process_vm_readv": 270, "pidfd_open": 434, "execveat": 281, "personality": 92},
}[platform.machine()]
allowed = []
for name, number in numbers.items():
    if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() not in (1, 13, 38):
        allowed.append((name, ctypes.get_errno()))
allowed
"""
    assert everything(code).output == []


def test_raising_its_own_limits(make):
    executor = make(["resource"], memory_mb=200)
    with pytest.raises(InterpreterError, match="Error"):
        executor(
            "import resource\nresource.setrlimit(resource.RLIMIT_DATA, (10 ** 12, 10 ** 12))\nx = bytearray(10 ** 9)"
        )


def test_flooding_the_host_with_calls(make):
    executor = make(timeout_seconds=2)
    executor.send_tools({"nothing": lambda: None})
    with pytest.raises(InterpreterError, match=r"2 seconds|100000 calls"):
        executor("while True: nothing()")
    assert executor("1").output == 1


def test_a_flood_of_output(make):
    executor = make(timeout_seconds=10)
    result = executor("for _ in range(3_000): print('x' * 10_000)")
    assert len(result.logs) < 200_000


def test_as_an_unprivileged_user():
    """The attacks above again, by a user that has no rights of its own."""
    if os.geteuid():
        pytest.skip("only root can become another user")
    python = python_for_others()
    here = Path(__file__)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "100", "-x", "--basetemp"]
    base = f"/tmp/sandbox-attacks-{os.getpid()}"
    done = subprocess.run(
        [*command, base, "-k", "not unprivileged", str(here)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(here.parents[3] / "src"), *filter(None, sys.path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": "/nonexistent",
        },
        cwd=here.parents[3],
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    subprocess.run(["rm", "-rf", base], check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "passed" in done.stdout


def test_a_process_that_stops_itself(make):
    executor = make(["os", "signal"], timeout_seconds=0.5)
    with pytest.raises(InterpreterError):
        executor("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\nwhile True: pass")
    pid = None if executor._session is None else executor._session.connection.pid
    executor.cleanup()
    assert pid is None or not alive(pid)


def test_code_that_goes_on_in_a_thread_after_its_step(make):
    before = threading.active_count()
    executor = make(["threading", "time"])
    executor(
        "import threading, time\ncount = [0]\ndef run():\n    while True:\n        count[0] += 1\n        time.sleep(0.001)\nthreading.Thread(target=run, daemon=True).start()"
    )
    time.sleep(0.05)
    assert executor("count[0]").output > 0
    pid = executor._session.connection.pid
    executor.cleanup()
    assert not alive(pid)
    assert threading.active_count() <= before
