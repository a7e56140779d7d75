"""Tells how much like the writing of one language a decoded text looks: what a wrong encoding spoils first.

It gives letters that no single language has, signs inside words, and capitals after small letters.
"""

from __future__ import annotations

import re

import regex

# Letters above ASCII, in lower case. A correctly decoded text needs those of one line only.
_ALPHABETS = """
àâæçèéêëîïôœùûüÿ
äöüß
áéíñóúüïç
ãáàâçéêíóõôúü
àèéìíîòóù
éëïóöüèáê
äåöéšž
æøåéóôöä
áðéíóúýþæö
àçèéíïòóúü
ąćęłńóśźż
áčďéěíňóřšťúůýž
áäčďéíĺľňóôŕšťúýž
áéíóöőúüű
àáâãèéêìíòóôõùúýăđĩũơư
ăâîşţșț
čćđšž
çğıöşüâîûi̇
ąčęėįšųūž
āčēģīķļņšūž
äöüõšž°
абвгдеёжзийклмнопрстуфхцчшщъыьэюя
абвгґдеєжзиіїйклмнопрстуфхцчшщьюя
абвгдеёжзійклмнопрстуўфхцчшыьэюя
абвгдђежзијклљмнњопрстћуфхцчџшѓѕќ
αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ
אבגדהוזחטיךכלםמןנסעףפץצקרשת
"""
_LINES = [frozenset(line) for line in _ALPHABETS.split()]
_ESTONIAN = "°"  # stands for an õ before other letters than e and s, which Portuguese lacks
_WRITTEN_WITHOUT_CASE = regex.compile(
    r"[\p{Arabic}\p{Thai}\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{M}\u3000-\u303f\uff00-\uffefー・]"
)
_SIGNS = frozenset("“”„‚‘«»‹›–—…•°§©®™€£¥±²³½¼¾×÷¿¡ªº†‡‰¶µ№\xa0\xad·´¨‐−‑")
_BOXES = regex.compile(r"[\u2500-\u259f]")
_WORD = re.compile(r"\S*[^\x00-\x7f]\S*")
_FINAL_LETTERS = frozenset("ךםןףץ")  # Hebrew writes them at the end of words only
_ENGLISH = re.compile(r"\b(?:the|and|of|is|to)\b")  # English sets dashes between words without spaces
_SCORED = 2_000  # words; more would change nothing


def likeness(text: str) -> float:
    """Returns the share of the characters above ASCII that fit the best of the languages, from 0 to 1."""
    counts: dict[str, int] = {}
    dashes = "–—…" if _ENGLISH.search(text) else ""
    total = fitting = 0
    for number, found in enumerate(_WORD.finditer(text)):
        if number == _SCORED:
            break
        word = found[0]
        for index, letter in enumerate(word):
            if letter < "\x80":
                continue
            total += 1
            kind = _kind_at(word, index, dashes)
            if kind == "fits":
                fitting += 1
            elif kind == "letter":
                lower = _lower(letter, word[index + 1 : index + 2])
                counts[lower] = counts.get(lower, 0) + 1
    if not total:
        return 1.0
    best = max(sum(n for letter, n in counts.items() if letter in line or letter == "i̇") for line in _LINES)
    return (fitting + best) / total


def _lower(letter: str, after: str) -> str:
    lower = letter.lower()
    return _ESTONIAN if lower == "õ" and after.lower() not in ("e", "s") else lower


def _kind_at(word: str, index: int, dashes: str) -> str:
    """Returns "letter" if the alphabets decide, "fits" if any language has it at this index, or "odd" if none
    has.
    """
    letter = word[index]
    before = word[index - 1] if index else " "
    after = word[index + 1] if index + 1 < len(word) else " "
    if letter in ("’", *dashes):
        return "fits"
    if letter in _SIGNS:
        inside = before.isalpha() and after.isalpha() and letter not in "\xad‑‐"
        inside = inside and not before.lower() == after.lower() == "l"  # Catalan l·l
        piled = before in _SIGNS and before not in (letter, "\xa0") and letter != "\xa0"
        return "odd" if inside or piled else "fits"
    if _BOXES.match(letter):
        lines = ("─", "═", "│", "║", letter)
        alone = before == after == " "
        return "fits" if alone or before in lines or after in lines else "odd"
    if _WRITTEN_WITHOUT_CASE.match(letter):
        return "fits"
    if not letter.isalpha():
        return "odd"
    if letter.isupper() and before.islower():
        return "odd"
    if letter >= "\u0370" and (_is_ascii_letter(before) or _is_ascii_letter(after)):
        return "odd"
    if letter in _FINAL_LETTERS and _is_hebrew(after):
        return "odd"
    return "letter"


def _is_hebrew(letter: str) -> bool:
    return "א" <= letter <= "ת"


def _is_ascii_letter(letter: str) -> bool:
    return letter.isascii() and letter.isalpha()
