"""Refusing by rule, reporting, deciding.

Rules are read from the database at each send: a change counts at once, in every process.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Message
from chat.conversations.services import is_any_live
from chat.core import audit
from chat.core.errors import BadInput, Busy, ChatError, NotAllowed, RefusedByRule
from chat.moderation import rules, signals
from chat.moderation.models import Decision, Report, Rule
from chat.moderation.rules.base import readings

log = logging.getLogger(__name__)

NOTE_LENGTH = 2000  # of Report.note
OWNER_REASON_LENGTH = 300  # of TakeDown.reason
DECIDE = "moderation.change_report"  # the permission that moderators have
ACTIONS = (Report.Status.DISMISSED, Report.Status.HIDDEN, Report.Status.TAKEN_DOWN)
PROMPT = (Rule.Applies.PROMPT, Rule.Applies.BOTH)
REPLY = (Rule.Applies.REPLY, Rule.Applies.BOTH)


# --- Rules --------------------------------------------------------------------------------------------------


def check_prompt(text: str) -> None:
    """Raise RefusedByRule, in the rule's own words, if one forbids this text. The text is not logged."""
    texts = readings(text)
    for rule in Rule.objects.filter(active=True, applies__in=PROMPT):
        if _usable(rule) and _hits(rule.kind, rule.pattern, texts):
            raise RefusedByRule(rule.words or _("A rule of this site forbids this message."))


def is_forbidden(text: str) -> bool:
    """Whether any rule, for prompts or for replies, would have refused this text."""
    texts = readings(text)
    active = Rule.objects.filter(active=True)
    return any(_usable(rule) and _hits(rule.kind, rule.pattern, texts) for rule in active)


def reply_rules() -> list[dict[str, str]]:
    """For the model workers: [{"rule_id", "pattern"}], RE2 syntax, case does not matter."""
    found = []
    for rule in Rule.objects.filter(active=True, applies__in=REPLY):
        pattern = rules.kind(rule.kind).for_replies(rule.pattern) if _usable(rule) else None
        if pattern is not None:
            found.append({"rule_id": str(rule.pk), "pattern": pattern})
    return found


def reply_words(rule_id: str) -> str:
    """What readers are told when a reply was refused; also when the rule is gone by then."""
    rule = Rule.objects.filter(pk=int(rule_id)).first() if rule_id.isdecimal() else None
    return (rule.words if rule else "") or str(_("A rule of this site stopped this reply."))


def check_rule(kind: str, pattern: str) -> None:
    """Raise BadInput if a rule like this cannot be saved."""
    if kind not in rules.RULES:
        raise BadInput(_("There is no kind of rule called “%s”.") % kind)
    rules.kind(kind).check(pattern)


def rule_matches(kind: str, pattern: str, text: str) -> bool:
    """For trying a rule out before it is saved."""
    return _hits(kind, pattern, readings(text))


def _hits(kind: str, pattern: str, texts: list[str]) -> bool:
    return any(rules.kind(kind).matches(pattern, each) for each in texts)


def _usable(rule: Rule) -> bool:
    """A rule saved around the admin that cannot work must not stop everybody: it is logged instead."""
    try:
        check_rule(rule.kind, rule.pattern)
    except BadInput:
        log.error("blocking rule %s cannot be used: its pattern or kind is not valid", rule.pk)
        return False
    return True


# --- Reports ------------------------------------------------------------------------------------------------


def report_message(*, reporter: User, message: Message, reason: str, note: str = "") -> Report:
    """By somebody who may read it (the caller went through its door). Twice is once while it is open."""
    _check_report(reason, note)
    if is_any_live([message]):
        raise Busy(_("This reply is still being written. Please report it when it has ended."))
    mine = Report.objects.filter(reporter=reporter, message_id=message.pk, status=Report.Status.OPEN)
    return mine.first() or Report.objects.create(
        reporter=reporter,
        message_id=message.pk,
        author=message.conversation.owner,
        reason=reason,
        note=note.strip(),
        text=message.text,
    )


