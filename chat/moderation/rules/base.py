"""What a kind of rule can do. `pattern` is the rule's one text field; each kind reads it its own way."""

from __future__ import annotations

import unicodedata
from typing import Protocol


class RuleKind(Protocol):
    def check(self, pattern: str) -> None:
        """Raise BadInput, with words for the member of staff, if this pattern cannot be used."""

    def matches(self, pattern: str, text: str) -> bool:
        """Whether a text (see `readings`) is to be refused."""

    def for_replies(self, pattern: str) -> str | None:
        """The same rule as an RE2 pattern for the model workers; None: it cannot look at replies."""


# Ways to write around a pattern, besides control and format characters: fillers and selectors that nobody
# sees, and lines drawn over, under or through a letter.
_UNSEEN = {
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x3164, 0xFFA0),
    *(*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xFFF0, 0xFFFC), *range(0xE0000, 0xE1000)),
    *(0x0305, 0x0332, 0x0333, *range(0x0334, 0x0339), 0x033F, *range(0x20D0, 0x20F1)),
}


def readings(text: str) -> list[str]:
    """The text as written and, if that differs, as a reader sees it: styled letters as plain ones."""
    unseen = {ord(character): None for character in set(text) if not _is_seen(character)}
    seen = unicodedata.normalize("NFKC", text.translate(unseen))
    return [text] if seen == text else [text, seen]


def _is_seen(character: str) -> bool:
    if character in "\n\t":
        return True
    return unicodedata.category(character) not in {"Cc", "Cf"} and ord(character) not in _UNSEEN
