"""`python -I child.py KIND < file > text`: reads what somebody else wrote, in a process that may do no more.

The first line of the answer is "ok" or a key of words.py, the rest is the text in UTF-8. Knows nothing of
Django. After `confine` no file outside the interpreter's own can be opened, no socket made, no process
started, and memory and processor time are bounded. Whoever starts it bounds the time on the wall.
"""

from __future__ import annotations

import codecs
import io
import logging
import os
import resource
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, NoReturn

MEMORY = 512 << 20  # address space; the interpreter with pypdf takes about 60 MB of it
CPU_SECONDS = 30
TEXT_CHARS = 1_000_000  # what comes out at most
PAGES = 2_000
SAMPLE = 64 << 10  # bytes from which an encoding is guessed
WESTERN_SHARE = 0.25  # of bytes above 127: French has about 4 %, Russian most of them
ODD_SHARE = 0.02  # of characters that no text has
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What people's old files are in; each may be guessed from the text, the first is taken if none stands out.
_OLD = ["cp1252", "cp1250", "cp1251", "koi8_r", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"]
_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "ctypes.",
)
_OWN = (f"{sys.prefix}/", f"{sys.base_prefix}/")  # pypdf and the codecs load their parts when they need them


class Refused(Exception):
    """The argument is a key of words.py."""


def confine(cpu_seconds: int = CPU_SECONDS) -> None:
    bounds = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, bound in bounds.items():
        try:
            resource.setrlimit(kind, (bound, bound))
        except (OSError, ValueError):
            if kind != resource.RLIMIT_AS:  # macOS does not limit address space
                raise
    sys.addaudithook(_refuse)


def _refuse(event: str, about: tuple[Any, ...]) -> None:
    if event.startswith(_FORBIDDEN) or (event == "open" and not _is_own(about)):
        raise PermissionError(f"not while reading: {event}")


def _is_own(opened: tuple[Any, ...]) -> bool:
    path, _mode, flags = opened
    reads = not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    return reads and isinstance(path, str) and os.path.abspath(path).startswith(_OWN)


# --- Text -------------------------------------------------------------------------------------------------


def read_text(data: bytes) -> str:
    text = _decoded(data)
    odd = sum(
        1
        for each in text[:SAMPLE]
        if unicodedata.category(each) in {"Cc", "Cn", "Co"} and each not in "\t\n\r\f\v"
    )
    if odd > ODD_SHARE * min(len(text), SAMPLE):
        raise Refused("binary")
    return text


def _decoded(data: bytes) -> str:
    for mark, encoding in _BOMS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if b"\x00" in data[:SAMPLE]:
        even, odd = data[0:SAMPLE:2].count(0), data[1:SAMPLE:2].count(0)
        return data.decode("utf-16-be" if even > odd else "utf-16-le", "replace")
    return _in_old_encoding(data)


def _in_old_encoding(data: bytes) -> str:
    """Accents are rare in the west; where other letters are many, they tell which ones they are."""
    high = sum(byte >= 0x80 for byte in data[:SAMPLE])
    if high < WESTERN_SHARE * len(data[:SAMPLE]):
        return data.decode(_OLD[0], "replace")
    best = charset_normalizer.from_bytes(data[:SAMPLE], cp_isolation=_OLD).best()
    return data.decode(best.encoding if best else _OLD[0], "replace")


# --- PDF --------------------------------------------------------------------------------------------------


def read_pdf(data: bytes) -> str:
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        # Many are locked against printing only: then the password for reading is empty.
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refused("locked")
        text = "\n\n".join(each for each in _pages(reader) if each)
    except (Refused, MemoryError):
        raise
    except pypdf.errors.LimitReachedError:
        raise Refused("too_large") from None
    except pypdf.errors.DependencyError:
        raise Refused("locked") from None
    except Exception as error:  # noqa: BLE001 - pypdf raises anything on a broken file
        raise Refused("too_large" if _is_about_memory(error) else "broken") from None
    if not text:
        raise Refused("scanned")
    return text


def _pages(reader: Any) -> Iterator[str]:
    length = 0
    for number, page in enumerate(reader.pages):
        text = (page.extract_text() or "").strip()
        length += len(text)
        if number >= PAGES or length > TEXT_CHARS:
            raise Refused("too_long")
        yield text


def _is_about_memory(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


# --- The answer -------------------------------------------------------------------------------------------


def storable(text: str) -> str:
    """One kind of line end, no NUL (PostgreSQL cannot store it), no half of a surrogate pair."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return text.encode("utf-8", "replace").decode().strip("\n\ufeff")


def answer(kind: str, data: bytes) -> tuple[str, str]:
    try:
        text = storable(read_pdf(data) if kind == "pdf" else read_text(data))
    except Refused as refused:
        return str(refused), ""
    except MemoryError:
        return "too_large", ""
    if not text.strip():
        return "empty", ""
    return ("too_long", "") if len(text) > TEXT_CHARS else ("ok", text)


def main() -> NoReturn:
    data = sys.stdin.buffer.read()
    confine()
    verdict, text = answer(sys.argv[1], data)
    sys.stdout.buffer.write(f"{verdict}\n{text}".encode())
    sys.stdout.buffer.flush()
    sys.exit(0)


if __name__ == "__main__":
    import charset_normalizer
    import pypdf
    import pypdf.errors

    logging.disable()  # what pypdf complains of quotes the file
    main()
