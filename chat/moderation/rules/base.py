"""Defines the interface of kinds of rules, and the readings of a text that rules are applied to."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import re2
import regex
from django.utils.translation import gettext as _

from chat.core.errors import BadInput
from chat.core.extensions import BadOptions, Extension
from chat.core.text import UNSEEN
from inference.base.findings import Finding


class RuleKind(Extension):
    """Finds forbidden text in one way. Staff set its `fields`; their values are passed as `options`."""

    def check(self, options: Mapping[str, Any]) -> None:
        """Raises BadOptions unless the stored options are valid values of `fields`.

        A kind whose `stored` turns values into something else overrides this, too.
        """
        form = self.form(options)
        if not form.is_valid():
            raise BadOptions(form)

    def find(self, text: str, options: Mapping[str, Any]) -> Iterator[Finding]:
        """Yields what is forbidden in one reading of a text, from left to right.

        Lazy: where one finding is enough, no more is searched. `text` is hostile, so the time must be linear
        in its length.
        """
        yield from ()

    def for_replies(self, options: Mapping[str, Any]) -> str | None:
        """Returns the rule as one RE2 pattern for the model workers; None: it cannot be tried on replies.

        Case does not matter there unless the pattern says `(?-i:…)`. A named group names the finding's kind.
        """
        return None

    def summary(self, options: Mapping[str, Any]) -> str:
        """Returns one line about the options, for the list of rules."""
        return ""


@lru_cache(maxsize=512)
def check_reply_pattern(pattern: str) -> None:
    """Raises BadInput for a pattern of `for_replies` that RE2 refuses, or that finds everything."""
    options = re2.Options()
    options.log_errors = False  # RE2 would write the pattern to stderr
    try:
        compiled = re2.compile(pattern.encode(), options)
    except re2.error:
        raise BadInput(_("The pattern for replies is not in RE2 syntax.")) from None
    if compiled.search(b"") is not None:
        raise BadInput(_("This pattern matches the empty text, so it would refuse everything."))


# Lines drawn over, under or through a letter: like invisible characters, a way to evade a pattern.
_DRAWN = {0x0305, 0x0332, 0x0333, *range(0x0334, 0x0339), 0x033F, *range(0x20D0, 0x20F1)}
_UNSEEN = regex.compile(UNSEEN, regex.V1)
_CLUSTERS = regex.compile(r"\X")


@dataclass(frozen=True)
class Reading:
    """Holds a text as one reader would see it, and maps its parts to places in the text as written."""

    text: str
    written: str

    def in_written(self, found: Finding) -> Finding:
        """Returns the finding with its place in the text as written, widened to whole visible characters."""
        if self.text == self.written:
            return found
        starts, ends = self._places
        if found.start >= found.end or found.end > len(starts):
            return Finding(0, len(self.written), found.kind)
        return Finding(starts[found.start], ends[found.end - 1], found.kind)

    @cached_property
    def _places(self) -> tuple[list[int], list[int]]:
        """Returns, for each character of `text`, the start and end in `written` of the cluster it comes from.

        Clusters are read one by one. If they do not add up to `text`, each character maps to all of
        `written`.
        """
        starts: list[int] = []
        ends: list[int] = []
        pieces = []
        for cluster in _CLUSTERS.finditer(self.written):
            piece = _as_seen(cluster[0])
            pieces.append(piece)
            starts += [cluster.start()] * len(piece)
            ends += [cluster.end()] * len(piece)
        if "".join(pieces) != self.text:
            return [0] * len(self.text), [len(self.written)] * len(self.text)
        return starts, ends


def readings(text: str) -> list[Reading]:
    """Returns the text as written and, if that differs, as a reader sees it: styled letters as plain ones."""
    seen = _as_seen(text)
    return [Reading(text, text)] if seen == text else [Reading(text, text), Reading(seen, text)]


def _as_seen(text: str) -> str:
    unseen = {ord(character): None for character in set(text) if not _is_seen(character)}
    return unicodedata.normalize("NFKC", text.translate(unseen))


def _is_seen(character: str) -> bool:
    """Returns whether a character counts as seen. Format characters do not, even those that are drawn (the
    Arabic number signs): they can split a forbidden word, as the invisible ones can.
    """
    if character in "\n\t":
        return True
    drawn = ord(character) in _DRAWN or unicodedata.category(character) == "Cf"
    return not drawn and _UNSEEN.match(character) is None
