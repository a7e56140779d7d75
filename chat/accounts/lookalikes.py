"""Detects deceptive names and addresses: invisible characters, mixed scripts, look-alike letters.

The rules are those of Unicode Technical Standard 39: a word is written in one script, or in Latin with those
of Chinese, Japanese or Korean ("highly restrictive").
"""

from __future__ import annotations

import unicodedata

import regex
from django.utils.translation import gettext as _

from chat.core.errors import BadInput
from chat.core.text import UNSEEN, one_line

# The scripts in use today (Unicode Annex 31, tables 5 to 7). Letters of all others form one group.
_SCRIPTS = """
Adlam Arabic Armenian Balinese Bamum Batak Bengali Bopomofo Canadian_Aboriginal Chakma Cham Cherokee Cyrillic
Devanagari Ethiopic Georgian Greek Gujarati Gurmukhi Han Hangul Hebrew Hiragana Javanese Kannada Katakana
Kayah_Li Khmer Lao Latin Lepcha Limbu Lisu Malayalam Mandaic Meetei_Mayek Mongolian Myanmar New_Tai_Lue
Newa Nko Ol_Chiki Oriya Osage Saurashtra Sinhala Sundanese Syloti_Nagri Syriac Tai_Le Tai_Tham Tai_Viet Tamil
Telugu Thaana Thai Tibetan Tifinagh Vai Wancho Yi
"""
_TOGETHER = (
    ("Latin", "Han", "Hiragana", "Katakana"),
    ("Latin", "Han", "Bopomofo"),
    ("Latin", "Han", "Hangul"),
)
_ANY = "".join(rf"\p{{Script={script}}}" for script in _SCRIPTS.split())


def _written_in(*scripts: str) -> str:
    extended = "".join(rf"\p{{Script_Extensions={script}}}" for script in scripts)
    return rf"[\p{{Common}}\p{{Inherited}}{extended}]*"


_ONE_SCRIPT = regex.compile(
    "|".join(
        [
            *(_written_in(each) for each in _SCRIPTS.split()),
            *(_written_in(*each) for each in _TOGETHER),
            f"[^{_ANY}]*",
        ]
    )
)
_WORDS = regex.compile(r"[\s\p{Pd}.@_/]+")
# Drawn over, under or around a letter so that it looks like another, or piled up; a mark without a letter.
_ODD_MARKS = regex.compile(
    r"^\p{M}|[\u0305\u0332\u0333\u0335-\u0338\u033f\p{Me}\u20d0-\u20f0]|[\p{M}&&\p{Inherited}]{4}", regex.V1
)
_UNSEEN = regex.compile(UNSEEN, regex.V1)
# Letters, each before the Latin one that it looks like (from confusables.txt of UTS 39), of the scripts that
# whole words can be borrowed from: Cyrillic, Greek, Armenian, Coptic, Cherokee, Lisu, and rare Latin ones.
_PAIRS = """
аa еe ѐe ёe оo рp сc уy хx ѕs іi їi јj һh ԁd ԛq ԝw ӏl ѵv кk мm тt нh вb АA ВB ЕE ЀE ЁE ІI ЇI ЈJ КK МM НH ОO
РP СC ЅS ТT УY ХX ԌG ԚQ ԜW ӀI ѴV
αa γy εe ιi κk νv οo ρp τt υu χx ωw ηn ϲc ϳj ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX ϹC ͿJ
աw օo ոn սu հh յj ցg զq ՕO ՏS ՍU ԼL ⲟo ⲣp ⲥc ⲞO ⲢP ⲤC ⲔK ⲘM ⲎH ⲒI ⲚN ⲦT
ᎠD ᎡR ᎢT ᎪA ᎫJ ᎬE ᎳW ᎷM ᎻH ᏀG ᏃZ ᏒR ᏔW ᏕS ᏙV ᏚS ᏞL ᏟC ᏢP ᏦK ᏴB
ꓮA ꓐB ꓚC ꓓD ꓰE ꓖG ꓧH ꓲI ꓙJ ꓗK ꓡL ꓟM ꓠN ꓳO ꓑP ꓣR ꓢS ꓔT ꓴU ꓦV ꓪW ꓫX ꓬY ꓜZ
ıi ɑa ɡg ɩi ʟl ʀr ɴn ɪi ʙb ʜh ʏy ɢg
"""
_LATIN = {pair[0]: pair[1] for pair in _PAIRS.split()}


def is_mixed(text: str) -> bool:
    """Returns whether a word of `text` mixes scripts that are not written together."""
    return any(_ONE_SCRIPT.fullmatch(word) is None for word in _WORDS.split(text))


def latin_reading(name: str) -> str:
    """Returns how a Latin reader reads `name`, in small letters; empty if that is the name itself."""
    read = "".join(_LATIN.get(letter, letter) for letter in name).casefold()
    return read if read != name.casefold() and read.isascii() else ""


def normalised_name(name: str) -> str:
    """Returns `name` as it is stored: on one line, without invisible characters, in plain letters (NFKC).

    Raises BadInput for one that could be taken for another: mixed scripts, marks that change letters.
    """
    name = one_line(unicodedata.normalize("NFKC", one_line(name)))
    if is_mixed(name):
        raise BadInput(
            _("A word of this name mixes letters of several scripts that look alike. Use one script.")
        )
    if any(_ODD_MARKS.search(word) for word in name.split()):
        raise BadInput(
            _("This name has marks that change how its letters look. Please write it without them.")
        )
    return name


def is_misleading(name: str) -> bool:
    """Returns whether a stored name would be refused or changed today; staff see a warning then."""
    try:
        return normalised_name(name) != name
    except BadInput:
        return True


def normalised_address(email: str) -> str:
    """Returns an e-mail address as it is stored: lower case, its domain in ASCII (xn--…), so that no two
    addresses look the same. Raises BadInput for an address with deceptive letters.
    """
    email = email.strip()
    if email.isascii() and "xn--" not in email.lower():
        return email.lower()
    local, at, domain = email.rpartition("@")
    if not at or not local.isascii() or _UNSEEN.search(email) or any(map(str.isspace, email)):
        raise _deceiving()
    try:
        labels = [_label(each) for each in domain.lower().split(".")]
    except (UnicodeError, ValueError):
        raise _deceiving() from None
    return f"{local.lower()}@{'.'.join(labels)}"


def _label(label: str) -> str:
    """Returns one label of a domain in ASCII."""
    shown = label.encode("ascii").decode("idna") if label.startswith("xn--") else label
    if unicodedata.normalize("NFKC", shown) != unicodedata.normalize("NFC", shown):
        raise ValueError("compatibility characters")
    if is_mixed(shown) or _UNSEEN.search(shown) or _ODD_MARKS.search(shown):
        raise ValueError("letters that deceive")
    return shown.encode("idna").decode("ascii").lower()


def _deceiving() -> BadInput:
    return BadInput(
        _(
            "This address has characters that cannot be seen or look like others. "
            "Please type it with plain letters."
        )
    )
