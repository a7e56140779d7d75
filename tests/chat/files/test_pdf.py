"""PDFs whose fonts tell no letters, right-to-left lines, ligatures, forms, and pages without text."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdf
import pytest
from pypdf.generic import DictionaryObject, NameObject, NullObject, NumberObject

from chat.files.fonts import is_legible
from chat.files.models import File
from chat.files.visual import in_reading_order, without_shapes
from tests.chat.files import making

Attached = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db

DATA = Path(__file__).parents[2] / "data" / "pdf"
PAGE = (
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 200] /Contents 4 0 R"
    b" /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>",
)
GLYPHS_BY_NUMBER = (
    b"<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1 1] /FontMatrix [1 0 0 1 0 0] /CharProcs << >>"
    b" /Encoding << /Differences [49 /g31 /g32 /g33 /g34] >> /FirstChar 49 /LastChar 52 /Widths [1 1 1 1] >>"
)
HELVETICA = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"


def drawn(content: bytes) -> bytes:
    stream = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
    return making.pdf_of_objects(*PAGE, stream, GLYPHS_BY_NUMBER, HELVETICA)


def joined(*files: bytes) -> bytes:
    writer = pypdf.PdfWriter()
    for file in files:
        writer.append(io.BytesIO(file))
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


@pytest.mark.parametrize(
    "content",
    [(DATA / "22a_pdf_no_tounicode.pdf").read_bytes(), drawn(b"BT /F1 12 Tf 20 100 Td (12341234) Tj ET")],
    ids=["numbers of glyphs", "names of glyphs"],
)
def test_a_pdf_without_legible_fonts_is_not_ready(attached: Attached, content: bytes) -> None:
    result = attached(content, "thing.pdf")
    assert result["state"] == "failed"
    assert "fonts do not say which letters" in result["words"]
    assert File.objects.get().text == ""


def test_an_unreadable_page_among_others_is_named(attached: Attached) -> None:
    bad = (DATA / "22a_pdf_no_tounicode.pdf").read_bytes()
    result = attached(joined(making.pdf("Readable page"), bad, bad), "thing.pdf")
    assert result["remarks"] == ["text of 2 of 3 pages cannot be read (pages 2–3)"]
    assert File.objects.get().text == "Readable page"


def test_a_heading_in_an_illegible_font_is_reported_and_the_rest_is_read(attached: Attached) -> None:
    words = b"a line of words that anybody can read, long enough for a page with a heading in another font"
    result = attached(
        drawn(b"BT /F1 12 Tf 20 100 Td (1234) Tj /F2 9 Tf 0 -20 Td (%s) Tj ET" % words), "thing.pdf"
    )
    assert result["remarks"] == ["text of 1 of 1 pages cannot be read (page 1)"]
    assert words.decode() in File.objects.get().text
    assert "/g31" not in File.objects.get().text


def test_pages_without_text_are_counted_and_named(attached: Attached) -> None:
    result = attached(making.pdf("Cover", *[""] * 40), "thing.pdf")
    assert result["state"] == "ready"
    assert result["remarks"] == ["40 of 41 pages have no text (pages 2–41); they may be scanned"]


def test_right_to_left_lines_are_read_in_order_and_ligatures_as_letters(attached: Attached) -> None:
    attached((DATA / "22c_pdf_rtl_ligatures.pdf").read_bytes(), "thing.pdf")
    lines = File.objects.get().text.split("\n")
    assert lines[:5] == [
        "Report",
        "efficient office final affluent waffle",
        "Prix : 1 234,50 € — œuvre",
        "זהו מסמך בעברית עם מספר 123.",
        "هذا مستند بالعربية",
    ]


def test_ligatures_are_written_as_letters(attached: Attached) -> None:
    attached((DATA / "ligature_letters.pdf").read_bytes(), "thing.pdf")
    assert File.objects.get().text == "office file flow café naïve Ελλάδα"


def test_values_of_form_fields_are_read(attached: Attached) -> None:
    attached((DATA / "filled_form.pdf").read_bytes(), "thing.pdf")
    assert File.objects.get().text.split("\n")[-2:] == ["name: Ada Lovelace", "agree: Yes"]


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("no such letters (here) 1, 2", "no such letters (here) 1, 2"),
        (".123 רפסמ םע", "עם מספר 123."),
        ("(ABC) םלוע םולש", "שלום עולם (ABC)"),
        ("(םולש) 12:30 העשב", "בשעה 12:30 (שלום)"),
        ("we say םלוע םולש here", "we say שלום עולם here"),
        ("ABC 4 הסרג תאז", "זאת גרסה ABC 4"),
    ],
    ids=ascii,
)
def test_a_drawn_line_is_put_in_reading_order(line: str, read: str) -> None:
    assert in_reading_order(line) == read


@pytest.mark.parametrize(
    ("text", "legible"),
    [(". . . . . . . . . . 12", True), ("Plain words of a text, 12.", True), ("$%&'()*+,-./", False)],
)
def test_a_font_with_codes_of_its_own_is_judged_by_what_it_shows(text: str, legible: bool) -> None:
    descriptor = DictionaryObject(
        {NameObject("/Flags"): NumberObject(4), NameObject("/FontFile"): NullObject()}
    )
    font = DictionaryObject(
        {NameObject("/Subtype"): NameObject("/Type1"), NameObject("/FontDescriptor"): descriptor}
    )
    assert is_legible(font, text) is legible


def test_only_shapes_of_letters_are_normalised() -> None:
    assert without_shapes("ﬁn ﬃ ½ ² ™ ﻻ ﺑ ﬞ") == "fin ffi ½ ² ™ لا ب ﬞ"
