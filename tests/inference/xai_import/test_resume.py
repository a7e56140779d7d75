"""The importer stopped at any moment: the same command finishes. And how much memory and disk it takes."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from inference.model_dir import manifest
from inference.xai_import import checkpoint, convert, importer
from inference.xai_import.constants import Sizes
from inference.xai_import.importer import SHARD_BYTES, Import, run
from inference.xai_import.layout import Target, source_files, targets
from inference.xai_import.outfolder import STATE, CannotImport, OutFolder, Work
from inference.xai_import.progress import Progress
from inference.xai_import.safefile import plan
from tests.inference.importing import DIE_AT, PEAK, SEVERAL, TOKENIZER, files_of, imported, start
from tests.inference.release_pickles import CKPT, CONFIG, CONSTANTS, write_release


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files_of(imported(tmp_path_factory.mktemp("undisturbed") / "out", shard_bytes=SEVERAL))


@pytest.mark.parametrize("moment", [1, 2, 3, 6, 9, 14, 17, 20])
def test_killed_at_any_step_the_same_command_finishes(
    tmp_path: Path, undisturbed: dict[str, bytes], moment: int
) -> None:
    """Each step to the disk ends in a sync; the process dies right after one of them."""
    out = tmp_path / "out"
    with start(CKPT, out, CONSTANTS, SEVERAL, before=DIE_AT.format(left=moment)) as killed:
        assert killed.wait(60) == -signal.SIGKILL
    before = {name: (out / name).stat() for name in files_of(out) if name.endswith(".safetensors")}
    assert not (out / manifest.NAME).exists() or len(before) == 4
    imported(out, shard_bytes=SEVERAL)
    assert files_of(out) == undisturbed
    for name, status in before.items():
        assert (out / name).stat().st_ino == status.st_ino  # not written again


def test_an_import_killed_at_random_moments_ends_with_the_same_files(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    out, patience, runs = tmp_path / "out", 0.15, 0
    moments = random.Random(7)
    while True:
        with start(CKPT, out, CONSTANTS, SEVERAL) as process:
            try:
                assert process.wait(moments.uniform(0, patience)) == 0
                break
            except subprocess.TimeoutExpired:
                process.kill()
        patience, runs = patience * 1.3, runs + 1
    assert runs > 1
    assert files_of(out) == undisturbed


def test_finished_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    with start(CKPT, out, CONSTANTS, SEVERAL, before=DIE_AT.format(left=8)) as killed:
        killed.wait(60)
    done = set(json.loads((out / STATE).read_text())["done"])
    assert done
    opened: set[str] = set()
    opens = checkpoint.Checkpoint.open

    def noted(self: checkpoint.Checkpoint, file: Any, reader: Any) -> checkpoint.OpenFile:
        opened.add(file.name)
        return opens(self, file, reader)

    monkeypatch.setattr(checkpoint.Checkpoint, "open", noted)
    imported(out, shard_bytes=SEVERAL)
    shards = plan(targets(Sizes.of(CONSTANTS), "int8"), SEVERAL)
    needed = {s.name for shard in shards if shard.name not in done for t in shard.targets for s in t.sources}
    assert opened == needed
    assert len(opened) < 134


def half(out: Path, **kwargs: Any) -> Path:
    with start(CKPT, out, CONSTANTS, SEVERAL, before=DIE_AT.format(left=8)) as killed:
        killed.wait(60)
    return out


def test_a_finished_file_that_was_cut_since_is_written_again(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    out = half(tmp_path / "out")
    first = out / min(json.loads((out / STATE).read_text())["done"])
    os.truncate(first, 1000)
    imported(out, shard_bytes=SEVERAL)
    assert files_of(out) == undisturbed


def test_other_work_is_not_mixed_in(tmp_path: Path) -> None:
    out = half(tmp_path / "out")
    before = files_of(out)
    with pytest.raises(CannotImport, match="unfinished import of another --dtype"):
        imported(out, "float32", SEVERAL)
    with pytest.raises(CannotImport, match="unfinished import of another --tokenizer"):
        imported(out, shard_bytes=SEVERAL, tokenizer=TOKENIZER)
    with pytest.raises(CannotImport, match="unfinished import of another --config"):
        run(Import(CKPT, out, "int8", CONSTANTS | {"rope_base": 20_000}, shard_bytes=SEVERAL), Progress())
    copy = shutil.copytree(CKPT, tmp_path / "ckpt-0")  # keeps the times of change
    os.utime(copy / "tensor00077_000")
    with pytest.raises(CannotImport, match="unfinished import of other files"):
        run(Import(copy, out, "int8", CONSTANTS, shard_bytes=SEVERAL), Progress())
    assert files_of(out) == before
    shutil.rmtree(copy)
    shutil.copytree(CKPT, copy)  # the same release from another place: goes on
    run(Import(copy, out, "int8", CONSTANTS, shard_bytes=SEVERAL), Progress())
    assert manifest.check(out, [])


def test_a_second_import_at_once_is_refused(tmp_path: Path) -> None:
    out = half(tmp_path / "out")
    work = json.loads((out / STATE).read_text())["work"]
    first = OutFolder(out, Work(**work), ["config.json"])
    first.begin()
    try:
        with pytest.raises(CannotImport, match="another import is writing"):
            imported(out, shard_bytes=SEVERAL)
    finally:
        first.release()


def test_the_same_command_again_does_nothing(tmp_path: Path) -> None:
    out = imported(tmp_path / "out")
    before = {file: file.stat().st_mtime_ns for file in out.iterdir()}
    said = io.StringIO()
    run(Import(CKPT, out, "int8", CONSTANTS), Progress(said))
    assert "finished" in said.getvalue()
    assert {file: file.stat().st_mtime_ns for file in out.iterdir()} == before
    with pytest.raises(CannotImport, match="is not empty"):
        imported(out, "float32")


def test_ctrl_c_prints_one_line_and_the_same_command_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, seen = tmp_path / "out", 0
    command = ("import_grok1", str(CKPT), str(out), "--config", str(CONFIG))

    def interrupted(target: Target, sources: list[checkpoint.OpenFile]) -> Iterator[Any]:
        nonlocal seen
        seen += 1
        if seen == 50:
            raise KeyboardInterrupt
        return convert.pieces(target, sources)

    monkeypatch.setattr(importer, "pieces", interrupted)
    with pytest.raises(CommandError, match="stopped; repeat the command to continue") as stopped:
        call_command(*command)
    assert stopped.value.returncode == 130
    assert (out / STATE).exists()
    monkeypatch.undo()
    call_command(*command)
    assert manifest.check(out, ["model.safetensors"])


def test_bytes_that_the_disk_returns_wrongly_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    keep = OutFolder.keep

    def damaging(self: OutFolder, name: str, sha256: str) -> None:
        if name == "model-00002-of-00004.safetensors":
            with self.part(name).open("r+b") as file:
                file.seek(500_000)
                byte = file.read(1)
                file.seek(500_000)
                file.write(bytes([byte[0] ^ 1]))
        keep(self, name, sha256)

    monkeypatch.setattr(OutFolder, "keep", damaging)
    with pytest.raises(OSError, match="model-00002-of-00004.safetensors reads back differently from what"):
        imported(out, shard_bytes=SEVERAL)
    assert not (out / manifest.NAME).exists()
    monkeypatch.undo()
    imported(out, shard_bytes=SEVERAL)
    assert manifest.check(out, [])


# -- memory, disk, progress ------------------------------------------------------------------------


LARGE = {"emb_size": 1024, "num_layers": 1, "num_q_heads": 8, "num_kv_heads": 1, "vocab_size": 9_000}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tensors that weigh more than the interpreter does."""
    folder = tmp_path_factory.mktemp("large")
    yield write_release(folder, LARGE)
    shutil.rmtree(folder)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not tell peaks")
