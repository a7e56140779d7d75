"""The process that reads the release has no network, no files, no time to spare; and is not believed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.xai_import import reader
from inference.xai_import.child import LIMITS
from inference.xai_import.importer import Import, run
from inference.xai_import.progress import Progress
from inference.xai_import.reader import Reader, ReadingFailed
from inference.xai_import.unpickle import NotTheRelease
from tests.inference.release_pickles import CKPT, CONSTANTS

LINUX = sys.platform == "linux"
only_linux = pytest.mark.skipif(not LINUX, reason="the kernel's own layers are those of Linux")

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
        assert limits["Max address space"] == str(LIMITS.memory)
        assert limits["Max cpu time"] == str(LIMITS.cpu_seconds)
        assert limits["Max file size"] == limits["Max processes"] == limits["Max core file size"] == "0"
        assert {"limits", "no new files or sockets"} <= set(process.layers)
        pid = process.pid
    assert not Path(f"/proc/{pid}").exists()


def test_importing_reports_the_layers_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
