"""Applies rules, and stores and decides reports.

Rules are read from the database for each message: a change takes effect at once, in every process.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Left, Now
from django.utils.translation import gettext as _
from django.utils.translation import override

from chat.accounts.models import User
from chat.conversations.models import Message, Role
from chat.conversations.settlement import is_any_live
from chat.core import audit
from chat.core.decisions import check_not_stale, stale
from chat.core.entry_points import RuleScope
from chat.core.errors import BadInput, Busy, ChatError, NotAllowed, RefusedByRule
from chat.core.models import StaffAction
from chat.core.text import grouped, trimmed
from chat.moderation import hooks, rules, signals
from chat.moderation.models import Decision, Report, Rule
from chat.moderation.rules.base import Reading, RuleKind, check_reply_pattern, readings
from inference.base.findings import Finding
from inference.base.registry import RegistryError

log = logging.getLogger(__name__)

NOTE_LENGTH = 2000  # of Report.note
OWNER_REASON_LENGTH = 300  # of TakeDown.reason
DECIDE = "moderation.change_report"  # the permission that moderators have
ACTIONS = (Report.Status.DISMISSED, Report.Status.HIDDEN, Report.Status.TAKEN_DOWN)
BREADTH = 1000  # newest messages that a new rule is tried on
BREADTH_CHARS = 20_000  # of each
BREADTH_SECONDS = 5.0  # seconds; then the proportion is that of the messages tried so far
FEWEST = 5  # messages; fewer give no proportion
# Audit verbs for decisions on reports and shared pages, as sentences for a colleague.
VERBS = {
    "take share down": Report.Status.TAKEN_DOWN.label,
    **{f"report {status.value}": status.label for status in ACTIONS},
}
PROMPT = (Rule.Applies.PROMPT, Rule.Applies.BOTH)
REPLY = (Rule.Applies.REPLY, Rule.Applies.BOTH)


# --- Rules --------------------------------------------------------------------------------------------------


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
            if _hits(rule.kind, rule.options, texts):
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


def findings_of(kind: str, options: Mapping[str, Any], text: str) -> list[Finding]:
    """Returns what one rule, saved or not, finds, from left to right. Raises BadInput if its kind fails."""
    with _usable_kind(kind) as finder:
        found = {
            each.in_written(finding) for each in readings(text) for finding in finder.find(each.text, options)
        }
    return sorted(found, key=lambda each: (each.start, each.end))


def reply_rules() -> list[dict[str, str]]:
    """Returns the rules for the model workers: [{"rule_id", "pattern"}], as RuleKind.for_replies says."""
    found = []
    for rule in _forbidding(RuleScope.MODEL):
        try:
            pattern = _reply_pattern(rule.kind, rule.options)
        except BadInput:
            _log_skipped(rule)
            continue
        if pattern is not None:
            found.append({"rule_id": str(rule.pk), "pattern": pattern})
    return found


def _reply_pattern(kind: str, options: Mapping[str, Any]) -> str | None:
    """Returns the pattern for the model workers, or None. Raises BadInput if there is no usable one."""
    with _usable_kind(kind) as made:
        pattern = made.for_replies(options)
        if pattern is not None:
            check_reply_pattern(pattern)
    return pattern


def reply_words(rule_id: str) -> str:
    """Returns the words for readers when a reply was refused; also when the rule is gone by then."""
    rule = Rule.objects.filter(pk=int(rule_id)).first() if rule_id.isdecimal() else None
    return (rule.words if rule else "") or str(_("A rule of this site stopped this reply."))


def check_rule(kind: str, options: Mapping[str, Any]) -> None:
    """Raises BadInput if a rule like this cannot be used."""
    with _usable_kind(kind) as made:
        made.check(options)


def check_applies(kind: str, options: Mapping[str, Any], applies: str) -> None:
    """Raises BadInput if a rule is meant for replies, and its kind cannot be tried on them."""
    if applies in REPLY and _reply_pattern(kind, options) is None:
        raise BadInput(
            _("This kind of rule cannot read replies while they are written. Apply it to what people write.")
        )


def rule_matches(kind: str, options: Mapping[str, Any], text: str) -> bool:
    """Returns whether a rule, saved or not, refuses a text. Raises BadInput if it fails."""
    return _hits(kind, options, readings(text))


def summary_of(rule: Rule) -> str:
    """Returns one line about a rule's options; an empty one if its kind is gone or fails."""
    try:
        with _usable_kind(rule.kind) as made:
            return made.summary(rule.options)
    except BadInput:
        return ""


