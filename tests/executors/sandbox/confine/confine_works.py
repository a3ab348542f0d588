"""What confined code must still be able to do."""

from __future__ import annotations

import errno
import os
import sys


def threads(scene):
    import threading
    from concurrent.futures import ThreadPoolExecutor

    lock = threading.Lock()
    found = []

    def note(number):
        with lock:
            found.append(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, range(100)))
    return sorted(found) == list(range(100))


def event_loop(scene):
    import asyncio

    async def work():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.001)
        queue = asyncio.Queue()
        await asyncio.gather(queue.put(1), queue.get())
        return await loop.run_in_executor(None, lambda: 42) + await asyncio.to_thread(int, "1")

    return asyncio.run(work())


def socket_pair(scene):
    import select
    import socket

    one, two = socket.socketpair()
    one.sendall(b"hello")
    assert select.select([two], [], [], 5)[0]
    return two.recv(10).decode()


def linear_algebra(scene):
    import numpy as np

    generator = np.random.default_rng(1)
    matrix = generator.normal(size=(200, 200))
    values, _ = np.linalg.eigh(matrix @ matrix.T)
    assert np.allclose(np.linalg.inv(matrix) @ matrix, np.eye(200), atol=1e-6)
    assert np.allclose(np.fft.ifft(np.fft.fft(matrix[0])).real, matrix[0])
    np.save("matrix.npy", matrix)
    return bool(np.array_equal(np.load("matrix.npy", mmap_mode="r"), matrix)) and len(values)


def data_frames(scene):
    import pandas as pd

    frame = pd.DataFrame(
        {"a": [1, 2, 3], "b": ["x", "y", "x"], "c": pd.date_range("2024-03-30", periods=3, tz="Europe/Paris")}
    )
    frame.to_csv("frame.csv")
    again = pd.read_csv("frame.csv", index_col=0)
    assert again["a"].sum() == 6
    assert str(frame["c"].dt.tz_convert("Asia/Tokyo").iloc[2]).endswith("+09:00")
    return frame.groupby("b")["a"].sum().to_dict()


def many_modules(scene):
    """Modules of the standard library that are built on libraries of the system, or look at it when imported."""
    import importlib

    # `readline` and the like are there or not, as Python was built.
    names = """
        bz2 lzma zlib gzip zipfile tarfile sqlite3 ssl hashlib hmac secrets uuid decimal fractions statistics random re json csv
        datetime zoneinfo calendar locale time asyncio concurrent.futures multiprocessing queue selectors socket email http.client
        urllib.request xml.etree.ElementTree html ctypes struct array mmap tempfile shutil glob fnmatch pathlib difflib textwrap
        unicodedata string itertools functools operator collections heapq bisect typing dataclasses enum inspect ast dis
        importlib.metadata logging pickle copy pprint io contextlib abc warnings traceback types weakref gc math cmath numbers
    """.split()
    failed = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            if getattr(error, "name", None) not in ("_sqlite3", "_lzma", "_bz2", "_ssl"):
                failed.append(f"{name}: {error}")
        except Exception as error:
            failed.append(f"{name}: {error!r}")
    return failed


def time_zones(scene):
    import time
    from datetime import datetime
    from zoneinfo import ZoneInfo

    os.environ["TZ"] = "America/New_York"
    time.tzset()
    assert time.tzname == ("EST", "EDT")
    return datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Europe/Paris")).isoformat()


def hashing(scene):
    import decimal
    import hashlib
    import random
    import secrets

    assert len(secrets.token_bytes(8)) == 8
    assert 0 <= random.random() < 1
    decimal.getcontext().prec = 50
    assert str(decimal.Decimal(2).sqrt()).startswith("1.41421356237309504880")
    return hashlib.sha256(b"x").hexdigest()[:8]


def temporary_files(scene):
    import tempfile

    assert tempfile.gettempdir() == scene["work_dir"]
    with tempfile.TemporaryDirectory() as directory, tempfile.NamedTemporaryFile("w+", dir=directory) as file:
        file.write("hello")
        file.seek(0)
        return file.read()


