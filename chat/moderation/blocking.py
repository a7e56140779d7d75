"""Applies the moderation rules to texts where they enter the system, and names those for model workers.

Rules are read from the database for each message: a change takes effect at once, in every process.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.utils.translation import gettext as _

from chat.core.entry_points import RuleScope
from chat.core.errors import BadInput, RefusedByRule
from chat.moderation.models import Rule
from chat.moderation.rule_kinds import PROMPT, REPLY, check_rule, findings_of, has_hit, reply_pattern
from chat.moderation.rules.base import readings
from inference.base.findings import Finding

log = logging.getLogger(__name__)


def check_texts(which: RuleScope, texts: Sequence[str]) -> None:
    """Checks texts of an entry point (chat/core/entry_points.py); reads the rules once."""
    forbids = _forbidding(which)
    for text in filter(None, texts) if forbids else ():
        if rule := _hit(forbids, text):
            raise RefusedByRule(rule.words or _("A rule of this site forbids this message."))


def _forbidding(which: RuleScope) -> list[Rule]:
    applies = {RuleScope.PEOPLE: PROMPT, RuleScope.MODEL: REPLY}.get(which, Rule.Applies.values)
    return [rule for rule in Rule.objects.filter(active=True, applies__in=applies) if _is_usable(rule)]


def _hit(found: list[Rule], text: str) -> Rule | None:
    texts = readings(text) if found else []
    for rule in found:
        try:
            if has_hit(rule.kind, rule.options, texts):
                return rule
        except BadInput:
            _log_skipped(rule)
    return None


def findings(which: RuleScope, text: str) -> list[tuple[Rule, Finding]]:
    """Returns what the active rules find in a text, by place in the text as written, for masks and previews.

    A piece that is found in both readings is returned once.
    """
    found: dict[tuple[int, int, int], tuple[Rule, Finding]] = {}
    for rule in _forbidding(which):
        try:
            pieces = findings_of(rule.kind, rule.options, text)
        except BadInput:
            _log_skipped(rule)
            continue
        for each in pieces:
            found.setdefault((each.start, each.end, rule.pk), (rule, each))
    return [found[key] for key in sorted(found)]


def reply_rules() -> list[dict[str, str]]:
    """Returns the rules for the model workers: [{"rule_id", "pattern"}], as RuleKind.for_replies says."""
    found = []
    for rule in _forbidding(RuleScope.MODEL):
        try:
            pattern = reply_pattern(rule.kind, rule.options)
        except BadInput:
            _log_skipped(rule)
            continue
        if pattern is not None:
            found.append({"rule_id": str(rule.pk), "pattern": pattern})
    return found


def reply_words(rule_id: str) -> str:
    """Returns the words for readers when a reply was refused; also when the rule is gone by then."""
    rule = Rule.objects.filter(pk=int(rule_id)).first() if rule_id.isdecimal() else None
    return (rule.words if rule else "") or str(_("A rule of this site stopped this reply."))


def _is_usable(rule: Rule) -> bool:
    """Returns whether a rule can be applied. One saved without the admin, or of an unknown kind, is logged
    and skipped instead of stopping everybody.
    """
    try:
        check_rule(rule.kind, rule.options)
    except BadInput:
        log.error("blocking rule %s cannot be used: its options or kind are not valid", rule.pk)
        return False
    return True


def _log_skipped(rule: Rule) -> None:
    log.error("blocking rule %s was skipped: its kind failed", rule.pk)
