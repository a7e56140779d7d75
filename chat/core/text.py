"""Cleans short texts such as names and titles, formats numbers, and estimates lengths."""

from __future__ import annotations

import unicodedata

import regex
from django.utils.formats import number_format

# Characters that nobody sees, by class: controls, formats, default-ignorable ones (fillers, selectors, tags),
# and a few that Unicode counts among letters and symbols although they are blank. Formats that are drawn (the
# Arabic number signs) are not among them. static/js/base/text.js has the same set.
UNSEEN = (
    r"[[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}"
    r"\u2800\ufff0-\ufffc\U0001107f\U00013441\U00013442\U00016fe4\U0001bc9d\U0001d159]"
    r"--[\p{Prepended_Concatenation_Mark}]]"
)
_BLANK = regex.compile(rf"(?:{UNSEEN}|[\p{{Z}}\s])*", regex.V1)
_UNSEEN = regex.compile(UNSEEN, regex.V1)
# What is unseen by itself and yet does something where it stands: the parts of emoji (selectors and joiners
# after a picture, the tags of a flag), joiners among the scripts that are written with them, and the
# selectors of Han and Mongolian letters.
_AT_WORK = regex.compile(
    r"""
      (?<=[\p{Emoji}\p{Han}\p{S}\p{Po}\u0030-\u0039])[\ufe00-\ufe0f]
    | (?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f])\u200d(?=[\p{Extended_Pictographic}])
    | (?<=\U0001f3f4)[\U000e0061-\U000e007a\U000e0030-\U000e0039]{1,6}\U000e007f
    | (?<=\p{Han})[\U000e0100-\U000e01ef]
    | (?<=[\p{Mongolian}&&\p{L}])[\u180b-\u180d\u180f\u202f]
    | (?<=[\p{L}\p{M}])(?<=[JOINED])[\u200c\u200d](?=[JOINED]|\s|$)
    """.replace(
        "JOINED",
        r"\p{Arabic}\p{Syriac}\p{Nko}\p{Mongolian}\p{Devanagari}\p{Bengali}\p{Gurmukhi}\p{Gujarati}\p{Oriya}"
        r"\p{Tamil}\p{Telugu}\p{Kannada}\p{Malayalam}\p{Sinhala}\p{Khmer}\p{Myanmar}\p{Tibetan}",
    ),
    regex.V1 | regex.VERBOSE,
)
# Surrogates, private use, and code points without a character, except those that Unicode reserves for emoji:
# what a phone writes today may be younger than the tables here. `regex` has newer ones than Python.
_UNNAMED = regex.compile(r"[[\p{Cs}\p{Co}\p{Cn}]--\p{Extended_Pictographic}]", regex.V1)


def is_blank(text: str) -> bool:
    """Returns whether `text` has only spaces and invisible characters."""
    return _BLANK.fullmatch(text) is not None


def trimmed(text: str) -> str:
    """Returns `text` without surrounding space; empty if it is blank."""
    return "" if is_blank(text) else text.strip()


def without_unseen(text: str) -> str:
    """Returns `text` without invisible characters, except those that emoji and scripts need.

    Bidi controls are among them, so that what is shown beside `text` keeps its direction.
    """
    if text.isascii() and text.isprintable():
        return text
    preserved = {index for found in _AT_WORK.finditer(text) for index in range(*found.span())}
    return "".join(c for index, c in enumerate(text) if index in preserved or not _UNSEEN.match(c))


def one_line(text: str) -> str:
    """Returns `text` on one line, without control, bidi and zero-width characters or repeated spaces."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(" " if c == "\u2800" or unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c for c in text)
    text = _UNNAMED.sub("", text)
    return " ".join(without_unseen(text).split())


def estimate_tokens(text: str) -> int:
    """Estimates tokens before a worker counts: about three bytes of UTF-8 per token, plus the tokens around a
    message.
    """
    return len(text.encode()) // 3 + 4


def grouped(number: int) -> str:
    """Formats `number` for the reader's language: French writes 1 000, where 1,000 would be one."""
    return number_format(number, force_grouping=True)
