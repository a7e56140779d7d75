"""Hides the message of a report with its images, and shows them again."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from chat.conversations.models import Message
from chat.core.errors import BadInput, ChatError
from chat.moderation import hooks, signals
from chat.moderation.models import Report


def hide(report: Report) -> int:
    """Returns how many images were hidden with the message."""
    if report.message_id is None:
        raise BadInput(_("This report is not about a single message."))
    message = Message.objects.filter(pk=report.message_id).first()
    if message is None:
        raise ChatError(_("That message no longer exists. You can dismiss the report."))
    Message.objects.filter(pk=message.pk, hidden_at=None).update(hidden_at=Now())
    _tell(signals.message_hidden, message)
    return sum(hooks.hide_images(message.pk))


def show_again(report: Report) -> int:
    """Returns how many images are shown again; other messages may have them when this one is deleted."""
    if report.status != Report.Status.HIDDEN or report.message_id is None:
        return 0
    same = Report.objects.filter(message_id=report.message_id, status=Report.Status.HIDDEN)
    if same.exclude(pk=report.pk).exists():
        return 0
    message = Message.objects.filter(pk=report.message_id).first()
    if message is not None:
        Message.objects.filter(pk=message.pk).update(hidden_at=None)
        _tell(signals.message_shown, message)
    return sum(hooks.show_images(report.message_id))


def _tell(signal: Any, message: Message) -> None:
    """Announces the row after commit, as it is then."""

    def send() -> None:
        message.refresh_from_db()
        signal.send(Message, message=message)

    transaction.on_commit(send, robust=True)
