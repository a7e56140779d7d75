"""A confined process cannot reach the network, files, other processes or more memory: each by an attempt."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from inference.base import confine
from inference.base.confine import AUDIT, FILTER, LAYERS, LIMITS, NETWORK

ROOT = Path(__file__).parents[3]
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own layers are those of Linux")
TRY = """
import ctypes, errno, os, resource, signal, socket, subprocess, sys, threading
sys.path.append({root!r})
from inference.base import confine
from inference.base.confine import Limits
libc = ctypes.CDLL(None, use_errno=True)
limits = Limits(memory=256 * 2**20, cpu_seconds=20)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)
def tried(what):
    try:
        what()
    except (OSError, MemoryError, RuntimeError) as error:
        number = errno.errorcode.get(getattr(error, "errno", None))
        os.write(1, f"{{type(error).__name__}} {{number}}\\n".encode())
    else:
        os.write(1, b"done\\n")
held = {layer}
{attempts}
os._exit(0 if held is None or held else 3)
"""


def tries(layer: str, *attempts: str, folder: Path | None = None) -> list[str]:
    """Returns what comes of expressions in a process after it gave up one layer."""
    lines = "\n".join(f"tried(lambda: {attempt})" for attempt in attempts)
    code = TRY.format(root=str(ROOT), layer=layer, attempts=lines)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=60, cwd=folder
    )
    if done.returncode == 3:
        pytest.skip(f"{layer} is not possible on this machine")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@only_linux
def test_the_kernel_refuses_all_but_reading(tmp_path: Path) -> None:
    attempts = (
        "socket.socket()",
        "os.open('/etc/passwd', os.O_RDONLY)",
        "os.open('made', os.O_WRONLY | os.O_CREAT)",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "subprocess.run(['true'])",
        "os.unlink('/tmp')",
        "os.kill(1, 0)",
        "os.listdir('/')",
        "os.pipe()",
        "call('ptrace', 16, 1, 0, 0)",  # PTRACE_ATTACH
        "call('ptrace', 0, 0, 0, 0)",  # PTRACE_TRACEME
        "call('unshare', 0x10000000)",
        "call('mount', b'none', b'/', b'tmpfs', 0, None)",
        "call('prctl', 22, 2, 0, 0, 0)",  # another filter
        "call('memfd_create', b'x', 0)",
    )
    refused = tries("confine.filter_calls()", *attempts, folder=tmp_path)
    assert refused == ["PermissionError EPERM"] * len(attempts)
    assert not list(tmp_path.iterdir())


@only_linux
def test_no_thread_and_no_flood_of_processes_starts_under_the_filter() -> None:
    attempts = (
        "threading.Thread(target=print).start()",
        *["os.fork()"] * 50,
        "call('fork')",
        "call('vfork')",
    )
    refused = tries("confine.filter_calls()", *attempts)
    assert refused[0] == "RuntimeError None"
    assert refused[1:] == ["PermissionError EPERM"] * 52


@only_linux
def test_threads_that_a_library_needs_start_under_the_filter_and_processes_do_not() -> None:
    limits = "confine.confine(confine.Limits(memory=1 << 30, cpu_seconds=20, threads=True))"
    attempts = (
        "threading.Thread(target=print).start()",
        "os.fork()",
        "call('fork')",
        "call('vfork')",
        "call('clone', 17, 0, 0, 0, 0)",  # SIGCHLD: a process
        "open('/etc/passwd')",
    )
    first, *refused = tries(limits, *attempts)
    assert first == "done"
    assert refused == ["PermissionError EPERM"] * 5


@only_linux
def test_the_kernel_allows_reading() -> None:
    attempts = ("bytearray(5_000_000)", "os.fstat(0)", "os.close(0)", "os.urandom(8)", "[0] * 100_000")
    assert tries("confine.filter_calls()", *attempts) == ["done"] * 5


@only_linux
def test_the_network_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempt = f"socket.create_connection({server.getsockname()!r}, 2)"
        assert tries("None", attempt) == ["done"]
        assert tries("confine.leave_network()", attempt) == ["OSError ENETUNREACH"]


def test_limits_hold(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    attempts = ["[os.open('there', os.O_RDONLY) for _ in range(20)]"]
    wanted = ["OSError EMFILE"]
    if sys.platform == "linux":
        attempts, wanted = ["bytearray(300_000_000)", *attempts], ["MemoryError None", *wanted]
    assert tries("confine.set_limits(limits)", *attempts, folder=tmp_path) == wanted
    grow = "os.write(os.open('there', os.O_WRONLY), b'x')"
    assert tries("confine.set_limits(limits)", grow, folder=tmp_path) == ["OSError EFBIG"]
    assert (tmp_path / "there").stat().st_size == 0


def test_a_process_that_computes_too_long_is_ended() -> None:
    code = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "from inference.base.confine import Limits, confine\n"
        "confine(Limits(memory=256 * 2**20, cpu_seconds=1))\n"
        "while True: pass\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, str(ROOT)], timeout=120, check=False)
    assert done.returncode in {-9, -24}  # SIGKILL or SIGXCPU: the kernel chooses where both limits are equal


def test_the_interpreter_refuses_all_that_it_audits_when_strict(tmp_path: Path) -> None:
    attempts = (
        "open('made', 'w')",
        "socket.socket()",
        "__import__('wave')",
        "os.system('touch made')",
        "eval('1')",
    )
    hook = "sys.addaudithook(confine.refuse_all)"
    assert tries(hook, *attempts, folder=tmp_path) == ["PermissionError EPERM"] * 5
    assert not list(tmp_path.iterdir())


def test_without_the_kernels_layers_the_interpreter_still_refuses(tmp_path: Path) -> None:
    attempts = (
        "open('/etc/passwd')",
        "open('made', 'w')",
        "socket.socket()",
        "os.system('touch made')",
        "subprocess.run(['true'])",
        "os.fork()",
        "os.kill(1, 0)",
        "os.remove('/etc/passwd')",
        "os.mkdir('made')",
        "ctypes.CDLL(None)",
    )
    hook = "sys.addaudithook(confine.refuse_dangerous)"
    assert tries(hook, *attempts, folder=tmp_path) == ["PermissionError EPERM"] * len(attempts)
    assert tries(hook, "open(os.__file__).close()", "__import__('wave')") == ["done"] * 2
    assert not list(tmp_path.iterdir())


@only_linux
def test_all_layers_together_refuse_a_hostile_process(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempts = (
            f"socket.create_connection({server.getsockname()!r}, 2)",
            "open('/etc/passwd')",
            "open('made', 'w')",
            "os.fork()",
            "os.execv('/bin/true', ['true'])",
            "call('ptrace', 16, 1, 0, 0)",
        )
        outcome = tries("confine.confine(limits)", *attempts, folder=tmp_path)
    assert outcome == ["PermissionError EPERM"] * 6
    assert not list(tmp_path.iterdir())


def test_missing_layers_are_named() -> None:
    assert confine.missing(LAYERS) == []
    assert confine.missing([AUDIT, LIMITS]) == [NETWORK, FILTER]


def test_the_probe_tells_which_layers_this_machine_allows() -> None:
    held = confine.probe()
    assert {LIMITS, AUDIT} <= set(held) <= set(LAYERS)


def test_a_probe_without_an_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine, "PROBE", "raise SystemExit(1)")
    with pytest.raises(OSError, match="did not answer: CalledProcessError"):
        confine.probe()
