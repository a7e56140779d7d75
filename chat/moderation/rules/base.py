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


# Soft hyphen, zero-width and bidi characters: invisible, and so a way to write around a pattern.
_UNSEEN = dict.fromkeys(
    [0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
)


def readings(text: str) -> list[str]:
    """The text as written and, if that differs, as a reader sees it: styled letters as plain ones."""
    seen = unicodedata.normalize("NFKC", text).translate(_UNSEEN)
    return [text] if seen == text else [text, seen]
