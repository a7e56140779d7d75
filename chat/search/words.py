"""Cuts an excerpt around the matches of a query and marks them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from chat.search.letters import SPACED, UNSPACED
from chat.search.terms import fold

AROUND = 60  # characters shown before the first match
NEAR = 20  # the same, in scripts without spaces
SHOWN = 220  # characters of a snippet

# A letter with its combining marks, which fold together.
_CLUSTER = re.compile(r"[\s\S][\u0300-\u036f\u3099\u309a\uff9e\uff9f]*")
_RUN = re.compile(f"[{UNSPACED}]")
_SPACED = re.compile(f"[{SPACED}]")


def pieces(text: str, parts: list[str], shown: int = SHOWN) -> list[dict[str, Any]]:
    """Returns an excerpt of `text` around the first of `parts` (chat/search/terms.py), as [{"text",
    "match"}].
    """
    text = unicodedata.normalize("NFC", text)
    low, starts, ends = _folded(text)
    found = [(starts[each.start()], ends[each.end() - 1]) for each in _expression(parts).finditer(low)]
    begin = _begin(text, found[0][0]) if found else 0
    end = min(len(text), begin + shown)
    out: list[dict[str, Any]] = []
    at = begin
    for start, stop in found:
        start, stop = max(start, at), min(stop, end)
        if stop > start:
            out += [_piece(text[at:start], False), _piece(text[start:stop], True)]
            at = stop
    out.append(_piece(text[at:end], False))
    if begin:
        out.insert(0, _piece("… ", False))
    if end < len(text):
        out.append(_piece(" …", False))
    return [piece for piece in out if piece["text"]]


def _folded(text: str) -> tuple[str, Sequence[int], Sequence[int]]:
    """Returns the folded text and, for each of its characters, its start and end in `text`."""
    if text.isascii():
        return text.lower(), range(len(text)), range(1, len(text) + 1)
    low: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for cluster in _CLUSTER.finditer(text):
        folded = _fold_cluster(cluster[0])
        low.append(folded)
        starts += [cluster.start()] * len(folded)
        ends += [cluster.end()] * len(folded)
    return "".join(low), starts, ends


@lru_cache(maxsize=4096)
def _fold_cluster(cluster: str) -> str:
    return fold(cluster)


def _expression(parts: list[str]) -> re.Pattern[str]:
    """Returns an expression that marks words from start to end, and single letters inside a run."""
    options = []
    for part in sorted(parts, key=len, reverse=True):
        starts = f"(?<![{SPACED}])" if _SPACED.match(part) else ""
        if part[0].isdigit():  # "2.5" of "v2.5"
            starts = "(?<![0-9])"
        ends = "" if _RUN.match(part) else f"[{SPACED}]*"
        options.append(f"{starts}{re.escape(part)}{ends}")
    return re.compile("|".join(options) or r"(?!)")


def _begin(text: str, found: int) -> int:
    """Returns the start of the excerpt: a little before the match, at the start of a word."""
    if found <= AROUND:
        return 0
    space = text.find(" ", found - AROUND, found)
    return space + 1 if space >= 0 else found - NEAR


def _piece(text: str, match: bool) -> dict[str, Any]:
    return {"text": re.sub(r"\s+", " ", text), "match": match}
