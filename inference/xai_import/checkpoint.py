"""Opens the folder of the release: exactly its files, no links, each opened once."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from inference.xai_import.layout import MOST_PROGRAM, SourceFile
from inference.xai_import.reader import Reader, ReadingFailed
from inference.xai_import.unpickle import Array, NotTheRelease, shown

KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
ONLY_ITSELF = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
INSIDE = "ckpt-0"  # the name of the folder in the release

Stamp = tuple[int, int, int, int]  # device, inode, size, time of change (ns): the same file, untouched


def stamp_of(found: os.stat_result) -> Stamp:
    # Not ctime, which a backup changes when it makes hard links.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class OpenFile:
    """An open file of the release, the arrays found in it, and their bytes."""

    def __init__(self, file: SourceFile, number: int, stamp: Stamp, arrays: list[Array]) -> None:
        self.file, self.arrays = file, arrays
        self._number, self._stamp = number, stamp
        self._data = io.FileIO(number, closefd=False)

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._data.close()
        os.close(self._number)

    def read_into(self, buffer: NDArray[np.generic], array: int, start: int) -> None:
        """Fills a buffer with the bytes of an array from its byte `start` on."""
        held = self.arrays[array]
        view = buffer.reshape(-1).view(np.uint8).data
        if not 0 <= start <= start + len(view) <= held.length:
            raise ValueError(f"{len(view)} bytes from {start} reach outside an array of {held.length}")
        self._data.seek(held.offset + start)
        while len(view):
            count = self._data.readinto(view)
            if not count:
                raise NotTheRelease(f"{self.file.name} became shorter while it was read")
            view = view[count:]

    def expect(self, array: int, start: int, length: int) -> None:
        """Announces the bytes that are needed next, so that the disk can fetch them in advance."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._number, self.arrays[array].offset + start, length, os.POSIX_FADV_WILLNEED)

    def ensure_untouched(self) -> None:
        if stamp_of(os.fstat(self._number)) != self._stamp:
            raise NotTheRelease(f"{self.file.name} was changed while it was read")


class Checkpoint:
    """The files of the release in a folder (`ckpt-0`, or a folder that holds only it)."""

    def __init__(self, path: Path, files: Sequence[SourceFile]) -> None:
        self.path, self.files = path, files
        self._folder = _open_folder(path)
        self._stamps: dict[str, Stamp] = {}

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._folder)

    def look(self) -> None:
        """Checks names, kinds and sizes, without opening a file. Raises NotTheRelease."""
        expected = {file.name for file in self.files}
        found: set[str] = set()
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name not in expected:
                    raise NotTheRelease(
                        f"{shown(entry.name)} in {self.path} is no part of the release, which has "
                        f"{len(expected)} files in this size, alone in their folder"
                    )
                found.add(entry.name)
        missing = sorted(expected - found)
        if missing:
            raise NotTheRelease(
                f"{missing[0]} is missing in {self.path} ({len(missing)} of {len(expected)} files are)"
            )
        for file in self.files:
            status = os.stat(file.name, dir_fd=self._folder, follow_symlinks=False)
            _ensure_regular(file, status)
            if not file.payload < status.st_size <= file.payload + MOST_PROGRAM:
                raise NotTheRelease(
                    f"{file.name} has {status.st_size:,} bytes; "
                    f"{file.parameter} takes {file.payload:,} and a few hundred"
                )
            self._stamps[file.name] = stamp_of(status)

    def fingerprint(self) -> str:
        """Returns a digest of names, sizes and times, so that an import continues with the same files."""
        lines = [f"{name} {size} {time}" for name, (_, _, size, time) in sorted(self._stamps.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def open(self, file: SourceFile, reader: Reader) -> OpenFile:
        """Opens a file and finds its arrays in the reading process. Raises NotTheRelease, ReadingFailed."""
        try:  # O_NONBLOCK: does not wait for a writer if the file has become a fifo
            number = os.open(file.name, ONLY_ITSELF | os.O_NONBLOCK, dir_fd=self._folder)
        except OSError as error:
            # ELOOP is what O_NOFOLLOW answers to a link
            is_link = error.errno == errno.ELOOP
            words = "is a symbolic link" if is_link else f"cannot be opened: {error.strerror}"
            raise NotTheRelease(f"{file.name} {words}") from None
        try:
            status = os.fstat(number)
            _ensure_regular(file, status)
            if stamp_of(status) != self._stamps[file.name]:
                raise NotTheRelease(f"{file.name} was changed during the import")
            try:
                arrays = reader.arrays(number)
            except (NotTheRelease, ReadingFailed) as error:
                raise type(error)(f"{file.name} {error}") from None
            fault = file.fault(arrays)
            if fault:
                raise NotTheRelease(f"{file.name} {fault}")
        except BaseException:
            os.close(number)
            raise
        return OpenFile(file, number, self._stamps[file.name], arrays)


def _ensure_regular(file: SourceFile, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "no plain file")
        raise NotTheRelease(f"{file.name} is {kind}, not a file of the release")


def _open_folder(path: Path) -> int:
    """Opens the folder of the files itself, never through a link, whose target could change a moment
    later.
    """
    folder = _open_one(str(path), path, None)
    try:
        with os.scandir(folder) as entries:
            first = [entry.name for _, entry in zip(range(2), entries, strict=False)]
        return _open_one(INSIDE, path / INSIDE, folder) if first == [INSIDE] else os.dup(folder)
    finally:
        os.close(folder)


def _open_one(name: str, path: Path, inside: int | None) -> int:
    try:
        if stat.S_ISLNK(os.stat(name, dir_fd=inside, follow_symlinks=False).st_mode):
            raise NotTheRelease(f"{path} is a symbolic link; give the folder itself")
        return os.open(name, ONLY_ITSELF | os.O_DIRECTORY, dir_fd=inside)
    except FileNotFoundError:
        raise NotTheRelease(f"there is no folder {path}") from None
    except NotADirectoryError:
        raise NotTheRelease(f"{path} is no folder; give the one that holds the release's files") from None
    except OSError as error:
        raise NotTheRelease(f"{path} cannot be opened: {error.strerror}") from None
