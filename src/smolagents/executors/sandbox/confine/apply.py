"""`confine`: every protection that the system gives, applied to this process for ever."""

from __future__ import annotations

import os
import pwd
import stat

from . import landlock, limits, mounts, namespaces, privileges, seccomp
from .imports import find_only_readable_modules
from .mounts import Place
from .policy import ConfinementError, Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NETWORK_FILES", "confine", "prepare"]

_READABLE_DEVICES = ("/dev/zero", "/dev/urandom", "/dev/random")
_NULL = "/dev/null"
_COUNTS_BY_NAMESPACE = (5, 14)  # the version of Linux from which on RLIMIT_NPROC counts in each user namespace
NETWORK_FILES = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/usr/lib/ssl",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/openssl.cnf",
    "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
)
"""What resolving names and checking certificates reads; added to what is readable when the network is allowed."""


def confine(policy: Policy) -> list[str]:
    """Confine this process. It cannot be undone, and everything the process starts or becomes is confined as well.

    Call it in the worker, while it has one thread, after everything that the policy does not allow is done and every descriptor
    that the code must not have is closed (`close_descriptors`). The present directory is then `policy.work_dir`.

    Returns:
        `list[str]`: What holds now, of: `landlock` (files), `landlock_network` (no TCP), `landlock_scope` (no signals to and no
        abstract sockets of others), `seccomp`, `capabilities` (none left), `own_user` (instead of root, a user that owns
        nothing), `user_namespace`, `mount_namespace`, `network_namespace`, `ipc_namespace`, `uts_namespace`, `private_root`
        (paths outside do not exist), `disk` (the work directory has a size), `memory`, `cpu`, `files` (open descriptors),
        `file_size`, `threads`, `die_with_parent`.

    Raises:
        ConfinementError: A protection that was asked for could not be applied. The process may be confined in part; it must end.
    """
    descriptors: list[int] = []
    try:
        return _Confinement(policy, descriptors).apply()
    except OSError as error:
        raise ConfinementError("files", str(error)) from error
    finally:
        _close(descriptors)


def prepare(policy: Policy) -> None:
    """Do what `confine` can do beforehand. For a process that forks workers with policies that differ only in their paths and
    limits: `confine` is then quicker in them."""
    version = landlock.version() if "landlock" not in policy.unconfined else 0
    for private_root, owns_nothing in ((True, True), (False, True), (False, False)):
        seccomp.program(1, _features(policy, private_root, owns_nothing, version))
    for path in (*policy.readable, *policy.hidden, *policy.writable, *_READABLE_DEVICES, _NULL):
        mounts.resolve(path)


