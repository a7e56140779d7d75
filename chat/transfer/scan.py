"""Finds where the conversations of a JSON file begin and end, without parsing it.

`json` would build everything at once: fifty megabytes of brackets are gigabytes of lists. So a file is first
walked token by token: its shape is checked, its depth and the values of each conversation are counted, and
then one conversation at a time is parsed, of a size that cannot hurt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import Any

from django.utils.translation import gettext as _

from chat.core.sizes import mb
from chat.core.text import grouped
from chat.transfer.imported_conversation import Unreadable

DEPTH = 400  # LibreChat nests each answer in its question: two levels a message
VALUES = 1_000_000  # of one conversation
RECORD_BYTES = 16 << 20  # of one conversation
RECORDS = 10_000  # of one import

# A complete string, or one structural character. A single quote begins a string that does not end.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},"]', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*+")
_BOM = b"\xef\xbb\xbf"
_WRAPPER = b'"conversations"'  # the key of the list in an enclosing object (grok.com)
_LIST_BEGINS = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+\[")
_QUOTE, _COMMA = b'",'
_OPENING, _CLOSING = frozenset(b"[{"), {ord("["): ord("]"), ord("{"): ord("}")}

Buffer = bytes | mmap


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of one conversation, not parsed yet; never parsed if `too_large`."""

    start: int
    end: int
    too_large: bool


def spans(data: Buffer, start: int, end: int) -> Iterator[Span]:
    """Yields the elements of the list, or the one object, between the places; Unreadable if it is broken."""
    if data[start : start + 3] == _BOM:
        start += 3
    start = _after_space(data, start, end)
    first = data[start] if start < end else 0
    if first not in _OPENING:
        raise Unreadable(_("This is not JSON."))
    end = _without_tail(data, start, end, _CLOSING[first])
    if first == ord("["):
        yield from _elements(data, start + 1, end)
    elif inside := _wrapped(data, start, end + 1):
        yield from _elements(data, *inside)
    else:
        yield from _elements(data, start, end + 1)


def _wrapped(data: Buffer, start: int, end: int) -> tuple[int, int] | None:
    """Finds the elements of the list under "conversations", if the object has one at its top."""
    if data.find(_WRAPPER, start, end) < 0:
        return None
    depth = begin = close = 0
    for token in _TOKEN.finditer(data, start, end):
        sign = data[token.start()]
        if sign in _OPENING:
            depth += 1
        elif sign in _CLOSING.values():
            depth -= 1
            if depth == 1 and begin and not close:
                close = token.start()
        elif depth == 1 and not begin and token[0] == _WRAPPER:
            found = _LIST_BEGINS.match(data, token.end(), end)
            begin = found.end() if found else 0
    if depth:
        raise Unreadable(_("The file is cut off or broken."))
    return (begin, close) if begin and close else None


def _after_space(data: Buffer, start: int, end: int) -> int:
    found = _SPACE.match(data, start, end)
    return found.end() if found else start


def _without_tail(data: Buffer, start: int, end: int, closing: int) -> int:
    """Finds the outermost closing bracket: the last sign of the file, spaces aside."""
    while end > start and data[end - 1] in b" \t\r\n":
        end -= 1
    if end - start < 2 or data[end - 1] != closing:
        raise Unreadable(_("The file is cut off or broken."))
    return end - 1


def _elements(data: Buffer, start: int, end: int) -> Iterator[Span]:
    """Yields the values that commas separate between two places; `parsed` checks each as a whole."""
    depth = values = 0
    begin = start
    for token in _TOKEN.finditer(data, start, end):
        at = token.start()
        sign = data[at]
        values += 1
        if sign == _QUOTE:
            if token.end() - at == 1:
                raise Unreadable(_("The file is cut off or broken."))
        elif sign == _COMMA:
            if depth == 0:
                yield _span(begin, at, values)
                begin, values = at + 1, 0
        elif sign in _OPENING:
            depth += 1
            if depth > DEPTH:
                raise Unreadable(_("The file is nested too deeply."))
        else:
            depth -= 1
            if depth < 0:
                raise Unreadable(_("The file is cut off or broken."))
    if depth:
        raise Unreadable(_("The file is cut off or broken."))
    if begin > start or _after_space(data, begin, end) < end:
        yield _span(begin, end, values)


def _span(start: int, end: int, values: int) -> Span:
    return Span(start, end, end - start > RECORD_BYTES or values > VALUES)


def parsed(data: Buffer, span: Span) -> Any:
    if span.too_large:
        raise Unreadable(_why_too_large(span))
    return loads(bytes(data[span.start : span.end]))


def loads(text: bytes) -> Any:
    """Returns a value of JSON in UTF-8; raises Unreadable."""
    try:
        return json.loads(text.decode(), parse_constant=_no_constants, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError):  # invalid UTF-8 and overlong numbers raise ValueError, too
        raise Unreadable(_("This is not valid JSON.")) from None


def _why_too_large(span: Span) -> str:
    if span.end - span.start > RECORD_BYTES:
        words = _("This conversation is too large: at most %(limit)d MB are read.")
        return words % {"limit": mb(RECORD_BYTES)}
    return _("This conversation is too large: at most %(limit)s values are read.") % {
        "limit": grouped(VALUES)
    }


def count_values(data: Buffer, start: int, end: int) -> int:
    """Returns the strings, brackets and commas between two places: at least as many as values."""
    return sum(1 for _token in _TOKEN.finditer(data, start, end))


def _no_constants(name: str) -> None:
    raise ValueError(name)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses objects with duplicate names: it is unclear which value is meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("the same name twice")
    return found
