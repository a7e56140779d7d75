"""Detects the kind of a file from its first bytes; its name and the browser's type prove nothing."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from chat.core.errors import BadInput
from chat.files.decoding import wide_encoding
from chat.files.models import Kind

HEAD = 4096  # bytes examined

_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_UNREAD_IMAGES = (b"II*\x00", b"MM\x00*", b"\x00\x00\x01\x00")
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_ARCHIVES = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"7z\xbc\xaf",
    b"Rar!\x1a\x07",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
)
# Words may begin like these, so what follows is looked at as well: of bzip2 the mark of its first block or of
# its end, of GIF the bytes of its size, one of which is zero unless a side has 256 points or more.
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)")
_GIF = re.compile(rb"GIF8[79]a.{0,6}[\x00-\x08\x0e-\x1f\x7f-\xff]", re.DOTALL)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_PDF_WITHIN = 1024  # as PDF readers accept it
_PDF_FIRST_LINE = re.compile(rb"%PDF-\d\.\d[ \t]*[\r\n]")
_PDF_HEADER = re.compile(rb"%PDF-\d\.\d\s")
_MOST_CONTROLS = 0.02  # of the bytes; a log may have a few


def kind_of(head: bytes) -> Kind:
    """Raises BadInput with words for whoever chose the file."""
    if not head:
        raise BadInput(_("This file is empty."))
    if _is_image(head):
        return Kind.IMAGE
    if _is_pdf(head):
        return Kind.PDF
    if _is_unread_image(head):
        raise BadInput(_("Of images, only PNG, JPEG, WebP and HEIC can be read here."))
    if head.startswith((*_ARCHIVES, _OLD_OFFICE)) or _BZIP2.match(head):
        raise BadInput(
            _("Archives and office documents cannot be read here. Please save it as PDF or as text first.")
        )
    if not head.startswith(_BOMS) and _has_many_zeros(head) and not wide_encoding(head):
        raise BadInput(_("This file is neither text nor a PDF, so it cannot be read here."))
    return Kind.TEXT


def _is_pdf(head: bytes) -> bool:
    """Returns whether a PDF header begins a line; later than that, the file must also contain bytes that no
    text has.
    """
    if _PDF_FIRST_LINE.match(head.removeprefix(_BOMS[0]).lstrip()):
        return True
    return _PDF_HEADER.search(head[:_PDF_WITHIN]) is not None and not _is_plain(head)


def _is_plain(head: bytes) -> bool:
    try:
        return not re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head[: HEAD - 4].decode())
    except UnicodeDecodeError as error:
        return error.end >= len(head[: HEAD - 4]) - 3  # cut inside a letter


def _is_image(head: bytes) -> bool:
    """Returns whether a file begins as images do that can be read; whether it is one, only its child sees."""
    if head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    return _has_brand(head) and head[8:12] in _HEIC


def _is_unread_image(head: bytes) -> bool:
    if _has_brand(head):
        return head[8:11] == b"avi"
    return head.startswith(_UNREAD_IMAGES) or _GIF.match(head) is not None


def _has_brand(head: bytes) -> bool:
    """Returns whether a file names its format as HEIC and AVIF do; the size before it is small."""
    return head[:1] == b"\x00" and head[4:8] == b"ftyp"


def _has_many_zeros(head: bytes) -> bool:
    return head.count(0) > _MOST_CONTROLS * len(head)
