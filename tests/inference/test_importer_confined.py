"""The process that reads the release has no network, no files, no time to spare; and is not believed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.release import confine, reader
from inference.release.importer import Import, run
from inference.release.progress import Progress
from inference.release.reader import Reader, ReadingFailed
from inference.release.unpickle import NotTheRelease
from tests.inference.release_pickles import CKPT, CONSTANTS, ROOT

LINUX = sys.platform == "linux"
only_linux = pytest.mark.skipif(not LINUX, reason="the kernel's own layers are those of Linux")
TRY = """
import errno, os, resource, socket, sys
sys.path.append({root!r})
from inference.release import confine
def tried(what):
    try:
        what()
    except (OSError, MemoryError) as error:
        print(type(error).__name__, errno.errorcode.get(getattr(error, "errno", None)), flush=True)
    else:
        print("done", flush=True)
held = {layer}
{attempts}
os._exit(0 if held is None or held else 3)
"""


def tries(layer: str, *attempts: str, folder: Path | None = None) -> list[str]:
    """What comes of expressions in a process after it gave up one layer."""
    lines = "\n".join(f"tried(lambda: {attempt})" for attempt in attempts)
    code = TRY.format(root=str(ROOT), layer=layer, attempts=lines)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=30, cwd=folder
    )
    if done.returncode == 3:
        pytest.skip(f"{layer} is not possible on this machine")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# -- each layer alone --------------------------------------------------------------------------


@only_linux
def test_the_kernel_refuses_all_but_reading(tmp_path: Path) -> None:
    attempts = (
        "socket.socket()",
        "os.open('/etc/passwd', os.O_RDONLY)",
        "os.open('made', os.O_WRONLY | os.O_CREAT)",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.unlink('/tmp')",
        "os.kill(1, 0)",
        "os.listdir('/')",
        "os.pipe()",
    )
    assert tries("confine._filter_calls()", *attempts, folder=tmp_path) == ["PermissionError EPERM"] * 9
    assert not list(tmp_path.iterdir())


@only_linux
def test_the_kernel_lets_reading_be() -> None:
    attempts = ("bytearray(5_000_000)", "os.fstat(0)", "os.close(0)", "os.urandom(8)", "[0] * 100_000")
    assert tries("confine._filter_calls()", *attempts) == ["done"] * 5


@only_linux
def test_the_network_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempt = f"socket.create_connection({server.getsockname()!r}, 2)"
        assert tries("None", attempt) == ["done"]
        assert tries("confine._leave_the_network()", attempt) == ["OSError ENETUNREACH"]


def test_the_limits(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    attempts = (
        "[os.open('there', os.O_RDONLY) for _ in range(20)]",
        "os.write(os.open('there', os.O_WRONLY), b'x')",
    )
    wanted = ["OSError EMFILE", "OSError EMFILE"]
    if LINUX:
        attempts, wanted = ("bytearray(200_000_000)", *attempts), ["MemoryError None", *wanted]
    assert tries("confine._limit()", *attempts, folder=tmp_path) == wanted
    assert tries("confine._limit()", attempts[-1], folder=tmp_path) == ["OSError EFBIG"]
    assert (tmp_path / "there").stat().st_size == 0


def test_the_interpreter_refuses_what_it_audits(tmp_path: Path) -> None:
    attempts = (
        "open('made', 'w')",
        "socket.socket()",
        "__import__('json')",
        "os.system('touch made')",
        "eval('1')",
    )
    assert (
        tries("sys.addaudithook(confine._refuse)", *attempts, folder=tmp_path)
        == ["PermissionError EPERM"] * 5
    )
    assert not list(tmp_path.iterdir())


# -- the process as it is --------------------------------------------------------------------------


@pytest.fixture
def file() -> Iterator[int]:
    number = os.open(CKPT / "tensor00001_000", os.O_RDONLY)
    yield number
    os.close(number)


@only_linux
def test_the_reading_process_holds_nothing(monkeypatch: pytest.MonkeyPatch, file: int) -> None:
    monkeypatch.setenv("SECRET", "secret")
    with Reader() as process, open("/dev/null") as inherited:
        assert inherited.fileno() > 2
        proc = Path(f"/proc/{process.pid}")
        for _ in range(3):
            assert [one.kind for one in process.arrays(file)] == ["f4"]
        assert (proc / "environ").read_bytes() == b""
        open_files = sorted(os.readlink(one) for one in (proc / "fd").iterdir())
        assert open_files[:3] == ["/dev/null"] * 3
        assert open_files[3].startswith("socket:")
        assert len(open_files) == 4
        status = (proc / "status").read_text()
        limits = {
            line[:26].strip(): line[26:].split()[0] for line in (proc / "limits").read_text().splitlines()
        }
        if "system call filter" in process.layers:
            assert "Seccomp:\t2" in status
            assert "NoNewPrivs:\t1" in status
        if "no network" in process.layers:
            assert os.readlink(proc / "ns/net") != os.readlink("/proc/self/ns/net")
        assert limits["Max address space"] == str(confine.MOST_MEMORY)
        assert limits["Max cpu time"] == str(confine.MOST_SECONDS)
        assert limits["Max file size"] == limits["Max processes"] == limits["Max core file size"] == "0"
        assert {"limits", "no new files or sockets"} <= set(process.layers)
        pid = process.pid
    assert not Path(f"/proc/{pid}").exists()


def test_importing_says_which_layers_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(Import(CKPT, tmp_path / "out", "int8", CONSTANTS), Progress(sys.stderr))
    assert "reading in a process apart: " in capsys.readouterr().err


# -- a process that was taken over -------------------------------------------------------------------

SAY = """
import json, os, socket, struct, sys, time
pipe = socket.socket(fileno=int(sys.argv[2]))
def say(value):
    words = value if isinstance(value, bytes) else json.dumps(value).encode()
    pipe.sendall(struct.pack("<I", len(words)) + words)
