"""Transfers one file of a repository, continues one that was cut, and checks it against the hub's digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from inference.base.disk_space import is_unwritable
from inference.base.lines import english
from inference.hub.client import Hub, Repository
from inference.hub.files import RemoteFile
from inference.model_dir.headers import LONGEST_HEADER, ModelUnusable
from inference.model_dir.manifest import CHUNK

RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
HEADER_GUESS = 64 * 1024  # most headers of weights are shorter, so that one request brings them
OnBytes = Callable[[int], None]


class Transfer:
    """Brings files of one commit into a folder, each as `<name>.part` until it is whole and checked."""

    def __init__(self, hub: Hub, repository: Repository, folder: Path, on_bytes: OnBytes) -> None:
        self._hub, self._repository, self._folder, self._on_bytes = hub, repository, folder, on_bytes

    def part(self, file: RemoteFile) -> Path:
        return self._folder / f"{file.name}.part"

    def present(self, file: RemoteFile) -> int:
        """Returns how many bytes of a file are here; a part that is longer than the file is dropped."""
        if (self._folder / file.name).is_file():
            return file.size
        part = self.part(file)
        size = part.stat().st_size if part.is_file() else 0
        if size > file.size:
            part.unlink()
            return 0
        return size

    def drop(self, file: RemoteFile) -> None:
        """Removes what is here of a file."""
        self.part(file).unlink(missing_ok=True)
        (self._folder / file.name).unlink(missing_ok=True)

    def header(self, file: RemoteFile) -> bytes:
        """Returns the first bytes of a weights file: its length field and its header; raises HeaderWrong."""
        self.bring(file, min(file.size, HEADER_GUESS))
        length = int.from_bytes(self._first(file, 8), "little")
        if length > min(LONGEST_HEADER, file.size):
            raise HeaderWrong(
                english(
                    "%(name)s: %(file)s is no safetensors file; name another revision",
                    name=self._hub.name,
                    file=file.name,
                )
            )
        self.bring(file, min(file.size, 8 + length))
        return self._first(file, 8 + length)

    def bring(self, file: RemoteFile, end: int) -> None:
        """Continues until the first `end` bytes of a file are here; raises ModelUnusable."""
        start = self.present(file)

        def has_progress() -> bool:
            nonlocal start
            before, start = start, self.present(file)
            return start > before

        while self.present(file) < end:
            self._hub.patiently(lambda: self._once(file, end), has_progress=has_progress)

    def finish(self, file: RemoteFile, on_checked: OnBytes = lambda count: None) -> str:
        """Checks a whole file, gives it its name and returns its SHA-256; removes what is wrong."""
        part, whole = self.part(file), self._folder / file.name
        if file.size == 0:
            part.touch()
        place = whole if whole.is_file() else part
        sha256, git_sha1 = digests(place, file.size, on_checked)
        if (file.sha256 and sha256 != file.sha256) or (not file.sha256 and git_sha1 != file.git_sha1):
            place.unlink()
            raise ChecksumWrong(
                english(
                    "%(name)s: %(file)s is not what the hub's checksum says; it was removed: start again to "
                    "fetch it anew",
                    name=self._hub.name,
                    file=file.name,
                )
            )
        if place is part:
            part.replace(whole)
        return sha256

    def _first(self, file: RemoteFile, count: int) -> bytes:
        whole = self._folder / file.name
        with (whole if whole.is_file() else self.part(file)).open("rb") as data:
            return data.read(count)

    def _once(self, file: RemoteFile, end: int) -> None:
        """Makes one request, and writes what arrives at once, so that a killed process loses only a chunk."""
        start = self.present(file)
        with self._hub.stream(self._repository, file, start, end) as answer:
            start = self._checked_start(answer, file, start, end)
            with Part(self.part(file), start) as out:
                for piece in answer.iter_raw():
                    wanted = piece[: end - start]
                    out.write(wanted)
                    start += len(wanted)
                    self._on_bytes(len(wanted))
                    if start == end:
                        if len(wanted) < len(piece) and end == file.size:
                            raise self._wrong_length(file, "more")
                        return
        if start < end:
            raise httpx2.RemoteProtocolError("the answer ended before its end")

    def _checked_start(self, answer: httpx2.Response, file: RemoteFile, start: int, end: int) -> int:
        """Returns where the answer begins: at `start`, or at 0 if the server ignores ranges."""
        if answer.status_code == 200:
            length = answer.headers.get("content-length", "")
            if length.isdecimal() and int(length) != file.size:
                raise self._wrong_length(file, f"{int(length):,}")
            self._on_bytes(-start)
            return 0
        found = RANGE.fullmatch(answer.headers.get("content-range", ""))
        if found is None or int(found[1]) != start or int(found[2]) >= max(end, 1):
            raise ModelUnusable(
                english(
                    "%(name)s: the hub sends another part of %(file)s than was asked for",
                    name=self._hub.name,
                    file=file.name,
                )
            )
        if int(found[3]) != file.size:
            raise self._wrong_length(file, f"{int(found[3]):,}")
        return start

    def _wrong_length(self, file: RemoteFile, found: str) -> ModelUnusable:
        return ModelUnusable(
            english(
                "%(name)s: the hub lists %(size)s bytes for %(file)s, but sends %(found)s; try again later, "
                "or name another revision (after an @)",
                name=self._hub.name,
                size=f"{file.size:,}",
                file=file.name,
                found=found,
            )
        )


class ChecksumWrong(ModelUnusable):
    """A file differs from what the hub lists, and was removed."""


class HeaderWrong(ModelUnusable):
    """A file does not begin as safetensors files do: it is none, or its part was damaged where it lay."""


class Part:
    """Writes a part from `start` on, without a buffer. A full disk is ModelUnusable."""

    def __init__(self, path: Path, start: int) -> None:
        self._path, self._start = path, start

    def __enter__(self) -> Part:
        with disk_words(self._path.parent):
            self._out = self._path.open("r+b" if self._path.exists() else "w+b", buffering=0)
            self._out.truncate(self._start)
            self._out.seek(self._start)
        return self

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        with disk_words(self._path.parent):
            while view:
                view = view[self._out.write(view) or 0 :]

    def __exit__(self, *_: object) -> None:
        self._out.close()


@contextmanager
def disk_words(folder: Path) -> Iterator[None]:
    """Turns a disk that takes no more, and a folder that must not be written to, into ModelUnusable."""
    try:
        yield
    except OSError as error:
        if not (is_unwritable(error) or isinstance(error, PermissionError)):
            raise
        raise ModelUnusable(
            english(
                "%(folder)s cannot be written to: %(why)s; make room and start again: what was fetched is "
                "kept",
                folder=folder,
                why=error.strerror,
            )
        ) from error


def digests(path: Path, size: int, on_bytes: OnBytes) -> tuple[str, str]:
    """Returns the SHA-256 of a file and the SHA-1 of the git blob that it is."""
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as data:
        while chunk := data.read(CHUNK):
            sha256.update(chunk)
            sha1.update(chunk)
            on_bytes(len(chunk))
    return sha256.hexdigest(), sha1.hexdigest()
