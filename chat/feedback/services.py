"""Giving a verdict on an answer, changing it, taking it back."""

from __future__ import annotations

from django.db.models import Count
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Message, Role
from chat.conversations.services import is_any_live
from chat.core.errors import BadInput, Busy, NotFound
from chat.core.text import trimmed
from chat.feedback.models import Feedback

NOTE_LENGTH = 2000  # of Feedback.note
TAKEN_BACK = 0


def judge(*, person: User, message: Message, value: int, reason: str = "", note: str = "") -> None:
    """By somebody who may read it (the caller went through its door). The last verdict counts; 0 is none."""
    _check(message, value, reason, note)
    if value == TAKEN_BACK:
        Feedback.objects.filter(person=person, message=message).delete()
        return
    said = {"value": value, "reason": reason, "note": trimmed(note)}
    Feedback.objects.update_or_create(
        person=person,
        message=message,
        defaults=said,
        create_defaults={**said, "model_id": message.conversation.model_id},
    )


def verdict(*, person: User, message: Message) -> dict[str, int | str]:
    """What this person said; value 0 if nothing."""
    row = Feedback.objects.filter(person=person, message=message).first()
    if row is None:
        return {"value": TAKEN_BACK, "reason": "", "note": ""}
    return {"value": row.value, "reason": row.reason, "note": row.note}


def counts() -> list[tuple[str, str, str, int]]:
    """(model, verdict, reason, how many), the most frequent first."""
    rows = (
        Feedback.objects.filter(message__conversation__deleted_at=None, message__source="")
        .values_list("model__name", "value", "reason")
        .annotate(number=Count("pk"))
        .order_by("model__name", "-value", "-number")
    )
    return [
        (
            model,
            str(Feedback.Value(value).label),
            str(Feedback.Reason(reason).label) if reason else "–",
            number,
        )
        for model, value, reason, number in rows
    ]


def _check(message: Message, value: int, reason: str, note: str) -> None:
    if message.role != Role.ASSISTANT or message.hidden_at is not None:
        raise NotFound
    if message.source:
        raise BadInput(_("This answer was imported. The model here did not write it, so it is not judged."))
    if is_any_live([message]):
        raise Busy(_("This reply is still being written. Please judge it when it has ended."))
    if value not in (*Feedback.Value.values, TAKEN_BACK):
        raise BadInput(_("A verdict is 1 (good), -1 (poor) or 0 (none)."))
    if reason and reason not in Feedback.Reason.values:
        raise BadInput(_("Please choose one of the reasons."))
    if len(note) > NOTE_LENGTH:
        raise BadInput(_("The note is longer than %d characters.") % NOTE_LENGTH)
