"""Decides on reports and takes shared pages down, unless a colleague decided since."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import override

from chat.accounts.models import User
from chat.core import audit
from chat.core.decisions import check_not_stale, stale
from chat.core.errors import BadInput, ChatError, NotAllowed
from chat.core.models import StaffAction
from chat.core.text import trimmed
from chat.moderation import hooks
from chat.moderation.hiding import hide, show_again
from chat.moderation.models import Decision, Report

OWNER_REASON_LENGTH = 300  # of TakeDown.reason
DECIDE = "moderation.change_report"  # the permission that moderators have
ACTIONS = (Report.Status.DISMISSED, Report.Status.HIDDEN, Report.Status.TAKEN_DOWN)
# Audit verbs for decisions on reports and shared pages, as sentences for a colleague.
VERBS = {
    "take share down": Report.Status.TAKEN_DOWN.label,
    **{f"report {status.value}": status.label for status in ACTIONS},
}


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
    another report hid it, too. The images of a message are hidden and shown with it in its whole conversation
    (chat/files/hiding.py). A link once taken down stays so, and its owner, who reads `owner_reason`, can make
    no new one until staff lift that (chat/sharing/takedowns.py).
    """
    if not by.has_perm(DECIDE):
        raise NotAllowed(_("You may not decide on reports."))
    report = _locked(report)
    check_not_stale(seen=seen, targets=_targets(report), by=by, verbs=VERBS)
    images = 0
    if action == Report.Status.DISMISSED:
        images = show_again(report)
    elif action == Report.Status.HIDDEN:
        images = hide(report)
    elif action == Report.Status.TAKEN_DOWN:
        if report.share_id is None:
            raise BadInput(_("This report is not about a shared page."))
        _take_share_down(report.share_id, trimmed(owner_reason) or _untranslated_reason(report))
    else:
        raise BadInput(_("There is no decision called “%s”.") % action)
    before, report.status = report.status, action
    report.save(update_fields=["status"])
    decision = Decision.objects.create(report=report, by=by, action=action, note=trimmed(note))
    about: dict[str, Any] = {"message": report.message_id, "share": report.share_id}
    detail = {"was": before, **about, "note": trimmed(note)}
    if trimmed(owner_reason):
        detail["told_owner"] = trimmed(owner_reason)
    if images:
        detail["images"] = images
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
