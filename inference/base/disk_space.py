"""Tells whether the disks of a service can be written to: "ok", "low", "full" or "read-only".

It uses only the standard library and the environment, because the supervisor calls it, too. Three names stand
for directories that may be on disks of their own: `data` (database, Redis' file), `files` (attachments) and
`logs`. A check costs a statvfs and a write of one block to an unnamed file, at most once in CACHE_SECONDS.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inference.base import env

State = Literal["ok", "low", "full", "read-only"]
WORST: tuple[State, ...] = ("ok", "low", "full", "read-only")

LOW_BYTES = (
    env.integer(
        "GROKWEB_DISK_LOW_MB",
        100,
        "Free space in MB, on the disks of the data and of attached files, below which new "
        "messages and files are refused.",
        low=1,
        high=1_000_000,
    )
    << 20
)
CACHE_SECONDS = 1.0
PROBE_BYTES = 4096  # an empty file fits on a full disk
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_HANDLES = frozenset({errno.EMFILE, errno.ENFILE})  # no statement about the disk
UNWRITABLE = NO_SPACE | {errno.EROFS}


@dataclass(frozen=True, slots=True)
class DiskStatus:
    state: State
    free: int  # bytes that an ordinary user may still write

    @property
    def writable(self) -> bool:
        return self.state in ("ok", "low")


def disk_status(folder: Path, low: int = LOW_BYTES) -> DiskStatus:
    """Returns the state of the disk that holds `folder`, or of where `folder` would be made."""
    try:
        folder = _nearest(folder)
        found = os.statvfs(folder)
    except OSError:
        return DiskStatus("read-only", 0)
    free = found.f_bavail * found.f_frsize
    if found.f_flag & os.ST_RDONLY:
        return DiskStatus("read-only", free)
    # A file system without a fixed number of inodes reports 0 of 0.
    if free < PROBE_BYTES or (found.f_files and not found.f_favail):
        return DiskStatus("full", free)
    try:
        _probe(folder)
    except OSError as error:
        if error.errno not in NO_HANDLES:
            return DiskStatus("full" if error.errno in NO_SPACE else "read-only", free)
    return DiskStatus("low" if free < low else "ok", free)


def _nearest(folder: Path) -> Path:
    """Returns the directory, or the nearest existing one above it.

    Raises OSError if it exists but cannot be reached, for example behind a link to a disk that is not
    mounted: the directory above is then on another disk.
    """
    while True:
        try:
            folder.stat()
        except (FileNotFoundError, NotADirectoryError):
            if folder.is_symlink() or folder == folder.parent:
                raise
            folder = folder.parent
        else:
            return folder


def _probe(folder: Path) -> None:
    """Writes one block: quotas, reserved blocks and failing hardware show only in a write."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        if file.write(bytes(PROBE_BYTES)) < PROBE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def is_unwritable(error: BaseException) -> bool:
    """Returns whether the operating system refused a write because the disk is full or read-only."""
    return isinstance(error, OSError) and error.errno in UNWRITABLE


class Disks:
    """Checks the directories of one service, each known by its content, and caches the result."""

    def __init__(self, folders: dict[str, tuple[Path, ...]], low: int = LOW_BYTES) -> None:
        self.folders = folders
        self.low = low
        self._lock = threading.Lock()
        self._cached: dict[str, tuple[float, DiskStatus]] = {}
        self.recoveries = 0  # how often a disk accepted writes again

    def status(self, name: str) -> DiskStatus:
        """Returns the worst state of its directories, at most CACHE_SECONDS old."""
        with self._lock:
            at, last = self._cached.get(name, (float("-inf"), None))
            if last is not None and time.monotonic() - at < CACHE_SECONDS:
                return last
            statuses = [disk_status(folder, self.low) for folder in self.folders[name]]
            worst = max(statuses, key=lambda each: (WORST.index(each.state), -each.free))
            self._cached[name] = (time.monotonic(), worst)
            self.recoveries += last is not None and not last.writable and worst.writable
            return worst

    def troubled(self) -> list[str]:
        """Returns the names of disks on which writes are refused. Logs may use the last byte."""
        statuses = {name: self.status(name) for name in self.folders}
        return [
            name
            for name, seen in statuses.items()
            if not seen.writable or (name != "logs" and seen.state == "low")
        ]


def of_data(data: Path, *also: Path) -> Disks:
    """Returns the disks of a data directory; `also` is the directory of a database elsewhere."""
    return Disks(
        {
            "data": (data, data / "run", data / "redis", *also),
            "files": (data / "files",),
            "logs": (data / "logs",),
        }
    )