say({{"held": ["everything"]}})
pipe.recv(1)
{lie}
"""
ODD, ENDED = "answered nonsense", "the reading process has ended"
LIES = {
    "ends": ("os._exit(0)", ENDED),
    "is out of memory": ("os.kill(os.getpid(), 9)", ENDED),
    "half an answer": ("pipe.sendall(b'\\x10\\0\\0\\0{}'); os._exit(0)", ENDED),
    "says nothing": ("time.sleep(30)", "was not read within"),
    "too much": ("pipe.sendall(struct.pack('<I', 2**31)); time.sleep(30)", ODD),
    "no JSON": ("say(b'\\xff\\xfe')", ODD),
    "a list": ("say([])", ODD),
    "nothing in it": ("say({})", ODD),
    "no array": ("say({'arrays': []})", ODD),
    "many arrays": ("say({'arrays': [['f4', [1], 0, 4]] * 9})", ODD),
    "array of text": ("say({'arrays': ['f4']})", ODD),
    "unknown kind": ("say({'arrays': [['O8', [48], 140, 192]]})", ODD),
    "side that is no number": ("say({'arrays': [['f4', ['48'], 140, 192]]})", ODD),
    "side that is True": ("say({'arrays': [['f4', [48, True], 140, 192]]})", ODD),
    "before the file": ("say({'arrays': [['f4', [48], -192, 192]]})", ODD),
    "behind the file": ("say({'arrays': [['f4', [48], 147, 193]]})", ODD),
    "far behind the file": ("say({'arrays': [['f4', [48], 10**30, 192]]})", ODD),
    "fewer bytes than the shape": ("say({'arrays': [['f4', [48], 140, 191]]})", ODD),
    "words for the terminal": ("say({'refused': '\\x1b[2J\\x07\\n' + 'x' * 1000})", r"\?\[2J\?\?x{394}$"),
}


@pytest.mark.parametrize("case", LIES)
def test_a_reading_process_is_not_believed(monkeypatch: pytest.MonkeyPatch, file: int, case: str) -> None:
    lie, words = LIES[case]
    monkeypatch.setattr(reader, "PROGRAM", SAY.format(lie=lie))
    monkeypatch.setattr(reader, "LAST_WAIT", 0.1)
    with Reader() as process:
        process._pipe.settimeout(5 if case != "says nothing" else 0.3)
        with pytest.raises((NotTheRelease, ReadingFailed), match=words) as refused:
            process.arrays(file)
        # Without an answer the file need not be at fault: what was written before is kept.
        assert (refused.type is NotTheRelease) == (words not in (ENDED, "was not read within"))


@pytest.mark.parametrize("program", ["import os; os._exit(1)", "raise SystemExit", "syntax error"])
def test_a_reading_process_that_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(reader, "PROGRAM", program)
    with pytest.raises(ReadingFailed, match="the reading process did not start"):
        run(Import(CKPT, tmp_path / "out", "int8", CONSTANTS), Progress())
    assert not list(tmp_path.iterdir())


def test_a_lie_about_the_layout_is_compared_with_the_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound in itself, but no array of this file."""
    lie = "say({'arrays': [['i1', [48, 4], 140, 192]]})"
    monkeypatch.setattr(reader, "PROGRAM", SAY.format(lie=lie))
    with pytest.raises(NotTheRelease, match=r"tensor\d{5}_000 holds i1 \[48, 4\]"):
        run(Import(CKPT, tmp_path / "out", "int8", CONSTANTS), Progress())
    assert not list(tmp_path.iterdir())
