"""Which system calls confined code may make.

A list of what is allowed, everything else refused: what Python, numpy and pandas need to compute, to use threads, and to
read and write files that are open to them. Landlock decides about paths; this list keeps away from what it does not cover.
"""

from __future__ import annotations

from .system import Architecture

__all__ = ["ALLOW", "EPERM", "IGNORE", "Alternatives", "Test", "build_rules"]

EPERM = 1
_ENOSYS = 38
_EOPNOTSUPP = 95

ALLOW = 0
IGNORE = -1
"""The call does nothing and returns as if it had."""

Test = tuple[int, str, tuple[int, ...]]
"""(argument, kind, values). Kinds: `in` one of the values; `clear` no bit of the value is set; `any` some bit of the value is
set; `zero` all 64 bits are zero; `masked` the argument without the bits of the first value is one of the rest."""

Alternatives = tuple[tuple[Test, ...], ...]
"""The call is allowed if all tests of one of these hold."""

_FILES = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 close close_range lseek
    stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd chdir fchdir
    rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat ftruncate fallocate
    fsync fdatasync fadvise64 readahead copy_file_range sendfile sync_file_range dup dup2 dup3 flock pipe pipe2 umask
    statfs fstatfs poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
    eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime
"""
_PROCESS = """
    munmap mremap madvise brk msync set_tid_address set_robust_list rseq
    sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min
    gettid getpid getppid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp exit exit_group
    restart_syscall wait4 waitid nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times getrusage
    getrandom uname sysinfo getcpu getrlimit rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait
    rt_sigsuspend sigaltstack alarm setitimer getitimer pause getsockname getpeername getsockopt shutdown recvfrom
"""
_TIMES = "utime utimes futimesat utimensat"
_NETWORK = "connect bind listen accept accept4 sendto sendmsg recvmsg sendmmsg recvmmsg"
# Copying a file asks for these and goes on without them if they are not supported; a refusal would end the copy.
_EXTENDED_ATTRIBUTES = """
    getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr
    removexattr lremovexattr fremovexattr
