"""What a kind of rule can do. `pattern` is the rule's one text field; each kind reads it its own way."""

from __future__ import annotations

import unicodedata
from typing import Protocol

import regex

from chat.core.text import UNSEEN


class RuleKind(Protocol):
    def check(self, pattern: str) -> None:
        """Raise BadInput, with words for the member of staff, if this pattern cannot be used."""

    def matches(self, pattern: str, text: str) -> bool:
        """Whether a text (see `readings`) is to be refused."""

    def for_replies(self, pattern: str) -> str | None:
        """The same rule as an RE2 pattern for the model workers; None: it cannot look at replies."""


# Lines drawn over, under or through a letter: a way to write around a pattern, as are invisible characters.
_DRAWN = {0x0305, 0x0332, 0x0333, *range(0x0334, 0x0339), 0x033F, *range(0x20D0, 0x20F1)}
_UNSEEN = regex.compile(UNSEEN, regex.V1)


def readings(text: str) -> list[str]:
    """The text as written and, if that differs, as a reader sees it: styled letters as plain ones."""
    unseen = {ord(character): None for character in set(text) if not _is_seen(character)}
    seen = unicodedata.normalize("NFKC", text.translate(unseen))
    return [text] if seen == text else [text, seen]


def _is_seen(character: str) -> bool:
    """Formats that are drawn (the Arabic number signs) hide words as the others do."""
    if character in "\n\t":
        return True
    drawn = ord(character) in _DRAWN or unicodedata.category(character) == "Cf"
    return not drawn and _UNSEEN.match(character) is None
