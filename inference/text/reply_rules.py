"""Blocked patterns for replies (RE2: linear time), searched while the reply grows.

A match that touches the end of the text so far may still be undone by what follows (`\\bass\\b` before
"ume"), so it only counts once the next character cannot change it; until then everything from its start on
is held back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import re2  # type: ignore[import-untyped,unused-ignore]

from inference.contract import ReplyRule

# A match may begin this many bytes (or four hold-backs, if more) before the new text. Searching the whole
# reply at every token would cost its square; no rule can rely on more, for what lies further back has long
# been shown.
REACH = 4096

_FOLLOWERS = (b"_", b"\n")  # a word character and a line end: what \b, \B and $ depend on


@dataclass(frozen=True, slots=True)
class Finding:
    """A match beginning at byte `start`; `settled` when no further text can undo it."""

    rule_id: str
    start: int
    settled: bool


class RuleSet:
    """Some rules compiled once; text goes in as UTF-8 bytes."""

    def __init__(self, rules: Sequence[ReplyRule]) -> None:
        """Raise ValueError for a pattern RE2 refuses: an unreadable rule must not pass as no rule."""
        self._rules = [(rule.rule_id, _searcher(rule)) for rule in rules]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def search(self, text: bytes, *, known: int, hold_back: int, final: bool) -> Finding | None:
        """The first settled match, else the earliest unsettled one, near or after byte `known` of text.

        `final`: nothing follows, so every match is settled. `hold_back` in characters.
        """
        from_ = max(0, known - max(REACH, 4 * hold_back))
        pending: Finding | None = None
        for rule_id, start_of in self._rules:
            start, end = start_of(text, from_)
            if start < 0:
                continue
            if final or end < len(text) or all(start_of(text + c, from_)[0] == start for c in _FOLLOWERS):
                return Finding(rule_id, start, settled=True)
            if pending is None or start < pending.start:
                pending = Finding(rule_id, start, settled=False)
        return pending


def _searcher(rule: ReplyRule) -> Callable[[bytes, int], tuple[int, int]]:
    options = re2.Options()
    options.case_sensitive = False  # as for prompts: chat/moderation/rules/pattern.py
    options.log_errors = False  # RE2 would write the pattern to stderr
    try:
        pattern = re2.compile(rule.pattern.encode(), options)  # bytes in, bytes out: no offsets to translate
    except re2.error as error:
        raise ValueError(f"reply rule {rule.rule_id}: RE2 refuses {rule.pattern!r}: {error}") from None

    def span(text: bytes, start: int) -> tuple[int, int]:
        found = pattern.search(text, start)
        return found.span() if found else (-1, -1)

    return span


@lru_cache(maxsize=64)
def compile_rules(rules: tuple[ReplyRule, ...]) -> RuleSet:
    """The RuleSet of `rules`; the same rules come with every request, so the last few sets are kept."""
    return RuleSet(rules)