"""
# A C library that does not find these uses older calls, whose arguments the filter can see.
_FALL_BACK = "clone3 openat2"

_SET_ID_BITS = 0o6000
_PROT_WRITE, _PROT_EXEC = 2, 4
_MAP_ANONYMOUS = 0x20
_CLONE_THREAD = 0x00010000
# PTRACE, VFORK, PARENT, UNTRACED, PIDFD and every CLONE_NEW*.
_CLONE_REFUSED = (
    0x00002000 | 0x00004000 | 0x00008000 | 0x00800000 | 0x00001000
    | 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000 | 0x00000080
)  # fmt: skip
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_OFD_*LK*, F_DUPFD_CLOEXEC, F_GETPIPE_SZ.
# Not F_SETOWN and F_SETSIG, which send any signal to any process of the same user.
_FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)
# TCGETS, TCGETS2 (both for isatty), TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX.
_IOCTL = (0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
_FICLONE = 0x40049409
# PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS.
_PRCTL = (3, 15, 16, 21, 23, 39)
# WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_BITSET, WAKE_BITSET, private and by the clock or not. Those that inherit
# priorities are left out: they had the worst faults, and only real-time programs need them.
_FUTEX, _FUTEX_FLAGS = (0, 1, 3, 4, 5, 9, 10), 0x180
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCK_STREAM, _SOCK_DGRAM = 1, 2
_SOCK_FLAGS = 0o2004000  # SOCK_CLOEXEC | SOCK_NONBLOCK
_PROTOCOLS = (0, 6, 17)  # the usual one, TCP, UDP
# Options that programs use; not those that attach programs to a socket or another protocol to a connection.
_SOCKET_OPTIONS = {
    1: (2, 4, 5, 6, 7, 8, 9, 10, 13, 15, 20, 21, 29, 35),  # SOL_SOCKET: REUSEADDR … TIMESTAMP
    0: (1, 2, 8, 10, 11),  # IPPROTO_IP: TOS, TTL, PKTINFO, MTU_DISCOVER, RECVERR
    6: (1, 2, 3, 4, 5, 6, 12, 18),  # IPPROTO_TCP: NODELAY … KEEPCNT, QUICKACK, USER_TIMEOUT
    41: (16, 23, 25, 26, 49, 67),  # IPPROTO_IPV6: UNICAST_HOPS, MTU_DISCOVER, RECVERR, V6ONLY, RECVPKTINFO, TCLASS
}


def build_rules(
    architecture: Architecture,
    pid: int,
    *,
    network: bool,
    executable_memory: bool,
    change_metadata: bool,
    truncate: bool,
) -> dict[int, int | Alternatives]:
    """Rules by system call number: `ALLOW`, `IGNORE`, an errno, or tests of the arguments (EPERM if none holds).

    Args:
        architecture (`Architecture`): Whose numbers to use.
        pid (`int`): The process that the code runs in, the only one that it may signal.
        network (`bool`): Allow IPv4 and IPv6 sockets.
        executable_memory (`bool`): Allow memory that is written and then executed.
        change_metadata (`bool`): Allow modes and times of files to be changed. Landlock does not restrict that, so it is safe
            only where everything else is mounted read-only or belongs to others. Elsewhere such changes are ignored, as on
            file systems that cannot hold them: a refusal would end `shutil.copy` and the like.
        truncate (`bool`): Allow truncation by path, which Landlock restricts from version 3 on.
    """
    rules: dict[str, int | Alternatives] = dict.fromkeys((_FILES + _PROCESS).split(), ALLOW)
    rules.update(dict.fromkeys(_EXTENDED_ATTRIBUTES.split(), _EOPNOTSUPP))
    rules.update(dict.fromkeys(_FALL_BACK.split(), _ENOSYS))
    if truncate:
        rules["truncate"] = ALLOW

    for name, argument in (("open", 2), ("openat", 3), ("creat", 1), ("mkdir", 1), ("mkdirat", 2)):
        rules[name] = (((argument, "clear", (_SET_ID_BITS,)),),)
    for name, argument in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2)):
        rules[name] = (((argument, "clear", (_SET_ID_BITS,)),),) if change_metadata else IGNORE
    rules.update(dict.fromkeys(_TIMES.split(), ALLOW if change_metadata else IGNORE))

    if executable_memory:
        rules["mmap"] = rules["mprotect"] = ALLOW
    else:
        # A library is mapped from its file, readable and executable; nothing else ever becomes executable.
        rules["mmap"] = (
            ((2, "clear", (_PROT_EXEC,)),),
            ((2, "clear", (_PROT_WRITE,)), (3, "clear", (_MAP_ANONYMOUS,))),
        )
        rules["mprotect"] = (((2, "clear", (_PROT_EXEC,)),),)

    rules["clone"] = (((0, "any", (_CLONE_THREAD,)), (0, "clear", (_CLONE_REFUSED,))),)
    rules["kill"] = rules["tgkill"] = rules["tkill"] = (((0, "in", (pid,)),),)
    rules["prlimit64"] = (((0, "in", (0, pid)), (2, "zero", ())),)
    rules["prctl"] = (((0, "in", _PRCTL),),)
    rules["personality"] = (((0, "in", (0xFFFFFFFF,)),),)  # asks for the present one
    rules["futex"] = (((1, "masked", (_FUTEX_FLAGS, *_FUTEX)),),)
    rules["fcntl"] = (((1, "in", _FCNTL),),)
    rules["ioctl"] = (((1, "in", _IOCTL),),)

    # asyncio wakes its loop through a pair. Other types than STREAM could be sent on to named sockets.
    rules["socketpair"] = (((0, "in", (_AF_UNIX,)), (1, "masked", (_SOCK_FLAGS, _SOCK_STREAM))),)
    if network:
        rules.update(dict.fromkeys(_NETWORK.split(), ALLOW))
        rules["socket"] = (
            (
                (0, "in", (_AF_INET, _AF_INET6)),
                (1, "masked", (_SOCK_FLAGS, _SOCK_STREAM, _SOCK_DGRAM)),
                (2, "in", _PROTOCOLS),
            ),
        )
        rules["setsockopt"] = tuple(
            ((1, "in", (level,)), (2, "in", options)) for level, options in _SOCKET_OPTIONS.items()
        )
    else:
        rules["sendto"] = (((4, "zero", ()),),)  # only on a pair, so without an address
    numbers = architecture.numbers
    return {numbers[name]: rule for name, rule in rules.items() if name in numbers}
