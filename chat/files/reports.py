"""Checks what an export says of how a file was read (File.report) before it is stored."""

from __future__ import annotations

from typing import Any

from chat.files.decoding import ENCODINGS

MOST = 100_000  # pages of a PDF, or flaws of a text; larger numbers are ignored


def validated_report(data: object) -> dict[str, Any]:
    """Returns the parts that words.py can show; anything else in a file is left out."""
    if not isinstance(data, dict):
        return {}
    found: dict[str, Any] = {}
    encoding = data.get("encoding")
    if isinstance(encoding, str) and encoding in ENCODINGS:
        found["encoding"] = encoding
        found |= {name: True for name in ("guessed", "chosen") if data.get(name) is True}
    found |= {name: data[name] for name in ("flaws", "pages") if _is_count(data.get(name))}
    for name in ("empty", "unreadable"):
        numbers = data.get(name)
        if isinstance(numbers, list) and _are_pages(numbers, found.get("pages", 0)):
            found[name] = numbers
    return found


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value <= MOST


def _are_pages(numbers: list[Any], pages: int) -> bool:
    """Returns whether page numbers are in order, unique, and not beyond the last page."""
    if not numbers or not all(type(number) is int for number in numbers):
        return False
    return sorted(set(numbers)) == numbers and numbers[0] >= 1 and numbers[-1] <= pages