def work_with_files(scene):
    import glob
    import shutil
    from pathlib import Path

    os.makedirs("a/b")
    Path("a/b/one.txt").write_text("one")
    os.rename("a/b/one.txt", "a/two.txt")
    os.symlink("a/two.txt", "link")
    os.link("a/two.txt", "hard")
    assert Path("link").read_text() == "one"
    shutil.copyfile("a/two.txt", "copy")
    shutil.copytree("a", "tree", copy_function=shutil.copyfile)
    os.truncate("copy", 1)
    assert sorted(glob.glob("**/*.txt", recursive=True)) == ["a/two.txt", "tree/two.txt"]
    assert [name for _, _, names in os.walk("a") for name in names] == ["two.txt"]
    shutil.rmtree("tree")
    os.unlink("hard")
    os.chdir("a")
    os.chdir("..")
    return [Path("copy").read_text(), Path.cwd() == Path(scene["work_dir"])]


def work_with_metadata(scene):
    """Takes a root directory of its own."""
    import shutil
    import tarfile
    import zipfile
    from pathlib import Path

    Path("data").write_text("data")
    os.chmod("data", 0o640)
    shutil.copy2("data", "data2")
    os.utime("data", (1, 1))
    with tarfile.open("archive.tar", "w") as archive:
        archive.add("data")
    with tarfile.open("archive.tar") as archive:
        archive.extractall("out", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    with zipfile.ZipFile("archive.zip", "w") as archive:
        archive.write("data2")
    shutil.unpack_archive("archive.zip", "unzipped")
    shutil.make_archive("made", "gztar", "out")
    return [os.stat("data2").st_mode & 0o777, Path("out/data").read_text(), Path("unzipped/data2").read_text()]


def database(scene):
    import sqlite3

    with sqlite3.connect("data.db") as connection:
        connection.execute("create table t (a)")
        connection.executemany("insert into t values (?)", [(1,), (2,)])
    return sqlite3.connect("data.db").execute("select sum(a) from t").fetchone()[0]


def map_file(scene):
    import mmap

    with open("mapped", "w+b") as file:
        file.write(bytes(4096))
        file.flush()
        with mmap.mmap(file.fileno(), 0) as view:
            view[:5] = b"hello"
    return open("mapped", "rb").read(5).decode()


def call_back_from_c(scene):
    """Some builds of libffi write code for it."""
    import ctypes

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    numbers = (ctypes.c_int * 5)(5, 3, 1, 4, 2)
    compare = kind(lambda one, two: one[0] - two[0])
    ctypes.CDLL(None).qsort(numbers, 5, ctypes.sizeof(ctypes.c_int), compare)
    return list(numbers)


def devices(scene):
    open(os.devnull, "w").write("x")
    return [len(open("/dev/urandom", "rb").read(4)), len(os.urandom(4)), open("/dev/zero", "rb").read(1) == b"\0"]


def subprocess_is_refused(scene):
    import multiprocessing
    import subprocess

    texts = []
    for attempt in (
        lambda: subprocess.run(["ls"], check=True),
        lambda: subprocess.check_output("ls", shell=True),
        lambda: os.fork(),
        lambda: multiprocessing.get_context("fork").Process(target=print).start(),
    ):
        try:
            attempt()
        except PermissionError as error:
            texts.append(type(error).__name__)
    return texts


def own_signal(scene):
    """The process may signal itself."""
    import signal

    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        pass
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return "interrupted twice"


def timers(scene):
    import signal

    signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.pause()
    return "woken"


def identity(scene):
    import socket

    return [
        os.getuid(),
        os.geteuid(),
        os.getgid(),
        os.getgroups(),
        socket.gethostname(),
        os.getcwd() == scene["work_dir"],
    ]


def dump_traceback(scene):
    import faulthandler

    faulthandler.enable()
    with open("trace", "w") as file:
        faulthandler.dump_traceback(file)
    return "dump_traceback" in open("trace").read()


def read_readable(scene):
    return open(scene["readable"] + "/file").read()


def write_to_outside(scene):
    size = 0
    try:
        with open(scene["outside"] + "/big", "wb", buffering=0) as file:
            while True:
                size += file.write(bytes(1 << 20))
    except OSError as error:
        return [size >> 20, errno.errorcode[error.errno]]


def write_and_read_outside(scene):
    path = scene["outside"] + "/made"
    os.mkdir(path)
    open(path + "/file", "w").write("hello")
    os.rename(path + "/file", scene["outside"] + "/file2")
    os.rmdir(path)
    return open(scene["outside"] + "/file2").read()


def other_packages(scene):
    """Installed packages that were not authorised are not there."""
    found = []
    for directory in sys.path:
        for name in ("pip", "pytest", "ruff", "hypothesis", "_pytest"):
            if os.path.exists(f"{directory}/{name}/__init__.py"):
                try:
                    open(f"{directory}/{name}/__init__.py").close()
                    found.append(name)
                except PermissionError:
                    continue
    return found


def use_network(scene):
    import socket

    with socket.create_connection(("127.0.0.1", scene["tcp"]), 5) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", scene["udp"]))
    return socket.getaddrinfo("localhost", 80, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]


def certificates(scene):
    """How many certificates of authorities can be read where OpenSSL looks for them."""
    import ssl

    places = ssl.get_default_verify_paths()
    context = ssl.create_default_context()
    directory = places.openssl_capath
    names = os.listdir(directory) if os.path.isdir(directory) else []
    for name in names:
        open(os.path.join(directory, name), "rb").close()
    return [len(names), context.cert_store_stats()["x509_ca"]]


def serve_network(scene):
    import asyncio

    async def answer(reader, writer):
        writer.write(await reader.read(5))
        await writer.drain()
        writer.close()

    async def work():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello")
        return (await reader.read(5)).decode()

    return asyncio.run(work())


def make_executable_memory(scene):
    import mmap

    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
    return call_back_from_c(scene)


def spin_deaf(scene):
    import signal

    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True:
        pass


def confine_with_too_little_memory(scene):
    import confine

    keep = bytearray(64 << 20)
    policy = confine.Policy(readable=confine.python_paths(), writable=[], work_dir=scene["work_dir"], memory_mb=16)
    try:
        confine.confine(policy)
    except confine.ConfinementError as error:
        return f"{error.protection}: {error.why} {len(keep)}"


def time_to_confine(scene):
    import time

    import confine

    policy = confine.Policy(readable=[*confine.python_paths()], writable=[], work_dir=scene["work_dir"])
    confine.prepare(policy)
    times = []
    for _ in range(15):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            before = time.perf_counter()
            confine.confine(policy)
            os.write(writer, str(time.perf_counter() - before).encode())
            os._exit(0)
        os.waitpid(child, 0)
        times.append(float(os.read(reader, 100)))
    return sorted(times)[len(times) // 2]


def confine_with_threads(scene):
    import threading

    import confine

    wait = threading.Event()
    threading.Thread(target=wait.wait).start()
    try:
        confine.confine(confine.Policy(readable=confine.python_paths(), writable=[], work_dir=scene["work_dir"]))
    except confine.ConfinementError as error:
        return str(error)
    finally:
        wait.set()


def confine_with_missing_path(scene):
    import confine

    try:
        confine.confine(confine.Policy(readable=["/no/such/place"], writable=[], work_dir=scene["work_dir"]))
    except confine.ConfinementError as error:
        return str(error)


def abandon_a_confined_child(scene):
    """The child of a process that is killed."""
    import signal
    import time

    import confine

    policy = confine.Policy(readable=confine.python_paths(), writable=[], work_dir=scene["work_dir"])
    reader, writer = os.pipe()
    between = os.fork()
    if not between:
        child = os.fork()
        if not child:
            confine.confine(policy)
            os.write(writer, str(os.getpid()).encode())
            while True:
                time.sleep(1)
        time.sleep(100)
    child = int(os.read(reader, 100))
    os.kill(between, signal.SIGKILL)
    os.waitpid(between, 0)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return "gone"
        except PermissionError:  # another user's by now
            if not os.path.exists(f"/proc/{child}"):
                return "gone"
        if (
            os.path.exists(f"/proc/{child}/stat")
            and open(f"/proc/{child}/stat").read().rpartition(")")[2].split()[0] == "Z"
        ):
            return "gone"  # and not reaped: whoever adopted it has that duty
        time.sleep(0.01)
    return "still there"


def close_all(scene):
    import confine

    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
    far = os.dup2(opened[0], 1000)
    confine.close_descriptors((0, 1, 2, opened[3], opened[10]))
    left = []
    for descriptor in [*opened, far]:
        try:
            os.fstat(descriptor)
            left.append(descriptor)
        except OSError:
            continue
    return left == [opened[3], opened[10]]