@pytest.mark.parametrize("dtype", ["int8", "bfloat16"])
def test_memory_stays_below_three_times_the_largest_tensor(tmp_path: Path, large: Path, dtype: str) -> None:
    """The whole process, interpreter included, against the largest tensor of the release as it is stored."""
    largest = max(file.payload for file in source_files(Sizes.of(LARGE)))
    assert largest > 44e6
    with start(large, tmp_path / "out", LARGE, SHARD_BYTES, dtype, after=PEAK) as process:
        peak = int(process.communicate(timeout=60)[0]) * 1024
    assert process.returncode == 0
    shutil.rmtree(tmp_path / "out")  # pytest keeps what tests leave
    assert peak <= 3 * largest, f"{peak / 1e6:.0f} MB for a tensor of {largest / 1e6:.0f} MB"


def test_a_disk_without_room_is_refused_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=3_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CannotImport, match=r"not enough disk for .*out: needs 0\.01 GB, 0\.00 GB free"):
        imported(tmp_path / "deep" / "out", "float32")
    assert not list(tmp_path.iterdir())


def test_the_real_release_is_checked_with_the_room_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """770 files of xAI's own sizes, 318 GB of holes: everything but the writing."""
    source = write_release(tmp_path, {}, holes=True)
    assert sum(file.stat().st_size for file in source.iterdir()) > 318e9
    needs = r"not enough disk for .*out: needs 318\.\d\d GB, 100\.00 GB free"
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100 * 10**9))
    with pytest.raises(CannotImport, match=needs):
        run(Import(source, tmp_path / "out"), Progress())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**12))
    said = io.StringIO()
    monkeypatch.setattr(OutFolder, "begin", lambda self: pytest.fail(f"begun: {said.getvalue()}"))
    with pytest.raises(pytest.fail.Exception, match="begun: reading in a process apart"):
        run(Import(source, tmp_path / "out"), Progress(said))
    assert not (tmp_path / "out").exists()


def test_complete_files_survive_a_disk_that_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync
    calls = 0

    def full(number: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 8:
            raise OSError(28, "No space left on device")
        fsync(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        imported(tmp_path / "out", shard_bytes=SEVERAL)
    monkeypatch.undo()
    assert json.loads((tmp_path / "out" / STATE).read_text())["done"]
    imported(tmp_path / "out", shard_bytes=SEVERAL)
    assert manifest.check(tmp_path / "out", [])