def report_share(
    *,
    reporter: User | None,
    share_id: UUID,
    text: str,
    author: User | None,
    reason: str,
    note: str = "",
    message_id: UUID | None = None,
) -> Report:
    """By anybody who opened a shared page; anonymous reports are limited per address by the caller."""
    _check_report(reason, note)
    return Report.objects.create(
        reporter=reporter,
        share_id=share_id,
        message_id=message_id,
        author=author,
        reason=reason,
        note=note.strip(),
        text=text,
    )


def _check_report(reason: str, note: str) -> None:
    if reason not in Report.Reason.values:
        raise BadInput(_("Please choose one of the reasons."))
    if len(note) > NOTE_LENGTH:
        raise BadInput(_("The note is longer than %d characters.") % NOTE_LENGTH)


# --- Decisions ----------------------------------------------------------------------------------------------


@transaction.atomic
def decide(*, report: Report, by: User, action: str, note: str = "", owner_reason: str = "") -> Decision:
    """dismissed, hidden (the message) or taken_down (the share).

    A report may be decided again. Dismissing one whose message was hidden shows the message again, unless
    another report hid it, too. A link once taken down stays so, and its owner, who reads `owner_reason`, can
    make no new one until staff lift that (chat/sharing/take_downs.py).
    """
    if not by.has_perm(DECIDE):
        raise NotAllowed(_("You may not decide on reports."))
    report = Report.objects.select_for_update().get(pk=report.pk)
    if action == Report.Status.DISMISSED:
        _show_again(report)
    elif action == Report.Status.HIDDEN:
        _hide(report)
    elif action == Report.Status.TAKEN_DOWN:
        if report.share_id is None:
            raise BadInput(_("This report is not about a shared page."))
        _take_share_down(report.share_id, owner_reason or report.get_reason_display())
    else:
        raise BadInput(_("There is no decision called “%s”.") % action)
    before, report.status = report.status, action
    report.save(update_fields=["status"])
    decision = Decision.objects.create(report=report, by=by, action=action, note=note.strip())
    detail = {"was": before, "message": report.message_id, "share": report.share_id, "note": note.strip()}
    if owner_reason.strip():
        detail["told_owner"] = owner_reason.strip()
    audit.record(by, f"report {action}", audit.on_model(report), **detail)
    return decision


@transaction.atomic
def take_share_down(*, share_id: UUID, by: User, note: str = "", owner_reason: str = "") -> None:
    """Without a report."""
    if not by.has_perm(DECIDE):
        raise NotAllowed(_("You may not take shared pages down."))
    _take_share_down(share_id, owner_reason)
    audit.record(
        by, "take share down", f"share:{share_id}", note=note.strip(), told_owner=owner_reason.strip()
    )


def _take_share_down(share_id: UUID, reason: str) -> None:
    reason = reason.strip()
    if len(reason) > OWNER_REASON_LENGTH:
        raise BadInput(_("The reason for the owner is longer than %d characters.") % OWNER_REASON_LENGTH)
    signals.share_taken_down.send(Report, share_id=share_id, reason=reason)


def _hide(report: Report) -> None:
    if report.message_id is None:
        raise BadInput(_("This report is not about a single message."))
    message = Message.objects.filter(pk=report.message_id).first()
    if message is None:
        raise ChatError(_("That message no longer exists. You can dismiss the report."))
    Message.objects.filter(pk=message.pk, hidden_at=None).update(hidden_at=Now())
    _tell(signals.message_hidden, message)


def _show_again(report: Report) -> None:
    if report.status != Report.Status.HIDDEN or report.message_id is None:
        return
    same = Report.objects.filter(message_id=report.message_id, status=Report.Status.HIDDEN)
    message = Message.objects.filter(pk=report.message_id).first()
    if message is None or same.exclude(pk=report.pk).exists():
        return
    Message.objects.filter(pk=message.pk).update(hidden_at=None)
    _tell(signals.message_shown, message)


def _tell(signal: Any, message: Message) -> None:
    """After commit, with the row as it is then."""

    def send() -> None:
        message.refresh_from_db()
        signal.send(Message, message=message)

    transaction.on_commit(send, robust=True)
