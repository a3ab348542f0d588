"""Compiles the rules of `filter` to a seccomp program and installs it.

The program is classic BPF over `struct seccomp_data` (<linux/seccomp.h>): a binary search for the system call's number, then
the tests of its arguments. Kernels from 5.11 on remember the calls that are allowed whatever their arguments, and do not run
the program for them.
"""

from __future__ import annotations

import ctypes
import struct

from .filter import ALLOW, EPERM, IGNORE, Alternatives, Test, build_rules
from .syscalls import NEWEST
from .system import ARCHITECTURE, Architecture, address, syscall

__all__ = ["compile_rules", "install", "program", "supported"]

# <linux/bpf_common.h>
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_JUMP = 0x05  # BPF_JMP | BPF_JA
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

# <linux/seccomp.h>
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_ALLOWED = 0x7FFF0000
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_SET_MODE_FILTER = 1
_GET_ACTION_AVAIL = 2
_FLAG_TSYNC = 1

_X32 = 0x40000000
_ENOSYS = 38

Instruction = tuple[int, int, int, int]  # struct sock_filter: code, jump if true, jump if false, k


def supported() -> bool:
    """Whether the kernel has seccomp filters with every action that the program uses."""
    try:
        for action in (_KILL_PROCESS, _ERRNO):
            wanted = ctypes.create_string_buffer(struct.pack("=I", action))
            syscall("seccomp", _GET_ACTION_AVAIL, 0, address(wanted))
    except OSError:
        return False
    return True


Features = tuple[bool, bool, bool, bool]
"""The arguments of `build_rules`: network, executable_memory, change_metadata, truncate."""

_ANY_PID = 0x5AFEC0DE  # stands for the process id in remembered programs; no process id is as great
_programs: dict[Features, bytes] = {}


def program(pid: int, features: Features) -> bytes:
    """The filter for a process of this architecture.

    Made once for the same features: a process that forks workers calls this beforehand, and its children find it.
    """
    made = _programs.get(features)
    if made is None:
        if ARCHITECTURE is None:
            raise OSError(_ENOSYS, "no system calls known for this architecture")
        network, executable_memory, change_metadata, truncate = features
        rules = build_rules(
            ARCHITECTURE,
            _ANY_PID,
            network=network,
            executable_memory=executable_memory,
            change_metadata=change_metadata,
            truncate=truncate,
        )
        code = compile_rules(ARCHITECTURE, rules)
        made = _programs[features] = b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
    return made.replace(_ANY_PID.to_bytes(4, "little"), pid.to_bytes(4, "little"))


def compile_rules(architecture: Architecture, rules: dict[int, int | Alternatives]) -> list[Instruction]:
    """A program that kills for another architecture's system calls, applies `rules`, and refuses everything else."""
    start: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, architecture.audit),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if architecture.name == "x86_64":
        # x32 calls have the same AUDIT_ARCH.
        start += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL_PROCESS)]
    # Runs of numbers with the same fate: (first number, what to do from there on).
    runs: list[tuple[int, int | Alternatives]] = []
    for number in range(NEWEST + 1):
        rule = rules.get(number, EPERM)
        if not runs or runs[-1][1] != rule:
            runs.append((number, rule))
    runs.append((NEWEST + 1, _ENOSYS))
    return start + _search(runs)


def _search(runs: list[tuple[int, int | Alternatives]]) -> list[Instruction]:
    if len(runs) == 1:
        return _decide(runs[0][1])
    middle = len(runs) // 2
    below, above = _search(runs[:middle]), _search(runs[middle:])
    # Conditional jumps reach 255 instructions only.
    return [(_AT_LEAST, 0, 1, runs[middle][0]), (_JUMP, 0, 0, len(below)), *below, *above]


def _decide(rule: int | Alternatives) -> list[Instruction]:
    if isinstance(rule, int):
        action = {ALLOW: _ALLOWED, IGNORE: _ERRNO}.get(rule, _ERRNO | rule)
        return [(_RETURN, 0, 0, action)]
    code: list[Instruction] = []
    for tests in rule:
        code += _all_hold(tests)
    return [*code, (_RETURN, 0, 0, _ERRNO | EPERM)]


def _all_hold(tests: tuple[Test, ...]) -> list[Instruction]:
    """Returns from the program if all tests hold, else goes on after it."""
    code: list[Instruction] = [(_RETURN, 0, 0, _ALLOWED)]
    for argument, kind, values in reversed(tests):
        low = _ARGUMENTS + 8 * argument  # both architectures are little-endian
        after = len(code)  # instructions to leap over when the test does not hold
        test: list[Instruction] = [(_LOAD, 0, 0, low)]
        if kind == "clear":
            test += [(_ANY_BIT, after, 0, values[0])]
        elif kind == "any":
            test += [(_ANY_BIT, 0, after, values[0])]
        elif kind == "zero":
            test += [(_EQUAL, 0, after + 2, 0), (_LOAD, 0, 0, low + 4), (_EQUAL, 0, after, 0)]
        else:
            wanted = values
            if kind == "masked":
                test += [(_AND, 0, 0, 0xFFFFFFFF & ~values[0])]
                wanted = values[1:]
            for index, value in enumerate(wanted):
                left = len(wanted) - 1 - index
                test += [(_EQUAL, left, 0 if left else after, value)]
        code = test + code
    return code


def install(code: bytes) -> None:
    """Put the program in force for all threads of the process, for ever. Needs `no_new_privs`.

    Raises:
        OSError: The kernel refused it.
    """
    instructions = ctypes.create_string_buffer(code)
    wanted = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", len(code) // 8, address(instructions)))
    syscall("seccomp", _SET_MODE_FILTER, _FLAG_TSYNC, address(wanted))
