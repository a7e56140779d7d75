"""Confines this process to reading what it was given: no network, no files, no new processes, bounded
memory and time. Whatever reads bytes that a stranger wrote (PDFs, a release's pickles, long Markdown) runs in
a child process that calls `confine` first.

Each layer holds alone, and `confine` returns the names of those that do:

* LIMITS: address space, processor time, no file may grow, no new process, no core dump (any Unix);
* AUDIT: the interpreter refuses to open files, sockets and processes (anywhere);
* NETWORK: an empty network namespace of its own (Linux, where the kernel allows it);
* FILTER: the kernel refuses every system call that reading does not take (seccomp; Linux on x86-64, arm64).
  Among those it refuses are open, socket, fork, exec, kill and ptrace, so a process must import and open
  everything it needs before. Its standard streams and the files it has open stay usable. A library that
  cannot do without threads gets them (`Limits.threads`), and still no processes.

Containers may forbid namespaces and seccomp. The other layers then hold alone: callers log the missing ones
(`missing`), and `manage.py doctor` names them (`probe`).
"""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import json
import os
import resource
import struct
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIMITS, AUDIT, NETWORK, FILTER = "limits", "no new files or sockets", "no network", "system call filter"
LAYERS = (NETWORK, LIMITS, FILTER, AUDIT)

MB = 2**20
PROBE_SECONDS = 20.0
ROOT = Path(__file__).resolve().parents[2]
PROBE = (
    "import sys; sys.path.append(sys.argv[1]);"
    "import json; from inference.base.confine import Limits, confine;"
    "print(json.dumps(confine(Limits(memory=128 * 2**20, cpu_seconds=5))))"
)

# Audit events that `array` raises while an open file is received; they create nothing.
HARMLESS = {"array.__new__"}
# The beginnings of audit events that no reader needs. "open" is judged by its path.
REFUSED = (
    *("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system"),
    *("os.kill", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime", "os.setxattr", "shutil.", "ctypes.", "pty.", "fcntl."),
)
# Modules of the interpreter and its packages may still be imported where there is no filter.
OWN = (f"{sys.prefix}/", f"{sys.base_prefix}/")

NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000
SET_NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER_MODE = 38, 22, 2
KILL, REFUSE, ALLOW = 0x80000000, 0x00050000 | errno.EPERM, 0x7FFF0000
NOT_THERE = 0x00050000 | errno.ENOSYS
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_IF_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
X32 = 0x40000000  # x86-64's second set of call numbers

# Numbers of the permitted calls, on x86-64 and on arm64.
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
    "sendto": (44, 206),  # on a socket that was open before; no other can be made
    "recvfrom": (45, 207),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
# Calls of a new thread. The C library falls back to `clone` where the kernel has no clone3, whose flags lie
# in memory that a filter cannot read.
CLONE, CLONE3, OF_A_THREAD = (56, 220), 435, 0x10000
PERMITTED_IN_THREADS = {"set_robust_list": (273, 99), "rseq": (334, 293), "sched_yield": (24, 124)}
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above; the kernel's number


@dataclass(frozen=True, slots=True)
class Limits:
    """Holds what a confined process may use."""

    memory: int  # bytes of address space; the interpreter itself takes about 20 MB
    cpu_seconds: int
    open_files: int = 16
    threads: bool = False  # where the filter holds, which can tell a thread from a process


def confine(limits: Limits, *, strict: bool = False) -> list[str]:
    """Gives up everything but the limits, for good; returns the layers that hold.

    `strict` refuses every event that the interpreter audits, also imports and `eval`, except HARMLESS ones.
    """
    held = []
    if leave_network():
        held.append(NETWORK)
    if set_limits(limits):
        held.append(LIMITS)
    if filter_calls(threads=limits.threads):
        held.append(FILTER)
    elif limits.threads:
        set_limits(dataclasses.replace(limits, threads=False))
    sys.addaudithook(refuse_all if strict else refuse_dangerous)
    return [*held, AUDIT]


def missing(held: Iterable[str]) -> list[str]:
    """Returns the layers that do not hold."""
    return [layer for layer in LAYERS if layer not in set(held)]


def probe() -> list[str]:
    """Confines a process of its own and returns the layers that hold on this machine.

    Raises OSError if no process can be started, or if it does not answer.
    """
    command = [sys.executable, "-I", "-S", "-B", "-c", PROBE, str(ROOT)]
    try:
        done = subprocess.run(
            command, capture_output=True, env={}, cwd="/", timeout=PROBE_SECONDS, check=True
        )
        return [str(layer) for layer in json.loads(done.stdout)]
    except (subprocess.SubprocessError, ValueError) as error:
        raise OSError(f"the confined process did not answer: {type(error).__name__}") from None


# --- The layers -------------------------------------------------------------------------------------------


def refuse_all(event: str, _: tuple[Any, ...]) -> None:
    """Refuses what the interpreter audits (an audit hook). Raises PermissionError."""
    if event not in HARMLESS:
        raise PermissionError(errno.EPERM, f"not while confined: {event}")


def refuse_dangerous(event: str, about: tuple[Any, ...]) -> None:
    """Refuses sockets, processes, changes to files, and files outside the interpreter (an audit hook)."""
    if event.startswith(REFUSED) or (event == "open" and not _is_own(about)):
        raise PermissionError(errno.EPERM, f"not while confined: {event}")


def _is_own(opened: tuple[Any, ...]) -> bool:
    path, _mode, flags = opened
    reads = not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    return reads and isinstance(path, str) and os.path.abspath(path).startswith(OWN)


def set_limits(limits: Limits) -> bool:
    """Sets hard resource limits; returns whether the kernel took them."""
    bounds = {
        resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: 0,
    }
    if not limits.threads:  # the kernel counts them like processes
        bounds[resource.RLIMIT_NPROC] = 0
    for kind, bound in bounds.items():
        try:
            resource.setrlimit(kind, (bound, bound))
        except (OSError, ValueError):  # macOS does not limit address space
            if kind != resource.RLIMIT_AS:
                return False
    return True


def leave_network() -> bool:
    """Enters an empty network namespace; returns whether the kernel allowed it."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    # Root may leave at once; others need a user namespace first, which some systems forbid.
    return bool(libc.unshare(NEW_NETWORK) == 0 or libc.unshare(NEW_USER | NEW_NETWORK) == 0)


def filter_calls(*, threads: bool = False) -> bool:
    """Installs the seccomp filter: architecture, then the permitted calls, then "not permitted"; returns
    whether the kernel took it."""
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
    permitted = PERMITTED | PERMITTED_IN_THREADS if threads else PERMITTED
    for numbers in permitted.values():
        program += [(JUMP_EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, ALLOW)]
    if threads:
        program += [
            (JUMP_EQUAL, 0, 1, CLONE3),
            (RETURN, 0, 0, NOT_THERE),
            (JUMP_EQUAL, 0, 3, CLONE[column]),
            (LOAD, 0, 0, 16),  # the low half of seccomp_data.args[0]
            (JUMP_IF_SET, 0, 1, OF_A_THREAD),
            (RETURN, 0, 0, ALLOW),
        ]
    program.append((RETURN, 0, 0, REFUSE))
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    # struct sock_fprog: a length of 16 bits, padding, a pointer
    whole = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    if prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(prctl(SET_SECCOMP, FILTER_MODE, ctypes.addressof(whole), 0, 0) == 0)
