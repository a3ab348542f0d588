"""Landlock: which files the process can open, and no network, signals or abstract sockets beyond it.

Constants and structures are those of <linux/landlock.h>; what each version of the interface added is described in the
kernel's Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct

from .system import address, syscall

__all__ = ["LIST", "READ", "WRITE", "Ruleset", "version"]

_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_RULE_PATH_BENEATH = 1
_LOG_SAME_EXEC_OFF = 1  # LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF, version 7: hostile code would fill the audit log

_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_REMOVE_DIR = 1 << 4
_REMOVE_FILE = 1 << 5
_MAKE_DIR = 1 << 7
_MAKE_REG = 1 << 8
_MAKE_SYM = 1 << 12
_REFER = 1 << 13
_TRUNCATE = 1 << 14

LIST = _READ_DIR
READ = _READ_FILE | _READ_DIR
WRITE = (
    READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SYM | _REFER | _TRUNCATE
)  # no devices, sockets or pipes, nothing executed
_OF_FILES = (
    _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
)  # what a rule about a file rather than a directory may name

_HANDLED_FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
_NET_BIND_AND_CONNECT_TCP = 3  # version 4
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3  # version 6


def version() -> int:
    """The version of the kernel's Landlock interface; 0 if there is none or it is not active."""
    try:
        return syscall("landlock_create_ruleset", 0, 0, _VERSION)
    except OSError:
        return 0


class Ruleset:
    """Everything refused but what is added. Nothing holds until `restrict`.

    Args:
        version (`int`): The kernel's version of the interface, at least 1. Newer versions than 7 are used as 7.
        refuse_network (`bool`): Refuse TCP too, from version 4 on.
    """

    def __init__(self, version: int, *, refuse_network: bool) -> None:
        self.version = version
        self.handled = _HANDLED_FILES[min(version, 5)]
        network = _NET_BIND_AND_CONNECT_TCP if refuse_network and version >= 4 else 0
        scoped = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0
        fields = (self.handled, network, scoped)[: 1 if version < 4 else 2 if version < 6 else 3]
        attributes = ctypes.create_string_buffer(struct.pack(f"={len(fields)}Q", *fields))
        size = 8 * len(fields)
        self.descriptor = syscall("landlock_create_ruleset", address(attributes), size, 0)

    def allow(self, descriptor: int, access: int) -> None:
        """Allow `READ`, `WRITE` or `LIST` of a file, or of a directory and all beneath it.

        Args:
            descriptor (`int`): Open for it; O_PATH is enough.
            access (`int`): One of these constants. `WRITE` includes `READ`, `LIST` gives the names in directories only.
        """
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            access &= _OF_FILES
        rule = ctypes.create_string_buffer(struct.pack("=Qi", access & self.handled, descriptor))
        syscall("landlock_add_rule", self.descriptor, _RULE_PATH_BENEATH, address(rule), 0)

    def restrict(self) -> None:
        """Confine this thread and those it makes from now on, for ever. Needs `no_new_privs`."""
        syscall("landlock_restrict_self", self.descriptor, _LOG_SAME_EXEC_OFF if self.version >= 7 else 0)
        os.close(self.descriptor)
