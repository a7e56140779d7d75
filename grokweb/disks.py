"""Tells whether the disks of a service can be written to: "ok", "low", "full" or "read-only".

Standard library and the environment only: the supervisor asks, too. Three names, each with the folders that
may lie on a disk of their own: `data` (database, Redis' file), `files` (what people attach) and `logs`.
A look costs a statvfs and a write of one block into a file without a name, at most once in LOOK_SECONDS.
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

from grokweb import env
from inference.settings import DATA_DIR

State = Literal["ok", "low", "full", "read-only"]
WORST: tuple[State, ...] = ("ok", "low", "full", "read-only")

LOW_BYTES = (
    env.integer(
        "GROKWEB_DISK_LOW_MB",
        100,
        "Free space on the disks of the data and of files, in MB, below which new messages and files are "
        "refused",
        low=1,
        high=1_000_000,
    )
    << 20
)
LOOK_SECONDS = 1.0
PROBE_BYTES = 4096  # an empty file fits on a full disk
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_HANDLES = frozenset({errno.EMFILE, errno.ENFILE})  # says nothing of the disk
UNWRITABLE = NO_SPACE | {errno.EROFS}


@dataclass(frozen=True, slots=True)
class Look:
    state: State
    free: int  # bytes that an ordinary user may still write

    @property
    def writable(self) -> bool:
        return self.state in ("ok", "low")


def look(folder: Path, low: int = LOW_BYTES) -> Look:
    """Returns the state of the disk that holds `folder`, or of where `folder` would be made."""
    try:
        folder = _nearest(folder)
        found = os.statvfs(folder)
    except OSError:
        return Look("read-only", 0)
    free = found.f_bavail * found.f_frsize
    if found.f_flag & os.ST_RDONLY:
        return Look("read-only", free)
    # A file system without a fixed number of inodes reports 0 of 0.
    if free < PROBE_BYTES or (found.f_files and not found.f_favail):
        return Look("full", free)
    try:
        _probe(folder)
    except OSError as error:
        if error.errno not in NO_HANDLES:
            return Look("full" if error.errno in NO_SPACE else "read-only", free)
    return Look("low" if free < low else "ok", free)


def _nearest(folder: Path) -> Path:
    """Returns the folder, or the nearest above it that is there. Raises OSError if it is there and cannot be
    reached, as behind a link to a disk that is not mounted: what lies above is another disk."""
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
    """Quotas, reserved blocks and failing hardware show only in a write."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        if file.write(bytes(PROBE_BYTES)) < PROBE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def is_unwritable(error: BaseException) -> bool:
    """Whether the operating system refused a write because the disk is full or read-only."""
    return isinstance(error, OSError) and error.errno in UNWRITABLE


class Disks:
    """The folders of one service by the name of what they hold, and their last look."""

    def __init__(self, folders: dict[str, tuple[Path, ...]], low: int = LOW_BYTES) -> None:
        self.folders = folders
        self.low = low
        self._lock = threading.Lock()
        self._looks: dict[str, tuple[float, Look]] = {}
        self.recoveries = 0  # how often a disk took writes again

    def look(self, name: str) -> Look:
        """The worst of its folders, at most LOOK_SECONDS old."""
        with self._lock:
            at, last = self._looks.get(name, (float("-inf"), None))
            if last is not None and time.monotonic() - at < LOOK_SECONDS:
                return last
            looks = [look(folder, self.low) for folder in self.folders[name]]
            worst = max(looks, key=lambda each: (WORST.index(each.state), -each.free))
            self._looks[name] = (time.monotonic(), worst)
            self.recoveries += last is not None and not last.writable and worst.writable
            return worst

    def troubled(self) -> list[str]:
        """Names of disks on which something is refused. Logs may use the last byte."""
        looks = {name: self.look(name) for name in self.folders}
        return [
            name
            for name, seen in looks.items()
            if not seen.writable or (name != "logs" and seen.state == "low")
        ]


def of_data(data: Path = DATA_DIR, *also: Path) -> Disks:
    """`also`: where a database lies that is not in the data directory."""
    return Disks(
        {
            "data": (data, data / "run", data / "redis", *also),
            "files": (data / "files",),
            "logs": (data / "logs",),
        }
    )