def check_breadth(kind: str, options: Mapping[str, Any], applies: str) -> None:
    """Raises BadInput, with the proportion, if this rule would have refused most of the newest messages."""
    for role, which in ((Role.USER, PROMPT), (Role.ASSISTANT, REPLY)):
        if applies not in which:
            continue
        hits, tried = _tried(kind, options, role)
        if tried >= FEWEST and hits * 2 > tried:
            words = _(
                "This rule matches %(hits)s of the last %(number)s messages (%(percent)s %%), so it would "
                "refuse most of what is written. Please make it more exact. It was not saved."
            )
            percent = grouped(round(100 * hits / tried))
            raise BadInput(words % {"hits": grouped(hits), "number": grouped(tried), "percent": percent})


def _tried(kind: str, options: Mapping[str, Any], role: str) -> tuple[int, int]:
    """Counts the newest messages that the rule refuses; only the beginning of long ones is read."""
    # Imported text is not typical of what people write here.
    written_here = Message.objects.filter(role=role, source="")
    newest = written_here.exclude(text="").order_by("-created_at")
    beginnings = newest.annotate(beginning=Left("text", BREADTH_CHARS)).values_list("beginning", flat=True)
    ends = time.monotonic() + BREADTH_SECONDS
    hits, tried = 0, 0
    for text in beginnings[:BREADTH].iterator(chunk_size=100):
        hits += rule_matches(kind, options, text)
        tried += 1
        if time.monotonic() > ends:
            break
    return hits, tried


def _hits(kind: str, options: Mapping[str, Any], texts: Sequence[Reading]) -> bool:
    with _usable_kind(kind) as finder:
        return any(next(iter(finder.find(each.text, options)), None) is not None for each in texts)


@contextmanager
def _usable_kind(name: str) -> Iterator[RuleKind]:
    """Yields a kind of rule. Raises BadInput if none has this name, or if its code raises anything.

    The log names the error and its line, never its message: that may quote what people wrote.
    """
    try:
        yield rules.kind_for(name)
    except BadInput:
        raise
    except RegistryError:
        raise BadInput(_("There is no kind of rule called “%s”.") % name) from None
    except Exception as error:  # noqa: BLE001 - a package may have written it; every message passes here
        at, error_name = traceback.extract_tb(error.__traceback__)[-1], type(error).__name__
        log.error("kind of rule %s failed: %s in %s:%s", name, error_name, at.filename, at.lineno)
        words = _("The kind of rule “%(kind)s” failed (%(error)s); the log says where.")
        raise BadInput(words % {"kind": name, "error": error_name}) from None


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


# --- Reports ------------------------------------------------------------------------------------------------


def report_message(*, reporter: User, message: Message, reason: str, note: str = "") -> Report:
    """Stores a report by a person who may read the message (the caller checked). A second one is ignored
    while the first is open.
    """
    _check_report(reason, note)
    if is_any_live([message]):
        raise Busy(_("This reply is still being written. Please report it when it has ended."))
    mine = Report.objects.filter(reporter=reporter, message_id=message.pk, status=Report.Status.OPEN)
    return mine.first() or Report.objects.create(
        reporter=reporter,
        message_id=message.pk,
        author=message.conversation.owner,
        reason=reason,
        note=trimmed(note),
        text=message.text,
        source=message.source,
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
    source: str = "",
) -> Report:
    """Stores a report by a reader of a shared page; the caller limits anonymous reports per address."""
    _check_report(reason, note)
    return Report.objects.create(
        reporter=reporter,
        share_id=share_id,
        message_id=message_id,
        author=author,
        reason=reason,
        note=trimmed(note),
        text=text,
        source=source,
    )


def _check_report(reason: str, note: str) -> None:
    if reason not in Report.Reason.values:
        raise BadInput(_("Please choose one of the reasons."))
    if len(note) > NOTE_LENGTH:
        raise BadInput(_("The note is longer than %d characters.") % NOTE_LENGTH)


# --- Decisions ----------------------------------------------------------------------------------------------


