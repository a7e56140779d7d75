"""Turns bytes into text: byte order marks, UTF-8 with a few bad bytes, UTF-16 without a mark, guesses.

Runs in the child (child.py). A guess is told as one, and another encoding can be asked for by its name.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import regex
from chardetng_py import EncodingDetector

from chat.files.letters import likeness

SAMPLE = 64 << 10  # bytes from which an encoding is guessed
# Encodings that can be chosen, by Python's name; people see the name that other software uses.
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "utf-32-le": "UTF-32 LE",
    "utf-32-be": "UTF-32 BE",
    "cp1252": "windows-1252",
    "cp1250": "windows-1250",
    "cp1251": "windows-1251",
    "cp1253": "windows-1253",
    "cp1254": "windows-1254",
    "cp1255": "windows-1255",
    "cp1256": "windows-1256",
    "cp1257": "windows-1257",
    "cp1258": "windows-1258",
    "cp874": "windows-874",
    "iso8859_2": "ISO 8859-2",
    "iso8859_4": "ISO 8859-4",
    "iso8859_5": "ISO 8859-5",
    "iso8859_6": "ISO 8859-6",
    "iso8859_7": "ISO 8859-7",
    "iso8859_8": "ISO 8859-8",
    "iso8859_13": "ISO 8859-13",
    "iso8859_15": "ISO 8859-15",
    "mac_roman": "Mac Roman",
    "mac_latin2": "Mac Central European",
    "mac_cyrillic": "Mac Cyrillic",
    "mac_greek": "Mac Greek",
    "mac_turkish": "Mac Turkish",
    "koi8_r": "KOI8-R",
    "koi8_u": "KOI8-U",
    "cp437": "IBM 437",
    "cp850": "IBM 850",
    "cp852": "IBM 852",
    "cp866": "IBM 866",
    "gb18030": "GB 18030",
    "big5hkscs": "Big5",
    "cp932": "Shift JIS",
    "euc_jp": "EUC-JP",
    "iso2022_jp_ext": "ISO-2022-JP",
    "cp949": "EUC-KR",
    "iso2022_kr": "ISO-2022-KR",
}
_MARKS = [  # longest first
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
# Names of the detector for which Python has another name, or a superset.
_NAMES = {
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "euc-jp": "euc_jp",
    "big5": "big5hkscs",
    "ibm866": "cp866",
    "koi8-u": "koi8_u",
    "x-mac-cyrillic": "mac_cyrillic",
    "iso-8859-8-i": "iso8859_8",
    "iso-2022-jp": "iso2022_jp_ext",
}
# The detector is made for the web and never returns the second ones; they are tried beside its result.
_LATIN = ("cp1254", "cp1252", "cp1250", "cp1257", "mac_roman")
_DOS = ("cp437", "cp850", "cp852")
_BOXES = re.compile(rb"[\xc0\xc3]\xc4\xc4 |\xc4{4}|\xcd{4}")  # lines of tables and trees there
_CYRILLIC = ("cp1251", "koi8_u", "cp866", "iso8859_5", "mac_cyrillic")
_ISO_LATIN = ("iso8859_2", "iso8859_4", "iso8859_13")
_ASCII = frozenset(range(0x80))
_FEW = 2
_GREEK = ("cp1253", "mac_greek")
_MULTIBYTE = ("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949")
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_SHIFTED = (
    (re.compile(rb"\x1b\$\)C"), "iso2022_kr"),
    (re.compile(rb"\x1b(?:\$[@B]|\([IJ]|\$\(D)"), "iso2022_jp_ext"),
)
_SCRIPTS = [
    regex.compile(pattern)
    for pattern in (
        r"\p{Latin}",
        r"\p{Cyrillic}",
        r"\p{Greek}",
        r"\p{Hebrew}",
        r"\p{Arabic}",
        r"\p{Thai}",
        r"\p{Devanagari}",
        r"\p{Hangul}",
        r"[\p{Han}\p{Hiragana}\p{Katakana}]",
    )
]
_ANY_SCRIPT = regex.compile(r"[\t-~\p{P}\p{S}\p{Z}\p{M}\p{N}\u3000-\u3020\uff00-\uff65]")
_SEQUENCES = re.compile(r"[^\x00-\x7f\ufffd]+")
_CUT_IN_FRONT = re.compile(r"\A\ufffd{1,3}")
_TURKISH = re.compile(rb"[\xd0\xdd\xde\xf0\xfd\xfe]")  # the only differences between cp1254 and cp1252
_IN_LATIN_WORDS = re.compile(r"(?<=[A-Za-z])[\u00c0-\u017f]")
_GOOD_FOR_A_FLAW = 3  # of the sequences: other encodings form some valid ones by chance, but not most
_UNREAL = regex.compile(r"[\p{Cn}\p{Co}\p{Cs}\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffd]")
_MOST_CONTROLS = 0.02  # of the bytes: a log with a few NULs is not UTF-16
_LEAST_HIGH_BYTES = (
    0.2  # of the bytes, where the other halves are all in ASCII, as in Latin, Cyrillic or Thai
)
_LEAST_REAL = 0.95  # of the characters of a text in UTF-16
_VOTES = 200  # lines
_LEAST_LIKE = 0.75  # below this the guess yields random characters


class Unreadable(Exception):
    """Raised when no encoding yields plausible text."""


@dataclass(frozen=True, slots=True)
class Decoded:
    text: str
    encoding: str  # a key of ENCODINGS
    guessed: bool = False
    flaws: int = 0  # characters that became U+FFFD


def decode(data: bytes, encoding: str = "") -> Decoded:
    """Reads `data` in `encoding`, or in the one that fits best."""
    if encoding:
        return _read(data, encoding)
    for mark, marked in _MARKS:
        if data.startswith(mark):
            return _read(data, marked)
    for sequence, shifted in _SHIFTED:
        if sequence.search(data[:SAMPLE]) and (found := _strictly(data, shifted)):
            return found
    if wide := wide_encoding(data):
        return _read(data, wide, guessed=True)
    if found := _as_utf8(data):
        return found
    return _guessed(data)


def _read(data: bytes, encoding: str, *, guessed: bool = False) -> Decoded:
    for mark, marked in _MARKS:
        if marked == encoding:
            data = data.removeprefix(mark)
    text = data.decode(encoding, "replace")
    own = data.count("\ufffd".encode()) if encoding == "utf-8" else 0
    return Decoded(text, encoding, guessed, max(0, text.count("\ufffd") - own))


def _strictly(data: bytes, encoding: str) -> Decoded | None:
    try:
        return Decoded(data.decode(encoding), encoding)
    except UnicodeDecodeError:
        return None


# --- UTF-8 ------------------------------------------------------------------------------------------------


def _as_utf8(data: bytes) -> Decoded | None:
    """Decodes as UTF-8 if nearly all multi-byte sequences are valid; the rest are damage or a line in another
    encoding.
    """
    if found := _strictly(data, "utf-8"):
        return found
    read = _read(data, "utf-8")
    inside = _CUT_IN_FRONT.sub("", read.text)  # each byte of a letter cut at the start counts as one
    flaws = min(read.flaws, inside.count("\ufffd") + 1)
    good = sum(len(run) for run in _SEQUENCES.findall(read.text))
    if flaws <= good // _GOOD_FOR_A_FLAW:
        return read
    # In a short text one letter may be damaged or cut, if the valid ones are in Latin words.
    return read if read.flaws == 1 and good and good == len(_IN_LATIN_WORDS.findall(read.text)) else None


# --- UTF-16 and UTF-32 without a mark ---------------------------------------------------------------------


def wide_encoding(data: bytes) -> str | None:
    """Returns the encoding of two or four bytes a character that `data` is in without a mark, or None.

    Every such text has bytes that look like controls in any other encoding.
    """
    sample = data[:SAMPLE]
    controls = len(_CONTROLS.findall(sample))
    if len(sample) < 2 or controls <= _MOST_CONTROLS * len(sample):
        return None
    if max(sample) < 0x80 and controls < _LEAST_HIGH_BYTES * len(sample):
        return None
    best, encoding = max((_coherence(sample, each), each) for each in reversed(_WIDE))
    return encoding if best >= _LEAST_REAL else None


def _coherence(sample: bytes, encoding: str) -> float:
    """Returns the share of the characters in `encoding` that are ASCII or of one script."""
    width = 4 if "32" in encoding else 2
    text = sample[: len(sample) // width * width].decode(encoding, "replace").removesuffix("\ufffd")[:4000]
    if not text or len(_UNREAL.findall(text)) > (1 - _LEAST_REAL) * len(text):
        return 0.0
    plain = sum("\t" <= each <= "~" for each in text)
    letters = _ANY_SCRIPT.sub("", text)
    common = len(text) - plain - len(letters)
    of_one = max(len(script.findall(letters)) for script in _SCRIPTS)
    if not plain + of_one:
        return 0.0
    return (plain + common + of_one) / len(text) + plain / len(text) / 100  # ASCII decides ties


# --- Guesses ----------------------------------------------------------------------------------------------


def _guessed(data: bytes) -> Decoded:
    lines = _telling(data)
    sample = b"\n".join(lines)
    best, encoding = _best(sample, _detected(sample))
    if best < _LEAST_LIKE:
        best, encoding = max(_best(sample, detected) for detected in _detected_in_parts(lines))
    if best < _LEAST_LIKE:
        return _mixed(data)
    if encoding == "cp1254" and not _TURKISH.search(sample):
        encoding = "cp1252"  # decodes to the same text
    return _read(data, encoding, guessed=True)


def _detected_in_parts(lines: list[bytes]) -> set[str]:
    """Detects the encoding part by part: one damaged letter hides that of a whole text from the detector."""
    half = (len(lines) + 1) // 2
    parts = [b"\n".join(part) for part in (lines[:half], lines[half:])]
    votes = Counter(_detected(line) for line in lines[:_VOTES])
    cut = _detected(b"\n".join(lines), whole=False)
    return {cut, *map(_detected, parts), votes.most_common(1)[0][0]}


def _detected(sample: bytes, *, whole: bool = True) -> str:
    detector = EncodingDetector()
    detector.feed(sample, last=whole)  # else it may end within a letter
    name = str(detector.guess(tld=None, allow_utf8=False)).lower()
    return _NAMES.get(name, name.replace("windows-", "cp").replace("iso-8859-", "iso8859_"))


def _best(sample: bytes, detected: str) -> tuple[float, str]:
    best, _index, encoding = max(
        (round(likeness(sample.decode(each, "replace")), 3), -index, each)
        for index, each in enumerate(_candidates(detected, sample))
    )
    return best, encoding


def _mixed(data: bytes) -> Decoded:
    """Decodes UTF-8 among text of another encoding. Raises Unreadable where most of it is not UTF-8."""
    read = _read(data, "utf-8", guessed=True)
    if read.flaws > sum(len(run) for run in _SEQUENCES.findall(read.text)):
        raise Unreadable
    return read


def _candidates(detected: str, sample: bytes) -> Iterable[str]:
    """Returns encodings to try, the detector's first: another must look better, not as good."""
    if detected in _ISO_LATIN and len(set(sample) - _ASCII) <= _FEW:
        return ["cp1252", detected]  # one or two letters prove little, and cp1252 is far more common
    if _BOXES.search(sample):
        return [*_DOS, "cp866"]
    if detected in _MULTIBYTE:
        others: tuple[str, ...] = ()
    elif detected in ("cp1255", "iso8859_8"):
        others = ("koi8_u",)  # its capitals have the codes of Hebrew letters
    elif detected in (*_CYRILLIC, "koi8_r"):
        others = _CYRILLIC
    elif detected in ("cp1253", "iso8859_7"):
        others = _GREEK
    else:
        others = (*_LATIN, "cp1251", "koi8_u", *_DOS, "cp866")
    return [detected, *(each for each in others if each != detected)]


def _telling(data: bytes) -> list[bytes]:
    """Returns the lines that have bytes above ASCII: digits and code tell nothing of the encoding."""
    lines: list[bytes] = []
    size = 0
    for found in re.finditer(rb"[^\r\n]+", data):
        line = found[0]
        if line.isascii():
            continue
        lines.append(line[:SAMPLE])
        size += len(line)
        if size >= SAMPLE:
            break
    return lines
