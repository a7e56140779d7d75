"""Tests that files other than xAI's release are refused in one line, run nothing, and leave nothing
behind.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from inference.xai_import import importer
from inference.xai_import.checkpoint import OpenFile
from inference.xai_import.importer import Import, run
from inference.xai_import.outfolder import OutFolder
from inference.xai_import.progress import Progress
from inference.xai_import.reader import Reader
from inference.xai_import.unpickle import ALLOWED, STEPS, NotTheRelease, arrays_in
from tests.inference.release_pickles import (
    CKPT,
    CONFIG,
    CONSTANTS,
    NDARRAY,
    QUANTIZED,
    RECONSTRUCT,
    dtype,
    number,
    text,
)
from tests.inference.xai_import.hostile_pickles import CANARY, EXPERTS, NORM, PICKLES, QUERY, norm

# -- hostile folders ---------------------------------------------------------------------------


def replace(folder: Path, file: str, data: bytes) -> None:
    """A file of its own: the others are shared with the honest folder."""
    (folder / file).unlink()
    (folder / file).write_bytes(data)


def instead(file: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / file).unlink()
        make(folder / file)

    return change


def unix_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # such names are short
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


def device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero: endless
    except PermissionError:
        pytest.skip("only root may make a device")


def sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 10 * 2**30)


def swapped(folder: Path) -> None:
    """The weights of linear and linear_1: as long as each other, shaped otherwise."""
    (folder / EXPERTS).rename(folder / "aside")
    (folder / "tensor00014_000").rename(folder / EXPERTS)
    (folder / "aside").rename(folder / "tensor00014_000")
    replace(folder, "tensor00006_000", (CKPT / QUERY).read_bytes())


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "link": (instead(NORM, lambda p: p.symlink_to(CKPT / NORM)), f"{NORM} is a symbolic link"),
    "dangling link": (instead(NORM, lambda p: p.symlink_to("/nowhere")), f"{NORM} is a symbolic link"),
    "fifo": (instead(NORM, os.mkfifo), f"{NORM} is a fifo"),
    "socket": (instead(NORM, unix_socket), f"{NORM} is a socket"),
    "device": (instead(NORM, device), f"{NORM} is a device"),
    "folder for a file": (instead(NORM, Path.mkdir), f"{NORM} is a folder"),
    "extra file": (lambda f: (f / "run.py").touch(), "run.py in .* is no part of the release"),
    "hidden file": (lambda f: (f / ".cache").mkdir(), ".cache in .* is no part of the release"),
    "one tensor more": (lambda f: (f / "tensor00134_000").touch(), "tensor00134_000 in .* is no part"),
    "second part": (lambda f: (f / "tensor00003_001").touch(), "tensor00003_001 in .* is no part"),
    "name that talks to terminals": (
        lambda f: (f / "\x1b]0;x\x07\n").touch(),
        r"\\x1b\]0;x\\x07\\n in .* is no part",
    ),
    "name that is no text": (lambda f: (f / os.fsdecode(b"\xff\xfe")).touch(), "is no part of the release"),
    "missing file": (lambda f: (f / NORM).unlink(), rf"{NORM} is missing in .* \(1 of 134 files are\)"),
    "other case": (lambda f: (f / NORM).rename(f / NORM.upper()), "TENSOR00001_000 in .* is no part"),
    "no files": (lambda f: [one.unlink() for one in f.iterdir()], r"tensor00000_000 is missing .*134 of 134"),
    "empty file": (instead(NORM, Path.touch), f"{NORM} has 0 bytes; rms_norm takes 192"),
    "file cut short": (
        lambda f: replace(f, EXPERTS, (CKPT / EXPERTS).read_bytes()[:-300]),
        f"{EXPERTS} .*(has 102,413|ends|claims)",
    ),
    "10 GB of nothing": (instead(NORM, sparse), f"{NORM} has 10,737,418,240 bytes"),
    "swapped files": (swapped, "tensor00006_000 .*multi_head_attention/linear"),
    "link for a folder": (
        lambda f: (f.rename(f.parent / "real"), f.symlink_to(f.parent / "real")),
        "ckpt-0 is a symbolic link",
    ),
    "something beside ckpt-0": (
        lambda f: (f / "ckpt-0").mkdir(),
        "ckpt-0 in .* is no part",
    ),
    "no folder": (lambda f: shutil.rmtree(f), "there is no folder"),
    "file for a folder": (lambda f: (shutil.rmtree(f), f.touch()), "is no folder"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An honest release, made of links to the files in tests/data: replace, never write into them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ckpt-0").mkdir()
    for file in CKPT.iterdir():
        try:
            os.link(file, tmp_path / "ckpt-0" / file.name)
        except OSError:  # another file system
            shutil.copyfile(file, tmp_path / "ckpt-0" / file.name)
    return tmp_path / "ckpt-0"


@pytest.fixture(scope="module")
def process() -> Iterator[Reader]:
    with Reader() as process:
        yield process


def refusal(folder: Path, target: str = "deep/er/out") -> str:
    """The one line of the command; whatever it was, nothing ran and nothing is left."""
    around = tree(folder.parent)
    with pytest.raises(CommandError) as refused:
        call_command("import_grok1", str(folder), str(folder.parent / target), "--config", str(CONFIG))
    assert refused.value.returncode == 1
    assert tree(folder.parent) == around
    assert not list(folder.parent.rglob(CANARY))
    line = str(refused.value)
    assert line.isprintable(), line
    assert len(line) < 600
    return line


def tree(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def test_the_honest_folder_is_imported(folder: Path) -> None:
    run(Import(folder, folder.parent / "out", "int8", CONSTANTS), Progress())
    assert (folder.parent / "out" / "manifest.json").exists()


@pytest.mark.parametrize("case", FOLDERS)
def test_a_folder_that_is_not_the_release(folder: Path, case: str) -> None:
    change, words = FOLDERS[case]
    change(folder)
    assert_words(words, refusal(folder))


@pytest.mark.parametrize("case", PICKLES)
def test_a_file_that_is_not_the_release_s(
    folder: Path, monkeypatch: pytest.MonkeyPatch, process: Reader, case: str
) -> None:
    """One reading process for all of them: it takes no harm."""
    monkeypatch.setattr(importer, "Reader", lambda: nullcontext(process))
    file, data, words = PICKLES[case]
    replace(folder, file, data)
    line = refusal(folder)
    assert line.startswith(file)
    assert_words(words, line)


def assert_words(words: str, line: str) -> None:
    assert re.search(words, line), line


# -- what shows only later ---------------------------------------------------------------------


def spoiled(file: str, at: int, data: bytes) -> Callable[[Path], None]:
    """Other numbers in an honest pickle, `at` bytes before its end (after the data come 5 or 7)."""

    def change(folder: Path) -> None:
        whole_file = bytearray((folder / file).read_bytes())
        whole_file[-at : len(whole_file) - at + len(data)] = data
        replace(folder, file, bytes(whole_file))

    return change


LATE: dict[str, tuple[Callable[[Path], object], str]] = {
    "not a number": (
        spoiled("tensor00000_000", 1005, b"\x00\x00\xc0\x7f" * 2),
        "tensor00000_000 holds a value that is no",
    ),
    "infinite scale": (
        spoiled(QUERY, 107, b"\x80\x7f" * 2),
        f"{QUERY} holds a value that is no finite number",
    ),
}
MEANWHILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "another file": (
        lambda f: replace(f, QUERY, (CKPT / QUERY).read_bytes()),
        f"{QUERY} was changed during the import",
    ),
    "written into": (
        lambda f: replace(f, QUERY, (CKPT / QUERY).read_bytes()[::-1]),
        f"{QUERY} was changed during",
    ),
    "link": (instead(QUERY, lambda p: p.symlink_to(CKPT / QUERY)), f"{QUERY} is a symbolic link"),
    "fifo": (instead(QUERY, os.mkfifo), f"{QUERY} is a fifo"),
    "nothing": (lambda f: (f / QUERY).unlink(), f"{QUERY} cannot be opened: No such file"),
}


@pytest.mark.parametrize("target", ["deep/er/out", "empty"])
@pytest.mark.parametrize("case", LATE)
def test_an_error_found_while_writing_removes_the_output(folder: Path, case: str, target: str) -> None:
    change, words = LATE[case]
    change(folder)
    (folder.parent / "empty").mkdir()
    assert_words(words, refusal(folder, target))


@pytest.mark.parametrize("case", MEANWHILE)
def test_a_file_that_changes_after_the_check_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Between the look and the reading, when the folder is begun."""
    change, words = MEANWHILE[case]
    begin = OutFolder.begin

    def begin_and_change(self: OutFolder) -> None:
        begin(self)
        change(folder)

    monkeypatch.setattr(OutFolder, "begin", begin_and_change)
    with pytest.raises(NotTheRelease, match=words):
        run(Import(folder, folder.parent / "out", "int8", CONSTANTS), Progress())
    assert not (folder.parent / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (os.utime, "was changed while it was read"),
        (lambda path: os.truncate(path, 2000), "became shorter while"),
    ],
)
def test_a_file_that_changes_while_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object], words: str
) -> None:
    replace(folder, EXPERTS, (CKPT / EXPERTS).read_bytes())
    read_into = OpenFile.read_into

    def read_and_change(self: OpenFile, buffer: Any, part: int, start: int) -> None:
        read_into(self, buffer, part, start)
        if self.file.name == EXPERTS:
            change(folder / EXPERTS)

    monkeypatch.setattr(OpenFile, "read_into", read_and_change)
    with pytest.raises(NotTheRelease, match=f"{EXPERTS} {words}"):
        run(Import(folder, folder.parent / "out", "int8", CONSTANTS), Progress())
    assert not (folder.parent / "out").exists()


