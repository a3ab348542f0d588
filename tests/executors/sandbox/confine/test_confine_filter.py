"""The filter of system calls, for both architectures: its program is run by a small interpreter of classic BPF."""

from __future__ import annotations

import errno
import os
import re
import struct
from pathlib import Path

import pytest
from confine_scene import scene, users
from hypothesis import given
from hypothesis import strategies as st

from smolagents.executors.sandbox.confine.filter import ALLOW, IGNORE, build_rules
from smolagents.executors.sandbox.confine.seccomp import compile_rules, program
from smolagents.executors.sandbox.confine.syscalls import NEWEST, SYSCALLS
from smolagents.executors.sandbox.confine.system import MACHINES, Architecture

_ARCHITECTURES = {name: Architecture(name, *details) for name, details in MACHINES.items()}
_PID = 4321
_KILL, _ALLOWED = "kill", "allowed"


def _run(code: list[tuple[int, int, int, int]], audit: int, number: int, arguments: tuple[int, ...] = ()) -> object:
    """What the program answers: `kill`, `allowed` or an error number."""
    padded = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, audit, 0, *[each & (1 << 64) - 1 for each in padded])
    accumulator = position = 0
    for _ in range(len(code)):
        kind, if_true, if_false, value = code[position]
        position += 1
        if kind == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif kind == 0x54:
            accumulator &= value
        elif kind == 0x05:
            position += value
        elif kind in (0x15, 0x35, 0x45):
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[kind]
            position += if_true if holds else if_false
        else:
            assert kind == 0x06
            if value == 0x80000000:
                return _KILL
            return _ALLOWED if value == 0x7FFF0000 else value - 0x00050000
    raise AssertionError("the program does not end")


def _code(architecture: Architecture, **features: bool) -> list[tuple[int, int, int, int]]:
    chosen = {"network": False, "executable_memory": False, "change_metadata": True, "truncate": True, **features}
    return compile_rules(architecture, build_rules(architecture, _PID, **chosen))


