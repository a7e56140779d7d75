"""Words of a question and where they stand in a text, whatever their accents and case."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

MOST_WORDS = 8
MOST_CHARS = 64  # of one word
AROUND = 60  # characters shown before the first word found
SHOWN = 220  # characters of a snippet

_WORD = re.compile(r"[^\W_]+")


def words_of(question: str) -> list[str]:
    """Folded, without quotes and operators: a question is plain text. One letter alone says too little."""
    found = _WORD.findall(folded(unicodedata.normalize("NFC", question[:1000])))
    words = [word[:MOST_CHARS] for word in found if len(word) > 1 or unicodedata.category(word) == "Lo"]
    return list(dict.fromkeys(words))[:MOST_WORDS]


def folded(text: str) -> str:
    """As long as `text`, so that a place in one is a place in the other."""
    return text.lower() if text.isascii() else "".join(map(_folded, text))


@lru_cache(maxsize=4096)
def _folded(char: str) -> str:
    base = "".join(c for c in unicodedata.normalize("NFD", char) if not "\u0300" <= c <= "\u036f").lower()
    return base if len(base) == 1 else char


def pieces(text: str, words: list[str], shown: int = SHOWN) -> list[dict[str, Any]]:
    """A part of `text` around the first word found, as [{"text", "match"}], for the page to mark."""
    text = unicodedata.normalize("NFC", text)
    each = re.compile(
        rf"(?<![^\W_])(?:{'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})[^\W_]*"
    )
    low = folded(text)
    first = each.search(low)
    begin = _begin(text, first.start()) if first else 0
    end = min(len(text), begin + shown)
    out: list[dict[str, Any]] = []
    at = begin
    for found in each.finditer(low, begin, end):
        out += [_piece(text[at : found.start()], False), _piece(text[found.start() : found.end()], True)]
        at = found.end()
    out.append(_piece(text[at:end], False))
    if begin:
        out.insert(0, _piece("… ", False))
    if end < len(text):
        out.append(_piece(" …", False))
    return [piece for piece in out if piece["text"]]


def _begin(text: str, found: int) -> int:
    """A little before the word, at a beginning of a word."""
    if found <= AROUND:
        return 0
    space = text.find(" ", found - AROUND, found)
    return space + 1 if space >= 0 else found


def _piece(text: str, match: bool) -> dict[str, Any]:
    return {"text": re.sub(r"\s+", " ", text), "match": match}
