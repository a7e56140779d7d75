"""An uploaded file, opened: JSON as it is, or the JSON files of a zip, one after the other in one file.

Nothing is written under a name from the archive, and nothing in it decides how much is unpacked.
"""

from __future__ import annotations

import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import UnsupportedOperation
from mmap import ACCESS_READ, mmap
from pathlib import PurePosixPath
from types import TracebackType
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _

from chat.core.errors import BadInput
from chat.core.text import grouped, one_line
from chat.transfer.drafts import Unreadable, storable
from chat.transfer.scan import RECORDS, Buffer, Span, spans

ENTRIES = 50_000  # of one archive; an export of everything has two a conversation
UNPACKED_TIMES = 4  # what comes out may be so many times the largest upload
RATIO = 200  # a file that grows more than this is a bomb; JSON shrinks to a tenth or so
RATIO_FROM = 1 << 20  # small files may
PIECE = 1 << 16

_ENTRY = re.compile(rb"PK\x01\x02")  # every entry of an archive's directory begins with it
_ARCHIVES = {".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar", ".zst"}
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_CHATGPT = re.compile(r"conversations(-\d{1,6})?\.json", re.IGNORECASE)
# What the standard library says of archives that are not as they should be.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


@dataclass(slots=True)
class Part:
    name: str
    start: int
    end: int


@dataclass(slots=True)
class Package:
    """Used as a context, so that what was unpacked goes away."""

    file: IO[bytes]
    name: str
    data: Buffer = b""
    parts: list[Part] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)  # files: name, why
    found: list[Span] = field(default_factory=list)
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Package:
        try:
            self._read()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.data = b""
        self._open.close()

    def _read(self) -> None:
        self.data = mapped(self.file)
        if self.data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            self._unpack()
        else:
            self.parts = [Part(shown(self.name), 0, len(self.data))]
        for part in self.parts:
            self._find(part)
        if not self.found:
            raise BadInput(self.left_out[0][1] if self.left_out else _("There is no conversation in it."))

    def _find(self, part: Part) -> None:
        """All of a part or nothing: a list that breaks off is no list."""
        found: list[Span] = []
        try:
            for span in spans(self.data, part.start, part.end):
                found.append(span)
                if len(self.found) + len(found) > RECORDS:
                    raise BadInput(
                        _("There are more than %(limit)s conversations in it. Please import it in parts.")
                        % {"limit": grouped(RECORDS)}
                    )
        except Unreadable as error:
            self.left_out.append((part.name, str(error)))
        else:
            self.found += found

    # --- Archives -----------------------------------------------------------------------------------------

    def _unpack(self) -> None:
        if sum(1 for _match in _ENTRY.finditer(self.data)) > ENTRIES:
            raise BadInput(_("There are too many files in this archive."))
        packed = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed with the package
        try:
            with zipfile.ZipFile(self.file) as archive:
                for info in self._wanted(archive.infolist()):
                    self._unpack_one(archive, info, packed)
        except _BROKEN:
            raise BadInput(_("This archive is broken.")) from None
        packed.flush()
        self.data = mapped(packed)

    def _wanted(self, infos: list[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
        plain = [info for info in infos if not info.is_dir()]
        of_chatgpt = any(_CHATGPT.fullmatch(PurePosixPath(info.filename).name) for info in plain)
        for info in plain:
            path = PurePosixPath(info.filename)
            if path.suffix.lower() in _ARCHIVES:
                self.left_out.append((shown(info.filename), _("Archives in an archive are not opened.")))
            elif path.suffix.lower() != ".json" or path.parts[0] == "__MACOSX":
                continue  # pictures, pages, Markdown
            elif of_chatgpt and not _CHATGPT.fullmatch(path.name):
                continue  # who the person is, what they thought of answers
            elif why := _unsound(info):
                self.left_out.append((shown(info.filename), why))
            else:
                yield info

    def _unpack_one(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, packed: IO[bytes]) -> None:
        start = packed.tell()
        limit = UNPACKED_TIMES * settings.IMPORT_BYTES
        with archive.open(info) as member:
            while piece := member.read(PIECE):
                packed.write(piece)
                size = packed.tell() - start
                if packed.tell() > limit or (size > RATIO_FROM and size > RATIO * info.compress_size):
                    raise BadInput(_("This archive unpacks to more than can be read here."))
        self.parts.append(Part(shown(info.filename), start, packed.tell()))


def _unsound(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename
    if name != info.filename or name.startswith("/") or re.search(r"[\\:\x00]|(^|/)\.\.(/|$)", name):
        return _("Its name points out of the archive.")
    if stat.S_ISLNK(info.external_attr >> 16):
        return _("It is a link to another file.")
    if info.flag_bits & 0x1:
        return _("It is locked with a password.")
    if info.compress_type not in _METHODS:
        return _("It is packed in a way that is not read here.")
    return ""


def mapped(file: IO[Any]) -> Buffer:
    """All of a file without its bytes in memory; a small upload has no file."""
    try:
        number = file.fileno()
    except (UnsupportedOperation, AttributeError):
        file.seek(0)
        return bytes(file.read())
    file.seek(0, 2)
    return mmap(number, 0, access=ACCESS_READ) if file.tell() else b""


def shown(name: str) -> str:
    """A name from a file, for a report that people read."""
    name = one_line(storable(name))
    return name if len(name) <= 80 else f"{name[:79]}…"
