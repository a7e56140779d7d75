"""Opens an uploaded file: JSON as it is, or the JSON files of a zip, one after the other in one file.

Nothing is written under a name from the archive, and nothing in it decides how much is unpacked.
"""

from __future__ import annotations

import codecs
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from io import UnsupportedOperation
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import PurePosixPath
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from django.utils.translation import gettext as _

from chat.core.errors import BadInput
from chat.core.sizes import file_too_large
from chat.core.text import grouped, one_line
from chat.transfer.formats import readers
from chat.transfer.imported_conversation import Unreadable, storable
from chat.transfer.scan import RECORDS, Buffer, Span, parsed, spans

if TYPE_CHECKING:
    from chat.transfer.formats.base import Format

ENTRIES = 50_000  # of one archive; an export of everything has two per conversation
UNPACKED_TIMES = 4  # the unpacked size may be so many times the largest upload
RATIO = 200  # a large file that expands more is a bomb; JSON compresses to about a tenth
RATIO_FROM = 16 << 20  # smaller ones may: a repetitive conversation compresses to a thousandth
PIECE = 1 << 16

_ENTRY = re.compile(rb"PK\x01\x02")  # every entry of an archive's directory begins with it
_ARCHIVES = {".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar", ".zst"}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OUTSIDE = re.compile(r"[\\\x00]|^/|^[A-Za-z]:|(^|/)\.\.(/|$)")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# What the standard library raises for invalid archives.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


@dataclass(slots=True)
class Part:
    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """A record that is not parsed yet, and the format that split its file, if one did."""

    span: Span
    opened_by: Format | None


@dataclass(slots=True)
class Package:
    """An uploaded file or zip; a context manager that deletes what was unpacked."""

    file: IO[bytes]
    name: str
    data: Buffer = b""
    parts: list[Part] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)  # files: name, why
    found: list[Found] = field(default_factory=list)
    carried: dict[str, zipfile.ZipInfo] = field(default_factory=dict)  # by the SHA-256 of what is in them
    _archive: zipfile.ZipFile | None = None
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
            if len(self.data) > settings.IMPORT_BYTES:
                raise BadInput(file_too_large(settings.IMPORT_BYTES))
            self._recode()
            self.parts = [Part(shown(self.name), 0, len(self.data))]
        for part in self.parts:
            self._find(part)
        if not self.found:
            raise BadInput(self.left_out[0][1] if self.left_out else _("There is no conversation in it."))

    def parsed(self, found: Found) -> Any:
        """Returns a record; raises Unreadable."""
        return (found.opened_by.parsed if found.opened_by else parsed)(self.data, found.span)

    def _find(self, part: Part) -> None:
        """Finds all records of a part or none: a list that breaks off is invalid."""
        found: list[Found] = []
        place = self.data, part.start, part.end
        try:
            opened_by = next((one for one in readers().values() if one.opens(*place)), None)
            for span in opened_by.spans(*place) if opened_by else spans(*place):
                found.append(Found(span, opened_by))
                if len(self.found) + len(found) > RECORDS:
                    raise BadInput(
                        _("There are more than %(limit)s conversations in it. Please import it in parts.")
                        % {"limit": grouped(RECORDS)}
                    )
        except Unreadable as error:
            self.left_out.append((part.name, str(error)))
        else:
            self.found += found

    def _recode(self) -> None:
        """Converts a file in UTF-16, as editors on Windows save it, to a copy in UTF-8."""
        if encoding_of(self.data[:4]) is None:
            return
        copy = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed with the package
        pieces = (self.data[at : at + PIECE] for at in range(0, len(self.data), PIECE))
        copy.writelines(in_utf8(pieces))
        copy.flush()
        self.data = mapped(copy)

    # --- Archives -----------------------------------------------------------------------------------------

    def _unpack(self) -> None:
        if sum(1 for _match in _ENTRY.finditer(self.data)) > ENTRIES:
            raise BadInput(_("There are too many files in this archive."))
        packed = self._open.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed with the package
        try:
            self._archive = self._open.enter_context(zipfile.ZipFile(self.file))
            for info in self._wanted(self._archive.infolist()):
                self._unpack_one(self._archive, info, packed)
        except _BROKEN:
            raise BadInput(_("This archive is broken.")) from None
        packed.flush()
        self.data = mapped(packed)

    def _wanted(self, infos: list[zipfile.ZipInfo]) -> Iterator[zipfile.ZipInfo]:
        plain = []
        for info in infos:
            if sha256 := _carried_under(info.filename):
                self.carried[sha256] = info
            elif not info.filename.endswith("/") and not _of_macos(info.filename):
                plain.append(info)
        named = {PurePosixPath(info.filename).name for info in plain}
        formats = readers().values()
        suffixes = {suffix for one in formats for suffix in one.suffixes}
        # If an archive has a service's file, only that holds conversations; the others are about the person.
        names = [one.file_name for one in formats if one.file_name is not None]
        known = next((one for one in names if any(map(one.fullmatch, named))), None)
        for info in plain:
            path = PurePosixPath(info.filename)
            if path.suffix.lower() in _ARCHIVES:
                self.left_out.append((_name_of(info), _("Archives in an archive are not opened.")))
            elif path.suffix.lower() not in suffixes:
                continue  # pictures, pages, Markdown
            elif known and not known.fullmatch(path.name):
                continue  # profile data, feedback on answers
            elif why := _unsound(info):
                self.left_out.append((_name_of(info), why))
            else:
                yield info

    def _unpack_one(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, packed: IO[bytes]) -> None:
        start = packed.tell()
        limit = UNPACKED_TIMES * settings.IMPORT_BYTES
        with archive.open(info) as member:
            for piece in in_utf8(iter(partial(member.read, PIECE), b"")):
                packed.write(piece)
                size = packed.tell() - start
                if packed.tell() > limit or (size > RATIO_FROM and size > RATIO * info.compress_size):
                    raise BadInput(_("This archive unpacks to more than can be read here."))
        self.parts.append(Part(_name_of(info), start, packed.tell()))

    # --- Files that conversations carry -------------------------------------------------------------------

    def size_of(self, sha256: str) -> int | None:
        """Returns the bytes of an attached file by the archive; `copy_file` gives no more. None if absent."""
        info = self.carried.get(sha256)
        return None if info is None or _unsound(info) else info.file_size

    def copy_file(self, sha256: str, copy: IO[bytes]) -> int | None:
        """Returns how many bytes were copied, None where there are none or the archive is broken."""
        if self._archive is None or self.size_of(sha256) is None:
            return None
        try:
            with self._archive.open(self.carried[sha256]) as member:
                shutil.copyfileobj(member, copy, PIECE)
        except _BROKEN:
            return None
        return copy.tell()


