"""Files that tests attach, good and bad; PDFs are written here, byte by byte or with pypdf."""

from __future__ import annotations

import io
import zlib

import pypdf
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


def pdf(*pages: str, password: str = "", owner_password: str = "") -> bytes:
    """One line of text on each page; "" is a page without any."""
    writer = pypdf.PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for words in pages:
        page = writer.add_blank_page(300, 200)
        if words:
            stream = DecodedStreamObject()
            stream.set_data(f"BT /F1 12 Tf 20 100 Td ({words}) Tj ET".encode())
            page[NameObject("/Contents")] = writer._add_object(stream)
            fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
            page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    if password or owner_password:
        writer.encrypt(password, owner_password or None, algorithm="AES-256")
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def pdf_of_objects(*objects: bytes) -> bytes:
    """Numbered from 1; the first is the catalogue."""
    body, places = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    return body + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)


def one_page(content: bytes, filters: bytes) -> bytes:
    stream = b"<< /Length %d /Filter %s >>\nstream\n%s\nendstream" % (len(content), filters, content)
    return pdf_of_objects(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        stream,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )


def bomb() -> bytes:
    """A few kilobytes that unpack, twice, to four gigabytes."""
    mebibyte, number = 1 << 20, 4096
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    # What follows a full flush refers to nothing before it: compressed once, the zeros can be repeated.
    zeros = packer.compress(bytes(mebibyte)) + packer.flush(zlib.Z_FULL_FLUSH)
    adler = (number * mebibyte % 65521) << 16 | 1
    inner = b"\x78\xda" + zeros * number + packer.flush() + adler.to_bytes(4, "big")
    return one_page(zlib.compress(inner, 9), b"[/FlateDecode /FlateDecode]")


def many_operators() -> bytes:
    """A page that takes minutes to walk through, though it is small on the disk."""
    return one_page(zlib.compress(b"BT /F1 12 Tf (a) Tj ET\n" * 3_000_000, 9), b"/FlateDecode")


def circle() -> bytes:
    """Pages that are their own parents and children."""
    return pdf_of_objects(
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"
    )