def test_a_refusal_while_going_on_takes_all_of_it_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that an earlier run finished are of the same import: they go too."""
    spoiled("tensor00127_000", 107, b"\x80\x7f" * 2)(folder)  # in the last layer
    job = Import(folder, folder.parent / "out", "int8", CONSTANTS, shard_bytes=1_000_000)
    with monkeypatch.context() as patch:
        patch.setattr(OutFolder, "discard", lambda self: None)  # as if killed before it could
        with pytest.raises(NotTheRelease):
            run(job, Progress())
    assert (job.target / "model-00001-of-00004.safetensors").exists()
    with pytest.raises(NotTheRelease, match="no finite number"):
        run(job, Progress())
    assert not job.target.exists()


def test_files_of_others_are_not_removed(folder: Path) -> None:
    spoiled("tensor00127_000", 107, b"\x80\x7f" * 2)(folder)
    out = folder.parent / "out"
    begin = OutFolder.begin

    def begin_beside_notes(self: OutFolder) -> None:
        begin(self)
        (out / "notes.txt").write_text("mine")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OutFolder, "begin", begin_beside_notes)
        with pytest.raises(NotTheRelease):
            run(Import(folder, out, "int8", CONSTANTS), Progress())
    assert [file.name for file in out.iterdir()] == ["notes.txt"]


# -- the grammar as a whole ----------------------------------------------------------------------


def look(data: bytes) -> list[Any]:
    return arrays_in(lambda offset, length: data[offset : offset + length], len(data))


def test_the_names_are_exactly_these() -> None:
    assert {
        ("__main__", "QuantizedWeight8bit"),
        ("ml_dtypes", "bfloat16"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
    } == ALLOWED


def test_every_other_opcode_is_refused() -> None:
    known = {step[0] for step in STEPS} | {ord(".")}
    assert len(known) == 26
    for code in set(range(256)) - known:
        with pytest.raises(NotTheRelease, match="has opcode"):
            look(b"\x80\x04" + bytes([code]) + norm()[2:])


@pytest.mark.parametrize("file", [NORM, QUERY])
def test_no_change_of_a_byte_gets_through_as_anything_else(file: str) -> None:
    """Every byte of the opcodes set to other values: refused, or arrays of the file's own bytes as before."""
    honest = (CKPT / file).read_bytes()
    expected = look(honest)
    inside = {at for one in expected for at in range(one.offset, one.offset + one.length)}
    rng = random.Random(0)
    accepted = 0
    for at in set(range(len(honest))) - inside:
        for value in {0, 255, honest[at] ^ 1, honest[at] ^ 128, rng.randrange(256)} - {honest[at]}:
            try:
                found = look(honest[:at] + bytes([value]) + honest[at + 1 :])
            except NotTheRelease:
                continue
            accepted += 1
            held = [(one.kind, one.offset, one.length) for one in found]
            assert held == [(one.kind, one.offset, one.length) for one in expected], at
    assert accepted < 40  # shapes that multiply to the same, flags of bfloat16


def test_random_programs_end_in_a_refusal() -> None:
    """Opcodes of the release in a random order, with random arguments."""
    rng = random.Random(1)
    parts = [
        *STEPS,
        text("numpy"),
        text("weight"),
        NDARRAY,
        RECONSTRUCT,
        QUANTIZED,
        dtype("f4"),
        number(3),
        b"C\x01b",
    ]
    for _ in range(3000):
        program = b"".join(rng.choices(parts, k=rng.randrange(1, 60)))
        with pytest.raises(NotTheRelease) as refused:
            look(b"\x80\x04" + program + b".")
        assert str(refused.value).isprintable()
