"""Stores what readers report."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Message
from chat.conversations.settlement import is_any_live
from chat.core.errors import BadInput, Busy
from chat.core.text import trimmed
from chat.moderation.models import Report

NOTE_LENGTH = 2000  # of Report.note


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
