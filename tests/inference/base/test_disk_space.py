"""Tests the states of a disk on small real disks."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from inference.base import disk_space
from tests.faults.small_disk import SmallDisk

MB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    made = SmallDisk(tmp_path / "disk", 4)
    try:
        yield made
    finally:
        made.close()


def test_a_disk_is_ok_then_low_then_full_then_ok(disk: SmallDisk) -> None:
    assert disk_space.disk_status(disk.folder, MB).state == "ok"
    assert disk_space.disk_status(disk.folder, 8 * MB).state == "low"
    with disk.full():
        assert disk_space.disk_status(disk.folder, MB) == disk_space.DiskStatus("full", 0)
    found = disk_space.disk_status(disk.folder, MB)
    assert (found.state, found.writable) == ("ok", True)
    assert 3 * MB < found.free <= 4 * MB
    assert list(disk.folder.iterdir()) == []  # a look leaves nothing behind


def test_a_disk_without_inodes_is_full(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path / "disk", 4, inodes=5)
    try:
        with suppress(OSError):
            for number in range(5):
                (disk.folder / str(number)).touch()
        assert disk.free_bytes > MB
        assert disk_space.disk_status(disk.folder, MB).state == "full"
    finally:
        disk.close()


def test_read_only_and_full_disks_are_distinguished(disk: SmallDisk) -> None:
    with disk.read_only():
        assert disk_space.disk_status(disk.folder, MB).state == "read-only"
    assert disk_space.disk_status(disk.folder, MB).state == "ok"


def test_a_disk_that_is_not_mounted_is_not_confused_with_its_parent(tmp_path: Path) -> None:
    """The directory of attached files is a link to it."""
    files = tmp_path / "files"
    files.symlink_to(tmp_path / "mnt" / "files")
    assert disk_space.disk_status(files, 1).state == "read-only"
    assert disk_space.disk_status(files / "ab", 1).state == "read-only"
    (tmp_path / "mnt" / "files").mkdir(parents=True)
    assert disk_space.disk_status(files / "ab", 1).state == "ok"


def test_too_many_open_files_are_not_a_disk_error(disk: SmallDisk) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        found = disk_space.disk_status(disk.folder, MB)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found.state == "ok"


def test_a_missing_directory_has_the_state_of_its_parent(disk: SmallDisk) -> None:
    with disk.full():
        assert disk_space.disk_status(disk.folder / "files" / "ab", MB).state == "full"


def test_the_worst_folder_counts_and_a_recovery_is_noticed(
    disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_space, "CACHE_SECONDS", 0.0)
    several = disk_space.Disks({"data": (tmp_path, disk.folder), "logs": (disk.folder,)}, low=1)
    assert several.troubled() == []
    with disk.full():
        assert several.troubled() == ["data", "logs"]
        assert several.recoveries == 0
    assert several.troubled() == []
    assert several.recoveries == 2
