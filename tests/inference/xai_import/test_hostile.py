"""Tests that files other than xAI's release are refused in one line, run nothing, and leave nothing
behind.
"""

from __future__ import annotations

import os
import pickle
import random
import re
import shutil
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
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
    FALSE,
    NDARRAY,
    NONE,
    QUANTIZED,
    RECONSTRUCT,
    TRUE,
    array,
    dtype,
    many,
    name,
    number,
    quantized,
    text,
    whole,
)

NORM, QUERY, EXPERTS = "tensor00001_000", "tensor00007_000", "tensor00002_000"
CANARY = "canary"  # made by every payload that would run, in the current folder
ONES = np.ones(48, np.float32).tobytes()
Q = np.ones((48, 96), np.int8).tobytes()
Q_SCALES = b"\x80\x3f" * 96


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


# -- hostile pickles -----------------------------------------------------------------------------


def norm(**changes: Any) -> bytes:
    return whole(array("f4", (48,), ONES, **changes))


def query(weight: bytes | None = None, scales: bytes | None = None, **changes: Any) -> bytes:
    weight = array("i1", (48, 96), Q) if weight is None else weight
    scales = array("bf16", (1, 96), Q_SCALES) if scales is None else scales
    return whole(quantized(weight, scales, **changes))


def padded(body: bytes, file: str = NORM) -> bytes:
    """Pads to the length of the honest file, so that the length reveals nothing."""
    return b"\x80\x04" + body + b"N" * ((CKPT / file).stat().st_size - len(body) - 3) + b"."


SHELL = f"touch {CANARY}"
CALL_SYSTEM = name("posix", "system") + text(SHELL) + b"\x85R"
CALL_EVAL = name("builtins", "eval") + text(f"open('{CANARY}','w')") + b"\x85R"


class Reduced:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (SHELL,)


def laughs(levels: int) -> bytes:
    """Tuples of the same tuple twice, each level in one byte more."""
    body = b")\x94"
    for level in range(levels):
        body += b"h" + bytes([level]) + b"h" + bytes([level]) + b"\x86\x94"
    return body


