"""Computes the terms under which a text is found, alike for stored texts and queries, on every database.

Words of scripts with spaces are terms as they are. A run of letters of a script without spaces becomes its
pairs (北京人: 北京 京人 人), so that every word inside a sentence is found. A word that touches a sign is a
term with that sign, too (C++: c c++, node.js: node js node. .js).

chat/search/index_postgresql.py makes the same terms in SQL, from the same expressions; a test compares both.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from chat.search.letters import SIGNS, SPACED, UNSEEN, UNSPACED

MOST = 100_000  # characters of one message
TERM_CHARS = 64
QUESTION_CHARS = 1000
MOST_PARTS, MOST_TERMS = 8, 32  # of one question

# Read by Python and by PostgreSQL.
RUN = f"[{UNSPACED}]+"
WORD = f"[{SPACED}]+"
BEFORE_SIGN = f"(?<![{SPACED}])[{SPACED}]+(?:[{SIGNS}]+(?=[{SPACED}])|[+#]+)"  # longest first, for Python
NUMBER_BEFORE_SIGN = f"(?<=[{SPACED}])(?<![0-9])[0-9]+[{SIGNS}]+(?=[{SPACED}])"  # "2." of "v2.5"
AFTER_SIGN = f"[{SIGNS}][{SPACED}]+"
WITH_SIGN = (BEFORE_SIGN, NUMBER_BEFORE_SIGN, AFTER_SIGN)

_UNSEEN, _RUN, _WORD = re.compile(f"[{UNSEEN}]+"), re.compile(RUN), re.compile(WORD)
_WITH_SIGN = [re.compile(each) for each in WITH_SIGN]
_PART = re.compile(f"(?P<run>{RUN})|(?P<word>[{SIGNS}]?[{SPACED}]+(?:[{SIGNS}]+[{SPACED}]+)*[+#]*)")
_HAS_SIGN = re.compile(f"[{SIGNS}]")


def fold(text: str) -> str:
    """Returns text without differences of case, accents, width and ligatures."""
    if text.isascii():
        return text.lower()
    bare = _UNSEEN.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", bare).lower().replace("ς", "σ")


def terms(text: str) -> list[str]:
    """Returns all terms of a text, each once."""
    folded = fold(text[:MOST])[:MOST]
    found = _WORD.findall(folded)
    for each in _WITH_SIGN:
        found += each.findall(folded)
    found = [term[:TERM_CHARS] for term in found]
    for run in _RUN.findall(folded):
        found += _pairs(run)
    return list(dict.fromkeys(found))


def _pairs(run: str) -> list[str]:
    """Returns each pair of adjacent letters, and the last letter alone, so that each letter begins a term."""
    return [run[at : at + 2] for at in range(len(run))]


@dataclass(frozen=True, slots=True)
class Question:
    terms: list[str]  # each is a prefix of a term of every hit
    literal: list[str]  # must occur literally in every hit, because terms have no order
    parts: list[str]  # marked in each hit


def parsed(text: str) -> Question:
    """Returns the terms of a query, which is plain text without operators. A single letter is ignored, except
    in scripts where it is a word or a syllable.
    """
    question = Question([], [], [])
    for part in _PART.finditer(fold(text[:QUESTION_CHARS])):
        found = _terms_of_run(part[0]) if part["run"] else _terms_of_word(part[0])
        if not found or part[0] in question.parts:
            continue
        question.terms.extend(term for term in found if term not in question.terms)
        question.parts.append(part[0])
        if len(found) > 1:
            question.literal.append(part[0])
        if len(question.parts) == MOST_PARTS:
            break
    del question.terms[MOST_TERMS:]
    return question


def _terms_of_run(run: str) -> list[str]:
    return _pairs(run)[: max(1, len(run) - 1)]


def _terms_of_word(word: str) -> list[str]:
    if not _HAS_SIGN.search(word):
        return [word[:TERM_CHARS]] if len(word) > 1 or unicodedata.category(word) == "Lo" else []
    found = _WITH_SIGN[0].findall(word) + _WITH_SIGN[2].findall(word)
    return [term[:TERM_CHARS] for term in found]