class _Confinement:
    """The steps, in the order that the kernel asks for."""

    def __init__(self, policy: Policy, descriptors: list[int]) -> None:
        self.policy = policy
        self.descriptors = descriptors
        self.applied: list[str] = []
        self.files_as_root = False
        self.parent = os.getppid()
        _check_single_thread()
        self.memory_used = limits.memory_used()
        self.capabilities = privileges.capabilities()
        self.landlock_version = self._landlock_version()
        if "seccomp" not in policy.unconfined and not seccomp.supported():
            raise ConfinementError("seccomp", "the kernel has no seccomp filters, or the container refuses them")

        self.uid, self.gid = os.geteuid(), os.getegid()
        self.is_root = self.uid == 0
        self.change_user = False
        if self.is_root and "own_user" not in policy.unconfined:
            unused = privileges.unused_id()
            if unused is not None and self._has(privileges.CAP_SETUID, privileges.CAP_SETGID):
                self.change_user = True
                self.uid = self.gid = unused

    def apply(self) -> list[str]:
        _die_first_when_memory_is_short()
        counted = None if _kernel() >= _COUNTS_BY_NAMESPACE or self.is_root else limits.threads_of_user(self.uid)
        self._enter_namespaces()
        other_threads = self._other_threads(counted)
        self._open_places()
        self._enter_private_root()
        ruleset = self._landlock_rules()
        self.files_as_root = self.change_user and self._needs_root_for_files()
        self._take_work_dir()
        _close(self.descriptors)
        self._limit(other_threads)

        privileges.lock_capabilities()
        if self.change_user:
            privileges.become(self.uid, self.gid, files_as=0 if self.files_as_root else None)
            if not self.files_as_root:
                self.applied.append("own_user")
        privileges.drop_capabilities()
        privileges.forbid_new_privileges()
        self.applied.append("capabilities")
        if ruleset is not None:
            ruleset.restrict()
        privileges.hide_from_debuggers()
        if self.policy.die_with_parent:
            privileges.die_with_parent(self.parent)
            self.applied.append("die_with_parent")
        self._filter_system_calls()
        if "private_root" not in self.applied:
            find_only_readable_modules()
        return self.applied

    def _open_places(self) -> None:
        # In the new mount namespace: what was opened in another one cannot be mounted here.
        policy = self.policy
        self.readable = self._open(policy.readable)
        self.readable += self._open(_READABLE_DEVICES, optional=True)
        if policy.allow_network:
            self.readable += self._open(NETWORK_FILES, optional=True)
        self.hidden = self._open(policy.hidden, optional=True)
        self.writable = self._open(policy.writable) + self._open((_NULL,), optional=True)
        (self.work_dir,) = self._open([policy.work_dir])

    def _has(self, *capabilities: int) -> bool:
        return all(self.capabilities >> capability & 1 for capability in capabilities)

    def _open(self, paths: Iterable[str], *, optional: bool = False) -> list[Place]:
        places = []
        for path in paths:
            try:
                descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError as error:
                if optional:
                    continue
                raise ConfinementError("files", f"cannot open {path}: {error.strerror}") from error
            self.descriptors.append(descriptor)
            places.append((path, descriptor))
        return places

    def _landlock_version(self) -> int:
        if "landlock" in self.policy.unconfined:
            return 0
        version = landlock.version()
        if not version:
            raise ConfinementError("landlock", "the kernel has no Landlock, or it is not active")
        return version

    def _enter_namespaces(self) -> None:
        policy = self.policy
        if "namespaces" in policy.unconfined:
            return
        self.applied += namespaces.enter(network=policy.allow_network, privileged=self._has(privileges.CAP_SYS_ADMIN))
        if "user_namespace" in self.applied:
            self.change_user = False  # only the present user has a name there
            self.uid, self.gid = os.geteuid(), os.getegid()

    def _enter_private_root(self) -> None:
        policy = self.policy
        if "mount_namespace" not in self.applied:
            return
        try:
            mounts.enter_private_root(
                readable=self.readable,
                hidden=self.hidden,
                writable=self.writable,
                work_dir=self.work_dir,
                disk_mb=policy.max_disk_mb,
                owner=(self.uid, self.gid),
                executable=policy.executable_memory,
            )
        except OSError:
            return  # the system forbids mounting; Landlock and the filter hold by themselves
        self.applied.append("private_root")
        if policy.max_disk_mb is not None:
            self.applied.append("disk")

    def _landlock_rules(self) -> landlock.Ruleset | None:
        if not self.landlock_version:
            return None
        ruleset = landlock.Ruleset(self.landlock_version, refuse_network=not self.policy.allow_network)
        self._allow_reading(ruleset)
        for _, descriptor in self.writable:
            ruleset.allow(descriptor, landlock.WRITE)
        private_root = "private_root" in self.applied
        # Opened again: they may be other file systems by now.
        for path, descriptor in self._open(self.policy.hidden, optional=True):
            # To import what is authorised in it. Without a private root that lists all the rest, too.
            if private_root or not _holds_home(path):
                ruleset.allow(descriptor, landlock.LIST)
        ((_, descriptor),) = self._open([self.policy.work_dir])
        ruleset.allow(descriptor, landlock.WRITE)
        self.applied.append("landlock")
        if self.landlock_version >= 4 and not self.policy.allow_network:
            self.applied.append("landlock_network")
        if self.landlock_version >= 6:
            self.applied.append("landlock_scope")
        return ruleset

    def _allow_reading(self, ruleset: landlock.Ruleset) -> None:
        if "private_root" in self.applied or not self.policy.hidden:
            for _, descriptor in self.readable:
                ruleset.allow(descriptor, landlock.READ)
            return
        hidden = [os.path.realpath(path) for path in self.policy.hidden]
        for path, descriptor in self.readable:
            real = os.path.realpath(path)
            holes = _beneath(real, hidden)
            if holes:
                _allow_around(ruleset, real, holes)
            else:
                ruleset.allow(descriptor, landlock.READ)

    def _other_threads(self, counted: int | None) -> int | None:
        """How many threads the kernel counts with this process's, None if it does not count them."""
        if self.change_user:
            return 0
        if self.is_root:
            return None  # the kernel exempts root from this limit
        if counted is not None:
            return counted
        if "user_namespace" in self.applied:
            return 0
        return limits.threads_of_user(os.getuid())

    def _needs_root_for_files(self) -> bool:
        """Whether files are to be opened as root, who named them, rather than as a user that owns nothing.

        So it is where the code is to write into directories that stay: what it makes there belongs to root then, as what root
        makes does. And where something that the policy names can be read by root only.
        """
        policy = self.policy
        if policy.writable or policy.max_disk_mb is None:
            return True
        private_root = "private_root" in self.applied
        for path, descriptor in self.readable:
            status = os.fstat(descriptor)
            bits = 0o5 if stat.S_ISDIR(status.st_mode) else 0o4
            if status.st_mode & bits != bits or not (private_root or _parents_are_open(path)):
                return True
        # What the worker has read so far it could read as root; the rest of the standard library is to be read as another user.
        return not (private_root or all(map(_parents_are_open, (policy.work_dir, os.__file__))))

    def _take_work_dir(self) -> None:
        os.chdir(self.policy.work_dir)
        if self.change_user and self.files_as_root:
            if "disk" in self.applied:
                os.chown(".", 0, 0)
        elif self.change_user:
            os.chown(".", self.uid, self.gid)

    def _limit(self, other_threads: int | None) -> None:
        policy = self.policy
        try:
            self.applied += limits.apply(
                used=self.memory_used,
                memory_mb=policy.memory_mb,
                cpu_seconds=policy.cpu_seconds,
                max_files=policy.max_files,
                max_file_mb=policy.max_file_mb or policy.max_disk_mb,
            )
            if other_threads is not None:
                self.applied += limits.limit_threads(policy.max_threads, other_threads)
        except (ValueError, OSError) as error:
            raise ConfinementError("limits", str(error)) from error

    def _filter_system_calls(self) -> None:
        if "seccomp" in self.policy.unconfined:
            return
        private_root = "private_root" in self.applied
        owns_nothing = private_root or "own_user" in self.applied
        features = _features(self.policy, private_root, owns_nothing, self.landlock_version)
        program = seccomp.program(os.getpid(), features)
        try:
            seccomp.install(program)
        except OSError as error:
            raise ConfinementError("seccomp", str(error)) from error
        self.applied.append("seccomp")


