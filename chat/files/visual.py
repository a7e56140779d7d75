"""Puts lines that were read as they are drawn, from left to right, into the order in which they are read.

The inverse of the bidirectional algorithm (UAX 9), as far as a drawn line tells: numbers and Latin words keep
their order, the rest of a right-to-left line is turned round, and brackets are mirrored.
"""

from __future__ import annotations

import unicodedata

import regex

_RTL = r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
_IS_RTL = regex.compile(rf"[{_RTL}--\p{{N}}--\p{{P}}]", regex.V1)
_IS_LTR = regex.compile(rf"[\p{{L}}--{_RTL}]", regex.V1)
_LETTER = rf"[\p{{L}}\p{{M}}--{_RTL}]"
_KEPT = regex.compile(
    rf"{_LETTER}(?:[^\n{_RTL[1:-1]}]*[{_LETTER}\p{{N}}])?"  # words, and the characters between them
    r"|[+-]?\p{N}+(?:[.,:/٫٬+-]\p{N}+)*[%°]?",
    regex.V1,
)
_RTL_SPAN = regex.compile(rf"{_RTL}(?:[^\n\p{{Latin}}\p{{Greek}}\p{{Cyrillic}}]*{_RTL})?", regex.V1)
_MIRRORED = str.maketrans("()[]{}<>«»‹›", ")(][}{><»«›‹")
# Ligatures, and letters in the form for one position in a word.
_SHAPES = regex.compile(r"[\ufb00-\ufb06\ufb13-\ufb17\ufb1d-\ufdfc\ufe70-\ufefc]+")


def has_rtl(text: str) -> bool:
    return _IS_RTL.search(text) is not None


def in_reading_order(line: str) -> str:
    """Returns a drawn line as it is read; one without right-to-left letters stays as it is."""
    if not has_rtl(line):
        return line
    line = " ".join(line.split())
    if len(_IS_RTL.findall(line)) >= len(_IS_LTR.findall(line)):
        return _turned(line)
    return str(_RTL_SPAN.sub(lambda span: _turned(span[0]), line))


def _turned(drawn: str) -> str:
    parts: list[str] = []
    at = 0
    for match in _KEPT.finditer(drawn):
        parts += drawn[at : match.start()].translate(_MIRRORED)
        parts.append(match[0])
        at = match.end()
    parts += drawn[at:].translate(_MIRRORED)
    return "".join(reversed(parts))


def without_shapes(text: str) -> str:
    """Writes ligatures and presentation forms with the letters that they stand for."""
    return str(_SHAPES.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text))