@pytest.fixture(params=_ARCHITECTURES.values(), ids=_ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> Architecture:
    return request.param


_tests = st.one_of(
    st.tuples(st.integers(0, 5), st.just("in"), st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple)),
    st.tuples(st.integers(0, 5), st.sampled_from(["clear", "any"]), st.integers(1, 15).map(lambda value: (value,))),
    st.tuples(st.integers(0, 5), st.just("zero"), st.just(())),
    st.tuples(st.integers(0, 5), st.just("masked"), st.lists(st.integers(0, 9), min_size=2, max_size=4).map(tuple)),
)
_rules = st.dictionaries(
    st.integers(0, NEWEST),
    st.one_of(
        st.sampled_from([ALLOW, IGNORE, errno.EPERM, errno.ENOSYS]),
        st.lists(st.lists(_tests, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3).map(tuple),
    ),
    max_size=40,
)
_arguments = st.tuples(*[st.one_of(st.integers(0, 12), st.sampled_from([1 << 32, (1 << 32) + 3]))] * 6)


def _holds(test: tuple[int, str, tuple[int, ...]], arguments: tuple[int, ...]) -> bool:
    argument, kind, values = test
    low = arguments[argument] & 0xFFFFFFFF
    if kind == "zero":
        return arguments[argument] == 0
    if kind == "masked":
        return low & ~values[0] in values[1:]
    return {"in": low in values, "clear": not low & values[0], "any": bool(low & values[0])}[kind]


@given(rules=_rules, number=st.integers(0, NEWEST + 20), arguments=_arguments)
def test_a_program_does_what_its_rules_say(rules: dict, number: int, arguments: tuple[int, ...]) -> None:
    architecture = _ARCHITECTURES["x86_64"]
    answer = _run(compile_rules(architecture, rules), architecture.audit, number, arguments)
    rule = rules.get(number, errno.EPERM if number <= NEWEST else errno.ENOSYS)
    if isinstance(rule, tuple):
        rule = ALLOW if any(all(_holds(test, arguments) for test in tests) for tests in rule) else errno.EPERM
    assert answer == {ALLOW: _ALLOWED, IGNORE: 0}.get(rule, rule)


def test_other_architectures_are_killed(architecture: Architecture) -> None:
    code = _code(architecture)
    for audit in (0x40000003, 0xC000003E, 0xC00000B7, 0x40000028, 0):  # i386, x86-64, aarch64, arm
        if audit != architecture.audit:
            assert _run(code, audit, architecture.numbers["read"]) == _KILL


def test_x32_is_killed() -> None:
    architecture = _ARCHITECTURES["x86_64"]
    for number in (0, 39, 512, 547):
        assert _run(_code(architecture), architecture.audit, 0x40000000 + number) == _KILL


def test_newer_calls_are_unknown(architecture: Architecture) -> None:
    code = _code(architecture)
    for number in (NEWEST + 1, NEWEST + 100, 0x3FFFFFFF):
        assert _run(code, architecture.audit, number) == errno.ENOSYS


def test_what_is_allowed_whatever_the_arguments(architecture: Architecture) -> None:
    """The list, so that it does not grow unnoticed."""
    rules = build_rules(
        architecture, _PID, network=False, executable_memory=False, change_metadata=True, truncate=True
    )
    names = {number: name for name, number in architecture.numbers.items()}
    allowed = {names[number] for number, rule in rules.items() if rule == ALLOW}
    old = {
        "access", "alarm", "dup2", "epoll_create", "epoll_wait", "eventfd", "futimesat", "getdents", "getpgrp", "link", "lstat",
        "newfstatat", "pause", "pipe", "poll", "readlink", "rename", "rmdir", "select", "stat", "symlink", "time", "unlink", "utime",
        "utimes",
    }  # fmt: skip
    new = {
        "brk", "chdir", "clock_getres", "clock_gettime", "clock_nanosleep", "close", "close_range", "copy_file_range", "dup", "dup3",
        "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "eventfd2", "exit", "exit_group", "faccessat", "faccessat2",
        "fadvise64", "fallocate", "fchdir", "fdatasync", "flock", "fstat", "fstatfs", "fsync", "ftruncate", "getcpu",
        "getcwd", "getdents64", "getegid", "geteuid", "getgid", "getgroups", "getitimer", "getpeername", "getpid", "getppid",
        "getrandom", "getresgid", "getresuid", "getrlimit", "getrusage", "getsockname", "getsockopt", "gettid", "gettimeofday",
        "getuid", "linkat", "lseek", "madvise", "mremap", "msync", "munmap", "nanosleep", "newfstatat", "pipe2", "ppoll", "pread64",
        "preadv", "preadv2", "pselect6", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlinkat", "readv", "recvfrom",
        "renameat", "renameat2", "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn",
        "rt_sigsuspend", "rt_sigtimedwait", "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
        "sched_getparam", "sched_getscheduler", "sched_yield", "sendfile", "set_robust_list", "set_tid_address", "setitimer",
        "shutdown", "sigaltstack", "statfs", "statx", "symlinkat", "sync_file_range", "sysinfo", "timerfd_create", "timerfd_gettime",
        "timerfd_settime", "times", "truncate", "umask", "uname", "unlinkat", "utimensat", "wait4", "waitid", "write", "writev",
    }  # fmt: skip
    assert allowed == {name for name in old | new if name in architecture.numbers}


_THREAD = 0x003D0F00  # what the C library makes threads with
_DECISIONS = [
    # call, arguments, allowed
    ("clone", (_THREAD,), True),
    ("clone", (17,), False),  # fork
    ("clone", (0x01200011,), False),  # fork of the C library
    ("clone", (0x4100 | 17,), False),  # vfork
    ("clone", (_THREAD | 0x10000000,), False),  # CLONE_NEWUSER
    ("clone", (_THREAD | 0x40000000,), False),  # CLONE_NEWNET
    ("clone", (_THREAD | 0x8000,), False),  # CLONE_PARENT
    ("clone", (_THREAD | 0x2000,), False),  # CLONE_PTRACE
    ("kill", (_PID, 9), True),
    ("kill", (1, 9), False),
    ("kill", (-1, 9), False),
    ("kill", (0, 9), False),
    ("kill", (-_PID, 9), False),
    ("tgkill", (_PID, _PID + 1, 6), True),
    ("tgkill", (1, 1, 6), False),
    ("prlimit64", (0, 7, 0, 1 << 40), True),
    ("prlimit64", (0, 7, 1 << 40, 0), False),
    ("prlimit64", (1, 7, 0, 1 << 40), False),
    ("mmap", (0, 4096, 3, 0x22), True),
    ("mmap", (0, 4096, 5, 0x2), True),  # a library
    ("mmap", (0, 4096, 5, 0x22), False),
    ("mmap", (0, 4096, 7, 0x2), False),
    ("mprotect", (0, 4096, 1), True),
    ("mprotect", (0, 4096, 5), False),
    ("socketpair", (1, 1, 0), True),
    ("socketpair", (1, 0o2004001, 0), True),
    ("socketpair", (1, 2, 0), False),
    ("socketpair", (1, 5, 0), False),
    ("socketpair", (2, 1, 0), False),
    ("sendto", (3, 1 << 40, 5, 0, 0, 0), True),
    ("sendto", (3, 1 << 40, 5, 0, 1 << 40, 16), False),
    ("fcntl", (3, 3), True),
    ("fcntl", (3, 8), False),  # F_SETOWN
    ("fcntl", (3, 10), False),  # F_SETSIG
    ("fcntl", (3, 15), False),  # F_SETOWN_EX
    ("ioctl", (0, 0x5401), True),
    ("ioctl", (0, 0x5412), False),  # TIOCSTI
    ("ioctl", (0, 0x541C), False),  # TIOCLINUX
    ("ioctl", (0, 0x8901), False),  # FIOSETOWN
    ("prctl", (15,), True),
    ("prctl", (1,), False),  # PR_SET_PDEATHSIG
    ("prctl", (4, 1), False),  # PR_SET_DUMPABLE
    ("prctl", (22, 2), False),  # PR_SET_SECCOMP
    ("personality", (0xFFFFFFFF,), True),
    ("personality", (0x0400000,), False),  # READ_IMPLIES_EXEC
    ("futex", (1 << 40, 0x189), True),
    ("futex", (1 << 40, 0x86), False),  # FUTEX_LOCK_PI
    ("openat", (-100, 1 << 40, 0o101, 0o666), True),
    ("openat", (-100, 1 << 40, 0o101, 0o4755), False),
    ("fchmodat", (-100, 1 << 40, 0o755), True),
    ("fchmodat", (-100, 1 << 40, 0o6755), False),
    ("socket", (2, 1, 0), False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "allowed"), _DECISIONS)
def test_decisions_by_argument(
    name: str, arguments: tuple[int, ...], allowed: bool, architecture: Architecture
) -> None:
    answer = _run(_code(architecture), architecture.audit, architecture.numbers[name], arguments)
    assert answer == (_ALLOWED if allowed else errno.EPERM)


@pytest.mark.parametrize(
    ("name", "arguments", "allowed"),
    [
        ("socket", (2, 0o2000001, 0), True),
        ("socket", (10, 2, 17), True),
        ("socket", (2, 1, 262), False),  # MPTCP
        ("socket", (2, 3, 1), False),  # raw
        ("socket", (1, 1, 0), False),
        ("socket", (16, 2, 0), False),
        ("socket", (17, 3, 0), False),
        ("setsockopt", (3, 6, 1), True),  # TCP_NODELAY
        ("setsockopt", (3, 1, 26), False),  # SO_ATTACH_FILTER
        ("setsockopt", (3, 6, 31), False),  # TCP_ULP
        ("setsockopt", (3, 0, 64), False),  # IPT_SO_SET_REPLACE
        ("sendto", (3, 1 << 40, 5, 0, 1 << 40, 16), True),
        ("connect", (3, 1 << 40, 16), True),
    ],
)
def test_network_decisions(name: str, arguments: tuple[int, ...], allowed: bool, architecture: Architecture) -> None:
    answer = _run(_code(architecture, network=True), architecture.audit, architecture.numbers[name], arguments)
    assert answer == (_ALLOWED if allowed else errno.EPERM)


def test_changes_of_modes_are_ignored_where_they_cannot_be_confined(architecture: Architecture) -> None:
    code = _code(architecture, change_metadata=False)
    for name in ("fchmod", "fchmodat", "fchmodat2", "utimensat"):
        assert _run(code, architecture.audit, architecture.numbers[name], (3, 0o600, 0o600)) == 0


def test_the_pid_is_filled_in() -> None:
    features = (False, False, True, True)
    assert program(4711, features) != program(4712, features)
    assert (4711).to_bytes(4, "little") in program(4711, features)
    assert len(program(4711, features)) // 8 < 1000  # the kernel takes 4096 instructions


@pytest.mark.parametrize(
    ("header", "architecture"),
    [
        (f"/usr/include/{os.uname().machine}-linux-gnu/asm/unistd_64.h", "x86_64"),
        ("/usr/include/asm-generic/unistd.h", "aarch64"),
    ],
    ids=["x86_64", "aarch64"],
)
def test_numbers_are_the_kernels(header: str, architecture: str) -> None:
    """Compared with the kernel's headers where they are installed."""
    if not Path(header).exists():
        pytest.skip(f"{header} is not there")
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text())
    numbers = {name: int(number) for name, number in found}
    numbers["newfstatat"] = numbers.get("newfstatat", numbers.get("fstatat", -1))
    column = MACHINES[architecture][1]
    compared = 0
    for name, each in SYSCALLS.items():
        if each[column] is not None and name in numbers:
            assert each[column] == numbers[name], name
            compared += 1
        elif each[column] is None:
            assert name not in numbers or architecture == "aarch64", name
    assert compared > 100


@pytest.mark.parametrize("user", users())
def test_every_other_call_is_refused_for_real(user: int) -> None:
    """Each number that no rule names, called in a confined process."""
    with scene(user) as place:
        outcome = place.run("confine_sweep", ["sweep"])
    refused, others = outcome.results["sweep"][0]
    assert refused > 150
    assert others == []
