"""What a file is, by its first bytes. Names and what browsers say of a file are nobody's proof."""

from __future__ import annotations

from django.utils.translation import gettext as _

from chat.core.errors import BadInput
from chat.files.models import Kind

HEAD = 4096  # bytes that are looked at

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*", b"\x00\x00\x01\x00")
_ARCHIVES = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"7z\xbc\xaf",
    b"Rar!",
    b"BZh",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_PDF_WITHIN = 1024  # as readers of PDF have it


def kind_of(head: bytes) -> Kind:
    """Raises BadInput with words for whoever chose the file."""
    if not head:
        raise BadInput(_("This file is empty."))
    if b"%PDF-" in head[:_PDF_WITHIN]:
        return Kind.PDF
    if _is_picture(head):
        raise BadInput(_("This model reads text only, so pictures cannot be attached."))
    if head.startswith((*_ARCHIVES, _OLD_OFFICE)):
        raise BadInput(
            _("Archives and office documents cannot be read here. Please save it as PDF or as text first.")
        )
    if not head.startswith(_BOMS) and b"\x00" in head and not _may_be_utf16(head):
        raise BadInput(_("This file is neither text nor a PDF, so it cannot be read here."))
    return Kind.TEXT


def _is_picture(head: bytes) -> bool:
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return True
    return head[4:8] == b"ftyp" and head[8:11] in (b"hei", b"hev", b"avi", b"mif")  # HEIC and AVIF


def _may_be_utf16(head: bytes) -> bool:
    """Without a byte order mark: every second byte of western text is zero, and hardly any of the others."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    return (even > half // 2 and odd < half // 20 + 1) or (odd > half // 2 and even < half // 20 + 1)
