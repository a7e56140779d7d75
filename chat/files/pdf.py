"""Reads the text of a PDF with pypdf, in the child: its pages, filled-in forms, and which pages have no text.

pypdf gives the signs of a page. Whether they are letters depends on the fonts (fonts.py); lines with
right-to-left letters are put in reading order (visual.py).
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import io
import pkgutil
from collections import Counter, defaultdict
from typing import Any

import pypdf
import pypdf.errors
import regex

from chat.files.bounds import PAGES, TEXT_CHARS
from chat.files.fonts import is_legible
from chat.files.refused import Refused
from chat.files.visual import has_rtl, in_reading_order, without_shapes

MOST_ILLEGIBLE = 0.5  # share of a page's characters, up to which it counts as text
FEW_ILLEGIBLE = 0.02  # bullets and ornaments
_REPLACED = 3  # characters; shorter runs occur in legible text too
_PASSWORD = 1 << 13  # of a field's flags (ISO 32000, table 228)
_COLUMNS = regex.compile(r"\s{3,}")


# Encodings in PDFs that pypdf looks up by name, in addition to those of decoding.py.
_ENCODINGS = (
    "latin-1",
    "utf-16",
    "mac-roman",
    "gb18030",
    "gb2312",
    "gbk",
    "big5",
    "big5hkscs",
    "shift_jis",
    "cp932",
    "euc_jp",
    "euc_jis_2004",
    "euc_kr",
    "cp949",
    "johab",
    "unicode_escape",
    "raw_unicode_escape",
)


def preload() -> None:
    """Imports the modules of pypdf that it imports late, and the codecs of its encodings."""
    for name in _ENCODINGS:
        codecs.lookup(name)
    for module in pkgutil.walk_packages(pypdf.__path__, "pypdf."):
        with contextlib.suppress(ImportError):  # image and decryption libraries that are not installed
            importlib.import_module(module.name)


def read_pdf(data: bytes) -> tuple[str, dict[str, Any]]:
    """Returns the text, and for File.report the number of pages and which have none that is legible."""
    try:
        return _read(data)
    except (Refused, MemoryError):
        raise
    except pypdf.errors.LimitReachedError:
        raise Refused("too_large") from None
    except pypdf.errors.DependencyError:
        raise Refused("locked") from None
    except Exception as error:  # noqa: BLE001 - pypdf raises anything on a broken file
        raise Refused("too_large" if _is_about_memory(error) else "broken") from None


def _read(data: bytes) -> tuple[str, dict[str, Any]]:
    reader = pypdf.PdfReader(io.BytesIO(data))
    # Many are protected only against printing; their password for reading is empty.
    if reader.is_encrypted and not reader.decrypt(""):
        raise Refused("locked")
    texts: list[str] = []
    report: dict[str, Any] = defaultdict(list)
    for number, page in enumerate(reader.pages, 1):
        text, legible = _page_text(page)
        if not legible:
            report["unreadable"].append(number)
        elif not text:
            report["empty"].append(number)
        texts.append(text)
        if number > PAGES or sum(map(len, texts)) > TEXT_CHARS:
            raise Refused("too_long")
    report["pages"] = len(texts)
    texts.append(_form_values(reader))
    joined = "\n\n".join(text for text in texts if text)
    if not joined:
        raise Refused("illegible" if report["unreadable"] else "scanned")
    return joined, dict(report)


def _is_about_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


# --- A page -----------------------------------------------------------------------------------------------


def _page_text(page: Any) -> tuple[str, bool]:
    """Returns the text of a page, and whether all of it can be read. Signs without a meaning become �."""
    runs: dict[int, tuple[Any, list[str]]] = {}

    def visit(text: str, _cm: Any, _tm: Any, font: Any, _size: float) -> None:
        if text.strip():
            runs.setdefault(id(font), (font, []))[1].append(text.strip())

    text = (page.extract_text(visitor_text=visit) or "").strip()
    illegible = [
        run for font, texts in runs.values() if not is_legible(font, "".join(texts)) for run in texts
    ]
    share = sum(map(len, illegible)) / max(1, sum(len(run) for _, texts in runs.values() for run in texts))
    if share > MOST_ILLEGIBLE:
        return "", False
    for run in sorted(set(illegible), key=len, reverse=True):
        text = text.replace(run, "�") if len(run) >= _REPLACED else text
    return without_shapes(_in_reading_order(page, text)), share <= FEW_ILLEGIBLE


def _in_reading_order(page: Any, text: str) -> str:
    """Exchanges the lines with right-to-left letters; pypdf has them as drawn in its layout mode only."""
    if not has_rtl(text):
        return text
    drawn: dict[str, str] = {}
    for line in page.extract_text(extraction_mode="layout").split("\n"):
        for piece in (line, *_COLUMNS.split(line)):
            if has_rtl(piece):
                drawn.setdefault(_signs(piece), piece)
    lines = text.split("\n")
    return "\n".join(
        in_reading_order(drawn[_signs(line)]) if has_rtl(line) and _signs(line) in drawn else line
        for line in lines
    )


def _signs(line: str) -> str:
    """Returns a line's characters, sorted: lines with equal results are the same line in another order."""
    return "".join(sorted(Counter("".join(line.split())).elements()))


# --- Forms ------------------------------------------------------------------------------------------------


def _form_values(reader: Any) -> str:
    """Returns what is filled into the fields, a line each, with the label or the name of the field."""
    lines = []
    for name, field in (reader.get_fields() or {}).items():
        value = _value(field)
        if value:
            lines.append(f"{field.get('/TU') or name}: {value}")
    return without_shapes("\n".join(lines))


def _value(field: Any) -> str:
    value = field.get("/V")
    if hasattr(value, "get_object"):
        value = value.get_object()
    if value is None or int(field.get("/Ff", 0)) & _PASSWORD:
        return ""
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    if isinstance(value, pypdf.generic.StreamObject):
        return value.get_data().decode("utf-8", "replace").strip()
    if field.get("/FT") == "/Btn":
        return str(value).removeprefix("/").replace("Off", "")
    return str(value).strip()
