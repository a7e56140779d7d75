"""Finds addresses among words, where each begins and ends; static/js/markdown/addresses.js finds the same.

They end before signs that are not ASCII, and before letters that are written without spaces between words: a
reader must not be sent to a host that has words of the sentence in its name.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\ufe30-\ufe4f\uff00-\uffef\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
BEGUN = re.compile(
    r"(?:(?<![A-Za-z0-9_])(https?://)(?:[\w.~%!$&'*+,;=:-]{1,200}@)?|(?<![^\s*_~(])(www\.))"
    r"([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::\d{1,5})?",
    re.IGNORECASE | re.ASCII,
)
MAIL = re.compile(
    r"(?<![A-Za-z0-9.+-])[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z0-9]+(?![\w-])",
    re.ASCII,
)
AFTER = "?!.,:;*_~']\u2013"  # at the end of an address these characters belong to the sentence


class Address(NamedTuple):
    start: int
    end: int
    href: str


def addresses(text: str) -> dict[int, Address]:
    """Returns the addresses of one text by the place where they begin."""
    found = {}
    end = 0
    for match in BEGUN.finditer(text):
        if match.start() >= end and (address := _address(text, match)):
            found[address.start] = address
            end = address.end
    for match in MAIL.finditer(text) if "@" in text else ():
        found[match.start()] = Address(match.start(), match.end(), f"mailto:{match[0]}")
    return found


def _address(text: str, begun: re.Match[str]) -> Address | None:
    end = begun.end()
    if _goes_on(begun[3], text[end : end + 2]):
        return None
    if text[end : end + 1] in ("/", "?", "#"):
        while end < len(text) and _belongs(text[end]):
            end += 1
    address = _trimmed(text[begun.start() : end])
    if len(address) <= len(begun[1] or begun[2]):
        return None
    href = address if begun[1] else f"http://{address}"
    return Address(begun.start(), begun.start() + len(address), href)


def _is_letter(char: str) -> bool:
    return bool(char) and not char.isascii() and unicodedata.category(char)[0] in "LMN"


def _goes_on(host: str, after: str) -> bool:
    """Returns whether the host continues in letters that are not ASCII: cut there, the link would lead
    elsewhere.
    """
    if after[:1] == ".":
        return _is_letter(after[1:2])
    return _is_letter(after[:1]) and (not UNSPACED.match(after) or "." not in host)


def _belongs(char: str) -> bool:
    """Returns whether a path may contain the character."""
    if char.isascii():
        return "!" <= char <= "~" and char not in '"<>\\`'
    return char == "\u2013" or (_is_letter(char) and not UNSPACED.match(char))


def _trimmed(address: str) -> str:
    """Signs at the end belong to the sentence, as does a bracket that was opened before."""
    end, unopened = len(address), address.count(")") - address.count("(")
    while address[end - 1] in AFTER or (address[end - 1] == ")" and unopened > 0):
        unopened -= address[end - 1] == ")"
        end -= 1
    return address[:end]
