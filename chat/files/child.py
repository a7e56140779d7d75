"""Reads an uploaded file in a confined process: `main KIND ENCODING < file > answer`.

The first line of the answer is JSON, `{"verdict", "report", "layers"}`: "ok" or a key of words.py, facts
about the file (models.py, `File.report`), and the layers of the sandbox that hold (confine.py).
The rest is the text in UTF-8, or the new bytes of an image. Imports nothing of Django. reading.py starts it
and limits its wall time.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import logging
import sys
import warnings
from typing import Any, NoReturn

import regex

from chat.files.bounds import CPU_SECONDS, IMAGE_MEMORY, MEMORY, TEXT_CHARS
from chat.files.decoding import ENCODINGS, Decoded, Unreadable, decode
from chat.files.pdf import read_pdf
from chat.files.refused import Refused
from chat.files.terminal import with_pictures, without_terminal
from inference.base.confine import Limits, confine

_ODD = regex.compile(r"[[\p{Cc}\p{Cn}]--[\t\n\r\f\v\x85]--\p{Extended_Pictographic}]", regex.V1)
# Signs of a wrong guess; in UTF-8, private-use characters may be icons of symbol fonts.
_PRIVATE = regex.compile(r"\p{Co}")
MOST_ODD = 0.02  # share of the characters; more in UTF-8, which other bytes hardly form by chance
MOST_ODD_IN_UTF8 = 0.15
MOST_FLAWS = 0.1


def preload(kind: str) -> None:
    """Imports what is otherwise imported late: after `confine` no module can be read any more."""
    if kind == "image":
        from chat.files import image

        image.preload()
        return
    for name in ENCODINGS:
        codecs.lookup(name)
    with contextlib.suppress(Refused):  # the standard library also imports late: Counter loads heapq
        read_text(bytes(range(1, 256)) * 20, "")
    if kind == "pdf":
        from chat.files import pdf

        pdf.preload()


# --- Text -------------------------------------------------------------------------------------------------


def read_text(data: bytes, encoding: str) -> tuple[str, dict[str, Any]]:
    try:
        decoded = decode(data, encoding)
    except Unreadable:
        raise Refused("binary" if _ODD.search(data.decode("latin-1")[:4096]) else "unreadable") from None
    text = without_terminal(decoded.text)
    if _odd(text, decoded) > _most_odd(decoded) * len(text):
        raise Refused("binary")
    report: dict[str, Any] = {"encoding": decoded.encoding}
    if decoded.flaws > MOST_FLAWS * len(text):
        raise Refused("unreadable")
    if decoded.flaws:
        report["flaws"] = decoded.flaws
    if decoded.guessed:
        report["guessed"] = True
    return with_pictures(text.replace("\r\n", "\n")), report


def _odd(text: str, decoded: Decoded) -> int:
    """Counts the characters that no text has."""
    odd = len(_ODD.findall(text))
    return odd + len(_PRIVATE.findall(text)) if decoded.guessed else odd


def _most_odd(decoded: Decoded) -> float:
    sure = decoded.encoding == "utf-8" and not decoded.flaws
    return MOST_ODD_IN_UTF8 if sure else MOST_ODD


# --- The answer -------------------------------------------------------------------------------------------


def storable(text: str) -> str:
    """Returns text with "
    " as line end, without NUL (PostgreSQL cannot store it) and lone surrogates.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return text.encode("utf-8", "replace").decode().strip("\n\ufeff")


def answer(kind: str, data: bytes, encoding: str = "") -> tuple[str, dict[str, Any], str]:
    try:
        text, report = read_pdf(data) if kind == "pdf" else read_text(data, encoding)
        text = storable(text)
    except Refused as refused:
        return str(refused), {}, ""
    except MemoryError:
        return "too_large", {}, ""
    if not text.strip():
        return "empty", report, ""
    return ("too_long", report, "") if len(text) > TEXT_CHARS else ("ok", report, text)


def image_answer(data: bytes) -> tuple[str, dict[str, Any], bytes]:
    from chat.files.image import read_image

    try:
        written, report = read_image(data)
    except Refused as refused:
        return str(refused), {}, b""
    except MemoryError:
        return "too_many_pixels", {}, b""
    return "ok", report, written


def main(kind: str, encoding: str = "") -> NoReturn:
    logging.disable()  # pypdf's warnings quote the file
    warnings.simplefilter("ignore")  # so do some of Pillow's
    data = sys.stdin.buffer.read()
    preload(kind)
    memory = IMAGE_MEMORY if kind == "image" else MEMORY
    needs_threads = kind == "image" and data[4:8] == b"ftyp"  # libde265 decodes HEIC in a thread of its own
    layers = confine(Limits(memory=memory, cpu_seconds=CPU_SECONDS, threads=needs_threads))
    if kind == "image":
        verdict, report, body = image_answer(data)
    else:
        verdict, report, text = answer(kind, data, encoding)
        body = text.encode()
    head = json.dumps({"verdict": verdict, "report": report, "layers": layers})
    sys.stdout.buffer.write(head.encode() + b"\n" + body)
    sys.stdout.buffer.flush()
    sys.exit(0)
