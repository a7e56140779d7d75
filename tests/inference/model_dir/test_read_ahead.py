"""Weights are read ahead of the modules that need them, unless they would crowd each other out."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.model_dir import read_ahead as module
from inference.model_dir.read_ahead import read_ahead

SIZE = 5_000_001


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(bytes(SIZE))
    return sorted(tmp_path.iterdir())


def bytes_read() -> int:
    """Returns the bytes that this process has had read, from any file."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the kernel does not tell what was read")
def test_all_bytes_of_all_files_are_read(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 2**20)
    before = bytes_read()
    thread = read_ahead(files)
    assert thread is not None
    thread.join()
    assert bytes_read() - before >= 2 * SIZE


def test_files_larger_than_half_the_free_memory_are_not(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "free_memory", lambda: 4 * SIZE - 1)
    assert read_ahead(files) is None


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the kernel does not tell what was read")
def test_the_files_after_one_that_cannot_be_read_are_read(files: list[Path]) -> None:
    folder, before = files[0].parent, bytes_read()
    thread = read_ahead([folder, *files])
    assert thread is not None
    thread.join()
    assert bytes_read() - before >= 2 * SIZE
