"""Why a file could not be read, in the reader's language. Keys: File.trouble, child.py's answers."""

from __future__ import annotations

from django.utils.translation import gettext as _


def words_for(trouble: str) -> str:
    if not trouble:
        return ""
    words: dict[str, str] = {
        "binary": _("This is not text that can be read."),
        "empty": _("There is no text in it."),
        "scanned": _("There is no text in this PDF. It may be scanned pages; those cannot be read here."),
        "locked": _("This PDF is locked with a password."),
        "broken": _("This PDF is broken and cannot be read."),
        "too_large": _("Unpacked, it is too large to be read here."),
        "too_long": _("It holds more text than can be read here."),
        "too_slow": _("Reading it took too long, so it was given up."),
    }
    return words.get(trouble, _("It could not be read."))
