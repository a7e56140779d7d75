"""Searches replies for blocked patterns (RE2: linear time) while they grow.

A match that touches the end of the text so far may still be undone by what follows (`\\bass\\b` before
"ume"), so it only counts once the next character cannot change it; until then everything from its start on
is held back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped,unused-ignore]

from inference.base.findings import Finding
from inference.contract import ReplyRule

# A match may begin this many bytes (or four hold-backs, if more) before the new text. Searching the whole
# reply at every token would cost its square; no rule can rely on more, for what lies further back has long
# been shown.
REACH = 4096

_FOLLOWERS = (b"_", b"\n")  # a word character and a line end: what \b, \B and $ depend on


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """Holds a rule's finding, in bytes; `settled` when no further text can undo it."""

    rule_id: str
    finding: Finding
    settled: bool


class RuleSet:
    """Holds rules compiled once; text is passed as UTF-8 bytes."""

    def __init__(self, rules: Sequence[ReplyRule]) -> None:
        """Raise ValueError for a pattern RE2 refuses: an unreadable rule must not pass as no rule."""
        self._rules = [_Searcher(rule) for rule in rules]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def search(self, text: bytes, *, known: int, hold_back: int, final: bool) -> RuleMatch | None:
        """Returns the first settled match, else the earliest unsettled one, near or after byte `known`.

        `final`: nothing follows, so every match is settled. `hold_back` in characters.
        """
        from_ = max(0, known - max(REACH, 4 * hold_back))
        pending: RuleMatch | None = None
        for rule in self._rules:
            start, end = rule.span(text, from_)
            if start < 0:
                continue
            if final or end < len(text) or all(rule.span(text + c, from_)[0] == start for c in _FOLLOWERS):
                return RuleMatch(
                    rule.rule_id, Finding(start, end, rule.kind_of(text[start:end])), settled=True
                )
            if pending is None or start < pending.finding.start:
                pending = RuleMatch(rule.rule_id, Finding(start, end), settled=False)
        return pending


class _Searcher:
    """One rule, compiled."""

    def __init__(self, rule: ReplyRule) -> None:
        self.rule_id = rule.rule_id
        self._rule = rule
        self._pattern = self._compiled(capture=False)

    def span(self, text: bytes, start: int) -> tuple[int, int]:
        """Returns where the first match lies, or (-1, -1)."""
        found = self._pattern.search(text, start)
        return found.span() if found else (-1, -1)

    def kind_of(self, matched: bytes) -> str:
        """Returns the name of the group that matched; looked up once, when a reply is refused."""
        found = self._compiled(capture=True).search(matched)
        return found.lastgroup.decode() if found and found.lastgroup else ""

    def _compiled(self, *, capture: bool) -> Any:
        options = re2.Options()
        options.case_sensitive = False  # as for prompts: chat/moderation/rules/pattern.py
        options.log_errors = False  # RE2 would write the pattern to stderr
        options.never_capture = not capture
        pattern = self._rule.pattern
        try:
            return re2.compile(pattern.encode(), options)  # bytes in, bytes out: no offsets to translate
        except re2.error as error:
            raise ValueError(f"reply rule {self.rule_id}: RE2 refuses {pattern!r}: {error}") from None


@lru_cache(maxsize=64)
def compile_rules(rules: tuple[ReplyRule, ...]) -> RuleSet:
    """Returns the RuleSet of `rules`; caches a few, because every request brings the same rules."""
    return RuleSet(rules)