@transaction.atomic
def decide(
    *,
    report: Report,
    by: User,
    action: str,
    note: str = "",
    owner_reason: str = "",
    seen: int | None = None,
) -> Decision:
    """Decides a report: "dismissed", "hidden" (the message) or "taken_down" (the share).

    Raises Stale if a colleague decided on this report, or on what it is about, after `seen`
    (chat/core/decisions.py).

    A report may be decided again. Dismissing one whose message was hidden shows the message again, unless
    another report hid it, too. A link once taken down stays so, and its owner, who reads `owner_reason`, can
    make no new one until staff lift that (chat/sharing/takedowns.py).
    """
    if not by.has_perm(DECIDE):
        raise NotAllowed(_("You may not decide on reports."))
    report = _locked(report)
    check_not_stale(seen=seen, targets=_targets(report), by=by, verbs=VERBS)
    if action == Report.Status.DISMISSED:
        _show_again(report)
    elif action == Report.Status.HIDDEN:
        _hide(report)
    elif action == Report.Status.TAKEN_DOWN:
        if report.share_id is None:
            raise BadInput(_("This report is not about a shared page."))
        _take_share_down(report.share_id, trimmed(owner_reason) or _untranslated_reason(report))
    else:
        raise BadInput(_("There is no decision called “%s”.") % action)
    before, report.status = report.status, action
    report.save(update_fields=["status"])
    decision = Decision.objects.create(report=report, by=by, action=action, note=trimmed(note))
    detail = {"was": before, "message": report.message_id, "share": report.share_id, "note": trimmed(note)}
    if trimmed(owner_reason):
        detail["told_owner"] = trimmed(owner_reason)
    audit.record(by, f"report {action}", audit.on_model(report), **detail)
    return decision


def _locked(report: Report) -> Report:
    """Returns the report as it is now, and locks all reports of the same message or page: a colleague may be
    deciding on another one of them at this moment."""
    same = list(_same(report).select_for_update().order_by("pk"))
    return next(each for each in same if each.pk == report.pk)


def _same(report: Report) -> QuerySet[Report]:
    """Returns this report and the others about the same message or shared page."""
    about = Q(pk=report.pk)
    if report.message_id:
        about |= Q(message_id=report.message_id)
    if report.share_id:
        about |= Q(share_id=report.share_id)
    return Report.objects.filter(about)


def _targets(report: Report) -> list[str]:
    reports = [audit.on_model(each) for each in _same(report).only("pk")]
    return [*reports, f"share:{report.share_id}"] if report.share_id else reports


@transaction.atomic
def take_share_down(
    *, share_id: UUID, by: User, note: str = "", owner_reason: str = "", seen: int | None = None
) -> None:
    """Takes a share down without a report. Raises Stale if it is down already, or a colleague decided after
    `seen`.
    """
    if not by.has_perm(DECIDE):
        raise NotAllowed(_("You may not take shared pages down."))
    if not trimmed(owner_reason):
        raise BadInput(_("Give a reason for the owner: nobody else tells them why."))
    about = Report(share_id=share_id)
    was_open = _take_share_down(share_id, owner_reason)  # its row is locked from here on
    check_not_stale(seen=seen, targets=_targets(about), by=by, verbs=VERBS)
    if not was_open:
        raise _already_down(about)
    audit.record(
        by, "take share down", f"share:{share_id}", note=trimmed(note), told_owner=trimmed(owner_reason)
    )


def _untranslated_reason(report: Report) -> str:
    """Returns the reason untranslated: its owner may read another language (chat/sharing/takedowns.py
    translates it).
    """
    with override(None):
        return report.get_reason_display()


def _take_share_down(share_id: UUID, reason: str) -> bool:
    """Returns whether the page was open until now."""
    reason = trimmed(reason)
    if len(reason) > OWNER_REASON_LENGTH:
        raise BadInput(_("The reason for the owner is longer than %d characters.") % OWNER_REASON_LENGTH)
    return any(hooks.take_down_share(share_id, reason))


def _already_down(about: Report) -> ChatError:
    """Says who did it, as far as the audit knows."""
    done = StaffAction.objects.filter(
        target__in=_targets(about), verb__in=["take share down", "report taken_down"]
    )
    action = done.order_by("-pk").first()
    return stale(action, VERBS) if action else BadInput(_("This shared page is taken down already."))


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
    """Announces the row after commit, as it is then."""

    def send() -> None:
        message.refresh_from_db()
        signal.send(Message, message=message)

    transaction.on_commit(send, robust=True)