def _features(policy: Policy, private_root: bool, owns_nothing: bool, landlock_version: int) -> seccomp.Features:
    """What the filter depends on. `owns_nothing`: files outside cannot be changed anyway."""
    truncate = private_root or landlock_version >= 3
    return policy.allow_network, policy.executable_memory, owns_nothing, truncate


def _beneath(path: str, hidden: list[str]) -> list[str]:
    return [each for each in hidden if each.startswith(path + "/")]


def _allow_around(ruleset: landlock.Ruleset, directory: str, holes: list[str]) -> None:
    """Allow reading a directory but for some beneath it. Rules can only add, so everything else is named; the names of what is
    hidden can still be listed."""
    with os.scandir(directory) as entries:
        names = [entry.path for entry in entries if not entry.is_symlink() and entry.path not in holes]
    for path, access in ((directory, landlock.LIST), *((name, landlock.READ) for name in names)):
        inner = _beneath(path, holes)
        if inner and path != directory:
            _allow_around(ruleset, path, inner)
            continue
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            ruleset.allow(descriptor, access)
        finally:
            os.close(descriptor)


def _holds_home(path: str) -> bool:
    try:
        home = os.path.realpath(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        return False
    return f"{home}/".startswith(os.path.realpath(path).rstrip("/") + "/")


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())


def _check_single_thread() -> None:
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        # Landlock and user namespaces bind the calling thread only.
        raise ConfinementError("landlock", f"the process has {threads} threads; confine it before it starts any")


def _die_first_when_memory_is_short() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass  # a courtesy to the rest of the system


def _kernel() -> tuple[int, int]:
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(filter(str.isdigit, minor)) or 0)


def _parents_are_open(path: str) -> bool:
    parent = os.path.dirname(os.path.realpath(path))
    while True:
        if not os.stat(parent).st_mode & 1:
            return False
        if parent == "/":
            return True
        parent = os.path.dirname(parent)
