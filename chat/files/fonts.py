"""Tells whether the signs that a PDF shows in a font can be read: whether it says which letters they are."""

from __future__ import annotations

from typing import Any

import regex

# Names of glyphs for which pypdf knows no letter.
_NAMES_OF_SIGNS = regex.compile(r"/[A-Za-z]{0,8}\d{1,5}(?![\d.])")
_NO_LETTERS = regex.compile(r"[\p{Cc}\p{Co}\p{Cn}\p{Cs}\ufffd--[\t\n\r]]", regex.V1)
_MOST_NO_LETTERS = 0.2
_LEADERS = regex.compile(r"[.·…_–—-]+")  # TeX draws the dots of a table of contents in a separate font
_COMMON = frozenset("etaoinsrhlduc")  # in the languages that are written with 26 letters
_LEAST_LETTERS = 0.5
_LEAST_COMMON = 0.55  # random text would have half
_ENOUGH = 20  # letters below which their share means nothing
_SYMBOLIC = 4  # of a font descriptor's flags (ISO 32000, table 121)


def is_legible(font: Any, text: str) -> bool:
    """Returns whether `text`, all that a page shows in `font` (a pypdf dictionary or None), consists of real
    letters.
    """
    signs = "".join(text.split())
    if not signs:
        return True
    named = _NAMES_OF_SIGNS.findall(signs)
    if len(named) > 2 and sum(map(len, named)) > _LEAST_LETTERS * len(signs):
        return False
    if len(_NO_LETTERS.findall(signs)) > _MOST_NO_LETTERS * len(signs):
        return False
    if font is None or "/ToUnicode" in font:
        return True
    if font.get("/Subtype") == "/Type0":
        return str(font.get("/Encoding")) not in ("/Identity-H", "/Identity-V")
    return not _has_codes_of_its_own(font) or _looks_written(signs)


def _has_codes_of_its_own(font: Any) -> bool:
    """Returns whether the font is embedded, for symbols, and names no standard encoding."""
    encoding = font.get("/Encoding")
    encoding = encoding.get_object() if encoding is not None else None
    if isinstance(encoding, str):
        return False
    descriptor = font.get("/FontDescriptor")
    descriptor = descriptor.get_object() if descriptor is not None else {}
    embedded = any(f"/FontFile{number}" in descriptor for number in ("", 2, 3))
    differs = encoding is not None and "/Differences" in encoding
    return embedded and not differs and bool(int(descriptor.get("/Flags", 0)) & _SYMBOLIC)


def _looks_written(signs: str) -> bool:
    signs = _LEADERS.sub("", signs)
    letters = [each for each in signs.lower() if each.isalpha()]
    digits = sum(each.isdigit() for each in signs)
    if len(signs) < 3:
        return True
    if len(letters) + digits < _LEAST_LETTERS * len(signs):
        return False
    latin = [each for each in letters if each.isascii()]
    return len(latin) < _ENOUGH or sum(each in _COMMON for each in latin) >= _LEAST_COMMON * len(latin)
