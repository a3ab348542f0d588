"""Confinement on systems that give less. Each function makes such a system in a process of its own and confines itself there."""

from __future__ import annotations

import errno
import json
import os

import confine
import confine.privileges
import confine.seccomp
import confine.system
import confine_attacks


def _confined(scene, lessen, **changes):
    """What `confine` says in a child in which `lessen` was called before, and what the child can still reach."""
    reader, writer = os.pipe()
    policy = confine.Policy(
        **{
            "readable": confine.python_paths(),
            "hidden": confine.hidden_paths(),
            "writable": [],
            "work_dir": scene["work_dir"],
            **changes,
        }
    )
    child = os.fork()
    if not child:
        said = {}
        try:
            lessen()
            said["applied"] = confine.confine(policy)
            said["reached"] = _reached(scene)
        except confine.ConfinementError as error:
            said["error"] = [error.protection, error.why]
        except BaseException as error:
            said["error"] = ["?", repr(error)]
        os.write(writer, json.dumps(said).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return json.loads(os.read(reader, 100_000))


def _reached(scene):
    """Attacks that succeeded, the names of what worked."""
    reached = []
    for name in (
        "read_passwd",
        "read_home",
        "write_outside",
        "fork",
        "connect_tcp",
        "memory_file",
        "signal_victim",
        "unshare",
    ):
        try:
            getattr(confine_attacks, name)(scene)
            reached.append(name)
        except OSError:
            continue
    open("mine", "w").close()
    import csv  # from a file

    return [*reached, *(["imported"] if csv else [])]


def _refuse(*names, error=errno.EPERM):
    """As a container's filter does: these system calls fail, all others work."""

    def lessen():
        confine.privileges.forbid_new_privileges()
        architecture = confine.system.ARCHITECTURE
        rules = dict.fromkeys(range(confine.syscalls.NEWEST + 1), 0)
        rules.update({architecture.numbers[name]: error for name in names})
        code = confine.seccomp.compile_rules(architecture, rules)
        import struct

        confine.seccomp.install(b"".join(struct.pack("=HBBI", *each) for each in code))

    return lessen


def no_namespaces(scene):
    return _confined(scene, _refuse("unshare"))


def no_mounts(scene):
    """As where a security module lets user namespaces be made, but nothing be done in them."""
    return _confined(scene, _refuse("mount"))


def no_mount_attributes(scene):
    return _confined(scene, _refuse("mount_setattr", error=errno.ENOSYS))


def no_user_namespaces_left(scene):
    def lessen():
        uid, gid = os.getuid(), os.getgid()
        confine.system.syscall("unshare", 0x10000000)
        for name, content in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(content)
        with open("/proc/sys/user/max_user_namespaces", "w") as file:
            file.write("0")
        confine.privileges.drop_capabilities()

    return _confined(scene, lessen)


def no_landlock(scene):
    return _confined(scene, _refuse("landlock_create_ruleset", error=errno.ENOSYS))


def no_landlock_and_so_be_it(scene):
    return _confined(scene, _refuse("landlock_create_ruleset", error=errno.ENOSYS), unconfined=["landlock"])


def no_filters(scene):
    return _confined(scene, _refuse("seccomp"))


def no_filters_and_so_be_it(scene):
    return _confined(scene, _refuse("seccomp"), unconfined=["seccomp"])


def root_of_a_container(scene):
    """Root that may change users but not mount anything."""

    def lessen():
        os.setgroups([])
        _keep_capabilities(confine.privileges.CAP_SETUID, confine.privileges.CAP_SETGID, 0, 1)
        _refuse("unshare", "mount")()

    return _confined(scene, lessen)


def root_without_rights(scene):
    """Root with a user namespace and without any capability."""

    def lessen():
        _keep_capabilities()

    return _confined(scene, lessen)


def _keep_capabilities(*kept):
    import ctypes
    import struct

    mask = sum(1 << each for each in kept)
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
    sets = ctypes.create_string_buffer(struct.pack("=6I", mask, mask, 0, 0, 0, 0))
    confine.system.syscall("capset", ctypes.addressof(header), ctypes.addressof(sets))


def root_of_a_container_with_few_ids(scene):
    """Root in a user namespace with so many ids as unprivileged containers get."""

    def lessen():
        parent = os.getpid()
        ready, go = os.pipe()
        helper = os.fork()
        if not helper:
            os.read(ready, 1)
            for name in ("uid_map", "gid_map"):
                with open(f"/proc/{parent}/{name}", "w") as file:
                    file.write("0 0 1\n1 1000001 65535")
            os._exit(0)
        confine.system.syscall("unshare", 0x10000000)
        os.write(go, b"x")
        os.waitpid(helper, 0)
        os.close(ready)
        os.close(go)

    return _confined(scene, lessen)


def everything_readable(scene):
    return _confined(scene, lambda: None, readable=["/"])


def crowded(scene):
    """More readable paths than descriptors that the code may have."""
    paths = []
    for number in range(60):
        path = f"{scene['readable']}/{number}"
        open(path, "w").close()
        paths.append(path)
    return _confined(scene, lambda: None, readable=[*confine.python_paths(), *paths], max_files=20)


def unseen_threads(scene):
    """Others of the same user, whom the kernel counts and /proc does not show: a limit that they have used up is not set."""
    import confine.limits

    confine.limits.threads_of_user = lambda uid: 1
    others = []
    for _ in range(12):
        child = os.fork()
        if not child:
            import signal

            signal.pause()
        others.append(child)
    try:
        return _confined(scene, lambda: None, unconfined=["namespaces"], max_threads=2)
    finally:
        for child in others:
            os.kill(child, 9)
            os.waitpid(child, 0)


def several_at_once(scene):
    """Workers of the same user do not count against each other's limits, and cannot reach each other."""
    policy = confine.Policy(readable=confine.python_paths(), writable=[], work_dir=scene["work_dir"], max_threads=4)
    pipes = []
    for _ in range(5):
        here, there = os.pipe()
        back, answer = os.pipe()
        child = os.fork()
        if not child:
            confine.confine(policy)
            import threading

            go = threading.Event()
            threads = [threading.Thread(target=go.wait, daemon=True) for _ in range(3)]
            for thread in threads:
                thread.start()
            os.write(answer, b"3")
            os.read(here, 1)
            os._exit(0)
        pipes.append((child, back, there))
    started = [os.read(back, 1).decode() for _, back, _ in pipes]
    for child, _, there in pipes:
        os.write(there, b"x")
        os.waitpid(child, 0)
    return started
