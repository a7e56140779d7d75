"""Cuts a copied conversation into the pages that readers get one at a time.

A page ends between two messages, or inside one that is longer than a page. What a page may hold bounds what
it costs to read it from the database and to make HTML of it, however long the conversation is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

PAGE_CHARS = 40_000  # about fifteen printed pages; must not exceed MARKDOWN_CHARS in render.py
PAGE_MESSAGES = 100


def pages_of(
    messages: Iterable[dict[str, Any]], *, chars: int = PAGE_CHARS, count: int = PAGE_MESSAGES
) -> Iterator[list[dict[str, Any]]]:
    """Yields lists of messages ({"text", …}) in order; each has at most `chars` characters and `count` rows,
    or one message whose thoughts make it longer: they are plain text, and not divided.

    A message of more than `chars` characters comes in parts, each a message with "part" and "parts".
    """
    page: list[dict[str, Any]] = []
    left = chars
    for message in messages:
        for part in _parts(message, chars):
            size = len(part["text"]) + len(part.get("thoughts", ""))
            if page and (size > left or len(page) == count):
                yield page
                page, left = [], chars
            page.append(part)
            left -= size
    if page:
        yield page


def _parts(message: dict[str, Any], chars: int) -> list[dict[str, Any]]:
    texts = list(_cut(message["text"], chars))
    if len(texts) == 1:
        return [message]
    parts = [{**message, "text": text, "part": n, "parts": len(texts)} for n, text in enumerate(texts, 1)]
    for later in parts[1:]:
        later.pop("files", None)  # listed once
        later.pop("images", None)
        later.pop("thoughts", None)
    return parts


def _cut(text: str, chars: int) -> Iterator[str]:
    """Pieces of at most `chars` characters, ended by a line's end or a space where one is near."""
    start = 0
    while len(text) - start > chars:
        end = start + chars
        near = end - chars // 10
        for mark in ("\n", " "):
            found = text.rfind(mark, near, end)
            if found > 0:
                end = found + 1
                break
        yield text[start:end]
        start = end
    yield text[start:]
