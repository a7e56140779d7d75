"""States in the reader's language why a file could not be read (File.failure_reason, set by child.py), or is
not shown.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.core.sizes import mb
from chat.core.text import grouped
from chat.files.bounds import MEMORY, PAGES, PIXELS, TEXT_CHARS
from chat.files.decoding import ENCODINGS

MOST_RANGES = 5  # of page numbers in a remark


def words_for(reason: str) -> str:
    if not reason:
        return ""
    words: dict[str, str] = {
        "binary": _("This is not text that can be read."),
        "unreadable": _("Its encoding was not recognised, so it cannot be read yet. Open it to choose one."),
        "empty": _("There is no text in it."),
        "scanned": _("There is no text in this PDF. It may be scanned pages; those cannot be read here."),
        "illegible": _(
            "The text of this PDF cannot be read: its fonts do not say which letters their glyphs are. "
            "Please save it as text in the program that made it."
        ),
        "locked": _("This PDF is locked with a password."),
        "broken": _("This PDF is broken and cannot be read."),
        "too_large": _("Unpacked, it is too large: reading it may take at most %(limit)d MB of memory.")
        % {"limit": mb(MEMORY)},
        "too_long": _("It has more than %(characters)s characters or %(pages)s pages.")
        % {"characters": grouped(TEXT_CHARS), "pages": grouped(PAGES)},
        "broken_image": _("This image is broken and cannot be read."),
        "too_many_pixels": _("This image has too many pixels: at most %(limit)s million can be read.")
        % {"limit": grouped(PIXELS // 1_000_000)},
        "absent_image": _("This image is not here: the file that was imported had only its name."),
        "hidden_image": _("A moderator removed this image."),
        "too_slow": _("Reading it took too long, so it was given up."),
    }
    return words.get(reason, _("It could not be read."))


def remarks_on(report: dict[str, Any]) -> list[str]:
    """Says what a reader should know of how a file was read (File.report)."""
    remarks = []
    if encoding := report.get("encoding"):
        guess = _("read as %(encoding)s, a guess") if report.get("guessed") else _("read as %(encoding)s")
        remarks.append(guess % {"encoding": ENCODINGS.get(encoding, encoding)})
    if flaws := report.get("flaws"):
        words = ngettext(
            "%(count)s place could not be read and shows �",
            "%(count)s places could not be read and show �",
            flaws,
        )
        remarks.append(words % {"count": grouped(flaws)})
    if report.get("frames"):
        remarks.append(_("of this animation, the model sees the first image only"))
    return [*remarks, *_remarks_on_pages(report)]


def _remarks_on_pages(report: dict[str, Any]) -> list[str]:
    remarks = []
    if empty := report.get("empty"):
        words = ngettext(
            "%(count)s of %(pages)s pages has no text (page %(which)s); it may be scanned",
            "%(count)s of %(pages)s pages have no text (pages %(which)s); they may be scanned",
            len(empty),
        )
        remarks.append(words % _about_pages(empty, report))
    if unreadable := report.get("unreadable"):
        words = ngettext(
            "text of %(count)s of %(pages)s pages cannot be read (page %(which)s)",
            "text of %(count)s of %(pages)s pages cannot be read (pages %(which)s)",
            len(unreadable),
        )
        remarks.append(words % _about_pages(unreadable, report))
    return remarks


def _about_pages(numbers: list[int], report: dict[str, Any]) -> dict[str, str]:
    return {
        "count": grouped(len(numbers)),
        "pages": grouped(report["pages"]),
        "which": ", ".join(_ranges(numbers)[:MOST_RANGES])
        + ("…" if len(_ranges(numbers)) > MOST_RANGES else ""),
    }


def _ranges(numbers: list[int]) -> list[str]:
    """Returns [2, 3, 4, 7] as ["2–4", "7"]."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return [str(first) if first == last else f"{first}–{last}" for first, last in ranges]
