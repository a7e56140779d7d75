"""Short texts that are shown beside other things, names and titles, cleaned; numbers; how long a text is."""

from __future__ import annotations

import re
import unicodedata

from django.utils.formats import number_format

# Characters that are invisible or turn the writing direction of what follows them (bidi controls). Joiners
# and variation selectors stay: emoji are written with them, and some scripts.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]"
)


def one_line(text: str) -> str:
    """`text` on one line, without control, bidi and zero-width characters or repeated spaces."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(" " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    text = "".join(c for c in text if unicodedata.category(c) not in {"Cs", "Co", "Cn"})
    return " ".join(_UNSEEN.sub("", text).split())


def estimate_tokens(text: str) -> int:
    """Before the worker counts: about three bytes of UTF-8 a token, and the marks around a message."""
    return len(text.encode()) // 3 + 4


def grouped(number: int) -> str:
    """`number` as the reader's language writes it: 1,000 would be one in French, which writes 1 000."""
    return number_format(number, force_grouping=True)
