"""Take from this process what reading does not need: network, files, new processes, memory, time.

Each layer holds alone, and `confine` answers which ones do:

* "limits": address space, processor time, no file may grow, no new process or core dump (any Unix);
* "no new files or sockets": the interpreter itself refuses them and everything else it audits (anywhere);
* "no network": a network namespace of its own, empty (Linux, where the kernel allows it);
* "system call filter": the kernel refuses every call but the 26 that reading takes (Linux on x86-64 and
  arm64); sockets, open, exec and ptrace are not among them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
import sys
from typing import Any

MOST_MEMORY = 128 * 2**20  # address space; the interpreter itself takes about 20 MB of it
MOST_SECONDS = 60  # of processor time, for the whole import; a file takes about 1 ms
MOST_FILES = 16  # open at once
HARMLESS = {"array.__new__"}  # audited, and part of receiving an open file

NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000
SET_NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER_MODE = 38, 22, 2
KILL, REFUSE, ALLOW = 0x80000000, 0x00050000 | errno.EPERM, 0x7FFF0000
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
X32 = 0x40000000  # x86-64's second set of call numbers

# Number of each permitted call, on x86-64 and on arm64.
PERMITTED = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "lseek": (8, 62),
    "pread64": (17, 67),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "futex": (202, 98),
    "clock_gettime": (228, 113),
    "getrandom": (318, 278),
    "sendto": (44, 206),  # on the pipe it was born with; it can make no other socket
    "recvfrom": (45, 207),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above; the kernel's number


def confine() -> list[str]:
    """Give everything up, for good; returns the layers that hold."""
    held = []
    if _leave_the_network():
        held.append("no network")
    if _limit():
        held.append("limits")
    if _filter_calls():
        held.append("system call filter")
    sys.addaudithook(_refuse)
    return [*held, "no new files or sockets"]


def _refuse(event: str, _: tuple[Any, ...]) -> None:
    if event not in HARMLESS:
        raise PermissionError(errno.EPERM, f"not while reading: {event}")


def _limit() -> bool:
    bounds = {
        resource.RLIMIT_AS: MOST_MEMORY,
        resource.RLIMIT_CPU: MOST_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: MOST_FILES,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, bound in bounds.items():
        try:
            resource.setrlimit(kind, (bound, bound))
        except (OSError, ValueError):  # macOS does not limit address space
            if kind != resource.RLIMIT_AS:
                return False
    return True


def _leave_the_network() -> bool:
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    # Root may leave at once; others need a user namespace first, which some systems forbid.
    return bool(libc.unshare(NEW_NETWORK) == 0 or libc.unshare(NEW_USER | NEW_NETWORK) == 0)


def _filter_calls() -> bool:
    """Seccomp, written by hand: architecture, then the list, then "not permitted"."""
    if sys.platform != "linux" or os.uname().machine not in ARCHITECTURES:
        return False
    column, architecture = ARCHITECTURES[os.uname().machine]
    program = [
        (LOAD, 0, 0, 4),  # seccomp_data.arch
        (JUMP_EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, 0),  # seccomp_data.nr
        (JUMP_AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, KILL),
    ]
    for numbers in PERMITTED.values():
        program += [(JUMP_EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, ALLOW)]
    program.append((RETURN, 0, 0, REFUSE))
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    # struct sock_fprog: a length of 16 bits, padding, a pointer
    whole = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    if prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(prctl(SET_SECCOMP, FILTER_MODE, ctypes.addressof(whole), 0, 0) == 0)