PICKLES: dict[str, tuple[str, bytes, str]] = {
    "shell": (NORM, padded(CALL_SYSTEM), r"names posix\.system, which"),
    "shell by Python's pickler": (NORM, padded(pickle.dumps(Reduced(), 4)[2:-1]), r"names posix\.system"),
    "eval": (NORM, padded(CALL_EVAL), r"names builtins\.eval"),
    "getattr": (NORM, padded(name("builtins", "getattr")), r"names builtins\.getattr"),
    "import": (NORM, padded(name("importlib", "import_module")), r"names importlib\.import_module"),
    "numpy.load": (NORM, padded(name("numpy", "load")), r"names numpy\.load"),
    "numpy by a prefix": (NORM, padded(name("numpy.f2py", "compile")), r"names numpy\.f2py\.compile"),
    "numpy's scalar": (
        NORM,
        padded(name("numpy.core.multiarray", "scalar")),
        r"names numpy\.core\.multiarray\.scalar",
    ),
    "name with dots": (
        NORM,
        padded(name("numpy.core.multiarray", "_reconstruct.__globals__")),
        r"names numpy\.core\.multiarray\._reconstruct\.__globals__",
    ),
    "name split elsewhere": (
        NORM,
        padded(name("numpy.core", "multiarray._reconstruct")),
        "which the release does not",
    ),
    "method of the class": (
        NORM,
        padded(name("__main__", "QuantizedWeight8bit.__init__")),
        "which the release does not",
    ),
    "look-alike": (NORM, padded(name("nump\u0443", "dtype")), "text that is not ASCII"),
    "name from a number": (
        NORM,
        padded(text("numpy") + b"K\x01\x93"),
        "names a global with something that is no text",
    ),
    "terminal codes in a name": (NORM, padded(name("\x1b[2J", "x\n")), r"names \\x1b\[2J\.x\\n"),
    "GLOBAL": (NORM, padded(b"cposix\nsystem\n"), r"opcode b'c' at byte 2"),
    "INST": (NORM, padded(b"(X\x04\x00\x00\x00exitiposix\nsystem\n"), "opcode b'X'"),
    "OBJ": (NORM, padded(b"(o"), "opcode b'o'"),
    "NEWOBJ_EX": (NORM, padded(QUANTIZED[:-2] + b"}\x92"), r"opcode b'\\x92'"),
    "persistent id": (NORM, padded(b"Pevil\n"), "opcode b'P'"),
    "persistent id from the stack": (NORM, padded(b"NQ"), "opcode b'Q'"),
    "extension": (NORM, padded(b"\x82\x01"), r"opcode b'\\x82'"),
    "buffer of protocol 5": (NORM, padded(b"\x97"), r"opcode b'\\x97'"),
    "byte array of protocol 5": (NORM, padded(b"\x96" + b"\xff" * 8), r"opcode b'\\x96'"),
    "long integer": (NORM, padded(b"\x8b" + struct.pack("<i", 2**31 - 1)), r"opcode b'\\x8b'"),
    "text of 4 GB": (NORM, padded(b"X\xff\xff\xff\xff"), "opcode b'X'"),
    "protocol 5": (NORM, b"\x80\x05" + norm()[2:], "is no pickle of protocol 4"),
    "protocol 0": (NORM, pickle.dumps([1.0] * 48, 0), "is no pickle of protocol 4"),
    "no pickle": (NORM, b"\x7fELF" + bytes(335), "is no pickle of protocol 4"),
    "npy file": (NORM, b"\x93NUMPY\x01\x00" + bytes(331), "is no pickle of protocol 4"),
    "zip": (NORM, b"PK\x03\x04" + bytes(335), "is no pickle of protocol 4"),
    "list": (NORM, padded(b"]"), r"opcode b'\]'"),
    "no end": (NORM, norm()[:-1], "ends at byte"),
    "something after the end": (NORM, norm() + b"N", "continues for 1 bytes after its end"),
    "second pickle": (NORM, norm() + whole(CALL_SYSTEM), "bytes after its end"),
    "two objects": (NORM, whole(b"N" + norm()[2:-1]), "leaves 2 objects"),
    "nothing": (NORM, padded(b""), r"leaves \d+ objects"),
    "number for an array": (NORM, whole(b"C\xc8" + bytes(200)), "neither an array nor quantized"),
    "steps without end": (NORM, b"\x80\x04" + b"N" * 600 + b".", "more than 512 opcodes"),
    "memo without end": (NORM, b"\x80\x04N" + b"\x94" * 1500 + b".", "more than 512 opcodes"),
    "marks inside marks": (NORM, b"\x80\x04" + b"(" * 400 + b"t" * 400 + b".", "puts in one|more than 512"),
    "tuples inside tuples": (NORM, b"\x80\x04)" + b"\x85" * 400 + b".", "that the release never puts in one"),
    "billion laughs": (NORM, padded(laughs(40)), "that the release never puts in one"),
    "memo that is not there": (NORM, padded(b"h\x07"), "recalls object 7 of 0"),
    "empty stack": (NORM, padded(b"R"), "more from its stack than there is"),
    "through a mark": (NORM, padded(b"N(\x85"), "more from its stack than there is"),
    "tuple without a mark": (NORM, padded(b"t"), "more from its stack than there is"),
    "claims 4 GB": (
        NORM,
        norm(opcode=b"B\xff\xff\xff\xff"),
        r"claims 4294967295 bytes of data, \d+ are left",
    ),
    "claims more than there is": (
        NORM,
        norm(opcode=b"\x8e" + b"\xff" * 8),
        "claims 18446744073709551615 bytes",
    ),
    "frame of 4 GB": (NORM, b"\x80\x04\x95" + struct.pack("<Q", 2**32) + norm()[2:], "claims a frame of"),
    "frame that ends early": (
        NORM,
        b"\x80\x04\x95" + struct.pack("<Q", 5) + norm()[2:],
        "over the end of its frame",
    ),
    "frame in a frame": (
        NORM,
        b"\x80\x04" + (b"\x95" + struct.pack("<Q", 50)) * 2 + norm()[2:],
        "frame inside a frame",
    ),
    "objects": (NORM, norm(of=dtype("O8")), "holds an array of objects"),
    "objects by flags": (
        QUERY,
        query(
            scales=array(
                "bf16",
                (1, 96),
                Q_SCALES,
                of=dtype(
                    "bf16",
                    state=many(number(3), text("<"), NONE, NONE, NONE, number(2), number(2), number(63)),
                ),
            )
        ),
        "a byte order, fields or flags of its own",
    ),
    "fields": (
        NORM,
        norm(
            of=dtype(
                "f4", state=many(number(3), text("|"), NONE, text("x"), NONE, number(4), number(1), number(0))
            )
        ),
        "a byte order, fields or flags of its own",
    ),
    "callable type": (NORM, norm(of=dtype("f4", code=NDARRAY)), "of a type that the release does not have"),
    "void type": (NORM, norm(of=dtype("V4")), "holds an array of type V4"),
    "doubles": (NORM, whole(array("f8", (24,), ONES)), "holds an array of type f8"),
    "big-endian": (NORM, norm(of=dtype("f4", order=">")), "a byte order, fields or flags of its own"),
    "Fortran order": (NORM, norm(order=TRUE), "in Fortran order"),
    "negative side": (
        NORM,
        norm(sides=many(number(-48), number(-1))),
        "of a shape that the release does not have",
    ),
    "side of zero": (NORM, norm(sides=many(number(0))), "of a shape that the release does not have"),
    "side that is True": (NORM, norm(sides=many(number(48), TRUE)), "puts in one|a shape that the release"),
    "ten million billion": (NORM, norm(sides=many(*[number(2**31 - 1)] * 3)), "has 192 bytes for an array"),
    "shape of another": (
        NORM,
        norm(sides=many(number(6), number(8))),
        r"holds f4 \[6, 8\]; rms_norm is f4 \[48\]",
    ),
    "other version": (NORM, norm(version=b"K\x02"), "a state that the release does not"),
    "subclass of an array": (
        NORM,
        whole(
            RECONSTRUCT
            + name("__main__", "QuantizedWeight8bit")
            + many(number(0))
            + b"C\x01b\x87R"
            + b"N" * 200
        ),
        "begins an array in a way that numpy does not",
    ),
    "array from a shape": (
        NORM,
        whole(RECONSTRUCT + NDARRAY + many(number(10**6)) + b"C\x01b\x87R" + b"N" * 200),
        "begins an array in a way that numpy does not",
    ),
    "dtype called with more": (
        NORM,
        padded(name("numpy", "dtype") + many(text("f4"), FALSE, TRUE, NONE) + b"R"),
        "of a type that the release does not have",
    ),
    "array without data": (
        NORM,
        padded(RECONSTRUCT + NDARRAY + many(number(0)) + b"C\x01b\x87R"),
        "leaves|neither",
    ),
    "state given twice": (
        NORM,
        whole(
            array("f4", (48,), ONES)
            + b"(K\x01"
            + many(number(1))
            + dtype("f4")
            + FALSE
            + b"C\x04abcd"
            + b"tb"
        ),
        "a state that the release does not",
    ),
    "quantized for plain": (
        NORM,
        whole(quantized(array("i1", (48,), bytes(48)), array("bf16", (72,), bytes(144)))),
        r"holds i1 \[48\] and bf16 \[72\]; rms_norm is f4 \[48\]",
    ),
    "plain for quantized": (QUERY, whole(array("i1", (48, 100), bytes(4800))), r"holds i1 \[48, 100\]"),
    "more rows of scales": (
        QUERY,
        query(scales=array("bf16", (2, 96), Q_SCALES * 2)),
        r"bf16 \[2, 96\]; decoder_layer_0/multi_head_attention/query is i1 \[48, 96\] and bf16 \[1, 96\]",
    ),
    "float scales": (QUERY, query(scales=array("f4", (1, 96), bytes(384))), r"f4 \[1, 96\]; decoder_layer_0"),
    "turned weights": (QUERY, query(weight=array("i1", (96, 48), Q)), r"holds i1 \[96, 48\]"),
    "no scales": (
        QUERY,
        whole(QUANTIZED + b"}(" + text("weight") + array("i1", (48, 96), Q) + b"ub"),
        "not weight and scales",
    ),
    "one part more": (
        QUERY,
        query()[:-3] + text("__class__") + name("numpy", "ndarray") + b"ub.",
        "not weight and scales",
    ),
    "part with a magic name": (
        QUERY,
        query().replace(text("scales"), text("__dict__")),
        "not weight and scales",
    ),
    "state of another kind": (
        QUERY,
        whole(QUANTIZED + array("i1", (48, 96), Q) + b"b" + b"N" * 200),
        "a state that",
    ),
    "class with arguments": (QUERY, query(begin=QUANTIZED[:-3] + b"N\x85\x81\x94"), "makes an object that"),
    "another class": (
        QUERY,
        query(begin=NDARRAY + b")\x81\x94"),
        "makes an object that the release does not",
    ),
    "calling the class": (
        QUERY,
        query(begin=name("__main__", "QuantizedWeight8bit") + b")R\x94"),
        "calls __main__.Quan",
    ),
    # The sixteenth thing remembered is the array of the weights.
    "weights as scales": (
        QUERY,
        whole(
            QUANTIZED + b"}\x94(" + text("weight") + array("i1", (48, 96), Q) + text("scales") + b"h\x0fub"
        ),
        "uses the same bytes as weights and as scales",
    ),
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