def _carried_under(name: str) -> str:
    """Returns the digest under which an export stores these bytes: files/<SHA-256>/<name>; "" for other
    entries.
    """
    parts = PurePosixPath(name).parts
    inside = len(parts) >= 3 and parts[-3] == "files" and not name.endswith("/") and not _of_macos(name)
    return parts[-2] if inside and _SHA256.fullmatch(parts[-2]) else ""


def _of_macos(name: str) -> bool:
    """Returns whether an entry is metadata that the macOS Finder adds under the file's name."""
    path = PurePosixPath(name)
    return "__MACOSX" in path.parts or path.name.startswith("._") or path.name == ".DS_Store"


def _name_of(info: zipfile.ZipInfo) -> str:
    """Returns an entry's name: the Finder writes UTF-8 without the flag, and zipfile then assumes a DOS
    encoding.
    """
    name = info.filename
    if not info.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return shown(name)


def _unsound(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename
    if (
        name != info.filename
        or name.startswith("/")
        or re.search(r"[\\\x00]|^[A-Za-z]:|(^|/)\.\.(/|$)", name)
    ):
        return _("Its name points out of the archive.")
    if stat.S_ISLNK(info.external_attr >> 16):
        return _("It is a link to another file.")
    if info.flag_bits & 0x1:
        return _("It is locked with a password.")
    if info.compress_type not in _METHODS:
        return _("It is compressed in a way that cannot be read here.")
    return ""


def encoding_of(head: bytes) -> str | None:
    """Returns UTF-16 or UTF-32, detected by the byte order mark or by zeros beside the first character, which
    is one of JSON's; None for UTF-8.
    """
    marks = {"utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "utf-16": (codecs.BOM_LE, codecs.BOM_BE)}
    for encoding, begins in marks.items():
        if head.startswith(begins):
            return encoding
    zeros = bytes(not byte for byte in head)
    return {b"\0\1\0\1": "utf-16-le", b"\1\0\1\0": "utf-16-be"}.get(zeros)


def in_utf8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    first = next(pieces, b"")
    encoding = encoding_of(first[:4])
    if encoding is None:
        yield first
        yield from pieces
        return
    reader = codecs.getincrementaldecoder(encoding)("replace")
    for piece in chain((first,), pieces):
        yield reader.decode(piece).encode()
    yield reader.decode(b"", final=True).encode()


def mapped(file: IO[Any]) -> Buffer:
    """Maps a file without reading its bytes into memory; a small upload has no file."""
    try:
        number = file.fileno()
    except (UnsupportedOperation, AttributeError):
        file.seek(0)
        return bytes(file.read())
    file.seek(0, 2)
    return mmap(number, 0, access=ACCESS_READ) if file.tell() else b""


def shown(name: str) -> str:
    """Returns a name from a file, shortened for a report that people read."""
    name = one_line(storable(name))
    return name if len(name) <= 80 else f"{name[:79]}…"
