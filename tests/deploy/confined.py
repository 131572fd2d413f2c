"""Runs a command under the restrictions of a unit that seccomp and capabilities make: what systemd would do to it.

    python confined.py UNIT COMMAND …

libseccomp and systemd-analyze (which knows the groups of system calls) come with Debian's package systemd.
"""

import ctypes
import errno
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24  # linux/prctl.h
ALLOW, MASKED_EQUAL, EQUAL = 0x7FFF0000, 7, 4  # seccomp.h
PROT_WRITE, PROT_EXEC = 2, 4
HIGHEST_FAMILY = 46
libc = ctypes.CDLL(None, use_errno=True)
seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
seccomp.seccomp_init.restype = ctypes.c_void_p


class Argument(ctypes.Structure):
    """struct scmp_arg_cmp"""

    _fields_ = (
        ("number", ctypes.c_uint),
        ("comparison", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def refused(code: int) -> int:
    return 0x00050000 | code


class Filter:
    def __init__(self, otherwise: int) -> None:
        self._context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(otherwise)))

    def add(self, action: int, name: str, *arguments: Argument) -> None:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # this architecture has none of this name
            return
        array = (Argument * len(arguments))(*arguments)
        done = seccomp.seccomp_rule_add_array(
            self._context, ctypes.c_uint32(action), number, ctypes.c_uint(len(arguments)), array
        )
        assert done == 0, (name, done)

    def load(self) -> None:
        assert seccomp.seccomp_load(self._context) == 0


def system_calls(group: str) -> set[str]:
    """Those of a group such as @system-service, and of the groups in it."""
    command = ["/usr/bin/systemd-analyze", "syscall-filter", group]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    found = set()
    for line in listed.stdout.splitlines()[1:]:
        name = line.strip()
        if name and not name.startswith("#"):
            found |= system_calls(name) if name.startswith("@") else {name}
    return found


def restrict(unit: str) -> None:
    def values(key: str) -> list[str]:
        return re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)

    allowed: set[str] = set()
    for line in values("SystemCallFilter"):
        named = {name for group in line.lstrip("~").split() for name in system_calls(group)}
        allowed = allowed - named if line.startswith("~") else allowed | named
    assert allowed, "the unit has no SystemCallFilter"
    (code,) = values("SystemCallErrorNumber")
    calls = Filter(refused(getattr(errno, code)))
    for name in allowed:
        calls.add(ALLOW, name)

    rest = Filter(ALLOW)
    if values("MemoryDenyWriteExecute") == ["yes"]:
        both = PROT_WRITE | PROT_EXEC
        rest.add(refused(errno.EPERM), "mmap", Argument(2, MASKED_EQUAL, both, both))
        rest.add(refused(errno.EPERM), "mprotect", Argument(2, MASKED_EQUAL, PROT_EXEC, PROT_EXEC))
        rest.add(refused(errno.EPERM), "pkey_mprotect", Argument(2, MASKED_EQUAL, PROT_EXEC, PROT_EXEC))
    families = {getattr(socket, name) for line in values("RestrictAddressFamilies") for name in line.split()}
    for family in set(range(HIGHEST_FAMILY)) - families:
        rest.add(refused(errno.EAFNOSUPPORT), "socket", Argument(0, EQUAL, family, 0))

    if values("CapabilityBoundingSet") == [""] and os.geteuid() == 0:
        for capability in range(int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1):
            assert libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    rest.load()
    calls.load()


if __name__ == "__main__":
    restrict(Path(sys.argv[1]).read_text())
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 -- the command that it was given
